/* What both sides of a benchmark do in a round: agreed here, so that they do the same. */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

enum {
    BENCH_STARTS = 50, /* processes started and joined, one after the other */
    BENCH_STATUS = 7,  /* that each of them ends with */
    BENCH_LIVES = 10,  /* pools made and ended */
    BENCH_MAPS = 3     /* maps run */
};

/* Between the last task of a pool and its being called idle. */
#define BENCH_SETTLE_NS 100000000ll

#endif
