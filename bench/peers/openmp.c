/* OpenMP's dynamic loop, compiled apart from the tasks that it calls.
 * Must never know a task: what the compiler could see through would be no call.
 * Read next: ../bench_pool.c and ../bench_primes.c. */
#include "openmp.h"

#include <omp.h>

size_t openmp_map(int (*call)(const void *, void *), const int64_t *in, int64_t *out, size_t count, int chunk)
{
    size_t failed = 0;
    omp_set_dynamic(0);
#pragma omp parallel for schedule(dynamic, chunk) num_threads(2) reduction(+ : failed)
    for (size_t i = 0; i < count; i++)
        failed += call(in + i, out + i) < 0;
    return failed;
}

void openmp_rest(void)
{
    omp_pause_resource_all(omp_pause_hard);
}
