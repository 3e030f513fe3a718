/* The recursive lock: a lock, and how often its thread has it.
 * Never looks at the depth of another thread's: it says something to the owner alone.
 * Next: sync/lock.c. */
#include "shm/heap.h"
#include "sync/lock.h"
#include "sync/thread.h"
#include "sync/waits.h"

#include <yunta/rwlock.h>

struct yunta_recursive_lock {
    struct yunta_lock lock;
    yn_thread_shared owner;
    uint32_t depth; /* further times; the owner's */
};

_Static_assert(offsetof(struct yunta_recursive_lock, lock) == 0, "who waits for the lock waits for the whole");

int yn_recursive_lock_read_holder(yn_self *me, const void *object, yn_waits_seen *seen)
{
    yunta_recursive_lock *lock = (yunta_recursive_lock *)(uintptr_t)object;
    yn_claim owner = yn_claim_who(atomic_load(&lock->lock.word));
    return yn_waits_add_holder(me, seen, (yn_holder){.process = owner, .self = yn_thread_of(owner, &lock->owner)});
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
    if (yn_thread_is_me(me, &lock->owner)) {
        if (lock->depth == INT32_MAX - 1)
            return -EOVERFLOW;
        lock->depth++;
        return 0;
    }
    r = yn_lock_acquire_as(me, &lock->lock, yn_deadline_in(milliseconds), YN_WAITS_RECURSIVE_LOCK);
    if (r == 0 || r == -EOWNERDEAD) {
        lock->depth = 0; /* the dead may have left something else */
        yn_thread_set(me, &lock->owner);
    }
    return r;
}

int yunta_recursive_lock_mark_consistent(yunta_recursive_lock *lock)
{
    int r = -EINVAL;
    yn_self *me = lock ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    return yn_thread_is_me(me, &lock->owner) ? yn_lock_mark_consistent(me, &lock->lock) : -EPERM;
}

int yunta_recursive_lock_release(yunta_recursive_lock *lock)
{
    int r = -EINVAL;
    yn_self *me = lock ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    if (!yn_thread_is_me(me, &lock->owner))
        return -EPERM;
    if (lock->depth > 0) {
        lock->depth--;
        return 0;
    }
    yn_thread_clear(&lock->owner);
    return yn_lock_release(me, &lock->lock);
}
