/* When who sleeps at a queue, and has the time to give memory back, looks again. Nobody sleeps. Never needs a second
 * process. Read next: test_queue_wait.c; shm/test_heap_trim.c. */
#include "../proc/helpers.h"

#include "comm/queue.h"
#include "shm/heap.h"

static int sleeps, sleeps_to_a_death; /* until somebody has died */
static int sleep_shortly(yn_self *me, yn_deadline until);
#define yn_event_wait(me, event, key, until) ((void)(event), (void)(key), sleep_shortly(me, until))
#define yn_heap_rest(me) ((void)(me), sleeps < 3 ? (yn_deadline)sleeps + 1 : YN_NEVER)
#include "comm/queue_sleep.c"

static yn_event_shared event;

static int sleep_shortly(yn_self *me, yn_deadline until)
{
    sleeps++;
    me->deaths += sleeps == sleeps_to_a_death;
    return until == YN_NEVER ? 0 : -ETIMEDOUT;
}

static yn_self someone(void)
{
    int error;
    yn_self me = *yn_self_get(&error);
    sleeps = sleeps_to_a_death = 0;
    return me;
}

START_TEST(while_nothing_has_happened_it_sleeps_on)
{
    yn_self me = someone();
    ck_assert_int_eq(sleep_on(&me, &event, yn_event_key(&event), YN_NEVER), 0);
    ck_assert_int_eq(sleeps, 4);
}
END_TEST

START_TEST(a_death_that_was_heard_of_meanwhile_is_looked_into)
{
    yn_self me = someone();
    sleeps_to_a_death = 2;
    ck_assert_int_eq(sleep_on(&me, &event, yn_event_key(&event), YN_NEVER), 0);
    ck_assert_int_eq(sleeps, 2);
}
END_TEST

START_TEST(what_was_told_meanwhile_is_looked_into)
{
    yn_self me = someone();
    ck_assert_int_eq(sleep_on(&me, &event, yn_event_key(&event) + 1, YN_NEVER), 0);
    ck_assert_int_eq(sleeps, 1);
}
END_TEST

START_TEST(its_own_limit_ends_it)
{
    yn_self me = someone();
    ck_assert_int_eq(sleep_on(&me, &event, yn_event_key(&event), 2), -ETIMEDOUT);
    ck_assert_int_eq(sleeps, 2);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("queue, sleeping");
    TCase *cases = test_case(suite, "sleeping");
    tcase_add_test(cases, while_nothing_has_happened_it_sleeps_on);
    tcase_add_test(cases, a_death_that_was_heard_of_meanwhile_is_looked_into);
    tcase_add_test(cases, what_was_told_meanwhile_is_looked_into);
    tcase_add_test(cases, its_own_limit_ends_it);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
