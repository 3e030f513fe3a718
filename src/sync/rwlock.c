/* The read–write lock: a lock for the writer, and a cell for each reader with its name on it.
 * Never counts readers: a number cannot say which of them has died.
 * Next: sync/README.md for the invariants; sync/lock.c, the writer's part. */
#include "shm/heap.h"
#include "sync/waits.h"

#include <yunta/rwlock.h>

#define SEGMENTS 20
#define SEGMENT_CELLS(k) (UINT32_C(32) << (k))

struct yunta_rwlock {
    struct yunta_lock writer;
    _Atomic uint64_t inside;  /* the writer's claim, once the readers have left */
    yn_event_shared readers;  /* notified when one has left, for the writer */
    yn_event_shared released; /* by the writer, for readers */
    _Atomic(_Atomic uint64_t *) segment[SEGMENTS];
};

static int add_segment(yn_self *me, yunta_rwlock *lock, unsigned k)
{
    void *fresh;
    int r = yn_heap_alloc_zeroed(me, &fresh, sizeof(_Atomic uint64_t) * SEGMENT_CELLS(k), YN_CACHE_LINE);
    _Atomic uint64_t *none = NULL;
    if (r == 0 && !atomic_compare_exchange_strong(&lock->segment[k], &none, (_Atomic uint64_t *)fresh))
        yn_heap_free(me, fresh);
    return r;
}

/* NULL: there is none yet, or there can be none. No later one is there before it. */
static _Atomic uint64_t *segment_at(yunta_rwlock *lock, unsigned k)
{
    return k < SEGMENTS ? atomic_load(&lock->segment[k]) : NULL;
}

/* Changes a cell that holds `from` into `to`; begins where this process was likely to find one. */
static bool change_one(yn_self *me, yunta_rwlock *lock, uint64_t from, uint64_t to)
{
    _Atomic uint64_t *cells;
    for (unsigned k = 0; (cells = segment_at(lock, k)) != NULL; k++) {
        uint32_t count = SEGMENT_CELLS(k), first = yn_claim_slot(me->claim) % count;
        for (uint32_t i = 0; i < count; i++) {
            _Atomic uint64_t *cell = &cells[(first + i) % count];
            uint64_t found = from;
            /* Acquires: another thread of ours may have left by the cell that we came in by, and had come by a later
             * one */
            if (atomic_load_explicit(cell, memory_order_acquire) == from &&
                atomic_compare_exchange_strong(cell, &found, to))
                return true;
        }
    }
    return false;
}

/* Whether a reader that lives is left; the cells of the dead are emptied. */
static bool has_readers(yn_self *me, yunta_rwlock *lock)
{
    bool some = false;
    _Atomic uint64_t *cells;
    for (unsigned k = 0; (cells = segment_at(lock, k)) != NULL; k++) {
        for (uint32_t i = 0; i < SEGMENT_CELLS(k); i++) {
            uint64_t reader = atomic_load(&cells[i]);
            if (reader == 0)
                continue;
            if (yn_claim_is_alive(&me->arena->slots, reader))
                some = true;
            else
                atomic_compare_exchange_strong(&cells[i], &reader, 0);
        }
    }
    return some;
}

/* The cells of dead readers are for the next ones, too, if no writer has emptied them. */
static int enter(yn_self *me, yunta_rwlock *lock)
{
    if (change_one(me, lock, 0, me->claim))
        return 0;
    has_readers(me, lock);
    while (!change_one(me, lock, 0, me->claim)) {
        unsigned k = 0;
        while (segment_at(lock, k))
            k++;
        int r = k == SEGMENTS ? -EAGAIN : add_segment(me, lock, k);
        if (r != 0)
            return r;
    }
    return 0;
}

static bool leave(yn_self *me, yunta_rwlock *lock)
{
    if (!change_one(me, lock, me->claim, 0))
        return false;
    yn_event_notify_all(&lock->readers);
    return true;
}

static int await_readers(yn_self *me, yunta_rwlock *lock, yn_deadline deadline)
{
    yn_spin spin = {0, 0};
    for (int r = 0;;) {
        uint32_t key = yn_event_key(&lock->readers);
        yn_event_announce(&lock->readers);
        yn_full_fence_after_swap(); /* taking a lock is none: our claim stands before we look */
        if (!has_readers(me, lock))
            return 0;
        if (r != 0)
            return r;
        if (yn_spin_more(&spin, deadline == 0 ? 0 : yn_spin_ns()))
            continue;
        yn_wait_for(me, lock, YN_WAITS_READERS, deadline);
        r = yn_event_wait(me, &lock->readers, key, deadline);
    }
}

static int release_writer(yn_self *me, yunta_rwlock *lock)
{
    /* With something left in question we stay inside: who finds us dead before the next line is to be told. */
    if (!(atomic_load(&lock->writer.word) & YN_LOCK_DIED))
        atomic_store(&lock->inside, 0);
    int r = yn_lock_release(me, &lock->writer);
    yn_event_notify_all(&lock->released);
    return r;
}

/* Who died had the word, but had perhaps not been inside: then nothing is in question. */
static int take_writer(yn_self *me, yunta_rwlock *lock, yn_deadline deadline)
{
    if (!yn_seat_get(me))
        return -ENOMEM; /* now: with something in question there is no going back */
    int r = yn_lock_acquire_as(me, &lock->writer, deadline, YN_WAITS_WRITE);
    if (r != -EOWNERDEAD || atomic_load(&lock->inside) != 0)
        return r;
    yn_lock_mark_consistent(me, &lock->writer);
    return 0;
}

/* With the writer's word ours, `r` saying how: waits for the readers, and is inside. After a death inside there is no
 * reader but one that is about to see the word, and to go; yet it may have been stopped. So what was in question is
 * given back to the dead if time runs out: the next one is told, as we were. */
static int go_inside(yn_self *me, yunta_rwlock *lock, int r, yn_deadline deadline)
{
    int left = await_readers(me, lock, deadline);
    if (left == 0) {
        atomic_store(&lock->inside, me->claim);
        return r;
    }
    yn_lock_give_back(&lock->writer, atomic_load(&lock->inside)); /* nobody was inside, or the dead */
    yn_event_notify_all(&lock->released);
    return left;
}

static int acquire_write(yn_self *me, yunta_rwlock *lock, yn_deadline deadline)
{
    int r = take_writer(me, lock, deadline);
    return r == 0 || r == -EOWNERDEAD ? go_inside(me, lock, r, deadline) : r;
}

/* 0: read; 1: a writer has it, or waits for it; 2: it has died; YUNTA_EBROKEN. */
static int look(yn_self *me, yunta_rwlock *lock)
{
    uint64_t word = atomic_load(&lock->writer.word);
    if (yn_claim_who(word) == 0)
        return word & YN_LOCK_DIED ? YUNTA_EBROKEN : 0;
    return yn_claim_is_alive(&me->arena->slots, yn_claim_who(word)) ? 1 : 2;
}

/* The reader writes its cell, then looks at the writer's word; the writer writes its word, then looks at the cells;
 * each of it seq_cst, or with a full fence between: one of them sees the other, and it is the reader that goes back. */
static int try_read(yn_self *me, yunta_rwlock *lock)
{
    int r = look(me, lock);
    if (r != 0)
        return r;
    r = enter(me, lock);
    if (r != 0)
        return r;
    r = look(me, lock);
    if (r != 0)
        leave(me, lock);
    return r;
}

/* In place of a writer that is dead. 0: it had not been inside, and all is as before; else as acquire_write. */
static int replace_writer(yn_self *me, yunta_rwlock *lock, yn_deadline deadline)
{
    int r = take_writer(me, lock, deadline);
    if (r == 0)
        return release_writer(me, lock);
    return r == -EOWNERDEAD ? go_inside(me, lock, r, deadline) : r;
}

static int acquire_read(yn_self *me, yunta_rwlock *lock, yn_deadline deadline)
{
    yn_spin spin = {0, 0};
    int r = try_read(me, lock);
    for (int waited = 0; r > 0;) {
        uint32_t key = yn_event_key(&lock->released);
        yn_event_announce(&lock->released);
        r = try_read(me, lock);
        if (r == 2) {
            r = replace_writer(me, lock, deadline);
            r = r == 0 ? try_read(me, lock) : r;
        } else if (r == 1 && waited != 0) {
            return waited;
        } else if (r == 1 && !yn_spin_more(&spin, deadline == 0 ? 0 : yn_spin_ns())) {
            yn_wait_for(me, lock, YN_WAITS_READ, deadline);
            waited = yn_event_wait(me, &lock->released, key, deadline);
        }
    }
    return r;
}

_Static_assert(offsetof(struct yunta_rwlock, writer) == 0, "who waits for the writer's word waits for the whole");

int yn_rwlock_read_writer(yn_self *me, const void *object, yn_waits_seen *seen)
{
    yunta_rwlock *lock = (yunta_rwlock *)(uintptr_t)object;
    yn_claim writer = yn_claim_who(atomic_load(&lock->writer.word));
    return yn_waits_add_holder(me, seen, (yn_holder){.process = writer});
}

/* The dead do not count: their cells are emptied by who waits. */
int yn_rwlock_read_readers(yn_self *me, const void *object, yn_waits_seen *seen)
{
    yunta_rwlock *lock = (yunta_rwlock *)(uintptr_t)object;
    int r = 0;
    _Atomic uint64_t *cells;
    for (unsigned k = 0; r == 0 && (cells = segment_at(lock, k)) != NULL; k++) {
        if (!yn_waits_can_read(me, (void *)cells, sizeof *cells * SEGMENT_CELLS(k)))
            break;
        for (uint32_t i = 0; r == 0 && i < SEGMENT_CELLS(k); i++) {
            yn_claim reader = atomic_load(&cells[i]);
            if (yn_claim_is_alive(&me->arena->slots, reader))
                r = yn_waits_add_holder(me, seen, (yn_holder){.process = reader});
        }
    }
    return r;
}

int yunta_rwlock_create(yunta_rwlock **lock)
{
    int r = -EINVAL;
    yn_self *me = lock ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    void *block;
    r = yn_heap_alloc_zeroed(me, &block, sizeof **lock, YN_CACHE_LINE);
    if (r != 0)
        return r;
    yunta_rwlock *made = block;
    r = add_segment(me, made, 0);
    if (r != 0)
        yn_heap_free(me, made);
    else
        *lock = made;
    return r;
}

yunta_rwlock *yunta_rwlock_destroy(yunta_rwlock *lock)
{
    int r;
    yn_self *me = lock ? yn_self_get(&r) : NULL;
    if (!me)
        return NULL;
    _Atomic uint64_t *cells;
    for (unsigned k = 0; (cells = segment_at(lock, k)) != NULL; k++)
        yn_heap_free(me, (void *)cells);
    yn_heap_free(me, lock);
    return NULL;
}

int yunta_rwlock_acquire_read(yunta_rwlock *lock, int milliseconds)
{
    int r = -EINVAL;
    yn_self *me = lock ? yn_self_get(&r) : NULL;
    return me ? acquire_read(me, lock, yn_deadline_in(milliseconds)) : r;
}

int yunta_rwlock_acquire_write(yunta_rwlock *lock, int milliseconds)
{
    int r = -EINVAL;
    yn_self *me = lock ? yn_self_get(&r) : NULL;
    return me ? acquire_write(me, lock, yn_deadline_in(milliseconds)) : r;
}

int yunta_rwlock_mark_consistent(yunta_rwlock *lock)
{
    int r = -EINVAL;
    yn_self *me = lock ? yn_self_get(&r) : NULL;
    return me ? yn_lock_mark_consistent(me, &lock->writer) : r;
}

int yunta_rwlock_release(yunta_rwlock *lock)
{
    int r = -EINVAL;
    yn_self *me = lock ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    if (atomic_load(&lock->inside) == me->claim)
        return release_writer(me, lock);
    return leave(me, lock) ? 0 : -EPERM;
}
