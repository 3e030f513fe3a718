/* A sleeper that falls asleep at the very moment of a death is found, thousands of times out of thousands.
 * It must not count on time-outs: a sleeper that nothing ends but the second after which it looks by itself is lost.
 * Read next: nudge_scene.h, and test_nudge_wake_only.c, which shows that this test would see it. */
#include "nudge_scene.h"

START_TEST(a_sleeper_at_the_moment_of_the_owners_death_is_found)
{
    ck_assert_int_eq(play(true, 1500), 0);
}
END_TEST

START_TEST(so_is_one_that_waits_for_a_unit_of_a_semaphore)
{
    ck_assert_int_eq(play(false, 1500), 0);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("nudge");
    TCase *cases = test_case(suite, "nudge");
    tcase_add_test(cases, a_sleeper_at_the_moment_of_the_owners_death_is_found);
    tcase_add_test(cases, so_is_one_that_waits_for_a_unit_of_a_semaphore);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
