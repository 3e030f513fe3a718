/* Condition and event: what they promise while all live, and when waiters and notifiers are killed.
 * It must not count on time-outs: sleeps without a limit have none here (endless.h).
 * Read next: src/sync/condition.c. */
#include "../proc/helpers.h"

#include "endless.h"

#include <yunta/condition.h>

enum { waiters = 5 };

/* Items that are put under the lock, and taken by whoever is notified. */
struct scene {
    yunta_lock *lock;
    yunta_condition *condition;
    yunta_event *event;
    int *items;
    shared_word *waiting, *taken, *told;
};

static struct scene new_scene(void)
{
    struct scene s = {.items = yunta_shared(int, 1), .waiting = new_word(), .taken = new_word(), .told = new_word()};
    ck_assert_ptr_nonnull(s.items);
    ck_assert_int_eq(yunta_lock_create(&s.lock), 0);
    ck_assert_int_eq(yunta_condition_create(&s.condition), 0);
    ck_assert_int_eq(yunta_event_create(&s.event), 0);
    return s;
}

static void free_scene(struct scene *s)
{
    yunta_lock_destroy(s->lock);
    yunta_condition_destroy(s->condition);
    yunta_event_destroy(s->event);
    yunta_shared_free(s->items);
    yunta_shared_free(s->waiting);
    yunta_shared_free(s->taken);
    yunta_shared_free(s->told);
}

static bool has_items(void *items)
{
    return *(int *)items > 0;
}

/* Takes one item, and goes on for ever, so that its own end wakes nobody. */
static int take_one(const struct scene *s)
{
    expect(yunta_lock_acquire(s->lock, YUNTA_FOREVER) == 0);
    atomic_fetch_add(s->waiting, 1);
    int r = yunta_condition_wait_for(s->condition, s->lock, has_items, s->items, YUNTA_FOREVER);
    if (r == -EOWNERDEAD) {
        atomic_fetch_add(s->told, 1);
        expect(yunta_lock_mark_consistent(s->lock) == 0);
        r = yunta_condition_wait_for(s->condition, s->lock, has_items, s->items, YUNTA_FOREVER);
    }
    expect(r == 0);
    --*s->items;
    atomic_fetch_add(s->taken, 1);
    expect(yunta_lock_release(s->lock) == 0);
    return sleep_for_ever();
}
YUNTA_ENTRY(take_one, struct scene);

static void start_waiters(yunta_start_method method, yunta_process **waiter, const struct scene *s)
{
    for (int i = 0; i < waiters; i++)
        start_by(method, &waiter[i], take_one, s);
    ck_assert(await_word(s->waiting, waiters));
    for (int i = 0; i < waiters; i++)
        test_wait_until(test_state(yunta_process_pid(waiter[i])) == 'S', 20000);
}

static void end_by_kill(yunta_process *process)
{
    ck_assert_int_eq(yunta_process_kill(process), 0);
    end_is(process, YUNTA_ECRASHED);
}

static void put(const struct scene *s, int count)
{
    ck_assert_int_eq(yunta_lock_acquire(s->lock, YUNTA_FOREVER), 0);
    *s->items += count;
    ck_assert_int_eq(yunta_lock_release(s->lock), 0);
}

START_TEST(bad_input_is_refused)
{
    struct scene s = new_scene();
    ck_assert_int_eq(yunta_condition_create(NULL), -EINVAL);
    ck_assert_int_eq(yunta_event_create(NULL), -EINVAL);
    ck_assert_ptr_null(yunta_condition_destroy(NULL));
    ck_assert_ptr_null(yunta_event_destroy(NULL));
    ck_assert_int_eq(yunta_condition_notify(NULL), -EINVAL);
    ck_assert_int_eq(yunta_condition_notify_all(NULL), -EINVAL);
    ck_assert_int_eq(yunta_condition_wait(NULL, s.lock, 0), -EINVAL);
    ck_assert_int_eq(yunta_condition_wait(s.condition, NULL, 0), -EINVAL);
    ck_assert_int_eq(yunta_condition_wait(s.condition, s.lock, 0), -EPERM); /* it is not ours */
    ck_assert_int_eq(yunta_condition_wait_for(s.condition, s.lock, NULL, NULL, 0), -EINVAL);
    ck_assert_int_eq(yunta_condition_wait_for(s.condition, s.lock, has_items, s.items, 0), -EPERM);
    ck_assert_int_eq(yunta_event_set(NULL), -EINVAL);
    ck_assert_int_eq(yunta_event_clear(NULL), -EINVAL);
    ck_assert_int_eq(yunta_event_wait(NULL, 0), -EINVAL);
    ck_assert(!yunta_event_is_set(NULL));
    free_scene(&s);
}
END_TEST

START_TEST(a_wait_has_a_limit_and_takes_the_lock_again)
{
    struct scene s = new_scene();
    ck_assert_int_eq(yunta_lock_acquire(s.lock, 0), 0);
    ck_assert_int_eq(yunta_condition_wait(s.condition, s.lock, 20), -ETIMEDOUT);
    ck_assert_int_eq(yunta_condition_wait_for(s.condition, s.lock, has_items, s.items, 0), -ETIMEDOUT);
    ck_assert_int_eq(yunta_condition_wait_for(s.condition, s.lock, has_items, s.items, 20), -ETIMEDOUT);
    *s.items = 1;
    ck_assert_int_eq(yunta_condition_wait_for(s.condition, s.lock, has_items, s.items, 0), 0);
    ck_assert_int_eq(yunta_lock_release(s.lock), 0);
    free_scene(&s);
}
END_TEST

/* Each notification wakes one more, however close they follow one another. */
START_TEST(so_many_wake_as_are_notified)
{
    struct scene s = new_scene();
    yunta_process *waiter[waiters];
    start_waiters(TEST_METHOD, waiter, &s);
    put(&s, waiters);
    for (int i = 0; i < waiters; i++)
        ck_assert_int_eq(yunta_condition_notify(s.condition), 0);
    ck_assert(await_word(s.taken, waiters));
    ck_assert_int_eq(*s.items, 0);
    for (int i = 0; i < waiters; i++)
        end_by_kill(waiter[i]);
    free_scene(&s);
}
END_TEST

START_TEST(notify_all_wakes_all)
{
    struct scene s = new_scene();
    yunta_process *waiter[waiters];
    start_waiters(TEST_METHOD, waiter, &s);
    put(&s, waiters);
    ck_assert_int_eq(yunta_condition_notify_all(s.condition), 0);
    ck_assert(await_word(s.taken, waiters));
    for (int i = 0; i < waiters; i++)
        end_by_kill(waiter[i]);
    free_scene(&s);
}
END_TEST

START_TEST(pain_07_killed_waiters_keep_no_notifier_waiting)
{
    struct scene s = new_scene();
    yunta_process *waiter[waiters];
    start_waiters(TEST_METHOD, waiter, &s);
    for (int i = 0; i < waiters - 1; i++)
        end_by_kill(waiter[i]);
    put(&s, 1);
    ck_assert_int_eq(yunta_condition_notify(s.condition), 0);
    ck_assert(await_word(s.taken, 1)); /* by the one that is left */
    ck_assert_int_eq(yunta_condition_notify_all(s.condition), 0);
    end_by_kill(waiter[waiters - 1]);
    free_scene(&s);
}
END_TEST

/* Puts, and dies before it notifies; the second time with the lock. */
static int put_and_die(const struct scene *s)
{
    expect(yunta_lock_acquire(s->lock, YUNTA_FOREVER) == 0);
    *s->items += 1;
    if (atomic_load(s->taken) == 0)
        expect(yunta_lock_release(s->lock) == 0);
    raise(SIGKILL);
    return 0;
}
YUNTA_ENTRY(put_and_die, struct scene);

START_TEST(a_notifier_that_dies_first_is_as_good_as_a_notification)
{
    struct scene s = new_scene();
    yunta_process *waiter[waiters], *notifier;
    start_waiters(TEST_METHOD, waiter, &s);
    for (int deaths = 1; deaths <= 2; deaths++) {
        start_by(TEST_METHOD, &notifier, put_and_die, &s);
        end_is(notifier, YUNTA_ECRASHED);
        ck_assert(await_word(s.taken, deaths));
        ck_assert_int_eq(atomic_load(s.told), deaths - 1);
    }
    for (int i = 0; i < waiters; i++)
        end_by_kill(waiter[i]);
    free_scene(&s);
}
END_TEST

static int await_event(const struct scene *s)
{
    atomic_fetch_add(s->waiting, 1);
    expect(yunta_event_wait(s->event, YUNTA_FOREVER) == 0);
    atomic_fetch_add(s->taken, 1);
    return sleep_for_ever();
}
YUNTA_ENTRY(await_event, struct scene);

START_TEST(an_event_wakes_all_and_stays)
{
    struct scene s = new_scene();
    yunta_process *waiter[waiters];
    ck_assert_int_eq(yunta_event_wait(s.event, 0), -ETIMEDOUT);
    ck_assert_int_eq(yunta_event_wait(s.event, 20), -ETIMEDOUT);
    for (int i = 0; i < waiters; i++)
        start_by(TEST_METHOD, &waiter[i], await_event, &s);
    ck_assert(await_word(s.waiting, waiters));
    for (int i = 0; i < waiters; i++)
        test_wait_until(test_state(yunta_process_pid(waiter[i])) == 'S', 20000);
    end_by_kill(waiter[0]); /* keeps nobody waiting */
    ck_assert_int_eq(yunta_event_set(s.event), 0);
    ck_assert_int_eq(yunta_event_clear(s.event), 0); /* who waited when it was set has seen it all the same */
    ck_assert(await_word(s.taken, waiters - 1));
    ck_assert(!yunta_event_is_set(s.event));
    ck_assert_int_eq(yunta_event_wait(s.event, 0), -ETIMEDOUT);
    ck_assert_int_eq(yunta_event_set(s.event), 0);
    ck_assert_int_eq(yunta_event_set(s.event), 0);
    ck_assert(yunta_event_is_set(s.event));
    ck_assert_int_eq(yunta_event_wait(s.event, 0), 0);
    for (int i = 1; i < waiters; i++)
        end_by_kill(waiter[i]);
    free_scene(&s);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("condition");
    TCase *cases = test_case(suite, "condition");
    tcase_add_test(cases, bad_input_is_refused);
    tcase_add_test(cases, a_wait_has_a_limit_and_takes_the_lock_again);
    TEST_FOR_EACH_METHOD(cases, so_many_wake_as_are_notified);
    TEST_FOR_EACH_METHOD(cases, notify_all_wakes_all);
    TEST_FOR_EACH_METHOD(cases, pain_07_killed_waiters_keep_no_notifier_waiting);
    TEST_FOR_EACH_METHOD(cases, a_notifier_that_dies_first_is_as_good_as_a_notification);
    TEST_FOR_EACH_METHOD(cases, an_event_wakes_all_and_stays);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
