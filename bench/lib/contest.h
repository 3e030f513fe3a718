/* Two processes at one lock, and one at it alone: how often, and when it counts as begun and ended. */
#ifndef BENCH_CONTEST_H
#define BENCH_CONTEST_H

#include <stdatomic.h>
#include <stdint.h>

enum {
    BENCH_PAIRS = 100000, /* of acquire and release in a batch … */
    BENCH_BATCHES = 9,    /* … of so many, alone */
    BENCH_TURNS = 300000  /* by each of two; in each, a number is raised by one */
};

/* Stands in memory that both share. */
struct bench_contest {
    _Atomic int ready;
    _Atomic int64_t end[2];
    _Alignas(64) volatile int64_t number; /* under the lock */
};

/* Either of the two: waits for the other, and gives the time. */
int64_t bench_contest_begin(struct bench_contest *contest);

/* It is through. */
void bench_contest_end(struct bench_contest *contest, int who);

/* When both are: ns a turn. Ends the program if a turn is lost. */
double bench_contest_cost(const struct bench_contest *contest, int64_t begin);

#endif
