/* Condition and event, whose waiters and notifiers are killed or stopped at every step that others can tell from the
 * one before: asleep, on the way into sleep and out of it, taking the lock again, before and after they notify. It must
 * not count on time-outs: sleeps without a limit have none here, so who is not woken is a failure. Read next:
 * src/sync/README.md, what a death leaves; primitive_scene.h; test_primitives_random.c.
 *
 * labels: ptrace
 * timeout: 300 */
#include <yunta/condition.h>

struct things {
    yunta_lock *lock;
    yunta_condition *condition;
    yunta_event *event;
    _Atomic int items; /* under the lock: each ends the wait of one */
    _Atomic int told;  /* that an owner of the lock has died */
};

#include "primitive_scene.h"

#define wait wait_at_condition
#define make make_block
#include "sync/condition.c"
#include "sync/lock.c"
#undef wait
#undef make

enum mode { CONDITION, EVENT };

static void make_things(scene *s)
{
    must(yunta_lock_create(&s->things.lock) == 0);
    must(yunta_condition_create(&s->things.condition) == 0);
    must(yunta_event_create(&s->things.event) == 0);
    s->memory[2] = (step_range){s->things.lock, sizeof *s->things.lock};
    s->memory[3] = (step_range){s->things.condition, sizeof *s->things.condition};
    s->memory[4] = (step_range){s->things.event, sizeof *s->things.event};
    s->memory[5] = (step_range){&s->things.items, sizeof s->things.items};
}

static void unmake_things(scene *s)
{
    yunta_lock_destroy(s->things.lock);
    yunta_condition_destroy(s->things.condition);
    yunta_event_destroy(s->things.event);
}

/* The lock is ours now; if its last owner has died, that is told, and all is well: there is one word to look at. */
static void note_told(scene *s, int r)
{
    if (r == -EOWNERDEAD) {
        atomic_fetch_add(&s->things.told, 1);
        should(yunta_lock_mark_consistent(s->things.lock) == 0);
    } else {
        should(r == 0);
    }
}

static void lock(scene *s)
{
    note_told(s, yunta_lock_acquire(s->things.lock, YUNTA_FOREVER));
}

static void unlock(scene *s)
{
    should(yunta_lock_release(s->things.lock) == 0);
}

static bool has_items(void *items)
{
    return atomic_load((_Atomic int *)items) > 0;
}

/* With the lock. */
static void await_item(scene *s)
{
    int r;
    do {
        r = yunta_condition_wait_for(s->things.condition, s->things.lock, has_items, (void *)&s->things.items,
                                     YUNTA_FOREVER);
        note_told(s, r);
    } while (r != 0);
}

/* What the others do. */

static int take_item(scene *s)
{
    lock(s);
    await_item(s);
    atomic_fetch_sub(&s->things.items, 1);
    unlock(s);
    return 0;
}

static int take_item_behind(scene *s)
{
    while (!victim_rests(s))
        test_nap();
    return take_item(s);
}

static void await_waiters(scene *s)
{
    while (!victim_rests(s) || (!atomic_load(&s->over) && !sleeps(&s->other[1])))
        test_nap();
}

/* One for each who lives on to take it. */
static int wanted_items(scene *s)
{
    return s->stop ? 2 : 1;
}

static int put_and_notify(scene *s)
{
    await_waiters(s);
    lock(s);
    int count = wanted_items(s);
    atomic_fetch_add(&s->things.items, count);
    unlock(s);
    while (count-- > 0)
        should(yunta_condition_notify(s->things.condition) == 0);
    return 0;
}

/* Keeps the lock until the woken victim sleeps on that. */
static int notify_and_keep(scene *s)
{
    await_waiters(s);
    lock(s);
    atomic_fetch_add(&s->things.items, wanted_items(s));
    should(yunta_condition_notify_all(s->things.condition) == 0);
    yn_seat_shared *seat = &yn_slot_at(&self()->arena->slots, yn_claim_slot(atomic_load(&s->victim.who)))->seat;
    while (is_there(&s->victim) && !atomic_load(&s->over) &&
           (atomic_load(&seat->word) != yn_claim_futex(&s->things.lock->word) || !sleeps(&s->victim)))
        test_nap();
    unlock(s);
    return 0;
}

static int notify_and_die(scene *s)
{
    await_waiters(s);
    pid_t pid = fork();
    if (pid == 0) {
        lock(s);
        atomic_fetch_add(&s->things.items, wanted_items(s));
        should(yunta_condition_notify_all(s->things.condition) == 0);
        _exit(0);
    }
    should(ended_well(pid));
    return 0;
}

static int notify_once(scene *s)
{
    await_waiters(s);
    lock(s);
    atomic_fetch_add(&s->things.items, 1);
    unlock(s);
    should(yunta_condition_notify(s->things.condition) == 0);
    return 0;
}

static int await_event(scene *s)
{
    return yunta_event_wait(s->things.event, YUNTA_FOREVER);
}

static int await_event_behind(scene *s)
{
    while (!victim_rests(s))
        test_nap();
    return await_event(s);
}

static int set_event(scene *s)
{
    await_waiters(s);
    return yunta_event_set(s->things.event);
}

static void two_asleep(scene *s)
{
    await_sleeper(s, &s->other[0]);
    await_sleeper(s, &s->other[1]);
}

/* What victims do. INSIDE: with the lock, after waiting, or before notifying. */

static void wait_and_take(scene *s)
{
    lock(s);
    await_item(s);
    atomic_store(&s->stage, INSIDE);
    atomic_fetch_sub(&s->things.items, 1);
    atomic_store(&s->stage, LEAVING);
    unlock(s);
    atomic_store(&s->stage, AFTER);
}

/* Its time is over at a moment of ours. Has it been woken by then, it takes nothing, but passes that on. */
static void wait_within(scene *s)
{
    lock(s);
    int r = 0;
    while (r == 0 && !has_items((void *)&s->things.items))
        r = yunta_condition_wait(s->things.condition, s->things.lock, 20000);
    should(r == 0 || r == -ETIMEDOUT);
    unlock(s);
    if (r == 0)
        should(yunta_condition_notify(s->things.condition) == 0);
    atomic_store(&s->stage, AFTER);
}

static void end_its_time(scene *s)
{
    (void)s;
    atomic_store(time_is_up, 1);
}

static void put(scene *s, int count)
{
    lock(s);
    atomic_store(&s->stage, INSIDE);
    atomic_fetch_add(&s->things.items, count);
}

static void notify_two_with_lock(scene *s)
{
    put(s, 2);
    should(yunta_condition_notify(s->things.condition) == 0);
    should(yunta_condition_notify(s->things.condition) == 0);
    atomic_store(&s->stage, LEAVING);
    unlock(s);
    atomic_store(&s->stage, AFTER);
}

static void notify_two_without_lock(scene *s)
{
    put(s, 2);
    atomic_store(&s->stage, LEAVING);
    unlock(s);
    should(yunta_condition_notify(s->things.condition) == 0);
    should(yunta_condition_notify(s->things.condition) == 0);
    atomic_store(&s->stage, AFTER);
}

static void notify_all_with_lock(scene *s)
{
    put(s, 2);
    should(yunta_condition_notify_all(s->things.condition) == 0);
    atomic_store(&s->stage, LEAVING);
    unlock(s);
    atomic_store(&s->stage, AFTER);
}

static void set(scene *s)
{
    should(yunta_event_set(s->things.event) == 0);
    atomic_store(&s->stage, AFTER);
}

static void clear(scene *s)
{
    should(yunta_event_clear(s->things.event) == 0);
    atomic_store(&s->stage, AFTER);
}

static void set_and_clear(scene *s)
{
    should(yunta_event_set(s->things.event) == 0);
    atomic_store(&s->stage, INSIDE);
    clear(s);
}

static void be_waked(scene *s)
{
    should(yunta_event_wait(s->things.event, YUNTA_FOREVER) == 0);
    should(yunta_event_is_set(s->things.event));
    atomic_store(&s->stage, AFTER);
}

/* Another one sets it while the victim stands still. */
static void set_meanwhile(scene *s)
{
    must(yunta_event_set(s->things.event) == 0);
}

/* How it must stand afterwards. */

/* As long as there are items, who waits gets them by itself. What the victim has taken is made up for. */
static void judge_condition(scene *s)
{
    int stage = atomic_load(&s->stage);
    bool notifier_died = s->act->other[0] == notify_and_die;
    bool had_lock = yn_claim_who(atomic_load(&s->things.lock->word)) == atomic_load(&s->victim.who);
    uint64_t end = test_now_ms() + WAIT_MS;
    while (!all_are_through(s)) {
        must(test_now_ms() < end);
        int r = yunta_lock_acquire(s->things.lock, WAIT_MS);
        must(r == 0 || r == -EOWNERDEAD);
        note_told(s, r);
        bool lack = atomic_load(&s->things.items) == 0 && !atomic_load(&s->other[1].ended);
        if (lack)
            atomic_store(&s->things.items, 2);
        unlock(s);
        if (lack)
            must(yunta_condition_notify_all(s->things.condition) == 0);
        test_nap();
    }
    lock(s);
    unlock(s);
    int told = atomic_load(&s->things.told);
    must(told <= 1 + notifier_died);
    must(stage != AFTER || told == notifier_died);
    must(notifier_died || stage != INSIDE || told == 1);
    must(notifier_died || !had_lock || told == 1);
    must(atomic_load(&s->things.lock->word) == 0);
}

/* Those who were to wake when it was set have, if it was; else they do now. */
static void judge_event(scene *s)
{
    int stage = atomic_load(&s->stage);
    uint32_t state = atomic_load(&s->things.event->state);
    if (s->act->run == set || s->act->run == set_and_clear) {
        must(stage == BEFORE || state >> 1 == 1);
        must(stage != AFTER || (state & 1) == (s->act->run == set));
    } else if (s->act->run == clear) {
        must(stage != AFTER || !(state & 1));
    }
    if (state >> 1 == 0 && s->act->run != be_waked)
        must(yunta_event_set(s->things.event) == 0);
    must_all_be_through(s);
    for (int i = 0; i < OTHERS && s->act->other[i]; i++)
        must(atomic_load(&s->other[i].result) == 0);
    must(yunta_event_set(s->things.event) == 0 && yunta_event_wait(s->things.event, 0) == 0);
    must(yunta_event_clear(s->things.event) == 0 && yunta_event_wait(s->things.event, 0) == -ETIMEDOUT);
}

static void set_before(scene *s)
{
    must(yunta_event_set(s->things.event) == 0);
}

#define C(title, what, ...)                                                                                            \
    {                                                                                                                  \
        .name = title, .run = what, .judge = judge_condition, __VA_ARGS__                                              \
    }
#define E(title, what, ...)                                                                                            \
    {                                                                                                                  \
        .name = title, .run = what, .judge = judge_event, .mode = EVENT, __VA_ARGS__                                   \
    }

static const act acts[] = {
    C("wait, notified", wait_and_take, .other = {put_and_notify, take_item_behind}),
    C("wait, notified by one who keeps the lock", wait_and_take, .other = {notify_and_keep, take_item_behind}),
    C("wait, notified by one who dies with the lock", wait_and_take, .other = {notify_and_die, take_item_behind}),
    C("wait within a time", wait_within, .meanwhile = end_its_time, .other = {notify_once, take_item_behind}),
    C("notify twice, with the lock", notify_two_with_lock, .ready = two_asleep, .other = {take_item, take_item}),
    C("notify twice, without the lock", notify_two_without_lock, .ready = two_asleep, .other = {take_item, take_item}),
    C("notify all, with the lock", notify_all_with_lock, .ready = two_asleep, .other = {take_item, take_item}),
    E("event, set", set, .ready = two_asleep, .other = {await_event, await_event}),
    E("event, set by another meanwhile", set, .ready = two_asleep, .other = {await_event, await_event},
      .meanwhile = set_meanwhile),
    E("event, set and cleared", set_and_clear, .ready = two_asleep, .other = {await_event, await_event}),
    E("event, cleared", clear, .ready = set_before),
    E("event, awaited", be_waked, .other = {set_event, await_event_behind}),
};

START_TEST(killed_at_every_step)
{
    if (acts[_i].run != wait_within)
        sweep(&acts[_i], false, 2);
}
END_TEST

START_TEST(stopped_at_every_step)
{
    sweep(&acts[_i], true, 2);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("condition, killed");
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
