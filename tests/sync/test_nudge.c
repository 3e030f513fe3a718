/* A sleeper that falls asleep at the very moment of a death is found, thousands of times out of thousands.
 * It must not count on time-outs: a sleeper that nothing ends but the second after which it looks by itself is lost.
 * Read next: nudge_scene.h, and test_nudge_wake_only.c, which shows that this test would see it. */
#include "nudge_scene.h"

enum { rounds = 350 };

static const enum moment moments_of_death[] = {BEFORE_THE_SEAT, BEFORE_THE_SLEEP, BEFORE_THE_SECOND_SLEEP};

START_TEST(the_sleeper_at_a_lock_is_found)
{
    ck_assert_int_eq(play(true, moments_of_death[_i], rounds), 0);
}
END_TEST

START_TEST(the_sleeper_at_a_semaphore_is_found)
{
    ck_assert_int_eq(play(false, moments_of_death[_i], rounds), 0);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("nudge");
    TCase *cases = test_case(suite, "nudge");
    tcase_add_loop_test(cases, the_sleeper_at_a_lock_is_found, 0, YN_COUNT(moments_of_death));
    tcase_add_loop_test(cases, the_sleeper_at_a_semaphore_is_found, 0, YN_COUNT(moments_of_death));
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
