/* Condition and event.
 * Never counts who waits: a number that a death makes wrong would keep a notifier waiting for the dead.
 * Next: sync/README.md for the invariants; sync/wait.h, the eventcount. */
#include "os/futex.h"
#include "shm/heap.h"
#include "sync/lock.h"

#include <yunta/condition.h>

/* Not an eventcount: there, two notifications may wake one sleeper, which then passes the baton on. Here each of them
 * must wake one, so the hint stays up until all are woken. */
struct yunta_condition {
    _Atomic uint32_t sequence;
    _Atomic uint32_t waiters; /* 1: somebody may sleep */
};

struct yunta_event {
    yn_event_shared changed;
    _Atomic uint32_t state; /* how often it has been set; the lowest bit: it is */
};

static int make(void **block, size_t size, bool is_valid)
{
    int r = -EINVAL;
    yn_self *me = is_valid ? yn_self_get(&r) : NULL;
    return me ? yn_heap_alloc_zeroed(me, block, size, YN_CACHE_LINE) : r;
}

static void unmake(void *block)
{
    int r;
    yn_self *me = block ? yn_self_get(&r) : NULL;
    if (me)
        yn_heap_free(me, block);
}

int yunta_condition_create(yunta_condition **condition)
{
    void *block = NULL;
    int r = make(&block, sizeof **condition, condition != NULL);
    if (r == 0)
        *condition = block;
    return r;
}

yunta_condition *yunta_condition_destroy(yunta_condition *condition)
{
    unmake(condition);
    return NULL;
}

/* With the lock held, which is let go meanwhile. */
static int wait(yn_self *me, yunta_condition *condition, yunta_lock *lock, yn_deadline deadline)
{
    if (!yn_seat_get(me))
        return -ENOMEM;
    uint32_t key = atomic_load(&condition->sequence);
    atomic_store(&condition->waiters, 1);
    if (yn_lock_is_to_be_noted())
        yn_lock_note_release(me, lock);
    int r = yn_lock_release(me, lock);
    if (r != 0)
        return r;
    /* Whoever changes what we wait for holds the lock, so comes after our release, and changes the sequence after it.
     */
    r = yn_wait_on(me, &condition->sequence, key, deadline);
    int taken = yn_lock_acquire_as(me, lock, YN_NEVER, YN_WAITS_LOCK);
    if (yn_lock_is_to_be_noted())
        yn_lock_note_taken(me, lock, taken);
    return taken != 0 ? taken : r;
}

int yunta_condition_wait(yunta_condition *condition, yunta_lock *lock, int milliseconds)
{
    int r = -EINVAL;
    yn_self *me = condition && lock ? yn_self_get(&r) : NULL;
    return me ? wait(me, condition, lock, yn_deadline_in(milliseconds)) : r;
}

int yunta_condition_wait_for(yunta_condition *condition, yunta_lock *lock, bool (*is_true)(void *argument),
                             void *argument, int milliseconds)
{
    int r = -EINVAL;
    yn_self *me = condition && lock && is_true ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    if (yn_claim_who(atomic_load(&lock->word)) != me->claim)
        return -EPERM;
    yn_deadline deadline = yn_deadline_in(milliseconds);
    for (r = 0; !is_true(argument);) {
        if (r != 0)
            return r;
        r = wait(me, condition, lock, deadline);
        if (r != 0 && r != -ETIMEDOUT)
            return r;
    }
    return 0;
}

/* Who has changed what is waited for has had the lock since the sleeper let it go, so finds its hint. */
static int notify(yunta_condition *condition, int sleepers)
{
    if (!condition)
        return -EINVAL;
    if (atomic_load(&condition->waiters) == 0)
        return 0;
    if (sleepers != 1)
        atomic_store(&condition->waiters, 0); /* who has not yet gone to sleep by the key does not, either */
    atomic_fetch_add(&condition->sequence, 1);
    yn_futex_wake(&condition->sequence, sleepers);
    return 0;
}

int yunta_condition_notify(yunta_condition *condition)
{
    return notify(condition, 1);
}

int yunta_condition_notify_all(yunta_condition *condition)
{
    return notify(condition, YN_WAKE_ALL);
}

int yunta_event_create(yunta_event **event)
{
    void *block = NULL;
    int r = make(&block, sizeof **event, event != NULL);
    if (r == 0)
        *event = block;
    return r;
}

yunta_event *yunta_event_destroy(yunta_event *event)
{
    unmake(event);
    return NULL;
}

int yunta_event_set(yunta_event *event)
{
    if (!event)
        return -EINVAL;
    uint32_t state = atomic_load(&event->state);
    while (!(state & 1) && !atomic_compare_exchange_weak(&event->state, &state, (state + 2) | 1)) {
    }
    yn_event_notify_all(&event->changed); /* also when it was set: by one who died before the next line, perhaps */
    return 0;
}

int yunta_event_clear(yunta_event *event)
{
    if (!event)
        return -EINVAL;
    atomic_fetch_and(&event->state, ~UINT32_C(1));
    return 0;
}

bool yunta_event_is_set(const yunta_event *event)
{
    return event && (atomic_load(&event->state) & 1);
}

int yunta_event_wait(yunta_event *event, int milliseconds)
{
    int r = -EINVAL;
    yn_self *me = event ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    yn_deadline deadline = yn_deadline_in(milliseconds);
    uint32_t before = atomic_load(&event->state);
    for (r = 0;;) {
        uint32_t key = yn_event_key(&event->changed);
        yn_event_announce(&event->changed);
        uint32_t state = atomic_load(&event->state);
        if ((state & 1) || state >> 1 != before >> 1)
            return 0;
        if (r != 0)
            return r;
        r = yn_event_wait(me, &event->changed, key, deadline);
    }
}
