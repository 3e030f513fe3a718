/* From birth to entry, in the new process.
 * Never allocates and never takes a lock before the entry runs: the parent may have had threads. What fails is told in the record.
 * Next: proc/exit.c (its end), proc/launch_fork.c (how it got here). */
#include "proc/child.h"
#include "os/life.h"
#include "os/rawsys.h"
#include "os/text.h"
#include "proc/exit.h"
#include "proc/team.h"
#include "shm/heap.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

int yn_child_set_streams(const int streams[3])
{
    int moved[3] = {-1, -1, -1};
    int r = 0;
    for (int i = 0; i < 3 && r == 0; i++) {
        if (streams[i] == YN_STREAM_NULL) {
            int null = open("/dev/null", O_RDWR | O_CLOEXEC);
            moved[i] = null >= 0 ? fcntl(null, F_DUPFD_CLOEXEC, 3) : -1;
            r = moved[i] >= 0 ? 0 : -errno;
            if (null >= 0)
                close(null);
        } else if (streams[i] >= 0) {
            moved[i] = fcntl(streams[i], F_DUPFD_CLOEXEC, 3); /* out of the way of the other two */
            r = moved[i] >= 0 ? 0 : -errno;
        }
    }
    for (int i = 0; i < 3; i++) {
        if (moved[i] < 0)
            continue;
        if (r == 0 && dup2(moved[i], i) < 0)
            r = -errno;
        close(moved[i]);
    }
    return r;
}

static void reset_signals(const yn_child_setup *setup)
{
    if (setup && setup->inherit_signals) {
        yn_raw4(SYS_rt_sigprocmask, SIG_SETMASK, &setup->signal_mask, NULL, sizeof setup->signal_mask);
        return;
    }
    /* As the kernel has it: sixty calls of libc's would cost a tenth of the fork. Setting costs no more than asking. */
    static const uint64_t by_default[4];
    for (int s = 1; s <= 64; s++)
        yn_raw4(SYS_rt_sigaction, s, by_default, NULL, 8);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int set_processors(const yn_child_setup *s)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (uint32_t i = 0; i < s->processor_count; i++) {
        if (s->processors[i] < 0 || s->processors[i] >= CPU_SETSIZE)
            return -EINVAL;
        CPU_SET((size_t)s->processors[i], &set);
    }
    return sched_setaffinity(0, sizeof set, &set) == 0 ? 0 : -errno;
}

static int set_limits(const yn_child_setup *s)
{
    for (uint32_t i = 0; i < s->limit_count; i++) {
        struct rlimit limit = {.rlim_cur = s->limits[i].soft, .rlim_max = s->limits[i].hard};
        if (yn_raw4(SYS_prlimit64, 0, s->limits[i].resource, &limit, NULL) != 0)
            return -EINVAL;
    }
    return 0;
}

static int set_identity(const yn_child_setup *s)
{
    if (s->has_group) {
        if (setgroups(0, NULL) != 0 && errno != EPERM)
            return -errno;
        if (setresgid(s->group, s->group, s->group) != 0)
            return -errno;
    }
    if (s->has_user && setresuid(s->user, s->user, s->user) != 0)
        return -errno;
    return 0;
}

static int apply(const yn_child_setup *s)
{
    int r = 0;
    if (s->has_mask)
        umask(s->mask);
    if (s->new_group || s->process_group > 0)
        r = setpgid(0, s->process_group) == 0 ? 0 : -errno;
    if (r == 0)
        r = set_limits(s);
    if (r == 0 && s->processor_count > 0)
        r = set_processors(s);
    if (r == 0 && s->directory)
        r = chdir(s->directory) == 0 ? 0 : -errno;
    if (r == 0)
        r = set_identity(s);
    if (s->has_environment)
        environ = (char **)(uintptr_t)s->environment;
    return r;
}

__attribute__((noreturn)) static void give_up(yunta_process *record, int error)
{
    atomic_store(&record->start_error, error);
    yn_record_set_state(record, YN_PROCESS_FAILED);
    _exit(127);
}

void yn_child_run(yunta_process *record, const struct yn_child_birth *birth)
{
    yn_claim who = atomic_load(&record->who);
    int kept, r = birth->announced ? 0 : yn_team_announce(who, &kept);
    if (r != 0)
        give_up(record, r); /* not alive as far as anybody knows: its starter buries it */
    yn_self *me = yn_self_become(who);
    atomic_store(&record->pid, getpid());
    atomic_store(&record->began_ns, yn_boot_ns());
    atomic_store(&me->slot->record, record);
    if (!yn_slot_go_live(&me->arena->slots, who))
        _exit(127); /* its starter died meanwhile, and the slot was taken back */
    yn_claim parent = atomic_load(&me->slot->parent);
    if (parent != 0 && !yn_claim_is_alive(&me->arena->slots, parent))
        _exit(127); /* its starter died before the watch could know of us */
    /* Nothing is written that need not be: each page written is a fault and a copy. */
    if (yn_fail_text()[0] != '\0')
        yn_fail_text()[0] = '\0';
    if (birth->purge && __fpending(stdout) > 0)
        __fpurge(stdout);
    if (birth->purge && __fpending(stderr) > 0)
        __fpurge(stderr);
    if (birth->streams)
        r = yn_child_set_streams(birth->streams);
    prctl(PR_SET_NAME, record->name);
    if (yunta_get_start_method() != record->method)
        yunta_set_start_method(record->method);
    if (r == 0 && record->setup)
        r = apply(record->setup);
    void (*found)(void) = NULL;
    if (r == 0 && record->function) {
        r = yn_image_resolve(record->function, &found);
        record->call = (int (*)(const void *))found;
    }
    if (r != 0)
        give_up(record, r);
    reset_signals(record->setup);
    yn_exit_arm();
    yn_record_set_state(record, YN_PROCESS_STANDS);
    yn_exit_return(record, record->call(record->argument));
}

/* Copies into the block being filled, or only counts while there is none. */
static void *place(char *block, size_t *size, const void *from, size_t bytes)
{
    void *to = block ? block + *size : NULL;
    if (to && bytes)
        memcpy(to, from, bytes);
    *size += yn_round_up(bytes, 16);
    return to;
}

static size_t fill(char *block, const yunta_process_options *o, bool keep_mask, mode_t mask)
{
    yn_child_setup *s = (void *)block;
    yn_child_setup head = {.inherit_signals = o->inherit_signals, .new_group = o->process_group == YUNTA_NEW_GROUP,
                           .has_user = o->user != NULL, .has_group = o->group != NULL,
                           .has_environment = o->environment != NULL, .has_mask = keep_mask, .mask = mask,
                           .limit_count = (uint32_t)o->limit_count, .processor_count = (uint32_t)o->processor_count,
                           .process_group = o->process_group > 0 ? o->process_group : 0,
                           .user = o->user ? *o->user : 0, .group = o->group ? *o->group : 0};
    size_t size = 0, count = 0;
    place(block, &size, &head, sizeof head);
    const char *directory = o->directory ? place(block, &size, o->directory, strlen(o->directory) + 1) : NULL;
    const int *processors = place(block, &size, o->processors, o->processor_count * sizeof *processors);
    const yunta_resource_limit *limits = place(block, &size, o->limits, o->limit_count * sizeof *limits);
    while (o->environment && o->environment[count])
        count++;
    char **list = place(block, &size, o->environment, (count + 1) * sizeof(char *) * (o->environment != NULL));
    for (size_t i = 0; i < count; i++) {
        char *text = place(block, &size, o->environment[i], strlen(o->environment[i]) + 1);
        if (list)
            list[i] = text;
    }
    if (s) {
        yn_raw4(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &s->signal_mask, sizeof s->signal_mask);
        s->directory = directory;
        s->processors = processors;
        s->limits = limits;
        s->environment = list;
    }
    return size;
}

/* umask itself can only be read by changing it, which other threads would see. */
static mode_t current_mask(void)
{
    uint64_t digits = yn_text_number("/proc/self/status", "Umask:");
    if (digits > 7777)
        return 022;
    return (mode_t)((digits / 1000 % 10) << 9 | (digits / 100 % 10) << 6 | (digits / 10 % 10) << 3 | digits % 10);
}

yn_child_setup *yn_child_flatten(yn_self *me, const yunta_process_options *o, bool keep_mask, int *error)
{
    *error = 0;
    bool wanted = keep_mask || o->inherit_signals || o->directory || o->environment || o->process_group || o->user ||
                  o->group || o->processor_count || o->limit_count;
    if (!wanted)
        return NULL;
    mode_t mask = keep_mask ? current_mask() : 0;
    char *block = yn_heap_alloc(me, fill(NULL, o, keep_mask, mask), 16);
    if (!block)
        *error = -ENOMEM;
    else
        fill(block, o, keep_mask, mask);
    return (yn_child_setup *)(void *)block;
}
