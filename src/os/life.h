/* A descriptor by which others see that a process lives, and a way to signal exactly that process.
 *
 * Where the kernel has pidfds it is one, and `kept` is -1. Elsewhere (some emulators) it is the read end of a pipe whose write
 * end, `kept`, only that process holds. Either polls readable or hung up once the process has ended. */
#ifndef YN_LIFE_H
#define YN_LIFE_H

#include "base/base.h"

#include <sys/types.h>

typedef struct yn_life {
    int seen; /* to be polled by others */
    int kept; /* to be held by the process itself until its end, or -1 */
} yn_life;

/* Of the calling process. 0 or -errno. */
int yn_life_open_self(yn_life *life);

/* Of another process, by its pid: exact only while the caller knows that the pid is not reaped. The descriptor, or -errno
 * (-ENOSYS without pidfds). */
int yn_life_open_pid(pid_t pid);

/* Whether the process behind `seen` has ended, waiting until the deadline for it. */
bool yn_life_has_ended(int seen, yn_deadline deadline);

/* Sends a signal to the process behind `seen`, or, where that is a pipe, to `pid`. 0 or -errno; 0 if it has ended. */
int yn_life_signal(int seen, pid_t pid, int signal);

/* Boot time in ns, and when a process began in the same clock (0 if it is gone): tells a pid's old owner from its new one. */
uint64_t yn_boot_ns(void);
uint64_t yn_life_began_ns(pid_t pid);

#endif
