/* Queues, further: messages written and read where they lie, without a copy. What it costs does not depend on their
 * size, up to 2 MiB; beyond that it is what memory of that size costs.
 *
 *     yunta_loan loan;                                          yunta_loan loan;
 *     yunta_queue_reserve(queue, size, &loan);                  yunta_queue_receive(queue, &loan, YUNTA_FOREVER);
 *     … write loan.data …                                       … read loan.data, loan.size …
 *     yunta_queue_commit(&loan, size, YUNTA_FOREVER);           yunta_queue_release(&loan);
 *
 * A loan belongs to the process that took it, in any of its threads. A process killed with a reserved one loses that
 * memory and nothing else; what one killed with a received message had not released is delivered again, as its holder
 * left it, or is counted lost (lose_on_death). A received message keeps its place: in a bounded queue those who put
 * wait when they have come round to it. What is no longer than its place in the queue (1 KiB for items, 112 bytes for
 * messages with sizes of their own) is copied there when it is committed. A queue keeps up to eight blocks of up to 2
 * MiB for its next loans, until it is drained or destroyed. */
#ifndef YUNTA_QUEUE_LOAN_H
#define YUNTA_QUEUE_LOAN_H

#include <yunta/queue.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yunta_loan {
    void *data;         /* to write before commit, to read before release */
    size_t size;        /* bytes reserved, or of the message */
    yunta_queue *queue; /* NULL: this loan is over */
    void *place[2];     /* the library's */
    uint64_t lap;
} yunta_loan;

/* Room for a message of `size` bytes, aligned to 16. It is in nobody's way: it takes no place before it is committed.
 * -EINVAL: NULL; -EMSGSIZE: not the size of the queue's items; YUNTA_ECLOSED; -ENOMEM. */
YUNTA_API int yunta_queue_reserve(yunta_queue *queue, size_t size, yunta_loan *loan);

/* Puts what stands in the first `size` bytes, waiting up to `milliseconds` for room. 0: the loan is over, the memory is
 * the queue's. After an error it is still yours: commit again, or abandon. -EINVAL: NULL, over, or received; -EMSGSIZE:
 * more than was reserved, or not an item's size; -ETIMEDOUT; YUNTA_ECLOSED; -ENOMEM. */
YUNTA_API int yunta_queue_commit(yunta_loan *loan, size_t size, int milliseconds);

/* Takes the oldest message, waiting for it up to `milliseconds`: it is yours until released. -EINVAL: NULL; -ETIMEDOUT;
 * YUNTA_ECLOSED: closed and empty; -ENOMEM. */
YUNTA_API int yunta_queue_receive(yunta_queue *queue, yunta_loan *loan, int milliseconds);

/* The message is done with, in a joinable queue too (so no yunta_queue_task_done for it). -EINVAL: NULL, over, or
 * reserved; -EPERM: this process has not received it. */
YUNTA_API int yunta_queue_release(yunta_loan *loan);

/* Gives a reserved loan back unused. -EINVAL: NULL, over, or received. */
YUNTA_API int yunta_queue_abandon(yunta_loan *loan);

#ifdef __cplusplus
}
#endif

#endif
