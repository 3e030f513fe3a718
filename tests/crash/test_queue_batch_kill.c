/* Batches, loans and peek killed at every instruction that makes a difference to others; alone, with a rival's whole
 * call in between, and once more while the wreck is being repaired. It must not rely on chance or on time.
 * Read next: queue_steps.h; test_queue_kill.c, single messages; src/comm/README.md.
 * labels: ptrace
 * timeout: 300 */
#include "queue_steps.h"

static const scene scenes[] = {
    {.capacity = 5, .size = 8, .passed = 7, .filled = 1, .first = PUT_MANY, .second = GET_MANY, .rival = PUT},
    {.capacity = 4, .size = 8, .passed = 7, .filled = 2, .first = PUT_MANY, .second = PUT_MANY, .rival = GET},
    {.capacity = 3, .size = 200, .passed = 8, .filled = 1, .first = PUT_MANY, .second = GET_MANY, .rival = PUT},
    {.capacity = 5, .size = 8, .passed = 9, .filled = 4, .first = GET_MANY, .second = GET_MANY, .rival = GET},
    {.capacity = 3, .size = 8, .passed = 7, .filled = 3, .first = GET_MANY, .second = PUT_MANY, .rival = PUT},
    {.capacity = 4, .size = 200, .passed = 8, .filled = 4, .first = GET_MANY, .second = SIZE, .rival = SIZE},
    {.capacity = 5, .size = 8, .passed = 9, .filled = 4, .first = GET_MANY, .second = GET, .rival = PUT, .lose = true},
    {.size = 8,
     .filled = 31,
     .first = PUT_MANY,
     .second = GET_MANY,
     .rival = PUT,
     .from = (void (*)(void))yn_chain_enter},
    {.size = 8, .passed = 31, .filled = 33, .first = GET_MANY, .second = GET, .rival = GET_MANY},
    {.capacity = 4,
     .size = 200,
     .mixed = true,
     .filled = 1,
     .first = PUT_BYTES,
     .second = GET_BYTES,
     .rival = PUT,
     .from = (void (*)(void))yn_queue_reserve},
    {.capacity = 4, .size = 200, .mixed = true, .filled = 4, .first = GET_BYTES, .second = GET_BYTES, .rival = GET},
    {.capacity = 3, .size = 8, .passed = 7, .filled = 1, .first = LEND, .second = LEND, .rival = PUT},
    {.capacity = 3, .size = 200, .any = true, .passed = 7, .filled = 1, .first = LEND, .second = RECEIVE, .rival = GET},
    {.capacity = 3,
     .size = 200,
     .any = true,
     .passed = 7,
     .filled = 2,
     .first = RECEIVE,
     .second = RECEIVE,
     .rival = GET},
    {.capacity = 3, .size = 8, .passed = 7, .filled = 2, .first = RECEIVE, .second = PEEK, .rival = PUT},
    {.capacity = 3,
     .size = 200,
     .any = true,
     .passed = 7,
     .filled = 2,
     .first = RECEIVE,
     .second = PEEK,
     .rival = PUT,
     .lose = true},
    {.size = 200, .any = true, .filled = 2, .first = RECEIVE, .second = PEEK, .rival = PEEK},
    {.capacity = 2, .size = 200, .any = true, .passed = 5, .filled = 1, .first = PEEK, .second = GET, .rival = GET},
};

START_TEST(killed_alone)
{
    kill_alone(&scenes[_i]);
}
END_TEST

START_TEST(killed_with_a_rival_in_between)
{
    kill_beside_rival(&scenes[_i], _i, 331);
}
END_TEST

START_TEST(killed_while_repairing)
{
    kill_while_repairing(&scenes[_i], _i, 2, 1);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("queue_batch_kill");
    TCase *cases = test_case(suite, "steps");
    tcase_set_timeout(cases, 250);
    tcase_add_loop_test(cases, killed_alone, 0, (int)YN_COUNT(scenes));
    if (SANITIZED && !is_thorough()) /* it takes minutes to step through what a sanitizer adds */
        return suite;
    tcase_add_loop_test(cases, killed_with_a_rival_in_between, 0, (int)YN_COUNT(scenes));
    tcase_add_loop_test(cases, killed_while_repairing, 0, (int)YN_COUNT(scenes));
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
