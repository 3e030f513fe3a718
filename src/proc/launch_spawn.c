/* Start method spawn: a fresh exec of the same program, at a cost that does not grow with the caller.
 * Never copies the caller's memory: up to the exec the child borrows it, on a stack of its own, while the caller waits.
 * Next: proc/exec.c, proc/init.c (where the child goes on). */
#include "os/life.h"
#include "proc/child.h"
#include "proc/exec.h"
#include "proc/launcher.h"
#include "proc/team.h"
#include "shm/heap.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { stack_size = 64 << 10 };

typedef struct paper {
    yn_launch *launch;
    const yn_exec_block_shared *block;
    int error; /* written by the child, in the memory that it shares with us */
} paper;

static int before_exec(void *argument)
{
    paper *p = argument;
    yunta_process *record = p->launch->record;
    p->error = p->launch->has_streams ? yn_child_set_streams(p->launch->streams) : 0;
    if (p->error == 0)
        p->error = yn_team_announce(atomic_load(&record->who), &record->kept_descriptor, true);
    if (record->kept_descriptor >= 0)
        fcntl(record->kept_descriptor, F_SETFD, 0);
    if (p->error == 0) {
        atomic_fetch_or(&record->helped, YN_HELPED_ANNOUNCED); /* it need not be done again after the exec */
        p->error = yn_exec_now(p->block);
    }
    _exit(127);
}

static int start(yn_self *me, yn_launch *launch)
{
    int error;
    char *const *environment =
        launch->record->setup && launch->record->setup->has_environment ? launch->record->setup->environment : NULL;
    yn_exec_block_shared *block = yn_exec_prepare(me, launch->record, environment, &error);
    if (!block)
        return error;
    char *stack = mmap(NULL, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) {
        yn_heap_free(me, block);
        return -ENOMEM;
    }
    paper p = {.launch = launch, .block = block};
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = clone(before_exec, stack + stack_size, CLONE_VM | CLONE_VFORK | SIGCHLD, &p);
    error = pid < 0 ? -errno : p.error;
    if (pid > 0 && error != 0)
        waitpid(pid, NULL, 0); /* it came as far as _exit(127) */
    if (error == 0)
        error = yn_life_see_child(pid, &launch->seen);
    launch->pid = pid;
    launch->mine = true;
    sigprocmask(SIG_SETMASK, &before, NULL);
    munmap(stack, stack_size);
    yn_heap_free(me, block);
    return error;
}

const yn_launcher yn_launch_spawn = {
    .version = YN_LAUNCHER_VERSION, .name = "spawn", .by_name = true, .waits = true, .start = start};
