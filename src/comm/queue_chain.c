/* The chain of an unbounded queue: how it grows, how getters move along it, and how dead getters' messages are found in
 * it. Never waits; never looks at a link that it has not protected by a hazard. Next: comm/queue_sweep.c, how links go;
 * comm/README.md. */
#include "comm/queue.h"
#include "shm/heap.h"

yn_link_shared *yn_chain_protect(yn_self *me, _Atomic(yn_link_shared *) *from, enum yn_hazard which)
{
    yn_seat_shared *seat = yn_seat_get(me);
    if (!seat)
        return NULL;
    for (;;) {
        yn_link_shared *link = atomic_load(from);
        atomic_store_explicit(yn_hazard_of(seat, which), (uintptr_t)link, memory_order_relaxed);
        yn_full_fence();
        /* If it stands there still, whoever removes it from there will see our hazard. */
        if (atomic_load(from) == link)
            return link;
    }
}

static yn_link_shared *new_link(yn_self *me, yunta_queue *q, uint64_t cells)
{
    void *block;
    size_t size = offsetof(yn_link_shared, ring) + yn_ring_bytes(cells, q->in_cell);
    if (yn_heap_alloc_zeroed(me, &block, size, 128) != 0)
        return NULL;
    yn_link_shared *link = block;
    yn_ring_init(&link->ring, cells, q->in_cell, q->lose, &q->tally);
    return link;
}

/* The link to come after `link`, which is closed. Nobody else sees it yet. */
static yn_link_shared *make_successor(yn_self *me, yunta_queue *q, yn_link_shared *link)
{
    yn_link_shared *fresh = NULL;
    if (atomic_load(&q->spare))
        fresh = atomic_exchange(&q->spare, NULL);
    uint64_t cells = link->ring.count * 2;
    if (!fresh)
        fresh = new_link(me, q, cells < YN_LINK_CELLS_MOST ? cells : YN_LINK_CELLS_MOST);
    if (!fresh)
        return NULL;
    atomic_store(&fresh->next, NULL);
    fresh->number = link->number + 1;
    fresh->before = link->before + yn_ring_distance(&link->ring, link->ring.start, atomic_load(&link->ring.tail) >> 1);
    return fresh;
}

int yn_chain_create(yn_self *me, yunta_queue *q)
{
    yn_link_shared *link = new_link(me, q, q->capacity ? q->capacity : YN_LINK_CELLS_FIRST);
    if (!link)
        return -ENOMEM;
    if (q->capacity)
        atomic_store(&link->next, YN_CHAIN_END);
    else if (yn_chain_enter(me, q, link) != 0) {
        yn_heap_free(me, link);
        return -ENOMEM;
    }
    atomic_store(&q->first, link);
    atomic_store(&q->last, link);
    return 0;
}

int yn_chain_extend(yn_self *me, yunta_queue *q, yn_link_shared *link)
{
    yn_ring_close(&link->ring);
    yn_link_shared *next = atomic_load(&link->next);
    if (!next) {
        yn_link_shared *fresh = make_successor(me, q, link);
        if (!fresh)
            return -ENOMEM;
        if (yn_chain_enter(me, q, fresh) != 0) {
            yn_heap_free(me, fresh);
            return -ENOMEM;
        }
        /* If another one was faster, ours is swept away when the getters have passed its number. */
        if (atomic_compare_exchange_strong(&link->next, &next, fresh))
            next = fresh;
    }
    if (next == YN_CHAIN_END)
        return YUNTA_ECLOSED;
    atomic_compare_exchange_strong(&q->last, &link, next);
    return 0;
}

yn_ring_result yn_chain_advance(yunta_queue *q, yn_link_shared *link)
{
    yn_link_shared *next = atomic_load(&link->next), *expected = link;
    uint64_t number = link->number + 1;
    if (!next)
        return YN_RING_WAIT;
    if (next == YN_CHAIN_END)
        return YN_RING_SHUT;
    atomic_compare_exchange_strong(&q->last, &expected, next);
    expected = link;
    if (!atomic_compare_exchange_strong(&q->first, &expected, next))
        return YN_RING_DONE;
    uint64_t passed = atomic_load(&q->passed);
    while (passed < number && !atomic_compare_exchange_weak(&q->passed, &passed, number)) {
    }
    if (atomic_load(&q->last) == next || number % 16 == 0)
        atomic_store(&q->unswept, true);
    return YN_RING_DONE;
}

int yn_chain_seal(yn_self *me, yunta_queue *q)
{
    for (;;) {
        yn_link_shared *link = yn_queue_link(me, q, YN_HAZARD_PUT), *next = NULL;
        if (!link)
            return -ENOMEM;
        yn_ring_close(&link->ring);
        if (atomic_compare_exchange_strong(&link->next, &next, YN_CHAIN_END) || next == YN_CHAIN_END)
            return 0;
        atomic_compare_exchange_strong(&q->last, &link, next);
    }
}

/* The berth of the oldest link in which a dead process has taken something. False: there is none. */
static bool find_orphans(yn_turn *turn, yunta_queue *q, uint64_t newest, uint32_t *berth, uint64_t *number)
{
    bool found = false;
    uint32_t count = atomic_load(&q->berths);
    for (uint32_t i = 0; i < count; i++) {
        yn_link_shared *link = yn_chain_visit(turn->me, q, i);
        if (!link || link->number > newest || (found && link->number > *number) ||
            yn_ring_count_orphans(turn, &link->ring) == 0)
            continue;
        found = true;
        *berth = i;
        *number = link->number;
    }
    return found;
}

void yn_chain_note_looked(yunta_queue *q, uint64_t deaths)
{
    uint64_t looked = atomic_load(&q->looked);
    while (looked < deaths && !atomic_compare_exchange_weak(&q->looked, &looked, deaths)) {
    }
}

int yn_chain_inherit(yn_turn *turn, yunta_queue *q)
{
    uint64_t deaths =
        atomic_load(&turn->me->arena->deaths); /* those that come while we look are looked for next time */
    yn_link_shared *link = yn_queue_link(turn->me, q, YN_HAZARD_GET);
    if (!link)
        return -ENOMEM;
    uint64_t newest = link->number, number = 0;
    uint32_t berth;
    int r = YN_RING_WAIT;
    if (q->capacity)
        r = (int)yn_ring_inherit(turn, &link->ring);
    else
        while (r == YN_RING_WAIT && find_orphans(turn, q, newest, &berth, &number)) {
            link = yn_chain_visit(turn->me, q, berth);
            if (link && link->number == number)
                r = (int)yn_ring_inherit(turn, &link->ring);
        }
    if (r == YN_RING_WAIT)
        yn_chain_note_looked(q, deaths);
    return r;
}

int yn_queue_front(yn_turn *turn, yunta_queue *q, yn_link_shared **link, uint64_t *position)
{
    for (;;) {
        *link = yn_queue_link(turn->me, q, YN_HAZARD_GET);
        if (!*link)
            return -ENOMEM;
        yn_ring_result r = yn_ring_front(turn, &(*link)->ring, position);
        if (r == YN_RING_SHUT)
            r = yn_chain_advance(q, *link);
        else
            return (int)r;
        if (r != YN_RING_DONE)
            return (int)r;
    }
}
