/* Recursive lock and read–write lock between processes: as yunta_lock, they survive a killed owner.
 *
 * Both stand in shared memory: pass the pointer to any process of the team. */
#ifndef YUNTA_RWLOCK_H
#define YUNTA_RWLOCK_H

#include <yunta/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yunta_recursive_lock yunta_recursive_lock;

/* Makes an open one. -EINVAL: NULL; -ENOMEM. */
YUNTA_API int yunta_recursive_lock_create(yunta_recursive_lock **lock);

/* Frees it; nobody may use it any more. Accepts NULL; returns NULL. */
YUNTA_API yunta_recursive_lock *yunta_recursive_lock_destroy(yunta_recursive_lock *lock);

/* As yunta_lock_acquire, but the thread that has it may take it again, and is then to release it as often. -EOVERFLOW:
 * taken 2^31 - 1 times. */
YUNTA_API int yunta_recursive_lock_acquire(yunta_recursive_lock *lock, int milliseconds);

/* As yunta_lock_mark_consistent. -EPERM: this thread does not hold it. */
YUNTA_API int yunta_recursive_lock_mark_consistent(yunta_recursive_lock *lock);

/* Lets it go once. -EPERM: this thread does not hold it; -EINVAL: NULL. */
YUNTA_API int yunta_recursive_lock_release(yunta_recursive_lock *lock);

typedef struct yunta_rwlock yunta_rwlock;

/* Makes an open one. -EINVAL: NULL; -ENOMEM. */
YUNTA_API int yunta_rwlock_create(yunta_rwlock **lock);

/* Frees it; nobody may use it any more. Accepts NULL; returns NULL. */
YUNTA_API yunta_rwlock *yunta_rwlock_destroy(yunta_rwlock *lock);

/* Takes it for reading, beside other readers; a writer that waits goes first. Not twice in one thread: a writer may
 * have come between. 0: yours. -EOWNERDEAD: a writer died while it had it, and it is yours *for writing*: look over
 * what it protects, mark it consistent, release it. YUNTA_EBROKEN: that was not done; not taken. -ETIMEDOUT; -ENOMEM;
 * -EINVAL: NULL. A reader that dies leaves no trace. */
YUNTA_API int yunta_rwlock_acquire_read(yunta_rwlock *lock, int milliseconds);

/* Takes it for writing, alone. As above. */
YUNTA_API int yunta_rwlock_acquire_write(yunta_rwlock *lock, int milliseconds);

/* After -EOWNERDEAD: what the lock protects is whole again. -EINVAL: NULL, or not in question; -EPERM: not yours. */
YUNTA_API int yunta_rwlock_mark_consistent(yunta_rwlock *lock);

/* Lets it go, whichever way this process has it. -EPERM: it has not; -EINVAL: NULL. */
YUNTA_API int yunta_rwlock_release(yunta_rwlock *lock);

#ifdef __cplusplus
}
#endif

#endif
