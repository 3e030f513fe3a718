/* Latch: a count that goes down to 0, once, and then lets all through who wait for it, among processes of which any may
 * be killed.
 *
 * It stands in shared memory: pass the pointer to any process of the team. A process that is to count can *take* counts
 * before: then it owes them, and its death breaks the latch instead of leaving the others waiting for ever. A count
 * that nobody has taken breaks with nobody: whose death would leave it must be known from elsewhere (as by
 * yunta_process_join), and told by yunta_latch_abort. */
#ifndef YUNTA_LATCH_H
#define YUNTA_LATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <yunta/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yunta_latch yunta_latch;

/* With so many counts pending; with 0 it is open. -EINVAL: NULL; -ENOMEM. */
YUNTA_API int yunta_latch_create(yunta_latch **latch, uint32_t count);

/* Frees it; nobody may use it any more. Accepts NULL; returns NULL. */
YUNTA_API yunta_latch *yunta_latch_destroy(yunta_latch *latch);

/* This process takes n of the counts that nobody has taken yet: it is now the one to count them down, from any of its
 * threads. If it dies, or ends, while it owes some, or in the middle of this call, the latch is broken. -EOVERFLOW: not
 * so many are left: nothing is taken; YUNTA_EBROKEN; -EINVAL: NULL; -ENOMEM. */
YUNTA_API int yunta_latch_take(yunta_latch *latch, uint32_t n);

/* Counts down by n: what this process has taken; beyond that, what nobody has. Any process may, also one that has taken
 * nothing. With the last one pending the latch is open, for ever. -EOVERFLOW: so many are not there for it: nothing is
 * counted, unless another thread of this process counted at the same time; YUNTA_EBROKEN; -EINVAL: NULL. */
YUNTA_API int yunta_latch_count_down(yunta_latch *latch, uint32_t n);

/* Waits until it is open. 0: it is. YUNTA_EBROKEN: it never will be, for all who wait and all who come: since a process
 * has died, or ended, that owed a count, or by yunta_latch_abort. -ETIMEDOUT (with 0 ms at once); -EINVAL: NULL;
 * -ENOMEM. */
YUNTA_API int yunta_latch_wait(yunta_latch *latch, int milliseconds);

/* yunta_latch_count_down, and if that was well, yunta_latch_wait. After -ETIMEDOUT and -ENOMEM it has been counted. */
YUNTA_API int yunta_latch_arrive_and_wait(yunta_latch *latch, uint32_t n, int milliseconds);

/* Breaks it, unless it is open: who waits gets YUNTA_EBROKEN. -EINVAL: NULL. */
YUNTA_API int yunta_latch_abort(yunta_latch *latch);

/* How many counts are pending, also of a broken one; too high for a moment while a process takes some. 0: it is open.
 * -EINVAL: NULL. */
YUNTA_API int64_t yunta_latch_pending(yunta_latch *latch);

YUNTA_API bool yunta_latch_is_broken(yunta_latch *latch); /* false for NULL */

#ifdef __cplusplus
}
#endif

#endif
