/* A descriptor by which others see that a process lives, and a way to signal exactly that process.
 *
 * Where the kernel has pidfds it is one, and `kept` is -1. Elsewhere (some emulators) it is the read end of a pipe
 * whose write end, `kept`, only that process holds. Either polls readable or hung up once the process has ended. */
#ifndef YN_LIFE_H
#define YN_LIFE_H

#include "base/base.h"
#include "os/rawsys.h"

#include <sys/types.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

/* Asked once: Valgrind complains of each call that it does not know. */
extern _Atomic bool yn_life_no_pidfds;

static inline long yn_pidfd_open(pid_t pid)
{
    if (atomic_load_explicit(&yn_life_no_pidfds, memory_order_relaxed))
        return -ENOSYS;
    long r = yn_raw2(SYS_pidfd_open, pid, 0);
    if (r == -ENOSYS)
        atomic_store_explicit(&yn_life_no_pidfds, true, memory_order_relaxed);
    return r;
}

static inline long yn_pidfd_signal(int fd, int signal)
{
    return atomic_load_explicit(&yn_life_no_pidfds, memory_order_relaxed)
               ? -ENOSYS
               : yn_raw4(SYS_pidfd_send_signal, fd, signal, 0, 0);
}

typedef struct yn_life {
    int seen; /* to be polled by others */
    int kept; /* to be held by the process itself until its end, or -1 */
} yn_life;

/* Of the calling process. 0 or -errno. */
int yn_life_open_self(yn_life *life);

/* Of another process, by its pid: exact only while the caller knows that the pid is not reaped. The descriptor, or
 * -errno (-ENOSYS without pidfds). */
int yn_life_open_pid(pid_t pid);

/* Of a child that was just made and is not yet reaped: its descriptor, or -1 where there are no pidfds. If there is
 * none left to be had, the child is killed and reaped. 0 or -errno. */
int yn_life_see_child(pid_t pid, int *seen);

/* How a process ended that its parent has not reaped yet, as wait would say it: false if there is no such zombie, the
 * pid is not its any more (it was alive at `known_ns`, boot time), or it may not be read. */
bool yn_life_zombie_status(pid_t pid, uint64_t known_ns, int *status);

/* How many threads a process has, which was alive at `known_ns` (boot time); 0: it has ended, or is on its last steps;
 * UINT64_MAX: that cannot be told. */
uint64_t yn_life_threads(pid_t pid, uint64_t known_ns);

/* Whether the process behind `seen` has ended, waiting until the deadline for it. */
bool yn_life_has_ended(int seen, yn_deadline deadline);

/* Sends a signal to the process behind `seen`, or, where that is a pipe, to `pid`. 0 or -errno; 0 if it has ended. */
int yn_life_signal(int seen, pid_t pid, int signal);

/* The kernel tells beginnings to a hundredth of a second; twice that is surely later. */
#define YN_LIFE_TICK_NS UINT64_C(20000000)

/* Boot time in ns, and when a process began in the same clock (0 if it is gone): tells a pid's old owner from its new
 * one. */
static inline uint64_t yn_boot_ns(void)
{
    struct timespec t = {
        0}; /* the kernel is asked: for one call in a process, paging in libc's and its clock costs more */
    yn_raw2(SYS_clock_gettime, CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
uint64_t yn_life_began_ns(pid_t pid);

#endif
