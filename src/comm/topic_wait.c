/* A topic, or a subscription, among other things that are waited for, or by a descriptor.
 * Never takes a message, nor any lock of the topic's.
 * Next: comm/topic.c, what is waited for; comm/wait_many.c; comm/descriptor.c. */
#include "comm/descriptor.h"
#include "comm/topic.h"

uint64_t yn_topic_slowest(yn_self *me, yunta_topic *topic, uint64_t most)
{
    uint64_t least = most;
    for (yunta_subscription *s = atomic_load(&topic->subscriptions); s; s = atomic_load(&s->next)) {
        yn_claim who = atomic_load(&s->who);
        uint64_t position = atomic_load_explicit(&s->position, memory_order_acquire);
        if (who != 0 && position < least && yn_claim_is_alive(&me->arena->slots, who))
            least = position;
    }
    return least;
}

static bool receive_is_ready(yn_self *me, void *object)
{
    yunta_subscription *s = object;
    (void)me;
    return yn_topic_next(s) < atomic_load(&s->topic->tail) || atomic_load(&s->topic->closed);
}

/* Without the lock: who reads may have moved on since, and has then looked for listeners. */
static bool publish_is_ready(yn_self *me, void *object)
{
    yunta_topic *topic = object;
    if (!topic->lossless || atomic_load(&topic->closed))
        return true;
    uint64_t slowest = yn_topic_slowest(me, topic, UINT64_MAX), tail = atomic_load(&topic->tail);
    return slowest >= tail || tail - slowest <= topic->length / 2;
}

static void *receive_place(void *subscription)
{
    return &((yunta_subscription *)subscription)->topic->filled;
}

static void *publish_place(void *topic)
{
    return &((yunta_topic *)topic)->room;
}

static int refuse(yn_self *me, void *subscription, yn_deadline deadline)
{
    (void)deadline;
    return atomic_load(&((yunta_subscription *)subscription)->who) == me->claim ? 0 : -EPERM;
}

const yn_waitable yn_waitable_subscription = {.is_ready = receive_is_ready, .place = receive_place, .refuse = refuse};
const yn_waitable yn_waitable_publish = {.is_ready = publish_is_ready, .place = publish_place};

yn_listener_shared *yn_topic_quiet(yn_self *me, yunta_subscription *s)
{
    bool described = atomic_load_explicit(&s->door, memory_order_relaxed) != 0;
    return described ? yn_descriptor_quiet(me, &yn_waitable_subscription, s, &s->door) : NULL;
}

int yunta_topic_descriptor(yunta_subscription *subscription)
{
    int r = -EINVAL;
    yn_self *me = subscription ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    r = refuse(me, subscription, 0);
    return r == 0 ? yn_descriptor_open(me, &yn_waitable_subscription, subscription, &subscription->door) : r;
}

int yunta_topic_close_descriptor(yunta_subscription *subscription)
{
    int r = -EINVAL;
    yn_self *me = subscription ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    r = refuse(me, subscription, 0);
    return r == 0 ? yn_descriptor_close(me, &yn_waitable_subscription, subscription, &subscription->door) : r;
}
