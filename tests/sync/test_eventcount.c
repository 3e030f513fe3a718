/* The eventcount by itself: what a sleeper that has looked may not miss. Must not know what it is used for.
 * Read next: src/sync/wait.h, test_nudge.c. */
#include "../proc/helpers.h"

#include "sync/wait.h"

enum { shorter_than_the_belt_ms = 500 };

static yn_self *self(void)
{
    int error;
    yn_self *me = yn_self_get(&error);
    ck_assert_ptr_nonnull(me);
    return me;
}

static yn_event_shared *new_event(void)
{
    yn_event_shared *event = yunta_shared(yn_event_shared, 1);
    ck_assert_ptr_nonnull(event);
    return event;
}

static int sleep_from(yn_event_shared *event, uint32_t key)
{
    return yn_event_wait(self(), event, key, yn_deadline_in(shorter_than_the_belt_ms));
}

START_TEST(nobody_notified_is_a_time_out)
{
    yn_event_shared *event = new_event();
    ck_assert_int_eq(sleep_from(event, yn_event_key(event)), -ETIMEDOUT);
    yunta_shared_free(event);
}
END_TEST

START_TEST(a_notification_after_the_key_is_not_slept_through)
{
    yn_event_shared *event = new_event();
    uint32_t key = yn_event_key(event);
    yn_event_announce(event);
    yn_event_notify_one(event);
    ck_assert_int_eq(sleep_from(event, key), 0);
    key = yn_event_key(event);
    yn_event_announce(event);
    yn_event_notify_all(event);
    ck_assert_int_eq(sleep_from(event, key), 0);
    yunta_shared_free(event);
}
END_TEST

/* Who had published, and was killed before it notified: declared dead after our look, all nudged before our seat. */
START_TEST(a_death_after_the_key_is_not_slept_through)
{
    yn_event_shared *event = new_event();
    yunta_process *child;
    start_by(TEST_METHOD, &child, sleep_for_ever, NULL);
    uint64_t deaths = atomic_load(&self()->arena->deaths);
    uint32_t key = yn_event_key(event);
    yn_event_announce(event);
    ck_assert_int_eq(yunta_process_kill(child), 0);
    test_wait_until(atomic_load(&self()->arena->deaths) > deaths, 20000);
    test_nap(); /* the nudges have gone by */
    ck_assert_int_eq(sleep_from(event, key), 0);
    join_is(child, YUNTA_ECRASHED);
    yunta_process_destroy(child);
    yunta_shared_free(event);
}
END_TEST

START_TEST(a_death_wakes_who_sleeps)
{
    yn_event_shared *event = new_event();
    yunta_process *child;
    start_by(TEST_METHOD, &child, sleep_for_ever, NULL);
    pid_t killer = fork();
    if (killer == 0) {
        while (test_state(getppid()) != 'S')
            test_nap();
        kill(yunta_process_pid(child), SIGKILL);
        _exit(0);
    }
    int r = yn_event_wait(self(), event, yn_event_key(event), yn_deadline_in(20000));
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(waitpid(killer, NULL, 0), killer);
    join_is(child, YUNTA_ECRASHED);
    yunta_process_destroy(child);
    yunta_shared_free(event);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("eventcount");
    TCase *cases = test_case(suite, "eventcount");
    tcase_add_test(cases, nobody_notified_is_a_time_out);
    tcase_add_test(cases, a_notification_after_the_key_is_not_slept_through);
    TEST_FOR_EACH_METHOD(cases, a_death_after_the_key_is_not_slept_through);
    TEST_FOR_EACH_METHOD(cases, a_death_wakes_who_sleeps);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
