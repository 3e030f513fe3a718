/* What can go wrong, and how it is told.
 *
 * Functions return an int: 0 or more is good; -errno (down to -4095) for the system's reasons and the caller's
 * mistakes; a YUNTA_E… code, below -4095, for yunta's own. Results come through pointers, written only on success.
 * Why something died or failed is a value, yunta_failure, never a global. A bool answers false for NULL, since it is
 * nothing: neither held, nor closed, nor broken, nor full; only that it is empty is true.
 *
 * The first call of a program that needs the team makes it, and in a process that the program has forked by itself the
 * first one joins it: any call may return what that said, as -EMFILE, -ENOMEM or YUNTA_ENOWATCH, and do nothing. */
#ifndef YUNTA_ERROR_H
#define YUNTA_ERROR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define YUNTA_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define YUNTA_UNUSED __attribute__((unused))
#define YUNTA_API __attribute__((visibility("default")))
#else
#define YUNTA_PRINTF(text, first)
#define YUNTA_UNUSED
#define YUNTA_API
#endif

/* Time limits are in milliseconds. 0 tries once without waiting; YUNTA_FOREVER (any negative) waits without limit.
 * A wait that runs out returns -ETIMEDOUT. Waits go on after a signal handler has run; none returns -EINTR. */
#define YUNTA_FOREVER (-1)

/* X(name, value, text): the one table of yunta's own codes. */
#define YUNTA_ERROR_TABLE(X)                                                                                           \
    X(YUNTA_EFAILED, -4096, "the task or entry returned an error")                                                     \
    X(YUNTA_ECRASHED, -4097, "the process running it died of a signal")                                                \
    X(YUNTA_ECLOSED, -4098, "closed: it takes or holds no more")                                                       \
    X(YUNTA_EBROKEN, -4099, "broken: shared state was left inconsistent and is not used any more")                     \
    X(YUNTA_ENOINIT, -4100, "spawn and forkserver need yunta_init(argc, argv) first in main")                          \
    X(YUNTA_ENOWATCH, -4101, "the watch of this team cannot be started")                                               \
    X(YUNTA_ELOST, -4102,                                                                                              \
      "its exit status is lost: somebody else waited for it, SIGCHLD is ignored, or the forkserver was killed, by "    \
      "itself or with the watch")                                                                                      \
    X(YUNTA_ENOFUNCTION, -4103, "the function is not found in the new process: its module is absent or another build") \
    X(YUNTA_EEXITED, -4104, "the task ended its process by exit or _exit")                                             \
    X(YUNTA_EFOREMAN, -4105, "the foreman of the pool was killed, and its workers with it")                            \
    X(YUNTA_ESTART, -4106, "no worker of the pool can be started or kept alive")

enum {
#define YUNTA_ERROR_ENUM(name, value, text) name = value,
    YUNTA_ERROR_TABLE(YUNTA_ERROR_ENUM)
#undef YUNTA_ERROR_ENUM
};

/* The text of a code: yunta's own, or strerror's for -errno. Never NULL; valid for ever; thread-safe. 0 is "success".
 */
YUNTA_API const char *yunta_strerror(int code);

/* The symbol of a code, as "YUNTA_ECRASHED" or "-ENOENT"; NULL for what no function here returns, 0 too. */
YUNTA_API const char *yunta_error_name(int code);

#define YUNTA_FAILURE_TEXT 256
#define YUNTA_FAILURE_NAME 32

/* Why a task, process or pool failed. `code` is 0 when nothing did. */
typedef struct yunta_failure {
    int code;                      /* YUNTA_EFAILED, YUNTA_ECRASHED, YUNTA_EEXITED, … or -errno */
    int value;                     /* with YUNTA_EFAILED: what the task or entry returned, whole */
    int signal;                    /* the signal it died of, or 0 */
    int exit_status;               /* 0…255, or -1 where there is none */
    pid_t pid;                     /* of the process that ran it, or 0 if none did */
    bool core_dumped;              /* a core dump was written */
    bool out_of_memory;            /* killed by SIGKILL while the kernel's count of out-of-memory kills rose */
    uint64_t index;                /* of the task in its map; 0 for a single task or a process */
    uint64_t user_ns;              /* processor time of that process in user mode, ns; 0 if unknown */
    uint64_t system_ns;            /* … and in the kernel, ns */
    uint64_t peak_bytes;           /* its peak resident memory, bytes; 0 if unknown */
    char name[YUNTA_FAILURE_NAME]; /* of the task, entry or process */
    char text[YUNTA_FAILURE_TEXT]; /* one line for a person; what yunta_fail said, if it was called */
} yunta_failure;

/* Inside a task or entry: notes why, and gives back `code`, so that one can write
 *     return yunta_fail(-EINVAL, "row %d is empty", row);
 * The text (cut to YUNTA_FAILURE_TEXT bytes) reaches the caller in its yunta_failure. Elsewhere it only returns `code`.
 */
YUNTA_API int yunta_fail(int code, const char *format, ...) YUNTA_PRINTF(2, 3);

#ifdef __cplusplus
}
#endif

#endif
