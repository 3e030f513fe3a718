/* A queue among other things that are waited for: beside them in yunta_wait_many, or by a descriptor.
 * Never takes a message.
 * Next: comm/wait_many.c; comm/descriptor.c; comm/README.md for the order of quiet, hint and look. */
#include "comm/descriptor.h"
#include "comm/store.h"

static bool get_is_ready(yn_self *me, void *queue)
{
    yunta_queue *q = queue;
    yn_turn turn = {.me = me};
    yn_link_shared *link;
    uint64_t position, shown;
    if (q->store)
        return yn_store_look(me, q, &shown) != 0 || shown >> YN_SHOWN_SHIFT > 0 || atomic_load(&q->closed);
    int r = yn_queue_has_orphans(&turn, q) ? YN_RING_DONE : yn_queue_front(&turn, q, &link, &position);
    if (r == YN_RING_WAIT && atomic_load(&q->closed)) /* perhaps its closer died before it was sealed */
        r = yn_chain_seal(me, q) != 0 ? -ENOMEM : yn_queue_front(&turn, q, &link, &position);
    yn_queue_announce(&turn, q);
    return r != YN_RING_WAIT;
}

static bool put_is_ready(yn_self *me, void *queue)
{
    yunta_queue *q = queue;
    yn_turn turn = {.me = me};
    uint64_t position, shown;
    if (q->store)
        return yn_store_look(me, q, &shown) != 0 || !(shown & YN_SHOWN_NO_ROOM) || atomic_load(&q->closed);
    if (q->capacity == 0 || atomic_load(&q->closed))
        return true;
    yn_ring_result r = yn_ring_back(&turn, &atomic_load(&q->first)->ring, &position);
    yn_queue_announce(&turn, q);
    return r != YN_RING_WAIT;
}

static void *get_place(void *queue)
{
    return &((yunta_queue *)queue)->filled;
}

static void *put_place(void *queue)
{
    return &((yunta_queue *)queue)->room;
}

const yn_waitable yn_waitable_get = {.is_ready = get_is_ready, .place = get_place};
const yn_waitable yn_waitable_put = {.is_ready = put_is_ready, .place = put_place};

yn_listener_shared *yn_queue_quiet(yn_self *me, yunta_queue *q)
{
    return yn_descriptor_quiet(me, &yn_waitable_get, q, NULL);
}

int yunta_queue_descriptor(yunta_queue *queue)
{
    int r = -EINVAL;
    yn_self *me = queue ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    atomic_store(&queue->described, 1);
    return yn_descriptor_open(me, &yn_waitable_get, queue, NULL);
}

int yunta_queue_close_descriptor(yunta_queue *queue)
{
    int r = -EINVAL;
    yn_self *me = queue ? yn_self_get(&r) : NULL;
    return me ? yn_descriptor_close(me, &yn_waitable_get, queue, NULL) : r;
}
