/* Condition and event between processes: waiting for a change that another process makes.
 *
 * Neither keeps count of who waits, so a waiter that is killed keeps nobody waiting for it. Both stand in shared
 * memory: pass the pointer to any process of the team. */
#ifndef YUNTA_CONDITION_H
#define YUNTA_CONDITION_H

#include <yunta/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yunta_condition yunta_condition;

/* Makes one. -EINVAL: NULL; -ENOMEM. */
YUNTA_API int yunta_condition_create(yunta_condition **condition);

/* Frees it; nobody may use it any more. Accepts NULL; returns NULL. */
YUNTA_API yunta_condition *yunta_condition_destroy(yunta_condition *condition);

/* Lets go of the lock, waits for a notification, takes the lock again, without limit. Look at what you wait for in a
 * loop: it may return without a notification, as after the death of anybody in the team, since that may have been who
 * was about to notify. 0, or -ETIMEDOUT, with the lock yours; -EOWNERDEAD: the lock is yours, and its last owner died
 * (as yunta_lock_acquire); YUNTA_EBROKEN: the lock is, and is not yours. Nothing done: -EPERM: the lock is not yours;
 * -EINVAL: NULL; -ENOMEM. */
YUNTA_API int yunta_condition_wait(yunta_condition *condition, yunta_lock *lock, int milliseconds);

/* The loop: waits until `is_true(argument)`, called with the lock held. 0: it is; the rest as above. */
YUNTA_API int yunta_condition_wait_for(yunta_condition *condition, yunta_lock *lock, bool (*is_true)(void *argument),
                                       void *argument, int milliseconds);

/* Wakes one of those who wait, if there are any; all of them. Best with the lock held, but it need not be. -EINVAL:
 * NULL. */
YUNTA_API int yunta_condition_notify(yunta_condition *condition);
YUNTA_API int yunta_condition_notify_all(yunta_condition *condition);

typedef struct yunta_event yunta_event;

/* Makes one that is not set. -EINVAL: NULL; -ENOMEM. */
YUNTA_API int yunta_event_create(yunta_event **event);

/* Frees it; nobody may use it any more. Accepts NULL; returns NULL. */
YUNTA_API yunta_event *yunta_event_destroy(yunta_event *event);

/* Sets it, and wakes all who wait; clears it, so that they wait again. -EINVAL: NULL. */
YUNTA_API int yunta_event_set(yunta_event *event);
YUNTA_API int yunta_event_clear(yunta_event *event);

YUNTA_API bool yunta_event_is_set(const yunta_event *event); /* false for NULL */

/* Waits until it is set, or has been meanwhile. 0; -ETIMEDOUT; -EINVAL: NULL; -ENOMEM. */
YUNTA_API int yunta_event_wait(yunta_event *event, int milliseconds);

#ifdef __cplusplus
}
#endif

#endif
