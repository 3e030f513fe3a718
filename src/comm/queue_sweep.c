/* Where the links of a chain can be found, and how those that all getters have passed are freed or used again.
 * Never frees a link that somebody may be looking at; never needs another process to go on.
 * Next: comm/queue_chain.c; comm/README.md. */
#include "comm/queue.h"
#include "shm/heap.h"

#define BERTHS_OF(k) (UINT32_C(8) << (k))

static yn_berth_shared *berth_at(yunta_queue *q, uint32_t number)
{
    unsigned k = 31u - (unsigned)__builtin_clz(number / 8 + 1);
    yn_berth_shared *block = k < YN_BERTH_BLOCKS ? atomic_load(&q->berth[k]) : NULL;
    return block ? block + (number - 8 * ((UINT32_C(1) << k) - 1)) : NULL;
}

static int add_berths(yn_self *me, yunta_queue *q)
{
    for (unsigned k = 0; k < YN_BERTH_BLOCKS; k++) {
        if (atomic_load(&q->berth[k]))
            continue;
        void *block;
        yn_berth_shared *none = NULL;
        if (yn_heap_alloc_zeroed(me, &block, sizeof(yn_berth_shared) * BERTHS_OF(k), YN_CACHE_LINE) != 0)
            return -ENOMEM;
        if (!atomic_compare_exchange_strong(&q->berth[k], &none, block))
            yn_heap_free(me, block);
        return 0;
    }
    return -ENOMEM;
}

/* Makes us the berth's keeper, if it has none, or a dead one: what that left is as good as untouched. */
static bool keep(yn_self *me, yn_berth_shared *berth)
{
    yn_claim keeper = atomic_load(&berth->keeper);
    if (keeper != 0 && yn_claim_is_alive(&me->arena->slots, keeper))
        return false;
    return atomic_compare_exchange_strong(&berth->keeper, &keeper, me->claim);
}

static void leave(yn_berth_shared *berth)
{
    atomic_store(&berth->keeper, 0);
}

/* False: it is taken, or somebody is at it. */
static bool enter_at(yn_self *me, yunta_queue *q, uint32_t i, yn_link_shared *link)
{
    yn_berth_shared *berth = berth_at(q, i);
    if (atomic_load(&berth->link) != 0 || !keep(me, berth))
        return false;
    bool vacant = atomic_load(&berth->link) == 0;
    if (vacant) {
        uint32_t berths = atomic_load(&q->berths);
        while (berths <= i && !atomic_compare_exchange_weak(&q->berths, &berths, i + 1)) {
        }
        atomic_store(&berth->number, link->number);
        atomic_store(&berth->link, (uintptr_t)link);
        atomic_store(&q->vacant, i + 1);
    }
    leave(berth);
    return vacant;
}

int yn_chain_enter(yn_self *me, yunta_queue *q, yn_link_shared *link)
{
    for (;;) {
        uint32_t hint = atomic_load(&q->vacant);
        for (uint32_t i = hint; berth_at(q, i); i++)
            if (enter_at(me, q, i, link))
                return 0;
        for (uint32_t i = 0; i < hint && berth_at(q, i); i++)
            if (enter_at(me, q, i, link))
                return 0;
        int r = add_berths(me, q);
        if (r != 0)
            return r;
    }
}

yn_link_shared *yn_chain_visit(yn_self *me, yunta_queue *q, uint32_t i)
{
    yn_seat_shared *seat = yn_seat_get(me);
    yn_berth_shared *berth = berth_at(q, i);
    uintptr_t link = seat && berth ? atomic_load(&berth->link) : 0;
    if (link == 0 || (link & YN_BERTH_CONDEMNED))
        return NULL;
    atomic_store_explicit(yn_hazard_of(seat, YN_HAZARD_WALK), link, memory_order_relaxed);
    yn_full_fence();
    return atomic_load(&berth->link) == link ? (yn_link_shared *)link : NULL;
}

/* In this order, so that a hazard can be moved from one word to the next. What a thread that has ended left does not
 * count: the next one to take the seat does so before it looks at anything. */
static bool seat_looks_at(yn_seat_shared *seat, uintptr_t link)
{
    if (atomic_load(&seat->taken) == 0)
        return false;
    for (int which = 0; which < YN_HAZARDS; which++)
        if (atomic_load(yn_hazard_of(seat, (enum yn_hazard)which)) == link)
            return true;
    return false;
}

/* Whether any living thread of the team has a hazard set to the link. */
static bool is_looked_at(yn_self *me, uintptr_t link)
{
    yn_slot_table_shared *slots = &me->arena->slots;
    uint32_t used = atomic_load(&slots->used);
    for (uint32_t i = 0; i < used; i++) {
        yn_slot_shared *slot = yn_slot_below_used(slots, i);
        yn_slot_state state = yn_slot_state_of(atomic_load(&slot->word));
        if (state != YN_SLOT_LIVE && state != YN_SLOT_STARTING)
            continue;
        for (yn_seat_shared *seat = &slot->seat; seat;
             seat = atomic_load(seat == &slot->seat ? &slot->seats : &seat->next))
            if (seat_looks_at(seat, link))
                return true;
    }
    return false;
}

/* Ours alone now: kept for the next burst, or freed. */
static void dispose(yn_self *me, yunta_queue *q, yn_link_shared *link)
{
    yn_link_shared *none = NULL;
    if (link->ring.count == YN_LINK_CELLS_MOST && !atomic_load(&q->spare)) {
        yn_ring_renew(&link->ring);
        if (atomic_compare_exchange_strong(&q->spare, &none, link))
            return;
    }
    yn_heap_free(me, link);
}

/* By the berth's keeper. Condemned first, so that nobody new can come to look; then those who look already are looked
 * for. */
static void sweep_berth(yn_turn *turn, yunta_queue *q, yn_berth_shared *berth)
{
    uintptr_t found = atomic_load(&berth->link), link = found & ~YN_BERTH_CONDEMNED;
    if (link == 0 || atomic_load(&berth->number) >= atomic_load(&q->passed))
        return;
    yn_link_shared *old = (yn_link_shared *)link;
    bool spent = (found & YN_BERTH_CONDEMNED) || yn_ring_is_spent(turn, &old->ring);
    if (spent)
        atomic_store(&berth->link, link | YN_BERTH_CONDEMNED);
    yn_full_fence();
    if (!spent || is_looked_at(turn->me, link)) {
        atomic_store(&berth->link, link);
        atomic_store(&q->unswept, true);
        return;
    }
    atomic_store(&berth->link, 0);
    dispose(turn->me, q, old);
}

void yn_chain_sweep(yn_turn *turn, yunta_queue *q)
{
    yn_seat_shared *seat = turn->me->seat;
    uint64_t passed = atomic_load(&q->passed);
    uint32_t count = atomic_load(&q->berths);
    if (!seat)
        return;
    for (int which = 0; which < YN_HAZARDS; which++)
        atomic_store(yn_hazard_of(seat, (enum yn_hazard)which), 0);
    atomic_store(&q->unswept, false);
    for (uint32_t i = 0; i < count; i++) {
        yn_berth_shared *berth = berth_at(q, i);
        if (atomic_load(&berth->link) == 0 || atomic_load(&berth->number) >= passed || !keep(turn->me, berth))
            continue;
        sweep_berth(turn, q, berth);
        leave(berth);
        if (atomic_load(&q->vacant) > i && atomic_load(&berth->link) == 0)
            atomic_store(&q->vacant, i);
    }
}

void yn_chain_destroy(yn_self *me, yunta_queue *q)
{
    for (unsigned k = 0; k < YN_BERTH_BLOCKS; k++) {
        yn_berth_shared *block = atomic_load(&q->berth[k]);
        for (uint32_t i = 0; block && i < BERTHS_OF(k); i++) {
            yn_link_shared *link = (yn_link_shared *)(atomic_load(&block[i].link) & ~YN_BERTH_CONDEMNED);
            if (link)
                yn_ring_drop(me, &link->ring);
            yn_heap_free(me, link);
        }
        yn_heap_free(me, block);
    }
    yn_heap_free(me, atomic_load(&q->spare));
    if (q->capacity) {
        yn_link_shared *link = atomic_load(&q->first);
        yn_ring_drop(me, &link->ring);
        yn_heap_free(me, link);
    }
}
