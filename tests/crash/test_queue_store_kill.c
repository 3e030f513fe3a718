/* Queues with a store (by priority, joinable): put, get and receive killed at every instruction that makes a difference
 * to others; alone, with a rival's whole call in between, and once more while the wreck is being repaired. It must not
 * rely on chance or on time. Read next: queue_steps.h; test_queue_kill.c, plain queues; src/comm/store.h.
 * labels: ptrace
 * timeout: 300 */
#include "queue_steps.h"

#define GROW ((void (*)(void))yn_store_add)
#define WAIT ((void (*)(void))yn_queue_wait) /* what comes before has no lock */
#define ORDERED .from = WAIT, .order = YUNTA_PRIORITY
static const scene scenes[] = {
    {ORDERED, .capacity = 3, .size = 8, .passed = 2, .filled = 1, .first = PUT, .second = PUT},
    {ORDERED, .capacity = 3, .size = 8, .passed = 2, .filled = 2, .first = PUT, .second = GET},
    {ORDERED, .capacity = 3, .size = 200, .passed = 2, .filled = 3, .first = GET, .second = GET},
    {ORDERED, .capacity = 4, .size = 8, .passed = 2, .filled = 4, .first = GET, .second = SIZE, .lose = true},
    {.order = YUNTA_PRIORITY, .size = 8, .filled = 32, .first = PUT, .second = GET, .from = GROW, .leaks = 2},
    {ORDERED, .size = 8, .filled = 33, .first = GET, .second = PUT, .leaks = 2},
    {.from = WAIT, .joinable = true, .capacity = 3, .size = 8, .filled = 2, .first = GET, .second = GET},
    {.from = WAIT, .joinable = true, .capacity = 3, .size = 8, .filled = 2, .first = GET, .second = SIZE, .lose = true},
    {ORDERED, .capacity = 3, .size = 200, .filled = 2, .first = RECEIVE, .second = RECEIVE},
};

START_TEST(killed_alone)
{
    kill_alone(&scenes[_i]);
}
END_TEST

START_TEST(killed_while_repairing)
{
    kill_while_repairing(&scenes[_i], _i, 2, 3);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("queue_store_kill");
    TCase *cases = test_case(suite, "steps");
    tcase_set_timeout(cases, 250);
    tcase_add_loop_test(cases, killed_alone, 0, (int)YN_COUNT(scenes));
    if (SANITIZED && !is_thorough()) /* it takes minutes to step through what a sanitizer adds */
        return suite;
    tcase_add_loop_test(cases, killed_while_repairing, 0, (int)YN_COUNT(scenes));
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
