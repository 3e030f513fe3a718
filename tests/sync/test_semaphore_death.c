/* The semaphore when holders and waiters die: units come back, each told once, and nobody who gives one waits for the
 * dead.
 * It must not count on time-outs: sleeps without a limit have none here (endless.h).
 * Read next: ../crash/test_lock_kill.c, where they die at every step. */
#include "../proc/helpers.h"

#include "endless.h"

struct scene {
    yunta_semaphore *semaphore;
    int units;                  /* that the holder takes */
    shared_word *stage;         /* 1: held; 2: return, holding them! */
    shared_word *told, *passed; /* how many waiters got a unit of the dead, and how many another one */
};

static struct scene new_scene(uint32_t initial, bool unowned, int units)
{
    struct scene s = {.units = units, .stage = new_word(), .told = new_word(), .passed = new_word()};
    yunta_semaphore_options options = {.initial = initial, .unowned = unowned};
    ck_assert_int_eq(yunta_semaphore_create(&s.semaphore, &options), 0);
    return s;
}

static void free_scene(struct scene *s)
{
    yunta_semaphore_destroy(s->semaphore);
    yunta_shared_free(s->stage);
    yunta_shared_free(s->told);
    yunta_shared_free(s->passed);
}

static int hold(const struct scene *s)
{
    for (int i = 0; i < s->units; i++)
        expect(yunta_semaphore_acquire(s->semaphore, 0) == 0);
    atomic_store(s->stage, 1);
    expect(await_word(s->stage, 2));
    return 0;
}
YUNTA_ENTRY(hold, struct scene);

static yunta_process *start_holder(yunta_start_method method, const struct scene *s)
{
    yunta_process *holder;
    atomic_store(s->stage, 0);
    start_by(method, &holder, hold, s);
    ck_assert(await_word(s->stage, 1));
    return holder;
}

static void end_by_kill(yunta_process *process)
{
    ck_assert_int_eq(yunta_process_kill(process), 0);
    end_is(process, YUNTA_ECRASHED);
}

/* Keeps the unit for ever. */
static int wait_for_one(const struct scene *s)
{
    int r = yunta_semaphore_acquire(s->semaphore, YUNTA_FOREVER);
    expect(r == 0 || r == -EOWNERDEAD);
    atomic_fetch_add(r == 0 ? s->passed : s->told, 1);
    return sleep_for_ever();
}
YUNTA_ENTRY(wait_for_one, struct scene);

enum { waiters = 4 };

static void start_waiters(yunta_start_method method, yunta_process **waiter, const struct scene *s)
{
    for (int i = 0; i < waiters; i++)
        start_by(method, &waiter[i], wait_for_one, s);
    for (int i = 0; i < waiters; i++)
        test_wait_until(is_waiting(waiter[i]), 20000);
}

/* Takes all units that come, some of them told; then there is none. */
static void take_all(const struct scene *s, int fresh, int told)
{
    int count[2] = {0, 0};
    for (int i = 0; i < fresh + told; i++) {
        int r = yunta_semaphore_acquire(s->semaphore, YUNTA_FOREVER);
        ck_assert_msg(r == 0 || r == -EOWNERDEAD, "%s", yunta_error_name(r));
        count[r != 0]++;
    }
    ck_assert_int_eq(count[0], fresh);
    ck_assert_int_eq(count[1], told);
    ck_assert_int_eq(yunta_semaphore_acquire(s->semaphore, 20), -ETIMEDOUT);
    ck_assert_int_eq(yunta_semaphore_value(s->semaphore), 0);
}

START_TEST(units_of_the_dead_come_back_each_told_once)
{
    struct scene s = new_scene(5, false, 3);
    end_by_kill(start_holder(TEST_METHOD, &s));
    take_all(&s, 2, 3);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(yunta_semaphore_release(s.semaphore), 0);
    take_all(&s, 5, 0); /* and not once more */
    free_scene(&s);
}
END_TEST

START_TEST(who_returns_with_units_has_died_with_them)
{
    struct scene s = new_scene(2, false, 2);
    yunta_process *holder = start_holder(TEST_METHOD, &s);
    atomic_store(s.stage, 2);
    end_is(holder, 0);
    take_all(&s, 0, 2);
    free_scene(&s);
}
END_TEST

START_TEST(hundreds_of_units_of_one_holder)
{
    struct scene s = new_scene(700, false, 700);
    end_by_kill(start_holder(TEST_METHOD, &s));
    take_all(&s, 0, 700);
    free_scene(&s);
}
END_TEST

START_TEST(unowned_units_die_with_who_has_them)
{
    struct scene s = new_scene(3, true, 2);
    end_by_kill(start_holder(TEST_METHOD, &s));
    take_all(&s, 1, 0);
    ck_assert_int_eq(yunta_semaphore_release(s.semaphore), 0); /* whoever knows of it may give it back */
    take_all(&s, 1, 0);
    free_scene(&s);
}
END_TEST

START_TEST(a_stopped_holder_is_not_taken_for_dead)
{
    struct scene s = new_scene(1, false, 1);
    yunta_process *holder = start_holder(TEST_METHOD, &s);
    pid_t pid = yunta_process_pid(holder);
    ck_assert_int_eq(kill(pid, SIGSTOP), 0);
    test_wait_until(test_state(pid) == 'T', 10000);
    ck_assert_int_eq(yunta_semaphore_value(s.semaphore), 0);
    ck_assert_int_eq(yunta_semaphore_acquire(s.semaphore, 300), -ETIMEDOUT);
    end_by_kill(holder);
    take_all(&s, 0, 1);
    free_scene(&s);
}
END_TEST

/* All who sleep are woken by one death, and each takes one of its units. */
START_TEST(sleepers_share_what_the_dead_had)
{
    struct scene s = new_scene(waiters, false, waiters);
    yunta_process *holder = start_holder(TEST_METHOD, &s), *waiter[waiters];
    start_waiters(TEST_METHOD, waiter, &s);
    end_by_kill(holder);
    ck_assert(await_word(s.told, waiters));
    ck_assert_int_eq(atomic_load(s.passed), 0);
    for (int i = 0; i < waiters; i++)
        end_by_kill(waiter[i]);
    take_all(&s, 0, waiters);
    free_scene(&s);
}
END_TEST

/* Of those who sleep all but one are killed, then units are given: to the one, and to whoever comes. */
START_TEST(pain_07_giving_a_unit_never_waits_for_a_killed_waiter)
{
    for (int unowned = 0; unowned < 2; unowned++) {
        struct scene s = new_scene(0, unowned, 0);
        yunta_process *waiter[waiters];
        start_waiters(TEST_METHOD, waiter, &s);
        for (int i = 0; i < waiters - 1; i++)
            end_by_kill(waiter[i]);
        for (int i = 0; i < 3; i++)
            ck_assert_int_eq(yunta_semaphore_release(s.semaphore), 0);
        ck_assert(await_word(s.passed, 1));
        ck_assert_int_eq(yunta_semaphore_value(s.semaphore), 2);
        take_all(&s, 2, 0);
        end_by_kill(waiter[waiters - 1]);
        free_scene(&s);
    }
}
END_TEST

/* The first process computes and calls nothing while the holder dies and the waiter goes on. */
START_TEST(it_goes_on_while_the_program_computes)
{
    for (int round = 0; round < 5; round++) {
        struct scene s = new_scene(1, false, 1);
        yunta_process *holder = start_holder(TEST_METHOD, &s), *waiter;
        start_by(TEST_METHOD, &waiter, wait_for_one, &s);
        test_wait_until(is_waiting(waiter), 20000);
        kill(yunta_process_pid(holder), SIGKILL);
        while (atomic_load_explicit(s.told, memory_order_relaxed) == 0)
            yn_pause();
        end_is(holder, YUNTA_ECRASHED);
        end_by_kill(waiter);
        free_scene(&s);
    }
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("semaphore, death");
    TCase *cases = test_case(suite, "death");
    TEST_FOR_EACH_METHOD(cases, units_of_the_dead_come_back_each_told_once);
    TEST_FOR_EACH_METHOD(cases, who_returns_with_units_has_died_with_them);
    TEST_FOR_EACH_METHOD(cases, hundreds_of_units_of_one_holder);
    TEST_FOR_EACH_METHOD(cases, unowned_units_die_with_who_has_them);
    TEST_FOR_EACH_METHOD(cases, a_stopped_holder_is_not_taken_for_dead);
    TEST_FOR_EACH_METHOD(cases, sleepers_share_what_the_dead_had);
    TEST_FOR_EACH_METHOD(cases, pain_07_giving_a_unit_never_waits_for_a_killed_waiter);
    TEST_FOR_EACH_METHOD(cases, it_goes_on_while_the_program_computes);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
