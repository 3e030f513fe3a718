/* Who waits for a lock, or for readers, and says so in its seat, killed or stopped at every step that others can tell
 * from the one before: no deadlock is seen where there is none, and none that a dead one has a part in. It must not
 * count on time-outs: sleeps without a limit have none here, so who is not woken is a failure. Read next:
 * src/sync/README.md, who waits for whom; primitive_scene.h.
 *
 * labels: ptrace
 * timeout: 300 */
#include <yunta/deadlock.h>
#include <yunta/rwlock.h>
#include <yunta/sync.h>

struct things {
    yunta_lock *lock[2];
    yunta_rwlock *rwlock;
};

#include "primitive_scene.h"

#include "sync/lock.c"
#include "sync/rwlock.c"

static void make_things(scene *s)
{
    for (int i = 0; i < 2; i++)
        must(yunta_lock_create(&s->things.lock[i]) == 0);
    must(yunta_rwlock_create(&s->things.rwlock) == 0);
    s->memory[2] = (step_range){s->things.lock[0], sizeof(yn_noted_lock_shared)};
    s->memory[3] = (step_range){s->things.lock[1], sizeof(yn_noted_lock_shared)};
    s->memory[4] = (step_range){s->things.rwlock, sizeof *s->things.rwlock};
}

static void unmake_things(scene *s)
{
    for (int i = 0; i < 2; i++)
        yunta_lock_destroy(s->things.lock[i]);
    yunta_rwlock_destroy(s->things.rwlock);
}

static void take(scene *s, int which)
{
    int r = yunta_lock_acquire(s->things.lock[which], YUNTA_FOREVER);
    should(r == 0 || r == -EOWNERDEAD);
    should(r == 0 || yunta_lock_mark_consistent(s->things.lock[which]) == 0);
}

static void give(scene *s, int which)
{
    should(yunta_lock_release(s->things.lock[which]) == 0);
}

/* What the others do. */

static int hold_until_wanted(scene *s)
{
    take(s, 0);
    atomic_store(&s->go, 1);
    while (!victim_rests(s))
        test_nap();
    give(s, 0);
    return 0;
}

static int read_until_wanted(scene *s)
{
    should(yunta_rwlock_acquire_read(s->things.rwlock, 0) == 0);
    atomic_store(&s->go, 1);
    while (!victim_rests(s))
        test_nap();
    should(yunta_rwlock_release(s->things.rwlock) == 0);
    return 0;
}

static int hold_one_and_want_the_other(scene *s)
{
    take(s, 0);
    atomic_store(&s->go, 1);
    while (!yunta_lock_is_held(s->things.lock[1]))
        test_nap();
    take(s, 1);
    give(s, 1);
    give(s, 0);
    return 0;
}

/* Before the victim comes. */
static int want(scene *s)
{
    await(&s->go);
    take(s, 0);
    give(s, 0);
    return 0;
}

static void first_is_held(scene *s)
{
    await(&s->go);
    if (s->act->other[1])
        await_sleeper(s, &s->other[1]);
}

/* What victims do. */

static void take_and_give(scene *s)
{
    take(s, 0);
    atomic_store(&s->stage, INSIDE);
    give(s, 0);
    atomic_store(&s->stage, AFTER);
}

static void write_it(scene *s)
{
    should(yunta_rwlock_acquire_write(s->things.rwlock, YUNTA_FOREVER) == 0);
    atomic_store(&s->stage, INSIDE);
    should(yunta_rwlock_release(s->things.rwlock) == 0);
    atomic_store(&s->stage, AFTER);
}

static void note_threads(scene *s)
{
    should(yunta_deadlock_trace() == 0);
}

static void take_second(scene *s)
{
    take(s, 1);
}

static void take_first(scene *s)
{
    take(s, 0);
}

/* However far it is in taking the lock, it does not wait for itself, nor for who waits for nobody. */
static void find_none(scene *s)
{
    must(yunta_deadlock_find(NULL, 0) == 0);
}

static void judge(scene *s)
{
    must(yunta_deadlock_find(NULL, 0) == 0);
    must_all_be_through(s);
    must(yunta_deadlock_find(NULL, 0) == 0);
    must(yunta_deadlock_read_waits(NULL, 0) == 0);
}

static const act acts[] = {
    {.name = "wait for a lock",
     .run = take_and_give,
     .other = {hold_until_wanted},
     .ready = first_is_held,
     .meanwhile = find_none,
     .judge = judge},
    {.name = "wait for a lock, and note the thread",
     .before = note_threads,
     .run = take_and_give,
     .other = {hold_until_wanted},
     .ready = first_is_held,
     .meanwhile = find_none,
     .judge = judge},
    {.name = "wait for a lock behind another",
     .run = take_and_give,
     .other = {hold_until_wanted, want},
     .ready = first_is_held,
     .meanwhile = find_none,
     .judge = judge},
    {.name = "wait for readers",
     .run = write_it,
     .other = {read_until_wanted},
     .ready = first_is_held,
     .meanwhile = find_none,
     .judge = judge},
};

static const act circle = {.name = "close a circle",
                           .before = take_second,
                           .run = take_first,
                           .other = {hold_one_and_want_the_other},
                           .ready = first_is_held,
                           .judge = judge};

START_TEST(killed_at_every_step)
{
    sweep(&acts[_i], false, 5);
}
END_TEST

START_TEST(stopped_at_every_step)
{
    sweep(&acts[_i], true, 5);
}
END_TEST

/* It never comes to its end, but to its sleep. */
START_TEST(killed_at_every_step_into_a_circle)
{
    sweep(&circle, false, 5);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("deadlock, killed");
    TCase *cases = test_case(suite, "step by step");
    tcase_set_timeout(cases, 120);
    if (!step_is_possible())
        return suite;
    tcase_add_loop_test(cases, killed_at_every_step, 0, YN_COUNT(acts));
    tcase_add_loop_test(cases, stopped_at_every_step, 0, YN_COUNT(acts));
    tcase_add_test(cases, killed_at_every_step_into_a_circle);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
