/* Topic: publish and subscribe. Whatever anybody publishes, each subscriber receives, in the same order, from its
 * subscription on.
 *
 * Messages stand once in a ring of bounded size, however many subscribers there are, and nobody who reads is in the way
 * of others. By default a topic is lossy: publishers wait for nobody, and a subscriber that falls behind by more than
 * the ring holds is told how many messages it has missed. A lossless topic holds publishers up for the slowest
 * subscriber that lives; one that has died or unsubscribed holds nobody up.
 *
 * Topics stand in shared memory: pass the pointer to any process of the team. A subscription is for the threads of the
 * process that made it, and ends with it. A publisher killed in the middle leaves nothing to be seen. */
#ifndef YUNTA_TOPIC_H
#define YUNTA_TOPIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yunta/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yunta_topic yunta_topic;
typedef struct yunta_subscription yunta_subscription;

typedef struct yunta_topic_options {
    size_t capacity; /* bytes of the ring, rounded up to a power of two; 0: 262,144. A message takes 16 more, rounded up
                        to 8, and at most half of it all */
    bool lossless;   /* publishers wait for the slowest subscriber */
    uint64_t reserved[6]; /* zero */
} yunta_topic_options;

typedef struct yunta_topic_stats {
    uint64_t published;   /* messages, ever */
    uint64_t missed;      /* messages that subscribers have been told they missed, all together */
    uint64_t bytes;       /* of the ring, in use by messages that can still be received */
    uint64_t subscribers; /* alive */
} yunta_topic_stats;

/* NULL options: the defaults. -EINVAL: NULL, reserved not zero; -EOVERFLOW: absurd capacity; -ENOMEM. */
YUNTA_API int yunta_topic_create(yunta_topic **topic, const yunta_topic_options *options);

/* Frees it with all its subscriptions; nobody may use them any more. Accepts NULL; returns NULL. */
YUNTA_API yunta_topic *yunta_topic_destroy(yunta_topic *topic);

/* Publishes `size` bytes (0 is a message too). Lossless: waits up to `milliseconds` for room; -ETIMEDOUT. Another
 * publisher that is just at it is waited for in any case, for 200 ms at least; if it is stopped (SIGSTOP): -ETIMEDOUT.
 * -EMSGSIZE: with its 16 bytes it is more than half the ring; YUNTA_ECLOSED; -EINVAL: NULL, or NULL message with a
 * size; -ENOMEM. */
YUNTA_API int yunta_topic_publish(yunta_topic *topic, const void *message, size_t size, int milliseconds);

/* A subscription of the calling process, to all that is published from now on. Several of one process are several. This
 * call and yunta_topic_close have no time limit: beside a stopped publisher they go on when it does, or is dead.
 * -EINVAL: NULL; YUNTA_ECLOSED; -ENOMEM. */
YUNTA_API int yunta_topic_subscribe(yunta_topic *topic, yunta_subscription **subscription);

/* Ends it, and frees it: no thread may be using it. Those who wait for room go on. -EINVAL: NULL; -EPERM: another
 * process's. */
YUNTA_API int yunta_topic_unsubscribe(yunta_subscription *subscription);

/* Receives the next message into `buffer` of `capacity` bytes, waiting up to `milliseconds`; *size becomes its length;
 * *missed (may be NULL) how many were missed just before it. -EMSGSIZE: it is longer than capacity: *size says how
 * long, and it stays, for as long as the ring holds it; YUNTA_ECLOSED: the topic is closed and nothing is left;
 * -ETIMEDOUT; -EPERM: another process's subscription; -EINVAL: NULL (buffer may be, if capacity is 0); -ENOMEM. */
YUNTA_API int yunta_topic_receive(yunta_subscription *subscription, void *buffer, size_t capacity, size_t *size,
                                  uint64_t *missed, int milliseconds);

/* A descriptor of the calling process for poll, select, epoll or an event loop: readable when a receive would not have
 * to wait. Receive with 0 ms until that says -ETIMEDOUT: only then is it quiet again; as with yunta_queue_descriptor,
 * which see. It belongs to the library, and is closed with its subscription, too. -EINVAL: NULL; -EPERM: another
 * process's; -EMFILE; -ENOMEM. The second: 0, also when there is none. */
YUNTA_API int yunta_topic_descriptor(yunta_subscription *subscription);
YUNTA_API int yunta_topic_close_descriptor(yunta_subscription *subscription);

/* Nothing is published any more; what has been can still be received. Again: 0. -EINVAL: NULL; -ENOMEM. */
YUNTA_API int yunta_topic_close(yunta_topic *topic);
YUNTA_API bool yunta_topic_is_closed(const yunta_topic *topic); /* false for NULL */

/* -ETIMEDOUT: a publisher is stopped in the midst of it; -EINVAL: NULL; -ENOMEM. */
YUNTA_API int yunta_topic_read_stats(yunta_topic *topic, yunta_topic_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
