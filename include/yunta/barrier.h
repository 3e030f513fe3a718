/* Barrier, and once: meeting, and doing something a single time, among processes of which any may be killed.
 *
 * Both stand in shared memory: pass the pointer to any process of the team. */
#ifndef YUNTA_BARRIER_H
#define YUNTA_BARRIER_H

#include <yunta/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yunta_barrier yunta_barrier;

/* For so many parties. -EINVAL: NULL, or parties 0 or above 2^20; -ENOMEM. */
YUNTA_API int yunta_barrier_create(yunta_barrier **barrier, uint32_t parties);

/* Frees it; nobody may use it any more. Accepts NULL; returns NULL. */
YUNTA_API yunta_barrier *yunta_barrier_destroy(yunta_barrier *barrier);

/* Waits until all parties do. 0 … parties - 1: they do, and this one was the so-manieth to come: of each round just one
 * gets 0. YUNTA_EBROKEN: it is broken, for all who wait and all who come, until it is reset: since a party has died, or
 * ended, while it waited, or after it had been in the last round without leaving; since one's time ran out; or by
 * yunta_barrier_abort. -ETIMEDOUT: our time has run out, and it is broken now (not with 0 ms: then nothing has
 * happened); -EINVAL: NULL; -ENOMEM. */
YUNTA_API int yunta_barrier_wait(yunta_barrier *barrier, int milliseconds);

/* This process is done with it: the others need not expect it again, though they still wait for so many. -EINVAL: NULL.
 */
YUNTA_API int yunta_barrier_leave(yunta_barrier *barrier);

/* Breaks it: who waits gets YUNTA_EBROKEN. -EINVAL: NULL. */
YUNTA_API int yunta_barrier_abort(yunta_barrier *barrier);

/* As new: who waits gets YUNTA_EBROKEN, who comes later waits for all parties. -EINVAL: NULL. */
YUNTA_API int yunta_barrier_reset(yunta_barrier *barrier);

YUNTA_API int yunta_barrier_waiting(yunta_barrier *barrier);          /* how many wait now; -EINVAL: NULL */
YUNTA_API bool yunta_barrier_is_broken(const yunta_barrier *barrier); /* false for NULL */

typedef struct yunta_once yunta_once;

/* Makes one that is not done. -EINVAL: NULL; -ENOMEM. */
YUNTA_API int yunta_once_create(yunta_once **once);

/* Frees it; nobody may use it any more. Accepts NULL; returns NULL. */
YUNTA_API yunta_once *yunta_once_destroy(yunta_once *once);

/* Calls `call(argument, again)` unless that has been done, in whichever process; waits while another one is at it. 0:
 * it is done. If the call returns an error (below 0), this returns that, and the next one calls. If its process dies in
 * it, the next one calls, with `again` true: half of it may have been done. -EDEADLK: this thread is at it; -ETIMEDOUT;
 * -EINVAL: NULL; -ENOMEM. */
YUNTA_API int yunta_once_run(yunta_once *once, int (*call)(void *argument, bool again), void *argument,
                             int milliseconds);

#ifdef __cplusplus
}
#endif

#endif
