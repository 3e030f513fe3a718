/* References made with OpenMP: a map of trivial tasks, and the primes, each by two threads.
 * Must never leave a thread spinning when it has answered: yunta is measured next.
 * Read next: ../peers/openmp.c. */
#include <stddef.h>

#include "reference.h"

#include "../lib/bench.h"
#include "../lib/rounds.h"
#include "../peers/openmp.h"
#include "../tasks.h"

static int call_square(const void *in, void *out)
{
    return square(in, out);
}

static int call_count_primes(const void *in, void *out)
{
    return count_primes(in, out);
}

static void check_failed(size_t failed)
{
    if (failed != 0)
        bench_wrong("OpenMP: %zu tasks failed", failed);
}

/* ns a task. */
static void map(struct bench_figures *figures, int chunk)
{
    static int64_t *in, *out;
    if (!in) {
        in = bench_alloc(MAP_TASKS * sizeof *in);
        out = bench_alloc(MAP_TASKS * sizeof *out);
        squares_fill(in);
    }
    double each[BENCH_MAPS];
    for (int i = -1; i < BENCH_MAPS; i++) { /* one more at first, which starts the threads */
        squares_spoil(out);
        int64_t begin = bench_now();
        size_t failed = openmp_map(call_square, in, out, MAP_TASKS, chunk);
        if (i >= 0)
            each[i] = (double)(bench_now() - begin) / MAP_TASKS;
        check_failed(failed);
        squares_check(in, out, "OpenMP");
    }
    openmp_rest();
    figures->value[0] = bench_median(each, BENCH_MAPS);
}

static void map_64(struct bench_figures *figures)
{
    map(figures, 64);
}

static void map_1(struct bench_figures *figures)
{
    map(figures, 1);
}

/* ms. */
static void primes(struct bench_figures *figures)
{
    static int64_t tasks[PRIME_TASKS], counts[PRIME_TASKS];
    int64_t warm[2] = {0, 0}, unused[2];
    check_failed(openmp_map(call_count_primes, warm, unused, 2, 1)); /* starts the threads */
    primes_prepare(tasks, counts);
    int64_t begin = bench_now();
    size_t failed = openmp_map(call_count_primes, tasks, counts, PRIME_TASKS, 1);
    figures->value[0] = (double)(bench_now() - begin) / 1e6;
    openmp_rest();
    check_failed(failed);
    primes_check(counts, "OpenMP");
}

int main(void)
{
    static const struct reference_measure measures[] = {
        {"map dynamic,64", map_64}, {"map dynamic,1", map_1}, {"primes", primes}};
    return reference_serve(measures, BENCH_COUNT(measures));
}
