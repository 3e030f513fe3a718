/* Map: in order, whatever the arrays, sizes, chunks and numbers of workers; and what failed tasks leave.
 * It must not look at how the tasks were shared out.
 * Read next: test_crash.c, where tasks do not return.
 *
 * labels: valgrind */
#include "helpers.h"

#include <pthread.h>

static void map_squares(yunta_pool *pool, size_t count, size_t chunk, bool shared)
{
    int *in = shared ? yunta_shared(int, count) : calloc(count, sizeof *in);
    int *out = shared ? yunta_shared(int, count) : calloc(count, sizeof *out);
    size_t failed = 77;
    yunta_map_options options = {.chunk = chunk, .failure_count = &failed};
    ck_assert(in && out);
    count_up(in, count);
    ck_assert_int_eq(yunta_map_with(pool, square, in, out, count, &options), 0);
    ck_assert_uint_eq(failed, 0);
    check_squares(in, out, count);
    if (shared) {
        yunta_shared_free(in);
        yunta_shared_free(out);
    } else {
        free(in);
        free(out);
    }
}

START_TEST(results_come_in_order)
{
    static const size_t counts[] = {1, 2, 3, 7, 64, 1000, 1000000};
    yunta_pool *pool = new_pool(3);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (int shared = 0; shared < 2; shared++)
            map_squares(pool, counts[i], 0, shared);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(any_chunk_will_do)
{
    static const size_t chunks[] = {1, 3, 1000, 4097, SIZE_MAX};
    yunta_pool *pool = new_pool(4);
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++)
        map_squares(pool, 4097, chunks[i], i % 2);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(workers_may_be_one_or_more_than_tasks)
{
    static const int workers[] = {1, 2, 13};
    for (size_t i = 0; i < sizeof workers / sizeof *workers; i++) {
        yunta_pool *pool = new_pool(workers[i]);
        map_squares(pool, 5, 1, false);
        map_squares(pool, 1000, 0, true);
        yunta_pool_destroy(pool);
    }
}
END_TEST

START_TEST(input_and_output_may_be_one_array)
{
    enum { count = 10000 };
    yunta_pool *pool = new_pool(2);
    int *shared = yunta_shared(int, count), *private = calloc(count, sizeof *private);
    for (int i = 0; i < count; i++)
        shared[i] = private[i] = i;
    ck_assert_int_eq(yunta_map(pool, next, shared, shared, count), 0);
    ck_assert_int_eq(yunta_map(pool, next, private, private, count), 0);
    for (int i = 0; i < count; i++)
        ck_assert(shared[i] == i + 1 && private[i] == i + 1);
    yunta_shared_free(shared);
    free(private);
    yunta_pool_destroy(pool);
}
END_TEST

typedef struct half {
    int written, kept;
} half;

static int write_half(const int *x, half *y)
{
    y->written = *x;
    return 0;
}
YUNTA_TASK(write_half, int, half);

/* Wherever the output stands, and whichever back end it is. */
START_TEST(what_a_task_does_not_write_stays)
{
    enum { count = 1000 };
    yunta_pool *pool = new_pool(2);
    int in[count];
    half *out[2] = {yunta_shared(half, count), calloc(count, sizeof **out)}, one = {9, 9};
    yunta_future *future;
    for (int i = 0; i < count; i++) {
        in[i] = i;
        out[0][i].kept = out[1][i].kept = -i;
    }
    for (int k = 0; k < 2; k++) {
        ck_assert_int_eq(yunta_map(pool, write_half, in, out[k], count), 0);
        for (int i = 0; i < count; i++)
            ck_assert(out[k][i].written == i && out[k][i].kept == -i);
    }
    ck_assert_int_eq(yunta_submit(pool, write_half, &in[5], &future), 0);
    ck_assert_int_eq(yunta_await(future, &one, 20000), 0);
    ck_assert(one.written == 5 && one.kept == 0); /* it has no output yet when it is submitted */
    yunta_future_destroy(future);
    yunta_shared_free(out[0]);
    free(out[1]);
    yunta_pool_destroy(pool);
}
END_TEST

typedef struct large {
    unsigned char bytes[1 << 20];
} large;

static int invert(const large *x, large *y)
{
    for (size_t i = 0; i < sizeof x->bytes; i++)
        y->bytes[i] = (unsigned char)~x->bytes[i];
    return 0;
}
YUNTA_TASK(invert, large, large);

START_TEST(items_may_be_large)
{
    enum { count = 6 };
    yunta_pool *pool = new_pool(2);
    large *in = malloc(count * sizeof *in), *out = malloc(count * sizeof *out);
    for (int i = 0; i < count; i++)
        memset(in[i].bytes, i, sizeof in[i].bytes);
    ck_assert_int_eq(yunta_map(pool, invert, in, out, count), 0);
    for (int i = 0; i < count; i++)
        for (size_t k = 0; k < sizeof out[i].bytes; k += 997)
            ck_assert_int_eq(out[i].bytes[k], 255 - i);
    yunta_future *future;
    ck_assert_int_eq(yunta_submit(pool, invert, &in[5], &future), 0);
    ck_assert_int_eq(yunta_await(future, &out[0], 20000), 0);
    ck_assert_mem_eq(&out[0], &out[5], sizeof *out);
    yunta_future_destroy(future);
    free(in);
    free(out);
    yunta_pool_destroy(pool);
}
END_TEST

static int mark(const void *x, void *y)
{
    (void)x;
    *(int *)y = 5;
    return 0;
}

static int look(const void *x, void *y)
{
    (void)y;
    return *(const int *)x == 7 ? 0 : -EINVAL;
}

START_TEST(a_task_needs_no_input_or_no_output)
{
    static const yunta_task marking = {.call = mark, .output_size = sizeof(int)};
    static const yunta_task looking = {.call = look, .input_size = sizeof(int), .name = "look"};
    yunta_pool *pool = new_pool(2);
    int out[100] = {0}, in[3] = {7, 8, 7};
    yunta_future *future;
    ck_assert_int_eq(yunta_pool_map(pool, &marking, NULL, out, 100, NULL), 0);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(out[i], 5);
    ck_assert_int_eq(yunta_pool_map(pool, &looking, in, NULL, 3, NULL), YUNTA_EFAILED);
    ck_assert_int_eq(yunta_pool_submit(pool, &marking, NULL, &future), 0);
    ck_assert_int_eq(yunta_await(future, out, 20000), 0);
    yunta_future_destroy(future);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(count_zero_is_fine)
{
    yunta_pool *pool = new_pool(1);
    size_t failed = 77;
    yunta_map_options options = {.failure_count = &failed};
    ck_assert_int_eq(yunta_map_with(pool, square, NULL, NULL, 0, &options), 0);
    ck_assert_uint_eq(failed, 0);
    yunta_pool_destroy(pool);
}
END_TEST

enum { rows = 1000, bad_rows = 10 };

static bool is_bad(int row)
{
    return row % 100 == 93;
}

static void check_failures(const yunta_failure *failures, size_t told, pid_t self)
{
    for (size_t i = 0; i < told; i++) {
        int row = (int)i * 100 + 93;
        char text[64];
        snprintf(text, sizeof text, "row %d is negative", -row);
        ck_assert_uint_eq(failures[i].index, (uint64_t)row);
        ck_assert_int_eq(failures[i].code, YUNTA_EFAILED);
        ck_assert_int_eq(failures[i].value, -row);
        ck_assert_str_eq(failures[i].text, text);
        ck_assert_str_eq(failures[i].name, "refuse_negative");
        ck_assert_int_eq(failures[i].signal, 0);
        ck_assert_int_eq(failures[i].exit_status, -1);
        ck_assert((failures[i].pid == self) == (self != 0));
        ck_assert_int_gt(failures[i].pid, 0);
    }
}

START_TEST(failed_tasks_are_told_in_order)
{
    yunta_pool *pool = new_pool(3);
    int in[rows], out[rows];
    for (int shared = 0; shared < 2; shared++)
        for (size_t capacity = 0; capacity <= bad_rows + 2; capacity += 4) {
            yunta_failure failures[bad_rows + 2] = {0};
            size_t failed = 0;
            yunta_map_options o = {
                .failures = failures, .failure_capacity = capacity, .failure_count = &failed, .chunk = 7};
            int *result = shared ? yunta_shared(int, rows) : out;
            for (int i = 0; i < rows; i++) {
                in[i] = is_bad(i) ? -i : i;
                result[i] = -1;
            }
            ck_assert_int_eq(yunta_map_with(pool, refuse_negative, in, result, rows, &o), YUNTA_EFAILED);
            ck_assert_uint_eq(failed, bad_rows);
            check_failures(failures, capacity < failed ? capacity : failed, TEST_METHOD == YUNTA_THREAD ? getpid() : 0);
            for (int i = 0; i < rows; i++)
                ck_assert_int_eq(result[i], is_bad(i) ? -1 : i); /* a failed one's is as it was */
            if (shared)
                yunta_shared_free(result);
        }
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(all_may_fail)
{
    enum { many = 20000 };
    yunta_pool *pool = new_pool(2);
    int *in = malloc(many * sizeof *in), *out = calloc(many, sizeof *out);
    size_t failed = 0;
    for (int i = 0; i < many; i++)
        in[i] = -i - 1;
    yunta_map_options options = {.failure_count = &failed};
    ck_assert_int_eq(yunta_map_with(pool, refuse_negative, in, out, many, &options), YUNTA_EFAILED);
    ck_assert_uint_eq(failed, many);
    free(in);
    free(out);
    yunta_pool_destroy(pool);
}
END_TEST

typedef struct mapper {
    yunta_pool *pool;
    int number, wrong;
} mapper;

/* Check's assertions are for its main thread. */
static void *map_and_submit(void *argument)
{
    mapper *m = argument;
    for (int round = 0; round < 20; round++) {
        int in[300], out[300] = {0}, one = -1;
        yunta_future *future;
        for (int i = 0; i < 300; i++)
            in[i] = m->number * 1000 + round + i;
        m->wrong += yunta_submit(m->pool, square, &in[7], &future) != 0;
        m->wrong += yunta_map(m->pool, next, in, out, 300) != 0;
        m->wrong += yunta_await(future, &one, 20000) != 0 || one != in[7] * in[7];
        yunta_future_destroy(future);
        for (int i = 0; i < 300; i++)
            m->wrong += out[i] != in[i] + 1;
    }
    return NULL;
}

START_TEST(several_threads_may_use_one_pool)
{
    enum { threads = 8 };
    yunta_pool *pool = new_pool(3);
    pthread_t thread[threads];
    mapper m[threads];
    for (int i = 0; i < threads; i++) {
        m[i] = (mapper){.pool = pool, .number = i};
        ck_assert_int_eq(pthread_create(&thread[i], NULL, map_and_submit, &m[i]), 0);
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(thread[i], NULL);
        ck_assert_int_eq(m[i].wrong, 0);
    }
    yunta_pool_destroy(pool);
}
END_TEST

static int map_inside(const int *x, int *y)
{
    yunta_pool *pool;
    int in[20], out[20];
    int r = yunta_pool_create(&pool, &(yunta_pool_options){.workers = 2});
    for (int i = 0; i < 20; i++)
        in[i] = *x + i;
    if (r == 0) {
        r = yunta_map(pool, next, in, out, 20);
        yunta_pool_destroy(pool);
    }
    *y = out[19];
    return r;
}
YUNTA_TASK(map_inside, int, int);

START_TEST(a_task_may_have_a_pool_of_its_own)
{
    yunta_pool *pool = new_pool(2);
    int in[6] = {0, 100, 200, 300, 400, 500}, out[6];
    yunta_failure failures[6];
    yunta_map_options options = {.failures = failures, .failure_capacity = 6};
    int r = yunta_map_with(pool, map_inside, in, out, 6, &options);
    ck_assert_msg(r == 0, "%s", failures[0].text);
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(out[i], in[i] + 20);
    yunta_pool_destroy(pool);
}
END_TEST

static int run_inside(const int *argument)
{
    int y = 0;
    return map_inside(argument, &y) == 0 && y == *argument + 20 ? 0 : 1;
}
YUNTA_ENTRY(run_inside, int);

START_TEST(a_started_process_may_have_a_pool)
{
    yunta_process *child;
    int x = 5;
    ck_assert_int_eq(yunta_start(&child, run_inside, &x, &(yunta_process_options){.start_method = TEST_METHOD}), 0);
    ck_assert_int_eq(yunta_process_join(child, 20000), 0);
    yunta_process_destroy(child);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("map");
    TCase *cases = test_case(suite, "good");
    FOR_EACH_BACK_END(cases, results_come_in_order);
    FOR_EACH_BACK_END(cases, any_chunk_will_do);
    FOR_EACH_BACK_END(cases, workers_may_be_one_or_more_than_tasks);
    FOR_EACH_BACK_END(cases, input_and_output_may_be_one_array);
    FOR_EACH_BACK_END(cases, what_a_task_does_not_write_stays);
    FOR_EACH_BACK_END(cases, items_may_be_large);
    FOR_EACH_BACK_END(cases, a_task_needs_no_input_or_no_output);
    FOR_EACH_BACK_END(cases, count_zero_is_fine);
    cases = test_case(suite, "failed");
    FOR_EACH_BACK_END(cases, failed_tasks_are_told_in_order);
    FOR_EACH_BACK_END(cases, all_may_fail);
    cases = test_case(suite, "nested");
    FOR_EACH_BACK_END(cases, several_threads_may_use_one_pool);
    TEST_FOR_EACH_METHOD(cases, a_task_may_have_a_pool_of_its_own);
    TEST_FOR_EACH_METHOD(cases, a_started_process_may_have_a_pool);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
