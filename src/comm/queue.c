/* The queue's public face, and its waiting.
 * Never sleeps but by the eventcounts `filled` and `room`; never copies into or out of a cell that it does not hold.
 * Next: shm/ring.h, how a message gets into a cell and out; comm/queue_chain.c, what unbounded means; comm/README.md.
 */
#include "comm/queue.h"
#include "comm/store.h"
#include "shm/heap.h"

static int try_put(yn_turn *turn, yunta_queue *q)
{
    for (;;) {
        yn_link_shared *link = yn_queue_link(turn->me, q, YN_HAZARD_PUT);
        if (!link)
            return -ENOMEM;
        yn_ring_result r = yn_ring_reserve(turn, &link->ring);
        if (r == YN_RING_DONE || (r == YN_RING_WAIT && q->capacity))
            return (int)r;
        int error = yn_chain_extend(turn->me, q, link);
        if (error != 0)
            return error;
    }
}

static int try_get(yn_turn *turn, yunta_queue *q)
{
    int r;
    if (yn_queue_have_died(turn->me, q) && (r = yn_chain_inherit(turn, q)) != YN_RING_WAIT)
        return r;
    do {
        yn_link_shared *link = yn_queue_link(turn->me, q, YN_HAZARD_GET);
        if (!link)
            return -ENOMEM;
        r = (int)yn_ring_take(turn, &link->ring);
        if (r != YN_RING_SHUT)
            return r;
        r = (int)yn_chain_advance(q, link);
        if (atomic_load(&q->unswept))
            yn_chain_sweep(turn, q);
    } while (r == YN_RING_DONE);
    return r;
}

static int attempt_put(yn_turn *turn, yunta_queue *q)
{
    int r = atomic_load(&q->closed) ? YUNTA_ECLOSED : try_put(turn, q);
    return r == YN_RING_SHUT ? YUNTA_ECLOSED : r;
}

/* Of a closed queue it says SHUT only when no put that began before can come in any more. */
static int attempt_get(yn_turn *turn, yunta_queue *q)
{
    int r = try_get(turn, q);
    if (r != YN_RING_WAIT || !atomic_load(&q->closed))
        return r;
    r = yn_chain_seal(turn->me, q);
    return r == 0 ? try_get(turn, q) : r;
}

/* In an unbounded queue nobody waits for room. */
static bool is_put_worth_it(yn_turn *turn, yunta_queue *q)
{
    (void)turn;
    return q->capacity == 0 || yn_ring_seems_to_have_room(&atomic_load_explicit(&q->first, memory_order_relaxed)->ring);
}

static bool is_get_worth_it(yn_turn *turn, yunta_queue *q)
{
    yn_link_shared *link = yn_queue_link(turn->me, q, YN_HAZARD_GET);
    return !link || yn_ring_seems_ready(&link->ring) ||
           (q->capacity == 0 && atomic_load_explicit(&link->next, memory_order_relaxed) &&
            yn_ring_seems_drained(&link->ring));
}

static bool is_room(yn_turn *turn, yunta_queue *q)
{
    uint64_t position;
    return yn_ring_back(turn, &atomic_load(&q->first)->ring, &position) == YN_RING_DONE;
}

static bool is_more(yn_turn *turn, yunta_queue *q)
{
    yn_link_shared *link;
    uint64_t position;
    return yn_queue_front(turn, q, &link, &position) != YN_RING_WAIT;
}

/* Where a put stands. In an unbounded queue only beside a rival: a full link is no reason to stay away from it. */
static yn_ring_shared *put_place(yn_turn *turn, yunta_queue *q, uint64_t *position)
{
    yn_link_shared *link = yn_queue_link(turn->me, q, YN_HAZARD_PUT);
    if (!link)
        return NULL;
    uint64_t tail = atomic_load_explicit(&link->ring.tail, memory_order_relaxed);
    *position = tail >> 1;
    return q->capacity != 0 || (!(tail & 1) && yn_ring_seems_to_have_room(&link->ring)) ? &link->ring : NULL;
}

static yn_ring_shared *get_place(yn_turn *turn, yunta_queue *q, uint64_t *position)
{
    yn_link_shared *link = yn_queue_link(turn->me, q, YN_HAZARD_GET);
    if (!link)
        return NULL;
    *position = atomic_load_explicit(&link->ring.head, memory_order_relaxed);
    return &link->ring;
}

static const yn_side putting = {attempt_put, is_put_worth_it, is_room, YN_SIDE_ROOM, put_place};
static const yn_side getting = {attempt_get, is_get_worth_it, is_more, YN_SIDE_FILLED, get_place};

int yn_queue_reserve(yn_self *me, yunta_queue *q, yn_hold *hold, yn_deadline deadline)
{
    yn_turn turn = {.me = me};
    int r = yn_queue_wait(&putting, &turn, q, deadline);
    *hold = turn.hold;
    return r;
}

int yn_queue_take(yn_self *me, yunta_queue *q, yn_hold *hold, uint64_t limit, uint64_t *size, yn_deadline deadline)
{
    yn_turn turn = {.me = me, .limit = limit};
    int r = yn_queue_wait(&getting, &turn, q, deadline);
    *hold = turn.hold;
    *size = turn.size;
    return r == YN_RING_SHUT ? YUNTA_ECLOSED : r;
}

static YN_NOINLINE int reserve(yn_self *me, yunta_queue *q, yn_hold *hold, int milliseconds)
{
    return yn_queue_reserve(me, q, hold, yn_deadline_in(milliseconds));
}

static YN_NOINLINE int take(yn_self *me, yunta_queue *q, yn_hold *hold, uint64_t limit, uint64_t *size,
                            int milliseconds)
{
    return yn_queue_take(me, q, hold, limit, size, yn_deadline_in(milliseconds));
}

int yn_queue_pass_block(yn_self *me, yunta_queue *q, void *block, size_t size, int milliseconds)
{
    yn_hold hold;
    yn_link_shared *link = yn_queue_link_at_once(me, q, YN_HAZARD_PUT);
    if (!link || !yn_ring_reserve_at_once(me->claim, &link->ring, &hold)) {
        int r = reserve(me, q, &hold, milliseconds);
        if (r != 0)
            return r;
    }
    yn_queue_pass_in(q, &hold, block, size);
    return 0;
}

/* A message too long for a cell. Its block is filled before a cell is claimed: nobody waits for us while we copy. */
static YN_NOINLINE int put_block(yn_self *me, yunta_queue *q, const void *message, size_t size, int milliseconds)
{
    void *block = size <= YN_MESSAGE_MOST ? yn_heap_alloc(me, size, 0) : NULL;
    if (!block)
        return -ENOMEM;
    memcpy(block, message, size);
    int r = yn_queue_pass_block(me, q, block, size, milliseconds);
    if (r != 0)
        yn_heap_free(me, block);
    return r;
}

static inline int put(yunta_queue *q, const void *message, size_t size, int milliseconds)
{
    int r;
    yn_self *me = yn_self_get(&r);
    if (YN_UNLIKELY(!me))
        return r;
    if (YN_UNLIKELY(atomic_load_explicit(&q->closed, memory_order_acquire)))
        return YUNTA_ECLOSED;
    if (YN_UNLIKELY(q->store))
        return yn_store_put(me, q, message, size, 0, yn_deadline_in(milliseconds));
    if (size > q->in_cell)
        return put_block(me, q, message, size, milliseconds);
    yn_hold hold;
    yn_link_shared *link = yn_queue_link_at_once(me, q, YN_HAZARD_PUT);
    if (YN_UNLIKELY(!link || !yn_ring_reserve_at_once(me->claim, &link->ring, &hold))) {
        yn_hold slowly;
        r = reserve(me, q, &slowly, milliseconds);
        if (r != 0)
            return r;
        hold = slowly;
    }
    yn_queue_copy(yn_cell_bytes(hold.cell), message, size);
    yn_ring_publish(&hold, size);
    yn_queue_tell_filled(q);
    if (YN_UNLIKELY((hold.position & q->sample_mask) == 0))
        yn_queue_sample(me, q);
    return 0;
}

/* Its cell is released before its block is freed: who dies before leaves the message to be delivered again, who dies
 * between leaves a block. */
static YN_NOINLINE void get_block(yn_self *me, const yn_hold *hold, void *buffer, size_t size)
{
    void *block = atomic_load_explicit(yn_cell_block(hold->cell), memory_order_relaxed);
    memcpy(buffer, block, size);
    yn_ring_release(hold);
    yn_heap_free(me, block);
}

static inline int get(yunta_queue *q, void *buffer, size_t capacity, size_t *size, int milliseconds)
{
    int r;
    yn_self *me = yn_self_get(&r);
    if (YN_UNLIKELY(!me))
        return r;
    if (YN_UNLIKELY(q->store))
        return yn_store_get(me, q, buffer, capacity, size, milliseconds);
    yn_hold hold;
    uint64_t length;
    yn_link_shared *link = yn_queue_have_died(me, q) ? NULL : yn_queue_link_at_once(me, q, YN_HAZARD_GET);
    if (YN_UNLIKELY(!link || !yn_ring_take_at_once(me->claim, &link->ring, capacity, &hold, &length))) {
        yn_hold slowly;
        uint64_t told;
        r = take(me, q, &slowly, capacity, &told, milliseconds);
        if (r == YN_RING_LARGE && size)
            *size = (size_t)told;
        if (r != 0)
            return r == YN_RING_LARGE ? -EMSGSIZE : r;
        hold = slowly;
        length = told;
    }
    if (YN_UNLIKELY(length > q->in_cell)) {
        yn_hold blocks = hold;
        get_block(me, &blocks, buffer, length);
    } else {
        yn_queue_copy(buffer, yn_cell_bytes(hold.cell), length);
        yn_ring_release(&hold);
    }
    yn_queue_tell_room(q);
    if (size)
        *size = (size_t)length;
    return 0;
}

static int check_options(const yunta_queue_options *o)
{
    static const yunta_queue_options defaults;
    if (memcmp(o->reserved, defaults.reserved, sizeof o->reserved) != 0 || o->order < YUNTA_FIFO ||
        o->order > YUNTA_LIFO)
        return -EINVAL;
    if (o->item_size > YN_ARENA_MOST || o->capacity > YN_ARENA_MOST / (sizeof(yn_cell_shared) + YN_CELL_INLINE))
        return -EOVERFLOW;
    return o->capacity_bytes != 0 && o->item_size > o->capacity_bytes ? -EINVAL : 0;
}

/* Every how manieth cell its put looks how full the queue is: eight times a lap, or each 64th. */
static uint32_t sample_mask(uint64_t capacity)
{
    uint32_t mask = 63;
    while (mask > 0 && capacity != 0 && capacity / 8 < mask + 1)
        mask >>= 1;
    return mask;
}

int yunta_queue_create(yunta_queue **queue, const yunta_queue_options *options)
{
    static const yunta_queue_options defaults;
    const yunta_queue_options *o = options ? options : &defaults;
    int r = queue ? check_options(o) : -EINVAL;
    yn_self *me = r == 0 ? yn_self_get(&r) : NULL;
    void *block;
    if (me)
        r = yn_heap_alloc_zeroed(me, &block, sizeof(yunta_queue), 128);
    if (!me || r != 0)
        return r;
    yunta_queue *q = block;
    q->item_size = o->item_size;
    q->capacity = o->capacity;
    q->in_cell = yn_ring_room(o->item_size, o->capacity ? o->capacity : YN_LINK_CELLS_MOST);
    q->lose = o->lose_on_death;
    q->sample_mask = sample_mask(o->capacity);
    atomic_store(&q->looked, atomic_load(&me->arena->deaths));
    bool plain = o->order == YUNTA_FIFO && !o->joinable && o->capacity_bytes == 0;
    r = plain ? yn_chain_create(me, q) : yn_store_create(me, q, o);
    if (r == 0)
        *queue = q;
    else
        yn_heap_free(me, q);
    return r;
}

yunta_queue *yunta_queue_destroy(yunta_queue *queue)
{
    int r;
    yn_self *me = queue ? yn_self_get(&r) : NULL;
    if (!me)
        return NULL;
    if (atomic_load(&queue->described))
        yunta_queue_close_descriptor(queue);
    yn_loan_free_kept(me, queue);
    if (queue->store)
        yn_store_destroy(me, queue);
    else
        yn_chain_destroy(me, queue);
    yn_heap_free(me, queue);
    return NULL;
}

int yunta_queue_put(yunta_queue *queue, const void *item, int milliseconds)
{
    if (YN_UNLIKELY(!queue || !item || queue->item_size == 0))
        return -EINVAL;
    return put(queue, item, queue->item_size, milliseconds);
}

int yunta_queue_get(yunta_queue *queue, void *item, int milliseconds)
{
    if (YN_UNLIKELY(!queue || !item || queue->item_size == 0))
        return -EINVAL;
    return get(queue, item, queue->item_size, NULL, milliseconds);
}

int yunta_queue_put_bytes(yunta_queue *queue, const void *message, size_t size, int milliseconds)
{
    if (YN_UNLIKELY(!queue || (!message && size > 0)))
        return -EINVAL;
    if (YN_UNLIKELY(queue->item_size != 0 && size != queue->item_size))
        return -EMSGSIZE;
    return put(queue, message, size, milliseconds);
}

int yunta_queue_get_bytes(yunta_queue *queue, void *buffer, size_t capacity, size_t *size, int milliseconds)
{
    if (YN_UNLIKELY(!queue || !size || (!buffer && capacity > 0)))
        return -EINVAL;
    return get(queue, buffer, capacity, size, milliseconds);
}

int yunta_queue_close(yunta_queue *queue)
{
    int r = -EINVAL;
    yn_self *me = queue ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    atomic_store(&queue->closed, true);
    r = queue->store ? yn_store_seal(me, queue) : yn_chain_seal(me, queue);
    yn_queue_tell_all(queue);
    return r;
}

bool yunta_queue_is_closed(const yunta_queue *queue)
{
    return queue && atomic_load(&queue->closed);
}
