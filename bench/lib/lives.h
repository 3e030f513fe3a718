/* The short lives of pools: until four workers have met in a task, and until they are gone. */
#ifndef BENCH_LIVES_H
#define BENCH_LIVES_H

#include <stdint.h>

#include "aside.h"
#include "meeting.h"
#include "rounds.h"

/* Of each pool, ms. */
struct bench_lives {
    double ready[BENCH_LIVES], gone[BENCH_LIVES], both[BENCH_LIVES];
};

/* Notes life number `which`, and ends the program unless the workers were four and have ended. */
void bench_lives_note(struct bench_lives *lives, int which, int64_t ready_ns, int64_t gone_ns,
                      const pid_t pids[BENCH_PARTIES]);

/* The figures of the round: 0 ready, 1 gone, 2 both; medians, ms. */
struct bench_figures bench_lives_sum_up(struct bench_lives *lives);

#endif
