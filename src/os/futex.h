/* The futex: the one thing processes sleep on. Words are shared, so FUTEX_PRIVATE never. */
#ifndef YN_FUTEX_H
#define YN_FUTEX_H

#include "base/base.h"
#include "os/rawsys.h"

#include <limits.h>
#include <linux/futex.h>

/* Sleeps while *word == expected, at most `ns` (UINT64_MAX: no limit). May return early for no reason: look again.
 * Returns 0, or -ETIMEDOUT. */
static inline int yn_futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t ns)
{
    struct timespec limit = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
    long r = yn_raw4(SYS_futex, word, FUTEX_WAIT, expected, ns == UINT64_MAX ? NULL : &limit);
    return r == -ETIMEDOUT ? -ETIMEDOUT : 0;
}

static inline void yn_futex_wake(_Atomic uint32_t *word, int sleepers)
{
    yn_raw3(SYS_futex, word, FUTEX_WAKE, sleepers);
}

#define YN_WAKE_ALL INT_MAX

/* A lock between the threads of one process, that lives on its private page: 0 open, 1 held, 2 held and perhaps waited
 * for. */
static inline void yn_futex_lock(_Atomic uint32_t *word)
{
    uint32_t state = 0;
    if (atomic_compare_exchange_strong(word, &state, 1))
        return;
    while (atomic_exchange(word, 2) != 0)
        yn_futex_wait(word, 2, UINT64_MAX);
}

static inline void yn_futex_unlock(_Atomic uint32_t *word)
{
    if (atomic_exchange(word, 0) == 2)
        yn_futex_wake(word, 1);
}

#endif
