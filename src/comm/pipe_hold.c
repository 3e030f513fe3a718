/* Who holds an end of a pipe, and when nobody does any more.
 * Never says that an end is gone while somebody alive holds it, and never takes that back.
 * Next: comm/pipe.c; comm/README.md. */
#include "comm/pipe.h"
#include "proc/record.h"
#include "shm/heap.h"

#include <unistd.h>

int yn_pipe_lock(yn_self *me, struct yunta_lock *lock, yn_deadline deadline)
{
    int r = yn_lock_acquire_inside(me, lock, deadline);
    if (YN_UNLIKELY(r == -EOWNERDEAD))
        r = yn_lock_mark_consistent(me, lock);
    return r;
}

yn_hold_shared *yn_pipe_next_hold(yunta_pipe *end, yn_hold_shared *last)
{
    bool here = !last;
    for (yn_holds_shared *block = &end->holds; block; block = atomic_load(&block->next)) {
        if (here && block->count > 0)
            return &block->hold[0];
        if (last >= block->hold && last < block->hold + block->count) {
            if (last + 1 < block->hold + block->count)
                return last + 1;
            here = true;
        }
    }
    return NULL;
}

/* In each block from the cell on that the slot's number says, so that it is mostly the first. */
yn_hold_shared *yn_pipe_find(yunta_pipe *end, yn_claim who)
{
    for (yn_holds_shared *block = &end->holds; block; block = atomic_load(&block->next)) {
        uint32_t first = yn_claim_slot(who) % block->count;
        for (uint32_t i = 0; i < block->count; i++) {
            yn_hold_shared *hold = &block->hold[(first + i) % block->count];
            if ((atomic_load_explicit(&hold->who, memory_order_acquire) & ~YN_HOLD_CLOSED) == who)
                return hold;
        }
    }
    return NULL;
}

static bool is_held(yn_self *me, yunta_pipe *end)
{
    yn_hold_shared *hold = NULL;
    while ((hold = yn_pipe_next_hold(end, hold))) {
        yn_claim who = atomic_load(&hold->who);
        if (who != 0 && !(who & YN_HOLD_CLOSED) && yn_claim_is_alive(&me->arena->slots, who))
            return true;
    }
    return false;
}

/* Under the lock of the end: if nobody holds it, that is so for good, and all who wait at the other end are to know. */
static bool settle(yn_self *me, yunta_pipe *end)
{
    if (is_held(me, end))
        return false;
    atomic_store(&end->gone, 1);
    yn_event_notify_all(&yn_pipe_out(end)->filled);
    yn_event_notify_all(&yn_pipe_in(end)->room);
    return true;
}

bool yn_pipe_is_gone(yn_self *me, yunta_pipe *end, yn_deadline deadline)
{
    uint64_t deaths = atomic_load(&me->arena->deaths);
    if (atomic_load(&end->gone))
        return true;
    if (YN_LIKELY(atomic_load(&end->looked) == deaths))
        return false;
    /* Without the lock it may be about to be given by one whom we pass to one whom we have passed. */
    bool held = is_held(me, end);
    if (!held && yn_pipe_lock(me, &end->lock, deadline) == 0) {
        held = atomic_load(&end->gone) == 0 && !settle(me, end);
        yn_lock_release(me, &end->lock);
    }
    if (held)
        atomic_store(&end->looked, deaths);
    return atomic_load(&end->gone);
}

static yn_hold_shared *more_holds(yn_self *me, yunta_pipe *end)
{
    void *memory;
    if (yn_heap_alloc_zeroed(me, &memory, sizeof(yn_holds_shared) + YN_HOLDS_NEXT * sizeof(yn_hold_shared), 0) != 0)
        return NULL;
    yn_holds_shared *block = memory, *last = &end->holds;
    block->hold = (yn_hold_shared *)(void *)(block + 1);
    block->count = YN_HOLDS_NEXT;
    while (atomic_load(&last->next))
        last = atomic_load(&last->next);
    atomic_store(&last->next, block);
    return block->hold;
}

/* Under the lock: makes `who` a holder, in a cell of nobody's, or of the dead. 0 or -ENOMEM. */
static int enter(yn_self *me, yunta_pipe *end, yn_claim who, yn_hold_shared **result)
{
    yn_hold_shared *hold = NULL;
    while ((hold = yn_pipe_next_hold(end, hold))) {
        yn_claim other = atomic_load(&hold->who);
        if (other == 0 || !yn_claim_is_alive(&me->arena->slots, other))
            break;
    }
    if (!hold)
        hold = more_holds(me, end);
    if (!hold)
        return -ENOMEM;
    atomic_store(&hold->who, 0);
    atomic_store(&hold->door, 0);
    atomic_store(&hold->at_door.word, 0);
    atomic_store(&hold->mailbox, 0);
    atomic_store(&hold->visitor, 0);
    atomic_store(&hold->who, who);
    *result = hold;
    return 0;
}

static YN_NOINLINE int hold_slowly(yn_self *me, yunta_pipe *end, yn_hold_shared **hold, yn_deadline deadline)
{
    int r = yn_pipe_lock(me, &end->lock, deadline);
    if (r != 0)
        return r;
    *hold = yn_pipe_find(end, me->claim); /* by another of our threads, or given by another process */
    if (!*hold)
        r = atomic_load(&end->gone) || settle(me, end) ? -EBADF : enter(me, end, me->claim, hold);
    yn_lock_release(me, &end->lock);
    return r;
}

int yn_pipe_hold(yn_self *me, yunta_pipe *end, yn_hold_shared **hold, yn_deadline deadline)
{
    *hold = yn_pipe_find(end, me->claim);
    int r = YN_LIKELY(*hold != NULL) ? 0 : hold_slowly(me, end, hold, deadline);
    return r == 0 && (atomic_load_explicit(&(*hold)->who, memory_order_relaxed) & YN_HOLD_CLOSED) ? -EBADF : r;
}

void yn_pipe_close_mailbox(yn_hold_shared *hold)
{
    int32_t own[] = {atomic_exchange(&hold->visitor, 0), atomic_exchange(&hold->mailbox, 0)};
    atomic_store(&hold->door, 0);
    for (size_t i = 0; i < YN_COUNT(own); i++)
        if (own[i] > 0)
            close(own[i] - 1);
}

void yn_pipe_drop_holds(yn_self *me, yunta_pipe *end)
{
    yn_hold_shared *mine = yn_pipe_find(end, me->claim);
    if (mine)
        yn_pipe_close_mailbox(mine);
    for (yn_holds_shared *block = atomic_load(&end->holds.next); block;) {
        yn_holds_shared *next = atomic_load(&block->next);
        yn_heap_free(me, block);
        block = next;
    }
}

int yunta_pipe_open(yunta_pipe *end)
{
    int r = -EINVAL;
    yn_hold_shared *hold;
    yn_self *me = end ? yn_self_get(&r) : NULL;
    return me ? yn_pipe_hold(me, end, &hold, YN_NEVER) : r;
}

/* Under the lock. */
static int let_go(yn_self *me, yunta_pipe *end, yn_hold_shared *hold)
{
    if (atomic_load(&hold->who) & YN_HOLD_CLOSED)
        return -EBADF;
    atomic_fetch_or(&hold->who, YN_HOLD_CLOSED);
    settle(me, end);
    return 0;
}

/* The receiver first, then the giver: in between both hold it. */
static int hand_over(yn_self *me, yunta_pipe *end, yn_hold_shared *mine, yn_claim to)
{
    yn_hold_shared *other;
    if (atomic_load(&mine->who) & YN_HOLD_CLOSED)
        return -EBADF;
    if (to == me->claim)
        return 0;
    if (!yn_pipe_find(end, to) && yn_claim_is_alive(&me->arena->slots, to)) {
        int r = enter(me, end, to, &other);
        if (r != 0)
            return r;
    }
    return let_go(me, end, mine);
}

static int leave(yunta_pipe *end, yunta_process *process)
{
    int r = -EINVAL;
    yn_hold_shared *hold;
    yn_self *me = end ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    r = yn_pipe_hold(me, end, &hold, YN_NEVER);
    if (r == 0)
        r = yn_pipe_lock(me, &end->lock, YN_NEVER);
    if (r != 0)
        return r;
    r = process ? hand_over(me, end, hold, atomic_load(&process->who)) : let_go(me, end, hold);
    bool left = atomic_load(&hold->who) & YN_HOLD_CLOSED;
    yn_lock_release(me, &end->lock);
    if (left)
        yunta_pipe_close_descriptor(end);
    if (left && atomic_load(&hold->door) && yn_pipe_lock(me, &hold->at_door, YN_NEVER) == 0) {
        yn_pipe_close_mailbox(hold);
        yn_lock_release(me, &hold->at_door);
    }
    return r;
}

int yunta_pipe_give(yunta_pipe *end, yunta_process *process)
{
    return process ? leave(end, process) : -EINVAL;
}

int yunta_pipe_close(yunta_pipe *end)
{
    return leave(end, NULL);
}
