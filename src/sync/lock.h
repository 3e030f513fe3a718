/* Lock: one word that names its owner.
 *
 * Word: the owner's claim, with flags:  0 open;  owner | waiters | nudged | died | listens.
 * `died` with an owner: it took the lock from a dead one and has not yet marked it consistent. `died` without: broken
 * for ever. All zero is an open lock. */
#ifndef YN_LOCK_H
#define YN_LOCK_H

#include "sync/wait.h"

#include <yunta/sync.h>

#define YN_LOCK_WAITERS UINT64_C(1)
#define YN_LOCK_DIED UINT64_C(4)
#define YN_LOCK_LISTENS UINT64_C(8) /* somebody listens (sync/listen.h) */

struct yunta_lock {
    _Atomic uint64_t word;
};

/* 0, -EOWNERDEAD (taken as well), YUNTA_EBROKEN, -ETIMEDOUT, -ENOMEM. */
int yn_lock_acquire(yn_self *me, struct yunta_lock *lock, yn_deadline deadline);
int yn_lock_release(yn_self *me, struct yunta_lock *lock); /* 0 or -EPERM */
int yn_lock_mark_consistent(yn_self *me, struct yunta_lock *lock);

/* Taken from a dead owner, and given back to one that died as well: the next one is told anew. By the owner alone. */
void yn_lock_give_back(struct yunta_lock *lock, yn_claim dead);

/* Somebody listens for the lock's being let go. To be looked at afterwards: if nobody has it, nothing is noted. */
void yn_lock_announce_listener(struct yunta_lock *lock);

#endif
