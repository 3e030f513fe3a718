/* The latch: a count that is kept by who owes it, so that one that is killed breaks it instead of being waited for.
 * Never keeps the sum: a death between two numbers that belong together would make one of them wrong for ever.
 * Next: sync/README.md for the invariants; sync/barrier.c, for more than once. */
#include "shm/heap.h"
#include "sync/wait.h"

#include <yunta/latch.h>

/* What one process has taken. */
typedef struct debt_shared {
    _Atomic yn_claim who;    /* 0; or dead, owing nothing: to be had */
    _Atomic uint64_t taking; /* being taken: nobody knows yet whether there are so many */
    _Atomic uint64_t owed;
} debt_shared;

typedef struct debts_shared {
    struct debts_shared *next; /* older, and half as many */
    uint32_t count;
    debt_shared debt[];
} debts_shared;

enum { FIRST_DEBTS = 4 };

#define OPEN 1u
#define BROKEN 2u

struct yunta_latch {
    yn_event_shared changed; /* notified once it is decided */
    _Atomic uint32_t state;  /* 0; OPEN or BROKEN, and never again anything else */
    _Atomic uint64_t untaken;
    _Atomic(debts_shared *) debts;
};

/* Walks over all rows there are: from `all_debts` by `next_debt`, until that is NULL. */
typedef struct debts_walk {
    debts_shared *some;
    uint32_t next;
} debts_walk;

static debts_walk all_debts(yunta_latch *latch)
{
    return (debts_walk){atomic_load(&latch->debts), 0};
}

static debt_shared *next_debt(debts_walk *walk)
{
    if (walk->some && walk->next == walk->some->count)
        *walk = (debts_walk){walk->some->next, 0};
    return walk->some ? &walk->some->debt[walk->next++] : NULL;
}

/* The name is asked for a second time: it may be another one's by now, and the debt too. */
static bool is_left_by_the_dead(yn_self *me, debt_shared *debt)
{
    yn_claim who = atomic_load(&debt->who);
    if (yn_claim_is_alive(&me->arena->slots, who))
        return false;
    return (atomic_load(&debt->taking) != 0 || atomic_load(&debt->owed) != 0) && atomic_load(&debt->who) == who;
}

/* Never too low. */
static uint64_t pending(yunta_latch *latch)
{
    uint64_t sum = atomic_load(&latch->untaken);
    debts_walk walk = all_debts(latch);
    for (debt_shared *debt; (debt = next_debt(&walk));) {
        sum += atomic_load(&debt->taking);
        sum += atomic_load(&debt->owed);
    }
    return sum;
}

static uint32_t decide(yunta_latch *latch, uint32_t as)
{
    uint32_t state = 0;
    return atomic_compare_exchange_strong(&latch->state, &state, as) ? as : state;
}

/* The state, decided here if that can be. */
static uint32_t look(yn_self *me, yunta_latch *latch)
{
    uint32_t state = atomic_load(&latch->state);
    if (state != 0)
        return state;
    debts_walk walk = all_debts(latch);
    for (debt_shared *debt; (debt = next_debt(&walk));)
        if (is_left_by_the_dead(me, debt))
            return decide(latch, BROKEN);
    return pending(latch) == 0 ? decide(latch, OPEN) : 0;
}

/* By who has changed the sum: whoever has decided it may not come to telling the others. */
static void look_and_tell(yn_self *me, yunta_latch *latch)
{
    if (look(me, latch) != 0)
        yn_event_notify_all(&latch->changed);
}

static debt_shared *find_own(yn_self *me, yunta_latch *latch)
{
    debts_walk walk = all_debts(latch);
    for (debt_shared *debt; (debt = next_debt(&walk));)
        if (atomic_load(&debt->who) == me->claim)
            return debt;
    return NULL;
}

static bool make_own(yn_self *me, debt_shared *debt)
{
    yn_claim who = atomic_load(&debt->who);
    if (yn_claim_is_alive(&me->arena->slots, who) || is_left_by_the_dead(me, debt))
        return false;
    return atomic_compare_exchange_strong(&debt->who, &who, me->claim);
}

/* More rows, in front of those there are. Who dies before they stand there has lost them. */
static bool grow(yn_self *me, yunta_latch *latch, debts_shared *seen)
{
    uint32_t count = seen ? 2 * seen->count : FIRST_DEBTS;
    void *block;
    if (yn_heap_alloc_zeroed(me, &block, sizeof *seen + count * sizeof seen->debt[0], YN_CACHE_LINE) != 0)
        return false;
    debts_shared *fresh = block;
    fresh->count = count;
    fresh->next = seen;
    if (!atomic_compare_exchange_strong(&latch->debts, &seen, fresh))
        yn_heap_free(me, fresh); /* another was faster */
    return true;
}

/* This process's row; two threads may make one each, and both count. NULL: no memory. */
static debt_shared *get_own(yn_self *me, yunta_latch *latch)
{
    debt_shared *own = find_own(me, latch);
    if (own)
        return own;
    for (;;) {
        debts_shared *seen = atomic_load(&latch->debts);
        debts_walk walk = all_debts(latch);
        for (debt_shared *debt; (debt = next_debt(&walk));)
            if (make_own(me, debt))
                return debt;
        if (!grow(me, latch, seen))
            return NULL;
    }
}

static bool take_off(_Atomic uint64_t *number, uint64_t n)
{
    uint64_t found = atomic_load(number);
    while (found >= n) {
        if (atomic_compare_exchange_weak(number, &found, found - n))
            return true;
    }
    return false;
}

/* Up to n of it; how many. */
static uint64_t take_off_some(_Atomic uint64_t *number, uint64_t n)
{
    uint64_t found = atomic_load(number), off;
    do {
        off = found < n ? found : n;
    } while (off > 0 && !atomic_compare_exchange_weak(number, &found, found - off));
    return off;
}

/* In this order: the sum is too high meanwhile, never too low; and who dies over it owes it. */
static int take(yn_self *me, yunta_latch *latch, uint64_t n)
{
    if (look(me, latch) == BROKEN)
        return YUNTA_EBROKEN;
    if (atomic_load(&latch->untaken) < n)
        return -EOVERFLOW;
    debt_shared *own = get_own(me, latch);
    if (!own)
        return -ENOMEM;
    atomic_fetch_add(&own->taking, n);
    bool taken = take_off(&latch->untaken, n);
    if (taken)
        atomic_fetch_add(&own->owed, n);
    atomic_fetch_sub(&own->taking, n);
    look_and_tell(me, latch); /* others may have found it too high */
    return taken ? 0 : -EOVERFLOW;
}

static uint64_t owed_by_us(yn_self *me, yunta_latch *latch)
{
    uint64_t sum = 0;
    debts_walk walk = all_debts(latch);
    for (debt_shared *debt; (debt = next_debt(&walk));)
        if (atomic_load(&debt->who) == me->claim)
            sum += atomic_load(&debt->owed);
    return sum;
}

/* What is left of n. */
static uint64_t pay(yn_self *me, yunta_latch *latch, uint64_t n)
{
    debts_walk walk = all_debts(latch);
    for (debt_shared *debt; (debt = next_debt(&walk));)
        if (atomic_load(&debt->who) == me->claim)
            n -= take_off_some(&debt->owed, n);
    return n;
}

/* First what nobody has taken: who dies in the middle still owes the rest. */
static int count_down(yn_self *me, yunta_latch *latch, uint64_t n)
{
    if (look(me, latch) == BROKEN)
        return YUNTA_EBROKEN;
    uint64_t owed = owed_by_us(me, latch), beyond = n > owed ? n - owed : 0;
    if (beyond > 0 && !take_off(&latch->untaken, beyond))
        return -EOVERFLOW;
    uint64_t left = pay(me, latch, n - beyond); /* another thread of ours may have paid what we saw */
    left -= take_off_some(&latch->untaken, left);
    look_and_tell(me, latch);
    return left == 0 ? 0 : -EOVERFLOW;
}

static int wait(yn_self *me, yunta_latch *latch, yn_deadline deadline)
{
    for (int r = 0;;) {
        uint32_t key = yn_event_key(&latch->changed);
        yn_event_announce(&latch->changed);
        uint32_t state = look(me, latch);
        if (state != 0)
            return state == OPEN ? 0 : YUNTA_EBROKEN;
        if (r != 0)
            return r;
        r = yn_event_wait(me, &latch->changed, key, deadline);
    }
}

int yunta_latch_create(yunta_latch **latch, uint32_t count)
{
    int r = -EINVAL;
    yn_self *me = latch ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    void *block;
    r = yn_heap_alloc_zeroed(me, &block, sizeof **latch, YN_CACHE_LINE);
    if (r != 0)
        return r;
    *latch = block;
    atomic_store(&(*latch)->untaken, count);
    return 0;
}

yunta_latch *yunta_latch_destroy(yunta_latch *latch)
{
    int r;
    yn_self *me = latch ? yn_self_get(&r) : NULL;
    if (!me)
        return NULL;
    for (debts_shared *some = atomic_load(&latch->debts), *next; some; some = next) {
        next = some->next;
        yn_heap_free(me, some);
    }
    yn_heap_free(me, latch);
    return NULL;
}

int yunta_latch_take(yunta_latch *latch, uint32_t n)
{
    int r = -EINVAL;
    yn_self *me = latch ? yn_self_get(&r) : NULL;
    return me ? take(me, latch, n) : r;
}

int yunta_latch_count_down(yunta_latch *latch, uint32_t n)
{
    int r = -EINVAL;
    yn_self *me = latch ? yn_self_get(&r) : NULL;
    return me ? count_down(me, latch, n) : r;
}

int yunta_latch_wait(yunta_latch *latch, int milliseconds)
{
    int r = -EINVAL;
    yn_self *me = latch ? yn_self_get(&r) : NULL;
    return me ? wait(me, latch, yn_deadline_in(milliseconds)) : r;
}

int yunta_latch_arrive_and_wait(yunta_latch *latch, uint32_t n, int milliseconds)
{
    int r = yunta_latch_count_down(latch, n);
    return r == 0 ? yunta_latch_wait(latch, milliseconds) : r;
}

int yunta_latch_abort(yunta_latch *latch)
{
    int r = -EINVAL;
    yn_self *me = latch ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    if (look(me, latch) == 0)
        decide(latch, BROKEN);
    yn_event_notify_all(&latch->changed);
    return 0;
}

int64_t yunta_latch_pending(yunta_latch *latch)
{
    int r = -EINVAL;
    yn_self *me = latch ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    return look(me, latch) == OPEN ? 0 : (int64_t)pending(latch);
}

bool yunta_latch_is_broken(yunta_latch *latch)
{
    int r;
    yn_self *me = latch ? yn_self_get(&r) : NULL;
    return me && look(me, latch) == BROKEN;
}
