/* The thread back end: the same pool, its workers threads of this process; so the same lanes and lists, where
 * ThreadSanitizer sees all of it.
 * It must not start a process.
 * Read next: test_map.c and test_future.c, which compare it with the others.
 *
 * labels: threads valgrind */
#include "helpers.h"

#include <pthread.h>

enum { size = 20000 };

START_TEST(maps_of_every_chunk)
{
    static const size_t chunks[] = {0, 1, 3, 1000, SIZE_MAX};
    yunta_pool *pool = new_pool_by(YUNTA_THREAD, 4);
    int *in = calloc(size, sizeof *in), *out = calloc(size, sizeof *out);
    count_up(in, size);
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        memset(out, 0xff, size * sizeof *out);
        ck_assert_int_eq(yunta_map_with(pool, square, in, out, size, &(yunta_map_options){.chunk = chunks[i]}), 0);
        check_squares(in, out, size);
    }
    free(in);
    free(out);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(failures_come_from_all_workers)
{
    yunta_pool *pool = new_pool_by(YUNTA_THREAD, 4);
    int *in = calloc(size, sizeof *in), *out = calloc(size, sizeof *out);
    yunta_failure failures[8];
    size_t failed = 0;
    yunta_map_options options = {.failures = failures, .failure_capacity = 8, .failure_count = &failed, .chunk = 1};
    for (int i = 0; i < size; i++)
        in[i] = i % 2 ? -i : i;
    ck_assert_int_eq(yunta_map_with(pool, refuse_negative, in, out, size, &options), YUNTA_EFAILED);
    ck_assert_uint_eq(failed, size / 2);
    for (size_t i = 0; i < 8; i++)
        ck_assert_uint_eq(failures[i].index, 2 * i + 1);
    free(in);
    free(out);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(outcomes_of_single_tasks_reach_their_waiters)
{
    enum { futures = 500 };
    yunta_pool *pool = new_pool_by(YUNTA_THREAD, 3);
    yunta_future *future[futures];
    for (int i = 0; i < futures; i++)
        ck_assert_int_eq(yunta_submit(pool, next, &i, &future[i]), 0);
    for (int i = futures - 1, out = 0; i >= 0; i--) {
        if (i % 3 == 0)
            yunta_future_cancel(future[i]);
        int r = yunta_await(future[i], &out, 20000);
        ck_assert(r == 0 ? out == i + 1 : r == -ECANCELED && i % 3 == 0);
        yunta_future_destroy(future[i]);
    }
    yunta_pool_destroy(pool);
}
END_TEST

typedef struct owner {
    yunta_pool *pool;
    int number, wrong;
} owner;

/* Check's assertions are for its main thread. */
static void *use_pool(void *argument)
{
    owner *o = argument;
    for (int round = 0; round < 30; round++) {
        int in[100], out[100] = {0}, one = -1;
        yunta_future *future;
        for (int i = 0; i < 100; i++)
            in[i] = o->number * 100 + round + i;
        o->wrong += yunta_submit(o->pool, square, &in[7], &future) != 0;
        o->wrong += yunta_map(o->pool, next, in, out, 100) != 0;
        o->wrong += yunta_await(future, &one, 20000) != 0 || one != in[7] * in[7];
        yunta_future_destroy(future);
        for (int i = 0; i < 100; i++)
            o->wrong += out[i] != in[i] + 1;
    }
    return NULL;
}

START_TEST(eight_owners_share_one_pool)
{
    enum { owners = 8 };
    yunta_pool *pool = new_pool_by(YUNTA_THREAD, 3);
    pthread_t thread[owners];
    owner o[owners];
    for (int i = 0; i < owners; i++) {
        o[i] = (owner){.pool = pool, .number = i};
        ck_assert_int_eq(pthread_create(&thread[i], NULL, use_pool, &o[i]), 0);
    }
    for (int i = 0; i < owners; i++) {
        pthread_join(thread[i], NULL);
        ck_assert_int_eq(o[i].wrong, 0);
    }
    yunta_pool_destroy(pool);
}
END_TEST

static void *terminate_soon(void *pool)
{
    test_nap();
    yunta_pool_terminate(pool);
    return NULL;
}

START_TEST(another_thread_may_terminate_it_under_a_map)
{
    for (int round = 0; round < 20; round++) {
        yunta_pool *pool = new_pool_by(YUNTA_THREAD, 2);
        int *in = calloc(size, sizeof *in), *out = calloc(size, sizeof *out);
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, terminate_soon, pool), 0);
        int r = yunta_map_with(pool, square, in, out, size, &(yunta_map_options){.chunk = 1});
        ck_assert(r == 0 || r == YUNTA_ECLOSED);
        pthread_join(thread, NULL);
        ck_assert_int_eq(yunta_pool_join(pool, 20000), 0);
        yunta_pool_destroy(pool);
        free(in);
        free(out);
    }
}
END_TEST

START_TEST(a_task_that_fails_is_told_apart_from_the_program)
{
    yunta_pool *pool = new_pool_by(YUNTA_THREAD, 2);
    act in[3] = {{WELL, 1}, {ERROR, 2}, {WELL, 3}};
    int out[3] = {0};
    yunta_failure failure;
    yunta_map_options options = {.failures = &failure, .failure_capacity = 1};
    ck_assert_int_eq(yunta_map_with(pool, behave, in, out, 3, &options), YUNTA_EFAILED);
    ck_assert_int_eq(failure.value, -EIO);
    ck_assert_str_eq(failure.text, "number 2");
    ck_assert(out[0] == 2 && out[2] == 4);
    yunta_pool_destroy(pool);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("threads");
    TCase *cases = test_case(suite, "threads");
    tcase_add_test(cases, maps_of_every_chunk);
    tcase_add_test(cases, failures_come_from_all_workers);
    tcase_add_test(cases, outcomes_of_single_tasks_reach_their_waiters);
    tcase_add_test(cases, eight_owners_share_one_pool);
    tcase_add_test(cases, another_thread_may_terminate_it_under_a_map);
    tcase_add_test(cases, a_task_that_fails_is_told_apart_from_the_program);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
