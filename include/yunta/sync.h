/* Lock and semaphore between processes, that survive a killed owner: the next one is told, and goes on.
 *
 * Both stand in shared memory: pass the pointer to any process of the team. */
#ifndef YUNTA_SYNC_H
#define YUNTA_SYNC_H

#include <stddef.h>
#include <yunta/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yunta_lock yunta_lock;

/* Makes an open lock. -EINVAL: NULL; -ENOMEM. */
YUNTA_API int yunta_lock_create(yunta_lock **lock);

/* Frees it; nobody may hold it, wait for it or use it any more. Accepts NULL; returns NULL. */
YUNTA_API yunta_lock *yunta_lock_destroy(yunta_lock *lock);

/* Takes it. 0: yours. -EOWNERDEAD: yours as well, but its owner died holding it, so look over what it protects, then
 * call yunta_lock_mark_consistent; if you release it without, it is broken for all. YUNTA_EBROKEN: it is; not taken.
 * -ETIMEDOUT; -EINVAL: NULL; -ENOMEM. Not recursive: a thread that takes it twice waits for itself. It belongs to the
 * process: a thread that ends does not release it. */
YUNTA_API int yunta_lock_acquire(yunta_lock *lock, int milliseconds);

/* After -EOWNERDEAD: what the lock protects is whole again. -EINVAL: NULL, or it was not in question; -EPERM: not
 * yours. */
YUNTA_API int yunta_lock_mark_consistent(yunta_lock *lock);

/* Lets it go. -EINVAL: NULL; -EPERM: this process does not hold it. */
YUNTA_API int yunta_lock_release(yunta_lock *lock);

YUNTA_API bool yunta_lock_is_held(const yunta_lock *lock); /* by whomever, dead or alive; false for NULL */

typedef struct yunta_semaphore yunta_semaphore;

typedef struct yunta_semaphore_options {
    uint32_t initial; /* units to begin with. Each takes 8 bytes, and who finds none has looked at all of them: for
                         millions, unowned ones */
    uint32_t maximum; /* a release beyond it is refused (Python's BoundedSemaphore); 0: no maximum */
    bool unowned; /* units belong to nobody: any process may release what another acquired (signalling), and what a dead
                     process had acquired is not given back. Else each unit belongs to the process that acquired it. */
    uint64_t reserved[4]; /* zero */
} yunta_semaphore_options;

/* NULL options: one unit. -EINVAL: NULL, initial above 2^31 - 1 or above a maximum, or reserved not zero; -ENOMEM. */
YUNTA_API int yunta_semaphore_create(yunta_semaphore **semaphore, const yunta_semaphore_options *options);

/* Frees it; nobody may use it any more. Accepts NULL; returns NULL. */
YUNTA_API yunta_semaphore *yunta_semaphore_destroy(yunta_semaphore *semaphore);

/* Takes one unit. 0: yours. -EOWNERDEAD: yours as well, taken back from a process that died with it: told once for each
 * such unit. -ETIMEDOUT; -EINVAL: NULL; -ENOMEM. */
YUNTA_API int yunta_semaphore_acquire(yunta_semaphore *semaphore, int milliseconds);

/* Gives one unit back, or, when this process holds none, adds one. -EOVERFLOW: beyond the maximum; -ENOMEM; -EINVAL:
 * NULL. */
YUNTA_API int yunta_semaphore_release(yunta_semaphore *semaphore);

/* Units that can be taken now. -EINVAL: NULL. */
YUNTA_API int yunta_semaphore_value(yunta_semaphore *semaphore);

#ifdef __cplusplus
}
#endif

#endif
