/* A queue among other things that are waited for: beside them in yunta_wait_many, or by a descriptor.
 * Never takes a message, never lets a descriptor go quiet but before a look.
 * Next: comm/wait_many.c; sync/listen.h; comm/README.md for the order of quiet, hint and look. */
#include "comm/store.h"
#include "comm/wait_many.h"
#include "os/doorbell.h"
#include "os/futex.h"
#include "sync/listen.h"

static bool get_is_ready(yn_self *me, void *queue)
{
    yunta_queue *q = queue;
    yn_turn turn = {.me = me};
    yn_link_shared *link;
    uint64_t position;
    if (q->store)
        return yn_store_size(me, q, &position) != 0 || position > 0 || atomic_load(&q->closed);
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
    uint64_t position;
    if (q->store)
        return atomic_load(&q->closed) || yn_store_has_room(me, q);
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

static void get_announce(void *queue)
{
    yn_event_announce_listener(&((yunta_queue *)queue)->filled);
}

static void put_announce(void *queue)
{
    yn_event_announce_listener(&((yunta_queue *)queue)->room);
}

const yn_waitable yn_waitable_get = {.is_ready = get_is_ready, .place = get_place, .announce = get_announce};
const yn_waitable yn_waitable_put = {.is_ready = put_is_ready, .place = put_place, .announce = put_announce};

static yn_listener_shared *own_descriptor(yn_self *me, yunta_queue *q)
{
    return atomic_load(&q->described) ? yn_listener_find(me, &q->filled, 0) : NULL;
}

/* A death may bring back a message: so a descriptor is told of deaths too. */
static int make_descriptor(yn_self *me, yunta_queue *q)
{
    uint64_t number;
    int fd = yn_doorbell_open(&number);
    if (fd < 0)
        return fd;
    yn_listener_shared *deaths = yn_listen(me, &me->arena->deaths, YN_LISTEN_DESCRIPTOR, number, fd);
    yn_listener_shared *l = deaths ? yn_listen(me, &q->filled, YN_LISTEN_DESCRIPTOR, number, fd) : NULL;
    if (!l) {
        yn_unlisten(deaths);
        yn_doorbell_close(fd);
        return -ENOMEM;
    }
    atomic_store(&q->described, 1);
    get_announce(q);
    yn_full_fence();
    if (get_is_ready(me, q))
        yn_listener_ring(l);
    return fd;
}

yn_listener_shared *yn_queue_quiet(yn_self *me, yunta_queue *q)
{
    yn_listener_shared *l = own_descriptor(me, q);
    if (l) {
        yn_doorbell_quiet(atomic_load(&l->descriptor));
        get_announce(q);
        yn_full_fence();
    }
    return l;
}

int yunta_queue_descriptor(yunta_queue *queue)
{
    int r = -EINVAL;
    yn_self *me = queue ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    yn_futex_lock(&yn_private_page->listen_lock);
    yn_listener_shared *l = own_descriptor(me, queue);
    r = l ? atomic_load(&l->descriptor) : make_descriptor(me, queue);
    yn_futex_unlock(&yn_private_page->listen_lock);
    return r;
}

int yunta_queue_close_descriptor(yunta_queue *queue)
{
    int r = -EINVAL;
    yn_self *me = queue ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    yn_futex_lock(&yn_private_page->listen_lock);
    yn_listener_shared *l = own_descriptor(me, queue);
    if (l) {
        int fd = atomic_load(&l->descriptor);
        yn_unlisten(yn_listener_find(me, &me->arena->deaths, atomic_load(&l->target)));
        yn_unlisten(l);
        yn_doorbell_close(fd);
    }
    yn_futex_unlock(&yn_private_page->listen_lock);
    return 0;
}
