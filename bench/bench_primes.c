/* Benchmark: primes by trial division, 400 tasks of 25,000 numbers: the speed-up of two workers over one process.
 * Must never be made clever: a sieve would leave nothing to divide among the processors.
 * Read next: tasks.h, the task; references/reference_openmp.c, the reference. */
#include <stdint.h>
#include <yunta/yunta.h>

#include "expect.h"
#include "lib/aside.h"
#include "lib/bench.h"
#include "lib/row.h"
#include "tasks.h"

YUNTA_TASK(count_primes, int64_t, int64_t);

/* ms of wall time. */
static double by_yunta(yunta_pool *pool)
{
    static int64_t tasks[PRIME_TASKS], counts[PRIME_TASKS];
    primes_prepare(tasks, counts);
    int64_t begin = bench_now();
    int result = yunta_map(pool, count_primes, tasks, counts, PRIME_TASKS);
    double ms = (double)(bench_now() - begin) / 1e6;
    expect(result, 0, "yunta_map");
    primes_check(counts, "yunta");
    return ms;
}

int main(int argc, char **argv)
{
    expect(yunta_init(argc, argv), 0, "yunta_init");
    struct bench_aside plain, openmp;
    bench_aside_start(&plain, "reference_plain");
    if (BENCH_HAS_OPENMP)
        bench_aside_start(&openmp, "reference_openmp");
    yunta_pool *pool;
    expect(yunta_pool_create(&pool, &(yunta_pool_options){.workers = 2}), 0, "yunta_pool_create");

    struct bench_row rows[] = {
        bench_lead("primes", "speed_up", "x", BENCH_OPENMP " dynamic", -0.03),
        bench_told("primes", "wall", "ms", "serial"),
    };
    if (!BENCH_HAS_OPENMP)
        rows[0].absent = "this build has no OpenMP";
    for (size_t i = bench_rounds(7); i > 0; i--) {
        double serial = bench_aside_run(&plain, "serial primes").value[0], own = by_yunta(pool);
        bench_row_add(&rows[1], own, serial);
        if (BENCH_HAS_OPENMP)
            bench_row_add(&rows[0], serial / own, serial / bench_aside_run(&openmp, "primes").value[0]);
        else
            bench_row_add_own(&rows[0], serial / own);
    }
    yunta_pool_destroy(pool);
    if (BENCH_HAS_OPENMP)
        bench_aside_stop(&openmp);
    bench_aside_stop(&plain);
    bench_report(rows, BENCH_COUNT(rows));
    return 0;
}
