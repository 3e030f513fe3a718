/* What the library asks of the kernel: sleeping and waking, the time, which processor it runs on. A call of it is a
 * full fence. Never wakes in an order that nobody promises. Next: machine.c, who runs when. */
#include "machine.h"

#include <errno.h>
#include <time.h>

#define FOR_EVER 1000000000u /* ns: a sleeper that looks again once in a second is one that sleeps for ever */

int sim_sched_yield(void);
int sim_sched_yield(void)
{
    if (sim.current) {
        sim.current->priority = sim_below(1000);
        sim_let_go();
    }
    return 0;
}

/* Time passes as it is looked at, and when nobody can go on before it has. */
int sim_clock_gettime(clockid_t clock, struct timespec *now);
int sim_clock_gettime(clockid_t clock, struct timespec *now)
{
    (void)clock;
    sim.now += 300;
    *now = (struct timespec){.tv_sec = (time_t)(sim.now / 1000000000u), .tv_nsec = (long)(sim.now % 1000000000u)};
    return 0;
}

int sim_cpu_count(void);
int sim_cpu_count(void)
{
    return (int)sim.cpus;
}

/* Which one a thread runs on may change at any moment. */
uint32_t sim_processor(void);
uint32_t sim_processor(void)
{
    return 1 + sim_below(sim.cpus);
}

static void fence(void)
{
    if (sim_pending)
        sim_drain(sim_pending);
    if (sim_looks)
        sim_view_fence(sim_looks, __ATOMIC_SEQ_CST);
}

static void enter_kernel(void)
{
    fence();
    sim_point();
}

static int sleep_on(_Atomic uint32_t *word, _Atomic uint32_t *tie, uint64_t until, bool looks_again)
{
    sim_thread *t = sim.current;
    t->word = word;
    t->tie = tie;
    t->until = until;
    t->looks_again = looks_again;
    t->state = SIM_ASLEEP;
    t->result = 0;
    if (sim_traces)
        sim_trace(tie ? "sleeps tied" : "sleeps", (const void *)word, atomic_load(word), __builtin_return_address(0));
    sim_let_go();
    fence();
    return t->result;
}

int sim_futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t ns);
int sim_futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t ns)
{
    if (!sim.current)
        sim_fail(__FILE__, __LINE__, "who sets up and checks may not have to wait");
    enter_kernel();
    fence(); /* the point before may have been long ago */
    if (atomic_load(word) != expected || (sim.spurious && sim_one_in(sim.spurious)))
        return 0;
    return sleep_on(word, NULL, ns >= FOR_EVER ? UINT64_MAX : sim.now + ns, ns == FOR_EVER);
}

int sim_tie_sleep(_Atomic uint32_t *word, uint32_t expected, yn_tie_shared *tie, uint32_t seen, yn_deadline deadline);
int sim_tie_sleep(_Atomic uint32_t *word, uint32_t expected, yn_tie_shared *tie, uint32_t seen, yn_deadline deadline)
{
    if (!sim.current)
        sim_fail(__FILE__, __LINE__, "who sets up and checks may not have to wait");
    enter_kernel();
    fence();
    if (atomic_load(word) != expected || atomic_load(&tie->word) != seen || (sim.spurious && sim_one_in(sim.spurious)))
        return 0;
    return sleep_on(word, &tie->word, deadline, false);
}

void sim_wake_up(sim_thread *t, int result)
{
    t->result = result;
    if (t->state == SIM_STOPPED)
        t->before = SIM_READY;
    else
        t->state = SIM_READY;
    t->word = t->tie = NULL;
}

static bool sleeps_on(const sim_thread *t, const _Atomic uint32_t *word)
{
    return (t->word == word || t->tie == word) &&
           (t->state == SIM_ASLEEP || (t->state == SIM_STOPPED && t->before == SIM_ASLEEP));
}

/* Any of those who sleep, as nobody promises which. */
void sim_wake_some(_Atomic uint32_t *word, int sleepers)
{
    for (int woken = 0; woken < sleepers; woken++) {
        sim_thread *found[SIM_THREADS];
        unsigned n = 0;
        for (int i = 0; i < sim.threads; i++)
            if (sleeps_on(&sim.thread[i], word))
                found[n++] = &sim.thread[i];
        if (n == 0)
            return;
        sim_wake_up(found[sim_below(n)], 0);
    }
}

void sim_futex_wake(_Atomic uint32_t *word, int sleepers);
void sim_futex_wake(_Atomic uint32_t *word, int sleepers)
{
    enter_kernel();
    if (sim_traces)
        sim_trace("wakes", (const void *)word, (uint64_t)sleepers, __builtin_return_address(0));
    sim_wake_some(word, sleepers);
}
