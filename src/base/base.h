/* What every file may use: compiler words, assertion, clock, deadlines. Knows C, not processes. */
#ifndef YN_BASE_H
#define YN_BASE_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <yunta/error.h>

#if defined(__SANITIZE_THREAD__)
#define YN_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define YN_THREAD_SANITIZER 1
#endif
#endif

#define YN_LIKELY(x) __builtin_expect(!!(x), 1)
#define YN_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define YN_CACHE_LINE 64
#define YN_ALIGNED(bytes) __attribute__((aligned(bytes)))
#define YN_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define YN_NOINLINE __attribute__((noinline))
#define YN_ALWAYS_INLINE __attribute__((always_inline)) static inline /* also what is used in several places */
#if defined(YN_THREAD_SANITIZER)
#define YN_RACES_ON_PURPOSE __attribute__((no_sanitize("thread"), noinline))
#define YN_RACES_INLINE YN_RACES_ON_PURPOSE __attribute__((unused)) static /* in headers */
#else
#define YN_RACES_ON_PURPOSE
#define YN_RACES_INLINE static inline
#endif
/* What a fresh child runs through stands together: it pages in anew each window of code that it comes to. */
#define YN_IN_CHILD __attribute__((hot))

/* Our own bug: say where, and stop. Kept in release builds; it costs a predicted branch. */
#define yn_assert(condition)                                                                                           \
    do {                                                                                                               \
        if (YN_UNLIKELY(!(condition)))                                                                                 \
            yn_assert_failed(#condition, __FILE__, __LINE__);                                                          \
    } while (0)
void yn_assert_failed(const char *condition, const char *file, int line) __attribute__((noreturn, cold));

static inline size_t yn_round_up(size_t n, size_t power_of_two)
{
    return (n + power_of_two - 1) & ~(power_of_two - 1);
}

static inline bool yn_is_power_of_two(size_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

static inline void yn_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

/* A full fence; on x86 a locked no-op on the stack is several times cheaper than mfence. */
static inline void yn_full_fence(void)
{
#if defined(YN_THREAD_SANITIZER)
    static _Atomic int everywhere; /* it does not know fences, but knows this */
    atomic_fetch_add(&everywhere, 0);
#elif defined(__x86_64__)
    __asm__ volatile("lock orl $0, -8(%%rsp)" ::: "memory", "cc");
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* The same right behind a compare-and-swap or the like, which on x86 is one itself. */
static inline void yn_full_fence_after_swap(void)
{
#if defined(__x86_64__) && !defined(YN_THREAD_SANITIZER)
    atomic_signal_fence(memory_order_seq_cst);
#else
    yn_full_fence();
#endif
}

static inline void yn_acquire_fence(void)
{
#if defined(YN_THREAD_SANITIZER)
    yn_full_fence();
#else
    atomic_thread_fence(memory_order_acquire);
#endif
}

static inline void yn_release_fence(void)
{
#if defined(YN_THREAD_SANITIZER)
    yn_full_fence();
#else
    atomic_thread_fence(memory_order_release);
#endif
}

static inline uint64_t yn_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Deadlines are absolute, CLOCK_MONOTONIC in ns. */
typedef uint64_t yn_deadline;
#define YN_NEVER UINT64_MAX

static inline yn_deadline yn_deadline_in(int milliseconds)
{
    if (milliseconds < 0)
        return YN_NEVER;
    return milliseconds == 0 ? 0 : yn_now_ns() + (uint64_t)milliseconds * 1000000u;
}

/* What is left, ns; 0 when it has passed. */
static inline uint64_t yn_deadline_left(yn_deadline deadline)
{
    if (deadline == YN_NEVER)
        return UINT64_MAX;
    if (deadline == 0)
        return 0;
    uint64_t now = yn_now_ns();
    return deadline > now ? deadline - now : 0;
}

/* … and as poll wants it: rounded up, -1 for never. */
static inline int yn_deadline_poll_ms(yn_deadline deadline)
{
    uint64_t left = yn_deadline_left(deadline);
    if (left == UINT64_MAX)
        return -1;
    uint64_t ms = left / 1000000u + (left % 1000000u != 0);
    return ms > 3600000u ? 3600000 : (int)ms;
}

/* What yunta_fail said in this thread last; empty if nothing. The pointer is the thread's own buffer. */
char *yn_fail_text(void);

#endif
