/* Queue: first in, first out, between any number of processes that put and any number that get.
 *
 * A queue stands in shared memory: pass the pointer to any process of the team. What is put is in the queue when put
 * returns: its process may end at once. A process killed inside put or get leaves the queue whole: a message half put
 * never shows, a message half got comes again (redelivered) or is counted lost. Memory that an unbounded queue needed
 * for a burst is freed as it empties; back to the system it goes when nobody has needed it for a second or two, by who
 * waits at some queue, or finds it empty (yunta_heap_trim does it at once). */
#ifndef YUNTA_QUEUE_H
#define YUNTA_QUEUE_H

#include <stddef.h>
#include <yunta/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yunta_queue yunta_queue;

/* Which message get takes: the oldest; that of the lowest priority number, the oldest of these; the newest. */
typedef enum yunta_queue_order { YUNTA_FIFO, YUNTA_PRIORITY, YUNTA_LIFO } yunta_queue_order;

typedef struct yunta_queue_options {
    size_t item_size;        /* bytes of every item; 0: messages of bytes, each with its own size */
    size_t capacity;         /* messages it holds at most; 0: unbounded */
    size_t capacity_bytes;   /* bytes of messages it holds at most; 0: unbounded */
    yunta_queue_order order; /* all zero: YUNTA_FIFO */
    bool joinable;           /* what is got counts as open until yunta_queue_task_done says otherwise */
    bool lose_on_death;      /* a message whose getter died while taking it is counted lost, not delivered again */
    uint64_t reserved[4];    /* zero */
} yunta_queue_options;

/* NULL options: byte messages, unbounded, first in, first out. Such a plain queue has no lock; any other order,
 * joinable and capacity_bytes make one with a lock, which costs a few times as much. There, whoever else is just at it
 * is waited for in any case, for 200 ms at least. If he is stopped (SIGSTOP) with the lock, calls with a time limit say
 * -ETIMEDOUT, as do peek, drain and read_stats after those 200 ms, and have done nothing; task_done, release and close
 * go on when he does, or is dead; size, is_empty, is_full and yunta_wait_many look without the lock, unless a process
 * has died since: then they wait for it likewise, and yunta_wait_many says after that that it is ready. -EINVAL: NULL,
 * no such order, reserved not zero, or item_size beyond capacity_bytes; -EOVERFLOW: absurd item_size or capacity;
 * -ENOMEM.
 */
YUNTA_API int yunta_queue_create(yunta_queue **queue, const yunta_queue_options *options);

/* Frees it and what is in it; nobody may use it any more (close it and join its users first). Accepts NULL; returns
 * NULL. */
YUNTA_API yunta_queue *yunta_queue_destroy(yunta_queue *queue);

/* Puts a copy of one item of item_size bytes, waiting up to `milliseconds` for room. -ETIMEDOUT: still full;
 * YUNTA_ECLOSED; -EINVAL: NULL, or a queue of byte messages; -ENOMEM. */
YUNTA_API int yunta_queue_put(yunta_queue *queue, const void *item, int milliseconds);

/* Takes the oldest item into *item. -ETIMEDOUT: still empty; YUNTA_ECLOSED: closed and empty; -EINVAL: NULL, or a queue
 * of byte messages. */
YUNTA_API int yunta_queue_get(yunta_queue *queue, void *item, int milliseconds);

/* The same for messages of `size` bytes (0 is a message too). In a queue of items the size must be item_size:
 * -EMSGSIZE. */
YUNTA_API int yunta_queue_put_bytes(yunta_queue *queue, const void *message, size_t size, int milliseconds);

/* Takes the oldest message into `buffer` of `capacity` bytes; *size becomes its length. -EMSGSIZE: it is longer than
 * capacity: *size says how long, and it stays in the queue. buffer may be NULL if capacity is 0. Other errors as
 * yunta_queue_get. */
YUNTA_API int yunta_queue_get_bytes(yunta_queue *queue, void *buffer, size_t capacity, size_t *size, int milliseconds);

/* Puts a message of `size` bytes with a priority: lower numbers are got first. The other calls put with priority 0.
 * Errors as yunta_queue_put_bytes; -EINVAL also in a queue without priorities. */
YUNTA_API int yunta_queue_put_priority(yunta_queue *queue, const void *message, size_t size, int64_t priority,
                                       int milliseconds);

/* In a joinable queue: this process has done with the message that it got first of those that it has not done with.
 * When a process dies, its open messages come again, before others as far as the order goes, or are counted lost and
 * done (lose_on_death). -EINVAL: NULL, not joinable, or this process has none open. */
YUNTA_API int yunta_queue_task_done(yunta_queue *queue);

/* Waits until every message that was put has been got and done with. -ETIMEDOUT; -EINVAL: NULL, or not joinable;
 * -ENOMEM. */
YUNTA_API int yunta_queue_join(yunta_queue *queue, int milliseconds);

/* How many messages can be got now: exact at some moment during the call, and zero if and only if a get would have had
 * to wait then. 0 for NULL. */
YUNTA_API size_t yunta_queue_size(yunta_queue *queue);
YUNTA_API bool yunta_queue_is_empty(yunta_queue *queue); /* true for NULL */
YUNTA_API bool yunta_queue_is_full(yunta_queue *queue);  /* never, if unbounded, or NULL */

/* No more puts, from anybody: they return YUNTA_ECLOSED, and so does get once it is empty. All who wait are woken.
 * Again: 0. -EINVAL: NULL. */
YUNTA_API int yunta_queue_close(yunta_queue *queue);
YUNTA_API bool yunta_queue_is_closed(const yunta_queue *queue); /* false for NULL */

/* A descriptor of the calling process for poll, select, epoll or an event loop: readable when a get would not have to
 * wait, or the queue is closed. After poll, get with 0 ms until it says -ETIMEDOUT: that call makes the descriptor
 * quiet, and nothing else does, so it may be readable for no reason, as when another process was faster, some process
 * of the team has died, or the one that watches over it. It belongs to the library: never read it; it is closed by
 * yunta_queue_close_descriptor (0, also when there is none) and by destroy in the same process, and before the queue is
 * destroyed by another, this one should have closed it. -EINVAL: NULL; -EMFILE; -ENOMEM. */
YUNTA_API int yunta_queue_descriptor(yunta_queue *queue);
YUNTA_API int yunta_queue_close_descriptor(yunta_queue *queue);

typedef struct yunta_queue_stats {
    uint64_t size;        /* messages that can be got */
    uint64_t lost;        /* messages lost with a getter that died (lose_on_death); one too many if its counter dies */
    uint64_t redelivered; /* messages that came again after their getter died: in a plain queue, that were got again */
    uint64_t abandoned;   /* puts that a death left half done; nobody saw them */
    uint64_t puts, gets;  /* messages put and got so far; gets under way count */
    uint64_t put_waits;   /* how often a put went to sleep for room, a get for a message */
    uint64_t get_waits;
    uint64_t high_water; /* the most messages seen in it; a plain queue looks at each 64th put, more often if small */
    uint64_t open;       /* joinable: messages got and not done with */
    uint64_t reserved[4];
} yunta_queue_stats;

/* -EINVAL: NULL; -ETIMEDOUT: see yunta_queue_create; -ENOMEM. */
YUNTA_API int yunta_queue_read_stats(yunta_queue *queue, yunta_queue_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
