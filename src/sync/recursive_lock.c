/* The recursive lock: a lock, and how often its thread has it.
 * Never looks at the depth of another thread's: it says something to the owner alone.
 * Next: sync/lock.c. */
#include "shm/heap.h"
#include "sync/lock.h"

#include <yunta/rwlock.h>

struct yunta_recursive_lock {
    struct yunta_lock lock;
    _Atomic uint64_t thread; /* of the process that has it: the address of what is a thread's own. 0: let go */
    uint32_t depth;          /* further times; the owner's */
};

static uint64_t this_thread(const yn_self *me)
{
    return (uint64_t)(uintptr_t)me;
}

/* A thread's address may be another process's thread's as well: both words must say that it is ours. */
static bool is_mine(yn_self *me, yunta_recursive_lock *lock)
{
    return yn_claim_who(atomic_load_explicit(&lock->lock.word, memory_order_relaxed)) == me->claim &&
           atomic_load_explicit(&lock->thread, memory_order_relaxed) == this_thread(me);
}

int yunta_recursive_lock_create(yunta_recursive_lock **lock)
{
    int r = -EINVAL;
    yn_self *me = lock ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    void *block;
    r = yn_heap_alloc_zeroed(me, &block, sizeof **lock, YN_CACHE_LINE);
    if (r == 0)
        *lock = block;
    return r;
}

yunta_recursive_lock *yunta_recursive_lock_destroy(yunta_recursive_lock *lock)
{
    int r;
    yn_self *me = lock ? yn_self_get(&r) : NULL;
    if (me)
        yn_heap_free(me, lock);
    return NULL;
}

int yunta_recursive_lock_acquire(yunta_recursive_lock *lock, int milliseconds)
{
    int r = -EINVAL;
    yn_self *me = lock ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    if (is_mine(me, lock)) {
        if (lock->depth == INT32_MAX - 1)
            return -EOVERFLOW;
        lock->depth++;
        return 0;
    }
    r = yn_lock_acquire(me, &lock->lock, yn_deadline_in(milliseconds));
    if (r == 0 || r == -EOWNERDEAD) {
        lock->depth = 0; /* the dead may have left something else */
        atomic_store_explicit(&lock->thread, this_thread(me), memory_order_relaxed);
    }
    return r;
}

int yunta_recursive_lock_mark_consistent(yunta_recursive_lock *lock)
{
    int r = -EINVAL;
    yn_self *me = lock ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    return is_mine(me, lock) ? yn_lock_mark_consistent(me, &lock->lock) : -EPERM;
}

int yunta_recursive_lock_release(yunta_recursive_lock *lock)
{
    int r = -EINVAL;
    yn_self *me = lock ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    if (!is_mine(me, lock))
        return -EPERM;
    if (lock->depth > 0) {
        lock->depth--;
        return 0;
    }
    atomic_store_explicit(&lock->thread, 0, memory_order_relaxed);
    return yn_lock_release(me, &lock->lock);
}
