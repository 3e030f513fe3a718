/* From birth to entry, in the new process.
 * Never allocates and never takes a lock before the entry runs: the parent may have had threads. What fails is told in
 * the record. Next: proc/exit.c (its end), proc/launch_fork.c (how it got here). */
#include "proc/child.h"
#include "os/life.h"
#include "os/rawsys.h"
#include "os/stream.h"
#include "os/text.h"
#include "os/threads.h"
#include "proc/exit.h"
#include "proc/signals.h"
#include "proc/team.h"
#include "shm/heap.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/mman.h>
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

/* Under fork the caller's memory is ours, so that even its handlers can be inherited. */
static void reset_signals(const yunta_process *record)
{
    const yn_child_setup_shared *setup = record->setup;
    uint64_t none = 0;
    bool inherit = setup && setup->inherit_signals;
    bool known = atomic_load(&record->helped) & YN_HELPED_SIGNALS;
    if (!inherit)
        yn_signals_set(known ? record->changed_signals : YN_SIGNALS_ALL, 0);
    else if (record->function)
        yn_signals_set(YN_SIGNALS_ALL, setup->ignored);
    yn_raw4(SYS_rt_sigprocmask, SIG_SETMASK, inherit ? &setup->signal_mask : &none, NULL, sizeof none);
}

static int set_processors(const yn_child_setup_shared *s)
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

static int set_limits(const yn_child_setup_shared *s)
{
    for (uint32_t i = 0; i < s->limit_count; i++) {
        struct rlimit limit = {.rlim_cur = s->limits[i].soft, .rlim_max = s->limits[i].hard};
        long r = yn_raw4(SYS_prlimit64, 0, s->limits[i].resource, &limit, NULL);
        if (r != 0)
            return (int)r;
    }
    return 0;
}

/* The starter may have changed its credentials since the server came to be that we are forked from. */
static int take_identity(const yn_child_setup_shared *s)
{
    uid_t u[3];
    gid_t g[3];
    yn_raw3(SYS_getresuid, &u[0], &u[1], &u[2]);
    yn_raw3(SYS_getresgid, &g[0], &g[1], &g[2]);
    if (memcmp(u, s->users, sizeof u) == 0 && memcmp(g, s->groups, sizeof g) == 0)
        return 0;
    bool done = (setgroups(s->supplementary_count, s->supplementary) == 0 || errno == EPERM) &&
                setresgid(s->groups[0], s->groups[1], s->groups[2]) == 0 &&
                setresuid(s->users[0], s->users[1], s->users[2]) == 0;
    return done ? 0 : -errno;
}

static int set_identity(const yn_child_setup_shared *s)
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

/* A copy in memory of our own: what we leave behind may outlive our record. */
static int set_environment(const yn_child_setup_shared *s)
{
    char *block = mmap(NULL, s->environment_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
        return -errno;
    size_t count = 0;
    while (s->environment[count])
        count++;
    char **list = (char **)(void *)block, *at = (char *)(list + count + 1);
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(s->environment[i]) + 1;
        list[i] = memcpy(at, s->environment[i], size);
        at += size;
    }
    environ = list;
    return 0;
}

static int apply(const yn_child_setup_shared *s, uint32_t helped)
{
    int r = 0;
    if (s->carried) {
        yn_raw1(SYS_umask, s->mask);
        r = take_identity(s);
    }
    if (r == 0 && (s->new_group || s->process_group > 0))
        r = setpgid(0, s->process_group) == 0 ? 0 : -errno;
    if (r == 0)
        r = set_limits(s);
    if (r == 0 && s->processor_count > 0)
        r = set_processors(s);
    if (r == 0 && s->directory)
        r = chdir(s->directory) == 0 ? 0 : -errno;
    if (r == 0)
        r = set_identity(s);
    if (r == 0 && s->has_environment && !(helped & YN_HELPED_ENVIRONMENT))
        r = set_environment(s);
    return r;
}

__attribute__((noreturn)) static void give_up(yunta_process *record, int error)
{
    atomic_store(&record->start_error, error);
    yn_record_set_state(record, YN_PROCESS_FAILED);
    _exit(127);
}

static int find_call(yunta_process *record)
{
    void (*found)(void) = NULL;
    if (!record->function || atomic_load(&record->helped) & YN_HELPED_FUNCTION)
        return 0;
    int r = yn_image_resolve(record->function, &found);
    record->call = (int (*)(const void *))found;
    return r;
}

YN_IN_CHILD void yn_child_run(yunta_process *record, const struct yn_child_birth *birth)
{
    bool announced = atomic_fetch_or(&record->helped, 0) & YN_HELPED_ANNOUNCED; /* no mere load: see yn_arena_touch */
    yn_claim who = atomic_load(&record->who);
    int kept, r = announced ? 0 : yn_team_announce(who, &kept, false);
    if (r != 0)
        give_up(record, r); /* not alive as far as anybody knows: its starter buries it */
    yn_self *me = yn_self_become(who);
    if (birth->watch_seen) {
        atomic_store(&yn_private_page->watch_seen, birth->watch_seen);
        atomic_store(&yn_private_page->watch_generation, birth->watch_generation);
    }
    if (!me)
        _exit(127); /* the slot was taken back, and has another tenant already */
    atomic_store(&record->pid, (int32_t)yn_slot_pid(me->slot, who));
    atomic_store(&record->began_ns, atomic_load(&me->slot->joined_ns));
    if (!yn_slot_go_live(&me->arena->slots, who))
        _exit(127); /* its starter died meanwhile, and the slot was taken back */
    yn_claim parent = atomic_load(&me->slot->parent);
    if (parent != 0 && !yn_claim_is_alive(&me->arena->slots, parent))
        _exit(127); /* its starter died before the watch could know of us */
    /* Nothing is written that need not be: each page written is a fault and a copy. */
    if (yn_fail_text()[0] != '\0')
        yn_fail_text()[0] = '\0';
    if (birth->purge && yn_stream_is_pending(stdout))
        __fpurge(stdout);
    if (birth->purge && yn_stream_is_pending(stderr))
        __fpurge(stderr);
    if (birth->streams)
        r = yn_child_set_streams(birth->streams);
    yn_raw5(SYS_prctl, PR_SET_NAME, record->name, 0, 0, 0);
    if (yunta_get_start_method() != record->method)
        yunta_set_start_method(record->method);
    if (r == 0 && record->setup)
        r = apply(record->setup, atomic_load(&record->helped));
    if (r == 0)
        r = find_call(record);
    if (r != 0)
        give_up(record, r);
    reset_signals(record);
    if (atomic_load(&record->helped) & YN_HELPED_EXIT)
        yn_exit_stay_armed();
    else
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

/* umask itself can only be read by changing it, which other threads would see, and handlers of signals. */
static mode_t current_mask(void)
{
    if (yn_is_single_threaded()) {
        sigset_t all, before;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, &before);
        mode_t mask = umask(077);
        umask(mask);
        sigprocmask(SIG_SETMASK, &before, NULL);
        return mask;
    }
    uint64_t digits = yn_text_number("/proc/self/status", "Umask:");
    if (digits > 7777)
        return 022;
    return (mode_t)((digits / 1000 % 10) << 9 | (digits / 100 % 10) << 6 | (digits / 10 % 10) << 3 | digits % 10);
}

/* What a child that is not forked by the starter itself would else have of the server's. */
static void carry(yn_child_setup_shared *head)
{
    head->carried = true;
    head->mask = current_mask();
    getresuid(&head->users[0], &head->users[1], &head->users[2]);
    getresgid(&head->groups[0], &head->groups[1], &head->groups[2]);
}

static void look_at_signals(yn_child_setup_shared *head)
{
    yn_raw4(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &head->signal_mask, sizeof head->signal_mask);
    head->ignored = yn_signals_ignored();
}

/* Writes the whole setup into the block, or only counts its bytes while there is none. */
static size_t fill(char *block, yn_child_setup_shared head, const yunta_process_options *o, const gid_t *supplementary)
{
    yn_child_setup_shared *s = (void *)block;
    size_t size = 0, count = 0;
    place(block, &size, &head, sizeof head);
    const char *directory = o->directory ? place(block, &size, o->directory, strlen(o->directory) + 1) : NULL;
    const int *processors = place(block, &size, o->processors, o->processor_count * sizeof *processors);
    const yunta_resource_limit *limits = place(block, &size, o->limits, o->limit_count * sizeof *limits);
    supplementary = place(block, &size, supplementary, head.supplementary_count * sizeof *supplementary);
    while (o->environment && o->environment[count])
        count++;
    char **list = place(block, &size, o->environment, (count + 1) * sizeof(char *) * (o->environment != NULL));
    size_t bytes = (count + 1) * sizeof(char *);
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(o->environment[i]) + 1;
        char *text = place(block, &size, o->environment[i], length);
        bytes += length;
        if (list)
            list[i] = text;
    }
    if (s) {
        s->directory = directory;
        s->processors = processors;
        s->limits = limits;
        s->supplementary = supplementary;
        s->environment = list;
        s->environment_bytes = bytes;
    }
    return size;
}

static yn_child_setup_shared head_of(const yunta_process_options *o)
{
    return (yn_child_setup_shared){.inherit_signals = o->inherit_signals,
                                   .new_group = o->process_group == YUNTA_NEW_GROUP,
                                   .has_user = o->user != NULL,
                                   .has_group = o->group != NULL,
                                   .has_environment = o->environment != NULL,
                                   .limit_count = (uint32_t)o->limit_count,
                                   .processor_count = (uint32_t)o->processor_count,
                                   .process_group = o->process_group > 0 ? o->process_group : 0,
                                   .user = o->user ? *o->user : 0,
                                   .group = o->group ? *o->group : 0};
}

yn_child_setup_shared *yn_child_flatten(yn_self *me, const yunta_process_options *o, bool carried, int *error)
{
    *error = 0;
    bool wanted = carried || o->inherit_signals || o->directory || o->environment || o->process_group || o->user ||
                  o->group || o->processor_count || o->limit_count;
    if (!wanted)
        return NULL;
    yn_child_setup_shared head = head_of(o);
    int supplementary = carried ? getgroups(0, NULL) : 0;
    gid_t *groups = supplementary > 0 ? malloc((size_t)supplementary * sizeof *groups) : NULL;
    if (carried)
        carry(&head);
    if (o->inherit_signals)
        look_at_signals(&head);
    supplementary = groups ? getgroups(supplementary, groups) : 0;
    head.supplementary_count = supplementary > 0 ? (uint32_t)supplementary : 0;
    char *block = yn_heap_alloc(me, fill(NULL, head, o, groups), 16);
    if (block)
        fill(block, head, o, groups);
    else
        *error = -ENOMEM;
    free(groups);
    return (yn_child_setup_shared *)(void *)block;
}
