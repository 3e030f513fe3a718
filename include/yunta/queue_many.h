/* Queues, further: several items in one call, and looking without taking.
 *
 * A batch costs one fence and one wake in a plain queue. It is no transaction: others may put or get in between, and a
 * process killed inside put_many leaves a beginning of its batch in the queue; one killed inside get_many, a beginning
 * of it got, and the rest comes again (or is counted lost), as with single messages. Of the memory for long messages a
 * death costs at most the block of the one that was on its way. */
#ifndef YUNTA_QUEUE_MANY_H
#define YUNTA_QUEUE_MANY_H

#include <yunta/queue.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Puts copies of `count` items that lie one after the other, in their order, waiting up to `milliseconds` for room for
 * all of them. How many were put, INT_MAX at most: fewer than count when the time was up, the queue was closed or
 * memory ran out; an error of yunta_queue_put only when there was none. 0 for a count of 0. -EINVAL: NULL, or a queue
 * of byte messages. */
YUNTA_API int yunta_queue_put_many(yunta_queue *queue, const void *items, size_t count, int milliseconds);

/* Takes the oldest items, `count` at most, waiting up to `milliseconds` for the first one only. How many were taken, or
 * an error of yunta_queue_get. 0 for a count of 0. */
YUNTA_API int yunta_queue_get_many(yunta_queue *queue, void *items, size_t count, int milliseconds);

typedef struct yunta_bytes {
    const void *data; /* may be NULL if size is 0 */
    size_t size;
} yunta_bytes;

/* The same for `count` messages with sizes of their own. Those that stand one after the other and are short cost one
 * fence and one wake together, each long one its own. -EINVAL: NULL; -EMSGSIZE: one of them has not the size of the
 * queue's items, or is longer than capacity_bytes; with these two nothing is put. */
YUNTA_API int yunta_queue_put_many_bytes(yunta_queue *queue, const yunta_bytes *messages, size_t count,
                                         int milliseconds);

/* Takes the next messages, `count` at most, as long as they fit into `buffer` of `capacity` bytes, one after the other;
 * waits up to `milliseconds` for the first one only. sizes[i] becomes the length of message i. How many were taken, or
 * an error of yunta_queue_get_bytes. -EMSGSIZE: not even the first one fits, sizes[0] says how long it is, and it stays
 * in the queue. buffer may be NULL if capacity is 0. 0 for a count of 0. */
YUNTA_API int yunta_queue_get_many_bytes(yunta_queue *queue, void *buffer, size_t capacity, size_t *sizes, size_t count,
                                         int milliseconds);

/* Copies the message that the next get would take, without taking it nor waiting; *size (NULL: not asked for) becomes
 * its length. Another process may take it at any time after. -ETIMEDOUT: there is none; YUNTA_ECLOSED; -EMSGSIZE: it is
 * longer than `capacity` bytes, *size says how long; -EINVAL: NULL. */
YUNTA_API int yunta_queue_peek(yunta_queue *queue, void *buffer, size_t capacity, size_t *size);

/* Throws away what is in the queue: at least all that was in it at the call, unless others get it; waits for nothing.
 * Memory that is kept for loans goes as well. How many messages (INT_MAX at most), or an error: -EINVAL: NULL;
 * -ETIMEDOUT: see yunta_queue_create; -ENOMEM. */
YUNTA_API int yunta_queue_drain(yunta_queue *queue);

#ifdef __cplusplus
}
#endif

#endif
