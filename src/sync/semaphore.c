/* The semaphore: every unit is a cell with the name of who holds it, so that a death gives it back.
 * Never counts its waiters, never keeps a number that a death could make wrong for ever.
 * Next: sync/README.md for the invariants; sync/lock.c for the same idea with one unit. */
#include "shm/heap.h"
#include "sync/waits.h"

#include <yunta/sync.h>

/* A cell: 0, a unit to be had; a claim, a unit held; ABSENT, no unit yet; NEVER, beyond the maximum. */
#define ABSENT UINT64_C(1)
#define NEVER UINT64_C(3)
#define SEGMENTS 28
#define SEGMENT_CELLS(k) (UINT32_C(16) << (k))

struct yunta_semaphore {
    yn_event_shared released;
    yn_patience_shared patience;
    uint32_t maximum; /* 0: none */
    uint32_t unowned;
    _Atomic uint64_t units; /* of an unowned semaphore */
    _Atomic uint32_t last;  /* a hint: where a unit was last released */
    _Atomic(_Atomic uint64_t *) segment[SEGMENTS];
};

static int add_segment(yn_self *me, yunta_semaphore *semaphore, unsigned k)
{
    size_t size = sizeof(_Atomic uint64_t) * SEGMENT_CELLS(k);
    _Atomic uint64_t *fresh = yn_heap_alloc(me, size, YN_CACHE_LINE), *none = NULL;
    if (!fresh)
        return -ENOMEM;
    uint32_t first = 16 * ((1u << k) - 1);
    for (uint32_t i = 0; i < SEGMENT_CELLS(k); i++)
        atomic_init(&fresh[i], semaphore->maximum && first + i >= semaphore->maximum ? NEVER : ABSENT);
    if (!atomic_compare_exchange_strong(&semaphore->segment[k], &none, fresh))
        yn_heap_free(me, (void *)fresh);
    return 0;
}

static _Atomic uint64_t *cell_at(yunta_semaphore *semaphore, uint32_t number)
{
    unsigned k = 31u - (unsigned)__builtin_clz(number / 16 + 1);
    _Atomic uint64_t *segment = atomic_load(&semaphore->segment[k]);
    return segment ? segment + (number - 16 * ((1u << k) - 1)) : NULL;
}

static unsigned segment_count(yunta_semaphore *semaphore)
{
    unsigned k = 0;
    while (k < SEGMENTS && atomic_load(&semaphore->segment[k]))
        k++;
    return k;
}

static uint32_t cell_count(yunta_semaphore *semaphore)
{
    return 16 * ((1u << segment_count(semaphore)) - 1);
}

/* Changes one cell that holds `from` into `to`, looking from number `first` on. True if there was one. */
static bool change_one(yunta_semaphore *semaphore, uint32_t first, uint64_t from, uint64_t to)
{
    uint32_t count = cell_count(semaphore);
    for (uint32_t i = 0;; i++) {
        if (i == count) { /* all of them: there may be more by now, behind the last */
            first = 0;
            count = cell_count(semaphore);
            if (i == count)
                return false;
        }
        uint32_t number = first + i < count ? first + i : first + i - count;
        _Atomic uint64_t *cell = cell_at(semaphore, number);
        uint64_t found = atomic_load(cell);
        if (found != from || !atomic_compare_exchange_strong(cell, &found, to))
            continue;
        atomic_store_explicit(&semaphore->last, number, memory_order_relaxed);
        return true;
    }
}

static bool change_from_hint(yunta_semaphore *semaphore, uint64_t from, uint64_t to)
{
    return change_one(semaphore, atomic_load_explicit(&semaphore->last, memory_order_relaxed), from, to);
}

/* Takes a unit over from a process that died with it. */
static bool inherit_one(yn_self *me, yunta_semaphore *semaphore)
{
    uint32_t count = cell_count(semaphore);
    for (uint32_t i = 0; i < count; i++) {
        _Atomic uint64_t *cell = cell_at(semaphore, i);
        uint64_t found = atomic_load(cell);
        if (found == 0 || (found & YN_CLAIM_FLAGS) || yn_claim_is_alive(&me->arena->slots, found))
            continue;
        if (atomic_compare_exchange_strong(cell, &found, me->claim))
            return true;
    }
    return false;
}

static bool take_unowned(yunta_semaphore *semaphore)
{
    uint64_t units = atomic_load(&semaphore->units);
    while (units > 0) {
        if (atomic_compare_exchange_weak(&semaphore->units, &units, units - 1))
            return true;
    }
    return false;
}

/* 0, -EOWNERDEAD, or 1: none to be had. */
static int try_acquire(yn_self *me, yunta_semaphore *semaphore)
{
    if (semaphore->unowned)
        return take_unowned(semaphore) ? 0 : 1;
    if (change_from_hint(semaphore, 0, me->claim))
        return 0;
    return inherit_one(me, semaphore) ? -EOWNERDEAD : 1;
}

/* Nothing found, and no time left. A unit may have moved past us while we looked, taken where we had yet to look and
 * given back where we had looked before; but that was then notified, since we had announced ourselves. */
static bool is_over(yunta_semaphore *semaphore, uint32_t key, yn_deadline deadline)
{
    return yn_deadline_left(deadline) == 0 && yn_event_key(&semaphore->released) == key;
}

/* A cheap look for those who spin. */
static bool seems_free(const void *of)
{
    yunta_semaphore *semaphore = (yunta_semaphore *)(uintptr_t)of;
    if (semaphore->unowned)
        return atomic_load_explicit(&semaphore->units, memory_order_relaxed) > 0;
    _Atomic uint64_t *cell = cell_at(semaphore, atomic_load_explicit(&semaphore->last, memory_order_relaxed));
    return atomic_load_explicit(cell, memory_order_relaxed) == 0;
}

static bool has_free_unit(yunta_semaphore *semaphore)
{
    if (semaphore->unowned)
        return atomic_load(&semaphore->units) > 0;
    uint32_t count = cell_count(semaphore);
    for (uint32_t i = 0; i < count; i++)
        if (atomic_load(cell_at(semaphore, i)) == 0)
            return true;
    return false;
}

static int acquire(yn_self *me, yunta_semaphore *semaphore, yn_deadline deadline)
{
    bool slept = false;
    int r;
    while ((r = try_acquire(me, semaphore)) == 1) {
        if (deadline != 0 && yn_patience_spin(&semaphore->patience, seems_free, semaphore))
            continue;
        uint32_t key = yn_event_key(&semaphore->released);
        yn_event_announce(&semaphore->released);
        r = try_acquire(me, semaphore);
        if (r != 1)
            break;
        if (is_over(semaphore, key, deadline))
            return -ETIMEDOUT;
        yn_wait_for(me, semaphore, YN_WAITS_SEMAPHORE, deadline);
        if (yn_event_wait(me, &semaphore->released, key, deadline) == -ENOMEM)
            return -ENOMEM;
        slept = true;
    }
    if (slept && has_free_unit(semaphore)) /* one wake may have stood for several releases */
        yn_event_notify_one(&semaphore->released);
    return r;
}

static int add_unit(yn_self *me, yunta_semaphore *semaphore)
{
    while (!change_from_hint(semaphore, ABSENT, 0)) {
        unsigned k = segment_count(semaphore);
        bool full = k == SEGMENTS || (semaphore->maximum && cell_count(semaphore) >= semaphore->maximum);
        int r = full ? -EOVERFLOW : add_segment(me, semaphore, k);
        if (r != 0)
            return r;
    }
    return 0;
}

static int release(yn_self *me, yunta_semaphore *semaphore)
{
    int r = 0;
    if (semaphore->unowned) {
        uint64_t units = atomic_load(&semaphore->units), most = semaphore->maximum ? semaphore->maximum : INT32_MAX;
        do {
            if (units >= most)
                return -EOVERFLOW;
        } while (!atomic_compare_exchange_weak(&semaphore->units, &units, units + 1));
    } else if (!change_one(semaphore, 0, me->claim, 0)) { /* README.md says why in this order */
        r = add_unit(me, semaphore);
    }
    if (r == 0)
        yn_patience_notify_one(&semaphore->patience, &semaphore->released);
    return r;
}

static int fill(yn_self *me, yunta_semaphore *semaphore, uint32_t units)
{
    if (semaphore->unowned) {
        atomic_store(&semaphore->units, units);
        return 0;
    }
    unsigned k = 0;
    int r;
    do
        r = add_segment(me, semaphore, k++);
    while (r == 0 && cell_count(semaphore) < units);
    for (uint32_t i = 0; r == 0 && i < units; i++)
        atomic_store(cell_at(semaphore, i), 0);
    return r;
}

/* A unit that is free, or a dead one's, is a process that is not alive; an unowned semaphore's units are nobody's. */
int yn_semaphore_read_holders(yn_self *me, const void *object, yn_waits_seen *seen)
{
    yunta_semaphore *semaphore = (yunta_semaphore *)(uintptr_t)object;
    int r = 0;
    unsigned count = segment_count(semaphore);
    for (unsigned k = 0; r == 0 && k < count; k++) {
        _Atomic uint64_t *cells = atomic_load(&semaphore->segment[k]);
        if (!yn_waits_can_read(me, (void *)cells, sizeof *cells * SEGMENT_CELLS(k)))
            return r;
        for (uint32_t i = 0; r == 0 && i < SEGMENT_CELLS(k); i++) {
            uint64_t cell = atomic_load(&cells[i]);
            if (cell != ABSENT && cell != NEVER)
                r = yn_waits_add_holder(me, seen, (yn_holder){.process = cell});
        }
    }
    return r;
}

int yunta_semaphore_create(yunta_semaphore **semaphore, const yunta_semaphore_options *options)
{
    yunta_semaphore_options o = options ? *options : (yunta_semaphore_options){.initial = 1};
    static const uint64_t zero[YN_COUNT(o.reserved)];
    if (!semaphore || (o.maximum && o.initial > o.maximum) || o.initial > INT32_MAX ||
        memcmp(o.reserved, zero, sizeof zero) != 0)
        return -EINVAL;
    int r;
    yn_self *me = yn_self_get(&r);
    if (!me)
        return r;
    void *block;
    r = yn_heap_alloc_zeroed(me, &block, sizeof **semaphore, YN_CACHE_LINE);
    if (r != 0)
        return r;
    yunta_semaphore *made = block;
    made->maximum = o.maximum;
    made->unowned = o.unowned;
    r = fill(me, made, o.initial);
    if (r != 0)
        yunta_semaphore_destroy(made);
    else
        *semaphore = made;
    return r;
}

yunta_semaphore *yunta_semaphore_destroy(yunta_semaphore *semaphore)
{
    int r;
    yn_self *me = semaphore ? yn_self_get(&r) : NULL;
    if (!me)
        return NULL;
    for (unsigned k = segment_count(semaphore); k-- > 0;)
        yn_heap_free(me, (void *)atomic_load(&semaphore->segment[k]));
    yn_heap_free(me, semaphore);
    return NULL;
}

int yunta_semaphore_acquire(yunta_semaphore *semaphore, int milliseconds)
{
    int r = -EINVAL;
    yn_self *me = semaphore ? yn_self_get(&r) : NULL;
    return me ? acquire(me, semaphore, yn_deadline_in(milliseconds)) : r;
}

int yunta_semaphore_release(yunta_semaphore *semaphore)
{
    int r = -EINVAL;
    yn_self *me = semaphore ? yn_self_get(&r) : NULL;
    return me ? release(me, semaphore) : r;
}

int yunta_semaphore_value(yunta_semaphore *semaphore)
{
    int r = -EINVAL;
    yn_self *me = semaphore ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    if (semaphore->unowned)
        return (int)atomic_load(&semaphore->units);
    uint32_t count = cell_count(semaphore);
    int units = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t found = atomic_load(cell_at(semaphore, i));
        units += found == 0 || (!(found & YN_CLAIM_FLAGS) && !yn_claim_is_alive(&me->arena->slots, found));
    }
    return units;
}
