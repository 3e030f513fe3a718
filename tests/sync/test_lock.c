/* The lock while nobody dies: who gets it, who has to wait, for how long, and what is refused.
 * It must not count on time-outs: sleeps without a limit have none here (endless.h).
 * Read next: test_lock_death.c; ../crash/test_lock_kill.c, step by step. */
#include "../proc/helpers.h"

#include "endless.h"

#include <limits.h>
#include <pthread.h>
#include <sys/time.h>

static yunta_lock *new_lock(void)
{
    yunta_lock *lock = NULL;
    ck_assert_int_eq(yunta_lock_create(&lock), 0);
    ck_assert_ptr_nonnull(lock);
    return lock;
}

START_TEST(it_is_taken_and_let_go)
{
    yunta_lock *lock = new_lock();
    ck_assert(!yunta_lock_is_held(lock));
    static const int limits[] = {0, 1, 1000, INT_MAX, YUNTA_FOREVER, INT_MIN};
    for (size_t i = 0; i < YN_COUNT(limits); i++) {
        ck_assert_int_eq(yunta_lock_acquire(lock, limits[i]), 0);
        ck_assert(yunta_lock_is_held(lock));
        ck_assert_int_eq(yunta_lock_release(lock), 0);
        ck_assert(!yunta_lock_is_held(lock));
    }
    ck_assert_ptr_null(yunta_lock_destroy(lock));
}
END_TEST

START_TEST(twice_by_the_same_waits_for_itself)
{
    yunta_lock *lock = new_lock();
    ck_assert_int_eq(yunta_lock_acquire(lock, 0), 0);
    ck_assert_int_eq(yunta_lock_acquire(lock, 0), -ETIMEDOUT);
    uint64_t begin = test_now_ms();
    ck_assert_int_eq(yunta_lock_acquire(lock, 60), -ETIMEDOUT);
    ck_assert_uint_ge(test_now_ms() - begin, 59); /* the clock is read in whole ms */
    ck_assert(yunta_lock_is_held(lock));
    ck_assert_int_eq(yunta_lock_release(lock), 0);
    ck_assert_int_eq(yunta_lock_acquire(lock, 0), 0);
    ck_assert_int_eq(yunta_lock_release(lock), 0);
    yunta_lock_destroy(lock);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
    yunta_lock *lock = new_lock();
    ck_assert_int_eq(yunta_lock_create(NULL), -EINVAL);
    ck_assert_int_eq(yunta_lock_acquire(NULL, 0), -EINVAL);
    ck_assert_int_eq(yunta_lock_acquire(NULL, YUNTA_FOREVER), -EINVAL);
    ck_assert_int_eq(yunta_lock_release(NULL), -EINVAL);
    ck_assert_int_eq(yunta_lock_mark_consistent(NULL), -EINVAL);
    ck_assert(!yunta_lock_is_held(NULL));
    ck_assert_ptr_null(yunta_lock_destroy(NULL));

    ck_assert_int_eq(yunta_lock_release(lock), -EPERM);
    ck_assert_int_eq(yunta_lock_mark_consistent(lock), -EPERM);
    ck_assert(!yunta_lock_is_held(lock));
    ck_assert_int_eq(yunta_lock_acquire(lock, 0), 0);
    ck_assert_int_eq(yunta_lock_mark_consistent(lock), -EINVAL); /* it was not in question */
    ck_assert_int_eq(yunta_lock_release(lock), 0);
    ck_assert_int_eq(yunta_lock_release(lock), -EPERM);
    yunta_lock_destroy(lock);
}
END_TEST

START_TEST(as_many_as_one_likes)
{
    enum { count = 5000 };
    static yunta_lock *lock[count];
    yunta_arena_stats before, after;
    ck_assert_int_eq(yunta_arena_read_stats(&before), 0);
    for (int i = 0; i < count; i++)
        lock[i] = new_lock();
    for (int i = 0; i < count; i++)
        if (yunta_lock_acquire(lock[i], 0) != 0)
            ck_abort_msg("lock %d is another one, too", i);
    for (int i = 0; i < count; i++)
        if (yunta_lock_release(lock[i]) != 0)
            ck_abort_msg("lock %d was not held", i);
    for (int i = 0; i < count; i++)
        yunta_lock_destroy(lock[i]);
    ck_assert_int_eq(yunta_arena_read_stats(&after), 0);
    ck_assert_uint_eq(after.blocks, before.blocks);
}
END_TEST

static void count_alarm(int signal)
{
    static volatile sig_atomic_t alarms;
    (void)signal;
    alarms++;
}

START_TEST(a_signal_handler_ends_no_wait)
{
    struct sigaction action = {.sa_handler = count_alarm};
    struct itimerval often = {{0, 5000}, {0, 5000}}, never = {{0, 0}, {0, 0}};
    yunta_lock *lock = new_lock();
    ck_assert_int_eq(yunta_lock_acquire(lock, 0), 0);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    uint64_t begin = test_now_ms();
    int r = yunta_lock_acquire(lock, 100);
    uint64_t took = test_now_ms() - begin;
    setitimer(ITIMER_REAL, &never, NULL);
    ck_assert_int_eq(r, -ETIMEDOUT);
    ck_assert_uint_ge(took, 99);
    ck_assert_int_eq(yunta_lock_release(lock), 0);
    yunta_lock_destroy(lock);
}
END_TEST

static void *acquire_here(void *lock)
{
    return (void *)(intptr_t)yunta_lock_acquire(lock, YUNTA_FOREVER);
}

static int in_thread(void *(*run)(void *), void *argument)
{
    pthread_t thread;
    void *r;
    ck_assert_int_eq(pthread_create(&thread, NULL, run, argument), 0);
    ck_assert_int_eq(pthread_join(thread, &r), 0);
    return (int)(intptr_t)r;
}

START_TEST(a_thread_that_ends_does_not_let_it_go)
{
    yunta_lock *lock = new_lock();
    ck_assert_int_eq(in_thread(acquire_here, lock), 0);
    ck_assert(yunta_lock_is_held(lock));
    ck_assert_int_eq(yunta_lock_acquire(lock, 20), -ETIMEDOUT);
    ck_assert_int_eq(yunta_lock_release(lock), 0); /* it belongs to the process */
    yunta_lock_destroy(lock);
}
END_TEST

/* What many do at once, under one lock: the two counters are always equal for who holds it. */
struct counting {
    yunta_lock *lock;
    int rounds, milliseconds;
    volatile long *counter; /* two */
    _Atomic long *successes;
};

static struct counting new_counting(int rounds, int milliseconds)
{
    struct counting c = {.lock = new_lock(), .rounds = rounds, .milliseconds = milliseconds};
    c.counter = yunta_shared(long, 2);
    c.successes = yunta_shared(_Atomic long, 1);
    ck_assert(c.counter && c.successes);
    return c;
}

static void end_counting(struct counting *c, long expected)
{
    ck_assert_int_eq(atomic_load(c->successes), expected);
    ck_assert_int_eq(c->counter[0], expected);
    ck_assert_int_eq(c->counter[1], expected);
    ck_assert(!yunta_lock_is_held(c->lock));
    yunta_lock_destroy(c->lock);
    yunta_shared_free((void *)c->counter);
    yunta_shared_free((void *)c->successes);
}

/* Now and then somebody is taken off the processor in the middle, so that there is somebody to wait for. */
static int count(const struct counting *c)
{
    for (int i = 0; i < c->rounds; i++) {
        int r = yunta_lock_acquire(c->lock, c->milliseconds);
        if (r == -ETIMEDOUT && c->milliseconds >= 0)
            continue;
        expect(r == 0);
        expect(c->counter[0] == c->counter[1]);
        c->counter[0] = c->counter[0] + 1;
        if (i % 64 == 0)
            sched_yield();
        c->counter[1] = c->counter[1] + 1;
        expect(yunta_lock_release(c->lock) == 0);
        atomic_fetch_add(c->successes, 1);
    }
    return 0;
}
YUNTA_ENTRY(count, struct counting);

enum { counters = 5 };

static void count_in_processes(yunta_start_method method, const struct counting *c)
{
    yunta_process *child[counters];
    for (int i = 0; i < counters; i++)
        start_by(method, &child[i], count, c);
    for (int i = 0; i < counters; i++)
        end_is(child[i], 0);
}

START_TEST(processes_count_exactly)
{
    struct counting c = new_counting(20000, YUNTA_FOREVER);
    count_in_processes(TEST_METHOD, &c);
    end_counting(&c, (long)counters * c.rounds);
}
END_TEST

/* Who gives up may have been woken just then: the wake must go on to somebody else. */
START_TEST(some_give_up_and_the_others_still_get_it)
{
    struct counting c = new_counting(5000, YUNTA_FOREVER), hasty = c;
    yunta_process *child[2 * counters];
    hasty.milliseconds = 1;
    for (int i = 0; i < 2 * counters; i++)
        start_by(TEST_METHOD, &child[i], count, i % 2 ? &c : &hasty);
    for (int i = 0; i < 2 * counters; i++)
        end_is(child[i], 0);
    ck_assert_int_ge(atomic_load(c.successes), (long)counters * c.rounds);
    end_counting(&c, atomic_load(c.successes));
}
END_TEST

static void *count_in_thread(void *c)
{
    return (void *)(intptr_t)count(c);
}

static int count_in_threads(const struct counting *c)
{
    pthread_t thread[counters];
    for (int i = 0; i < counters; i++)
        expect(pthread_create(&thread[i], NULL, count_in_thread, (void *)(uintptr_t)c) == 0);
    for (int i = 0; i < counters; i++) {
        void *r;
        pthread_join(thread[i], &r);
        expect(r == NULL);
    }
    return 0;
}
YUNTA_ENTRY(count_in_threads, struct counting);

/* More threads at once than the slot has seats of its own. */
START_TEST(threads_of_several_processes_count_exactly)
{
    struct counting c = new_counting(4000, YUNTA_FOREVER);
    yunta_process *child[3];
    for (int i = 0; i < 3; i++)
        start_by(TEST_METHOD, &child[i], count_in_threads, &c);
    ck_assert_int_eq(count_in_threads(&c), 0);
    for (int i = 0; i < 3; i++)
        end_is(child[i], 0);
    end_counting(&c, 4L * counters * c.rounds);
}
END_TEST

/* One process holds it until it is told otherwise. Who has waited stays alive, since a death wakes everybody. */
struct holding {
    yunta_lock *lock;
    shared_word *stage;  /* 1: held; 2: let go! 3: waiters may end */
    shared_word *passed; /* how many have had it */
};

static int hold(const struct holding *h)
{
    expect(yunta_lock_acquire(h->lock, 0) == 0);
    atomic_store(h->stage, 1);
    expect(await_word(h->stage, 2));
    expect(yunta_lock_release(h->lock) == 0);
    expect(await_word(h->stage, 3));
    return 0;
}
YUNTA_ENTRY(hold, struct holding);

static int wait_for_it(const struct holding *h)
{
    expect(yunta_lock_acquire(h->lock, YUNTA_FOREVER) == 0);
    expect(yunta_lock_release(h->lock) == 0);
    atomic_fetch_add(h->passed, 1);
    expect(await_word(h->stage, 3));
    return 0;
}
YUNTA_ENTRY(wait_for_it, struct holding);

static yunta_process *start_holder(yunta_start_method method, struct holding *h)
{
    yunta_process *holder;
    atomic_store(h->stage, 0);
    start_by(method, &holder, hold, h);
    ck_assert(await_word(h->stage, 1));
    return holder;
}

static struct holding new_holding(void)
{
    return (struct holding){.lock = new_lock(), .stage = new_word(), .passed = new_word()};
}

static void free_holding(struct holding *h)
{
    yunta_lock_destroy(h->lock);
    yunta_shared_free(h->stage);
    yunta_shared_free(h->passed);
}

START_TEST(another_process_holds_it)
{
    struct holding h = new_holding();
    yunta_process *holder = start_holder(TEST_METHOD, &h);
    ck_assert(yunta_lock_is_held(h.lock));
    ck_assert_int_eq(yunta_lock_acquire(h.lock, 0), -ETIMEDOUT);
    ck_assert_int_eq(yunta_lock_acquire(h.lock, 20), -ETIMEDOUT);
    ck_assert_int_eq(yunta_lock_release(h.lock), -EPERM);
    ck_assert_int_eq(yunta_lock_mark_consistent(h.lock), -EPERM);
    ck_assert(yunta_lock_is_held(h.lock));
    atomic_store(h.stage, 2);
    ck_assert_int_eq(yunta_lock_acquire(h.lock, YUNTA_FOREVER), 0);
    ck_assert_int_eq(yunta_lock_release(h.lock), 0);
    atomic_store(h.stage, 3);
    end_is(holder, 0);
    free_holding(&h);
}
END_TEST

START_TEST(all_who_sleep_get_it_in_the_end)
{
    struct holding h = new_holding();
    yunta_process *holder = start_holder(TEST_METHOD, &h), *waiter[counters];
    for (int i = 0; i < counters; i++) {
        start_by(TEST_METHOD, &waiter[i], wait_for_it, &h);
        test_wait_until(is_waiting(waiter[i]), 20000);
    }
    atomic_store(h.stage, 2); /* one release; then each wakes the next */
    ck_assert(await_word(h.passed, counters));
    atomic_store(h.stage, 3);
    for (int i = 0; i < counters; i++)
        end_is(waiter[i], 0);
    end_is(holder, 0);
    ck_assert(!yunta_lock_is_held(h.lock));
    free_holding(&h);
}
END_TEST

START_TEST(a_stopped_owner_is_not_taken_for_dead)
{
    struct holding h = new_holding();
    yunta_process *holder = start_holder(TEST_METHOD, &h);
    pid_t pid = yunta_process_pid(holder);
    ck_assert_int_eq(kill(pid, SIGSTOP), 0);
    test_wait_until(test_state(pid) == 'T', 10000);
    atomic_store(h.stage, 2);
    ck_assert_int_eq(yunta_lock_acquire(h.lock, 300), -ETIMEDOUT);
    ck_assert(yunta_lock_is_held(h.lock));
    ck_assert_int_eq(kill(pid, SIGCONT), 0);
    ck_assert_int_eq(yunta_lock_acquire(h.lock, YUNTA_FOREVER), 0);
    ck_assert_int_eq(yunta_lock_release(h.lock), 0);
    atomic_store(h.stage, 3);
    end_is(holder, 0);
    free_holding(&h);
}
END_TEST

START_TEST(a_stopped_waiter_holds_nobody_up)
{
    struct holding h = new_holding();
    yunta_process *holder = start_holder(TEST_METHOD, &h), *first, *second;
    start_by(TEST_METHOD, &first, wait_for_it, &h);
    test_wait_until(is_waiting(first), 20000);
    kill(yunta_process_pid(first), SIGSTOP);
    test_wait_until(test_state(yunta_process_pid(first)) == 'T', 10000);
    start_by(TEST_METHOD, &second, wait_for_it, &h);
    test_wait_until(is_waiting(second), 20000);
    atomic_store(h.stage, 2);
    ck_assert(await_word(h.passed, 1));
    ck_assert_int_eq(test_state(yunta_process_pid(first)), 'T');
    kill(yunta_process_pid(first), SIGCONT);
    ck_assert(await_word(h.passed, 2));
    atomic_store(h.stage, 3);
    end_is(first, 0);
    end_is(second, 0);
    end_is(holder, 0);
    free_holding(&h);
}
END_TEST

/* A copy of the owner that the program made by itself is somebody else. */
START_TEST(a_forked_copy_of_the_owner_does_not_hold_it)
{
    yunta_lock *lock = new_lock();
    ck_assert_int_eq(yunta_lock_acquire(lock, 0), 0);
    pid_t copy = fork();
    if (copy == 0) {
        bool good = yunta_lock_release(lock) == -EPERM && yunta_lock_acquire(lock, 0) == -ETIMEDOUT &&
                    yunta_lock_mark_consistent(lock) == -EPERM;
        _exit(good ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(copy, &status, 0), copy);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(yunta_lock_release(lock), 0);
    yunta_lock_destroy(lock);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("lock");
    TCase *cases = test_case(suite, "one process");
    tcase_add_test(cases, it_is_taken_and_let_go);
    tcase_add_test(cases, twice_by_the_same_waits_for_itself);
    tcase_add_test(cases, what_makes_no_sense_is_refused);
    tcase_add_test(cases, as_many_as_one_likes);
    tcase_add_test(cases, a_signal_handler_ends_no_wait);
    tcase_add_test(cases, a_thread_that_ends_does_not_let_it_go);
    tcase_add_test(cases, a_forked_copy_of_the_owner_does_not_hold_it);
    cases = test_case(suite, "processes");
    TEST_FOR_EACH_METHOD(cases, another_process_holds_it);
    TEST_FOR_EACH_METHOD(cases, all_who_sleep_get_it_in_the_end);
    TEST_FOR_EACH_METHOD(cases, a_stopped_owner_is_not_taken_for_dead);
    TEST_FOR_EACH_METHOD(cases, a_stopped_waiter_holds_nobody_up);
    cases = test_case(suite, "counting");
    tcase_set_timeout(cases, 60);
    TEST_FOR_EACH_METHOD(cases, processes_count_exactly);
    TEST_FOR_EACH_METHOD(cases, some_give_up_and_the_others_still_get_it);
    TEST_FOR_EACH_METHOD(cases, threads_of_several_processes_count_exactly);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
