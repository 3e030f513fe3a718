/* Guests for the tests of the queue: forked children that take part in the team by themselves at their first call, and
 * a test that plays the watch for them. No process of theirs is started by the library, so there is no real watch to
 * get in the way. */
#ifndef YUNTA_TEST_QUEUE_GUEST_H
#define YUNTA_TEST_QUEUE_GUEST_H

#include "shm/self.h"
#include "sync/wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <test.h>
#include <unistd.h>

typedef struct guest {
    pid_t pid;
    _Atomic yn_claim *claim; /* what the guest calls itself; 0 until it has joined */
} guest;

/* Memory that parent and children share, beside the arena. */
static inline void *guest_memory(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(p != MAP_FAILED);
    return p;
}

__attribute__((noinline, unused)) static yn_self *guest_self(void)
{
    int r;
    yn_self *me = yn_self_get(&r);
    if (!me)
        abort();
    return me;
}

/* Forks a guest that runs `run(context)` and leaves with what it returns. `claim` lies in shared memory. */
static inline guest guest_start(_Atomic yn_claim *claim, int (*run)(void *), void *context)
{
    guest g = {.claim = claim};
    atomic_store(claim, 0);
    fflush(NULL);
    g.pid = test_fork();
    if (g.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        atomic_store(claim, guest_self()->claim);
        _exit(run(context));
    }
    return g;
}

/* What the watch does when a process has ended. */
static inline void guest_bury(yn_claim claim)
{
    yn_arena_shared *arena = guest_self()->arena;
    if (claim == 0)
        return;
    yn_slot_declare_dead(&arena->slots, claim);
    atomic_fetch_add(&arena->deaths, 1);
    yn_wait_nudge_all(arena);
    yn_slot_free(&arena->slots, claim);
}

/* Waits for the guest's end, which is then known to all. Its wait status. */
static inline int guest_join(guest *g)
{
    int status = 0;
    ck_assert_int_eq(waitpid(g->pid, &status, 0), g->pid);
    guest_bury(atomic_load(g->claim));
    g->pid = 0;
    return status;
}

static inline void guest_kill(guest *g)
{
    kill(g->pid, SIGKILL);
    guest_join(g);
}

/* Waits until the guest sleeps in the kernel. */
static inline void guest_wait_asleep(const guest *g)
{
    test_wait_until(test_state(g->pid) == 'S', 10000);
}

/* A number from the environment that says how much of something to do. */
static inline long guest_amount(const char *name, long usual)
{
    const char *text = getenv(name);
    long n = text ? strtol(text, NULL, 10) : 0;
    return n > 0 ? n : usual;
}

#endif
