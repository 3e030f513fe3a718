/* Tie: a word that one process holds, and that the kernel changes when that process ends, however it does; who sleeps
 * on it is woken then. So it is noticed at once, and by nobody who would have to look now and then.
 *
 * It is the kernel's robust list: the holder names its words once, and each says who holds it. One sleeper of each word
 * is woken, who wakes the others. */
#ifndef YN_TIE_H
#define YN_TIE_H

#include "base/base.h"
#include "os/rawsys.h"

#include <linux/futex.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

#define YN_TIES 64u

/* 0: nobody has held it yet | AWAITED | the holder's number and FUTEX_WAITERS | cut: FUTEX_OWNER_DIED, by the kernel.
 */
typedef struct yn_tie_shared {
    struct robust_list next; /* written once, by the maker */
    _Atomic uint32_t word;
} yn_tie_shared;

#define YN_TIE_AWAITED ((uint32_t)FUTEX_WAITERS) /* somebody is to hold it, or cannot */

typedef struct yn_ties_shared {
    struct robust_list_head head;
    _Atomic int32_t holder; /* the last one; written before the words */
    yn_tie_shared tie[YN_TIES];
} yn_ties_shared;

/* The kernel (or a tool) knows no sleep on two words: asked once. */
extern _Atomic bool yn_tie_unknown;

/* Whether the end of the holder is told to who sleeps on it: also of the first one, if it was 0. */
static inline bool yn_tie_holds(uint32_t word)
{
    return word == 0 || (word & FUTEX_TID_MASK) != 0;
}

static inline bool yn_tie_is_cut(uint32_t word)
{
    return (word & FUTEX_OWNER_DIED) != 0;
}

/* By who makes the memory in which they stand. `can_be_held`: else they are AWAITED for ever. */
static inline void yn_tie_init(yn_ties_shared *ties, bool can_be_held)
{
    ties->head.futex_offset = (long)offsetof(yn_tie_shared, word);
    ties->head.list.next = &ties->tie[0].next;
    for (uint32_t i = 0; i < YN_TIES; i++) {
        ties->tie[i].next.next = i + 1 < YN_TIES ? &ties->tie[i + 1].next : &ties->head.list;
        atomic_init(&ties->tie[i].word, can_be_held ? 0 : YN_TIE_AWAITED);
    }
}

/* The calling process, which has one thread and is `self`, holds them all until its end. It may not hold others.
 * -ENOSYS … where the kernel does not do that. */
static inline int yn_tie_hold(yn_ties_shared *ties, int32_t self)
{
    int r = (int)yn_raw2(SYS_set_robust_list, &ties->head, sizeof ties->head);
    if (r != 0)
        return r;
    atomic_store(&ties->holder, self);
    for (uint32_t i = 0; i < YN_TIES; i++)
        atomic_store(&ties->tie[i].word, (uint32_t)self | FUTEX_WAITERS);
    return 0;
}

/* Sleeps while *word == expected, and the tie is as it was seen. May return early for no reason: look again. 0,
 * -ETIMEDOUT; -ENOSYS: it cannot sleep like that. */
static inline int yn_tie_sleep(_Atomic uint32_t *word, uint32_t expected, yn_tie_shared *tie, uint32_t seen,
                               yn_deadline deadline)
{
    struct {
        uint64_t value, address;
        uint32_t flags, zero;
    } two[2] = {{expected, (uint64_t)(uintptr_t)word, 2, 0}, /* 32 bits, shared */
                {seen, (uint64_t)(uintptr_t)&tie->word, 2, 0}};
    struct timespec until = {.tv_sec = (time_t)(deadline / 1000000000u), .tv_nsec = (long)(deadline % 1000000000u)};
    if (atomic_load_explicit(&yn_tie_unknown, memory_order_relaxed))
        return -ENOSYS;
    long r = yn_raw5(SYS_futex_waitv, two, 2, 0, deadline == YN_NEVER ? NULL : &until, CLOCK_MONOTONIC);
    if (r >= 0 || r == -EAGAIN || r == -EINTR)
        return 0;
    if (r == -ENOSYS || r == -EPERM) /* too old, or forbidden */
        atomic_store_explicit(&yn_tie_unknown, true, memory_order_relaxed);
    return r == -ETIMEDOUT ? -ETIMEDOUT : -ENOSYS;
}

#endif
