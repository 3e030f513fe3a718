/* Two processes at one lock: their start, their end, and what they have done.
 * Must never take the lock itself.
 * Read next: ../bench_lock.c and ../peers/mutex.c, who do. */
#include "contest.h"
#include "bench.h"

int64_t bench_contest_begin(struct bench_contest *contest)
{
    atomic_fetch_add(&contest->ready, 1);
    while (atomic_load(&contest->ready) < 2) {
    }
    return bench_now();
}

void bench_contest_end(struct bench_contest *contest, int who)
{
    atomic_store(&contest->end[who], bench_now());
}

double bench_contest_cost(const struct bench_contest *contest, int64_t begin)
{
    int64_t end = atomic_load(&contest->end[0]), other = atomic_load(&contest->end[1]);
    if (contest->number != 2 * BENCH_TURNS || end == 0 || other == 0)
        bench_wrong("two that took %d turns each came to %lld", BENCH_TURNS, (long long)contest->number);
    return (double)((other > end ? other : end) - begin) / (2 * BENCH_TURNS);
}
