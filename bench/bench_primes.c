/* Benchmark: the primes below 10^7 by trial division, 400 tasks of 25,000 numbers: the speed-up of two workers over one
 * process. Must never be made clever: a sieve would leave nothing to divide among the processors. Read next:
 * peers/openmp.h, the reference; README.md. */
#include <stdint.h>
#include <yunta/yunta.h>

#include "lib/aside.h"
#include "lib/bench.h"
#include "lib/row.h"
#include "peers/openmp.h"

enum { TASKS = 400, NUMBERS = 25000, PRIMES = 664579 };

static int is_prime(uint32_t n)
{
    if (n < 2)
        return 0;
    if (n % 2 == 0)
        return n == 2;
    for (uint32_t i = 3; i * i <= n; i += 2)
        if (n % i == 0)
            return 0;
    return 1;
}

static int count_primes(const int64_t *task, int64_t *count)
{
    uint32_t first = (uint32_t)*task * NUMBERS;
    *count = 0;
    for (uint32_t n = first; n < first + NUMBERS; n++)
        *count += is_prime(n);
    return 0;
}
YUNTA_TASK(count_primes, int64_t, int64_t);

/* The tasks' numbers and their results, in each process its own. */
static int64_t tasks[TASKS], counts[TASKS];

static void prepare(void)
{
    for (int64_t i = 0; i < TASKS; i++) {
        tasks[i] = i;
        counts[i] = -1;
    }
}

static void check(const char *who)
{
    int64_t sum = 0;
    for (int i = 0; i < TASKS; i++)
        sum += counts[i];
    if (sum != PRIMES)
        bench_wrong("%s counted %lld primes below 10^7, not %d", who, (long long)sum, PRIMES);
}

/* Each gives ms of wall time. */
static double by_yunta(yunta_pool *pool)
{
    prepare();
    int64_t begin = bench_now();
    int result = yunta_map(pool, count_primes, tasks, counts, TASKS);
    double ms = (double)(bench_now() - begin) / 1e6;
    bench_expect(result, 0, "yunta_map");
    check("yunta");
    return ms;
}

static void serially(struct bench_figures *figures)
{
    int (*volatile call)(const void *, void *) = yunta_task_count_primes.call;
    prepare();
    int64_t begin = bench_now();
    for (int i = 0; i < TASKS; i++)
        call(&tasks[i], &counts[i]);
    figures->value[0] = (double)(bench_now() - begin) / 1e6;
    check("the serial loop");
}

static void by_openmp(struct bench_figures *figures)
{
    static int64_t warm[2];
    openmp_map(yunta_task_count_primes.call, warm, warm, 2, 1); /* starts the threads */
    prepare();
    int64_t begin = bench_now();
    size_t failed = openmp_map(yunta_task_count_primes.call, tasks, counts, TASKS, 1);
    figures->value[0] = (double)(bench_now() - begin) / 1e6;
    openmp_rest();
    bench_expect((int)failed, 0, "OpenMP");
    check("OpenMP");
}

int main(int argc, char **argv)
{
    bench_expect(yunta_init(argc, argv), 0, "yunta_init");
    struct bench_aside aside;
    bench_aside_start(&aside);
    yunta_pool *pool;
    bench_expect(yunta_pool_create(&pool, &(yunta_pool_options){.workers = 2}), 0, "yunta_pool_create");

    struct bench_row rows[] = {
        bench_lead("primes", "speed_up", "x", OPENMP_NAME " dynamic", -0.03),
        bench_told("primes", "wall", "ms", "serial"),
    };
    if (!openmp_is_there())
        rows[0].absent = "this build has no OpenMP";
    for (size_t i = bench_rounds(7); i > 0; i--) {
        double serial = bench_aside_run(&aside, serially).value[0], own = by_yunta(pool);
        bench_row_add(&rows[1], own, serial);
        if (openmp_is_there())
            bench_row_add(&rows[0], serial / own, serial / bench_aside_run(&aside, by_openmp).value[0]);
        else
            bench_row_add_own(&rows[0], serial / own);
    }
    yunta_pool_destroy(pool);
    bench_aside_stop(&aside);
    bench_report(rows, BENCH_COUNT(rows));
    return 0;
}
