/* Lock and semaphore, whose holders and waiters are killed thousands of times at moments that nobody chose.
 * It must not count on time-outs: sleeps without a limit have none here, so who is not woken is a failure.
 * YUNTA_KILLS says how many kills (2,000 of each kind). Read next: test_lock_kill.c, the same step by step.
 *
 * timeout: 300 */
#include "../proc/helpers.h"

#include "../sync/endless.h"

/* What the workers share. The first half is guarded by the lock. */
typedef struct table {
    volatile long left, right; /* always equal, for who takes the lock untold */
    volatile long inside;      /* who is at it, 0: nobody */
    volatile long told;        /* deaths, so far */
    yunta_lock *lock;
    yunta_semaphore *semaphore;
    _Atomic long done;          /* turns, by all */
    _Atomic long told_of_units; /* deaths, by who got a unit of theirs */
    _Atomic int stop;
    _Atomic int wrong; /* a line */
} table;

#include "random_kills.h"

/* Who finds it told mends it; who does not must find it whole. */
static void look_over(int r)
{
    if (r == 0) {
        expect_in_worker(t->inside == 0);
        expect_in_worker(t->left == t->right);
        return;
    }
    expect_in_worker(r == -EOWNERDEAD);
    t->told = t->told + 1;
    t->left = t->right;
    t->inside = 0;
    expect_in_worker(yunta_lock_mark_consistent(t->lock) == 0);
}

static void turn_with_lock(long me)
{
    int r = yunta_lock_acquire(t->lock, some(8) == 0 ? 1 : YUNTA_FOREVER);
    if (r == -ETIMEDOUT)
        return;
    look_over(r);
    t->inside = me;
    t->left = t->left + 1;
    dawdle(200);
    expect_in_worker(t->inside == me);
    t->right = t->right + 1;
    t->inside = 0;
    expect_in_worker(yunta_lock_release(t->lock) == 0);
}

static void turn_with_unit(long me)
{
    (void)me;
    int r = yunta_semaphore_acquire(t->semaphore, some(8) == 0 ? 1 : YUNTA_FOREVER);
    if (r == -ETIMEDOUT)
        return;
    expect_in_worker(r == 0 || r == -EOWNERDEAD);
    atomic_fetch_add(&t->told_of_units, r != 0);
    dawdle(200);
    expect_in_worker(yunta_semaphore_release(t->semaphore) == 0);
}

/* Takes what others give, and gives nothing back. */
static void turn_with_signal(long me)
{
    (void)me;
    expect_in_worker(yunta_semaphore_acquire(t->semaphore, YUNTA_FOREVER) == 0);
}

/* A round of kills; then the living go on by themselves, without a death that would wake them; then they are told to
 * stop, and do. */
static void kill_for_a_round(pid_t *pid, long kills, void (*turn)(long me))
{
    for (long i = 0; i < kills; i++) {
        for (uint32_t spins = some(3000); spins > 0; spins--)
            yn_pause();
        replace(&pid[some(workers)], turn);
    }
    long done = atomic_load(&t->done);
    test_wait_until(atomic_load(&t->done) > done + 100, 10000);
    atomic_store(&t->stop, 1);
    for (int i = 0; i < workers; i++)
        await_end(pid[i]);
    atomic_store(&t->stop, 0);
}

static void kill_workers(void (*turn)(long me), void (*check)(long kills))
{
    long kills = (kills_wanted() + rounds - 1) / rounds;
    for (int round = 1; round <= rounds; round++) {
        pid_t pid[workers];
        for (int i = 0; i < workers; i++)
            pid[i] = start_worker(turn);
        kill_for_a_round(pid, kills, turn);
        check(kills * round);
    }
}

static void check_lock(long kills)
{
    int r = yunta_lock_acquire(t->lock, YUNTA_FOREVER);
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(t->inside, 0);
    ck_assert_int_eq(t->left, t->right);
    ck_assert_int_le(t->told, kills);
    ck_assert_int_eq(yunta_lock_release(t->lock), 0);
}

START_TEST(pain_06_a_lock_whose_holders_are_killed_goes_on)
{
    make_table();
    ck_assert_int_eq(yunta_lock_create(&t->lock), 0);
    kill_workers(turn_with_lock, check_lock);
    printf("lock: %ld kills, %ld of them of the holder, %ld turns\n", kills_wanted(), t->told, atomic_load(&t->done));
    ck_assert_int_gt(t->told, kills_wanted() / 100);
    yunta_lock_destroy(t->lock);
    yunta_shared_free(t);
}
END_TEST

/* Units that the last of the dead have left are told to us. */
static void check_units(long kills)
{
    ck_assert_int_eq(yunta_semaphore_value(t->semaphore), 2);
    for (int i = 0; i < 2; i++) {
        int r = yunta_semaphore_acquire(t->semaphore, 0);
        ck_assert(r == 0 || r == -EOWNERDEAD);
        atomic_fetch_add(&t->told_of_units, r != 0);
    }
    ck_assert_int_eq(yunta_semaphore_acquire(t->semaphore, 0), -ETIMEDOUT);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(yunta_semaphore_release(t->semaphore), 0);
    ck_assert_int_le(atomic_load(&t->told_of_units), kills);
}

START_TEST(units_are_neither_lost_nor_gained)
{
    make_table();
    yunta_semaphore_options two = {.initial = 2, .maximum = 2};
    ck_assert_int_eq(yunta_semaphore_create(&t->semaphore, &two), 0);
    kill_workers(turn_with_unit, check_units);
    printf("semaphore: %ld kills, %ld of them of a holder, %ld turns\n", kills_wanted(), atomic_load(&t->told_of_units),
           atomic_load(&t->done));
    ck_assert_int_gt(atomic_load(&t->told_of_units), kills_wanted() / 100);
    yunta_semaphore_destroy(t->semaphore);
    yunta_shared_free(t);
}
END_TEST

/* Nobody whom the giver wakes need live on to notice. What is given after the last death reaches the living, all of
 * it. */
START_TEST(pain_07_who_gives_never_hangs_because_waiters_are_killed)
{
    make_table();
    yunta_semaphore_options signals = {.initial = 0, .unowned = true};
    ck_assert_int_eq(yunta_semaphore_create(&t->semaphore, &signals), 0);
    pid_t pid[workers];
    for (int i = 0; i < workers; i++)
        pid[i] = start_worker(turn_with_signal);
    for (long i = 0; i < kills_wanted(); i++) {
        for (uint32_t give = some(4); give > 0; give--)
            ck_assert(yunta_semaphore_release(t->semaphore) == 0);
        for (uint32_t spins = some(1000); spins > 0; spins--)
            yn_pause();
        replace(&pid[some(workers)], turn_with_signal);
        if (i % 100 != 99)
            continue;
        test_wait_until(yunta_semaphore_value(t->semaphore) == 0, 10000);
        for (int k = 0; k < 3 * workers; k++)
            ck_assert(yunta_semaphore_release(t->semaphore) == 0);
        test_wait_until(yunta_semaphore_value(t->semaphore) == 0, 10000);
    }
    ck_assert_int_eq(atomic_load(&t->wrong), 0);
    for (int i = 0; i < workers; i++) {
        kill(pid[i], SIGKILL);
        ck_assert(waitpid(pid[i], NULL, 0) == pid[i]);
    }
    yunta_semaphore_destroy(t->semaphore);
    yunta_shared_free(t);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("lock, killed at random");
    TCase *cases = test_case(suite, "random");
    tcase_set_timeout(cases, 30 + (double)kills_wanted() / 50);
    tcase_add_test(cases, pain_06_a_lock_whose_holders_are_killed_goes_on);
    tcase_add_test(cases, units_are_neither_lost_nor_gained);
    tcase_add_test(cases, pain_07_who_gives_never_hangs_because_waiters_are_killed);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
