/* Loans: messages written and read where they lie.
 * Never claims a cell before the message is finished; never keeps a note of its own of who holds a message: the cell's
 * word has it. Next: include/yunta/queue_loan.h; comm/queue.c, the same with copies. */
#include "comm/store.h"
#include "shm/heap.h"

#include <yunta/queue_loan.h>

/* place[0] is the cell of a message received, place[1] its ring and `lap` its position there, or place[0] the entry of
 * a store and `lap` its sequence; a reserved loan has neither. */
static bool is_reserved(const yunta_loan *loan)
{
    return loan && loan->queue && loan->data && !loan->place[0];
}

/* A block that was kept, of a fitting size. Whoever exchanges it out owns it. The oldest one first: the lines of the
 * newest are still with who has read it, and each would have to be fetched from there. */
static void *take_kept(yn_self *me, yunta_queue *q, size_t size)
{
    if (size <= YN_LOAN_KEPT_LEAST || size > YN_LOAN_KEPT_MOST)
        return NULL;
    uint32_t oldest = atomic_load_explicit(&q->kept_oldest, memory_order_relaxed);
    for (uint32_t n = 0; n < YN_LOANS_KEPT; n++) {
        _Atomic(void *) *place = &q->kept[(oldest + n) % YN_LOANS_KEPT];
        void *block = atomic_load_explicit(place, memory_order_relaxed);
        block = block ? atomic_exchange(place, NULL) : NULL;
        if (!block)
            continue;
        size_t usable = yn_heap_usable(me, block);
        atomic_store_explicit(&q->kept_oldest, oldest + n + 1, memory_order_relaxed);
        if (usable >= size && usable / 2 <= size)
            return block;
        yn_heap_free(me, block); /* the sizes have changed */
    }
    return NULL;
}

/* Keeps the block if there is a place for it, else frees it. */
static void give_back(yn_self *me, yunta_queue *q, void *block, size_t size)
{
    uint32_t newest = atomic_load_explicit(&q->kept_newest, memory_order_relaxed);
    for (uint32_t n = 0; size > YN_LOAN_KEPT_LEAST && size <= YN_LOAN_KEPT_MOST && n < YN_LOANS_KEPT; n++) {
        _Atomic(void *) *place = &q->kept[(newest + n) % YN_LOANS_KEPT];
        void *none = NULL;
        if (!atomic_load_explicit(place, memory_order_relaxed) && atomic_compare_exchange_strong(place, &none, block)) {
            atomic_store_explicit(&q->kept_newest, newest + n + 1, memory_order_relaxed);
            return;
        }
    }
    yn_heap_free(me, block);
}

void yn_loan_free_kept(yn_self *me, yunta_queue *q)
{
    for (int i = 0; i < YN_LOANS_KEPT; i++)
        yn_heap_free(me, atomic_exchange(&q->kept[i], NULL));
}

static void *new_block(yn_self *me, yunta_queue *q, size_t size)
{
    void *block = take_kept(me, q, size);
    if (!block)
        block = yn_heap_alloc(me, size, 0);
    if (!block) {
        yn_loan_free_kept(me, q);
        block = yn_heap_alloc(me, size, 0);
    }
    return block;
}

int yunta_queue_reserve(yunta_queue *queue, size_t size, yunta_loan *loan)
{
    int r = -EINVAL;
    yn_self *me = queue && loan ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    if (queue->item_size != 0 && size != queue->item_size)
        return -EMSGSIZE;
    if (atomic_load_explicit(&queue->closed, memory_order_acquire))
        return YUNTA_ECLOSED;
    void *block = size <= YN_MESSAGE_MOST ? new_block(me, queue, size) : NULL;
    if (!block)
        return -ENOMEM;
    *loan = (yunta_loan){.data = block, .size = size, .queue = queue};
    return 0;
}

/* A short message goes into its cell, as every getter expects it there. */
static int commit_short(yn_self *me, yunta_loan *loan, size_t size, int milliseconds)
{
    yn_hold hold;
    yn_link_shared *link = yn_queue_link_at_once(me, loan->queue, YN_HAZARD_PUT);
    if (!link || !yn_ring_reserve_at_once(me->claim, &link->ring, &hold)) {
        int r = yn_queue_reserve(me, loan->queue, &hold, yn_deadline_in(milliseconds));
        if (r != 0)
            return r;
    }
    yn_queue_copy(yn_cell_bytes(hold.cell), loan->data, size);
    yn_ring_publish(&hold, size);
    yn_queue_tell_filled(loan->queue);
    yn_heap_free(me, loan->data);
    return 0;
}

int yunta_queue_commit(yunta_loan *loan, size_t size, int milliseconds)
{
    int r = -EINVAL;
    yn_self *me = is_reserved(loan) ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    if (size > loan->size || (loan->queue->item_size != 0 && size != loan->queue->item_size))
        return -EMSGSIZE;
    if (atomic_load_explicit(&loan->queue->closed, memory_order_acquire))
        return YUNTA_ECLOSED;
    if (loan->queue->store)
        r = yn_store_pass(me, loan->queue, loan->data, size, 0, yn_deadline_in(milliseconds));
    else
        r = size <= loan->queue->in_cell ? commit_short(me, loan, size, milliseconds)
                                         : yn_queue_pass_block(me, loan->queue, loan->data, size, milliseconds);
    if (r == 0)
        *loan = (yunta_loan){.queue = NULL};
    return r;
}

int yunta_queue_abandon(yunta_loan *loan)
{
    int r = -EINVAL;
    yn_self *me = is_reserved(loan) ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    give_back(me, loan->queue, loan->data, loan->size);
    *loan = (yunta_loan){.queue = NULL};
    return 0;
}

int yunta_queue_receive(yunta_queue *queue, yunta_loan *loan, int milliseconds)
{
    int r = -EINVAL;
    yn_self *me = queue && loan ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    if (queue->store)
        return yn_store_receive(me, queue, loan, milliseconds);
    yn_hold hold;
    uint64_t size;
    yn_link_shared *link = yn_queue_have_died(me, queue) ? NULL : yn_queue_link_at_once(me, queue, YN_HAZARD_GET);
    if (!link || !yn_ring_take_at_once(me->claim, &link->ring, UINT64_MAX, &hold, &size)) {
        r = yn_queue_take(me, queue, &hold, UINT64_MAX, &size, yn_deadline_in(milliseconds));
        if (r != 0)
            return r;
    }
    void *data = size > queue->in_cell ? atomic_load_explicit(yn_cell_block(hold.cell), memory_order_relaxed)
                                       : yn_cell_bytes(hold.cell);
    *loan = (yunta_loan){data, (size_t)size, queue, {hold.cell, hold.ring}, hold.position};
    return 0;
}

/* The message is still ours if the cell says so, in this lap. */
static bool let_go(yn_self *me, const yn_hold *hold)
{
    uint64_t taken = me->claim | YN_CELL_TAKEN, next = yn_ring_lap(hold->ring, hold->position) + hold->ring->stride;
    return (atomic_load(&hold->cell->info) & YN_RING_MARK) == yn_ring_mark(hold->ring, hold->position) &&
           atomic_compare_exchange_strong(&hold->cell->word, &taken, next << 4 | YN_CELL_FREE);
}

int yunta_queue_release(yunta_loan *loan)
{
    int r = -EINVAL;
    yn_self *me = loan && loan->queue && loan->place[0] ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    if (loan->queue->store)
        return yn_store_release(me, loan);
    yn_hold hold = {loan->place[1], loan->place[0], loan->lap};
    void *block = loan->size > loan->queue->in_cell ? loan->data : NULL;
    if (!let_go(me, &hold))
        return -EPERM;
    if (block)
        give_back(me, loan->queue, block, loan->size);
    yn_queue_tell_room(loan->queue);
    *loan = (yunta_loan){.queue = NULL};
    return 0;
}
