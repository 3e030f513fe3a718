/* What the tests that kill step by step share: members of the team that are forked, eyes for who of them sleeps, and
 * the library's waiting in a copy of ours, where sleeps without a limit have none and limits are over when we say so.
 *
 * Who includes this defines `struct scene`, in memory that all see, and then includes the sources under test. */
#ifndef YUNTA_ACTORS_H
#define YUNTA_ACTORS_H

#include "../proc/helpers.h"

#include "stepkill.h"

#include <sys/prctl.h>

#include "base/base.h"

static _Atomic int *time_is_up; /* in memory that all see */

static inline uint64_t time_left(yn_deadline deadline)
{
    return deadline != YN_NEVER && atomic_load(time_is_up) ? 0 : yn_deadline_left(deadline);
}
#define yn_deadline_left(deadline) time_left(deadline)
#include "../sync/endless.h"

enum { BEFORE, INSIDE, LEAVING, AFTER }; /* how far the victim was */

typedef struct scene scene;

static inline yn_self *self(void)
{
    int error;
    yn_self *me = yn_self_get(&error);
    if (!me)
        _exit(97);
    return me;
}

static inline bool is_asleep(pid_t pid, yn_claim who)
{
    return who && atomic_load(&yn_slot_at(&self()->arena->slots, yn_claim_slot(who))->seat.word) &&
           test_state(pid) == 'S';
}

/* Without Check, whose assertions are for the test's own process. */
static inline void await(_Atomic int *word)
{
    while (atomic_load(word) == 0)
        test_nap();
}

static inline pid_t fork_member(scene *s, _Atomic yn_claim *claim, void (*run)(scene *s))
{
    atomic_store(claim, 0);
    pid_t pid = test_fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    atomic_store(claim, self()->claim);
    run(s);
    _exit(0);
}

static inline int status_of(pid_t pid)
{
    int status;
    pid_t r;
    do
        r = waitpid(pid, &status, 0);
    while (r < 0 && errno == EINTR); /* the stepper's alarm */
    return r == pid ? status : -1;
}

static inline bool ended_well(pid_t pid)
{
    return status_of(pid) == 0;
}

static inline bool is_soon_declared_dead(yn_claim who)
{
    uint64_t end = test_now_ms() + 10000;
    while (yn_claim_is_alive(&self()->arena->slots, who)) {
        if (test_now_ms() >= end)
            return false;
        test_nap();
    }
    return true;
}

#endif
