/* Workers killed at any moment, thousands of times, while their pool maps and single tasks come and go: every task has
 * one outcome, and no more of them fail than workers were killed. It must not kill at chosen moments: those are stepped
 * through in ../pool/test_job.c. Read next: test_foreman.c. YUNTA_KILLS: how many kills for each start method, 1000 if
 * it is not set.
 *
 * timeout: 600 */
#include "../pool/helpers.h"

#include <pthread.h>

enum { workers = 4, most = 20000 };

static int wanted_kills(void)
{
    const char *text = getenv("YUNTA_KILLS");
    return text ? atoi(text) : 1000;
}

typedef struct killer {
    yunta_pool *pool;
    pthread_t thread;
    int wanted;
    _Atomic int hits, stop;
    unsigned seed;
} killer;

static unsigned draw(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 8;
}

static void *kill_workers(void *argument)
{
    killer *k = argument;
    while (atomic_load(&k->hits) < k->wanted && !atomic_load(&k->stop)) {
        pid_t pids[workers];
        int n = yunta_pool_pids(k->pool, pids, workers);
        if (n > 0 && kill(pids[draw(&k->seed) % (unsigned)n], SIGKILL) == 0)
            atomic_fetch_add(&k->hits, 1);
        nanosleep(&(struct timespec){.tv_nsec = draw(&k->seed) % 4000000}, NULL);
    }
    return NULL;
}

static void begin_killing(killer *k, yunta_pool *pool, unsigned seed)
{
    *k = (killer){.pool = pool, .wanted = wanted_kills(), .seed = seed};
    ck_assert_int_eq(pthread_create(&k->thread, NULL, kill_workers, k), 0);
}

static int end_killing(killer *k)
{
    atomic_store(&k->stop, 1);
    pthread_join(k->thread, NULL);
    return atomic_load(&k->hits);
}

/* A task that counts how often it is begun. */
typedef struct once {
    _Atomic int *runs;
    int number, spin;
} once;

static int run_once(const once *o, int *y)
{
    atomic_fetch_add(o->runs, 1);
    volatile int n = 0;
    while (n < o->spin)
        n++;
    *y = o->number + 1;
    return 0;
}
YUNTA_TASK(run_once, once, int);

typedef struct field {
    _Atomic int *runs;
    once *in;
    int *out;
    yunta_failure *failures;
} field;

static field new_field(void)
{
    field f = {yunta_shared(_Atomic int, most), yunta_shared(once, most), yunta_shared(int, most),
               malloc(most * sizeof(yunta_failure))};
    ck_assert(f.runs && f.in && f.out && f.failures);
    return f;
}

static void free_field(field f)
{
    yunta_shared_free(f.runs);
    yunta_shared_free(f.in);
    yunta_shared_free(f.out);
    free(f.failures);
}

static void prepare(field *f, int spin)
{
    for (int i = 0; i < most; i++) {
        atomic_store(&f->runs[i], 0);
        f->in[i] = (once){&f->runs[i], i, spin};
        f->out[i] = -1;
    }
}

/* Maps `count` tasks; returns how many failed. */
static size_t map_once(yunta_pool *pool, field *f, size_t count, size_t chunk)
{
    size_t failed = 0, next = 0, wrong = 0;
    yunta_map_options o = {.chunk = chunk, .failures = f->failures, .failure_capacity = most, .failure_count = &failed};
    int r = yunta_map_with(pool, run_once, f->in, f->out, count, &o);
    ck_assert_msg(r == 0 || r == YUNTA_ECRASHED, "map: %s", yunta_strerror(r));
    ck_assert((r == 0) == (failed == 0));
    for (size_t i = 0; i < count; i++) {
        bool is_failed = next < failed && f->failures[next].index == i;
        int runs = atomic_load(&f->runs[i]);
        if (is_failed) {
            wrong += f->failures[next].code != YUNTA_ECRASHED || f->failures[next].signal != SIGKILL || runs > 1;
            next++;
        } else {
            wrong += runs != 1 || f->out[i] != (int)i + 1;
        }
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(next, failed); /* in order, each once */
    return failed;
}

START_TEST(maps_under_random_kills)
{
    yunta_pool *pool = new_pool(workers);
    field f = new_field();
    killer k;
    size_t failed = 0;
    unsigned seed = 20251u + (unsigned)_i, round = 0;
    begin_killing(&k, pool, seed);
    while (atomic_load(&k.hits) < k.wanted) {
        size_t count = round % 3 == 0 ? most : 1 + draw(&seed) % 300, chunk = draw(&seed) % 4 * (draw(&seed) % 50);
        prepare(&f, round++ % 3 == 0 ? 300 : 20000);
        failed += map_once(pool, &f, count, chunk);
    }
    int hits = end_killing(&k);
    ck_assert_uint_le(failed, (size_t)hits);
    ck_assert_uint_gt(failed, 0); /* it did hit the working */
    prepare(&f, 10);
    ck_assert_uint_eq(map_once(pool, &f, most, 0), 0);
    ck_assert_uint_eq(stats_of(pool).foremen, 1);
    free_field(f);
    yunta_pool_destroy(pool);
}
END_TEST

static void submit_all(yunta_pool *pool, field *f, yunta_future **future, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int r = yunta_submit(pool, run_once, &f->in[i], &future[i]);
        ck_assert_msg(r == 0, "submit: %s", yunta_strerror(r));
    }
}

/* Returns how many failed. */
static size_t await_all(field *f, yunta_future **future, size_t count)
{
    size_t failed = 0;
    for (size_t i = 0; i < count; i++) {
        yunta_failure why;
        int out = -1, r = yunta_await(future[i], &out, 20000), runs = atomic_load(&f->runs[i]);
        ck_assert_msg(r == 0 || r == YUNTA_ECRASHED, "await: %s", yunta_strerror(r));
        ck_assert_int_eq(yunta_future_failure(future[i], &why), 0);
        ck_assert_int_eq(why.code, r);
        ck_assert_int_eq(why.signal, r == 0 ? 0 : SIGKILL);
        ck_assert(r == 0 ? runs == 1 && out == (int)i + 1 : runs <= 1);
        failed += r != 0;
        yunta_future_destroy(future[i]);
    }
    return failed;
}

START_TEST(single_tasks_under_random_kills)
{
    enum { most_at_once = 400 };
    yunta_pool *pool = new_pool(workers);
    field f = new_field();
    killer k;
    size_t failed = 0;
    unsigned seed = 777u + (unsigned)_i;
    yunta_future *future[most_at_once];
    begin_killing(&k, pool, seed);
    while (atomic_load(&k.hits) < k.wanted) {
        size_t count = draw(&seed) % 2 ? 1 : 1 + draw(&seed) % most_at_once;
        prepare(&f, 20000);
        submit_all(pool, &f, future, count);
        failed += await_all(&f, future, count);
    }
    ck_assert_uint_le(failed, (size_t)end_killing(&k));
    free_field(f);
    yunta_pool_destroy(pool);
}
END_TEST

START_TEST(pools_end_under_random_kills)
{
    killer k;
    unsigned seed = 4242u;
    for (int round = 0; round < 60; round++) {
        yunta_pool *pool = new_pool(workers);
        yunta_future *future[50];
        act a = {WELL, 1};
        int failed = 0;
        begin_killing(&k, pool, seed++);
        for (int i = 0; i < 50; i++)
            ck_assert_int_eq(yunta_submit(pool, behave, &a, &future[i]), 0);
        if (round % 3 == 0)
            yunta_pool_terminate(pool);
        else if (round % 3 == 1)
            yunta_pool_close(pool);
        if (round % 3 != 2)
            ck_assert_int_eq(yunta_pool_join(pool, 20000), 0);
        int hits = end_killing(&k);
        yunta_pool_destroy(pool);
        for (int i = 0; i < 50; i++) {
            int r = yunta_await(future[i], NULL, 0);
            ck_assert(r == 0 || r == YUNTA_ECRASHED || (r == YUNTA_ECLOSED && round % 3 != 1));
            failed += r == YUNTA_ECRASHED;
            yunta_future_destroy(future[i]);
        }
        ck_assert_int_le(failed, hits);
    }
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("pool kill");
    TCase *cases = test_case(suite, "random");
    tcase_set_timeout(cases, 200);
    TEST_FOR_EACH_METHOD(cases, maps_under_random_kills);
    TEST_FOR_EACH_METHOD(cases, single_tasks_under_random_kills);
    TEST_FOR_EACH_METHOD(cases, pools_end_under_random_kills);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
