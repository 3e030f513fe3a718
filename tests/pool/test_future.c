/* Future: the outcome of one task, awaited, taken back, thrown away; in any order, and after the pool's end.
 * It must not rely on how long anything takes.
 * Read next: test_crash.c for tasks that do not return.
 *
 * labels: valgrind */
#include "helpers.h"

START_TEST(null_is_refused)
{
    yunta_failure why;
    yunta_pool *pool = new_pool(1);
    yunta_future *future;
    int in = 3;
    ck_assert_int_eq(yunta_submit(pool, square, &in, &future), 0);
    ck_assert_int_eq(yunta_await(NULL, NULL, 0), -EINVAL);
    ck_assert(!yunta_future_is_done(NULL));
    ck_assert_int_eq(yunta_future_failure(NULL, &why), -EINVAL);
    ck_assert_int_eq(yunta_future_failure(future, NULL), -EINVAL);
    ck_assert_int_eq(yunta_future_cancel(NULL), -EINVAL);
    ck_assert_ptr_null(yunta_future_destroy(NULL));
    yunta_future_destroy(future);
    yunta_pool_destroy(pool);
}
END_TEST

/* 0: says why it fails, and does not; < 0: fails, and does not say why. */
static int say_or_fail(const int *x, int *y)
{
    *y = 0;
    return *x < 0 ? *x : (yunta_fail(*x, "all is well"), 0);
}
YUNTA_TASK(say_or_fail, int, int);

static void say_at_start(void *unused)
{
    (void)unused;
    yunta_fail(-EIO, "nothing was wrong");
}

START_TEST(what_was_said_without_failing_is_not_told_of_another_task)
{
    yunta_pool *pool = new_pool(1, .worker_start = say_at_start);
    int in[] = {-EIO, 0, -EIO, 0, -EIO}, out[5];
    yunta_failure why[4];
    size_t failed;
    for (size_t chunk = 0; chunk <= 5; chunk += 5) {
        yunta_map_options o = {.failures = why, .failure_capacity = 4, .failure_count = &failed, .chunk = chunk};
        ck_assert_int_eq(yunta_map_with(pool, say_or_fail, in, out, 5, &o), YUNTA_EFAILED);
        ck_assert_uint_eq(failed, 3);
        for (size_t i = 0; i < failed; i++)
            ck_assert_str_eq(why[i].text, yunta_strerror(-EIO));
    }
    for (int i = 1; i <= 2; i++) {
        yunta_future *future;
        ck_assert_int_eq(yunta_submit(pool, say_or_fail, &in[i], &future), 0);
        ck_assert_int_eq(yunta_await(future, NULL, 20000), i == 1 ? 0 : YUNTA_EFAILED);
        ck_assert_int_eq(yunta_future_failure(future, why), 0);
        ck_assert_str_eq(why->text, i == 1 ? "" : yunta_strerror(-EIO));
        yunta_future_destroy(future);
    }
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(the_outcome_may_be_asked_for_again)
{
    yunta_pool *pool = new_pool(2);
    yunta_future *future;
    yunta_failure why = {.code = 1};
    int in = 12, out = 0;
    ck_assert_int_eq(yunta_submit(pool, square, &in, &future), 0);
    in = 13; /* it was copied */
    for (int i = 0; i < 3; i++, out = 0) {
        ck_assert_int_eq(yunta_await(future, &out, 20000), 0);
        ck_assert_int_eq(out, 144);
    }
    ck_assert_int_eq(yunta_await(future, NULL, 0), 0);
    ck_assert(yunta_future_is_done(future));
    ck_assert_int_eq(yunta_future_failure(future, &why), 0);
    ck_assert_int_eq(why.code, 0);
    ck_assert_int_eq(yunta_future_cancel(future), -EBUSY);
    yunta_future_destroy(future);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(an_error_is_told_with_its_text)
{
    yunta_pool *pool = new_pool(2);
    yunta_future *future;
    yunta_failure why;
    int in = -5, out = 99;
    ck_assert_int_eq(yunta_submit(pool, refuse_negative, &in, &future), 0);
    ck_assert_int_eq(yunta_await(future, &out, 20000), YUNTA_EFAILED);
    ck_assert_int_eq(out, 99);
    ck_assert_int_eq(yunta_future_failure(future, &why), 0);
    ck_assert_int_eq(why.code, YUNTA_EFAILED);
    ck_assert_int_eq(why.value, -5);
    ck_assert_uint_eq(why.index, 0);
    ck_assert_str_eq(why.name, "refuse_negative");
    ck_assert_str_eq(why.text, "row -5 is negative");
    yunta_future_destroy(future);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(a_wait_has_a_limit)
{
    yunta_pool *pool = new_pool(1);
    yunta_future *future;
    yunta_failure why;
    gate g = new_gate();
    int out;
    ck_assert_int_eq(yunta_submit(pool, pass_gate, &g, &future), 0);
    ck_assert_int_eq(yunta_await(future, &out, 0), -ETIMEDOUT);
    uint64_t before = test_now_ms();
    ck_assert_int_eq(yunta_await(future, &out, 50), -ETIMEDOUT);
    ck_assert_uint_ge(test_now_ms() - before, 49);
    ck_assert(!yunta_future_is_done(future));
    ck_assert_int_eq(yunta_future_failure(future, &why), -EAGAIN);
    atomic_store(g.open, 1);
    ck_assert_int_eq(yunta_await(future, &out, YUNTA_FOREVER), 0);
    ck_assert_int_eq(out, 0);
    yunta_future_destroy(future);
    yunta_pool_destroy(pool);
    free_gate(g);
}
END_TEST

START_TEST(many_may_be_outstanding_and_awaited_in_any_order)
{
    enum { count = 100000, stride = 33331 };
    yunta_pool *pool = new_pool(2);
    yunta_future **future = malloc(count * sizeof(yunta_future *));
    int wrong = 0;
    for (int i = 0; i < count; i++)
        wrong += yunta_submit(pool, next, &i, &future[i]) != 0;
    ck_assert_int_eq(wrong, 0);
    for (int n = 0, at = 0, out = 0; n < count; n++, at = (at + stride) % count) {
        wrong += yunta_await(future[at], &out, 20000) != 0 || out != at + 1;
        yunta_future_destroy(future[at]);
    }
    ck_assert_int_eq(wrong, 0);
    free(future);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(one_that_no_worker_has_begun_can_be_taken_back)
{
    yunta_pool *pool = new_pool(1);
    yunta_future *blocking, *waiting, *last;
    yunta_failure why;
    gate g = new_gate();
    shared_word *begun = new_word();
    int in = 4, out = 99;
    ck_assert_int_eq(yunta_submit(pool, pass_gate, &g, &blocking), 0);
    test_wait_until(atomic_load(g.begun) == 1, 20000);
    ck_assert_int_eq(yunta_submit(pool, spin_for_ever, &(spinner){begun}, &waiting), 0);
    ck_assert_int_eq(yunta_submit(pool, square, &in, &last), 0);
    ck_assert_int_eq(yunta_future_cancel(blocking), -EBUSY);
    ck_assert_int_eq(yunta_future_cancel(waiting), 0);
    ck_assert_int_eq(yunta_future_cancel(waiting), -EBUSY);
    ck_assert(yunta_future_is_done(waiting));
    ck_assert_int_eq(yunta_await(waiting, &out, 0), -ECANCELED);
    ck_assert_int_eq(yunta_future_failure(waiting, &why), 0);
    ck_assert_int_eq(why.code, -ECANCELED);
    atomic_store(g.open, 1);
    ck_assert_int_eq(yunta_await(last, &out, 20000), 0);
    ck_assert_int_eq(out, 16);
    ck_assert_int_eq(yunta_await(blocking, NULL, 20000), 0);
    ck_assert_int_eq(atomic_load(begun), 0);
    yunta_future_destroy(blocking);
    yunta_future_destroy(waiting);
    yunta_future_destroy(last);
    yunta_pool_destroy(pool);
    yunta_shared_free(begun);
    free_gate(g);
}
END_TEST

typedef struct tally {
    shared_word *done;
} tally;

static int count_me(const tally *t, int *y)
{
    *y = atomic_fetch_add(t->done, 1);
    return 0;
}
YUNTA_TASK(count_me, tally, int);

START_TEST(one_thrown_away_runs_all_the_same)
{
    enum { count = 1000 };
    yunta_pool *pool = new_pool(2);
    tally t = {new_word()};
    for (int i = 0; i < count; i++) {
        yunta_future *future;
        ck_assert_int_eq(yunta_submit(pool, count_me, &t, &future), 0);
        ck_assert_ptr_null(yunta_future_destroy(future));
    }
    yunta_pool_close(pool);
    ck_assert_int_eq(yunta_pool_join(pool, 20000), 0);
    ck_assert_int_eq(atomic_load(t.done), count);
    yunta_pool_destroy(pool);
    yunta_shared_free(t.done);
}
END_TEST

START_TEST(they_outlive_their_pool)
{
    yunta_pool *pool = new_pool(1);
    yunta_future *done, *failed, *never[10];
    yunta_failure why;
    gate g = new_gate();
    int in = 5, bad = -3, out = 0;
    ck_assert_int_eq(yunta_submit(pool, square, &in, &done), 0);
    ck_assert_int_eq(yunta_submit(pool, refuse_negative, &bad, &failed), 0);
    ck_assert_int_eq(yunta_await(failed, NULL, 20000), YUNTA_EFAILED);
    if (TEST_METHOD == YUNTA_THREAD)
        atomic_store(g.open, 1); /* a thread cannot be ended in the midst of it */
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(yunta_submit(pool, pass_gate, &g, &never[i]), 0);
    yunta_pool_destroy(pool);
    ck_assert_int_eq(yunta_await(done, &out, 0), 0);
    ck_assert_int_eq(out, 25);
    ck_assert_int_eq(yunta_future_failure(failed, &why), 0);
    ck_assert_str_eq(why.text, "row -3 is negative");
    for (int i = 0; i < 10; i++) {
        int r = yunta_await(never[i], NULL, YUNTA_FOREVER);
        ck_assert(r == YUNTA_ECLOSED || (r == 0 && TEST_METHOD == YUNTA_THREAD));
        yunta_future_destroy(never[i]);
    }
    yunta_future_destroy(done);
    yunta_future_destroy(failed);
    free_gate(g);
}
END_TEST

START_TEST(pain_29_nobody_waits_for_a_closed_pool)
{
    yunta_pool *pool = new_pool(2);
    yunta_future *future, *none = NULL;
    int in = 5, out;
    ck_assert_int_eq(yunta_submit(pool, square, &in, &future), 0);
    yunta_pool_close(pool);
    ck_assert_int_eq(yunta_await(future, &out, YUNTA_FOREVER), 0);
    ck_assert_int_eq(yunta_submit(pool, square, &in, &none), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_map(pool, square, &in, &out, 1), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_pool_join(pool, YUNTA_FOREVER), 0); /* the workers were told that there is no more */
    yunta_future_destroy(future);
    yunta_pool_destroy(pool);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("future");
    TCase *cases = test_case(suite, "future");
    FOR_EACH_BACK_END(cases, null_is_refused);
    FOR_EACH_BACK_END(cases, what_was_said_without_failing_is_not_told_of_another_task);
    FOR_EACH_BACK_END(cases, the_outcome_may_be_asked_for_again);
    FOR_EACH_BACK_END(cases, an_error_is_told_with_its_text);
    FOR_EACH_BACK_END(cases, a_wait_has_a_limit);
    FOR_EACH_BACK_END(cases, many_may_be_outstanding_and_awaited_in_any_order);
    FOR_EACH_BACK_END(cases, one_that_no_worker_has_begun_can_be_taken_back);
    FOR_EACH_BACK_END(cases, one_thrown_away_runs_all_the_same);
    FOR_EACH_BACK_END(cases, they_outlive_their_pool);
    FOR_EACH_BACK_END(cases, pain_29_nobody_waits_for_a_closed_pool);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
