/* Who runs when, who dies when, and sleeping: the machine that the simulated processes run on, drawn anew from the seed
 * for each schedule.
 * Never looks at the library's structures: what a death means to them is the watch's affair.
 * Next: world.c, the team; memory.c, who calls sim_turn. */
#include "machine.h"
#include "switch.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

enum { STACK_BYTES = 256 * 1024, SLICE_OF_THE_FIRST = 3000 };
#define STEPS_MOST 3000000L /* of one schedule: more is an endless loop */

sim_machine sim;

static const sim_scene *scene;
static long granted;
static jmp_buf failed;

uint64_t sim_random(void)
{
    sim.random ^= sim.random << 13;
    sim.random ^= sim.random >> 7;
    sim.random ^= sim.random << 17;
    return sim.random * UINT64_C(0x2545f4914f6cdd1d) >> 11;
}

/* From 1 on, of any order of magnitude up to 2^most. */
static long some_time(unsigned most)
{
    return 1 + (long)(sim_random() & ((UINT64_C(1) << (2 + sim_below(most - 1))) - 1));
}

static void to_main(void)
{
    sim_switch(&sim.current->sp, sim.main_sp);
}

/* What was used of the accesses granted. */
static void account(void)
{
    long used = granted - sim_left;
    sim.process[sim.current->process].steps += used;
    sim.steps += used;
    granted = sim_left = 0;
}

static void kill_process(int number)
{
    sim_process_plan *p = &sim.process[number];
    if (p->is_dead)
        return;
    p->is_dead = true;
    p->is_buried = false;
    sim.deaths += number != SIM_WATCH;
    for (int i = 0; i < sim.threads; i++)
        if (sim.thread[i].process == number && sim.thread[i].state != SIM_ABSENT)
            sim.thread[i].state = SIM_GONE;
    if (sim_traces)
        sim_trace_note("process %d is killed", number);
    if (number == SIM_WATCH && sim.is_tied)
        sim_watch_is_gone();
}

static void stop_process(int number)
{
    for (int i = 0; i < sim.threads; i++) {
        sim_thread *t = &sim.thread[i];
        if (t->process != number || t->state == SIM_ABSENT || t->state >= SIM_STOPPED)
            continue;
        t->before = t->state;
        t->state = SIM_STOPPED;
    }
    if (sim_traces)
        sim_trace_note("process %d is stopped", number);
}

static void continue_process(int number)
{
    for (int i = 0; i < sim.threads; i++)
        if (sim.thread[i].process == number && sim.thread[i].state == SIM_STOPPED)
            sim.thread[i].state = sim.thread[i].before;
    if (sim_traces)
        sim_trace_note("process %d goes on", number);
}

void sim_turn(void)
{
    if (!sim.current) {
        sim_left = LONG_MAX;
        return;
    }
    account();
    sim_process_plan *p = &sim.process[sim.current->process];
    if (!p->is_steady && p->steps >= p->kill_step) {
        kill_process(sim.current->process);
    } else if (!p->is_steady && p->steps >= p->stop_step) {
        p->stop_step = LONG_MAX;
        stop_process(sim.current->process);
    }
    to_main();
}

void sim_die(void)
{
    account();
    kill_process(sim.current->process);
    to_main();
    abort(); /* nobody comes back from there */
}

void sim_let_go(void)
{
    account();
    to_main();
}

void sim_point(void)
{
    if (--sim_left <= 0)
        sim_turn();
}

void sim_points(unsigned most)
{
    for (unsigned n = sim_below(most + 1); n > 0; n--)
        sim_point();
}

void sim_await(bool (*condition)(void))
{
    while (!condition()) {
        sim.current->condition = condition;
        sim.current->state = SIM_AWAITS;
        sim_let_go();
    }
    sim_view_join_all(&sim.current->view);
}

static void begin_thread(void)
{
    sim_thread *t = sim.current;
    t->run(t->number);
    account();
    sim_drain(&t->buffer);
    t->state = SIM_DONE;
    to_main();
}

static void newcomer(int number)
{
    int process = sim.current->process;
    sim.process[process].is_steady = true;
    sim_view_join_all(&sim.current->view); /* as a child of whoever */
    sim_newcomer_join();
    sim_drain(&sim.current->buffer);
    sim_view_fence(&sim.current->view, __ATOMIC_SEQ_CST); /* it is born by the kernel, and announced by it */
    sim.process[process].is_steady = false;
    scene->body(number);
}

static void prepare_thread(sim_thread *t, int process, int number, void (*run)(int))
{
    static unsigned char stacks[SIM_THREADS][STACK_BYTES] __attribute__((aligned(64)));
    t->stack = stacks[t - sim.thread];
    t->sp = sim_stack_make(t->stack, STACK_BYTES, begin_thread);
    t->state = SIM_READY;
    t->process = process;
    t->number = number;
    t->run = run;
    t->priority = sim_below(1000);
    t->word = t->tie = NULL;
    t->condition = NULL;
    t->buffer.count = 0;
    t->buffer.notes = 0;
}

static void prepare_threads(void)
{
    int n = 0;
    for (int p = 1; p <= scene->processes; p++)
        for (int k = 0; k < scene->threads; k++, n++)
            prepare_thread(&sim.thread[n], p, n, scene->body);
    for (int k = 0; k < scene->newcomers; k++, n++) {
        prepare_thread(&sim.thread[n], scene->processes + 1 + k, n, newcomer);
        sim.thread[n].state = SIM_ABSENT;
    }
    prepare_thread(&sim.thread[n], SIM_WATCH, n, sim_watch_run);
    sim.threads = n + 1;
}

static void plan_deaths(void)
{
    for (int p = 0; p <= SIM_PROCESSES; p++) {
        sim_process_plan *plan = &sim.process[p];
        plan->steps = 0;
        plan->kill_step = plan->stop_step = plan->kill_turn = LONG_MAX;
        plan->is_dead = plan->is_buried = plan->is_steady = false;
    }
    int living = scene->processes + scene->newcomers;
    for (int i = 0; i < scene->deaths; i++) {
        if (sim_one_in(3))
            continue;
        int p = sim_one_in(12) ? SIM_WATCH : 1 + (int)sim_below((unsigned)living);
        if (sim_one_in(4))
            sim.process[p].kill_turn = some_time(8);
        else
            sim.process[p].kill_step = some_time(10);
    }
    if (sim_one_in(3))
        sim.process[1 + sim_below((unsigned)living)].stop_step = some_time(9);
}

static void plan_machine(void)
{
    static const unsigned quanta[] = {1, 2, 4, 8, 16, 32, 64, 256};
    sim.quantum = quanta[sim_below(8)];
    sim.by_priority = sim_one_in(3);
    sim.is_weak = sim_one_in(2);
    sim.is_late = sim_one_in(2);
    sim.laziness = 1 + sim_below(6);
    sim.lateness = 1u << (1 + sim_below(5));
    sim.weak_cas = sim_one_in(4) ? 4 + sim_below(20) : 0;
    sim.spurious = sim_one_in(4) ? 4 + sim_below(20) : 0;
    sim.cpus = sim_one_in(4) ? 2 : 1;
    sim.is_tied = sim_one_in(2);
}

static bool can_run(sim_thread *t)
{
    if (t->state == SIM_AWAITS && t->condition()) {
        t->state = SIM_READY;
        return true;
    }
    return t->state == SIM_READY;
}

static sim_thread *choose(void)
{
    sim_thread *able[SIM_THREADS], *best = NULL;
    unsigned n = 0;
    for (int i = 0; i < sim.threads; i++) {
        sim_thread *t = &sim.thread[i];
        if (!can_run(t))
            continue;
        able[n++] = t;
        if (!best || t->priority > best->priority)
            best = t;
    }
    if (n == 0)
        return NULL;
    return sim.by_priority ? best : able[sim_below(n)];
}

/* A thread that goes first lets the others come before it once in a while, else it might wait for one for ever. */
static void run(sim_thread *t)
{
    sim_process_plan *p = &sim.process[t->process];
    long slice = sim.by_priority ? some_time(10) : 1 + (long)sim_below(sim.quantum);
    slice = slice < SLICE_OF_THE_FIRST ? slice : SLICE_OF_THE_FIRST;
    if (!p->is_steady && p->kill_step - p->steps < slice)
        slice = p->kill_step - p->steps;
    if (!p->is_steady && p->stop_step - p->steps < slice)
        slice = p->stop_step - p->steps;
    granted = sim_left = slice > 0 ? slice : 1;
    sim.current = t;
    sim_pending = sim.is_weak ? &t->buffer : NULL;
    sim_looks = sim.is_late ? &t->view : NULL;
    sim_switch(&sim.main_sp, t->sp);
    sim.current = NULL;
    sim_pending = NULL;
    sim_looks = NULL;
    sim_left = LONG_MAX;
    if (sim.by_priority && t->state == SIM_READY)
        t->priority = sim_below(t->priority + 1);
}

/* Where sleeps are tied, who finds that it is dead does this; else it takes a second, and here no time. */
void sim_watch_restart(void)
{
    sim_thread *watch = &sim.thread[sim.threads - 1];
    if (!sim.process[SIM_WATCH].is_dead)
        return;
    sim_drain(&watch->buffer);
    sim.process[SIM_WATCH].is_dead = false;
    sim.process[SIM_WATCH].kill_step = LONG_MAX;
    prepare_thread(watch, SIM_WATCH, watch->number, sim_watch_run);
}

/* What happens by itself between two turns. */
static void let_things_happen(void)
{
    sim.turns++;
    if (sim_one_in(32))
        sim.now += sim_below(1500000);
    for (int i = 0; i < sim.threads; i++) {
        sim_thread *t = &sim.thread[i];
        sim_process_plan *p = &sim.process[t->process];
        while (t->buffer.count > 0 && !sim_one_in(sim.laziness))
            sim_drain_some(&t->buffer);
        if (sim.turns >= p->kill_turn && !p->is_steady && t->state != SIM_ABSENT) {
            p->kill_turn = LONG_MAX;
            kill_process(t->process);
        }
        if (t->state == SIM_STOPPED && sim_one_in(64))
            continue_process(t->process);
        if (t->state == SIM_ASLEEP && t->until <= sim.now && sim_one_in(3))
            sim_wake_up(t, -ETIMEDOUT);
        if (t->state == SIM_ASLEEP && sim.spurious && sim_one_in(8 * sim.spurious))
            sim_wake_up(t, 0);
        if (t->state == SIM_ABSENT && sim_newcomer_may_come()) {
            sim.newcomers++;
            t->state = SIM_READY;
        }
    }
    if (!sim.is_tied)
        sim_watch_restart();
}

/* Who looks once in a second does so now. If nobody sleeps in a call of the library, the next call finds it. But a
 * sleep that nothing ends is a bad one. */
static bool find_the_watch_dead(void)
{
    bool sleeps = false;
    for (int i = 0; i < sim.threads; i++) {
        sim_thread *t = &sim.thread[i];
        if (t->state == SIM_ASLEEP && t->looks_again) {
            sim_wake_up(t, -ETIMEDOUT);
            return true;
        }
        sleeps = sleeps || t->state == SIM_ASLEEP;
    }
    if (!sleeps)
        sim_watch_restart();
    return !sleeps;
}

/* Nobody can run. True: now somebody can. */
static bool get_going(void)
{
    sim_thread *first = NULL;
    for (int i = 0; i < sim.threads; i++) {
        sim_thread *t = &sim.thread[i];
        if (t->state == SIM_STOPPED) {
            continue_process(t->process);
            return true;
        }
        if (t->state == SIM_ASLEEP && t->until != UINT64_MAX && (!first || t->until < first->until))
            first = t;
    }
    if (first) {
        sim.now = first->until;
        sim_wake_up(first, -ETIMEDOUT);
        return true;
    }
    if (sim.process[SIM_WATCH].is_dead && find_the_watch_dead())
        return true;
    if (!scene->rescue)
        return false;
    sim_view_join_all(&sim.first);
    sim_looks = sim.is_late ? &sim.first : NULL;
    bool helps = scene->rescue();
    sim_looks = NULL;
    return helps;
}

static void tell_of_hang(void)
{
    int at = snprintf(sim.failure, sizeof sim.failure, "nobody can go on:");
    for (int i = 0; i < sim.threads; i++)
        if (sim.thread[i].state == SIM_ASLEEP || (sim.thread[i].state == SIM_AWAITS && i + 1 < sim.threads))
            at += snprintf(sim.failure + at, sizeof sim.failure - (size_t)at, " thread %d %s,", i,
                           sim.thread[i].state == SIM_ASLEEP ? "sleeps" : "waits");
}

static bool is_finished(void)
{
    for (int i = 0; i + 1 < sim.threads; i++) {
        sim_state s = sim.thread[i].state;
        if (s != SIM_DONE && s != SIM_GONE && s != SIM_ABSENT)
            return false;
    }
    return !sim_watch_has_news();
}

static void play(void)
{
    for (;;) {
        let_things_happen();
        sim_thread *t = choose();
        if (t) {
            run(t);
            if (sim.failure[0])
                return;
        } else if (is_finished()) {
            return;
        } else if (!get_going()) {
            tell_of_hang();
            return;
        }
        if (sim.steps > STEPS_MOST || sim.turns > STEPS_MOST) {
            snprintf(sim.failure, sizeof sim.failure, "no end after %ld accesses and %ld turns", sim.steps, sim.turns);
            return;
        }
    }
}

void sim_fail(const char *file, int line, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int at = snprintf(sim.failure, sizeof sim.failure, "%s:%d: ", file, line);
    vsnprintf(sim.failure + at, sizeof sim.failure - (size_t)at, format, list);
    va_end(list);
    if (sim.current)
        to_main(); /* which does not come back */
    longjmp(failed, 1);
}

void sim_assert_failed(const char *condition, const char *file, int line) __attribute__((noreturn));
void sim_assert_failed(const char *condition, const char *file, int line)
{
    sim_fail(file, line, "assertion: %s", condition);
}

bool sim_play(const sim_scene *of, uint64_t seed)
{
    scene = of;
    sim.failure[0] = '\0';
    sim.current = NULL;
    sim_pending = NULL;
    sim_looks = NULL;
    sim_left = LONG_MAX;
    sim.random = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ UINT64_C(0x1234567);
    for (int i = 0; i < 4; i++)
        sim_random();
    sim.now = 1000000000;
    sim.turns = sim.steps = 0;
    sim.deaths = sim.newcomers = 0;
    sim_world_reset();
    plan_machine();
    plan_deaths();
    prepare_threads();
    sim_views_begin();
    if (setjmp(failed) == 0) {
        if (scene->begin)
            scene->begin();
        play();
        for (int i = 0; i < sim.threads; i++)
            sim_drain(&sim.thread[i].buffer);
        if (!sim.failure[0] && scene->check)
            scene->check();
    }
    return sim.failure[0] == '\0';
}
