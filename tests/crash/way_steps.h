/* A victim at a pipe or a topic that is killed, or stopped, at every step that others can tell from the one before; and
 * workers that are killed at random moments. For test_pipe_kill.c and test_topic_kill.c, which say what they all do. */
#ifndef YUNTA_TEST_WAY_STEPS_H
#define YUNTA_TEST_WAY_STEPS_H

#include "../comm/test_queue_guest.h"
#include "stepkill.h"

#include <errno.h>
#include <string.h>

/* What a scene begins with, in memory that all share. */
typedef struct stage {
    _Atomic yn_claim victim;
    step_range memory[STEP_RANGES];
} stage;

static void join_team(void *scene)
{
    atomic_store(&((stage *)scene)->victim, guest_self()->claim);
}

static void bury_victim(stage *s)
{
    guest_bury(atomic_load(&s->victim));
}

static bool is_victim_alive(stage *s)
{
    return yn_claim_is_alive(&guest_self()->arena->slots, atomic_load(&s->victim));
}

/* By a plan that says what is to be done. The number of points. */
static long sweep_steps(void *scene, step_plan plan, bool stop)
{
    plan.prepare = join_team;
    plan.context = scene;
    plan.memory = ((stage *)scene)->memory;
    return stop ? step_stop_sweep(&plan) : step_kill_sweep(&plan);
}

enum { WORKERS_MOST = 4, KILLS = 60 };

/* What those share begins with, who are killed at random. */
typedef struct crowd {
    _Atomic yn_claim claim[WORKERS_MOST];
    _Atomic long wrong, turns;
} crowd;

typedef struct part {
    void *shared;
    int number;
} part;

/* One after the other is killed, after some more turns of all, and another does its work. */
static void kill_at_random(void *shared, int (*const *work)(void *part), int workers)
{
    crowd *c = shared;
    guest g[WORKERS_MOST];
    part p[WORKERS_MOST];
    for (int i = 0; i < workers; i++) {
        p[i] = (part){shared, i};
        g[i] = guest_start(&c->claim[i], work[i], &p[i]);
    }
    for (int k = 0; k < KILLS; k++) {
        int i = k % workers;
        long turns = atomic_load(&c->turns) + 1 + k * 7 % 40;
        test_wait_until(atomic_load(&c->turns) > turns && atomic_load(&c->claim[i]) != 0, 10000);
        guest_kill(&g[i]);
        g[i] = guest_start(&c->claim[i], work[i], &p[i]);
    }
    for (int i = 0; i < workers; i++)
        guest_kill(&g[i]);
    ck_assert_int_eq(atomic_load(&c->wrong), 0);
}

#endif
