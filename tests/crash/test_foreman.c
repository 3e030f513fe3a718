/* The foreman killed, the watch killed, and both: a dead foreman costs the tasks that its workers were running, each
 * told with that cause; a dead watch costs seconds. It must not kill workers: that is test_pool_kill.c. Read next:
 * src/pool/owner.c, which mends. YUNTA_KILLS: kills for each start method, 60 if it is not set.
 *
 * timeout: 600 */
#include "../pool/helpers.h"

#include "pool/pool.h"

#include <pthread.h>

enum { workers = 3 };

/* The foreman's pid; 0 while there is none. */
static pid_t foreman_of(yunta_pool *pool)
{
    int error;
    yn_self *me = yn_self_get(&error);
    yn_claim who = atomic_load(&pool->shared->foreman);
    if (!yn_claim_is_alive(&me->arena->slots, who))
        return 0;
    pid_t pid = yn_slot_pid(yn_slot_at(&me->arena->slots, yn_claim_slot(who)), who);
    return yn_claim_is_alive(&me->arena->slots, who) ? pid : 0;
}

static pid_t watch_pid(void)
{
    int error;
    return atomic_load(&yn_self_get(&error)->arena->watch_pid);
}

static void check_it_works(yunta_pool *pool)
{
    int in[200], out[200];
    count_up(in, 200);
    ck_assert_int_eq(yunta_map(pool, square, in, out, 200), 0);
    check_squares(in, out, 200);
}

START_TEST(an_idle_pool_gets_another)
{
    yunta_pool *pool = new_pool(workers);
    for (unsigned round = 1; round <= 5; round++) {
        yunta_future *future;
        int in = 7, out;
        test_kill(foreman_of(pool));
        test_wait_until(foreman_of(pool) == 0, 20000); /* its workers may do one more task until it is known */
        if (round % 2)                                 /* by a map, or by a single task */
            check_it_works(pool);
        ck_assert_int_eq(yunta_submit(pool, square, &in, &future), 0);
        ck_assert_int_eq(yunta_await(future, &out, 20000), 0);
        ck_assert_int_eq(out, 49);
        ck_assert_uint_eq(stats_of(pool).foremen, round + 1);
        yunta_future_destroy(future);
    }
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(running_tasks_fail_for_that_and_waiting_ones_run)
{
    yunta_pool *pool = new_pool(workers);
    yunta_future *running[workers], *waiting[20];
    yunta_failure why;
    gate g = new_gate();
    int out;
    for (int i = 0; i < workers; i++)
        ck_assert_int_eq(yunta_submit(pool, pass_gate, &g, &running[i]), 0);
    test_wait_until(atomic_load(g.begun) == workers, 20000);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(yunta_submit(pool, square, &i, &waiting[i]), 0);
    test_kill(foreman_of(pool));
    for (int i = 0; i < workers; i++) {
        ck_assert_int_eq(yunta_await(running[i], &out, 20000), YUNTA_EFOREMAN);
        ck_assert_int_eq(yunta_future_failure(running[i], &why), 0);
        ck_assert_int_eq(why.code, YUNTA_EFOREMAN);
        ck_assert_str_eq(why.name, "pass_gate");
        ck_assert(strstr(why.text, "foreman") && why.pid > 0);
        yunta_future_destroy(running[i]);
    }
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(yunta_await(waiting[i], &out, 20000), 0);
        ck_assert_int_eq(out, i * i);
        yunta_future_destroy(waiting[i]);
    }
    check_it_works(pool);
    yunta_pool_destroy(pool);
    free_gate(g);
}
END_TEST

typedef struct killer {
    yunta_pool *pool;
    pthread_t thread;
    int wanted;
    bool watch_too;
    _Atomic int hits, stop;
} killer;

static void *kill_foremen(void *argument)
{
    killer *k = argument;
    unsigned seed = 99;
    while (atomic_load(&k->hits) < k->wanted && !atomic_load(&k->stop)) {
        seed = seed * 1103515245u + 12345u;
        nanosleep(&(struct timespec){.tv_nsec = (seed >> 8) % 15000000}, NULL);
        pid_t pid = foreman_of(k->pool);
        if (pid > 0 && kill(pid, SIGKILL) == 0)
            atomic_fetch_add(&k->hits, 1);
        if (k->watch_too && seed % 7 == 0)
            kill(watch_pid(), SIGKILL);
    }
    return NULL;
}

static void begin_killing(killer *k, yunta_pool *pool, int wanted, bool watch_too)
{
    *k = (killer){.pool = pool, .wanted = wanted, .watch_too = watch_too};
    ck_assert_int_eq(pthread_create(&k->thread, NULL, kill_foremen, k), 0);
}

static int end_killing(killer *k)
{
    atomic_store(&k->stop, 1);
    pthread_join(k->thread, NULL);
    return atomic_load(&k->hits);
}

static int wanted_kills(void)
{
    const char *text = getenv("YUNTA_KILLS");
    return text ? atoi(text) : 60;
}

static int work(const int *x, int *y)
{
    volatile int n = 0;
    while (n < 20000)
        n++;
    *y = *x + 1;
    return 0;
}
YUNTA_TASK(work, int, int);

/* Maps 2000 tasks; returns how many failed. */
static size_t map_once(yunta_pool *pool)
{
    enum { size = 2000 };
    static int in[size], out[size];
    static yunta_failure failures[size];
    size_t failed = 0, next_failure = 0, wrong = 0;
    yunta_map_options o = {.failures = failures, .failure_capacity = size, .failure_count = &failed};
    for (int i = 0; i < size; i++) {
        in[i] = i;
        out[i] = -1;
    }
    int r = yunta_map_with(pool, work, in, out, size, &o);
    ck_assert_msg(r == 0 || r == YUNTA_EFOREMAN, "map: %s", yunta_strerror(r));
    for (size_t i = 0; i < size; i++) {
        bool is_failed = next_failure < failed && failures[next_failure].index == i;
        wrong += is_failed ? failures[next_failure].code != YUNTA_EFOREMAN : out[i] != (int)i + 1;
        next_failure += is_failed;
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(next_failure, failed);
    return failed;
}

START_TEST(maps_while_foremen_are_killed)
{
    yunta_pool *pool = new_pool(workers);
    killer k;
    size_t failed = 0;
    begin_killing(&k, pool, wanted_kills(), false);
    while (atomic_load(&k.hits) < k.wanted)
        failed += map_once(pool);
    size_t hits = (size_t)end_killing(&k);
    failed += map_once(pool); /* the last kill may take effect only now */
    ck_assert_uint_le(failed, hits * workers);
    yunta_pool_destroy(pool);
}
END_TEST

static int submit_and_await(yunta_pool *pool, int count)
{
    yunta_future *future[count];
    int failed = 0;
    for (int i = 0; i < count; i++) {
        int r = yunta_submit(pool, work, &i, &future[i]);
        ck_assert_msg(r == 0, "submit: %s", yunta_strerror(r));
    }
    for (int i = 0, out = 0; i < count; i++) {
        int r = yunta_await(future[i], &out, 20000);
        ck_assert_msg(r == YUNTA_EFOREMAN || (r == 0 && out == i + 1), "await: %s", yunta_strerror(r));
        failed += r != 0;
        yunta_future_destroy(future[i]);
    }
    return failed;
}

static uint64_t blocks(void)
{
    yunta_arena_stats stats;
    ck_assert_int_eq(yunta_arena_read_stats(&stats), 0);
    return stats.blocks;
}

/* What it knew of its workers stands in memory of all. */
START_TEST(killed_foremen_leave_no_memory)
{
    enum { rounds = 20 };
    yunta_pool *pool = new_pool(workers);
    check_it_works(pool);
    uint64_t before = blocks();
    for (int i = 0; i < rounds; i++) {
        test_kill(foreman_of(pool));
        test_wait_until(foreman_of(pool) == 0, 20000);
        check_it_works(pool);
    }
    ck_assert_uint_lt(blocks(), before + rounds);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(single_tasks_while_foremen_are_killed)
{
    yunta_pool *pool = new_pool(workers);
    killer k;
    int failed = 0;
    begin_killing(&k, pool, wanted_kills(), false);
    while (atomic_load(&k.hits) < k.wanted)
        failed += submit_and_await(pool, 300);
    ck_assert_int_le(failed, end_killing(&k) * workers);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(a_closed_pool_finishes_under_another)
{
    for (int round = 0; round < 10; round++) {
        yunta_pool *pool = new_pool(workers);
        yunta_future *future[100];
        int failed = 0;
        for (int i = 0; i < 100; i++)
            ck_assert_int_eq(yunta_submit(pool, work, &i, &future[i]), 0);
        pid_t foreman = foreman_of(pool);
        yunta_pool_close(pool);
        if (round % 2)
            test_nap();
        kill(foreman, SIGKILL); /* it may have ended already: then its pid is still ours, a zombie's */
        ck_assert_int_eq(yunta_pool_join(pool, 20000), 0);
        ck_assert_int_eq(yunta_pool_pids(pool, NULL, 0), 0);
        for (int i = 0, out; i < 100; i++) {
            int r = yunta_await(future[i], &out, 0);
            ck_assert_msg(r == YUNTA_EFOREMAN || (r == 0 && out == i + 1), "await: %s", yunta_strerror(r));
            failed += r != 0;
            yunta_future_destroy(future[i]);
        }
        ck_assert_int_le(failed, workers);
        yunta_pool_destroy(pool);
    }
}
END_TEST

START_TEST(terminate_and_destroy_do_not_need_it)
{
    for (int round = 0; round < 6; round++) {
        yunta_pool *pool = new_pool(workers);
        shared_word *begun = new_word();
        yunta_future *future;
        pid_t pids[workers];
        ck_assert_int_eq(yunta_submit(pool, spin_for_ever, &(spinner){begun}, &future), 0);
        test_wait_until(atomic_load(begun) == 1, 20000);
        test_wait_until(yunta_pool_pids(pool, pids, workers) == workers, 20000);
        kill(foreman_of(pool), SIGKILL);
        if (round % 2) {
            ck_assert_int_eq(yunta_pool_terminate(pool), 0);
            ck_assert_int_eq(yunta_pool_join(pool, 20000), 0);
            for (int i = 0; i < workers; i++)
                ck_assert(!test_is_running(pids[i])); /* join says that they are gone */
        }
        yunta_pool_destroy(pool);
        ck_assert_int_eq(yunta_await(future, NULL, 0), YUNTA_ECLOSED);
        yunta_future_destroy(future);
        yunta_shared_free(begun);
    }
}
END_TEST

/* Kills the watch, and what `and_then` says, under a running task; how long until its outcome is known. */
static uint64_t settle_without_watch(yunta_pool *pool, bool foreman_too, int outcome)
{
    gate g = new_gate();
    yunta_future *future;
    ck_assert_int_eq(yunta_submit(pool, pass_gate, &g, &future), 0);
    test_wait_until(atomic_load(g.begun) == 1, 20000);
    uint64_t before = test_now_ms();
    pid_t foreman = foreman_of(pool);
    test_kill(watch_pid());
    if (foreman_too)
        test_kill(foreman);
    else
        atomic_store(g.open, 1);
    ck_assert_int_eq(yunta_await(future, NULL, 20000), outcome);
    uint64_t took = test_now_ms() - before;
    yunta_future_destroy(future);
    free_gate(g);
    return took;
}

START_TEST(a_killed_watch_costs_seconds_at_most)
{
    yunta_pool *pool = new_pool(workers);
    settle_without_watch(pool, false, 0);
    act crash = {SEGV, 0};
    yunta_future *future;
    ck_assert_int_eq(yunta_submit(pool, behave, &crash, &future), 0); /* workers are the foreman's affair */
    ck_assert_int_eq(yunta_await(future, NULL, 20000), YUNTA_ECRASHED);
    yunta_future_destroy(future);
    ck_assert_uint_lt(settle_without_watch(pool, true, YUNTA_EFOREMAN), 5000);
    check_it_works(pool);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(maps_while_foremen_and_watches_are_killed)
{
    yunta_pool *pool = new_pool(workers);
    killer k;
    size_t failed = 0;
    begin_killing(&k, pool, 8, true);
    while (atomic_load(&k.hits) < k.wanted)
        failed += map_once(pool);
    ck_assert_uint_le(failed, (size_t)end_killing(&k) * workers);
    yunta_pool_destroy(pool);
}
END_TEST

/* As after Ctrl-Z, when only the program itself is told to go on. */
START_TEST(terminate_ends_what_is_stopped)
{
    yunta_pool *pool = new_pool(2);
    yunta_future *future;
    gate g = new_gate();
    ck_assert_int_eq(yunta_submit(pool, pass_gate, &g, &future), 0);
    test_wait_until(atomic_load(g.begun) == 1 && yunta_pool_pids(pool, NULL, 0) == 2, 20000);
    pid_t worker[2];
    ck_assert_int_eq(yunta_pool_pids(pool, worker, 2), 2);
    pid_t foreman = foreman_of(pool);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(kill(worker[i], SIGSTOP), 0);
    ck_assert_int_eq(kill(foreman, SIGSTOP), 0);
    test_wait_until(test_state(foreman) == 'T', 20000);
    ck_assert_int_eq(yunta_pool_terminate(pool), 0);
    ck_assert_int_eq(yunta_pool_join(pool, 10000), 0);
    ck_assert_int_eq(yunta_await(future, NULL, 0), YUNTA_ECLOSED);
    yunta_future_destroy(future);
    yunta_pool_destroy(pool);
    free_gate(g);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("foreman");
    TCase *cases = test_case(suite, "foreman");
    tcase_set_timeout(cases, 100);
    TEST_FOR_EACH_METHOD(cases, an_idle_pool_gets_another);
    TEST_FOR_EACH_METHOD(cases, running_tasks_fail_for_that_and_waiting_ones_run);
    TEST_FOR_EACH_METHOD(cases, maps_while_foremen_are_killed);
    TEST_FOR_EACH_METHOD(cases, killed_foremen_leave_no_memory);
    TEST_FOR_EACH_METHOD(cases, single_tasks_while_foremen_are_killed);
    TEST_FOR_EACH_METHOD(cases, a_closed_pool_finishes_under_another);
    TEST_FOR_EACH_METHOD(cases, terminate_and_destroy_do_not_need_it);
    TEST_FOR_EACH_METHOD(cases, terminate_ends_what_is_stopped);
    cases = test_case(suite, "watch");
    tcase_set_timeout(cases, 100);
    TEST_FOR_EACH_METHOD(cases, a_killed_watch_costs_seconds_at_most);
    TEST_FOR_EACH_METHOD(cases, maps_while_foremen_and_watches_are_killed);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
