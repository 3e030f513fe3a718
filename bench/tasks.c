/* Inputs and checks of the tasks.
 * Must never be inside the clock: checking a million results costs more than computing them.
 * Read next: bench_pool.c, references/reference_openmp.c. */
#include "tasks.h"
#include "lib/bench.h"

void squares_fill(int64_t *in)
{
    for (int64_t i = 0; i < MAP_TASKS; i++)
        in[i] = i - 7;
}

void squares_spoil(int64_t *out)
{
    for (int64_t i = 0; i < MAP_TASKS; i++)
        out[i] = -1;
}

void squares_check(const int64_t *in, const int64_t *out, const char *who)
{
    for (int64_t i = 0; i < MAP_TASKS; i++)
        if (in[i] != i - 7 || out[i] != (i - 7) * (i - 7))
            bench_wrong("%s: task %lld gave %lld", who, (long long)i, (long long)out[i]);
}

void primes_prepare(int64_t tasks[PRIME_TASKS], int64_t counts[PRIME_TASKS])
{
    for (int64_t i = 0; i < PRIME_TASKS; i++) {
        tasks[i] = i;
        counts[i] = -1;
    }
}

void primes_check(const int64_t counts[PRIME_TASKS], const char *who)
{
    int64_t sum = 0;
    for (int i = 0; i < PRIME_TASKS; i++)
        sum += counts[i];
    if (sum != PRIME_COUNT)
        bench_wrong("%s counted %lld primes below 10^7, not %d", who, (long long)sum, PRIME_COUNT);
}
