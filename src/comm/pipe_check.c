/* Whether a pipe is as README.md says it always is. For tests: nobody may be using it meanwhile.
 * Never repairs what it looks at.
 * Next: comm/pipe.h. */
#include "comm/pipe.h"
#include "comm/tape.h"
#include "shm/heap.h"

static bool is_nobodys(yn_self *me, struct yunta_lock *lock)
{
    yn_claim owner = yn_claim_who(atomic_load(&lock->word));
    return owner == 0 || !yn_claim_is_alive(&me->arena->slots, owner);
}

/* The records fill the tape from head to tail exactly, and at most one of them is a block: that of `behind_block`. */
static bool are_records_sound(yn_self *me, yn_way_shared *way, uint64_t tail)
{
    int blocks = 0;
    uint64_t p = atomic_load(&way->head);
    while (p < tail) {
        uint64_t head;
        void *block;
        yn_tape_read(way->tape, way->length, p, &head, sizeof head);
        yn_tape_read(way->tape, way->length, p + 8, &block, sizeof block);
        bool apart = head & YN_RECORD_BLOCK;
        blocks += apart;
        if (apart && yn_heap_usable(me, block) < head >> 1)
            return false;
        p += 8 + yn_round_up(apart ? sizeof block : (size_t)(head >> 1), 8);
        if (apart && atomic_load(&way->behind_block) != p)
            return false;
    }
    return p == tail && blocks == yn_pipe_has_block(way);
}

static bool is_way_sound(yn_self *me, const yn_pipe_shared *pipe, yn_way_shared *way)
{
    uint64_t head = atomic_load(&way->head), tail = atomic_load(&way->tail);
    if (!is_nobodys(me, &way->sending) || !is_nobodys(me, &way->receiving))
        return false;
    if (head > tail || tail - head > way->length || way->seen_head > head)
        return false;
    return pipe->stream || are_records_sound(me, way, tail);
}

/* Each process has one hold at most; what is gone is held by nobody. */
static bool is_end_sound(yn_self *me, yunta_pipe *end)
{
    yn_hold_shared *hold = NULL;
    while ((hold = yn_pipe_next_hold(end, hold))) {
        uint64_t who = atomic_load(&hold->who);
        bool alive = who != 0 && yn_claim_is_alive(&me->arena->slots, who);
        if (alive && !(who & YN_HOLD_CLOSED) && atomic_load(&end->gone))
            return false;
        for (yn_hold_shared *other = hold; alive && (other = yn_pipe_next_hold(end, other));)
            if (((atomic_load(&other->who) ^ who) & ~YN_HOLD_CLOSED) == 0)
                return false;
    }
    return is_nobodys(me, &end->lock);
}

bool yn_pipe_is_sound(yn_self *me, yunta_pipe *end)
{
    yn_pipe_shared *pipe = end->pipe;
    for (int i = 0; i < 2; i++)
        if (!is_way_sound(me, pipe, &pipe->way[i]) || !is_end_sound(me, &pipe->end[i]))
            return false;
    return true;
}
