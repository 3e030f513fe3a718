/* Future: the outcome of a submitted task, when it comes. It belongs to the process that submitted. */
#ifndef YUNTA_FUTURE_H
#define YUNTA_FUTURE_H

#include <stddef.h>
#include <yunta/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Waits up to `milliseconds` for the outcome and copies the result to *out (which may be NULL), zero where the task has
 * not written. Any number of times. 0, or the failure's code: YUNTA_EFAILED: the task returned < 0; YUNTA_ECRASHED: its
 * worker died; YUNTA_EEXITED: it called exit; YUNTA_EFOREMAN; YUNTA_ECLOSED: the pool ended first; -ECANCELED;
 * -ETIMEDOUT: not yet; -EINVAL: NULL; -EPERM: it belongs to another process. */
YUNTA_API int yunta_await(yunta_future *future, void *out, int milliseconds);

YUNTA_API bool yunta_future_is_done(yunta_future *future); /* false for NULL, and another process's */

/* Why it failed: 0, with why->code 0 if it went well; -EAGAIN while it is not done; -EINVAL: NULL; -EPERM. */
YUNTA_API int yunta_future_failure(yunta_future *future, yunta_failure *why);

/* Takes back a task that no worker has begun. 0: it will not run, await says -ECANCELED. -EBUSY: it runs or is done;
 * -EINVAL: NULL; -EPERM. */
YUNTA_API int yunta_future_cancel(yunta_future *future);

/* Frees it, whether done or not; a task that runs is not stopped. Accepts NULL; returns NULL. */
YUNTA_API yunta_future *yunta_future_destroy(yunta_future *future);

#ifdef __cplusplus
}
#endif

#endif
