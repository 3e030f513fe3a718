/* A program that does not call yunta_init: fork works, the others say what is missing.
 * It must not call yunta_init, so it has a main of its own.
 * Read next: test_init.c. */
#include "helpers.h"

static void starts_by(yunta_start_method method, int expected)
{
    yunta_process *child = NULL;
    ck_assert_int_eq(yunta_start(&child, return_value, &(int){4}, &(yunta_process_options){.start_method = method}),
                     expected);
    if (expected == 0)
        end_is(child, 4);
    else
        ck_assert_ptr_null(child);
}

START_TEST(only_fork_starts)
{
    starts_by(YUNTA_DEFAULT, 0);
    starts_by(YUNTA_FORK, 0);
    starts_by(YUNTA_SPAWN, YUNTA_ENOINIT);
    starts_by(YUNTA_FORKSERVER, YUNTA_ENOINIT);
    ck_assert_int_eq(yunta_process_children(NULL, 0), 0);
}
END_TEST

START_TEST(only_forked_workers_and_threads_make_a_pool)
{
    static const int expected[] = {[YUNTA_DEFAULT] = 0,
                                   [YUNTA_FORK] = 0,
                                   [YUNTA_FORKSERVER] = YUNTA_ENOINIT,
                                   [YUNTA_SPAWN] = YUNTA_ENOINIT,
                                   [YUNTA_THREAD] = 0};
    for (int m = YUNTA_DEFAULT; m <= YUNTA_THREAD; m++) {
        yunta_pool *pool = NULL;
        yunta_pool_options o = {.workers = 2, .start_method = (yunta_start_method)m};
        ck_assert_int_eq(yunta_pool_create(&pool, &o), expected[m]);
        ck_assert((pool != NULL) == (expected[m] == 0));
        yunta_pool_destroy(pool);
    }
    ck_assert_int_eq(yunta_process_children(NULL, 0), 0);
}
END_TEST

START_TEST(only_fork_can_be_the_default)
{
    ck_assert_int_eq(yunta_set_start_method(YUNTA_SPAWN), YUNTA_ENOINIT);
    ck_assert_int_eq(yunta_set_start_method(YUNTA_FORKSERVER), YUNTA_ENOINIT);
    ck_assert_int_eq(yunta_get_start_method(), YUNTA_FORK);
    ck_assert_int_eq(yunta_set_start_method(YUNTA_FORK), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("noinit");
    TCase *cases = test_case(suite, "noinit");
    tcase_add_test(cases, only_fork_starts);
    tcase_add_test(cases, only_forked_workers_and_threads_make_a_pool);
    tcase_add_test(cases, only_fork_can_be_the_default);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
