/* Tasks that crash, exit or are killed, and workers that are killed while they have none: who is blamed, who is not,
 * and that the pool goes on. It must not count on how many workers a crash costs, one apart. Read next:
 * ../crash/test_pool_kill.c for deaths at any moment, ../crash/test_foreman.c. */
#include "helpers.h"

/* What a task that does `deed` must be reported as. */
static void check_failure(const yunta_failure *why, const act *a, uint64_t index)
{
    static const int signals[] = {[SEGV] = SIGSEGV, [ABORT] = SIGABRT, [KILL] = SIGKILL};
    bool exits = a->deed == EXIT || a->deed == QUICK_EXIT, crashes = signals[a->deed % (KILL + 1)] != 0 && !exits;
    int code = exits ? YUNTA_EEXITED : crashes ? YUNTA_ECRASHED : YUNTA_EFAILED;
    ck_assert_msg(why->code == code, "[%d] deed %d: code %d, %s", (int)index, (int)a->deed, why->code, why->text);
    ck_assert_uint_eq(why->index, index);
    ck_assert_str_eq(why->name, "behave");
    ck_assert_int_gt(why->pid, 0);
    ck_assert_int_ne(why->pid, getpid());
    ck_assert_int_eq(why->signal, crashes ? signals[a->deed] : 0);
    if (exits)
        ck_assert_int_eq(why->exit_status, a->number % 256);
    ck_assert_str_ne(why->text, "");
}

START_TEST(pain_04_the_failure_names_task_signal_and_pid)
{
    static const deed deeds[] = {SEGV, ABORT, KILL, EXIT, QUICK_EXIT, ERROR};
    yunta_pool *pool = new_pool(2);
    for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
        act a = {deeds[i], 7};
        yunta_future *future;
        yunta_failure why;
        char pid[32];
        ck_assert_int_eq(yunta_submit(pool, behave, &a, &future), 0);
        int r = yunta_await(future, NULL, 20000);
        ck_assert_int_eq(yunta_future_failure(future, &why), 0);
        ck_assert_int_eq(r, why.code);
        check_failure(&why, &a, 0);
        snprintf(pid, sizeof pid, "pid %d", (int)why.pid);
        if (a.deed != ERROR) {
            ck_assert_msg(strstr(why.text, "behave") && strstr(why.text, pid), "%s", why.text);
            ck_assert_uint_gt(why.peak_bytes, 0);
        }
        yunta_future_destroy(future);
    }
    yunta_pool_destroy(pool);
}
END_TEST

enum { tasks = 400 };

/* Every twentieth does something else, in turn. */
static deed deed_of(int i)
{
    return i % 20 == 13 ? (deed)(ERROR + i / 20 % QUICK_EXIT) : WELL;
}

START_TEST(pain_01_a_map_with_crashing_tasks_ends)
{
    yunta_pool *pool = new_pool(3);
    act in[tasks];
    int out[tasks];
    yunta_failure failures[tasks];
    size_t failed = 0;
    yunta_map_options options = {.failures = failures, .failure_capacity = tasks, .failure_count = &failed};
    for (int i = 0; i < tasks; i++) {
        in[i] = (act){deed_of(i), i};
        out[i] = -1;
    }
    for (size_t chunk = 0; chunk < 100; chunk += 33) {
        options.chunk = chunk;
        ck_assert_int_eq(yunta_map_with(pool, behave, in, out, tasks, &options), YUNTA_EFAILED);
        ck_assert_uint_eq(failed, tasks / 20);
        for (size_t i = 0; i < failed; i++)
            check_failure(&failures[i], &in[13 + 20 * i], 13 + 20 * i);
        for (int i = 0; i < tasks; i++)
            ck_assert_int_eq(out[i], deed_of(i) == WELL ? i + 1 : -1);
    }
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(pain_01_the_death_is_told_within_100_ms)
{
    yunta_pool *pool = new_pool(2);
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 5; i++) { /* the machine may be busy with others */
        act a = {KILL, 0};
        yunta_future *future;
        uint64_t before = test_now_ms();
        ck_assert_int_eq(yunta_submit(pool, behave, &a, &future), 0);
        ck_assert_int_eq(yunta_await(future, NULL, 20000), YUNTA_ECRASHED);
        uint64_t took = test_now_ms() - before;
        best = took < best ? took : best;
        yunta_future_destroy(future);
    }
    ck_assert_uint_lt(best, 100);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(the_code_is_that_of_the_lowest_index)
{
    yunta_pool *pool = new_pool(2);
    act in[8] = {[2] = {EXIT, 3}, [5] = {SEGV, 0}, [6] = {ERROR, 0}};
    int out[8];
    ck_assert_int_eq(yunta_map(pool, behave, in, out, 8), YUNTA_EEXITED);
    in[2].deed = WELL;
    ck_assert_int_eq(yunta_map(pool, behave, in, out, 8), YUNTA_ECRASHED);
    in[5].deed = WELL;
    ck_assert_int_eq(yunta_map(pool, behave, in, out, 8), YUNTA_EFAILED);
    in[6].deed = WELL;
    ck_assert_int_eq(yunta_map(pool, behave, in, out, 8), 0);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(pain_03_only_the_guilty_future_fails)
{
    enum { futures = 300 };
    yunta_pool *pool = new_pool(2);
    yunta_future *future[futures];
    int out;
    for (int i = 0; i < futures; i++) {
        act a = {i == 100 ? SEGV : i == 200 ? KILL : WELL, i};
        ck_assert_int_eq(yunta_submit(pool, behave, &a, &future[i]), 0);
    }
    for (int i = 0; i < futures; i++) {
        int r = yunta_await(future[i], &out, 20000);
        ck_assert_int_eq(r, i == 100 || i == 200 ? YUNTA_ECRASHED : 0);
        ck_assert(r != 0 || out == i + 1);
        yunta_future_destroy(future[i]);
    }
    act a = {WELL, 5}; /* and it takes more */
    ck_assert_int_eq(yunta_submit(pool, behave, &a, &future[0]), 0);
    ck_assert_int_eq(yunta_await(future[0], &out, 20000), 0);
    yunta_future_destroy(future[0]);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(pain_24_exit_in_a_task_is_an_outcome)
{
    yunta_pool *pool = new_pool(1);
    for (int status = 0; status < 3; status++) {
        act in[2] = {{EXIT, status}, {QUICK_EXIT, 255 - status}};
        int out[2];
        yunta_failure failures[2];
        size_t failed;
        yunta_map_options options = {.failures = failures, .failure_capacity = 2, .failure_count = &failed};
        ck_assert_int_eq(yunta_map_with(pool, behave, in, out, 2, &options), YUNTA_EEXITED);
        ck_assert_uint_eq(failed, 2);
        check_failure(&failures[0], &in[0], 0);
        check_failure(&failures[1], &in[1], 1);
    }
    yunta_pool_destroy(pool);
}
END_TEST

/* Until none of the pids of before is among the workers, and all are there again. */
static bool are_replaced(yunta_pool *pool, const pid_t *old, int workers)
{
    pid_t now[16];
    if (yunta_pool_pids(pool, now, 16) != workers)
        return false;
    for (int i = 0; i < workers; i++)
        for (int k = 0; k < workers; k++)
            if (now[i] == old[k])
                return false;
    return true;
}

START_TEST(pain_02_an_idle_worker_may_be_killed)
{
    enum { workers = 3 };
    yunta_pool *pool = new_pool(workers);
    for (int round = 1; round <= 5; round++) {
        pid_t pids[workers];
        int in[100], out[100];
        count_up(in, 100);
        test_wait_until(yunta_pool_pids(pool, pids, workers) == workers, 20000);
        for (int i = 0; i < workers; i++)
            test_kill(pids[i]);
        if (round % 2) /* at once, or when they are replaced: by nobody but the foreman, since we call nothing */
            test_wait_until(are_replaced(pool, pids, workers), 20000);
        ck_assert_int_eq(yunta_map(pool, square, in, out, 100), 0);
        check_squares(in, out, 100);
        test_wait_until(stats_of(pool).deaths == (uint64_t)(workers * round), 20000);
    }
    ck_assert_uint_eq(stats_of(pool).foremen, 1);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(workers_are_replaced_while_the_owner_computes)
{
    yunta_pool *pool = new_pool(2);
    yunta_future *crashing, *other;
    act crash = {SEGV, 0}, well = {WELL, 1};
    ck_assert_int_eq(yunta_submit(pool, behave, &crash, &crashing), 0);
    ck_assert_int_eq(yunta_submit(pool, behave, &well, &other), 0);
    /* read_stats only reads: nobody but the foreman does anything. */
    test_wait_until(stats_of(pool).deaths == 1 && stats_of(pool).started == 3 && stats_of(pool).workers == 2, 20000);
    ck_assert_int_eq(yunta_await(crashing, NULL, 0), YUNTA_ECRASHED); /* settled already */
    ck_assert_int_eq(yunta_await(other, NULL, 20000), 0);             /* whoever of the two does it, and when */
    yunta_future_destroy(crashing);
    yunta_future_destroy(other);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(a_task_that_crashes_after_close_is_told_too)
{
    yunta_pool *pool = new_pool(1);
    yunta_future *future[20];
    for (int i = 0; i < 20; i++) {
        act a = {i % 5 == 2 ? KILL : WELL, i};
        ck_assert_int_eq(yunta_submit(pool, behave, &a, &future[i]), 0);
    }
    yunta_pool_close(pool);
    ck_assert_int_eq(yunta_pool_join(pool, 20000), 0);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(yunta_await(future[i], NULL, 0), i % 5 == 2 ? YUNTA_ECRASHED : 0);
        yunta_future_destroy(future[i]);
    }
    yunta_pool_destroy(pool);
}
END_TEST

typedef struct part {
    int *array;
    int from;
} part;

/* The sum of a piece of shared memory; the first attempt to do number 3 dies in the middle of it. */
static int hurt_self(const part *p, int *y)
{
    for (int i = p->from; i < p->from + 100; i++)
        *y += p->array[i];
    if (p->from == 300)
        raise(SIGKILL);
    return 0;
}
YUNTA_TASK(hurt_self, part, int);

START_TEST(no_task_runs_twice)
{
    yunta_pool *pool = new_pool(2);
    int *array = yunta_shared(int, 1000), *out = yunta_shared(int, 10);
    part in[10];
    for (int i = 0; i < 1000; i++)
        array[i] = 1;
    for (int i = 0; i < 10; i++)
        in[i] = (part){array, 100 * i};
    ck_assert_int_eq(yunta_map_with(pool, hurt_self, in, out, 10, &(yunta_map_options){.chunk = 10}), YUNTA_ECRASHED);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(out[i], 100); /* shared memory keeps what the dead one wrote, too */
    yunta_shared_free(array);
    yunta_shared_free(out);
    yunta_pool_destroy(pool);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("crash");
    TCase *cases = test_case(suite, "tasks");
    TEST_FOR_EACH_METHOD(cases, pain_01_a_map_with_crashing_tasks_ends);
    TEST_FOR_EACH_METHOD(cases, pain_01_the_death_is_told_within_100_ms);
    TEST_FOR_EACH_METHOD(cases, pain_03_only_the_guilty_future_fails);
    TEST_FOR_EACH_METHOD(cases, pain_04_the_failure_names_task_signal_and_pid);
    TEST_FOR_EACH_METHOD(cases, pain_24_exit_in_a_task_is_an_outcome);
    TEST_FOR_EACH_METHOD(cases, the_code_is_that_of_the_lowest_index);
    TEST_FOR_EACH_METHOD(cases, a_task_that_crashes_after_close_is_told_too);
    TEST_FOR_EACH_METHOD(cases, no_task_runs_twice);
    cases = test_case(suite, "workers");
    TEST_FOR_EACH_METHOD(cases, pain_02_an_idle_worker_may_be_killed);
    TEST_FOR_EACH_METHOD(cases, workers_are_replaced_while_the_owner_computes);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
