/* yunta_init, and what holds for the whole program.
 * Never returns in a process that was exec'ed to run an entry.
 * Next: proc/exec.c, proc/child.c. */
#include "proc/child.h"
#include "proc/exec.h"
#include "proc/team.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static _Atomic int default_method = YUNTA_FORK;

const char *yunta_version(void)
{
    return YUNTA_VERSION;
}

YN_IN_CHILD yunta_start_method yunta_get_start_method(void)
{
    return (yunta_start_method)atomic_load(&default_method);
}

int yunta_set_start_method(yunta_start_method method)
{
    if ((int)method < YUNTA_FORK || method > YUNTA_SPAWN)
        return -EINVAL;
    if (method != YUNTA_FORK && !yn_exec_is_possible())
        return YUNTA_ENOINIT;
    atomic_store(&default_method, (int)method);
    return 0;
}

const char *yunta_start_method_name(yunta_start_method method)
{
    static const char *const names[] = {"default", "fork", "forkserver", "spawn", "thread"};
    return (unsigned)method < YN_COUNT(names) ? names[method] : NULL;
}

/* This process was exec'ed for a record: finds the team, and runs it. */
__attribute__((noreturn)) static void run_as_child(const char *slip)
{
    yn_team_fds fds;
    uint64_t address;
    if (!yn_exec_read(slip, &fds, &address)) {
        fprintf(stderr, "yunta: %s is not meant to be given by hand\n", slip);
        _exit(125);
    }
    for (size_t i = 0; i < YN_COUNT(fds.all); i++)
        fcntl(fds.all[i], F_SETFD, FD_CLOEXEC);
    int r = yn_self_adopt_team(&fds);
    if (r == -EBADF) {
        fprintf(stderr, "yunta: no team of this version behind %s\n", slip);
        _exit(125);
    }
    if (r != 0)
        _exit(YN_EXEC_ADDRESS_TAKEN);
    yunta_process *record = (yunta_process *)(uintptr_t)address;
    if (record->kept_descriptor >= 0) {
        fcntl(record->kept_descriptor, F_SETFD, FD_CLOEXEC);
        yn_team_keep(record->kept_descriptor);
    }
    struct yn_child_birth birth = {0};
    yn_child_run(record, &birth);
}

int yunta_init(int argc, char **argv)
{
    if (argc < 0 || (argc > 0 && !argv))
        return -EINVAL;
    yn_exec_remember(argc > 0 ? argv[0] : NULL);
    if (argc == 2 && argv[1] && strncmp(argv[1], YN_EXEC_MARK, sizeof YN_EXEC_MARK - 1) == 0)
        run_as_child(argv[1]);
    return 0;
}
