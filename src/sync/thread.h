/* Which thread of the team: so that one who has something can be told from another thread of its process.
 *
 * The process is written last and cleared first. So what names a process has been written by the thread that it says:
 * a thread's address alone may be another one's in another process, and stay behind when that one is killed. */
#ifndef YN_SYNC_THREAD_H
#define YN_SYNC_THREAD_H

#include "shm/self.h"

typedef struct yn_thread_shared {
    _Atomic yn_claim process; /* 0: nobody */
    _Atomic uint64_t thread;  /* of that process: the address of what is a thread's own */
} yn_thread_shared;

/* Both by who has that to which it belongs. */
static inline void yn_thread_set(const yn_self *me, yn_thread_shared *thread)
{
    atomic_store_explicit(&thread->thread, (uint64_t)(uintptr_t)me, memory_order_relaxed);
    atomic_store_explicit(&thread->process, me->claim, memory_order_release);
}

static inline void yn_thread_clear(yn_thread_shared *thread)
{
    atomic_store_explicit(&thread->process, 0, memory_order_relaxed);
}

/* By anybody. */
static inline bool yn_thread_is_me(const yn_self *me, const yn_thread_shared *thread)
{
    return atomic_load_explicit(&thread->process, memory_order_acquire) == me->claim &&
           atomic_load_explicit(&thread->thread, memory_order_relaxed) == (uint64_t)(uintptr_t)me;
}

/* Which thread of this process is named; 0 if it is another process's. By anybody. */
static inline uint64_t yn_thread_of(yn_claim process, const yn_thread_shared *thread)
{
    bool is = process != 0 && atomic_load(&thread->process) == process;
    return is ? atomic_load(&thread->thread) : 0;
}

#endif
