/* Guard: the lock of those who write to a container, which hides the deaths of its owners: the next one puts right what
 * the dead one left, and nobody is told.
 *
 * What a guard protects is changed by single stores, each of which leaves it whole; so repairing is only tidying up. A
 * repair may be done twice: who dies over it leaves it to the next one. */
#ifndef YN_GUARD_H
#define YN_GUARD_H

#include "sync/lock.h"

/* Puts right what a dead owner of the guard has left. */
typedef void yn_repair(yn_self *me, void *what);

/* 0; -ENOMEM (no seat to wait in); -ETIMEDOUT. */
static inline int yn_guard_enter_by(yn_self *me, struct yunta_lock *guard, yn_deadline deadline, yn_repair *repair,
                                    void *what)
{
    int r = yn_lock_acquire(me, guard, deadline);
    if (YN_LIKELY(r != -EOWNERDEAD))
        return r;
    repair(me, what);
    yn_lock_mark_consistent(me, guard);
    return 0;
}

static inline int yn_guard_enter(yn_self *me, struct yunta_lock *guard, yn_repair *repair, void *what)
{
    return yn_guard_enter_by(me, guard, YN_NEVER, repair, what);
}

static inline void yn_guard_leave(yn_self *me, struct yunta_lock *guard)
{
    yn_lock_release(me, guard);
}

static inline bool yn_guard_is_open(const struct yunta_lock *guard)
{
    return atomic_load(&guard->word) == 0;
}

/* Versions: a writer raises the version after it has taken something out of readers' sight and before it frees it. A
 * reader reads the version, then the rest, then the version again: if it is the same, nothing that it has seen had been
 * freed while it looked. What it has seen otherwise means nothing, but memory of the arena can always be read. */
static inline uint64_t yn_version_read(const _Atomic uint64_t *version)
{
    return atomic_load_explicit(version, memory_order_acquire);
}

static inline bool yn_version_holds(const _Atomic uint64_t *version, uint64_t seen)
{
    yn_acquire_fence();
    return atomic_load_explicit(version, memory_order_relaxed) == seen;
}

/* By the guard's owner. What it stores afterwards, into what it has freed and got again too, is seen by nobody who has
 * not seen this. */
static inline void yn_version_raise(_Atomic uint64_t *version)
{
    atomic_store_explicit(version, atomic_load_explicit(version, memory_order_relaxed) + 1, memory_order_release);
    yn_release_fence();
}

/* A look of a reader that has no guard: what it found, or YN_OVERTAKEN: something was freed meanwhile, so look again.
 */
enum { YN_OVERTAKEN = 1 };
typedef int yn_look(void *what);

/* One look with the guard, unless that cannot be had within a millisecond: who has it may be stopped, but then nobody
 * overtakes. */
int yn_look_guarded(yn_look *look, void *what, struct yunta_lock *guard, yn_repair *repair);

/* Looks until nobody has overtaken. Each time that somebody has, somebody has gone on. `look` and `repair` get `what`.
 */
YN_ALWAYS_INLINE int yn_look_until(yn_look *look, void *what, struct yunta_lock *guard, yn_repair *repair)
{
    enum { TRIES = 100 };
    int r = YN_OVERTAKEN;
    while (r == YN_OVERTAKEN) {
        for (int i = 0; i < TRIES; i++) {
            r = look(what);
            if (YN_LIKELY(r != YN_OVERTAKEN))
                return r;
        }
        r = yn_look_guarded(look, what, guard, repair);
    }
    return r;
}

#endif
