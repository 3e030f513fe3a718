/* Waiting: the one way in which anything here sleeps.
 *
 *     yn_wait_prepare(me, word, expected, kind);   the seat says what we are about to sleep on
 *     … look again: at the condition, at whether the owner lives …
 *     yn_wait_commit(me, deadline)  or  yn_wait_cancel(me)
 *
 * Whoever declares a death does it first and then reads the seats; we write the seat first and then look. So either we
 * see the death, or our seat is seen: then our word is changed and we are woken. A woken sleeper knows nothing: it
 * looks again. */
#ifndef YN_WAIT_H
#define YN_WAIT_H

#include "shm/self.h"

/* Defined in proc/team.c: what a sleeper does now and then, in case the watch itself has been killed; and how the watch
 * is asked to ring a doorbell. */
typedef struct yn_wait_upcalls {
    void (*check_watch)(yn_self *me);
    void (*ring)(uint64_t number);
    bool (*overdue)(yn_self *me); /* sync/deadlock.h */
    yn_claim (*process_of)(const void *record);
    const char *(*name_of)(const void *record);
} yn_wait_upcalls;
extern yn_wait_upcalls yn_wait_up;

/* What one sleeps for, where that can have a holder: noted in the seat for who looks for deadlocks (sync/waits.h), by
 * the address of the object, which is a multiple of 16, with one of these, and whether there is a time limit. */
typedef enum yn_waits {
    YN_WAITS_NOBODY = 0, /* anything else */
    YN_WAITS_LOCK,
    YN_WAITS_RECURSIVE_LOCK,
    YN_WAITS_READ,
    YN_WAITS_WRITE,   /* for the writer's word */
    YN_WAITS_READERS, /* for the readers to leave */
    YN_WAITS_SEMAPHORE,
    YN_WAITS_ONCE,
    YN_WAITS_PROCESS,
    YN_WAITS_KINDS
} yn_waits;

#define YN_WAITS_MASK UINT64_C(15)
#define YN_WAITS_LIMITED (UINT64_C(1) << 63)

/* Right before one of the next ones; of the thread's own, so for nothing. */
static inline void yn_wait_for(yn_self *me, const void *object, yn_waits kind, yn_deadline deadline)
{
    me->waits = (uint64_t)(uintptr_t)object | (uint64_t)kind | (deadline == YN_NEVER ? 0 : YN_WAITS_LIMITED);
}

/* -ENOMEM if the thread can have no seat. */
int yn_wait_prepare(yn_self *me, _Atomic uint32_t *word, uint32_t expected, yn_nudge kind);
void yn_wait_cancel(yn_self *me);

/* Sleeps while *word == expected. 0: look again; -ETIMEDOUT: the deadline has passed. */
int yn_wait_commit(yn_self *me, yn_deadline deadline);

/* prepare and commit in one, for a caller who has looked already, and looks again after a 0. */
int yn_wait_on(yn_self *me, _Atomic uint32_t *word, uint32_t expected, yn_deadline deadline);

/* Changes a word that is waited on by yn_wait_on, and wakes all. */
void yn_wait_announce_change(_Atomic uint32_t *word);

/* The half of a claim word that can be slept on. */
static inline _Atomic uint32_t *yn_claim_futex(_Atomic uint64_t *word)
{
    return (_Atomic uint32_t *)(void *)word; /* both machines are little-endian */
}

/* After a death that is declared and counted, for every live slot: changes the word of each seat whose thread went to
 * sleep before that, and wakes it. How many. */
uint32_t yn_wait_nudge_all(yn_arena_shared *arena);

/* Spinning, bounded in time: yn_spin_more is true until about `ns` have passed since the first call. */
typedef struct yn_spin {
    uint64_t end;
    uint32_t count; /* of looks; or ns to the next one */
} yn_spin;

static inline bool yn_spin_more(yn_spin *spin, uint64_t ns)
{
    if (ns == 0)
        return false;
    if (++spin->count % 16 == 0) { /* not at once: what is waited for is mostly there before the clock is read */
        uint64_t now = yn_now_ns();
        if (spin->end == 0)
            spin->end = now + ns;
        else if (now >= spin->end)
            return false;
    }
    yn_pause();
    return true;
}

/* The same where each look takes a cache line from who is at work on it: from look to look it leaves it alone for twice
 * as long, up to YN_SPIN_APART_NS. */
#define YN_SPIN_APART_NS 200u
bool yn_spin_apart(yn_spin *spin, uint64_t ns);

/* How long it is worth spinning for a short wait: nothing with one processor. */
uint64_t yn_spin_ns(void);

/* Eventcount: sleepers wait for "something has changed" with a condition of their own.
 *
 *     uint32_t key = yn_event_key(e);             before looking
 *     if (condition) …
 *     yn_event_wait(me, e, key, deadline)         returns at once if anything was notified since
 *
 * The notifier publishes first, then notifies. The notifier and the woken may die at any point: a death nudges all
 * seats. */
typedef struct yn_event_shared {
    _Atomic uint32_t sequence;
    _Atomic uint32_t waiters; /* somebody may sleep, or listen. Only a hint to skip the wake; never a count */
} yn_event_shared;

#define YN_EVENT_SLEEPS 1u
#define YN_EVENT_LISTENS 2u /* sync/listen.h */

static inline uint32_t yn_event_key(yn_event_shared *event)
{
    uint32_t key = atomic_load(&event->sequence);
    return key;
}

/* To be called with the condition found false after yn_event_key: announces the sleeper, then the caller must look once
 * more. */
static inline void yn_event_announce(yn_event_shared *event)
{
    atomic_fetch_or(&event->waiters, YN_EVENT_SLEEPS);
}

/* The same for who listens. */
static inline void yn_event_announce_listener(yn_event_shared *event)
{
    atomic_fetch_or(&event->waiters, YN_EVENT_LISTENS);
}

/* Sleeps unless notified since `key`. 0: look again; -ETIMEDOUT; -ENOMEM. */
int yn_event_wait(yn_self *me, yn_event_shared *event, uint32_t key, yn_deadline deadline);

/* Wakes so many sleepers, and tells all listeners. */
void yn_event_wake(yn_event_shared *event, int sleepers);

/* Wakes one sleeper. A woken sleeper that leaves something for others to do calls it again (the baton). */
static inline void yn_event_notify_one(yn_event_shared *event)
{
    yn_full_fence();
    if (YN_UNLIKELY(atomic_load_explicit(&event->waiters, memory_order_relaxed) != 0))
        yn_event_wake(event, 1);
}

static inline void yn_event_notify_all(yn_event_shared *event)
{
    yn_full_fence();
    if (atomic_load_explicit(&event->waiters, memory_order_relaxed) != 0)
        yn_event_wake(event, INT32_MAX);
}

/* How long spinning has been worth it lately for one kind of wait; all zero is a new one. Only hints: whoever comes
 * writes them.
 *
 * Who was last woken by somebody on the same processor does not spin at all: the other could not run. Two on different
 * ones that answer each other at once find each other spinning; but once both sleep, each takes longer to wake than the
 * other spins, and they would go on like that for ever. So after more and more waits that came to nothing one of them
 * spins for as long as a wake takes. */
typedef struct yn_patience_shared {
    _Atomic uint32_t ns;     /* 0: not known yet */
    _Atomic uint32_t misses; /* waits in a row whose end spinning did not see */
    _Atomic uint32_t waker;  /* where a sleeper was last woken from, as yn_processor says */
} yn_patience_shared;

uint32_t yn_patience_ns(const yn_patience_shared *patience);
void yn_patience_note(yn_patience_shared *patience, bool was_worth_it);
void yn_patience_wake(yn_patience_shared *patience, yn_event_shared *event);

/* Spins until `is_worth_it`, or no longer than has paid. Whether it is. */
static inline bool yn_patience_spin(yn_patience_shared *patience, bool (*is_worth_it)(const void *), const void *of)
{
    bool worth = is_worth_it(of);
    uint32_t ns = worth ? 0 : yn_patience_ns(patience);
    yn_spin spin = {0, 0};
    while (!worth && yn_spin_more(&spin, ns))
        worth = is_worth_it(of);
    if (worth || ns > 0)
        yn_patience_note(patience, worth);
    return worth;
}

/* yn_event_notify_one, for those who wait with such patience. */
static inline void yn_patience_notify_one(yn_patience_shared *patience, yn_event_shared *event)
{
    yn_full_fence();
    if (YN_UNLIKELY(atomic_load_explicit(&event->waiters, memory_order_relaxed) != 0))
        yn_patience_wake(patience, event);
}

#endif
