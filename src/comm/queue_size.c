/* How many messages there are, exactly, at some moment during the call.
 * Never counts what a get would have to wait for: what stands behind a put that is still under way cannot be got now.
 * Next: comm/README.md, for why the count is exact; comm/queue_chain.c. */
#include "comm/queue.h"
#include "comm/store.h"

static uint64_t count_orphans(yn_turn *turn, yunta_queue *q)
{
    uint64_t deaths = atomic_load(&turn->me->arena->deaths), count = 0;
    if (deaths == atomic_load(&q->looked))
        return 0;
    if (q->capacity)
        count = yn_ring_count_orphans(turn, &atomic_load(&q->first)->ring);
    uint32_t berths = atomic_load(&q->berths);
    for (uint32_t i = 0; i < berths; i++) {
        yn_link_shared *link = yn_chain_visit(turn->me, q, i);
        count += link ? yn_ring_count_orphans(turn, &link->ring) : 0;
    }
    if (count == 0)
        yn_chain_note_looked(q, deaths);
    return count;
}

/* A place in the chain. */
typedef struct place {
    yn_link_shared *link;
    uint64_t position;
} place;

/* How many positions lie before it in the life of the queue. */
static uint64_t depth_of(const place *p)
{
    return p->link->before + yn_ring_distance(&p->link->ring, p->link->ring.start, p->position);
}

/* On to the link after p's, at the beginning of it. 0: there is none; 1: there; -1: getters have come too close, start
 * over. */
static int step(yn_self *me, yunta_queue *q, place *p, enum yn_hazard *which)
{
    yn_link_shared *next = atomic_load(&p->link->next);
    if (!next || next == YN_CHAIN_END)
        return 0;
    *which = *which == YN_HAZARD_WALK ? YN_HAZARD_PUT : YN_HAZARD_WALK;
    atomic_store_explicit(yn_hazard_of(me->seat, *which), (uintptr_t)next, memory_order_relaxed);
    yn_full_fence();
    if (atomic_load(&q->passed) > p->link->number + 1)
        return -1;
    p->link = next;
    p->position = next->ring.start;
    return 1;
}

/* As far as messages are ready, one after the other, across links. False: start over. */
static bool run(yn_turn *turn, yunta_queue *q, place *end, uint64_t *skips, enum yn_hazard *which)
{
    for (;;) {
        if (yn_ring_run(turn, &end->link->ring, &end->position, skips) != YN_RING_SHUT)
            return true;
        int r = step(turn->me, q, end, which);
        if (r <= 0)
            return r == 0;
    }
}

/* The end of the run cannot be got; if the front is the same before and after finding that out, then at that moment
 * exactly what lies between could. 0 and *size; 1: getters were faster, start over; -ENOMEM. */
static int try_count(yn_turn *turn, yunta_queue *q, uint64_t *size)
{
    enum yn_hazard which = YN_HAZARD_WALK;
    place front, again;
    int r = yn_queue_front(turn, q, &front.link, &front.position);
    if (r < 0)
        return r;
    place end = front;
    uint64_t skips = 0;
    if (q->capacity == 0) { /* the front's hazard will be set again: one of its own for the end */
        atomic_store(yn_hazard_of(turn->me->seat, YN_HAZARD_WALK), (uintptr_t)end.link);
        yn_full_fence();
    }
    uint64_t before = depth_of(&front);
    for (;;) {
        if (!run(turn, q, &end, &skips, &which))
            return 1;
        uint64_t after = depth_of(&end);
        r = yn_queue_front(turn, q, &again.link, &again.position);
        if (r < 0)
            return r;
        uint64_t now = depth_of(&again);
        if (now == before) {
            *size = after - before - skips;
            return 0;
        }
        if (skips != 0 || now > after)
            return 1;
        before = now;
    }
}

static int measure(yn_turn *turn, yunta_queue *q, uint64_t *size)
{
    for (;;) {
        uint64_t orphans = count_orphans(turn, q);
        int r = try_count(turn, q, size);
        if (r < 0)
            return r;
        if (r == 0 && count_orphans(turn, q) == orphans) {
            *size += orphans;
            return 0;
        }
    }
}

bool yn_queue_has_orphans(yn_turn *turn, yunta_queue *q)
{
    return count_orphans(turn, q) > 0;
}

size_t yunta_queue_size(yunta_queue *queue)
{
    int r;
    uint64_t size = 0;
    yn_turn turn = {.me = queue ? yn_self_get(&r) : NULL};
    if (!turn.me)
        return 0;
    if (queue->store) {
        (void)yn_store_look(turn.me, queue, &size);
        return (size_t)(size >> YN_SHOWN_SHIFT);
    }
    r = measure(&turn, queue, &size);
    yn_queue_announce(&turn, queue);
    return r == 0 ? (size_t)size : 0;
}

bool yunta_queue_is_empty(yunta_queue *queue)
{
    int r;
    yn_turn turn = {.me = queue ? yn_self_get(&r) : NULL};
    if (!turn.me)
        return true;
    if (queue->store)
        return yunta_queue_size(queue) == 0;
    yn_link_shared *link;
    uint64_t position;
    bool empty = !yn_queue_has_orphans(&turn, queue) && yn_queue_front(&turn, queue, &link, &position) != YN_RING_DONE;
    yn_queue_announce(&turn, queue);
    return empty;
}

bool yunta_queue_is_full(yunta_queue *queue)
{
    int r;
    yn_turn turn = {.me = queue && (queue->capacity || queue->store) ? yn_self_get(&r) : NULL};
    if (!turn.me)
        return false;
    uint64_t position, size;
    if (queue->store) {
        (void)yn_store_look(turn.me, queue, &size);
        return size & YN_SHOWN_FULL;
    }
    bool full;
    switch (yn_ring_back(&turn, &atomic_load(&queue->first)->ring, &position)) {
    case YN_RING_WAIT:
        full = true;
        break;
    case YN_RING_SHUT: /* no put would wait; what can be told is whether so many are in it */
        full = measure(&turn, queue, &size) == 0 && size == queue->capacity;
        break;
    default:
        full = false;
    }
    yn_queue_announce(&turn, queue);
    return full;
}

/* What a death has skipped, or somebody is putting right now, counts here. */
YN_NOINLINE void yn_queue_sample(yn_self *me, yunta_queue *q)
{
    yn_link_shared *first = q->capacity ? atomic_load(&q->first) : yn_chain_protect(me, &q->first, YN_HAZARD_WALK);
    yn_link_shared *last = yn_queue_link(me, q, YN_HAZARD_PUT);
    if (!first || !last)
        return;
    /* The tail first: so it is never more than there was. */
    uint64_t tail = depth_of(&(place){last, atomic_load(&last->ring.tail) >> 1});
    uint64_t head = depth_of(&(place){first, atomic_load(&first->ring.head)});
    uint64_t most = atomic_load_explicit(&q->high_water, memory_order_relaxed), seen = tail > head ? tail - head : 0;
    while (seen > most && !atomic_compare_exchange_weak(&q->high_water, &most, seen)) {
    }
}

int yunta_queue_read_stats(yunta_queue *queue, yunta_queue_stats *stats)
{
    int r = -EINVAL;
    yn_turn turn = {.me = queue && stats ? yn_self_get(&r) : NULL};
    if (!turn.me)
        return r;
    yunta_queue_stats s = {0};
    if (queue->store) {
        r = yn_store_read(turn.me, queue, &s);
    } else {
        r = measure(&turn, queue, &s.size);
        yn_queue_announce(&turn, queue);
        yn_link_shared *last = r == 0 ? yn_queue_link(turn.me, queue, YN_HAZARD_PUT) : NULL;
        if (last)
            s.puts = depth_of(&(place){last, atomic_load(&last->ring.tail) >> 1});
        yn_queue_sample(turn.me, queue);
    }
    if (r != 0)
        return r;
    s.lost = atomic_load(&queue->tally.lost);
    s.redelivered = atomic_load(&queue->tally.redelivered);
    s.abandoned = atomic_load(&queue->tally.abandoned);
    s.puts -= s.puts > s.abandoned ? s.abandoned : s.puts;
    s.gets = s.puts > s.size + s.lost ? s.puts - s.size - s.lost : 0;
    s.put_waits = atomic_load(&queue->room_waits);
    s.get_waits = atomic_load(&queue->filled_waits);
    s.high_water = atomic_load(&queue->high_water);
    *stats = s;
    return 0;
}
