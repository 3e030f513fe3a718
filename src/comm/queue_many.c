/* Several items in one call; looking without taking; throwing away.
 * Never sleeps with a cell in its hands, nor before those who wait have been told what was put.
 * Next: shm/ring_run.h, how several cells are claimed; comm/queue.c, a single message. */
#include "comm/store.h"
#include "shm/heap.h"
#include "shm/ring_run.h"

#include <limits.h>
#include <yunta/queue_many.h>

/* What is put: items that lie one after the other, or messages with sizes of their own. */
typedef struct batch {
    const unsigned char *items;
    size_t item_size;
    const yunta_bytes *messages;
    bool untold; /* something was put, and those who wait have yet to be told */
} batch;

static inline yunta_bytes message_at(const batch *b, size_t i)
{
    return b->messages ? b->messages[i] : (yunta_bytes){b->items + i * b->item_size, b->item_size};
}

static void tell(yunta_queue *q, batch *b)
{
    if (b->untold)
        yn_queue_tell_filled(q);
    b->untold = false;
}

/* Up to where all messages from `first` on fit into cells. */
static size_t end_of_short(const yunta_queue *q, const batch *b, size_t first, size_t count)
{
    while (b->messages && first < count && b->messages[first].size <= q->in_cell)
        first++;
    return b->messages ? first : count;
}

static inline void fill(yn_hold hold, yunta_bytes message)
{
    yn_queue_copy(yn_cell_bytes(hold.cell), message.data, message.size);
    yn_ring_publish(&hold, message.size);
}

/* Puts some of the messages from `first` up to `end`, waiting for room only if there is none at all. How many, or an
 * error. */
static int put_some(yn_self *me, yunta_queue *q, batch *b, size_t first, size_t end, yn_deadline deadline)
{
    yn_hold reserved;
    yn_link_shared *link = yn_queue_link_at_once(me, q, YN_HAZARD_PUT);
    uint64_t n = link ? yn_ring_reserve_run(me->claim, &link->ring, end - first, &reserved) : 0;
    if (n == 0) {
        tell(q, b);
        int r = yn_queue_reserve(me, q, &reserved, deadline);
        if (r != 0)
            return r;
        n = 1;
    }
    yn_hold hold = reserved;
    for (uint64_t i = 0; i < n; i++, hold = yn_run_next(hold))
        fill(hold, message_at(b, first + i));
    b->untold = true;
    return (int)n;
}

/* A message too long for a cell has a block of its own. 1 or an error. */
static int put_large(yn_self *me, yunta_queue *q, batch *b, yunta_bytes message, yn_deadline deadline)
{
    void *block = message.size <= YN_MESSAGE_MOST ? yn_heap_alloc(me, message.size, 0) : NULL;
    if (!block)
        return -ENOMEM;
    memcpy(block, message.data, message.size);
    tell(q, b);
    yn_hold hold;
    int r = yn_queue_reserve(me, q, &hold, deadline);
    if (r == 0)
        yn_queue_pass_in(q, &hold, block, message.size);
    else
        yn_heap_free(me, block);
    return r == 0 ? 1 : r;
}

/* How many were put, or the error of the first. */
static int put_batch(yn_self *me, yunta_queue *q, batch *b, size_t count, int milliseconds)
{
    yn_deadline deadline = yn_deadline_in(milliseconds);
    size_t done = 0, end = 0;
    int r = 0;
    for (count = count < INT_MAX ? count : INT_MAX; done < count && r >= 0; done += r > 0 ? (size_t)r : 0) {
        yunta_bytes next = message_at(b, done);
        end = end > done ? end : end_of_short(q, b, done, count);
        if (atomic_load_explicit(&q->closed, memory_order_acquire)) {
            r = YUNTA_ECLOSED;
        } else if (q->store) {
            r = yn_store_put(me, q, next.data, next.size, 0, deadline);
            r = r == 0 ? 1 : r;
        } else if (next.size > q->in_cell) {
            r = put_large(me, q, b, next, deadline);
        } else {
            r = put_some(me, q, b, done, end, deadline);
        }
    }
    tell(q, b);
    return done > 0 ? (int)done : r;
}

int yunta_queue_put_many(yunta_queue *queue, const void *items, size_t count, int milliseconds)
{
    int r = -EINVAL;
    yn_self *me = queue && items && queue->item_size != 0 ? yn_self_get(&r) : NULL;
    return me ? put_batch(me, queue, &(batch){.items = items, .item_size = queue->item_size}, count, milliseconds) : r;
}

/* None that the queue could never take. */
static int check_messages(const yunta_queue *q, const yunta_bytes *messages, size_t count)
{
    uint64_t most = q->store && q->store->capacity_bytes ? q->store->capacity_bytes : UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        if (!messages[i].data && messages[i].size > 0)
            return -EINVAL;
        if (messages[i].size > most || (q->item_size != 0 && messages[i].size != q->item_size))
            return -EMSGSIZE;
    }
    return 0;
}

int yunta_queue_put_many_bytes(yunta_queue *queue, const yunta_bytes *messages, size_t count, int milliseconds)
{
    int r = queue && messages ? check_messages(queue, messages, count) : -EINVAL;
    yn_self *me = r == 0 ? yn_self_get(&r) : NULL;
    return me ? put_batch(me, queue, &(batch){.messages = messages}, count, milliseconds) : r;
}

/* Where messages go, one after the other. */
typedef struct sack {
    unsigned char *to; /* NULL: they are thrown away */
    uint64_t room;     /* bytes that are left of it */
    size_t *sizes;     /* where the next one's size is noted, or NULL */
    uint64_t large;    /* -EMSGSIZE: how long the next one is */
} sack;

static inline void note_size(sack *s, size_t size)
{
    s->room -= size;
    if (s->to)
        s->to += size;
    if (s->sizes)
        *s->sizes++ = size;
}

/* The message in a cell that we have taken, and the cell's release: the block goes last, as in a single get. */
static inline void empty_cell(yn_self *me, yn_hold hold, sack *s, uint64_t size)
{
    void *block = NULL;
    if (YN_UNLIKELY(size > hold.ring->room)) {
        block = atomic_load_explicit(yn_cell_block(hold.cell), memory_order_relaxed);
        if (s->to)
            memcpy(s->to, block, size);
    } else if (s->to) {
        yn_queue_copy(s->to, yn_cell_bytes(hold.cell), size);
    }
    yn_ring_release(&hold);
    if (YN_UNLIKELY(block))
        yn_heap_free(me, block);
    note_size(s, size);
}

/* Takes some messages without waiting. How many. */
static int get_some(yn_self *me, yunta_queue *q, sack *s, size_t count)
{
    yn_hold taken;
    yn_link_shared *link = yn_queue_have_died(me, q) ? NULL : yn_queue_link_at_once(me, q, YN_HAZARD_GET);
    uint64_t n = link ? yn_ring_take_run(me->claim, &link->ring, s->room, count, &taken) : 0;
    if (n == 0)
        return 0;
    yn_hold hold = taken;
    sack mine = *s; /* nobody else's, and so in registers */
    for (uint64_t i = 0; i < n; i++, hold = yn_run_next(hold))
        empty_cell(me, hold, &mine, atomic_load_explicit(&hold.cell->info, memory_order_relaxed) >> 24);
    *s = mine;
    return (int)n;
}

/* Takes a message, waiting for it. 1 or an error. */
static int get_one(yn_self *me, yunta_queue *q, sack *s, yn_deadline deadline)
{
    yn_hold hold;
    uint64_t size;
    int r = yn_queue_take(me, q, &hold, s->room, &size, deadline);
    if (r == 0)
        empty_cell(me, hold, s, size);
    else if (r == YN_RING_LARGE)
        s->large = size;
    return r == 0 ? 1 : r == YN_RING_LARGE ? -EMSGSIZE : r;
}

/* Those who wait for room are told once. How many, or the error of the first. */
static int get_from_ring(yn_self *me, yunta_queue *q, sack *s, size_t count, yn_deadline deadline)
{
    size_t done = 0;
    int r = 1;
    while (done < count && r > 0) {
        r = get_some(me, q, s, count - done);
        if (r == 0)
            r = get_one(me, q, s, done > 0 ? 0 : deadline);
        done += r > 0 ? (size_t)r : 0;
    }
    if (done > 0)
        yn_queue_tell_room(q);
    return done > 0 ? (int)done : r;
}

static int get_from_store(yn_self *me, yunta_queue *q, sack *s, size_t count, int milliseconds)
{
    size_t done = 0, size = 0;
    int r = 0;
    while (done < count && r == 0) {
        r = yn_store_get(me, q, s->to, s->room, &size, done == 0 ? milliseconds : 0);
        if (r == 0) {
            note_size(s, size);
            done++;
        }
    }
    s->large = size;
    return done > 0 ? (int)done : r;
}

/* Only the first may be waited for. */
static int get_batch(yn_self *me, yunta_queue *q, sack *s, size_t count, int milliseconds)
{
    count = count < INT_MAX ? count : INT_MAX;
    if (count == 0)
        return 0;
    return q->store ? get_from_store(me, q, s, count, milliseconds)
                    : get_from_ring(me, q, s, count, yn_deadline_in(milliseconds));
}

int yunta_queue_get_many(yunta_queue *queue, void *items, size_t count, int milliseconds)
{
    int r = -EINVAL;
    yn_self *me = queue && items && queue->item_size != 0 ? yn_self_get(&r) : NULL;
    return me ? get_batch(me, queue, &(sack){.to = items, .room = UINT64_MAX}, count, milliseconds) : r;
}

int yunta_queue_get_many_bytes(yunta_queue *queue, void *buffer, size_t capacity, size_t *sizes, size_t count,
                               int milliseconds)
{
    int r = -EINVAL;
    sack s = {.to = buffer, .room = capacity, .sizes = sizes};
    yn_self *me = queue && sizes && (buffer || capacity == 0) ? yn_self_get(&r) : NULL;
    if (me)
        r = get_batch(me, queue, &s, count, milliseconds);
    if (me && r == -EMSGSIZE)
        *sizes = s.large;
    return r;
}

int yunta_queue_drain(yunta_queue *queue)
{
    int r = -EINVAL, total = 0;
    yn_self *me = queue ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    yn_loan_free_kept(me, queue);
    if (queue->store)
        return yn_store_drain(me, queue);
    size_t left = yunta_queue_size(queue);
    left = left < INT_MAX ? left : INT_MAX;
    if (left > 0)
        total = get_from_ring(me, queue, &(sack){.room = UINT64_MAX}, left, 0);
    return total == -ETIMEDOUT || total == YUNTA_ECLOSED ? 0 : total;
}

/* Where the next get would take. As yn_queue_front. */
static int find_next(yn_turn *turn, yunta_queue *q)
{
    yn_link_shared *link;
    uint64_t position;
    int r = yn_queue_have_died(turn->me, q) ? yn_chain_inherit(turn, q) : YN_RING_WAIT;
    if (r != YN_RING_WAIT)
        return r;
    r = yn_queue_front(turn, q, &link, &position);
    if (r != YN_RING_DONE)
        return r;
    turn->hold = (yn_hold){&link->ring, yn_ring_cell(&link->ring, position), position};
    turn->seen = yn_ring_lap(turn->hold.ring, position) << 4 | YN_CELL_READY;
    turn->size = atomic_load(&turn->hold.cell->info) >> 24;
    return YN_RING_DONE;
}

/* The message may be taken while we copy, and its cell or block filled anew; the word tells. */
__attribute__((no_sanitize("thread"))) static void copy_unowned(unsigned char *to, yn_cell_shared *cell,
                                                                const unsigned char *block, size_t size)
{
    const volatile unsigned char *from = block ? block : yn_cell_bytes(cell);
    for (size_t i = 0; i < size; i++)
        to[i] = from[i];
}

/* 0; -EMSGSIZE; 1: it was taken from under our eyes, look again. */
static int copy_seen(yn_turn *turn, void *buffer, size_t capacity)
{
    yn_cell_shared *cell = turn->hold.cell;
    void *block =
        turn->size > turn->hold.ring->room ? atomic_load_explicit(yn_cell_block(cell), memory_order_acquire) : NULL;
    if (atomic_load(&cell->word) != turn->seen)
        return 1;
    if (turn->size > capacity)
        return -EMSGSIZE;
    copy_unowned(buffer, cell, block, turn->size);
    yn_acquire_fence();
    return atomic_load(&cell->word) == turn->seen ? 0 : 1;
}

int yunta_queue_peek(yunta_queue *queue, void *buffer, size_t capacity, size_t *size)
{
    int r = -EINVAL;
    yn_turn turn = {.me = queue && (buffer || capacity == 0) ? yn_self_get(&r) : NULL, .looks = true};
    if (!turn.me)
        return r;
    if (queue->store)
        return yn_store_peek(turn.me, queue, buffer, capacity, size);
    do {
        r = find_next(&turn, queue);
        if (r == YN_RING_DONE)
            r = copy_seen(&turn, buffer, capacity);
        else
            r = r == YN_RING_WAIT ? -ETIMEDOUT : r == YN_RING_SHUT ? YUNTA_ECLOSED : r;
    } while (r == 1);
    yn_queue_announce(&turn, queue);
    if (size && (r == 0 || r == -EMSGSIZE))
        *size = (size_t)turn.size;
    return r;
}
