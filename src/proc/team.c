/* Starting the watch, finding it dead, starting the next one.
 * Never makes it visible to the program's wait, never has two at once.
 * Next: proc/watch.c, what the watch does. */
#include "proc/team.h"
#include "os/fdpass.h"
#include "os/filelock.h"
#include "os/futex.h"
#include "os/life.h"
#include "os/tool.h"
#include "proc/record.h"
#include "proc/watch.h"
#include "sync/deadlock.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static _Atomic pid_t own_watch; /* the watch that this process started last; not waited for yet */
static _Atomic int own_watch_reaped_by;

static int next_watch(yn_arena_shared *arena, uint32_t last);

YN_IN_CHILD static int tell_of_birth(const yn_news *news, int seen)
{
    /* The message keeps the descriptor open until it is read; so it can be waited on before. */
    struct epoll_event event = {.events = YN_NEWS_OF_DEATH, .data.u64 = news->claim};
    long r = yn_raw4(SYS_epoll_ctl, yn_team.epoll, EPOLL_CTL_ADD, seen, &event);
    if (r != 0)
        return (int)r;
    return yn_fdpass_send(yn_team.news[0], news, sizeof *news, &seen, 1, false);
}

/* The socket was found full (or too many descriptors under way, of which poll knows nothing): until the watch has read
 * some of it. If it has been killed, another has to come first. */
static int await_room(int why_not, bool borrows_memory)
{
    enum { look_ms = 10 };
    struct pollfd p = {.fd = yn_team.news[0], .events = POLLOUT};
    yn_team_poke();
    poll(&p, why_not == -EAGAIN, look_ms);
    if (yn_file_lock_holder(yn_team.arena, YN_ARENA_LOCK_WATCH) != 0)
        return 0;
    if (borrows_memory)
        return YUNTA_ENOWATCH;
    yn_arena_shared *arena = yn_self_tls.arena;
    int r = next_watch(arena, atomic_load(&arena->watch_generation));
    return r == -EBUSY ? 0 : r;
}

int yn_team_tell(const yn_news *news, int seen, bool borrows_memory)
{
    for (;;) {
        int r = yn_fdpass_send(yn_team.news[0], news, sizeof *news, &seen, seen >= 0, false);
        if (r == -EAGAIN || r == -ETOOMANYREFS)
            r = await_room(r, borrows_memory);
        else
            return r;
        if (r != 0)
            return r;
    }
}

bool yn_team_announce_child(yn_self *me, yn_claim claim, pid_t pid, int seen)
{
    /* Its pid first: a watch that takes the message and dies over it leaves the next one something to go by. That it
     * stands there already does not say that the child has told of itself; that it is no more STARTING does. */
    yn_slot_shared *slot = yn_slot_at(&me->arena->slots, yn_claim_slot(claim));
    uint64_t starting = (claim >> 24 << 24) | YN_SLOT_STARTING;
    if (atomic_load(&slot->word) != starting || !yn_slot_set_pid(slot, claim, (int32_t)pid))
        return false;
    yn_news news = {.kind = YN_NEWS_BORN, .pid = pid, .claim = claim};
    return tell_of_birth(&news, seen) == 0;
}

/* Where there are no pidfds: this process's end of its pipe. As long as it is open anywhere, nobody sees the death of
 * whom it stands for: so whoever is forked lets its copy go at once, also who is forked by the program and never calls
 * us. What is exec'ed has none. */
static int kept_end = -1;
static pid_t kept_by;

static void let_go_of_inherited(void)
{
    if (kept_end >= 0 && kept_by != getpid()) {
        close(kept_end);
        kept_end = -1;
    }
}

void yn_team_keep(int kept)
{
    static bool lets_go;
    let_go_of_inherited();
    lets_go = lets_go || pthread_atfork(NULL, NULL, let_go_of_inherited) == 0;
    kept_end = kept; /* who announces itself twice keeps both: the watch may not have heard of the second one yet */
    kept_by = getpid();
}

YN_IN_CHILD int yn_team_announce(yn_claim claim, int *kept, bool borrows_memory)
{
    yn_life life;
    int r = yn_life_open_self(&life);
    if (r != 0)
        return r;
    yn_news news = {.kind = YN_NEWS_BORN, .pid = getpid(), .claim = claim};
    /* First, for the same reason. If the slot has another tenant by now, the watch will see that too. */
    yn_slot_set_pid(yn_slot_at(&yn_self_tls.arena->slots, yn_claim_slot(claim)), claim, news.pid);
    r = tell_of_birth(&news, life.seen);
    if (r == -EAGAIN || r == -ETOOMANYREFS)
        r = yn_team_tell(&news, life.seen, borrows_memory);
    close(life.seen);
    if (r != 0 && life.kept >= 0) {
        close(life.kept);
        life.kept = -1;
    }
    if (life.kept >= 0 && !borrows_memory)
        yn_team_keep(life.kept);
    *kept = life.kept;
    return r;
}

void yn_team_poke(void)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = 0};
    epoll_ctl(yn_team.epoll, EPOLL_CTL_MOD, yn_team.news[1], &event);
}

bool yn_team_bury(yn_self *me, yn_claim claim)
{
    yn_slot_table_shared *table = &me->arena->slots;
    yn_slot_shared *slot = yn_slot_at(table, yn_claim_slot(claim));
    uint64_t starting = (claim >> 24 << 24) | YN_SLOT_STARTING;
    if (atomic_load(&slot->word) != starting || !yn_slot_declare_dead(table, claim))
        return false;
    atomic_fetch_add(&me->arena->deaths, 1);
    yn_wait_nudge_all(me->arena);
    yn_slot_free(table, claim);
    return true;
}

void yn_team_declare_dead(yn_self *me, yn_claim claim)
{
    if (!yn_team_bury(me, claim) && yn_slot_declare_dead(&me->arena->slots, claim))
        atomic_fetch_add(&me->arena->deaths, 1);
}

/* The last watch, if it was a child of ours, is a zombie of ours. Should the program have reaped it, its pid may be
 * that of another child by now, which is the program's to wait for. */
static void reap_watch(void)
{
    pid_t old = atomic_exchange(&own_watch, 0);
    if (old > 0 && waitpid(old, NULL, WNOHANG | atomic_load(&own_watch_reaped_by)) == 0)
        atomic_store(&own_watch, old); /* it lives: it is the present one */
}

/* With the lock held. Taken out before it is closed: a forked child may have it still. */
static void hang_on_bell(int old, int seen)
{
    int bell = atomic_load(&yn_private_page->watch_bell) - 1;
    struct epoll_event event = {.events = EPOLLIN};
    if (bell >= 0 && old >= 0)
        epoll_ctl(bell, EPOLL_CTL_DEL, old, NULL);
    if (bell >= 0 && seen >= 0)
        epoll_ctl(bell, EPOLL_CTL_ADD, seen, &event);
}

/* It has been found dead: its end is no news any more, also if none can be started. */
static void silence_bell(uint32_t generation)
{
    yn_futex_lock(&yn_private_page->watch_lock);
    if (atomic_load(&yn_private_page->watch_generation) == generation)
        hang_on_bell(atomic_load(&yn_private_page->watch_seen) - 1, -1);
    atomic_store(&yn_private_page->watch_mute, generation);
    yn_futex_unlock(&yn_private_page->watch_lock);
}

/* With the lock held. */
static int open_watch(yn_arena_shared *arena, uint32_t generation)
{
    if (atomic_load(&yn_private_page->watch_generation) == generation) /* another thread was faster */
        return atomic_load(&yn_private_page->watch_seen) - 1;
    pid_t pid = atomic_load(&arena->watch_pid);
    uint64_t began = atomic_load(&arena->watch_began_ns);
    int fd = yn_life_open_pid(pid);
    /* A later owner of its pid began later; the kernel tells that to a hundredth of a second. */
    if (fd >= 0 && yn_life_began_ns(pid) > began + YN_LIFE_TICK_NS) {
        close(fd);
        fd = -ESRCH;
    }
    if (fd < 0)
        return fd == -EINVAL ? -ENOSYS : fd;
    reap_watch();
    int old = atomic_exchange(&yn_private_page->watch_seen, fd + 1) - 1;
    hang_on_bell(old, fd);
    atomic_store(&yn_private_page->watch_generation, generation);
    if (old >= 0)
        close(old);
    return fd;
}

/* The descriptor by which this process sees the present watch, opened when the watch is a new one. -ESRCH: there is
 * none; -ENOSYS: no pidfds; -EMFILE … */
static int see_watch(yn_arena_shared *arena)
{
    uint32_t generation = atomic_load(&arena->watch_generation);
    if (generation == 0)
        return -ESRCH;
    if (atomic_load(&yn_private_page->watch_generation) == generation)
        return atomic_load(&yn_private_page->watch_seen) - 1;
    yn_futex_lock(&yn_private_page->watch_lock);
    int r = open_watch(arena, generation);
    yn_futex_unlock(&yn_private_page->watch_lock);
    return r;
}

/* The kernel cuts the ties of who ends while its descriptor does not say so yet, nor are its locks open. */
static bool is_ending(yn_arena_shared *arena)
{
    return yn_tie_is_cut(atomic_load(&arena->ties.tie[0].word)) &&
           atomic_load(&arena->ties.holder) == atomic_load(&arena->watch_pid);
}

/* 1: it lives; 0: it does not; -errno: that cannot be seen. */
static int watch_lives(yn_arena_shared *arena)
{
    int fd = see_watch(arena);
    if (fd == -ENOSYS || fd == -EPERM) /* no pidfds: as good as a bare pid can tell */
        return kill(atomic_load(&arena->watch_pid), 0) == 0 || errno == EPERM;
    if (fd < 0)
        return fd == -ESRCH ? 0 : fd;
    enum { end_takes_ms = 1000 };
    return !yn_life_has_ended(fd, is_ending(arena) ? yn_deadline_in(end_takes_ms) : 0);
}

/* The watch stores the same of itself: whichever of the two is killed, there is one who says it. */
void yn_team_note_watch(yn_arena_shared *arena, pid_t pid, uint64_t began, uint32_t generation)
{
    atomic_store(&arena->watch_pid, (int32_t)pid);
    atomic_store(&arena->watch_began_ns, began);
    atomic_store(&arena->watch_generation, generation);
}

/* Before the first watch: who sleeps for as long as there is none looks again, and then after a second at most, since
 * this one may be killed before it holds the ties. */
static void await_ties(yn_arena_shared *arena)
{
    for (uint32_t i = 0; i < YN_TIES; i++) {
        uint32_t unheld = 0;
        atomic_compare_exchange_strong(&arena->ties.tie[i].word, &unheld, YN_TIE_AWAITED);
    }
    uint32_t used = atomic_load(&arena->slots.used);
    for (uint32_t i = 0; i < YN_TIES && i < used; i++)
        yn_futex_wake(&arena->ties.tie[i].word, YN_WAKE_ALL);
}

/* What the first watch is going to say itself, which has our limits: members may come before that. */
static void guess_capacity(yn_arena_shared *arena)
{
    struct rlimit limit;
    uint64_t unknown = 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        atomic_compare_exchange_strong(&arena->watch_capacity, &unknown, yn_watch_capacity(limit.rlim_max));
}

/* The last one was killed, and perhaps this one is: whoever saw it before it holds the ties would hear of that after a
 * second. False: it has ended. One that is stopped is not waited for. */
static bool await_hold(yn_arena_shared *arena, pid_t pid)
{
    enum { look_ns = 50000, most_ms = 100 };
    const yn_tie_shared *last = &arena->ties.tie[YN_TIES - 1];
    yn_deadline deadline = yn_deadline_in(most_ms);
    if (!yn_tie_is_cut(atomic_load(&last->word))) /* the first one, or the kernel cuts none */
        return true;
    while ((atomic_load(&last->word) & FUTEX_TID_MASK) != (uint32_t)pid && yn_deadline_left(deadline) > 0) {
        struct timespec rest = {0, look_ns}; /* not on the tie: its one wake is for others */
        yn_raw4(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &rest, NULL);
        if (waitpid(pid, NULL, WNOHANG | atomic_load(&own_watch_reaped_by)) == pid) {
            atomic_store(&own_watch, 0);
            return false;
        }
    }
    return true;
}

/* One that lives, unknown because who started it died over it, or because it was about to die then, and did not; else a
 * new one. Its pid, or -errno. */
static pid_t find_or_make_watch(yn_arena_shared *arena, uint32_t generation)
{
    pid_t pid = yn_file_lock_holder(yn_team.arena, YN_ARENA_LOCK_WATCH);
    if (pid != 0)
        return pid;
    /* A tool's tables are in our memory, and go on being used in the watch. */
    bool shed_memory = !yn_tool_is_valgrind() && !yn_tool_is_sanitizer();
    int reaped_by;
    pid = (pid_t)yn_watch_clone(arena, &yn_team, generation, shed_memory, &reaped_by);
    if (pid > 0) {
        atomic_store(&own_watch_reaped_by, reaped_by);
        atomic_store(&own_watch, pid);
    }
    return pid;
}

/* By the one who holds the starter's lock, all signals blocked. */
static int start_watch(yn_arena_shared *arena, uint32_t generation)
{
    enum { attempts = 3 };
    reap_watch();
    if (generation == 1) {
        await_ties(arena);
        guess_capacity(arena);
    }
    uint64_t began = 0;
    pid_t pid = 0;
    for (int i = 0; i < attempts; i++, generation++) {
        began = yn_boot_ns();
        pid = find_or_make_watch(arena, generation);
        if (pid < 0 || await_hold(arena, pid))
            break;
    }
    if (pid < 0)
        return YUNTA_ENOWATCH;
    yn_team_note_watch(arena, pid, began, generation);
    return 0;
}

/* The next watch after generation `last`. 0; -EBUSY: another thread, or process, is at it; YUNTA_ENOWATCH. The lock is
 * the kernel's: a claim would say nothing, since there is no watch that could declare its holder dead. */
static int next_watch(yn_arena_shared *arena, uint32_t last)
{
    int r = -EBUSY;
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    if (atomic_exchange(&yn_private_page->starts_watch, 1) == 0) {
        r = yn_file_try_lock(yn_team.arena, YN_ARENA_LOCK_STARTER);
        if (r == 0) {
            r = atomic_load(&arena->watch_generation) == last ? start_watch(arena, last + 1) : 0;
            yn_file_unlock(yn_team.arena, YN_ARENA_LOCK_STARTER);
        } else if (r != -EBUSY) {
            r = YUNTA_ENOWATCH; /* the program has closed our descriptors */
        }
        atomic_store(&yn_private_page->starts_watch, 0);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return r;
}

bool yn_team_elect(yn_self *me, _Atomic uint64_t *word)
{
    yn_claim other = 0;
    while (!atomic_compare_exchange_strong(word, &other, me->claim)) {
        if (other == me->claim || yn_claim_is_alive(&me->arena->slots, other))
            return false;
    }
    return true;
}

int yn_team_ensure_watch(yn_self *me)
{
    yn_arena_shared *arena = me->arena;
    pid_t own = atomic_load(&own_watch);
    if (own > 0 && own != atomic_load(&arena->watch_pid)) /* when another was found, it was still dying perhaps */
        reap_watch();
    for (;;) {
        uint32_t generation = atomic_load(&arena->watch_generation);
        int lives = watch_lives(arena);
        if (lives != 0)
            return lives < 0 ? lives : 0;
        silence_bell(generation);
        int r = next_watch(arena, generation);
        if (r == -EBUSY) {
            yn_wait_on(me, &arena->watch_generation, generation, yn_deadline_in(100));
            continue;
        }
        yn_futex_wake(&arena->watch_generation, YN_WAKE_ALL);
        if (atomic_load(&yn_private_page->watch_bell) != 0)
            see_watch(arena);
        int kept; /* with the first watch, we have not been announced yet */
        return r == 0 && generation == 0 ? yn_team_announce(me->claim, &kept, false) : r;
    }
}

static bool is_anybody_dead(yn_slot_table_shared *table)
{
    uint32_t used = atomic_load(&table->used);
    for (uint32_t i = 0; i < used; i++)
        if (yn_slot_state_of(atomic_load(&yn_slot_below_used(table, i)->word)) == YN_SLOT_DEAD)
            return true;
    return false;
}

int yn_team_await_capacity(yn_self *me, uint64_t newcomers)
{
    enum { looks = 1000 };
    const struct timespec nap = {0, 1000000};
    yn_slot_table_shared *table = &me->arena->slots;
    /* Looked at once: a watch that is just coming up may say it in between. */
    uint64_t capacity = atomic_load(&me->arena->watch_capacity);
    if (capacity == 0 || !yn_slot_are_beyond(table, capacity - newcomers))
        return 0;
    for (int i = 0; i < looks; i++) {
        bool makes_room = is_anybody_dead(table); /* first: it may have gone by the next look */
        if (!yn_slot_are_beyond(table, capacity - newcomers))
            return 0;
        if (!makes_room)
            break;
        clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
    }
    return -EMFILE;
}

static int make_bell(void)
{
    int bell = epoll_create1(EPOLL_CLOEXEC), high = bell >= 0 ? fcntl(bell, F_DUPFD_CLOEXEC, 3) : -1;
    int r = high >= 0 ? 0 : -errno;
    if (bell >= 0) /* it may have been in the place of a standard stream */
        close(bell);
    if (r != 0)
        return r;
    atomic_store(&yn_private_page->watch_bell, high + 1);
    hang_on_bell(-1, atomic_load(&yn_private_page->watch_seen) - 1);
    return 0;
}

int yn_team_watch_bell(yn_self *me, bool *rings)
{
    int seen = see_watch(me->arena), r = 0;
    yn_futex_lock(&yn_private_page->watch_lock);
    if (atomic_load(&yn_private_page->watch_bell) == 0)
        r = make_bell();
    yn_futex_unlock(&yn_private_page->watch_lock);
    *rings = r == 0 && seen >= 0 &&
             atomic_load(&yn_private_page->watch_mute) != atomic_load(&yn_private_page->watch_generation);
    return r != 0 ? r : atomic_load(&yn_private_page->watch_bell) - 1;
}

static void check_watch(yn_self *me)
{
    if (atomic_load(&me->arena->watch_generation) != 0)
        yn_team_ensure_watch(me);
}

void yn_team_answer_bell(yn_self *me)
{
    uint32_t tie = atomic_load(&me->arena->ties.tie[0].word);
    if (yn_tie_holds(tie))
        see_watch(me->arena);
    else
        check_watch(me);
}

/* A process has just attached that nobody of the team started: the first of all, or one that the program forked by
 * itself. The first needs no watch, since there is nobody whose death could concern it. */
static int announce_guest(yn_self *me)
{
    int kept;
    if (atomic_load(&me->arena->watch_generation) == 0 && atomic_load(&me->arena->slots.alive) == 1)
        return 0;
    int r = yn_team_ensure_watch(me);
    if (r == 0)
        r = yn_team_await_capacity(me, 0);
    return r == 0 ? yn_team_announce(me->claim, &kept, false) : r; /* twice does no harm */
}

yn_self_upcalls yn_self_up = {.announce = announce_guest};

/* Should the watch be killed over it, or before it, its death is one after which everybody looks. */
static void ask_to_ring(uint64_t number)
{
    yn_news news = {.kind = YN_NEWS_RING, .claim = number};
    if (yn_team_tell(&news, -1, false) == 0)
        yn_team_poke();
}

/* Of a record as it is found by who looks from outside: whatever it holds by now can be read. */
static yn_claim process_of(const void *record)
{
    return atomic_load(&((const yunta_process *)record)->who);
}

static const char *name_of(const void *record)
{
    return ((const yunta_process *)record)->name;
}

yn_wait_upcalls yn_wait_up = {.check_watch = check_watch,
                              .ring = ask_to_ring,
                              .overdue = yn_deadlock_overdue,
                              .process_of = process_of,
                              .name_of = name_of};
