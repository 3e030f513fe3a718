/* Waiting for many things at once: queues, pipes, topics, processes, futures, locks, descriptors, together. Python's
 * multiprocessing.connection.wait.
 *
 *     yunta_wait_item items[] = {{.kind = YUNTA_WAIT_GET, .object = queue},
 *                                {.kind = YUNTA_WAIT_PROCESS, .object = child},
 *                                {.kind = YUNTA_WAIT_DESCRIPTOR, .descriptor = 0, .events = POLLIN}};
 *     int n = yunta_wait_many(items, 3, YUNTA_FOREVER);
 *     if (items[0].ready)
 *         yunta_queue_get(queue, &value, 0);
 *
 * As with poll: what is ready stays ready until somebody changes that, and nothing is taken. Ready means that the call
 * would not have had to wait just now. Where others take from the same object, they may be faster: so the call that
 * follows is made with 0 ms, and may still say -ETIMEDOUT. */
#ifndef YUNTA_WAIT_H
#define YUNTA_WAIT_H

#include <stddef.h>
#include <yunta/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum yunta_wait_kind {
    YUNTA_WAIT_NOTHING = 0,    /* passed over */
    YUNTA_WAIT_GET = 1,        /* yunta_queue: a message can be got, or it is closed and empty */
    YUNTA_WAIT_PUT = 2,        /* yunta_queue: there is room for a message, or it is closed */
    YUNTA_WAIT_PROCESS = 3,    /* yunta_process: it has ended, however; not that of the caller itself */
    YUNTA_WAIT_FUTURE = 4,     /* yunta_future of this process: it is done, or its pool has ended */
    YUNTA_WAIT_LOCK = 5,       /* yunta_lock: nobody holds it, its owner is dead, or it is broken */
    YUNTA_WAIT_SEMAPHORE = 6,  /* yunta_semaphore: there is a unit */
    YUNTA_WAIT_EVENT = 7,      /* yunta_event: it is set (one set and cleared at once may be missed) */
    YUNTA_WAIT_DESCRIPTOR = 8, /* a descriptor of this process: `events` of poll, or an error on it */
    YUNTA_WAIT_RECEIVE = 9,    /* yunta_pipe: as yunta_pipe_poll: something has come, or the other end is gone */
    YUNTA_WAIT_SEND = 10, /* yunta_pipe: half of it is free, and no long message under way; or the other end is gone */
    YUNTA_WAIT_SUBSCRIPTION = 11, /* yunta_subscription of this process: a message is there, or the topic is closed */
    YUNTA_WAIT_PUBLISH = 12,      /* yunta_topic: half of the ring is free, or it is lossy, or closed */
} yunta_wait_kind;

typedef struct yunta_wait_item {
    yunta_wait_kind kind;
    int descriptor; /* for YUNTA_WAIT_DESCRIPTOR */
    short events;   /* … POLLIN, POLLOUT … */
    short ready;    /* written by the call. Not 0: ready; for a descriptor, what poll says of it */
    void *object;   /* for all others */
} yunta_wait_item;

/* Waits up to `milliseconds` until at least one item is ready. Any number of items, the same thing twice too; in any
 * thread of any process of the team. Returns how many are ready, or: -ETIMEDOUT: none, and all `ready` are 0; -EINVAL:
 * NULL with a count, more than INT_MAX, an unknown kind, a NULL object; -EPERM: a future or subscription of another
 * process; -EDEADLK: the calling process itself; -EBADF: a descriptor that is not open, or a pipe's end that this
 * process has closed, that is gone, or that does not go this way; -ENOMEM; -EMFILE: with descriptors among the items it
 * needs one of its own. After any of these but -ETIMEDOUT `ready` means nothing. Nobody may destroy an object
 * meanwhile. */
YUNTA_API int yunta_wait_many(yunta_wait_item *items, size_t count, int milliseconds);

#ifdef __cplusplus
}
#endif

#endif
