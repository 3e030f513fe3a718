/* The tasks that both sides run, their inputs and the checks of their results. The bodies are compiled into either
 * side, and called through a pointer there. */
#ifndef BENCH_TASKS_H
#define BENCH_TASKS_H

#include <stdint.h>

enum {
    MAP_TASKS = 1000000,
    PRIME_TASKS = 400,
    PRIME_NUMBERS = 25000, /* in each of them */
    PRIME_COUNT = 664579   /* below PRIME_TASKS * PRIME_NUMBERS */
};

/* x[i] = i - 7. */
void squares_fill(int64_t *in);

/* Makes the results wrong, in the process that will wait for them. */
void squares_spoil(int64_t *out);

/* Ends the program unless every out[i] is the square of in[i], and that what it was. */
void squares_check(const int64_t *in, const int64_t *out, const char *who);

void primes_prepare(int64_t tasks[PRIME_TASKS], int64_t counts[PRIME_TASKS]);
void primes_check(const int64_t counts[PRIME_TASKS], const char *who);

static inline int square(const int64_t *x, int64_t *y)
{
    *y = *x * *x;
    return 0;
}

static inline int nothing(const int64_t *x, int64_t *y)
{
    *y = *x + 1;
    return 0;
}

static inline int is_prime(uint32_t n)
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

static inline int count_primes(const int64_t *task, int64_t *count)
{
    uint32_t first = (uint32_t)*task * PRIME_NUMBERS;
    *count = 0;
    for (uint32_t n = first; n < first + PRIME_NUMBERS; n++)
        *count += is_prime(n);
    return 0;
}

#endif
