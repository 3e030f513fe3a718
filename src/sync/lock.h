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

/* What a program has as a yunta_lock is one of these. */
typedef struct yn_noted_lock_shared {
    struct yunta_lock lock;
    _Atomic uint64_t thread; /* which one has it: noted if that is wanted, by who takes it; 0 before it lets go */
} yn_noted_lock_shared;

/* A thread as it is noted there: as much of its claim as there is room for, and the system's number for it. */
#define YN_LOCK_THREAD_MASK UINT64_C(0xffffff)
static inline uint64_t yn_lock_thread(yn_claim claim, uint32_t thread)
{
    return (claim >> 4) << 24 | (thread & YN_LOCK_THREAD_MASK);
}

/* For a program's lock that has been taken if `r` says so, by a process that notes holders. */
void yn_lock_note_taken(yn_self *me, struct yunta_lock *lock, int r);
void yn_lock_note_release(yn_self *me, struct yunta_lock *lock);

static inline bool yn_lock_is_to_be_noted(void)
{
    return YN_UNLIKELY(yn_self_brief() == 0);
}

/* 0, -EOWNERDEAD (taken as well), YUNTA_EBROKEN, -ETIMEDOUT, -ENOMEM. */
int yn_lock_acquire(yn_self *me, struct yunta_lock *lock, yn_deadline deadline);

/* The same for what is seen by programs: who sleeps says what for. */
int yn_lock_acquire_as(yn_self *me, struct yunta_lock *lock, yn_deadline deadline, yn_waits kind);
int yn_lock_release(yn_self *me, struct yunta_lock *lock); /* 0 or -EPERM */

/* The same for a lock inside of something, under which nobody sleeps. Who has no time left, or only tries, waits for
 * whoever is just at it, for 200 ms at least: else it would be told that there is no room, or nothing, while there is.
 * Nobody takes longer but who is stopped, or does not get a processor. */
int yn_lock_acquire_inside(yn_self *me, struct yunta_lock *lock, yn_deadline deadline);
int yn_lock_mark_consistent(yn_self *me, struct yunta_lock *lock);

/* Taken from a dead owner, and given back to one that died as well: the next one is told anew. By the owner alone. */
void yn_lock_give_back(struct yunta_lock *lock, yn_claim dead);

/* Somebody listens for the lock's being let go. To be looked at afterwards: if nobody has it, nothing is noted. */
void yn_lock_announce_listener(struct yunta_lock *lock);

#endif
