/* Sleep without the second belt: what is waited for without a limit is slept for without one, and a wake that is lost
 * is a test that hangs, not one that takes a second longer. By its own copy of sync/wait.c, which replaces that of the
 * library in the whole program. */
#ifndef YUNTA_ENDLESS_H
#define YUNTA_ENDLESS_H

#include "test.h"

#include "os/futex.h"
#include "proc/record.h"
#include "sync/wait.h"

#include <signal.h>

static int endless_sleep(_Atomic uint32_t *word, uint32_t expected, uint64_t ns);
static int endless_tied_sleep(_Atomic uint32_t *word, uint32_t expected, yn_tie_shared *tie, uint32_t seen,
                              yn_deadline deadline);
#define yn_futex_wait(word, expected, ns) endless_sleep((word), (expected), (ns))
#define yn_tie_sleep(word, expected, tie, seen, deadline)                                                              \
    endless_tied_sleep((word), (expected), (tie), (seen), (deadline))
#include "sync/wait.c"
#undef yn_futex_wait
#undef yn_tie_sleep

static _Atomic unsigned endless_sleeps;  /* of this process, so far */
static _Atomic bool dies_with_the_watch; /* of this process: killed as the end of the watch wakes it, before all else */

static int endless_sleep(_Atomic uint32_t *word, uint32_t expected, uint64_t ns)
{
    atomic_fetch_add(&endless_sleeps, 1);
    return yn_futex_wait(word, expected, ns == belt_ns ? UINT64_MAX : ns);
}

static int endless_tied_sleep(_Atomic uint32_t *word, uint32_t expected, yn_tie_shared *tie, uint32_t seen,
                              yn_deadline deadline)
{
    int r = yn_tie_sleep(word, expected, tie, seen, deadline);
    if (atomic_load(&dies_with_the_watch) && atomic_load(&tie->word) != seen)
        raise(SIGKILL);
    if (r != -ENOSYS) /* else it counts as what it becomes */
        atomic_fetch_add(&endless_sleeps, 1);
    return r;
}

/* It sleeps in the kernel, and has a seat for that: it is not just about to. */
static inline bool is_waiting(yunta_process *process)
{
    int error;
    yn_claim who = atomic_load(&process->who);
    yn_slot_shared *slot = yn_slot_at(&yn_self_get(&error)->arena->slots, yn_claim_slot(who));
    bool seated = atomic_load(&slot->seat.word) != NULL;
    for (yn_seat_shared *seat = atomic_load(&slot->seats); seat; seat = atomic_load(&seat->next))
        seated = seated || atomic_load(&seat->word);
    return seated && test_state(yunta_process_pid(process)) == 'S';
}

#endif
