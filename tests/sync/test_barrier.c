/* Barrier and once: what they promise while all live, and when a party is killed.
 * It must not count on time-outs: sleeps without a limit have none here (endless.h).
 * Read next: src/sync/barrier.c, src/sync/once.c. */
#include "../proc/helpers.h"

#include "endless.h"

#include <yunta/barrier.h>

enum { parties = 4, rounds = 300 };

struct scene {
    yunta_barrier *barrier;
    yunta_once *once;
    int rounds;
    shared_word *count, *first, *stage, *result;
};

static struct scene new_scene(void)
{
    struct scene s = {
        .rounds = rounds, .count = new_word(), .first = new_word(), .stage = new_word(), .result = new_word()};
    ck_assert_int_eq(yunta_barrier_create(&s.barrier, parties), 0);
    ck_assert_int_eq(yunta_once_create(&s.once), 0);
    return s;
}

static void free_scene(struct scene *s)
{
    yunta_barrier_destroy(s->barrier);
    yunta_once_destroy(s->once);
    yunta_shared_free(s->count);
    yunta_shared_free(s->first);
    yunta_shared_free(s->stage);
    yunta_shared_free(s->result);
}

static void end_by_kill(yunta_process *process)
{
    ck_assert_int_eq(yunta_process_kill(process), 0);
    end_is(process, YUNTA_ECRASHED);
}

START_TEST(bad_input_is_refused)
{
    yunta_barrier *barrier;
    yunta_once *once;
    ck_assert_int_eq(yunta_barrier_create(NULL, 1), -EINVAL);
    ck_assert_int_eq(yunta_barrier_create(&barrier, 0), -EINVAL);
    ck_assert_int_eq(yunta_barrier_create(&barrier, UINT32_MAX), -EINVAL);
    ck_assert_int_eq(yunta_barrier_create(&barrier, (1 << 20) + 1), -EINVAL);
    ck_assert_int_eq(yunta_barrier_create(&barrier, 1 << 20), 0);
    yunta_barrier_destroy(barrier);
    ck_assert_ptr_null(yunta_barrier_destroy(NULL));
    ck_assert_int_eq(yunta_barrier_wait(NULL, 0), -EINVAL);
    ck_assert_int_eq(yunta_barrier_leave(NULL), -EINVAL);
    ck_assert_int_eq(yunta_barrier_abort(NULL), -EINVAL);
    ck_assert_int_eq(yunta_barrier_reset(NULL), -EINVAL);
    ck_assert_int_eq(yunta_barrier_waiting(NULL), -EINVAL);
    ck_assert(!yunta_barrier_is_broken(NULL));
    ck_assert_int_eq(yunta_once_create(NULL), -EINVAL);
    ck_assert_ptr_null(yunta_once_destroy(NULL));
    ck_assert_int_eq(yunta_once_run(NULL, NULL, NULL, 0), -EINVAL);
    ck_assert_int_eq(yunta_once_create(&once), 0);
    ck_assert_int_eq(yunta_once_run(once, NULL, NULL, 0), -EINVAL);
    yunta_once_destroy(once);
}
END_TEST

/* Nobody is a round ahead of anybody, and each round has one that was the first. */
static int meet(const struct scene *s)
{
    for (int i = 0; i < s->rounds; i++) {
        atomic_fetch_add(s->count, 1);
        int index = yunta_barrier_wait(s->barrier, YUNTA_FOREVER);
        expect(index >= 0 && index < parties);
        atomic_fetch_add(s->first, index == 0);
        expect(atomic_load(s->count) >= (i + 1) * parties && atomic_load(s->count) <= (i + 2) * parties);
    }
    expect(yunta_barrier_leave(s->barrier) == 0);
    return 0;
}
YUNTA_ENTRY(meet, struct scene);

START_TEST(all_meet_in_each_round)
{
    struct scene s = new_scene();
    yunta_process *party[parties];
    for (int again = 1; again <= 2; again++) { /* others may come when these have left */
        atomic_store(s.count, 0);
        for (int i = 0; i < parties; i++)
            start_by(TEST_METHOD, &party[i], meet, &s);
        for (int i = 0; i < parties; i++)
            end_is(party[i], 0);
        ck_assert_int_eq(atomic_load(s.count), parties * rounds);
        ck_assert_int_eq(atomic_load(s.first), again * rounds);
    }
    free_scene(&s);
}
END_TEST

static int wait_once(const struct scene *s)
{
    int r = yunta_barrier_wait(s->barrier, YUNTA_FOREVER);
    atomic_store(s->result, r);
    atomic_fetch_add(s->count, 1);
    return sleep_for_ever();
}
YUNTA_ENTRY(wait_once, struct scene);

static void start_waiting(yunta_start_method method, yunta_process **party, int count, const struct scene *s)
{
    for (int i = 0; i < count; i++)
        start_by(method, &party[i], wait_once, s);
    test_wait_until(yunta_barrier_waiting(s->barrier) == count, 20000);
}

START_TEST(pain_07_a_party_killed_while_it_waits_breaks_it_for_all)
{
    struct scene s = new_scene();
    yunta_process *party[parties - 1];
    start_waiting(TEST_METHOD, party, parties - 1, &s);
    end_by_kill(party[0]);
    ck_assert(await_word(s.count, parties - 2));
    ck_assert_int_eq(atomic_load(s.result), YUNTA_EBROKEN);
    ck_assert(yunta_barrier_is_broken(s.barrier));
    ck_assert_int_eq(yunta_barrier_wait(s.barrier, YUNTA_FOREVER), YUNTA_EBROKEN);
    for (int i = 1; i < parties - 1; i++)
        end_by_kill(party[i]);
    ck_assert_int_eq(yunta_barrier_reset(s.barrier), 0);
    ck_assert(!yunta_barrier_is_broken(s.barrier));
    atomic_store(s.count, 0);
    start_waiting(TEST_METHOD, party, parties - 1, &s);
    ck_assert_int_eq(yunta_barrier_wait(s.barrier, YUNTA_FOREVER), parties - 1);
    ck_assert(await_word(s.count, parties - 1));
    for (int i = 0; i < parties - 1; i++)
        end_by_kill(party[i]);
    free_scene(&s);
}
END_TEST

/* It had been in the last round, so it is expected in this one. */
START_TEST(a_party_killed_between_rounds_breaks_it)
{
    struct scene s = new_scene();
    yunta_process *party[parties - 1];
    start_waiting(TEST_METHOD, party, parties - 1, &s);
    ck_assert_int_eq(yunta_barrier_wait(s.barrier, YUNTA_FOREVER), parties - 1);
    ck_assert(await_word(s.count, parties - 1));
    pid_t killer = fork();
    if (killer == 0) {
        while (yunta_barrier_waiting(s.barrier) == 0 || test_state(getppid()) != 'S')
            test_nap();
        kill(yunta_process_pid(party[1]), SIGKILL);
        _exit(0);
    }
    ck_assert_int_eq(yunta_barrier_wait(s.barrier, YUNTA_FOREVER), YUNTA_EBROKEN);
    ck_assert_int_eq(waitpid(killer, NULL, 0), killer);
    for (int i = 0; i < parties - 1; i++) {
        yunta_process_kill(party[i]);
        end_is(party[i], YUNTA_ECRASHED);
    }
    free_scene(&s);
}
END_TEST

START_TEST(time_abort_and_reset)
{
    struct scene s = new_scene();
    yunta_process *party[parties - 1];
    ck_assert_int_eq(yunta_barrier_wait(s.barrier, 0), -ETIMEDOUT);
    ck_assert(!yunta_barrier_is_broken(s.barrier));
    ck_assert_int_eq(yunta_barrier_waiting(s.barrier), 0);
    for (int how = 0; how < 3; how++) {
        atomic_store(s.count, 0);
        atomic_store(s.result, 0);
        start_waiting(TEST_METHOD, party, 2, &s);
        if (how == 0)
            ck_assert_int_eq(yunta_barrier_wait(s.barrier, 20), -ETIMEDOUT);
        else if (how == 1)
            ck_assert_int_eq(yunta_barrier_abort(s.barrier), 0);
        else
            ck_assert_int_eq(yunta_barrier_reset(s.barrier), 0);
        ck_assert(await_word(s.count, 2));
        ck_assert_int_eq(atomic_load(s.result), YUNTA_EBROKEN);
        ck_assert_int_eq(yunta_barrier_is_broken(s.barrier), how != 2);
        for (int i = 0; i < 2; i++)
            end_by_kill(party[i]);
        ck_assert_int_eq(yunta_barrier_reset(s.barrier), 0);
    }
    free_scene(&s);
}
END_TEST

static int count_up(void *argument, bool again)
{
    const struct scene *s = argument;
    atomic_fetch_add(s->count, 1);
    atomic_fetch_add(s->first, again);
    test_nap();
    return 0;
}

static int run_once(const struct scene *s)
{
    struct scene mine = *s;
    expect(yunta_once_run(s->once, count_up, &mine, YUNTA_FOREVER) == 0);
    expect(atomic_load(s->count) == 1);
    return 0;
}
YUNTA_ENTRY(run_once, struct scene);

START_TEST(once_is_once_among_all)
{
    struct scene s = new_scene();
    yunta_process *party[parties];
    for (int i = 0; i < parties; i++)
        start_by(TEST_METHOD, &party[i], run_once, &s);
    for (int i = 0; i < parties; i++)
        end_is(party[i], 0);
    ck_assert_int_eq(atomic_load(s.count), 1);
    ck_assert_int_eq(atomic_load(s.first), 0);
    free_scene(&s);
}
END_TEST

static int begin_and_sleep(void *argument, bool again)
{
    const struct scene *s = argument;
    atomic_store(s->stage, 1);
    (void)again;
    return sleep_for_ever();
}

static int begin_once(const struct scene *s)
{
    struct scene mine = *s;
    return yunta_once_run(s->once, begin_and_sleep, &mine, YUNTA_FOREVER);
}
YUNTA_ENTRY(begin_once, struct scene);

static int return_error(void *argument, bool again)
{
    (void)argument;
    (void)again;
    return -EIO;
}

static int run_it_again(void *argument, bool again)
{
    const struct scene *s = argument;
    (void)again;
    return yunta_once_run(s->once, return_error, NULL, YUNTA_FOREVER);
}

START_TEST(who_dies_over_it_is_followed_by_one_who_is_told)
{
    struct scene s = new_scene();
    yunta_process *doer, *next;
    ck_assert_int_eq(yunta_once_run(s.once, return_error, NULL, YUNTA_FOREVER), -EIO);
    ck_assert_int_eq(yunta_once_run(s.once, run_it_again, &s, YUNTA_FOREVER), -EDEADLK);
    start_by(TEST_METHOD, &doer, begin_once, &s);
    ck_assert(await_word(s.stage, 1));
    ck_assert_int_eq(yunta_once_run(s.once, count_up, &s, 0), -ETIMEDOUT);
    ck_assert_int_eq(yunta_once_run(s.once, count_up, &s, 20), -ETIMEDOUT);
    start_by(TEST_METHOD, &next, run_once, &s);
    test_wait_until(test_state(yunta_process_pid(next)) == 'S', 20000);
    end_by_kill(doer);
    end_is(next, 0);
    ck_assert_int_eq(atomic_load(s.first), 1);
    ck_assert_int_eq(yunta_once_run(s.once, return_error, NULL, 0), 0); /* done, so not called */
    free_scene(&s);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("barrier");
    TCase *cases = test_case(suite, "barrier");
    tcase_add_test(cases, bad_input_is_refused);
    TEST_FOR_EACH_METHOD(cases, all_meet_in_each_round);
    TEST_FOR_EACH_METHOD(cases, pain_07_a_party_killed_while_it_waits_breaks_it_for_all);
    TEST_FOR_EACH_METHOD(cases, a_party_killed_between_rounds_breaks_it);
    TEST_FOR_EACH_METHOD(cases, time_abort_and_reset);
    TEST_FOR_EACH_METHOD(cases, once_is_once_among_all);
    TEST_FOR_EACH_METHOD(cases, who_dies_over_it_is_followed_by_one_who_is_told);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
