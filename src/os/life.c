/* Pidfds, and the pipe that stands in where there are none.
 * Never waits without a bound of its caller's; never trusts a bare pid for longer than its caller vouches for it.
 * Next: os/fdpass.c, proc/watch.c. */
#include "os/life.h"
#include "os/rawsys.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

_Atomic bool yn_life_no_pidfds;

/* Not in the place of a standard stream that happens to be closed. */
YN_IN_CHILD static int lift(int fd)
{
    if (fd < 0 || fd > 2)
        return fd;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    int r = high >= 0 ? high : -errno;
    close(fd);
    return r;
}

YN_IN_CHILD int yn_life_open_pid(pid_t pid)
{
    return lift((int)yn_pidfd_open(pid));
}

YN_IN_CHILD int yn_life_open_self(yn_life *life)
{
    int fd = yn_life_open_pid(getpid());
    if (fd >= 0) {
        *life = (yn_life){.seen = fd, .kept = -1};
        return 0;
    }
    if (fd != -ENOSYS && fd != -EINVAL && fd != -EPERM)
        return fd;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    *life = (yn_life){.seen = lift(ends[0]), .kept = lift(ends[1])};
    if (life->seen >= 0 && life->kept >= 0)
        return 0;
    int some = life->seen >= 0 ? life->seen : life->kept, r = life->seen < 0 ? life->seen : life->kept;
    if (some >= 0)
        close(some);
    return r;
}

int yn_life_see_child(pid_t pid, int *seen)
{
    int fd = yn_life_open_pid(pid);
    *seen = fd >= 0 ? fd : -1;
    if (fd != -EMFILE && fd != -ENFILE && fd != -ENOMEM)
        return 0;
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return fd;
}

bool yn_life_has_ended(int seen, yn_deadline deadline)
{
    for (;;) {
        struct pollfd p = {.fd = seen, .events = POLLIN};
        int n = poll(&p, 1, yn_deadline_poll_ms(deadline));
        if (n > 0)
            return true;
        if (n == 0 && yn_deadline_left(deadline) == 0)
            return false;
        if (n < 0 && errno != EINTR)
            return false;
    }
}

int yn_life_signal(int seen, pid_t pid, int signal)
{
    long r = yn_pidfd_signal(seen, signal);
    if (r == -EBADF || r == -ENOSYS || r == -EINVAL) {
        if (signal < 0 || signal > SIGRTMAX)
            return -EINVAL;
        if (pid <= 0) /* not a process, but a group */
            return 0;
        struct pollfd p = {.fd = seen, .events = POLLIN};
        if (poll(&p, 1, 0) > 0)
            return 0;
        r = kill(pid, signal) == 0 ? 0 : -errno;
    }
    return r == -ESRCH ? 0 : (int)r;
}

/* The line of /proc/PID/stat behind the name, which may hold spaces and brackets itself: from its third field on. */
static const char *read_stat(pid_t pid, char *text, size_t size)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, size - 1) : -1;
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return NULL;
    text[n] = '\0';
    const char *p = strrchr(text, ')');
    return p && p[1] == ' ' ? p + 2 : NULL;
}

/* The number in one of its fields, of which the third is the first; 0 if there is none. */
static uint64_t field_of(const char *stat, int wanted)
{
    for (int field = 3; stat && field < wanted; field++) {
        stat = strchr(stat, ' ');
        stat = stat ? stat + 1 : NULL;
    }
    return stat ? strtoull(stat, NULL, 10) : 0;
}

static uint64_t began_in(const char *stat)
{
    return field_of(stat, 22) * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

uint64_t yn_life_threads(pid_t pid, uint64_t known_ns)
{
    char text[1024];
    const char *stat = read_stat(pid, text, sizeof text);
    if (!stat)
        return kill(pid, 0) != 0 && errno == ESRCH ? 0 : UINT64_MAX;
    if (began_in(stat) > known_ns + YN_LIFE_TICK_NS)
        return UINT64_MAX;
    bool has_memory = field_of(stat, 23) != 0;
    return has_memory ? field_of(stat, 20) : 0;
}

uint64_t yn_life_began_ns(pid_t pid)
{
    char text[1024];
    return began_in(read_stat(pid, text, sizeof text));
}

bool yn_life_zombie_status(pid_t pid, uint64_t known_ns, int *status)
{
    char text[1024];
    const char *stat = read_stat(pid, text, sizeof text), *last = stat ? strrchr(stat, ' ') : NULL;
    if (!last || *stat != 'Z' || began_in(stat) > known_ns + YN_LIFE_TICK_NS)
        return false;
    *status = atoi(last + 1);
    return *status != 0 || geteuid() == 0; /* it reads as 0 too for those who may not know it */
}
