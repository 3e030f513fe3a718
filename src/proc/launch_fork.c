/* Start method fork: the child sees the caller's memory as it is.
 * Never holds a lock of ours across the fork; never waits for a stream that another thread reads.
 * Next: proc/child.c, what the child does first. */
#include "os/life.h"
#include "proc/child.h"
#include "proc/launcher.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* What stands in the buffer now is the parent's to write. If another thread is writing there, it will: the child throws its copy away. */
static void flush_if_free(FILE *stream)
{
    if (ftrylockfile(stream) != 0)
        return;
    fflush(stream);
    funlockfile(stream);
}

static int start(yn_self *me, yn_launch *launch)
{
    (void)me;
    flush_if_free(stdout);
    flush_if_free(stderr);
    /* No handler of the parent may run in the child before dispositions are reset. */
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0) {
        struct yn_child_birth birth = {.streams = launch->has_streams ? launch->streams : NULL, .purge = true};
        yn_child_run(launch->record, &birth);
    }
    int error = pid < 0 ? -errno : 0;
    int seen = pid > 0 ? yn_life_open_pid(pid) : -1;
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return error;
    launch->pid = pid;
    launch->seen = seen;
    launch->mine = true;
    return 0;
}

const yn_launcher yn_launch_fork = {.version = YN_LAUNCHER_VERSION, .name = "fork", .start = start};
