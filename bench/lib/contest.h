/* Two processes at one lock, each on a processor of its own, for a given time: how many turns they come to, and how
 * long each waits for its own. All of it but the ends is inlined into who includes this, so that the lock is called
 * directly.
 *
 * A turn raises a number under the lock, and then works by itself for as long as the load says. They take turns by
 * time, not by number: else one could be through before the other has begun. */
#ifndef BENCH_CONTEST_H
#define BENCH_CONTEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench.h"

enum {
    BENCH_PAIRS = 100000,   /* of acquire and release in a batch … */
    BENCH_BATCHES = 9,      /* … of so many, by one process alone */
    BENCH_WORK = 100,       /* steps by itself between two turns, if it works there: some 0.2 us */
    BENCH_CLOCK_EVERY = 64, /* turns */
    BENCH_WAIT_STEPS = 16,  /* of a power of two: a wait is counted as one that is at most 1/16 longer or shorter */
    BENCH_WAIT_BINS = 64 * BENCH_WAIT_STEPS
};

#define BENCH_CONTEST_NS 30000000ll

/* What each does besides raising the number. */
struct bench_load {
    uint32_t work; /* steps between two turns */
    bool is_timed; /* each wait is; the clock costs all locks the same */
};

struct bench_party {
    _Alignas(64) int64_t begin, end, turns;
    uint64_t ticks, work; /* the clock's ticks from begin to end; what its own work came to */
    uint64_t waits[BENCH_WAIT_BINS];
};

/* Stands in memory that both share, all zero at first. */
struct bench_contest {
    struct bench_load load;
    _Alignas(64) _Atomic int ready;
    _Alignas(64) _Atomic int over;
    _Alignas(64) volatile int64_t number; /* under the lock */
    struct bench_party party[2];
};

/* ns: a turn's share of the time, so the inverse of the throughput; how long half of all waits took at most, 99 of 100,
 * 999 of 1000. */
enum { BENCH_TURN, BENCH_WAIT_P50, BENCH_WAIT_P99, BENCH_WAIT_P999, BENCH_CONTEST_FIGURES };

/* The cheapest clock of the machine: its ticks are made ns afterwards. */
static inline uint64_t bench_ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return (uint64_t)bench_now();
#endif
}

static inline uint32_t bench_wait_bin(uint64_t ticks)
{
    if (ticks < BENCH_WAIT_STEPS)
        return (uint32_t)ticks;
    uint32_t power = 63 - (uint32_t)__builtin_clzll(ticks); /* from 4 on */
    return (power - 3) * BENCH_WAIT_STEPS + (uint32_t)(ticks >> (power - 4) & (BENCH_WAIT_STEPS - 1));
}

/* Each of the two, 0 and 1: goes to its processor, waits for the other, and notes when it begins. */
struct bench_party *bench_contest_begin(struct bench_contest *contest, int who);

/* Each of the two: it is through. */
void bench_contest_end(struct bench_contest *contest, struct bench_party *party);

/* When both are: ns from the first one's begin to the last one's end. */
double bench_contest_time(const struct bench_contest *contest);

/* The same of turns at a lock. Ends the program if one is lost. */
void bench_contest_sum_up(const struct bench_contest *contest, double figures[BENCH_CONTEST_FIGURES]);

/* Either of the two: all its turns at `lock`. */
static inline __attribute__((always_inline)) void bench_contest_take_turns(struct bench_contest *contest, int who,
                                                                           void (*acquire)(void *),
                                                                           void (*release)(void *), void *lock)
{
    struct bench_load load = contest->load;
    struct bench_party *party = bench_contest_begin(contest, who);
    int64_t turns = 0;
    uint64_t work = 0;
    while (!atomic_load_explicit(&contest->over, memory_order_relaxed)) {
        uint64_t asked = load.is_timed ? bench_ticks() : 0;
        acquire(lock);
        if (load.is_timed)
            party->waits[bench_wait_bin(bench_ticks() - asked)]++;
        contest->number = contest->number + 1;
        release(lock);
        for (uint32_t i = 0; i < load.work; i++) {
            work = work * UINT64_C(6364136223846793005) + i;
            __asm__ volatile("" : "+r"(work));
        }
        if (++turns % BENCH_CLOCK_EVERY == 0 && bench_now() - party->begin > BENCH_CONTEST_NS)
            atomic_store_explicit(&contest->over, 1, memory_order_relaxed);
    }
    party->turns = turns;
    party->work = work;
    bench_contest_end(contest, party);
}

#endif
