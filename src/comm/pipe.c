/* The pipe's public face, its messages and its bytes.
 * Never sleeps with a lock; never moves a tail or head before what it stands for is done.
 * Next: comm/pipe.h; comm/pipe_hold.c, who holds an end; comm/pipe_wait.c; comm/pipe_post.c, descriptors. */
#include "comm/pipe.h"
#include "comm/tape.h"
#include "os/mailbox.h"
#include "shm/heap.h"

#define LENGTH_USUAL ((size_t)65536)
#define WHOLE_MOST ((size_t)4096) /* bytes of a write that stay together */

static size_t record_size(size_t size)
{
    return 8 + yn_round_up(size, 8);
}

int yn_pipe_begin(yn_pipe_turn *turn, yunta_pipe *end, bool in, int milliseconds)
{
    int r = -EINVAL;
    turn->me = yn_self_get(&r);
    if (YN_UNLIKELY(!turn->me))
        return r;
    turn->end = end;
    turn->in = in;
    turn->deadline = yn_deadline_in(milliseconds);
    if (YN_UNLIKELY(!yn_pipe_goes(end, in)))
        return -EBADF;
    return yn_pipe_hold(turn->me, end, &turn->hold, turn->deadline);
}

/* How many bytes there is room for. Under the lock. */
static uint64_t room_of(yn_way_shared *way, uint64_t wanted)
{
    uint64_t tail = atomic_load_explicit(&way->tail, memory_order_relaxed);
    if (way->length - (tail - way->seen_head) < wanted)
        way->seen_head = atomic_load_explicit(&way->head, memory_order_acquire);
    return way->length - (tail - way->seen_head);
}

static void write_record(yn_pipe_turn *turn, yn_way_shared *way)
{
    uint64_t tail = atomic_load_explicit(&way->tail, memory_order_relaxed);
    uint64_t head = (uint64_t)turn->size << 1 | (turn->block ? YN_RECORD_BLOCK : 0);
    yn_tape_write(way->tape, way->length, tail, &head, sizeof head);
    if (turn->block)
        yn_tape_write(way->tape, way->length, tail + 8, &turn->block, sizeof turn->block);
    else
        yn_tape_write(way->tape, way->length, tail + 8, turn->from, turn->size);
    uint64_t behind = tail + record_size(turn->block ? sizeof turn->block : turn->size);
    if (turn->block)
        atomic_store_explicit(&way->behind_block, behind, memory_order_relaxed);
    else if (atomic_load_explicit(&way->behind_block, memory_order_relaxed) > tail)
        atomic_store_explicit(&way->behind_block, 0, memory_order_relaxed); /* its sender died over it */
    atomic_store_explicit(&way->tail, behind, memory_order_release);
}

static int attempt_send(yn_pipe_turn *turn)
{
    yn_way_shared *way = yn_pipe_out(turn->end);
    uint64_t wanted = record_size(turn->block ? sizeof turn->block : turn->size);
    if (yn_pipe_is_gone(turn->me, yn_pipe_other(turn->end), turn->deadline))
        return -EPIPE;
    int r = yn_pipe_lock(turn->me, &way->sending, turn->deadline);
    if (r != 0)
        return r;
    bool fits = room_of(way, turn->block ? way->length : wanted) >= wanted;
    if (fits && turn->block)
        fits = !yn_pipe_has_block(way);
    if (fits)
        write_record(turn, way);
    yn_lock_release(turn->me, &way->sending);
    if (!fits)
        return YN_PIPE_WAIT;
    yn_event_notify_all(&way->filled);
    return 0;
}

/* A long message stands in a block of its own, which is filled before anybody is kept waiting. */
static int make_block(yn_pipe_turn *turn)
{
    if (turn->size > YN_ARENA_MOST)
        return -ENOMEM;
    turn->block = yn_heap_alloc(turn->me, turn->size, 0);
    if (!turn->block)
        return -ENOMEM;
    memcpy(turn->block, turn->from, turn->size);
    return 0;
}

int yunta_pipe_send(yunta_pipe *end, const void *message, size_t size, int milliseconds)
{
    if (YN_UNLIKELY(!end || (!message && size > 0) || end->pipe->stream))
        return -EINVAL;
    yn_pipe_turn turn = {.attempt = attempt_send, .from = message, .size = size};
    int r = yn_pipe_begin(&turn, end, false, milliseconds);
    if (r == 0 && size > yn_pipe_out(end)->length / 2)
        r = make_block(&turn);
    if (r == 0)
        r = yn_pipe_wait(&turn);
    if (r != 0 && turn.block)
        yn_heap_free(turn.me, turn.block);
    return r;
}

/* Nothing is there. What was sent before the other end went is seen by who looks after he has seen it gone. */
static int nothing_yet(yn_pipe_turn *turn, yn_way_shared *way)
{
    if (!yn_pipe_is_gone(turn->me, yn_pipe_other(turn->end), turn->deadline))
        return YN_PIPE_WAIT;
    return atomic_load(&way->tail) == atomic_load(&way->head) ? YUNTA_ECLOSED : 0;
}

/* Under the lock: copies the record at the head, and moves the head. Its block is freed afterwards: who dies between
 * leaves a block, who dies before leaves the message. */
static int read_record(yn_pipe_turn *turn, yn_way_shared *way, uint64_t position)
{
    uint64_t head;
    yn_tape_read(way->tape, way->length, position, &head, sizeof head);
    turn->size = (size_t)(head >> 1);
    if (turn->size > turn->capacity)
        return -EMSGSIZE;
    if (head & YN_RECORD_BLOCK) {
        yn_tape_read(way->tape, way->length, position + 8, &turn->block, sizeof turn->block);
        memcpy(turn->to, turn->block, turn->size);
    } else {
        yn_tape_read(way->tape, way->length, position + 8, turn->to, turn->size);
    }
    uint64_t next = position + record_size(turn->block ? sizeof turn->block : turn->size);
    atomic_store_explicit(&way->head, next, memory_order_release);
    return 0;
}

/* Likewise, of a stream: what is there, as far as it is asked for. */
static void read_bytes(yn_pipe_turn *turn, yn_way_shared *way, uint64_t position)
{
    uint64_t there = atomic_load_explicit(&way->tail, memory_order_acquire) - position;
    turn->size = there < turn->capacity ? (size_t)there : turn->capacity;
    yn_tape_read(way->tape, way->length, position, turn->to, turn->size);
    atomic_store_explicit(&way->head, position + turn->size, memory_order_release);
}

static int attempt_receive(yn_pipe_turn *turn)
{
    yn_way_shared *way = yn_pipe_in(turn->end);
    int r = yn_pipe_lock(turn->me, &way->receiving, turn->deadline);
    if (r != 0)
        return r;
    uint64_t head = atomic_load_explicit(&way->head, memory_order_relaxed);
    if (head == atomic_load_explicit(&way->tail, memory_order_acquire))
        r = nothing_yet(turn, way);
    if (r == 0 && turn->end->pipe->stream)
        read_bytes(turn, way, head);
    else if (r == 0)
        r = read_record(turn, way, head);
    yn_lock_release(turn->me, &way->receiving);
    if (r == 0)
        yn_event_notify_all(&way->room);
    return r;
}

int yunta_pipe_receive(yunta_pipe *end, void *buffer, size_t capacity, size_t *size, int milliseconds)
{
    if (YN_UNLIKELY(!end || !size || (!buffer && capacity > 0) || end->pipe->stream))
        return -EINVAL;
    unsigned char none[1];
    yn_pipe_turn turn = {
        .attempt = attempt_receive, .quiets = true, .to = buffer ? buffer : none, .capacity = capacity};
    int r = yn_pipe_begin(&turn, end, true, milliseconds);
    if (r == 0)
        r = yn_pipe_wait(&turn);
    if (r == 0 || r == -EMSGSIZE)
        *size = turn.size;
    if (r == 0 && turn.block)
        yn_heap_free(turn.me, turn.block);
    return r;
}

static int attempt_write(yn_pipe_turn *turn)
{
    yn_way_shared *way = yn_pipe_out(turn->end);
    size_t left = turn->size - turn->done, whole = way->length / 2 < WHOLE_MOST ? way->length / 2 : WHOLE_MOST;
    uint64_t least = turn->size <= whole ? turn->size : 1;
    if (yn_pipe_is_gone(turn->me, yn_pipe_other(turn->end), turn->deadline))
        return -EPIPE;
    int r = yn_pipe_lock(turn->me, &way->sending, turn->deadline);
    if (r != 0)
        return r;
    uint64_t room = room_of(way, left), tail = atomic_load_explicit(&way->tail, memory_order_relaxed);
    size_t now = room < left ? (size_t)room : left;
    if (room >= least) {
        yn_tape_write(way->tape, way->length, tail, turn->from + turn->done, now);
        atomic_store_explicit(&way->tail, tail + now, memory_order_release);
        turn->done += now;
    }
    yn_lock_release(turn->me, &way->sending);
    if (room >= least)
        yn_event_notify_all(&way->filled);
    return turn->done < turn->size ? YN_PIPE_WAIT : 0;
}

int yunta_pipe_write(yunta_pipe *end, const void *bytes, size_t size, size_t *written, int milliseconds)
{
    if (YN_UNLIKELY(!end || (!bytes && size > 0) || !end->pipe->stream))
        return -EINVAL;
    yn_pipe_turn turn = {.attempt = attempt_write, .from = bytes, .size = size};
    int r = yn_pipe_begin(&turn, end, false, milliseconds);
    if (r == 0)
        r = size > 0 ? yn_pipe_wait(&turn) : 0;
    if (written)
        *written = turn.done;
    return r;
}

int yunta_pipe_read(yunta_pipe *end, void *buffer, size_t capacity, size_t *size, int milliseconds)
{
    if (YN_UNLIKELY(!end || !size || !buffer || capacity == 0 || !end->pipe->stream))
        return -EINVAL;
    yn_pipe_turn turn = {.attempt = attempt_receive, .quiets = true, .to = buffer, .capacity = capacity};
    int r = yn_pipe_begin(&turn, end, true, milliseconds);
    if (r == 0)
        r = yn_pipe_wait(&turn);
    if (r == 0)
        *size = turn.size;
    return r;
}

static void init_end(yn_self *me, yn_pipe_shared *pipe, uint32_t side)
{
    yunta_pipe *end = &pipe->end[side];
    end->pipe = pipe;
    end->side = side;
    end->holds.hold = end->first;
    end->holds.count = YN_HOLDS_FIRST;
    atomic_store(&end->looked, atomic_load(&me->arena->deaths));
    atomic_store(&end->first[yn_claim_slot(me->claim) % YN_HOLDS_FIRST].who, me->claim);
}

int yunta_pipe_create(yunta_pipe **first, yunta_pipe **second, const yunta_pipe_options *options)
{
    static const yunta_pipe_options defaults;
    const yunta_pipe_options *o = options ? options : &defaults;
    if (!first || !second || memcmp(o->reserved, defaults.reserved, sizeof o->reserved) != 0)
        return -EINVAL;
    uint64_t length = yn_tape_length(o->capacity ? o->capacity : LENGTH_USUAL, YN_ARENA_MOST);
    if (length == 0)
        return -EOVERFLOW;
    int r;
    void *block;
    yn_self *me = yn_self_get(&r);
    if (!me)
        return r;
    size_t ways = o->one_way ? 1 : 2;
    r = yn_heap_alloc_zeroed(me, &block, sizeof(yn_pipe_shared), 128);
    if (r != 0)
        return r;
    yn_pipe_shared *pipe = block;
    pipe->one_way = o->one_way;
    pipe->stream = o->stream;
    for (size_t i = 2 - ways; i < 2; i++) { /* the second end's always */
        pipe->way[i].length = length;
        pipe->way[i].tape = yn_heap_alloc(me, length, 0);
        pipe->way[i].secret = yn_random();
    }
    for (uint32_t side = 0; side < 2; side++)
        init_end(me, pipe, side);
    if (!pipe->way[1].tape || (ways == 2 && !pipe->way[0].tape)) {
        yunta_pipe_destroy(&pipe->end[0]);
        return -ENOMEM;
    }
    *first = &pipe->end[0];
    *second = &pipe->end[1];
    return 0;
}

/* The blocks of messages that nobody has received. */
static void drop_blocks(yn_self *me, const yn_way_shared *way)
{
    uint64_t tail = atomic_load(&way->tail);
    for (uint64_t p = atomic_load(&way->head); p < tail;) {
        uint64_t head;
        void *block = NULL;
        yn_tape_read(way->tape, way->length, p, &head, sizeof head);
        if (head & YN_RECORD_BLOCK)
            yn_tape_read(way->tape, way->length, p + 8, &block, sizeof block);
        yn_heap_free(me, block);
        p += record_size(block ? sizeof block : (size_t)(head >> 1));
    }
}

yunta_pipe *yunta_pipe_destroy(yunta_pipe *end)
{
    int r;
    yn_self *me = end ? yn_self_get(&r) : NULL;
    if (!me)
        return NULL;
    yn_pipe_shared *pipe = end->pipe;
    for (int i = 0; i < 2; i++) {
        yunta_pipe_close_descriptor(&pipe->end[i]);
        if (!pipe->stream)
            drop_blocks(me, &pipe->way[i]);
        yn_heap_free(me, pipe->way[i].tape);
        yn_pipe_drop_holds(me, &pipe->end[i]);
    }
    yn_heap_free(me, pipe);
    return NULL;
}
