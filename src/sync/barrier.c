/* The barrier: parties by name, so that one that is killed breaks it instead of being waited for.
 * Never holds its own lock over a sleep, or over anything of the user's.
 * Next: sync/README.md for the invariants. */
#include "shm/heap.h"
#include "sync/lock.h"

#include <yunta/barrier.h>

/* How the round of one who waits has ended. Taken and written under the lock, read and let go by its owner at any time:
 * however many rounds later that is, nobody else has it. */
typedef struct ticket_shared {
    _Atomic yn_claim owner;   /* 0, or dead: to be had */
    _Atomic uint64_t outcome; /* the round, times 4; WELL or RESET, once it has ended */
} ticket_shared;

#define WELL 1u
#define RESET 2u

typedef struct tickets_shared {
    _Atomic(struct tickets_shared *) next; /* more of them, for rounds whose parties are late in leaving */
    ticket_shared ticket[];                /* 2 * parties: mostly those of one round leave while the next one come */
} tickets_shared;

/* Under the lock, but for `round` and `broken`, which those who wait look at. */
struct yunta_barrier {
    yn_event_shared changed;
    struct yunta_lock lock;
    uint32_t parties;
    _Atomic uint32_t arrived; /* at most `parties` */
    _Atomic uint64_t round;   /* how many have ended, well or by a reset */
    tickets_shared *tickets;
    _Atomic uint32_t broken;
    _Atomic yn_claim cell[]; /* `parties` of this round, as they came; then as many of the last one, which it expects */
};

static bool has_ended(yn_self *me, yn_claim party)
{
    return party != 0 && !yn_claim_is_alive(&me->arena->slots, party);
}

/* Somebody who is waited for, or who waits, has ended; perhaps in the middle of coming. */
static bool lacks_a_party(yn_self *me, const yunta_barrier *barrier)
{
    if (has_ended(me, yn_claim_who(atomic_load(&barrier->lock.word))))
        return true;
    uint32_t arrived = atomic_load(&barrier->arrived);
    for (uint32_t i = 0; i < arrived; i++)
        if (has_ended(me, atomic_load(&barrier->cell[i])))
            return true;
    for (uint32_t i = barrier->parties; i < 2 * barrier->parties; i++)
        if (has_ended(me, atomic_load(&barrier->cell[i])))
            return true;
    return false;
}

static int lock(yn_self *me, yunta_barrier *barrier)
{
    int r = yn_lock_acquire(me, &barrier->lock, YN_NEVER);
    if (r != -EOWNERDEAD)
        return r;
    /* In the middle of a change, and a party besides: nothing of this round counts. */
    atomic_store(&barrier->broken, 1);
    yn_lock_mark_consistent(me, &barrier->lock);
    return 0;
}

static void unlock(yn_self *me, yunta_barrier *barrier)
{
    yn_lock_release(me, &barrier->lock);
}

static void unlock_and_tell(yn_self *me, yunta_barrier *barrier)
{
    unlock(me, barrier);
    yn_event_notify_all(&barrier->changed);
}

static tickets_shared *make_tickets(yn_self *me, uint32_t parties, int *error)
{
    void *block = NULL;
    size_t size = sizeof(tickets_shared) + 2 * (size_t)parties * sizeof(ticket_shared);
    *error = yn_heap_alloc_zeroed(me, &block, size, YN_CACHE_LINE);
    return block;
}

/* Mine for this round, the lock being held. NULL: no memory. */
static ticket_shared *take_ticket(yn_self *me, yunta_barrier *barrier, uint64_t round, uint32_t index)
{
    uint32_t count = 2 * barrier->parties, first = (round & 1 ? barrier->parties : 0) + index;
    for (tickets_shared *some = barrier->tickets;;) {
        for (uint32_t i = 0; i < count; i++) {
            ticket_shared *ticket = &some->ticket[(first + i) % count];
            yn_claim owner = atomic_load(&ticket->owner);
            if (owner != 0 && !has_ended(me, owner))
                continue;
            atomic_store(&ticket->outcome, round * 4);
            atomic_store(&ticket->owner, me->claim);
            return ticket;
        }
        tickets_shared *next = atomic_load(&some->next);
        int error;
        if (!next && (next = make_tickets(me, barrier->parties, &error)))
            atomic_store(&some->next, next);
        if (!next)
            return NULL;
        some = next;
    }
}

static void write_outcomes(yunta_barrier *barrier, uint64_t round, uint64_t outcome)
{
    for (tickets_shared *some = barrier->tickets; some; some = atomic_load(&some->next))
        for (uint32_t i = 0; i < 2 * barrier->parties; i++)
            if (atomic_load(&some->ticket[i].outcome) / 4 == round)
                atomic_store(&some->ticket[i].outcome, round * 4 + outcome);
}

/* The round ends; its parties are those that the next one expects. */
static void end_round(yunta_barrier *barrier, bool well)
{
    for (uint32_t i = 0; i < barrier->parties; i++) {
        atomic_store(&barrier->cell[barrier->parties + i], well ? atomic_load(&barrier->cell[i]) : 0);
        atomic_store(&barrier->cell[i], 0);
    }
    atomic_store(&barrier->arrived, 0);
    write_outcomes(barrier, atomic_load(&barrier->round), well ? WELL : RESET);
    atomic_fetch_add(&barrier->round, 1);
}

/* 0: the round of the ticket has ended well; 1: not yet; YUNTA_EBROKEN. */
static int look(yunta_barrier *barrier, const ticket_shared *ticket)
{
    uint64_t mine = atomic_load(&ticket->outcome) / 4;

    /* Looked at a second time: what is broken may be a later round. */
    if (atomic_load(&barrier->round) == mine) {
        bool broken = atomic_load(&barrier->broken) != 0;
        if (atomic_load(&barrier->round) == mine)
            return broken ? YUNTA_EBROKEN : 1;
    }
    return atomic_load(&ticket->outcome) % 4 == WELL ? 0 : YUNTA_EBROKEN;
}

/* Unless the round has ended meanwhile; nor if all parties are there after all, and we have time: without the lock we
 * may have seen one that had left before it ended. What look says then. */
static int break_round(yn_self *me, yunta_barrier *barrier, const ticket_shared *mine, bool is_late)
{
    int r = lock(me, barrier);
    if (r != 0)
        return r;
    r = look(barrier, mine);
    if (r == 1 && (is_late || lacks_a_party(me, barrier))) {
        atomic_store(&barrier->broken, 1);
        r = YUNTA_EBROKEN;
    }
    unlock_and_tell(me, barrier);
    return r;
}

static int await_others(yn_self *me, yunta_barrier *barrier, const ticket_shared *mine, yn_deadline deadline)
{
    for (int waited = 0;;) {
        uint32_t key = yn_event_key(&barrier->changed);
        yn_event_announce(&barrier->changed);
        int r = look(barrier, mine);
        if (r != 1)
            return r;
        if (lacks_a_party(me, barrier) && (r = break_round(me, barrier, mine, false)) != 1)
            return r;
        if (waited != 0) {
            r = break_round(me, barrier, mine, true);
            return r == YUNTA_EBROKEN ? waited : r;
        }
        waited = yn_event_wait(me, &barrier->changed, key, deadline);
    }
}

static int wait(yn_self *me, yunta_barrier *barrier, yn_deadline deadline)
{
    int r = yn_seat_get(me) ? lock(me, barrier) : -ENOMEM;
    if (r != 0)
        return r;
    uint32_t index = atomic_load(&barrier->arrived);
    bool is_last = index + 1 == barrier->parties;
    if (!atomic_load(&barrier->broken) && lacks_a_party(me, barrier))
        atomic_store(&barrier->broken, 1);
    if (atomic_load(&barrier->broken) || (deadline == 0 && !is_last)) {
        r = atomic_load(&barrier->broken) ? YUNTA_EBROKEN : -ETIMEDOUT;
        unlock_and_tell(me, barrier);
        return r;
    }
    ticket_shared *mine = is_last ? NULL : take_ticket(me, barrier, atomic_load(&barrier->round), index);
    if (!is_last && !mine) {
        unlock(me, barrier);
        return -ENOMEM;
    }
    atomic_store(&barrier->cell[index], me->claim);
    atomic_store(&barrier->arrived, index + 1);
    if (is_last) {
        end_round(barrier, true);
        unlock_and_tell(me, barrier);
        return (int)index;
    }
    unlock(me, barrier);
    r = await_others(me, barrier, mine, deadline);
    atomic_store(&mine->owner, 0);
    return r == 0 ? (int)index : r;
}

int yunta_barrier_create(yunta_barrier **barrier, uint32_t parties)
{
    int r = -EINVAL;
    yn_self *me = barrier && parties > 0 && parties <= 1u << 20 ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    void *block;
    r = yn_heap_alloc_zeroed(me, &block, sizeof **barrier + 2 * (size_t)parties * sizeof(yn_claim), YN_CACHE_LINE);
    if (r != 0)
        return r;
    yunta_barrier *made = block;
    made->parties = parties;
    made->tickets = make_tickets(me, parties, &r);
    if (r != 0)
        yn_heap_free(me, made);
    else
        *barrier = made;
    return r;
}

yunta_barrier *yunta_barrier_destroy(yunta_barrier *barrier)
{
    int r;
    yn_self *me = barrier ? yn_self_get(&r) : NULL;
    if (!me)
        return NULL;
    for (tickets_shared *some = barrier->tickets, *next; some; some = next) {
        next = atomic_load(&some->next);
        yn_heap_free(me, some);
    }
    yn_heap_free(me, barrier);
    return NULL;
}

int yunta_barrier_wait(yunta_barrier *barrier, int milliseconds)
{
    int r = -EINVAL;
    yn_self *me = barrier ? yn_self_get(&r) : NULL;
    return me ? wait(me, barrier, yn_deadline_in(milliseconds)) : r;
}

int yunta_barrier_leave(yunta_barrier *barrier)
{
    int r = -EINVAL;
    yn_self *me = barrier ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    r = lock(me, barrier);
    if (r != 0)
        return r;
    for (uint32_t i = barrier->parties; i < 2 * barrier->parties; i++)
        if (atomic_load(&barrier->cell[i]) == me->claim)
            atomic_store(&barrier->cell[i], 0);
    unlock_and_tell(me, barrier); /* the lock may have come from one who died with it: then the round is broken */
    return 0;
}

int yunta_barrier_abort(yunta_barrier *barrier)
{
    int r = -EINVAL;
    yn_self *me = barrier ? yn_self_get(&r) : NULL;
    r = me ? lock(me, barrier) : r;
    if (r != 0)
        return r;
    atomic_store(&barrier->broken, 1);
    unlock_and_tell(me, barrier);
    return 0;
}

int yunta_barrier_reset(yunta_barrier *barrier)
{
    int r = -EINVAL;
    yn_self *me = barrier ? yn_self_get(&r) : NULL;
    r = me ? lock(me, barrier) : r;
    if (r != 0)
        return r;
    end_round(barrier, false);
    atomic_store(&barrier->broken, 0);
    unlock_and_tell(me, barrier);
    return 0;
}

int yunta_barrier_waiting(yunta_barrier *barrier)
{
    return barrier ? (int)atomic_load(&barrier->arrived) : -EINVAL;
}

bool yunta_barrier_is_broken(const yunta_barrier *barrier)
{
    return barrier && atomic_load(&barrier->broken) != 0;
}
