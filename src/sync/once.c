/* Once: something is done a single time, by a process that may die over it.
 * Never holds anything while the user's function runs but the word that says who runs it.
 * Next: sync/README.md for the invariants. */
#include "shm/heap.h"
#include "sync/thread.h"
#include "sync/waits.h"

#include <yunta/barrier.h>

#define DONE UINT64_C(1) /* no claim has this bit */

struct yunta_once {
    yn_event_shared changed;
    _Atomic uint64_t word; /* 0; the claim of who is at it; DONE */
    yn_thread_shared doer; /* which of its threads */
};

int yn_once_read_holder(yn_self *me, const void *object, yn_waits_seen *seen)
{
    yunta_once *once = (yunta_once *)(uintptr_t)object;
    yn_claim owner = yn_claim_who(atomic_load(&once->word));
    return yn_waits_add_holder(me, seen, (yn_holder){.process = owner, .self = yn_thread_of(owner, &once->doer)});
}

int yunta_once_create(yunta_once **once)
{
    int r = -EINVAL;
    yn_self *me = once ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    void *block;
    r = yn_heap_alloc_zeroed(me, &block, sizeof **once, YN_CACHE_LINE);
    if (r == 0)
        *once = block;
    return r;
}

yunta_once *yunta_once_destroy(yunta_once *once)
{
    int r;
    yn_self *me = once ? yn_self_get(&r) : NULL;
    if (me)
        yn_heap_free(me, once);
    return NULL;
}

/* 0: done; 1: ours to do; 2: ours, after a death; 3: another is at it. */
static int look(yn_self *me, yunta_once *once)
{
    uint64_t word = atomic_load(&once->word);
    for (;;) {
        if (word == DONE)
            return 0;
        if (yn_claim_is_alive(&me->arena->slots, word))
            return yn_thread_is_me(me, &once->doer) ? -EDEADLK : 3;
        bool again = word != 0;
        if (atomic_compare_exchange_strong(&once->word, &word, me->claim))
            return again ? 2 : 1;
    }
}

static int await_turn(yn_self *me, yunta_once *once, yn_deadline deadline)
{
    for (int r = 0;;) {
        uint32_t key = yn_event_key(&once->changed);
        yn_event_announce(&once->changed);
        int found = look(me, once);
        if (found != 3)
            return found;
        if (r != 0)
            return r;
        yn_wait_for(me, once, YN_WAITS_ONCE, deadline);
        r = yn_event_wait(me, &once->changed, key, deadline);
    }
}

int yunta_once_run(yunta_once *once, int (*call)(void *argument, bool again), void *argument, int milliseconds)
{
    if (!once || !call)
        return -EINVAL;
    if (atomic_load_explicit(&once->word, memory_order_acquire) == DONE)
        return 0;
    int r;
    yn_self *me = yn_self_get(&r);
    if (!me)
        return r;
    r = await_turn(me, once, yn_deadline_in(milliseconds));
    if (r <= 0)
        return r;
    yn_thread_set(me, &once->doer);
    r = call(argument, r == 2);
    yn_thread_clear(&once->doer);
    atomic_store(&once->word, r < 0 ? 0 : DONE);
    yn_event_notify_all(&once->changed);
    return r < 0 ? r : 0;
}
