/* One task there and back, many times: to somebody who waits for it awake, or asleep. Figures in us. */
#ifndef BENCH_CALLS_H
#define BENCH_CALLS_H

#include <stdint.h>

/* Has `by`, whatever that is, compute nothing(in): in + 1. */
typedef int64_t bench_call(void *by, int64_t in);

/* Back to back. */
double bench_calls_hot(bench_call *call, void *by);

/* Each 2 ms after the last: long enough for the other side to go to sleep in the kernel. The pause is not counted. */
double bench_calls_asleep(bench_call *call, void *by);

/* Where the two sides run. What it takes to wake a sleeper depends above all on that. */
enum bench_place {
    BENCH_ANYWHERE, /* the kernel decides */
    BENCH_APART,    /* on the first processor and on the second */
    BENCH_TOGETHER, /* both on the first */
    BENCH_PLACES
};

/* For bench_place, in the caller and in the other: the processor's number, or negative for any. */
int bench_place_of_caller(enum bench_place place);
int bench_place_of_other(enum bench_place place);

#endif
