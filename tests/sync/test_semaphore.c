/* The semaphore while nobody dies: units that are there are had, units that are not are waited for, and none appears or
 * goes.
 * It must not count on time-outs: sleeps without a limit have none here (endless.h).
 * Read next: test_semaphore_death.c; ../crash/test_lock_kill.c, step by step. */
#include "../proc/helpers.h"

#include "endless.h"

#include <limits.h>
#include <sched.h>

static yunta_semaphore *new_semaphore(uint32_t initial, uint32_t maximum, bool unowned)
{
    yunta_semaphore *semaphore = NULL;
    yunta_semaphore_options options = {.initial = initial, .maximum = maximum, .unowned = unowned};
    ck_assert_int_eq(yunta_semaphore_create(&semaphore, &options), 0);
    ck_assert_ptr_nonnull(semaphore);
    ck_assert_int_eq(yunta_semaphore_value(semaphore), (int)initial);
    return semaphore;
}

/* Loops run over both kinds. */
#define UNOWNED (_i != 0)
#define FOR_BOTH(cases, test) tcase_add_loop_test(cases, test, 0, 2)

START_TEST(without_options_it_has_one_unit)
{
    yunta_semaphore *semaphore;
    ck_assert_int_eq(yunta_semaphore_create(&semaphore, NULL), 0);
    ck_assert_int_eq(yunta_semaphore_value(semaphore), 1);
    ck_assert_int_eq(yunta_semaphore_acquire(semaphore, 0), 0);
    ck_assert_int_eq(yunta_semaphore_value(semaphore), 0);
    ck_assert_int_eq(yunta_semaphore_acquire(semaphore, 0), -ETIMEDOUT);
    uint64_t begin = test_now_ms();
    ck_assert_int_eq(yunta_semaphore_acquire(semaphore, 60), -ETIMEDOUT);
    ck_assert_uint_ge(test_now_ms() - begin, 59); /* the clock is read in whole ms */
    ck_assert_int_eq(yunta_semaphore_release(semaphore), 0);
    static const int limits[] = {0, 1, INT_MAX, YUNTA_FOREVER, INT_MIN};
    for (size_t i = 0; i < YN_COUNT(limits); i++) {
        ck_assert_int_eq(yunta_semaphore_acquire(semaphore, limits[i]), 0);
        ck_assert_int_eq(yunta_semaphore_release(semaphore), 0);
    }
    ck_assert_ptr_null(yunta_semaphore_destroy(semaphore));
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
    yunta_semaphore *semaphore = NULL;
    ck_assert_int_eq(yunta_semaphore_create(NULL, NULL), -EINVAL);
    ck_assert_int_eq(yunta_semaphore_create(&semaphore, &(yunta_semaphore_options){.initial = 3, .maximum = 2}),
                     -EINVAL);
    for (size_t i = 0; i < YN_COUNT(((yunta_semaphore_options *)NULL)->reserved); i++) {
        yunta_semaphore_options options = {.initial = 1};
        options.reserved[i] = 1;
        ck_assert_int_eq(yunta_semaphore_create(&semaphore, &options), -EINVAL);
    }
    ck_assert_int_eq(yunta_semaphore_create(&semaphore, &(yunta_semaphore_options){.initial = UINT32_MAX}), -EINVAL);
    ck_assert_ptr_null(semaphore);
    ck_assert_int_eq(yunta_semaphore_acquire(NULL, 0), -EINVAL);
    ck_assert_int_eq(yunta_semaphore_acquire(NULL, YUNTA_FOREVER), -EINVAL);
    ck_assert_int_eq(yunta_semaphore_release(NULL), -EINVAL);
    ck_assert_int_eq(yunta_semaphore_value(NULL), -EINVAL);
    ck_assert_ptr_null(yunta_semaphore_destroy(NULL));
}
END_TEST

/* A unit takes eight bytes: so many fit into no arena of this size. */
START_TEST(more_units_than_memory_are_refused)
{
    yunta_semaphore *semaphore = NULL;
    yunta_arena_stats before, after;
    ck_assert_int_eq(yunta_set_arena_limit(64 << 20), 0);
    ck_assert_int_eq(yunta_arena_read_stats(&before), 0);
    ck_assert_int_eq(yunta_semaphore_create(&semaphore, &(yunta_semaphore_options){.initial = INT32_MAX}), -ENOMEM);
    ck_assert_ptr_null(semaphore);
    ck_assert_int_eq(yunta_arena_read_stats(&after), 0);
    ck_assert_uint_eq(after.blocks, before.blocks);
    semaphore = new_semaphore(INT32_MAX, 0, true); /* a number, however large */
    ck_assert_int_eq(yunta_semaphore_release(semaphore), -EOVERFLOW);
    ck_assert_int_eq(yunta_semaphore_acquire(semaphore, 0), 0);
    ck_assert_int_eq(yunta_semaphore_release(semaphore), 0);
    yunta_semaphore_destroy(semaphore);
}
END_TEST

START_TEST(a_maximum_is_not_passed)
{
    static const uint32_t most[] = {1, 2, 15, 16, 17, 48, 49, 1000};
    for (size_t k = 0; k < YN_COUNT(most); k++) {
        yunta_semaphore *full = new_semaphore(most[k], most[k], UNOWNED), *empty = new_semaphore(0, most[k], UNOWNED);
        ck_assert_int_eq(yunta_semaphore_release(full), -EOVERFLOW);
        ck_assert_int_eq(yunta_semaphore_value(full), (int)most[k]);
        for (uint32_t i = 0; i < most[k]; i++)
            ck_assert_int_eq(yunta_semaphore_release(empty), 0);
        ck_assert_int_eq(yunta_semaphore_release(empty), -EOVERFLOW);
        ck_assert_int_eq(yunta_semaphore_value(empty), (int)most[k]);
        for (uint32_t i = 0; i < most[k]; i++)
            ck_assert_int_eq(yunta_semaphore_acquire(empty, 0), 0);
        ck_assert_int_eq(yunta_semaphore_acquire(empty, 0), -ETIMEDOUT);
        ck_assert_int_eq(yunta_semaphore_release(empty), 0);
        yunta_semaphore_destroy(full);
        yunta_semaphore_destroy(empty);
    }
}
END_TEST

START_TEST(without_a_maximum_units_are_added_at_will)
{
    enum { most = 3000 };
    yunta_arena_stats before, after;
    ck_assert_int_eq(yunta_arena_read_stats(&before), 0);
    yunta_semaphore *semaphore = new_semaphore(0, 0, UNOWNED);
    for (int i = 1; i <= most; i++) {
        ck_assert_int_eq(yunta_semaphore_release(semaphore), 0);
        if (i % 100 == 0)
            ck_assert_int_eq(yunta_semaphore_value(semaphore), i);
    }
    for (int i = 0; i < most; i++)
        ck_assert_int_eq(yunta_semaphore_acquire(semaphore, 0), 0);
    ck_assert_int_eq(yunta_semaphore_acquire(semaphore, 0), -ETIMEDOUT);
    for (int i = 0; i < most; i++)
        ck_assert_int_eq(yunta_semaphore_release(semaphore), 0);
    ck_assert_int_eq(yunta_semaphore_value(semaphore), most);
    yunta_semaphore_destroy(semaphore);
    ck_assert_int_eq(yunta_arena_read_stats(&after), 0);
    ck_assert_uint_eq(after.blocks, before.blocks);
}
END_TEST

/* Processes that take and give. */
struct sharing {
    yunta_semaphore *semaphore;
    int rounds, milliseconds;
    _Atomic int *inside, *most, *successes;
};

static struct sharing new_sharing(uint32_t units, bool unowned, int rounds, int milliseconds)
{
    struct sharing s = {new_semaphore(units, 0, unowned), rounds, milliseconds, new_word(), new_word(), new_word()};
    return s;
}

/* As many units as before; never more than those out at once. */
static void end_sharing(struct sharing *s, uint32_t units)
{
    ck_assert_int_eq(atomic_load(s->inside), 0);
    ck_assert_int_le(atomic_load(s->most), (int)units);
    ck_assert_int_eq(yunta_semaphore_value(s->semaphore), (int)units);
    for (uint32_t i = 0; i < units; i++)
        ck_assert_int_eq(yunta_semaphore_acquire(s->semaphore, 0), 0);
    ck_assert_int_eq(yunta_semaphore_acquire(s->semaphore, 0), -ETIMEDOUT);
    yunta_semaphore_destroy(s->semaphore);
    yunta_shared_free(s->inside);
    yunta_shared_free(s->most);
    yunta_shared_free(s->successes);
}

static int share(const struct sharing *s)
{
    for (int i = 0; i < s->rounds; i++) {
        int r = yunta_semaphore_acquire(s->semaphore, s->milliseconds);
        if (r == -ETIMEDOUT && s->milliseconds > 0)
            continue;
        expect(r == 0);
        int inside = atomic_fetch_add(s->inside, 1) + 1, most = atomic_load(s->most);
        while (inside > most && !atomic_compare_exchange_weak(s->most, &most, inside)) {
        }
        if (i % 64 == 0)
            sched_yield();
        atomic_fetch_sub(s->inside, 1);
        expect(yunta_semaphore_release(s->semaphore) == 0);
        atomic_fetch_add(s->successes, 1);
    }
    return 0;
}
YUNTA_ENTRY(share, struct sharing);

enum { sharers = 5 };

static void share_by(yunta_start_method method, const struct sharing *s)
{
    yunta_process *child[sharers];
    for (int i = 0; i < sharers; i++)
        start_by(method, &child[i], share, s);
    for (int i = 0; i < sharers; i++)
        end_is(child[i], 0);
}

START_TEST(two_units_among_five_processes)
{
    for (int unowned = 0; unowned < 2; unowned++) {
        struct sharing s = new_sharing(2, unowned, 10000, YUNTA_FOREVER);
        share_by(TEST_METHOD, &s);
        ck_assert_int_eq(atomic_load(s.successes), sharers * s.rounds);
        end_sharing(&s, 2);
    }
}
END_TEST

/* Each holds one and takes another before it gives one back. Of two units for each, one is free for whoever asks, at
 * every moment; but not always the same. */
static int climb(const struct sharing *s)
{
    expect(yunta_semaphore_acquire(s->semaphore, 0) == 0);
    for (int i = 0; i < s->rounds; i++) {
        expect(yunta_semaphore_acquire(s->semaphore, 0) == 0);
        expect(yunta_semaphore_release(s->semaphore) == 0);
    }
    expect(yunta_semaphore_release(s->semaphore) == 0);
    return 0;
}
YUNTA_ENTRY(climb, struct sharing);

START_TEST(a_unit_that_moves_about_is_found)
{
    for (int unowned = 0; unowned < 2; unowned++) {
        for (int climbers = 2; climbers <= sharers; climbers++) {
            struct sharing s = new_sharing(2 * (uint32_t)climbers, unowned, 200000 / climbers, 0);
            yunta_process *child[sharers];
            for (int i = 0; i < climbers; i++)
                start_by(TEST_METHOD, &child[i], climb, &s);
            for (int i = 0; i < climbers; i++)
                end_is(child[i], 0);
            end_sharing(&s, 2 * (uint32_t)climbers);
        }
    }
}
END_TEST

START_TEST(some_give_up_and_the_others_still_get_theirs)
{
    for (int unowned = 0; unowned < 2; unowned++) {
        struct sharing s = new_sharing(1, unowned, 3000, YUNTA_FOREVER), hasty = s;
        yunta_process *child[2 * sharers];
        hasty.milliseconds = 1;
        for (int i = 0; i < 2 * sharers; i++)
            start_by(TEST_METHOD, &child[i], share, i % 2 ? &s : &hasty);
        for (int i = 0; i < 2 * sharers; i++)
            end_is(child[i], 0);
        ck_assert_int_ge(atomic_load(s.successes), sharers * s.rounds);
        end_sharing(&s, 1);
    }
}
END_TEST

/* One gives what another takes: signals, in both directions. */
struct table_tennis {
    yunta_semaphore *ping, *pong;
    int rounds;
};

static int answer(const struct table_tennis *t)
{
    for (int i = 0; i < t->rounds; i++) {
        expect(yunta_semaphore_acquire(t->ping, YUNTA_FOREVER) == 0);
        expect(yunta_semaphore_release(t->pong) == 0);
    }
    return 0;
}
YUNTA_ENTRY(answer, struct table_tennis);

START_TEST(signals_from_process_to_process)
{
    struct table_tennis t = {new_semaphore(0, 1, true), new_semaphore(0, 1, true), 5000};
    yunta_process *other;
    start_by(TEST_METHOD, &other, answer, &t);
    for (int i = 0; i < t.rounds; i++) {
        ck_assert(yunta_semaphore_release(t.ping) == 0);
        ck_assert(yunta_semaphore_acquire(t.pong, YUNTA_FOREVER) == 0);
    }
    end_is(other, 0);
    ck_assert_int_eq(yunta_semaphore_value(t.ping) + yunta_semaphore_value(t.pong), 0);
    yunta_semaphore_destroy(t.ping);
    yunta_semaphore_destroy(t.pong);
}
END_TEST

/* Units of its own it gives back, whichever they are; with none, it adds one. */
struct exchange {
    yunta_semaphore *semaphore;
    shared_word *stage, *passed;
    bool keeps; /* what it takes */
};

static int hold_one(const struct exchange *x)
{
    expect(yunta_semaphore_acquire(x->semaphore, 0) == 0);
    atomic_store(x->stage, 1);
    expect(await_word(x->stage, 2));
    expect(yunta_semaphore_release(x->semaphore) == 0);
    return 0;
}
YUNTA_ENTRY(hold_one, struct exchange);

START_TEST(who_holds_none_adds_one_up_to_the_maximum)
{
    struct exchange x = {.semaphore = new_semaphore(2, 3, false), .stage = new_word()};
    yunta_process *holder;
    start_by(TEST_METHOD, &holder, hold_one, &x);
    ck_assert(await_word(x.stage, 1));
    ck_assert_int_eq(yunta_semaphore_value(x.semaphore), 1);
    ck_assert_int_eq(yunta_semaphore_release(x.semaphore), 0); /* the third */
    ck_assert_int_eq(yunta_semaphore_value(x.semaphore), 2);
    ck_assert_int_eq(yunta_semaphore_release(x.semaphore), -EOVERFLOW); /* it counts what is held, too */
    atomic_store(x.stage, 2);
    end_is(holder, 0);
    ck_assert_int_eq(yunta_semaphore_value(x.semaphore), 3);
    yunta_semaphore_destroy(x.semaphore);
    yunta_shared_free(x.stage);
}
END_TEST

/* Stays alive afterwards, since a death wakes everybody. */
static int take_and_give(const struct exchange *x)
{
    expect(yunta_semaphore_acquire(x->semaphore, YUNTA_FOREVER) == 0);
    expect(x->keeps || yunta_semaphore_release(x->semaphore) == 0);
    atomic_fetch_add(x->passed, 1);
    expect(await_word(x->stage, 3));
    return 0;
}
YUNTA_ENTRY(take_and_give, struct exchange);

static void wake_by(yunta_start_method method, bool unowned, int units, bool keep)
{
    struct exchange x = {new_semaphore(0, 0, unowned), new_word(), new_word(), keep};
    yunta_process *waiter[sharers];
    for (int i = 0; i < sharers; i++)
        start_by(method, &waiter[i], take_and_give, &x);
    for (int i = 0; i < sharers; i++)
        test_wait_until(is_waiting(waiter[i]), 20000);
    for (int i = 0; i < units; i++)
        ck_assert_int_eq(yunta_semaphore_release(x.semaphore), 0);
    ck_assert(await_word(x.passed, sharers));
    ck_assert_int_eq(yunta_semaphore_value(x.semaphore), keep ? units - sharers : units);
    atomic_store(x.stage, 3);
    for (int i = 0; i < sharers; i++)
        end_is(waiter[i], 0);
    yunta_semaphore_destroy(x.semaphore);
    yunta_shared_free(x.stage);
    yunta_shared_free(x.passed);
}

/* One unit; each passes it on. */
START_TEST(all_who_sleep_get_it_in_the_end)
{
    wake_by(TEST_METHOD, false, 1, false);
    wake_by(TEST_METHOD, true, 1, false);
}
END_TEST

/* Released in one go, faster than anybody can wake up: nobody may be forgotten. */
START_TEST(as_many_units_at_once_as_sleepers)
{
    for (int round = 0; round < 20; round++) {
        wake_by(YUNTA_FORK, false, sharers, true);
        wake_by(YUNTA_FORK, true, sharers, true);
    }
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("semaphore");
    TCase *cases = test_case(suite, "one process");
    tcase_add_test(cases, without_options_it_has_one_unit);
    tcase_add_test(cases, what_makes_no_sense_is_refused);
    tcase_add_test(cases, more_units_than_memory_are_refused);
    FOR_BOTH(cases, a_maximum_is_not_passed);
    FOR_BOTH(cases, without_a_maximum_units_are_added_at_will);
    cases = test_case(suite, "processes");
    tcase_set_timeout(cases, 60);
    TEST_FOR_EACH_METHOD(cases, two_units_among_five_processes);
    TEST_FOR_EACH_METHOD(cases, a_unit_that_moves_about_is_found);
    TEST_FOR_EACH_METHOD(cases, some_give_up_and_the_others_still_get_theirs);
    TEST_FOR_EACH_METHOD(cases, signals_from_process_to_process);
    TEST_FOR_EACH_METHOD(cases, who_holds_none_adds_one_up_to_the_maximum);
    TEST_FOR_EACH_METHOD(cases, all_who_sleep_get_it_in_the_end);
    tcase_add_test(cases, as_many_units_at_once_as_sleepers);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
