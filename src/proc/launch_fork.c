/* Start method fork: the child sees the caller's memory as it is.
 * Never holds a lock of ours across the fork. What the parent has not flushed, the child throws away.
 * Next: proc/child.c, what the child does first. */
#include "os/life.h"
#include "os/rawsys.h"
#include "os/threads.h"
#include "proc/child.h"
#include "proc/launcher.h"
#include "proc/signals.h"
#include "proc/team.h"

#include <signal.h>
#include <unistd.h>

/* While the child is coming up, on another processor perhaps: what it would do itself, did it come to it first. */
static void help(yn_self *me, const yn_launch *launch)
{
    yunta_process *record = launch->record;
    if (launch->seen >= 0 && yn_team_announce_child(me, atomic_load(&record->who), launch->pid, launch->seen))
        atomic_fetch_or(&record->helped, YN_HELPED_ANNOUNCED);
    /* Another thread might have changed dispositions since the fork. */
    if (yn_is_single_threaded() && !(atomic_load(&record->helped) & YN_HELPED_SIGNALS)) {
        record->changed_signals = yn_signals_changed();
        atomic_fetch_or(&record->helped, YN_HELPED_SIGNALS);
    }
}

YN_IN_CHILD static int start(yn_self *me, yn_launch *launch)
{
    /* No handler of the parent may run in the child before dispositions are reset. */
    uint64_t all = UINT64_MAX, before;
    yn_raw4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
    struct yn_child_birth birth = {.streams = launch->has_streams ? launch->streams : NULL, .purge = true};
    if (yn_is_single_threaded()) { /* another thread might just be closing it */
        birth.watch_generation = atomic_load(&yn_private_page->watch_generation);
        birth.watch_seen = atomic_load(&yn_private_page->watch_seen);
    }
    pid_t pid = fork();
    if (pid == 0)
        yn_child_run(launch->record, &birth);
    int error = pid < 0 ? -errno : yn_life_see_child(pid, &launch->seen);
    launch->pid = pid;
    launch->mine = true;
    if (error == 0)
        help(me, launch);
    yn_raw4(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
    return error;
}

const yn_launcher yn_launch_fork = {.version = YN_LAUNCHER_VERSION, .name = "fork", .start = start};
