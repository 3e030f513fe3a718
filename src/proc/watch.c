/* The watch's loop: births lie in the socket until a death, or a poke, makes it read; deaths come over the life
 * descriptors. Never calls malloc, stdio, or anything else that takes a lock of libc: it is a raw clone of a program
 * that may have threads. Never repairs what the dead held: it declares, counts, nudges; whoever meets the rest repairs
 * it. Next: proc/watch_shed.c, sync/wait.c. */
#include "proc/watch.h"
#include "os/doorbell.h"
#include "os/filelock.h"
#include "os/life.h"
#include "os/rawsys.h"
#include "os/tool.h"
#include "proc/exec.h"
#include "proc/team.h"
#include "sync/wait.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

typedef struct watch {
    yn_arena_shared *arena;
    yn_team_fds fds;
    uint64_t descriptors; /* the soft limit that the program has; ours is raised */
    bool bereaved;        /* somebody has died since we last looked who is left */
    uint32_t woken;       /* by the last deaths */
    bool blind;           /* the kernel had no memory to wait on somebody: to be tried again */
    const yn_claim *dead; /* who is being buried, so many */
    int dead_count;
} watch;

static void bury(watch *w, const yn_claim *dead, int count);

static yn_slot_shared *slot_of(watch *w, yn_claim claim)
{
    return yn_slot_at(&w->arena->slots, yn_claim_slot(claim));
}

/* Our descriptor for it, or -1. Tagged: the end of one that came too late for its slot is not the next tenant's. */
static int descriptor_of(watch *w, yn_claim claim)
{
    return (int)yn_slot_untag(atomic_load(&slot_of(w, claim)->watch_fd), claim) - 1;
}

static void kill_member(watch *w, yn_claim claim)
{
    int fd = descriptor_of(w, claim);
    pid_t pid = yn_slot_pid(slot_of(w, claim), claim);
    if (fd < 0)
        return;
    /* Where the descriptor is a pipe: the process lives as long as it is not hung up, so its pid is its own. */
    if (yn_pidfd_signal(fd, SIGKILL) < 0 && pid > 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        struct timespec none = {0, 0};
        if (yn_raw5(SYS_ppoll, &p, 1, &none, NULL, 0) == 0)
            yn_raw2(SYS_kill, pid, SIGKILL);
    }
}

static void wait_on(watch *w, yn_claim claim, int fd)
{
    struct epoll_event event = {.events = YN_NEWS_OF_DEATH, .data.u64 = claim};
    long r = yn_raw4(SYS_epoll_ctl, w->fds.epoll, EPOLL_CTL_ADD, fd, &event);
    if (r == -EEXIST) /* left by the last watch, perhaps used up */
        r = yn_raw4(SYS_epoll_ctl, w->fds.epoll, EPOLL_CTL_MOD, fd, &event);
    w->blind |= r == -ENOMEM || r == -ENOSPC;
}

/* A process whose death is not told us would be taken for alive for ever. */
static void look_again(watch *w)
{
    yn_slot_table_shared *table = &w->arena->slots;
    uint32_t used = atomic_load(&table->used);
    w->blind = false;
    for (uint32_t i = 0; i < used; i++) {
        yn_claim claim = yn_claim_make(i, atomic_load(&yn_slot_below_used(table, i)->word) >> 24);
        int fd = descriptor_of(w, claim);
        if (fd >= 0)
            wait_on(w, claim, fd);
    }
}

static void watch_over(watch *w, yn_claim claim, int fd)
{
    yn_slot_shared *slot = slot_of(w, claim);
    int old = (int)(uint32_t)atomic_exchange(&slot->watch_fd, yn_slot_tag(claim, (uint32_t)fd + 1)) - 1;
    if (old >= 0)
        yn_raw1(SYS_close, old);
    wait_on(w, claim, fd);
}

/* Whether its death is still to come, for us: who waited for it may have declared it dead before we hear of it. */
static bool is_to_be_watched(watch *w, yn_claim claim)
{
    uint64_t word = atomic_load(&slot_of(w, claim)->word);
    for (int i = 0; i < w->dead_count; i++)
        if (w->dead[i] == claim)
            return false;
    return word >> 24 == claim >> 24 && yn_slot_state_of(word) != YN_SLOT_FREE;
}

static void born(watch *w, const yn_news *news, int fd)
{
    yn_slot_shared *slot = slot_of(w, news->claim);
    if (!slot || !is_to_be_watched(w, news->claim)) {
        /* It is buried, or its slot was taken from it while it was being started: its starter is dead. */
        yn_pidfd_signal(fd, SIGKILL);
        yn_raw1(SYS_close, fd);
        return;
    }
    yn_slot_set_pid(slot, news->claim, news->pid);
    watch_over(w, news->claim, fd);
    yn_claim parent = atomic_load(&slot->parent);
    if (parent != 0 && !yn_claim_is_alive(&w->arena->slots, parent))
        kill_member(w, news->claim);
}

/* The forkserver becomes a child of the watch, so that no wait of the program sees it; and dies with it. */
static void exec_server(watch *w, const yn_news *news)
{
    if (!yn_claim_is_alive(&w->arena->slots, news->claim))
        return; /* given up meanwhile */
    long self = yn_raw0(SYS_getpid), pid = yn_raw5(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        struct rlimit limit;
        yn_raw5(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        yn_raw4(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
        limit.rlim_cur = w->descriptors;
        yn_raw4(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL);
        if (yn_raw0(SYS_getppid) == self)
            yn_exec_now(news->block);
        for (;;)
            yn_raw1(SYS_exit_group, 127);
    }
    int fd = pid > 0 ? (int)yn_pidfd_open((pid_t)pid) : -1;
    if (fd >= 0) {
        atomic_store(&slot_of(w, news->claim)->parent, 0); /* who asked for it may die: it is everybody's */
        yn_slot_set_pid(slot_of(w, news->claim), news->claim, (int32_t)pid);
        watch_over(w, news->claim, fd);
    } else if (pid < 0) {
        bury(w, &news->claim, 1);
    }
}

static void ring(uint64_t number)
{
    int from = -1;
    yn_doorbell_ring(&from, number);
    yn_doorbell_close(from);
}

/* One message of the socket, if there is one. */
static bool hear(watch *w)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    yn_news news;
    struct iovec data = {.iov_base = &news, .iov_len = sizeof news};
    struct msghdr header = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control};
    long n = yn_raw3(SYS_recvmsg, w->fds.news[1], &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n == -EINTR)
        return true;
    if (n != (long)sizeof news)
        return false;
    int fd = -1;
    struct cmsghdr *c = header.msg_controllen >= sizeof *c ? &control.align : NULL;
    if (c && c->cmsg_type == SCM_RIGHTS)
        __builtin_memcpy(&fd, CMSG_DATA(c), sizeof fd);
    if (news.kind == YN_NEWS_BORN && fd >= 0)
        born(w, &news, fd);
    else if (news.kind == YN_NEWS_EXEC)
        exec_server(w, &news);
    else if (news.kind == YN_NEWS_RING)
        ring(news.claim);
    return true;
}

/* All that a dead process had started goes too. One that has a slot but has not been heard of, after the socket is
 * empty, does not exist, or will find its slot gone. */
static void end_children_of(watch *w, yn_claim parent)
{
    yn_slot_table_shared *table = &w->arena->slots;
    uint32_t used = atomic_load(&table->used);
    for (uint32_t i = 0; i < used; i++) {
        yn_slot_shared *slot = yn_slot_below_used(table, i);
        uint64_t word = atomic_load(&slot->word);
        yn_slot_state state = yn_slot_state_of(word);
        if (atomic_load(&slot->parent) != parent || state == YN_SLOT_FREE || state == YN_SLOT_TAKEN ||
            state == YN_SLOT_GUESTS)
            continue;
        yn_claim claim = yn_claim_make(i, word >> 24);
        if (descriptor_of(w, claim) >= 0) {
            kill_member(w, claim);
        } else if (state == YN_SLOT_STARTING && yn_slot_declare_dead(table, claim)) {
            atomic_fetch_add(&w->arena->deaths, 1);
            yn_wait_nudge_all(w->arena);
            yn_slot_free(table, claim);
        }
    }
    yn_slot_free_taken(table, parent);
}

/* "pid (name) S …": when it began, in ns since boot, from the 22nd field; 0 if it cannot be read. */
static uint64_t began_ns(pid_t pid)
{
    char path[32] = "/proc/", text[512];
    char digits[12];
    int n = 0, at = 6, field = 2;
    for (pid_t p = pid; p > 0; p /= 10)
        digits[n++] = (char)('0' + p % 10);
    while (n > 0)
        path[at++] = digits[--n];
    __builtin_memcpy(path + at, "/stat", 6);
    int fd = (int)yn_raw4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    long got = fd >= 0 ? yn_raw3(SYS_read, fd, text, sizeof text - 1) : 0;
    if (fd >= 0)
        yn_raw1(SYS_close, fd);
    long i = got - 1;
    uint64_t ticks = 0;
    while (i > 0 && text[i] != ')')
        i--;
    for (; i > 0 && i < got && field < 22; i++)
        field += text[i] == ' ';
    for (; i > 0 && i < got && text[i] >= '0' && text[i] <= '9'; i++)
        ticks = ticks * 10 + (uint64_t)(text[i] - '0');
    return ticks * 10000000u; /* USER_HZ is 100 on both machines */
}

/* A member that the last watch may have had, by its pid; the slot is as `word` says. */
static void find_member(watch *w, yn_slot_shared *slot, yn_claim claim, yn_slot_state state)
{
    pid_t pid = yn_slot_pid(slot, claim);
    int fd = pid > 0 ? (int)yn_pidfd_open(pid) : -ENOSYS;
    if (fd >= 0 && state == YN_SLOT_LIVE && began_ns(pid) > atomic_load(&slot->joined_ns) + YN_LIFE_TICK_NS) {
        yn_raw1(SYS_close, fd); /* the pid belongs to somebody else by now */
        fd = -ESRCH;
    }
    bool lost = pid == 0 && claim == atomic_load(&w->arena->server); /* the last watch took the message, and died */
    if (fd >= 0)
        watch_over(w, claim, fd);
    else if (fd == -ESRCH || lost)
        bury(w, &claim, 1);
}

/* Guests that took a slot and were killed before they could tell of themselves: nobody's death frees theirs. The next
 * guest's does. */
static void find_lost_guests(watch *w)
{
    yn_slot_table_shared *table = &w->arena->slots;
    uint32_t used = atomic_load(&table->used);
    for (uint32_t i = 0; i < used; i++) {
        yn_slot_shared *slot = yn_slot_below_used(table, i);
        uint64_t word = atomic_load(&slot->word);
        yn_claim claim = yn_claim_make(i, word >> 24);
        if (yn_slot_state_of(word) == YN_SLOT_STARTING && atomic_load(&slot->parent) == 0 &&
            descriptor_of(w, claim) < 0)
            find_member(w, slot, claim, YN_SLOT_STARTING);
        else if (yn_slot_state_of(word) == YN_SLOT_GUESTS)
            yn_slot_free_guests(table, i, word);
    }
}

/* A batch of deaths: declare and count them all, nudge once, then clear the slots for their next tenants. A process
 * that both added itself and was added may stand in it twice. */
static void bury(watch *w, const yn_claim *dead, int count)
{
    yn_slot_table_shared *table = &w->arena->slots;
    uint64_t deaths = 0;
    for (int i = 0; i < count; i++) {
        int fd = descriptor_of(w, dead[i]);
        if (fd >= 0) {
            atomic_store(&slot_of(w, dead[i])->watch_fd, 0);
            yn_raw1(SYS_close, fd);
        }
        deaths += yn_slot_declare_dead(table, dead[i]);
    }
    /* Whoever declared the others may have died before it counted them. */
    atomic_fetch_add(&w->arena->deaths, deaths > 0 ? deaths : 1);
    w->bereaved = true;
    w->woken += yn_wait_nudge_all(w->arena);
    w->dead = dead;
    w->dead_count = count;
    while (hear(w)) {
    }
    w->dead_count = 0;
    bool guests = false;
    for (int i = 0; i < count; i++) {
        guests |= atomic_load(&slot_of(w, dead[i])->parent) == 0;
        end_children_of(w, dead[i]);
        yn_slot_free(table, dead[i]);
    }
    if (guests)
        find_lost_guests(w);
    while (atomic_load(&w->arena->server) != 0 && yn_raw4(SYS_wait4, -1, NULL, WNOHANG, NULL) > 0) {
    }
}

/* A new watch finds those who announced themselves to the last one, or to none yet, by their slots. */
static void find_members(watch *w)
{
    yn_slot_table_shared *table = &w->arena->slots;
    uint32_t used = atomic_load(&table->used);
    for (uint32_t i = 0; i < used; i++)
        atomic_store(&yn_slot_below_used(table, i)->watch_fd, 0); /* the last watch's */
    for (uint32_t i = 0; i < used; i++) {
        yn_slot_shared *slot = yn_slot_below_used(table, i);
        uint64_t word = atomic_load(&slot->word);
        yn_claim claim = yn_claim_make(i, word >> 24);
        if (descriptor_of(w, claim) >= 0)
            continue;                               /* heard of while we buried another */
        if (yn_slot_state_of(word) == YN_SLOT_DEAD) /* the last watch died over it */
            bury(w, &claim, 1);
        else if (yn_claim_is_alive(table, claim))
            find_member(w, slot, claim, yn_slot_state_of(word));
    }
}

/* Besides the forkserver. */
static bool is_somebody_left(watch *w, yn_claim server)
{
    yn_slot_table_shared *table = &w->arena->slots;
    uint32_t used = atomic_load(&table->used);
    for (uint32_t i = 0; i < used; i++) {
        yn_slot_shared *slot = yn_slot_below_used(table, i);
        yn_claim claim = yn_claim_make(i, atomic_load(&slot->word) >> 24);
        if (claim != server && atomic_load(&slot->watch_fd) > 0)
            return true;
    }
    return false;
}

/* Nobody is left, or only the forkserver. Looked at after deaths: before the first one there may be nobody yet. */
static bool is_over(watch *w)
{
    yn_claim server = atomic_load(&w->arena->server);
    bool bereaved = w->bereaved;
    w->bereaved = false;
    if (!bereaved || is_somebody_left(w, server))
        return false;
    while (hear(w)) {
    }
    if (is_somebody_left(w, server))
        return false;
    if (server != 0 && yn_claim_is_alive(&w->arena->slots, server))
        kill_member(w, server);
    return true;
}

static void raise_limit(watch *w)
{
    struct rlimit limit;
    yn_raw4(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
    w->descriptors = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    yn_raw4(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL);
    yn_raw4(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
    atomic_store(&w->arena->watch_capacity, yn_watch_capacity(limit.rlim_cur));
}

/* Each death wakes all who sleep. Where these are many and deaths come by the hundred, they would keep the dying from
 * the processors: one dies in the time in which all look, and all are woken a hundred times. So they are let look
 * first, and the deaths of that time are taken together. */
static void let_them_look(watch *w)
{
    enum { few = 32, each_ns = 5000, most_ns = 10000000 };
    uint32_t woken = w->woken;
    w->woken = 0;
    if (woken < few)
        return;
    struct timespec rest = {0, woken < most_ns / each_ns ? (long)woken * each_ns : most_ns};
    yn_raw4(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &rest, NULL);
}

__attribute__((noreturn)) static void run(yn_arena_shared *arena, const yn_team_fds *fds, uint32_t generation,
                                          bool shed_memory)
{
    watch w = {.arena = arena, .fds = *fds};
    yn_watch_shed_descriptors(fds);
    if (yn_file_try_lock(fds->arena, YN_ARENA_LOCK_WATCH) != 0) /* after the last close: that may let go of it */
        yn_raw1(SYS_exit_group, 0);                             /* there is one already */
    bool is_valgrind = yn_tool_is_valgrind();
    if (!is_valgrind)
        yn_tie_hold(&arena->ties, (int32_t)yn_raw0(SYS_getpid)); /* or nobody sleeps for longer than a second */
    yn_team_note_watch(arena, (pid_t)yn_raw0(SYS_getpid), yn_boot_ns(), generation);
    if (shed_memory) /* with the ties in hand: it takes a while, in a large program */
        yn_watch_shed_memory();
    yn_raw2(
        SYS_setpgid, 0,
        0); /* out of the group that Ctrl-C and `timeout` signal; the session stays, for the forkserver's children */
    yn_raw5(SYS_prctl, PR_SET_NAME, "yunta-watch", 0, 0, 0);
    raise_limit(&w);
    find_members(&w);
    while (hear(&w)) { /* the last watch may have been poked, and killed */
    }
    while (!is_over(&w)) {
        enum { batch = 256, look_ms = 10 };
        struct epoll_event events[batch];
        yn_claim dead[batch];
        int count = 0;
        let_them_look(&w);
        long n = yn_raw6(SYS_epoll_pwait, fds->epoll, (long)events, batch, w.blind ? look_ms : -1, 0, 0);
        if (n < 0 && n != -EINTR)
            break; /* the program has closed our descriptors, and we were started all the same */
        for (long i = 0; i < n; i++)
            if (events[i].data.u64 != 0)
                dead[count++] = events[i].data.u64;
        if (count > 0) /* before anything is heard: see there */
            bury(&w, dead, count);
        while (n != count && hear(&w)) { /* poked; after deaths alone, it is heard already */
        }
        if (w.blind)
            look_again(&w);
    }
    if (is_valgrind)                              /* else the kernel has still to read the ties in it */
        yn_raw2(SYS_munmap, arena, arena->limit); /* or it looks through all of it for leaks */
    for (;;)
        yn_raw1(SYS_exit_group, 0);
}

long yn_watch_clone(yn_arena_shared *arena, const yn_team_fds *fds, uint32_t generation, bool shed_memory,
                    int *reaped_by)
{
    *reaped_by = (int)__WCLONE;
    long pid = yn_raw5(SYS_clone, 0, 0, 0, 0, 0); /* no exit signal: invisible to wait */
    if (pid ==
        -EINVAL) { /* an emulator that knows forks alone: a child like others, and its memory is the emulator's */
        shed_memory = false;
        *reaped_by = 0;
        pid = yn_raw5(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    }
    if (pid == 0)
        run(arena, fds, generation, shed_memory);
    return pid;
}
