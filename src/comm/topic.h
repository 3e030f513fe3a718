/* Inside a topic: a ring of records, written by one publisher at a time, read by all without a lock. README.md has the
 * invariants. */
#ifndef YN_TOPIC_H
#define YN_TOPIC_H

#include "sync/lock.h"

#include <yunta/topic.h>

/* Before the bytes of a message, in the tape. */
typedef struct yn_topic_head {
    uint64_t size, number;
} yn_topic_head;

/* How many messages there have been up to `end`. */
typedef struct yn_topic_mark_shared {
    uint64_t end, number;
} yn_topic_mark_shared;

struct yunta_subscription {
    yunta_topic *topic;
    _Atomic(yunta_subscription *) next; /* written before it is in the list, and then no more */
    _Atomic uint64_t who;               /* whose; 0, or of the dead: anybody's to be */
    struct yunta_lock reading;          /* among its threads */
    _Atomic uint64_t position;          /* of the next record */
    uint64_t number;                    /* of the last message received */
    _Atomic uint64_t door;              /* of the descriptor that its process has of it, or 0 */
};

struct yunta_topic {
    uint64_t length; /* of the tape, a power of two */
    uint64_t *tape;
    bool lossless;
    _Atomic uint32_t closed;
    _Atomic uint64_t missed;
    _Atomic(yunta_subscription *) subscriptions;

    YN_ALIGNED(128) struct yunta_lock publishing; /* of everything but a subscriber's own */
    yn_topic_mark_shared mark[2];                 /* one of them is that of the tail */
    YN_ALIGNED(128) _Atomic uint64_t first;       /* the oldest record: what is before it may be written over */
    _Atomic uint64_t tail;

    YN_ALIGNED(128) yn_event_shared filled;
    yn_patience_shared filled_patience;
    YN_ALIGNED(128) yn_event_shared room;
    yn_patience_shared room_patience;
};

static inline uint64_t yn_topic_record_size(uint64_t size)
{
    return sizeof(yn_topic_head) + yn_round_up(size, 8);
}

/* That of the tail. Under the lock. */
static inline yn_topic_mark_shared *yn_topic_mark_of(yunta_topic *topic, uint64_t tail)
{
    return &topic->mark[topic->mark[0].end == tail ? 0 : 1];
}

/* Where the next record is that can be received: before the tail, if there is one. */
static inline uint64_t yn_topic_next(const yunta_subscription *s)
{
    uint64_t position = atomic_load_explicit(&s->position, memory_order_relaxed);
    uint64_t first = atomic_load_explicit(&s->topic->first, memory_order_acquire);
    return position < first ? first : position;
}

/* Up to where all who live have read, but no further than `most`. */
uint64_t yn_topic_slowest(yn_self *me, yunta_topic *topic, uint64_t most);

/* A receive is about to say that there is nothing: as yn_descriptor_quiet. */
struct yn_listener_shared *yn_topic_quiet(yn_self *me, yunta_subscription *s);

/* Whether all invariants hold of a topic that nobody is using. */
bool yn_topic_is_sound(yn_self *me, yunta_topic *topic);

#endif
