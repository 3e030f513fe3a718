/* Two processes at one lock: their start, their end, and what they have done.
 * Must never take the lock itself.
 * Read next: ../bench_lock.c and ../peers/mutex.c, who do. */
#include "contest.h"

struct bench_party *bench_contest_begin(struct bench_contest *contest, int who)
{
    struct bench_party *party = &contest->party[who];
    bench_place(bench_processor(who)); /* anywhere, if there is but one */
    atomic_fetch_add(&contest->ready, 1);
    while (atomic_load(&contest->ready) < 2) {
    }
    party->ticks = bench_ticks();
    party->begin = bench_now();
    return party;
}

void bench_contest_end(struct bench_contest *contest, struct bench_party *party)
{
    party->end = bench_now();
    party->ticks = bench_ticks() - party->ticks;
    atomic_fetch_add(&contest->ready, 1);
    bench_place(-1);
}

/* The middle of what is counted there. */
static double ticks_of_bin(uint32_t bin)
{
    if (bin < BENCH_WAIT_STEPS)
        return bin;
    uint32_t power = bin / BENCH_WAIT_STEPS + 3;
    return (double)(BENCH_WAIT_STEPS + bin % BENCH_WAIT_STEPS + 0.5) * (double)(UINT64_C(1) << (power - 4));
}

/* How long the `share` of all waits took at most. */
static double wait_of(const struct bench_contest *contest, double share, uint64_t waits)
{
    uint64_t seen = 0;
    uint32_t bin = 0;
    for (; bin < BENCH_WAIT_BINS - 1; bin++) {
        seen += contest->party[0].waits[bin] + contest->party[1].waits[bin];
        if ((double)seen >= share * (double)waits)
            break;
    }
    const struct bench_party *first = &contest->party[0];
    return ticks_of_bin(bin) * (double)(first->end - first->begin) / (double)first->ticks;
}

double bench_contest_time(const struct bench_contest *contest)
{
    const struct bench_party *one = &contest->party[0], *other = &contest->party[1];
    if (atomic_load(&contest->ready) != 4)
        bench_wrong("of two that begin and end together, one has not");
    int64_t begin = one->begin < other->begin ? one->begin : other->begin;
    return (double)((one->end > other->end ? one->end : other->end) - begin);
}

void bench_contest_sum_up(const struct bench_contest *contest, double figures[BENCH_CONTEST_FIGURES])
{
    long long one = contest->party[0].turns, other = contest->party[1].turns, turns = one + other;
    if (contest->number != turns || one == 0 || other == 0)
        bench_wrong("two that took %lld and %lld turns came to %lld", one, other, (long long)contest->number);
    figures[BENCH_TURN] = bench_contest_time(contest) / (double)turns;
    if (!contest->load.is_timed)
        return;
    figures[BENCH_WAIT_P50] = wait_of(contest, 0.5, (uint64_t)turns);
    figures[BENCH_WAIT_P99] = wait_of(contest, 0.99, (uint64_t)turns);
    figures[BENCH_WAIT_P999] = wait_of(contest, 0.999, (uint64_t)turns);
}
