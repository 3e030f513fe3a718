/* The one line that spawn and forkserver need first in main, and what holds for the whole program.
 *
 * The library keeps some descriptors open in each process of the team, close-on-exec. A program that closes all there
 * are (to become a daemon, say) does so before its first call here: without them the team's memory cannot grow (-EBADF,
 * NULL), and no process be started (YUNTA_ENOWATCH). */
#ifndef YUNTA_INIT_H
#define YUNTA_INIT_H

#include <stddef.h>
#include <yunta/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define YUNTA_VERSION_MAJOR 0
#define YUNTA_VERSION_MINOR 1
#define YUNTA_VERSION_PATCH 0
#define YUNTA_VERSION "0.1.0"

/* How a process comes to exist. */
typedef enum yunta_start_method {
    YUNTA_DEFAULT = 0, /* what yunta_set_start_method chose; fork if it did not */
    YUNTA_FORK = 1,    /* fork of the caller: sees its memory; its cost grows with the caller's memory */
    YUNTA_FORKSERVER =
        2,           /* forked by a clean server, exec'ed on first use: constant cost, no threads or locks inherited */
    YUNTA_SPAWN = 3, /* a fresh exec of the same program */
    YUNTA_THREAD = 4 /* pools only: workers are threads of the caller. No protection: a crash ends the program */
} yunta_start_method;

/* Call it first in main. In a process made by spawn or by the forkserver it runs what that process is for, and
 * does not return. Elsewhere it remembers that the program can be started so, and returns 0; calling it again is
 * harmless. Errors: -EINVAL: argc < 0, or argv is NULL while argc > 0. A program that uses only fork need not call it.
 */
YUNTA_API int yunta_init(int argc, char **argv);

/* The version of the library that runs, as "0.1.0"; compare with YUNTA_VERSION, that of the header. */
YUNTA_API const char *yunta_version(void);

/* The program's default start method, used where options say YUNTA_DEFAULT. Children inherit it.
 * Errors: -EINVAL: no such method, or YUNTA_DEFAULT or YUNTA_THREAD; YUNTA_ENOINIT: forkserver or spawn without
 * yunta_init. */
YUNTA_API int yunta_set_start_method(yunta_start_method method);

/* The default in force. Never YUNTA_DEFAULT. */
YUNTA_API yunta_start_method yunta_get_start_method(void);

/* "fork", "forkserver", "spawn", "thread" or "default"; NULL for an unknown value. */
YUNTA_API const char *yunta_start_method_name(yunta_start_method method);

/* How many processors this process may use: the smaller of its affinity mask and its cgroups' quota (v1 and v2),
 * rounded up, at least 1. */
YUNTA_API int yunta_cpu_count(void);

/* How large the team's arena may become, in bytes, before the first shared memory, process or pool is made. It is
 * address space, not memory. Default: the largest of 256, 64, 16, 4, 1 GiB, 256, 64, 16 MiB that can be had (256 MiB
 * under Valgrind). The environment variable YUNTA_ARENA_BYTES does the same. Errors: -EINVAL: less than 16 MiB, or more
 * than the window of 320 GiB; -EBUSY: the arena stands already. */
YUNTA_API int yunta_set_arena_limit(uint64_t bytes);

#ifdef __cplusplus
}
#endif

#endif
