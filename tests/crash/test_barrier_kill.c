/* Barrier and once, whose parties and doers are killed or stopped at every step that others can tell from the one
 * before: coming first, between and last, resetting, breaking and leaving; doing it, waiting for it, doing it again.
 * It must not count on time-outs: sleeps without a limit have none here, so who is not woken is a failure.
 * Read next: src/sync/README.md, what a death leaves; primitive_scene.h; test_primitives_random.c.
 *
 * labels: ptrace
 * timeout: 300 */
#include <yunta/barrier.h>

struct things {
    yunta_barrier *barrier;
    yunta_once *once;
    _Atomic int calls, again; /* of the once, by others than the victim; by them, told that it is not the first time */
    _Atomic int at_it;        /* one of them is */
    _Atomic int fails;        /* the next call does not do it */
};

#include "primitive_scene.h"

#define wait wait_at_barrier
#define look look_at_barrier
#include "sync/barrier.c"
#undef look
#define look look_at_once
#include "sync/once.c"
#undef wait
#undef look

enum { PARTIES = 3 };

static void make_things(scene *s)
{
    must(yunta_barrier_create(&s->things.barrier, PARTIES) == 0);
    must(yunta_once_create(&s->things.once) == 0);
    s->memory[2] = (step_range){s->things.barrier, sizeof *s->things.barrier + sizeof(yn_claim) * 2 * PARTIES};
    s->memory[3] = (step_range){s->things.once, sizeof *s->things.once};
    s->memory[4] = (step_range){&s->things.calls, sizeof s->things.calls};
    tickets_shared *tickets = s->things.barrier->tickets;
    s->memory[5] = (step_range){tickets, sizeof *tickets + sizeof tickets->ticket[0] * 2 * PARTIES};
}

static void unmake_things(scene *s)
{
    yunta_barrier_destroy(s->things.barrier);
    yunta_once_destroy(s->things.once);
}

/* What the others do. */

static int meet(scene *s)
{
    return yunta_barrier_wait(s->things.barrier, YUNTA_FOREVER);
}

static int meet_behind(scene *s)
{
    while (!victim_rests(s))
        test_nap();
    return meet(s);
}

/* When the victim has left; in its place, so that it is not missed. */
static int meet_in_its_place(scene *s)
{
    while (atomic_load(&s->stage) != AFTER && is_there(&s->victim))
        test_nap();
    return s->stop ? meet(s) : 0;
}

/* A round with the victim; then it waits for the next one. */
static int meet_twice(scene *s)
{
    should(meet(s) >= 0);
    return meet(s);
}

static void one_asleep(scene *s)
{
    await_sleeper(s, &s->other[0]);
}

static void two_asleep(scene *s)
{
    await_sleeper(s, &s->other[0]);
    await_sleeper(s, &s->other[1]);
}

/* What victims do. */

static void come(scene *s)
{
    atomic_store(&s->victim.result, meet(s));
    atomic_store(&s->stage, AFTER);
}

static void come_within(scene *s)
{
    atomic_store(&s->victim.result, yunta_barrier_wait(s->things.barrier, 100));
    atomic_store(&s->stage, AFTER);
}

static void reset(scene *s)
{
    should(yunta_barrier_reset(s->things.barrier) == 0);
    atomic_store(&s->stage, AFTER);
}

static void break_it(scene *s)
{
    should(yunta_barrier_abort(s->things.barrier) == 0);
    atomic_store(&s->stage, AFTER);
}

static void meet_others(scene *s)
{
    should(meet(s) >= 0);
    while (yunta_barrier_waiting(s->things.barrier) < 2)
        test_nap();
    two_asleep(s);
}

static void leave_it(scene *s)
{
    should(yunta_barrier_leave(s->things.barrier) == 0);
    atomic_store(&s->stage, AFTER);
}

/* Stopped is not dead: who comes without time to wait changes nothing, unless all the others are there. */
static void look_in(scene *s)
{
    if (atomic_load(&s->things.barrier->lock.word) != 0)
        return; /* the victim stands still in the middle of it */
    int waiting = yunta_barrier_waiting(s->things.barrier);
    must(waiting >= 0 && waiting < PARTIES);
    if (waiting < PARTIES - 1 && atomic_load(&s->stage) == BEFORE && waiting == 0)
        must(yunta_barrier_wait(s->things.barrier, 0) == -ETIMEDOUT);
    must(!yunta_barrier_is_broken(s->things.barrier));
}

/* How it must stand afterwards. */

/* Those who wait now wait for one more: we come in the place of a victim who never has. */
static void come_if_it_never_has(scene *s, int others)
{
    yunta_barrier *barrier = s->things.barrier;
    uint64_t end = test_now_ms() + WAIT_MS;
    while (!atomic_load(&s->other[0].ended) && !yunta_barrier_is_broken(barrier)) {
        if (yunta_barrier_waiting(barrier) == others && atomic_load(&s->other[0].who) != 0 && sleeps(&s->other[0]) &&
            (others == 1 || sleeps(&s->other[1])))
            break;
        must(test_now_ms() < end);
        test_nap();
    }
    bool come_too = !atomic_load(&s->other[0].ended) && !yunta_barrier_is_broken(barrier);
    if (!come_too)
        return;
    for (int i = 0; i < PARTIES; i++) /* nobody waits for one who is dead */
        must(atomic_load(&barrier->cell[i]) != atomic_load(&s->victim.who));
    if (others == 1)
        must(yunta_barrier_abort(barrier) == 0);
    else
        must(yunta_barrier_wait(barrier, WAIT_MS) == others);
}

/* All of a round are told the same: that they have met, each in its place, or that it is broken. */
static void must_agree(scene *s, int others)
{
    int met = 0, places = 0;
    for (int i = 0; i < others; i++) {
        int r = atomic_load(&s->other[i].result);
        must((r >= 0 && r < PARTIES) || r == YUNTA_EBROKEN);
        met += r >= 0;
        places |= r >= 0 ? 1 << r : 0;
    }
    must(met == 0 || met == others);
    must(__builtin_popcount((unsigned)places) == met);
}

/* And it is as new after a reset. */
static void must_be_of_use(scene *s)
{
    yunta_barrier *barrier = s->things.barrier;
    must(yunta_barrier_reset(barrier) == 0);
    must(!yunta_barrier_is_broken(barrier) && yunta_barrier_waiting(barrier) == 0);
    must(yunta_barrier_wait(barrier, 0) == -ETIMEDOUT);
    must(yunta_barrier_abort(barrier) == 0 && yunta_barrier_wait(barrier, YUNTA_FOREVER) == YUNTA_EBROKEN);
    must(atomic_load(&barrier->lock.word) == 0);
}

static void judge_meeting(scene *s)
{
    come_if_it_never_has(s, 2);
    must_all_be_through(s);
    must_agree(s, 2);
    if (atomic_load(&s->stage) == AFTER)
        must((atomic_load(&s->victim.result) >= 0) == (atomic_load(&s->other[0].result) >= 0));
    must_be_of_use(s);
}

static void judge_stopped_in_time(scene *s)
{
    come_if_it_never_has(s, 1);
    must_all_be_through(s);
    must(atomic_load(&s->other[0].result) == YUNTA_EBROKEN);
    must(yunta_barrier_is_broken(s->things.barrier));
    int r = atomic_load(&s->victim.result);
    must(atomic_load(&s->stage) != AFTER || r == -ETIMEDOUT || r == YUNTA_EBROKEN);
    must_be_of_use(s);
}

static void judge_reset(scene *s)
{
    bool is_done = atomic_load(&s->stage) == AFTER;
    bool broken = yunta_barrier_is_broken(s->things.barrier);
    come_if_it_never_has(s, 2);
    must_all_be_through(s);
    must_agree(s, 2);
    must(!is_done || atomic_load(&s->other[0].result) == YUNTA_EBROKEN);
    must(!is_done || broken == (s->act->run == break_it));
    must_be_of_use(s);
}

/* Who has not left by its death is missed. */
static void judge_leave(scene *s)
{
    yunta_barrier *barrier = s->things.barrier;
    bool has_left = true;
    for (int i = PARTIES; i < 2 * PARTIES; i++)
        has_left = has_left && atomic_load(&barrier->cell[i]) != atomic_load(&s->victim.who);
    must(has_left || atomic_load(&s->stage) != AFTER);
    if (!s->stop && atomic_load(&barrier->lock.word) == 0 && has_left && !yunta_barrier_is_broken(barrier))
        must(yunta_barrier_wait(barrier, WAIT_MS) == 2);
    must_all_be_through(s);
    must_agree(s, 2);
    must(has_left || atomic_load(&s->other[0].result) == YUNTA_EBROKEN);
    must(atomic_load(&s->stage) != AFTER || atomic_load(&s->other[0].result) >= 0);
    must_be_of_use(s);
}

/* Once. */

static int call_by_victim(scene *s, bool again)
{
    atomic_store(&s->stage, INSIDE);
    atomic_store(&s->victim.result, again ? 2 : 0);
    should(!atomic_load(&s->things.at_it));
    atomic_store(&s->stage, LEAVING);
    return 0;
}

static int call(void *argument, bool again)
{
    scene *s = argument;
    if (atomic_load(&s->victim.pid) == getpid())
        return call_by_victim(s, again);
    should(!atomic_exchange(&s->things.at_it, 1));
    atomic_fetch_add(&s->things.calls, 1);
    atomic_fetch_add(&s->things.again, again);
    should(atomic_load(&s->stage) != INSIDE || !is_there(&s->victim));
    bool fails = atomic_load(&s->things.fails);
    if (fails) { /* when the victim waits for us */
        atomic_store(&s->go, 1);
        while (!atomic_load(&s->over) && !sleeps(&s->victim))
            test_nap();
        atomic_store(&s->things.fails, 0);
    }
    atomic_store(&s->things.at_it, 0);
    return fails ? -EIO : 0;
}

static int run_it(scene *s)
{
    return yunta_once_run(s->things.once, call, s, YUNTA_FOREVER);
}

static int fail_at_it(scene *s)
{
    atomic_store(&s->things.fails, 1);
    return run_it(s);
}

static int run_it_behind(scene *s)
{
    while (!victim_rests(s))
        test_nap();
    return run_it(s);
}

static int die_in_call(void *argument, bool again)
{
    scene *s = argument;
    (void)again;
    atomic_store(&s->dead.ended, 1);
    return (int)pause();
}

static int die_at_it(scene *s)
{
    return yunta_once_run(s->things.once, die_in_call, s, 0);
}

static void run_once(scene *s)
{
    should(run_it(s) == 0);
    atomic_store(&s->stage, AFTER);
}

static void await_go(scene *s)
{
    await(&s->go);
}

static int nothing(void *argument, bool again)
{
    (void)argument;
    (void)again;
    return 0;
}

/* It is done in the end, and whoever does it after a death knows of that. */
static void judge_once(scene *s)
{
    int stage = atomic_load(&s->stage), failed = s->act->other[0] == fail_at_it;
    must_all_be_through(s);
    int behind = atomic_load(&s->things.calls) - failed; /* calls by who came behind */
    bool done = atomic_load(&s->things.once->word) == DONE, again = atomic_load(&s->things.again) != 0;
    int called = atomic_load(&s->victim.result); /* 1: not the victim, but one who came behind did it */
    must(stage != AFTER || (done && behind == (called == 1)));
    if (s->act->other[failed]) {
        must(done && atomic_load(&s->other[failed].result) == 0);
        must(behind == 1 || (behind == 0 && stage >= LEAVING));
        must(behind == 0 || stage == BEFORE || stage == AFTER || again);
    }
    if (s->act->dead && stage >= LEAVING)
        must(called == 2);
    must(yunta_once_run(s->things.once, nothing, s, WAIT_MS) == 0);
    must(atomic_load(&s->things.once->word) == DONE);
}

#define B(title, what, ...)                                                                                            \
    {                                                                                                                  \
        .name = title, .run = what, __VA_ARGS__                                                                        \
    }

static const act acts[] = {
    B("barrier, first", come, .judge = judge_meeting, .other = {meet_behind, meet_behind}),
    B("barrier, first, looked at", come, .judge = judge_meeting, .other = {meet_behind, meet_behind},
      .meanwhile = look_in),
    B("barrier, second", come, .judge = judge_meeting, .ready = one_asleep, .other = {meet, meet_behind}),
    B("barrier, last", come, .judge = judge_meeting, .ready = two_asleep, .other = {meet, meet}),
    B("barrier, out of time", come_within, .judge = judge_stopped_in_time, .ready = one_asleep, .other = {meet}),
    B("barrier, reset", reset, .judge = judge_reset, .ready = two_asleep, .other = {meet, meet}),
    B("barrier, broken", break_it, .judge = judge_reset, .ready = two_asleep, .other = {meet, meet}),
    B("barrier, left", leave_it, .judge = judge_leave, .before = meet_others,
      .other = {meet_twice, meet_twice, meet_in_its_place}),
    B("once, alone", run_once, .judge = judge_once),
    B("once, with one behind", run_once, .judge = judge_once, .other = {run_it_behind}),
    B("once, after one has failed", run_once, .judge = judge_once, .ready = await_go,
      .other = {fail_at_it, run_it_behind}),
    B("once, after one has died", run_once, .judge = judge_once, .dead = die_at_it),
};

START_TEST(killed_at_every_step)
{
    sweep(&acts[_i], false, 3);
}
END_TEST

START_TEST(stopped_at_every_step)
{
    sweep(&acts[_i], true, 3);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("barrier, killed");
    TCase *cases = test_case(suite, "step by step");
    tcase_set_timeout(cases, 120);
    if (!step_is_possible())
        return suite;
    tcase_add_loop_test(cases, killed_at_every_step, 0, YN_COUNT(acts));
    tcase_add_loop_test(cases, stopped_at_every_step, 0, YN_COUNT(acts));
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
