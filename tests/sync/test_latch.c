/* Latch: what it promises while all live, and when one is killed that owes a count.
 * It must not count on time-outs: sleeps without a limit have none here (endless.h).
 * Read next: src/sync/latch.c; tests/crash/test_latch_kill.c.
 *
 * labels: threads valgrind */
#include "../proc/helpers.h"

#include "endless.h"

#include <pthread.h>
#include <yunta/latch.h>

enum { parties = 4, rounds = 12, many = 100 };

struct scene {
    yunta_latch *latch;
    uint32_t takes, counts; /* by each process */
    shared_word *count;
};

static struct scene new_scene(uint32_t count)
{
    struct scene s = {.count = new_word()};
    ck_assert_int_eq(yunta_latch_create(&s.latch, count), 0);
    return s;
}

static void free_scene(struct scene *s)
{
    ck_assert_ptr_null(yunta_latch_destroy(s->latch));
    yunta_shared_free(s->count);
}

static void end_by_kill(yunta_process *process)
{
    ck_assert_int_eq(yunta_process_kill(process), 0);
    end_is(process, YUNTA_ECRASHED);
}

static void must_be_open(yunta_latch *latch)
{
    ck_assert_int_eq(yunta_latch_wait(latch, 0), 0);
    ck_assert_int_eq(yunta_latch_wait(latch, YUNTA_FOREVER), 0);
    ck_assert_int_eq(yunta_latch_pending(latch), 0);
    ck_assert(!yunta_latch_is_broken(latch));
    ck_assert_int_eq(yunta_latch_count_down(latch, 1), -EOVERFLOW);
    ck_assert_int_eq(yunta_latch_take(latch, 1), -EOVERFLOW);
    ck_assert_int_eq(yunta_latch_abort(latch), 0); /* too late */
    ck_assert_int_eq(yunta_latch_arrive_and_wait(latch, 0, 0), 0);
}

static void must_be_broken(yunta_latch *latch)
{
    ck_assert(yunta_latch_is_broken(latch));
    ck_assert_int_eq(yunta_latch_wait(latch, 0), YUNTA_EBROKEN);
    ck_assert_int_eq(yunta_latch_wait(latch, YUNTA_FOREVER), YUNTA_EBROKEN);
    ck_assert_int_eq(yunta_latch_take(latch, 1), YUNTA_EBROKEN);
    ck_assert_int_eq(yunta_latch_count_down(latch, 1), YUNTA_EBROKEN);
    ck_assert_int_eq(yunta_latch_arrive_and_wait(latch, 1, YUNTA_FOREVER), YUNTA_EBROKEN);
}

START_TEST(bad_input_is_refused)
{
    ck_assert_int_eq(yunta_latch_create(NULL, 1), -EINVAL);
    ck_assert_ptr_null(yunta_latch_destroy(NULL));
    ck_assert_int_eq(yunta_latch_take(NULL, 1), -EINVAL);
    ck_assert_int_eq(yunta_latch_count_down(NULL, 1), -EINVAL);
    ck_assert_int_eq(yunta_latch_wait(NULL, 0), -EINVAL);
    ck_assert_int_eq(yunta_latch_arrive_and_wait(NULL, 1, 0), -EINVAL);
    ck_assert_int_eq(yunta_latch_abort(NULL), -EINVAL);
    ck_assert_int_eq(yunta_latch_pending(NULL), -EINVAL);
    ck_assert(!yunta_latch_is_broken(NULL));
}
END_TEST

/* Refused as a whole: nothing of it is taken or counted. */
START_TEST(more_than_there_are_is_refused)
{
    struct scene s = new_scene(5);
    ck_assert_int_eq(yunta_latch_take(s.latch, 6), -EOVERFLOW);
    ck_assert_int_eq(yunta_latch_take(s.latch, UINT32_MAX), -EOVERFLOW);
    ck_assert_int_eq(yunta_latch_count_down(s.latch, 6), -EOVERFLOW);
    ck_assert_int_eq(yunta_latch_count_down(s.latch, UINT32_MAX), -EOVERFLOW);
    ck_assert_int_eq(yunta_latch_take(s.latch, 2), 0);
    ck_assert_int_eq(yunta_latch_take(s.latch, 4), -EOVERFLOW);
    ck_assert_int_eq(yunta_latch_count_down(s.latch, 6), -EOVERFLOW);
    ck_assert_int_eq(yunta_latch_arrive_and_wait(s.latch, 6, YUNTA_FOREVER), -EOVERFLOW);
    ck_assert_int_eq(yunta_latch_pending(s.latch), 5);
    ck_assert_int_eq(yunta_latch_arrive_and_wait(s.latch, 4, 0), -ETIMEDOUT); /* of both kinds */
    ck_assert_int_eq(yunta_latch_pending(s.latch), 1);
    ck_assert_int_eq(yunta_latch_count_down(s.latch, 0), 0);
    ck_assert_int_eq(yunta_latch_wait(s.latch, 20), -ETIMEDOUT);
    ck_assert_int_eq(yunta_latch_arrive_and_wait(s.latch, 1, YUNTA_FOREVER), 0);
    must_be_open(s.latch);
    free_scene(&s);
}
END_TEST

START_TEST(any_count_will_do)
{
    struct scene s = new_scene(0);
    must_be_open(s.latch);
    free_scene(&s);
    s = new_scene(UINT32_MAX);
    ck_assert_int_eq(yunta_latch_pending(s.latch), (int64_t)UINT32_MAX);
    ck_assert_int_eq(yunta_latch_take(s.latch, UINT32_MAX), 0);
    ck_assert_int_eq(yunta_latch_take(s.latch, 1), -EOVERFLOW);
    ck_assert_int_eq(yunta_latch_count_down(s.latch, UINT32_MAX - 1), 0);
    ck_assert_int_eq(yunta_latch_wait(s.latch, 0), -ETIMEDOUT);
    ck_assert_int_eq(yunta_latch_count_down(s.latch, 1), 0);
    must_be_open(s.latch);
    free_scene(&s);
}
END_TEST

/* Once it is broken it stays so, whatever is counted. */
START_TEST(an_aborted_one_is_broken)
{
    struct scene s = new_scene(2);
    ck_assert_int_eq(yunta_latch_take(s.latch, 1), 0);
    ck_assert_int_eq(yunta_latch_abort(s.latch), 0);
    must_be_broken(s.latch);
    ck_assert_int_eq(yunta_latch_abort(s.latch), 0);
    must_be_broken(s.latch);
    ck_assert_int_eq(yunta_latch_pending(s.latch), 2);
    free_scene(&s);
}
END_TEST

static int take_count_and_wait(const struct scene *s)
{
    expect(yunta_latch_take(s->latch, s->takes) == 0);
    atomic_fetch_add(s->count, 1);
    for (uint32_t i = 1; i < s->counts; i++)
        expect(yunta_latch_count_down(s->latch, 1) == 0);
    expect(yunta_latch_arrive_and_wait(s->latch, 1, YUNTA_FOREVER) == 0);
    expect(atomic_load(s->count) == parties);
    return 0;
}
YUNTA_ENTRY(take_count_and_wait, struct scene);

/* Nobody goes on before all have come, whether they had taken what they count or not. Who ends then owes nothing. */
START_TEST(opens_when_all_have_counted)
{
    for (uint32_t takes = 0; takes <= 2; takes++) {
        struct scene s = new_scene(2 * parties);
        s.takes = takes;
        s.counts = 2;
        yunta_process *party[parties];
        for (int i = 0; i < parties; i++)
            start_by(TEST_METHOD, &party[i], take_count_and_wait, &s);
        ck_assert_int_eq(yunta_latch_wait(s.latch, YUNTA_FOREVER), 0);
        ck_assert_int_eq(atomic_load(s.count), parties);
        for (int i = 0; i < parties; i++)
            end_is(party[i], 0);
        must_be_open(s.latch);
        free_scene(&s);
    }
}
END_TEST

static int take_and_sleep(const struct scene *s)
{
    expect(yunta_latch_take(s->latch, s->takes) == 0);
    expect(yunta_latch_count_down(s->latch, s->counts) == 0);
    atomic_fetch_add(s->count, 1);
    return sleep_for_ever();
}
YUNTA_ENTRY(take_and_sleep, struct scene);

static int wait_for_the_dead(const struct scene *s)
{
    expect(yunta_latch_wait(s->latch, YUNTA_FOREVER) == YUNTA_EBROKEN);
    return 0;
}
YUNTA_ENTRY(wait_for_the_dead, struct scene);

/* It had counted one of two. */
START_TEST(who_dies_owing_breaks_it_for_all)
{
    struct scene s = new_scene(4);
    s.takes = 2;
    s.counts = 1;
    yunta_process *debtor, *waiter[2];
    start_by(TEST_METHOD, &debtor, take_and_sleep, &s);
    ck_assert(await_word(s.count, 1));
    for (int i = 0; i < 2; i++)
        start_by(TEST_METHOD, &waiter[i], wait_for_the_dead, &s);
    for (int i = 0; i < 2; i++)
        test_wait_until(is_waiting(waiter[i]), 20000);
    ck_assert_int_eq(yunta_latch_wait(s.latch, 20), -ETIMEDOUT);
    end_by_kill(debtor);
    for (int i = 0; i < 2; i++)
        end_is(waiter[i], 0);
    must_be_broken(s.latch);
    ck_assert_int_eq(yunta_latch_pending(s.latch), 3);
    free_scene(&s);
}
END_TEST

/* Neither who has paid, nor who has taken nothing. */
START_TEST(who_dies_owing_nothing_breaks_nothing)
{
    struct scene s = new_scene(3 * rounds);
    s.counts = 2;
    for (uint32_t i = 0; i < rounds; i++) {
        yunta_process *party;
        s.takes = i % 3;
        start_by(TEST_METHOD, &party, take_and_sleep, &s);
        ck_assert(await_word(s.count, (int)i + 1));
        end_by_kill(party);
        ck_assert_int_eq(yunta_latch_wait(s.latch, 0), -ETIMEDOUT);
    }
    ck_assert_int_eq(yunta_latch_pending(s.latch), rounds);
    ck_assert_int_eq(yunta_latch_take(s.latch, rounds), 0);
    ck_assert_int_eq(yunta_latch_arrive_and_wait(s.latch, rounds, YUNTA_FOREVER), 0);
    must_be_open(s.latch);
    free_scene(&s);
}
END_TEST

static void *count_some(void *argument)
{
    yunta_latch *latch = argument;
    for (int i = 0; i < many; i++) {
        ck_assert_int_eq(yunta_latch_take(latch, 2), 0);
        ck_assert_int_eq(yunta_latch_wait(latch, 0), -ETIMEDOUT);
        ck_assert_int_eq(yunta_latch_count_down(latch, 1), 0);
        ck_assert_int_eq(yunta_latch_count_down(latch, 1), 0);
    }
    ck_assert_int_eq(yunta_latch_arrive_and_wait(latch, 1, YUNTA_FOREVER), 0);
    return NULL;
}

/* What one thread has taken another one of its process may count. */
START_TEST(threads_count_to_the_last_one)
{
    struct scene s = new_scene(parties * (2 * many + 1));
    pthread_t thread[parties];
    for (int i = 0; i < parties; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, count_some, s.latch), 0);
    ck_assert_int_eq(yunta_latch_wait(s.latch, YUNTA_FOREVER), 0);
    for (int i = 0; i < parties; i++)
        ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
    must_be_open(s.latch);
    free_scene(&s);
}
END_TEST

static _Atomic int takers_won;

static void *take_the_last(void *argument)
{
    int r = yunta_latch_take(argument, 1);
    ck_assert(r == 0 || r == -EOVERFLOW);
    if (r == 0) {
        atomic_fetch_add(&takers_won, 1);
        ck_assert_int_eq(yunta_latch_count_down(argument, 1), 0);
    }
    ck_assert_int_eq(yunta_latch_wait(argument, YUNTA_FOREVER), 0);
    return NULL;
}

/* Who finds too few leaves nothing behind, and who waits meanwhile is told. */
START_TEST(of_the_last_one_there_is_one)
{
    for (int round = 0; round < many; round++) {
        struct scene s = new_scene(1);
        pthread_t thread[parties];
        atomic_store(&takers_won, 0);
        for (int i = 0; i < parties; i++)
            ck_assert_int_eq(pthread_create(&thread[i], NULL, take_the_last, s.latch), 0);
        for (int i = 0; i < parties; i++)
            ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
        ck_assert_int_eq(atomic_load(&takers_won), 1);
        must_be_open(s.latch);
        free_scene(&s);
    }
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("latch");
    TCase *cases = test_case(suite, "latch");
    tcase_add_test(cases, bad_input_is_refused);
    tcase_add_test(cases, more_than_there_are_is_refused);
    tcase_add_test(cases, any_count_will_do);
    tcase_add_test(cases, an_aborted_one_is_broken);
    TEST_FOR_EACH_METHOD(cases, opens_when_all_have_counted);
    TEST_FOR_EACH_METHOD(cases, who_dies_owing_breaks_it_for_all);
    TEST_FOR_EACH_METHOD(cases, who_dies_owing_nothing_breaks_nothing);
    tcase_add_test(cases, threads_count_to_the_last_one);
    tcase_add_test(cases, of_the_last_one_there_is_one);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
