/* Included before all else in each source of the library that is simulated: what those ask of the kernel and of the
 * machine they ask of the simulator instead. Nothing else differs from what users get. */
#ifndef YUNTA_SIM_SEAM_H
#define YUNTA_SIM_SEAM_H

#include <sched.h>
#include <string.h>
#include <time.h>

int sim_clock_gettime(clockid_t clock, struct timespec *now);
int sim_sched_yield(void);
void *sim_memcpy(void *to, const void *from, size_t size);
void *sim_memset(void *to, int byte, size_t size);
#define clock_gettime sim_clock_gettime
#define sched_yield sim_sched_yield
#define memcpy sim_memcpy
#define memset sim_memset

/* Fences as they stand in C11, for the simulator to see: not the processor's, nor ThreadSanitizer's. */
#include "base/base.h"
#define yn_full_fence() atomic_thread_fence(memory_order_seq_cst)
#define yn_full_fence_after_swap() yn_full_fence()
#define yn_acquire_fence() atomic_thread_fence(memory_order_acquire)
#define yn_release_fence() atomic_thread_fence(memory_order_release)

#include "comm/queue.h"
#include "os/cpu.h"
#include "os/futex.h"
#include "os/life.h"
#include "os/memfd.h"
#include "os/tie.h"

long sim_system_call(long number);
#define yn_raw6(number, a, b, c, d, e, f)                                                                              \
    ((void)(a), (void)(b), (void)(c), (void)(d), (void)(e), (void)(f), sim_system_call(number))

int sim_futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t ns);
void sim_futex_wake(_Atomic uint32_t *word, int sleepers);
#define yn_futex_wait sim_futex_wait
#define yn_futex_wake sim_futex_wake
int sim_tie_sleep(_Atomic uint32_t *word, uint32_t expected, yn_tie_shared *tie, uint32_t seen, yn_deadline deadline);
#define yn_tie_sleep sim_tie_sleep
/* Among the threads of one process, in its own memory, which goes with it: no simulated process has several that use
 * it. */
#define yn_futex_lock(word) ((void)(word))
#define yn_futex_unlock(word) ((void)(word))

int sim_memfd_reserve(int fd, uint64_t offset, uint64_t bytes);
int sim_memfd_discard(int fd, uint64_t offset, uint64_t bytes);
uint64_t sim_life_threads(pid_t pid, uint64_t joined_ns);
#define yn_life_threads sim_life_threads
int sim_cpu_count(void);
uint32_t sim_processor(void);
#define yn_processor sim_processor
#define yn_memfd_reserve sim_memfd_reserve
#define yn_memfd_discard sim_memfd_discard
#define yn_cpu_count_known sim_cpu_count

void sim_assert_failed(const char *condition, const char *file, int line) __attribute__((noreturn));
#define yn_assert_failed sim_assert_failed

/* Each simulated thread has a self of its own. */
yn_self *sim_self_get(int *error);
yn_claim sim_self_claim(void);
#define yn_self_get(error) sim_self_get(error)
#define yn_self_claim() sim_self_claim()
yn_claim sim_self_brief(void);
#define yn_self_brief() sim_self_brief()
yn_arena_shared *yn_self_arena(void) __attribute__((weak)); /* world.c has another */

/* Readers that race on purpose copy as they do for users: by memcpy, which is the simulator's. */
#undef YN_THREAD_SANITIZER
#undef YN_RACES_INLINE
#define YN_RACES_INLINE static inline

/* A chain of small rings, so that it grows within a few messages. */
#ifdef YN_LINK_CELLS_FIRST
#undef YN_LINK_CELLS_FIRST
#undef YN_LINK_CELLS_MOST
#define YN_LINK_CELLS_FIRST UINT64_C(2)
#define YN_LINK_CELLS_MOST UINT64_C(4)
#endif

#endif
