/* Pool: made, closed, terminated, joined, asked; and what a caller may do wrong.
 * It must not rely on how long anything takes.
 * Read next: test_map.c, test_future.c for the work; test_crash.c for what goes wrong in it.
 *
 * labels: valgrind */
#include "helpers.h"

#include <fcntl.h>
#include <sys/wait.h>

START_TEST(a_pool_works_and_goes)
{
    yunta_pool *pool = new_pool(3, .name = "oxen");
    int in[10], out[10];
    count_up(in, 10);
    ck_assert_int_eq(yunta_map(pool, square, in, out, 10), 0);
    check_squares(in, out, 10);
    ck_assert_ptr_null(yunta_pool_destroy(pool));
}
END_TEST

START_TEST(the_default_has_a_worker_for_each_processor)
{
    yunta_pool *pool;
    pid_t pids[64];
    ck_assert_int_eq(yunta_pool_create(&pool, NULL), 0);
    test_wait_until(yunta_pool_pids(pool, pids, 64) == yunta_cpu_count(), 10000);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(create_refuses_what_makes_no_sense)
{
    yunta_pool *pool = NULL;
    yunta_pool_options bad[] = {{.workers = -1},
                                {.workers = 65537},
                                {.workers = INT32_MAX},
                                {.reserved = {[7] = 1}},
                                {.start_method = (yunta_start_method)5},
                                {.start_method = (yunta_start_method)-1}};
    yunta_process_options tail = {.reserved = {1}}, nowhere = {.directory = "/no/such/folder"};
    ck_assert_int_eq(yunta_pool_create(NULL, NULL), -EINVAL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(yunta_pool_create(&pool, &bad[i]), -EINVAL);
    for (yunta_start_method m = YUNTA_FORK; m <= YUNTA_SPAWN; m++) {
        yunta_pool_options o = {.workers = 1, .start_method = m, .process = &tail};
        ck_assert_int_eq(yunta_pool_create(&pool, &o), -EINVAL);
        o.process = &nowhere;
        ck_assert_int_eq(yunta_pool_create(&pool, &o), -ENOENT);
    }
    ck_assert_ptr_null(pool);
}
END_TEST

START_TEST(null_is_refused_everywhere)
{
    yunta_pool *pool = new_pool(1);
    yunta_pool_stats stats;
    int in = 3, out;
    yunta_future *future = NULL;
    yunta_task no_call = {.input_size = sizeof in, .output_size = sizeof out};
    ck_assert_int_eq(yunta_pool_close(NULL), -EINVAL);
    ck_assert_int_eq(yunta_pool_terminate(NULL), -EINVAL);
    ck_assert_int_eq(yunta_pool_join(NULL, 0), -EINVAL);
    ck_assert_int_eq(yunta_pool_join(pool, 0), -EINVAL); /* neither closed nor terminated */
    ck_assert_ptr_null(yunta_pool_destroy(NULL));
    ck_assert_int_eq(yunta_pool_read_stats(NULL, &stats), -EINVAL);
    ck_assert_int_eq(yunta_pool_read_stats(pool, NULL), -EINVAL);
    ck_assert_int_eq(yunta_pool_pids(NULL, NULL, 0), -EINVAL);
    ck_assert_int_eq(yunta_pool_pids(pool, NULL, 1), -EINVAL);
    ck_assert_int_eq(yunta_map(NULL, square, &in, &out, 1), -EINVAL);
    ck_assert_int_eq(yunta_map(pool, square, NULL, &out, 1), -EINVAL);
    ck_assert_int_eq(yunta_map(pool, square, &in, NULL, 1), -EINVAL);
    ck_assert_int_eq(yunta_pool_map(pool, NULL, &in, &out, 1, NULL), -EINVAL);
    ck_assert_int_eq(yunta_pool_map(pool, &no_call, &in, &out, 1, NULL), -EINVAL);
    ck_assert_int_eq(yunta_submit(NULL, square, &in, &future), -EINVAL);
    ck_assert_int_eq(yunta_submit(pool, square, NULL, &future), -EINVAL);
    ck_assert_int_eq(yunta_submit(pool, square, &in, NULL), -EINVAL);
    ck_assert_int_eq(yunta_pool_submit(pool, NULL, &in, &future), -EINVAL);
    ck_assert_int_eq(yunta_pool_submit(pool, &no_call, &in, &future), -EINVAL);
    ck_assert_ptr_null(future);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(map_refuses_bad_options_and_absurd_counts)
{
    yunta_pool *pool = new_pool(1);
    yunta_map_options tail = {.reserved = {[3] = 1}}, no_list = {.failure_capacity = 1};
    int in = 3, out;
    ck_assert_int_eq(yunta_map_with(pool, square, &in, &out, 1, &tail), -EINVAL);
    ck_assert_int_eq(yunta_map_with(pool, square, &in, &out, 1, &no_list), -EINVAL);
    ck_assert_int_eq(yunta_map(pool, square, &in, &out, SIZE_MAX / 2), -EOVERFLOW);
    ck_assert_int_eq(yunta_map(pool, square, &in, &out, SIZE_MAX), -EOVERFLOW);
    ck_assert_int_eq(yunta_map(pool, square, NULL, NULL, 0), 0);
    ck_assert_int_eq(yunta_map(pool, square, &in, &out, 1), 0); /* none of this has harmed it */
    ck_assert_int_eq(out, 9);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(after_close_nothing_is_taken)
{
    yunta_pool *pool = new_pool(2);
    yunta_future *future = NULL;
    int in = 3, out = 0;
    ck_assert_int_eq(yunta_pool_close(pool), 0);
    ck_assert_int_eq(yunta_pool_close(pool), 0);
    ck_assert_int_eq(yunta_map(pool, square, &in, &out, 1), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_submit(pool, square, &in, &future), YUNTA_ECLOSED);
    ck_assert_ptr_null(future);
    ck_assert_int_eq(yunta_pool_join(pool, 20000), 0);
    ck_assert_int_eq(yunta_pool_join(pool, 0), 0);
    ck_assert_int_eq(yunta_map(pool, square, &in, &out, 1), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_submit(pool, square, &in, &future), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_pool_pids(pool, NULL, 0), 0);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(close_finishes_what_was_taken)
{
    yunta_pool *pool = new_pool(2);
    enum { count = 200 };
    yunta_future *future[count];
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(yunta_submit(pool, square, &i, &future[i]), 0);
    ck_assert_int_eq(yunta_pool_close(pool), 0);
    ck_assert_int_eq(yunta_pool_join(pool, 20000), 0);
    for (int i = 0, out; i < count; i++) {
        ck_assert_int_eq(yunta_await(future[i], &out, 0), 0);
        ck_assert_int_eq(out, i * i);
        yunta_future_destroy(future[i]);
    }
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(join_has_a_limit)
{
    yunta_pool *pool = new_pool(1);
    gate g = new_gate();
    yunta_future *future;
    ck_assert_int_eq(yunta_submit(pool, pass_gate, &g, &future), 0);
    yunta_pool_close(pool);
    ck_assert_int_eq(yunta_pool_join(pool, 0), -ETIMEDOUT);
    ck_assert_int_eq(yunta_pool_join(pool, 20), -ETIMEDOUT);
    atomic_store(g.open, 1);
    ck_assert_int_eq(yunta_pool_join(pool, 20000), 0);
    ck_assert_int_eq(yunta_await(future, NULL, 0), 0);
    yunta_future_destroy(future);
    yunta_pool_destroy(pool);
    free_gate(g);
}
END_TEST

/* Waits until `count` tasks spin, then the pool may be ended. */
static yunta_future *set_spinning(yunta_pool *pool, shared_word *begun)
{
    yunta_future *future;
    int before = atomic_load(begun);
    ck_assert_int_eq(yunta_submit(pool, spin_for_ever, &(spinner){begun}, &future), 0);
    test_wait_until(atomic_load(begun) > before, 20000);
    return future;
}

START_TEST(pain_20_terminate_ends_at_once)
{
    yunta_pool *pool = new_pool(2);
    shared_word *begun = new_word();
    int in = 3;
    yunta_future *running = set_spinning(pool, begun), *second = set_spinning(pool, begun), *waiting;
    ck_assert_int_eq(yunta_submit(pool, square, &in, &waiting), 0);
    uint64_t before = test_now_ms();
    ck_assert_int_eq(yunta_pool_terminate(pool), 0);
    ck_assert_int_eq(yunta_pool_terminate(pool), 0);
    ck_assert_int_eq(yunta_pool_join(pool, 10000), 0);
    ck_assert_uint_lt(test_now_ms() - before, 2000);
    ck_assert_int_eq(yunta_await(running, NULL, 0), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_await(second, NULL, 0), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_await(waiting, NULL, 0), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_submit(pool, square, &in, &running), YUNTA_ECLOSED);
    yunta_future_destroy(running);
    yunta_future_destroy(second);
    yunta_future_destroy(waiting);
    yunta_pool_destroy(pool);
    yunta_shared_free(begun);
}
END_TEST

START_TEST(destroy_ends_work_under_way)
{
    yunta_pool *pool = new_pool(2);
    shared_word *begun = new_word();
    yunta_future *future = set_spinning(pool, begun);
    yunta_failure why;
    ck_assert_ptr_null(yunta_pool_destroy(pool));
    ck_assert_int_eq(yunta_await(future, NULL, 0), YUNTA_ECLOSED);
    ck_assert(yunta_future_is_done(future));
    ck_assert_int_eq(yunta_future_failure(future, &why), 0);
    ck_assert_int_eq(why.code, YUNTA_ECLOSED);
    ck_assert_str_ne(why.text, "");
    ck_assert_ptr_null(yunta_future_destroy(future));
    yunta_shared_free(begun);
}
END_TEST

static yunta_pool *to_terminate;

static void on_alarm(int signal)
{
    (void)signal;
    yunta_pool_terminate(to_terminate);
}

START_TEST(terminate_in_a_signal_handler_ends_a_map)
{
    shared_word *begun = new_word();
    spinner in[4] = {{begun}, {begun}, {begun}, {begun}};
    int out[4];
    to_terminate = new_pool(2);
    signal(SIGALRM, on_alarm);
    ualarm(100000, 0);
    ck_assert_int_eq(yunta_map(to_terminate, spin_for_ever, in, out, 4), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_pool_join(to_terminate, 10000), 0);
    yunta_pool_destroy(to_terminate);
    yunta_shared_free(begun);
}
END_TEST

static int try_it_in_child(yunta_pool *pool, yunta_future *future)
{
    int in = 3, out;
    yunta_future *mine;
    if (yunta_map(pool, square, &in, &out, 1) != -EPERM || yunta_submit(pool, square, &in, &mine) != -EPERM)
        return 1;
    yunta_failure why;
    if (yunta_await(future, &out, 0) != -EPERM || yunta_future_failure(future, &why) != -EPERM ||
        yunta_future_cancel(future) != -EPERM || yunta_future_is_done(future))
        return 2;
    if (yunta_pool_close(pool) != -EPERM || yunta_pool_terminate(pool) != -EPERM || yunta_pool_join(pool, 0) != -EPERM)
        return 3;
    yunta_future_destroy(future);
    yunta_pool_destroy(pool);
    return 0;
}

START_TEST(a_forked_child_can_do_nothing_to_it)
{
    yunta_pool *pool = new_pool(2);
    yunta_future *future;
    int in = 3, out, status;
    ck_assert_int_eq(yunta_submit(pool, square, &in, &future), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(try_it_in_child(pool, future));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(yunta_await(future, &out, 20000), 0);
    ck_assert_int_eq(yunta_map(pool, square, &in, &out, 1), 0);
    ck_assert_int_eq(out, 9);
    yunta_future_destroy(future);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(pids_and_stats_tell_of_the_workers)
{
    yunta_pool *pool = new_pool(3);
    pid_t pids[4] = {0}, one[2] = {0, -7};
    test_wait_until(yunta_pool_pids(pool, pids, 4) == 3, 10000);
    ck_assert_int_eq(yunta_pool_pids(pool, NULL, 0), 3);
    ck_assert_int_eq(yunta_pool_pids(pool, one, 1), 3);
    ck_assert_int_eq(one[0], pids[0]);
    ck_assert_int_eq(one[1], -7);
    for (int i = 0; i < 3; i++)
        ck_assert(test_is_running(pids[i]) && (pids[i] == getpid()) == (TEST_METHOD == YUNTA_THREAD));
    yunta_pool_stats stats = stats_of(pool);
    ck_assert_uint_eq(stats.workers, 3);
    ck_assert_uint_eq(stats.started, 3);
    ck_assert_uint_eq(stats.deaths, 0);
    ck_assert_uint_eq(stats.foremen, TEST_METHOD != YUNTA_THREAD);
    yunta_pool_close(pool);
    ck_assert_int_eq(yunta_pool_join(pool, 20000), 0);
    ck_assert_uint_eq(stats_of(pool).workers, 0);
    ck_assert_uint_eq(stats_of(pool).deaths, 0);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(a_hundred_pools_one_after_the_other)
{
    for (int i = 0, out; i < (test_is_valgrind() ? 3 : TEST_METHOD == YUNTA_SPAWN ? 20 : 100); i++) {
        yunta_pool *pool = new_pool(2);
        ck_assert_int_eq(yunta_map(pool, square, &i, &out, 1), 0);
        ck_assert_int_eq(out, i * i);
        yunta_pool_destroy(pool);
    }
}
END_TEST

/* Neither the workers nor a task under way keep the program. */
START_TEST(the_end_of_main_is_not_kept_by_an_open_pool)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    uint64_t end_of_main;
    pid_t root = fork();
    if (root == 0) {
        close(ends[0]);
        yunta_pool *pool = new_pool(2);
        yunta_future *future;
        gate g = new_gate();
        if (yunta_submit(pool, pass_gate, &g, &future) != 0)
            _exit(1);
        test_wait_until(atomic_load(g.begun) == 1, 20000);
        end_of_main = test_now_ms();
        exit(write(ends[1], &end_of_main, sizeof end_of_main) == (ssize_t)sizeof end_of_main ? 7 : 1);
    }
    close(ends[1]);
    int status;
    char byte;
    ck_assert_int_eq(waitpid(root, &status, 0), root);
    uint64_t ended = test_now_ms();
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    ck_assert_int_eq(read(ends[0], &end_of_main, sizeof end_of_main), sizeof end_of_main);
    ck_assert_uint_lt(ended - end_of_main, 1500);
    ck_assert_int_eq(read(ends[0], &byte, 1), 0); /* nobody has the other end any more */
    close(ends[0]);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("pool");
    TCase *cases = test_case(suite, "life");
    FOR_EACH_BACK_END(cases, a_pool_works_and_goes);
    tcase_add_test(cases, the_default_has_a_worker_for_each_processor);
    FOR_EACH_BACK_END(cases, close_finishes_what_was_taken);
    FOR_EACH_BACK_END(cases, join_has_a_limit);
    TEST_FOR_EACH_METHOD(cases, pain_20_terminate_ends_at_once);
    TEST_FOR_EACH_METHOD(cases, destroy_ends_work_under_way);
    TEST_FOR_EACH_METHOD(cases, terminate_in_a_signal_handler_ends_a_map);
    TEST_FOR_EACH_METHOD(cases, the_end_of_main_is_not_kept_by_an_open_pool);
    FOR_EACH_BACK_END(cases, pids_and_stats_tell_of_the_workers);
    FOR_EACH_BACK_END(cases, a_hundred_pools_one_after_the_other);
    cases = test_case(suite, "mistakes");
    tcase_add_test(cases, create_refuses_what_makes_no_sense);
    FOR_EACH_BACK_END(cases, null_is_refused_everywhere);
    FOR_EACH_BACK_END(cases, map_refuses_bad_options_and_absurd_counts);
    FOR_EACH_BACK_END(cases, after_close_nothing_is_taken);
    TEST_FOR_EACH_METHOD(cases, a_forked_child_can_do_nothing_to_it);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
