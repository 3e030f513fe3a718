/* Figures of pools that come and go.
 * Must never be inside the clock.
 * Read next: ../bench_pool.c and ../references/reference_plain.c, whose pools they are. */
#include "lives.h"

#include <errno.h>
#include <signal.h>

#include "bench.h"

void bench_lives_note(struct bench_lives *lives, int which, int64_t ready_ns, int64_t gone_ns,
                      const pid_t pids[BENCH_PARTIES])
{
    bench_meeting_check(pids);
    for (int i = 0; i < BENCH_PARTIES; i++)
        if (kill(pids[i], 0) == 0 || errno != ESRCH)
            bench_wrong("worker %d has outlived its pool", (int)pids[i]);
    lives->ready[which] = (double)ready_ns / 1e6;
    lives->gone[which] = (double)gone_ns / 1e6;
    lives->both[which] = (double)(ready_ns + gone_ns) / 1e6;
}

struct bench_figures bench_lives_sum_up(struct bench_lives *lives)
{
    return (struct bench_figures){{bench_median(lives->ready, BENCH_LIVES), bench_median(lives->gone, BENCH_LIVES),
                                   bench_median(lives->both, BENCH_LIVES)}};
}
