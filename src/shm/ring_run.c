/* Runs of cells: claimed one by one, from the position on, and passed by one step of the position.
 * Never publishes nor releases a cell before the position is past it.
 * Next: shm/ring.h, a single cell; comm/README.md; comm/queue_many.c, who uses runs. */
#include "shm/ring_run.h"

/* The ring was closed at `from`, amid what we have reserved: the rest is void. */
static void give_up(yn_ring_shared *ring, uint64_t from, uint64_t end)
{
    for (uint64_t p = from; p < end; p = yn_ring_next(ring, p))
        atomic_store_explicit(&yn_ring_cell(ring, p)->word, yn_ring_lap(ring, p) << 4 | YN_CELL_FREE,
                              memory_order_release);
}

/* So many cells at most has a run from `position` on. */
static uint64_t longest(const yn_ring_shared *ring, uint64_t position, uint64_t most)
{
    uint64_t left = ring->count - (position & (ring->stride - 1));
    most = most < YN_RUN_MOST ? most : YN_RUN_MOST;
    return most < left ? most : left;
}

/* The position after a run of n. */
static uint64_t after(const yn_ring_shared *ring, uint64_t position, uint64_t n)
{
    return n == 0 ? position : yn_ring_next(ring, position + n - 1);
}

uint64_t yn_ring_reserve_run(yn_claim me, yn_ring_shared *ring, uint64_t most, yn_hold *first)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire), start = tail >> 1, n = 0;
    if (tail & 1)
        return 0;
    uint64_t free = yn_ring_lap(ring, start) << 4 | YN_CELL_FREE, reserved = me | YN_CELL_RESERVED;
    yn_cell_shared *cell = yn_ring_cell(ring, start);
    *first = (yn_hold){ring, cell, start};
    for (most = longest(ring, start, most); n < most; n++, cell = yn_ring_cell_after(ring, cell)) {
        uint64_t word = free;
        yn_ring_ask_ahead(ring, start + n);
        if (!atomic_compare_exchange_strong_explicit(&cell->word, &word, reserved, memory_order_acq_rel,
                                                     memory_order_relaxed))
            break;
    }
    uint64_t end = after(ring, start, n);
    /* Others may have helped the tail past some of them, and somebody may have closed the ring there. */
    while (tail >> 1 < end && !(tail & 1) &&
           !atomic_compare_exchange_weak_explicit(&ring->tail, &tail, end << 1, memory_order_acq_rel,
                                                  memory_order_acquire)) {
    }
    if (YN_UNLIKELY((tail & 1) && tail >> 1 < end)) {
        give_up(ring, tail >> 1, end);
        return yn_ring_distance(ring, start, tail >> 1);
    }
    return n;
}

uint64_t yn_ring_take_run(yn_claim me, yn_ring_shared *ring, uint64_t room, uint64_t most, yn_hold *first)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire), n = 0;
    uint64_t ready = yn_ring_lap(ring, head) << 4 | YN_CELL_READY, taken = me | YN_CELL_TAKEN;
    yn_cell_shared *cell = yn_ring_cell(ring, head);
    *first = (yn_hold){ring, cell, head};
    for (most = longest(ring, head, most); n < most; n++, cell = yn_ring_cell_after(ring, cell)) {
        uint64_t word = atomic_load_explicit(&cell->word, memory_order_acquire);
        yn_ring_ask_ahead(ring, head + n);
        uint64_t size = atomic_load_explicit(&cell->info, memory_order_relaxed) >> 24;
        if (word != ready || size > room ||
            !atomic_compare_exchange_strong_explicit(&cell->word, &word, taken, memory_order_acq_rel,
                                                     memory_order_relaxed))
            break;
        room -= size;
    }
    uint64_t end = after(ring, head, n);
    while (head < end && !atomic_compare_exchange_weak_explicit(&ring->head, &head, end, memory_order_acq_rel,
                                                                memory_order_relaxed)) {
    }
    return n;
}
