/* The same scene without the change of the word: waking alone comes too early for who is not yet asleep, every time.
 * It must not be taken for a test of the library; it tests test_nudge.c, and says why nudge() does what it does.
 * Read next: nudge_scene.h. */
#define NUDGE_WAKE_ONLY
#include "nudge_scene.h"

enum { rounds = 3 };

START_TEST(without_the_change_the_sleeper_of_a_lock_is_lost)
{
    ck_assert_int_eq(play(true, BEFORE_THE_SLEEP, rounds), rounds);
}
END_TEST

START_TEST(without_the_change_the_sleeper_of_a_semaphore_is_lost)
{
    ck_assert_int_eq(play(false, BEFORE_THE_SLEEP, rounds), rounds);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("nudge_wake_only");
    TCase *cases = test_case(suite, "wake only");
    tcase_add_test(cases, without_the_change_the_sleeper_of_a_lock_is_lost);
    tcase_add_test(cases, without_the_change_the_sleeper_of_a_semaphore_is_lost);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
