/* Topics made and ended, and their subscriptions; their accounts, and whether they are as they should be.
 * Never takes a subscription out of the list: it is used again when its process is dead or has done with it.
 * Next: comm/topic.c. */
#include "comm/pipe.h"
#include "comm/tape.h"
#include "comm/topic.h"
#include "shm/heap.h"

#define LENGTH_USUAL ((size_t)262144)

int yunta_topic_create(yunta_topic **topic, const yunta_topic_options *options)
{
    static const yunta_topic_options defaults;
    const yunta_topic_options *o = options ? options : &defaults;
    if (!topic || memcmp(o->reserved, defaults.reserved, sizeof o->reserved) != 0)
        return -EINVAL;
    uint64_t length = yn_tape_length(o->capacity ? o->capacity : LENGTH_USUAL, YN_ARENA_MOST);
    if (length == 0)
        return -EOVERFLOW;
    int r;
    void *block;
    yn_self *me = yn_self_get(&r);
    if (!me)
        return r;
    r = yn_heap_alloc_zeroed(me, &block, sizeof(yunta_topic), 128);
    if (r != 0)
        return r;
    yunta_topic *made = block;
    made->length = length;
    made->lossless = o->lossless;
    made->tape = yn_heap_alloc(me, length, 0);
    if (!made->tape) {
        yunta_topic_destroy(made);
        return -ENOMEM;
    }
    *topic = made;
    return 0;
}

yunta_topic *yunta_topic_destroy(yunta_topic *topic)
{
    int r;
    yn_self *me = topic ? yn_self_get(&r) : NULL;
    if (!me)
        return NULL;
    for (yunta_subscription *s = atomic_load(&topic->subscriptions); s;) {
        yunta_subscription *next = atomic_load(&s->next);
        yunta_topic_close_descriptor(s);
        yn_heap_free(me, s);
        s = next;
    }
    yn_heap_free(me, topic->tape);
    yn_heap_free(me, topic);
    return NULL;
}

static bool is_alive(yn_self *me, yunta_subscription *s)
{
    yn_claim who = atomic_load(&s->who);
    return who != 0 && yn_claim_is_alive(&me->arena->slots, who);
}

/* Under the lock: one that is nobody's, or a new one. NULL: no memory. */
static yunta_subscription *vacant(yn_self *me, yunta_topic *topic)
{
    void *block;
    for (yunta_subscription *s = atomic_load(&topic->subscriptions); s; s = atomic_load(&s->next))
        if (!is_alive(me, s))
            return s;
    if (yn_heap_alloc_zeroed(me, &block, sizeof(yunta_subscription), 0) != 0)
        return NULL;
    yunta_subscription *s = block;
    s->topic = topic;
    atomic_store(&s->next, atomic_load(&topic->subscriptions));
    atomic_store(&topic->subscriptions, s);
    return s;
}

int yunta_topic_subscribe(yunta_topic *topic, yunta_subscription **subscription)
{
    int r = -EINVAL;
    yn_self *me = topic && subscription ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    r = yn_pipe_lock(me, &topic->publishing, YN_NEVER);
    if (r != 0)
        return r;
    yunta_subscription *s = NULL;
    if (atomic_load(&topic->closed))
        r = YUNTA_ECLOSED;
    else if (!(s = vacant(me, topic)))
        r = -ENOMEM;
    if (s) {
        uint64_t tail = atomic_load(&topic->tail);
        atomic_store(&s->who, 0); /* in case we die in between */
        atomic_store(&s->reading.word, 0);
        atomic_store(&s->door, 0);
        atomic_store(&s->position, tail);
        s->number = yn_topic_mark_of(topic, tail)->number;
        atomic_store(&s->who, me->claim);
        *subscription = s;
    }
    yn_lock_release(me, &topic->publishing);
    return r;
}

int yunta_topic_unsubscribe(yunta_subscription *subscription)
{
    int r = -EINVAL;
    yn_self *me = subscription ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    yunta_topic *topic = subscription->topic;
    r = yunta_topic_close_descriptor(subscription);
    if (r != 0)
        return r;
    atomic_store(&subscription->who, 0);
    yn_event_notify_all(&topic->room);
    return 0;
}

int yunta_topic_close(yunta_topic *topic)
{
    int r = -EINVAL;
    yn_self *me = topic ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    r = yn_pipe_lock(me, &topic->publishing, YN_NEVER);
    if (r != 0)
        return r;
    atomic_store(&topic->closed, 1);
    yn_lock_release(me, &topic->publishing);
    yn_event_notify_all(&topic->filled);
    yn_event_notify_all(&topic->room);
    return 0;
}

bool yunta_topic_is_closed(const yunta_topic *topic)
{
    return topic && atomic_load(&topic->closed) != 0;
}

int yunta_topic_read_stats(yunta_topic *topic, yunta_topic_stats *stats)
{
    int r = -EINVAL;
    yn_self *me = topic && stats ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    r = yn_pipe_lock(me, &topic->publishing, 0);
    if (r != 0)
        return r;
    uint64_t tail = atomic_load(&topic->tail);
    *stats = (yunta_topic_stats){.published = yn_topic_mark_of(topic, tail)->number,
                                 .missed = atomic_load(&topic->missed),
                                 .bytes = tail - atomic_load(&topic->first)};
    for (yunta_subscription *s = atomic_load(&topic->subscriptions); s; s = atomic_load(&s->next))
        stats->subscribers += is_alive(me, s);
    yn_lock_release(me, &topic->publishing);
    return 0;
}

static bool are_subscriptions_sound(yn_self *me, yunta_topic *topic, uint64_t first, uint64_t tail)
{
    for (yunta_subscription *s = atomic_load(&topic->subscriptions); s; s = atomic_load(&s->next)) {
        uint64_t position = atomic_load(&s->position);
        if (is_alive(me, s) && (position > tail || (topic->lossless && position < first)))
            return false;
    }
    return true;
}

bool yn_topic_is_sound(yn_self *me, yunta_topic *topic)
{
    uint64_t first = atomic_load(&topic->first), tail = atomic_load(&topic->tail), p = first;
    yn_topic_mark_shared *mark = yn_topic_mark_of(topic, tail);
    yn_claim owner = yn_claim_who(atomic_load(&topic->publishing.word));
    if ((owner != 0 && yn_claim_is_alive(&me->arena->slots, owner)) || mark->end != tail)
        return false;
    if (first > tail || tail - first > topic->length)
        return false;
    yn_topic_head head = {0, mark->number};
    for (uint64_t last = 0; p < tail; p += yn_topic_record_size(head.size), last = head.number) {
        yn_tape_load_words(topic->tape, topic->length, p, &head, sizeof head);
        if (last != 0 && head.number != last + 1)
            return false;
    }
    return p == tail && head.number == mark->number && are_subscriptions_sound(me, topic, first, tail);
}
