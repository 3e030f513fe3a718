/* Start method fork: the child sees the caller's memory as it is.
 * Never holds a lock of ours across the fork. What the parent has not flushed, the child throws away.
 * Next: proc/child.c, what the child does first. */
#include "os/life.h"
#include "proc/child.h"
#include "proc/launcher.h"

#include <signal.h>
#include <unistd.h>

static int start(yn_self *me, yn_launch *launch)
{
    (void)me;
    /* No handler of the parent may run in the child before dispositions are reset. */
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0) {
        struct yn_child_birth birth = {.streams = launch->has_streams ? launch->streams : NULL, .purge = true};
        yn_child_run(launch->record, &birth);
    }
    int error = pid < 0 ? -errno : yn_life_see_child(pid, &launch->seen);
    sigprocmask(SIG_SETMASK, &before, NULL);
    launch->pid = pid;
    launch->mine = true;
    return error;
}

const yn_launcher yn_launch_fork = {.version = YN_LAUNCHER_VERSION, .name = "fork", .start = start};
