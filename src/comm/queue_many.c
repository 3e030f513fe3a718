/* Several items in one call; looking without taking; throwing away.
 * Never sleeps with a cell in its hands, nor before those who wait have been told what was put.
 * Next: shm/ring_run.h, how several cells are claimed; comm/queue.c, a single message. */
#include "comm/store.h"
#include "shm/heap.h"
#include "shm/ring_run.h"

#include <limits.h>
#include <yunta/queue_many.h>

/* Fills and publishes the `n` cells from `position` on. */
static void fill_run(yn_ring_shared *ring, uint64_t position, uint64_t n, const unsigned char *items, size_t size)
{
    for (; n > 0; n--, items += size, position = yn_ring_next(ring, position)) {
        yn_hold hold = yn_ring_hold(ring, position);
        yn_queue_copy(yn_cell_bytes(hold.cell), items, size);
        yn_ring_publish(&hold, size);
    }
}

/* Puts some of `count` items, waiting for room only if there is none at all. How many, or an error. */
static int put_some(yn_self *me, yunta_queue *q, const unsigned char *items, size_t count, yn_deadline deadline,
                    bool *untold)
{
    uint64_t position;
    yn_link_shared *link = yn_queue_link_at_once(me, q, YN_HAZARD_PUT);
    uint64_t n = link ? yn_ring_reserve_run(me->claim, &link->ring, count, &position) : 0;
    if (n > 0) {
        fill_run(&link->ring, position, n, items, q->item_size);
        *untold = true;
        return (int)n;
    }
    if (*untold)
        yn_queue_tell_filled(q);
    *untold = false;
    yn_hold hold;
    int r = yn_queue_reserve(me, q, &hold, deadline);
    if (r != 0)
        return r;
    yn_queue_copy(yn_cell_bytes(hold.cell), items, q->item_size);
    yn_ring_publish(&hold, q->item_size);
    *untold = true;
    return 1;
}

/* An item too long for a cell has a block of its own. */
static int put_large(yn_self *me, yunta_queue *q, const unsigned char *item, yn_deadline deadline)
{
    void *block = yn_heap_alloc(me, q->item_size, 0);
    if (!block)
        return -ENOMEM;
    memcpy(block, item, q->item_size);
    yn_hold hold;
    int r = yn_queue_reserve(me, q, &hold, deadline);
    if (r == 0)
        yn_queue_pass_in(q, &hold, block, q->item_size);
    else
        yn_heap_free(me, block);
    return r == 0 ? 1 : r;
}

static int put_in_store(yn_self *me, yunta_queue *q, const unsigned char *item, yn_deadline deadline)
{
    void *block = yn_heap_alloc(me, q->item_size, 0);
    if (!block)
        return -ENOMEM;
    memcpy(block, item, q->item_size);
    int r = yn_store_pass(me, q, block, q->item_size, 0, deadline);
    if (r != 0)
        yn_heap_free(me, block);
    return r == 0 ? 1 : r;
}

int yunta_queue_put_many(yunta_queue *queue, const void *items, size_t count, int milliseconds)
{
    int r = -EINVAL;
    yn_self *me = queue && items && queue->item_size != 0 ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    yn_deadline deadline = yn_deadline_in(milliseconds);
    const unsigned char *from = items;
    size_t done = 0;
    bool untold = false;
    count = count < INT_MAX ? count : INT_MAX;
    for (r = 0; done < count && r >= 0; done += r > 0 ? (size_t)r : 0) {
        const unsigned char *next = from + done * queue->item_size;
        if (atomic_load_explicit(&queue->closed, memory_order_acquire))
            r = YUNTA_ECLOSED;
        else if (queue->store)
            r = put_in_store(me, queue, next, deadline);
        else if (queue->item_size > queue->in_cell)
            r = put_large(me, queue, next, deadline);
        else
            r = put_some(me, queue, next, count - done, deadline, &untold);
    }
    if (untold)
        yn_queue_tell_filled(queue);
    return done > 0 ? (int)done : r;
}

/* The message in a cell that we have taken, and the cell's release: the block goes last, as in a single get. */
static void empty_cell(yn_self *me, const yn_hold *hold, unsigned char *to, size_t size)
{
    void *block =
        size > hold->ring->room ? atomic_load_explicit(yn_cell_block(hold->cell), memory_order_relaxed) : NULL;
    if (to && block)
        memcpy(to, block, size);
    else if (to)
        yn_queue_copy(to, yn_cell_bytes(hold->cell), size);
    yn_ring_release(hold);
    yn_heap_free(me, block);
}

/* Takes some messages without waiting, into `items` or, without them, away. How many. */
static int get_some(yn_self *me, yunta_queue *q, unsigned char *items, size_t count)
{
    uint64_t position;
    yn_link_shared *link = yn_queue_have_died(me, q) ? NULL : yn_queue_link_at_once(me, q, YN_HAZARD_GET);
    uint64_t limit = items ? q->item_size : UINT64_MAX;
    uint64_t n = link ? yn_ring_take_run(me->claim, &link->ring, limit, count, &position) : 0;
    for (uint64_t i = 0; i < n; i++, position = yn_ring_next(&link->ring, position)) {
        yn_hold hold = yn_ring_hold(&link->ring, position);
        uint64_t size = atomic_load_explicit(&hold.cell->info, memory_order_relaxed) >> 24;
        empty_cell(me, &hold, items ? items + i * q->item_size : NULL, size);
    }
    return (int)n;
}

/* Takes a message, waiting for it. 1 or an error. */
static int get_one(yn_self *me, yunta_queue *q, unsigned char *item, yn_deadline deadline)
{
    yn_hold hold;
    uint64_t size;
    int r = yn_queue_take(me, q, &hold, item ? q->item_size : UINT64_MAX, &size, deadline);
    if (r != 0)
        return r;
    empty_cell(me, &hold, item, size);
    return 1;
}

/* Those who wait for room are told once. How many, or the error of the first. */
static int get_many(yn_self *me, yunta_queue *q, unsigned char *items, size_t count, yn_deadline deadline)
{
    size_t done = 0;
    int r = 1;
    while (done < count && r > 0) {
        unsigned char *next = items ? items + done * q->item_size : NULL;
        r = get_some(me, q, next, count - done);
        if (r == 0)
            r = get_one(me, q, next, done > 0 ? 0 : deadline);
        done += r > 0 ? (size_t)r : 0;
    }
    if (done > 0)
        yn_queue_tell_room(q);
    return done > 0 ? (int)done : r;
}

/* Only the first may be waited for. */
static int get_from_store(yn_self *me, yunta_queue *q, unsigned char *items, size_t count, int milliseconds)
{
    size_t done = 0;
    int r = 0;
    for (; done < count && r == 0; done += r == 0)
        r = yn_store_get(me, q, items + done * q->item_size, q->item_size, NULL, done == 0 ? milliseconds : 0);
    return done > 0 ? (int)done : r;
}

int yunta_queue_get_many(yunta_queue *queue, void *items, size_t count, int milliseconds)
{
    int r = -EINVAL;
    yn_self *me = queue && items && queue->item_size != 0 ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    count = count < INT_MAX ? count : INT_MAX;
    if (queue->store)
        return get_from_store(me, queue, items, count, milliseconds);
    return count == 0 ? 0 : get_many(me, queue, items, count, yn_deadline_in(milliseconds));
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
        total = get_many(me, queue, NULL, left, 0);
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
    turn->hold = yn_ring_hold(&link->ring, position);
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
