/* What every benchmark shares: the clock, the end on a wrong result, medians, and the number of rounds. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* CLOCK_MONOTONIC, ns. */
int64_t bench_now(void);

/* Sleeps so long; the time is not meant to be counted. */
void bench_pause(int64_t ns);

/* A result is wrong, or the measurement cannot go on: says so on stderr and ends the program with status 1. */
void bench_wrong(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* malloc that does not fail; freed by free. */
void *bench_alloc(size_t size);

/* The number of the k-th processor that the program may run on; negative if there are not so many. */
int bench_processor(int k);

/* Lets the calling thread run on that processor only; negative: on all that the program may run on. */
void bench_place(int processor);

/* The median of values[0…count-1], count > 0. They are left sorted. */
double bench_median(double *values, size_t count);

/* How many rounds to run: `normally`, or what YUNTA_BENCH_ROUNDS says. */
size_t bench_rounds(size_t normally);

#endif
