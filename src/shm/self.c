/* Membership: how a process comes to have a team, a slot and its seats.
 * Never starts a process; never keeps a lock that a forked child could inherit held.
 * Next: proc/team.c (the watch), shm/heap.c (what the arena is then used for). */
#include "shm/self.h"
#include "os/cpu.h"
#include "os/fdpass.h"
#include "os/futex.h"
#include "os/life.h"
#include "shm/heap.h"
#include "shm/placement.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>
#include <yunta/init.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

static yn_private before_start; /* until the constructor has run */
yn_private *yn_private_page = &before_start;
_Thread_local yn_self yn_self_tls __attribute__((tls_model("initial-exec"))) = {.lane_claim = YN_NO_LANE};
yn_team_fds yn_team = {.all = {-1, -1, -1, -1, -1, -1}};

static yn_arena_shared *_Atomic team_arena;
static _Atomic uint64_t wanted_limit;
static pthread_key_t thread_key;

static void wipe(void) /* where the kernel does not */
{
    memset(yn_private_page, 0, sizeof *yn_private_page);
}

/* A thread that ends gives back its seat and its lane. */
static void leave_team(void *p)
{
    yn_self *me = p;
    yn_claim mine = atomic_load(&yn_private_page->claim);
    if (mine == 0 || me->claim != mine)
        return;
    yn_seat_shared *seat = me->seat;
    if (seat) {
        me->seat = NULL;
        atomic_store(&seat->word, NULL);
        atomic_store_explicit(&seat->taken, 0, memory_order_release);
    }
    yn_heap_leave(me);
}

YN_IN_CHILD void yn_self_note_thread(yn_self *me)
{
    /* The first thread's go with the process; a self that is not the thread's own has others to see to it. */
    if (me == &yn_self_tls && yn_raw0(SYS_gettid) != yn_raw0(SYS_getpid))
        pthread_setspecific(thread_key, me);
}

__attribute__((constructor)) static void set_up(void)
{
    long page = sysconf(_SC_PAGESIZE);
    void *p = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p != MAP_FAILED)
        yn_private_page = p;
    if (p == MAP_FAILED || madvise(p, (size_t)page, MADV_WIPEONFORK) != 0)
        pthread_atfork(NULL, NULL, wipe);
    pthread_key_create(&thread_key, leave_team);
}

bool yn_self_has_team(void)
{
    return atomic_load(&team_arena) != NULL;
}

yn_arena_shared *yn_self_arena(void)
{
    return atomic_load(&team_arena);
}

int yn_self_set_limit(uint64_t bytes)
{
    if (yn_self_has_team())
        return -EBUSY;
    atomic_store(&wanted_limit, bytes);
    return 0;
}

static uint64_t limit_of_new_arena(void)
{
    uint64_t limit = atomic_load(&wanted_limit);
    const char *text = getenv("YUNTA_ARENA_BYTES");
    if (limit == 0 && text) {
        limit = strtoull(text, NULL, 10);
        if (limit < YN_ARENA_LEAST || limit > YN_ARENA_MOST)
            limit = 0;
    }
    return yn_round_up(limit, YN_ARENA_GRAIN);
}

static void close_team(const yn_team_fds *fds)
{
    for (size_t i = 0; i < YN_COUNT(fds->all); i++)
        if (fds->all[i] >= 0)
            close(fds->all[i]);
}

/* Out of the way of the standard streams, which a child may have to put in their places. */
static int lift(int *fd)
{
    if (*fd >= 3)
        return 0;
    int high = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
    if (high < 0)
        return -errno;
    close(*fd);
    *fd = high;
    return 0;
}

static int lift_all(yn_team_fds *fds)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < YN_COUNT(fds->all); i++)
        r = lift(&fds->all[i]);
    return r;
}

/* YUNTA_DEADLOCK=SECONDS: deadlocks are to be looked for and printed (yunta/deadlock.h). */
static void read_environment(yn_arena_shared *arena)
{
    const char *text = getenv("YUNTA_DEADLOCK");
    unsigned long seconds = text ? strtoul(text, NULL, 10) : 0;
    if (seconds == 0 || seconds >= UINT32_MAX)
        return;
    atomic_store(&arena->overdue_naps, (uint32_t)seconds);
    atomic_store(&arena->notes_holders, 1);
}

static int make_team(void)
{
    yn_team_fds fds = {.all = {-1, -1, -1, -1, -1, -1}};
    yn_arena_shared *arena = NULL;
    yn_cpu_count_known(); /* before a member is bound to one: others are at work on the rest */
    int r = yn_arena_create(&arena, &fds.arena, limit_of_new_arena());
    if (r == 0 && (fds.epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
        r = -errno;
    if (r == 0)
        r = yn_fdpass_pair(fds.news);
    if (r == 0)
        r = yn_fdpass_pair(fds.server);
    if (r == 0)
        r = lift_all(&fds);
    struct epoll_event quiet = {.events = EPOLLONESHOT}; /* a poke changes it, which takes no memory */
    if (r == 0 && epoll_ctl(fds.epoll, EPOLL_CTL_ADD, fds.news[1], &quiet) != 0)
        r = -errno;
    if (r == 0)
        r = yn_placement_apply(arena);
    if (r == 0)
        r = yn_heap_create(arena, fds.arena);
    if (r != 0) {
        close_team(&fds);
        if (arena)
            munmap(arena, arena->limit);
        return r;
    }
    read_environment(arena);
    yn_team = fds;
    atomic_store(&team_arena, arena);
    return 0;
}

YN_IN_CHILD static yn_self *fill_self(yn_claim claim)
{
    yn_self *me = &yn_self_tls;
    if (me->claim != claim) { /* else they are this thread's, who has slept or allocated while it joined */
        me->seat = NULL;
        me->lane = NULL;
        me->lane_claim = YN_NO_LANE;
    }
    me->claim = claim;
    me->arena = atomic_load(&team_arena);
    me->slot = yn_slot_at(&me->arena->slots, yn_claim_slot(claim));
    me->arena_fd = yn_team.arena;
    return me;
}

YN_IN_CHILD yn_self *yn_self_become(yn_claim claim)
{
    yn_arena_touch(atomic_load(&team_arena));
    yn_self *me = fill_self(claim);
    if (!yn_slot_set_pid(me->slot, claim, (int32_t)yn_raw0(SYS_getpid)))
        return NULL;
    atomic_store(&me->slot->joined_ns, yn_boot_ns());
    atomic_store(&yn_private_page->claim, claim);
    atomic_store(&yn_private_page->brief, atomic_load(&me->arena->notes_holders) ? 0 : claim);
    return me;
}

void yn_self_note_holders(yn_self *me)
{
    atomic_store(&me->arena->notes_holders, 1);
    atomic_store(&yn_private_page->brief, 0);
}

int yn_self_adopt_team(const yn_team_fds *fds)
{
    yn_arena_shared *arena;
    int r = yn_arena_attach(&arena, fds->arena);
    if (r != 0)
        return r;
    yn_team = *fds;
    atomic_store(&team_arena, arena);
    yn_self_tls.arena = arena; /* it has no claim yet, but is announced */
    return 0;
}

/* The first use in this process: of a new team, or, in a child that the user forked, of the parent's. */
static int join_team(void)
{
    int r = yn_self_has_team() ? 0 : make_team();
    if (r != 0)
        return r;
    yn_claim claim = yn_slot_take(atomic_load(&team_arena), yn_team.arena, 0, &r);
    if (!claim)
        return r;
    yn_self *me = yn_self_become(claim);
    r = !me ? -EAGAIN : yn_self_up.announce ? yn_self_up.announce(me) : 0;
    if (r != 0) {
        atomic_store(&yn_private_page->brief, 0);
        atomic_store(&yn_private_page->claim, 0);
        yn_slot_declare_dead(&atomic_load(&team_arena)->slots, claim);
        yn_slot_free(&atomic_load(&team_arena)->slots, claim);
        return r;
    }
    yn_slot_go_live(&me->arena->slots, claim);
    return 0;
}

yn_self *yn_self_attach(int *error)
{
    yn_futex_lock(&yn_private_page->lock);
    int r = atomic_load(&yn_private_page->claim) == 0 ? join_team() : 0;
    yn_futex_unlock(&yn_private_page->lock);
    *error = r;
    return r == 0 ? fill_self(atomic_load(&yn_private_page->claim)) : NULL;
}

int yunta_set_arena_limit(uint64_t bytes)
{
    if (bytes < YN_ARENA_LEAST || bytes > YN_ARENA_MOST)
        return -EINVAL;
    return yn_self_set_limit(yn_round_up(bytes, YN_ARENA_GRAIN));
}

YN_IN_CHILD static bool take_seat(yn_seat_shared *seat)
{
    uint32_t open = 0;
    return atomic_compare_exchange_strong(&seat->taken, &open, 1);
}

static yn_seat_shared *more_seats(yn_self *me)
{
    enum { count = 16 };
    yn_seat_shared *block = yn_heap_alloc(me, sizeof(yn_seat_shared) * count, 64);
    if (!block)
        return NULL;
    memset(block, 0, sizeof(yn_seat_shared) * count);
    for (int i = 0; i + 1 < count; i++)
        atomic_store(&block[i].next, &block[i + 1]);
    atomic_store(&block[0].taken, 1);
    yn_seat_shared *first = atomic_load(&me->slot->seats);
    do
        atomic_store(&block[count - 1].next, first);
    while (!atomic_compare_exchange_weak(&me->slot->seats, &first, block));
    return block;
}

YN_IN_CHILD yn_seat_shared *yn_seat_get(yn_self *me)
{
    if (YN_LIKELY(me->seat != NULL))
        return me->seat;
    yn_seat_shared *seat = &me->slot->seat;
    if (!take_seat(seat)) {
        for (seat = atomic_load(&me->slot->seats); seat && !take_seat(seat);)
            seat = atomic_load(&seat->next);
        if (!seat)
            seat = more_seats(me);
    }
    me->seat = seat;
    if (seat) {
        atomic_store_explicit(&seat->self, (uint64_t)(uintptr_t)me, memory_order_relaxed);
        atomic_store_explicit(&seat->thread, (uint32_t)yn_raw0(SYS_gettid), memory_order_relaxed);
    }
    yn_self_note_thread(me);
    return seat;
}
