/* Benchmark: what a pool of 4 costs while it has nothing to do: processor time of its processes, memory of a worker.
 * Must never look at the pool between the two readings of the clocks: an idle machine is meant.
 * Read next: lib/procs.h; README.md. */
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include <yunta/yunta.h>

#include "expect.h"
#include "lib/aside.h"
#include "lib/bench.h"
#include "lib/meeting.h"
#include "lib/procs.h"
#include "lib/rounds.h"
#include "lib/row.h"

enum { WORKERS = BENCH_PARTIES, MANY = 64 };

#define IDLE_NS 5000000000ll

YUNTA_TASK(bench_meet, struct bench_seat, pid_t);

static const yunta_map_options one_each = {.chunk = 1};

static bool is_among(pid_t pid, const pid_t *pids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

/* All processes of the team but this one: workers, foreman, watch. */
static size_t find_processes(const void *shared, const pid_t *workers, pid_t *pids)
{
    size_t count = bench_procs_sharing(shared, pids, MANY);
    if (count > MANY)
        bench_wrong("%zu processes share the arena: not an idle pool of %d", count, WORKERS);
    for (int i = 0; i < WORKERS; i++)
        if (!is_among(workers[i], pids, count))
            bench_wrong("worker %d is not found among the processes of the team", (int)workers[i]);
    return count;
}

/* Processor time that these take while this process sleeps, ms. */
static double idle_ms(const pid_t *pids, size_t count)
{
    int64_t before = 0, after = 0;
    for (size_t i = 0; i < count; i++)
        before += bench_procs_cpu_ns(pids[i]);
    bench_pause(IDLE_NS);
    for (size_t i = 0; i < count; i++)
        after += bench_procs_cpu_ns(pids[i]);
    return (double)(after - before) / 1e6;
}

static size_t idle_yunta(double *ms, double *pss_kib)
{
    yunta_pool *pool;
    struct bench_meeting *meeting = yunta_shared(struct bench_meeting, 1);
    if (!meeting)
        bench_wrong("no shared memory");
    struct bench_seat seats[WORKERS];
    pid_t workers[WORKERS], all[MANY];
    bench_meeting_open(meeting, seats);
    expect(yunta_pool_create(&pool, &(yunta_pool_options){.workers = WORKERS}), 0, "yunta_pool_create");
    expect(yunta_map_with(pool, bench_meet, seats, workers, WORKERS, &one_each), 0, "yunta_map");
    bench_meeting_check(workers);
    bench_pause(BENCH_SETTLE_NS);
    size_t count = find_processes(meeting, workers, all);
    *ms = idle_ms(all, count);
    *pss_kib = bench_procs_mean_pss_kib(workers, WORKERS);
    yunta_pool_destroy(pool);
    yunta_shared_free(meeting);
    return count;
}

int main(int argc, char **argv)
{
    expect(yunta_init(argc, argv), 0, "yunta_init");
    struct bench_aside aside;
    bench_aside_start(&aside, "reference_plain");

    struct bench_row rows[] = {
        bench_limit("idle", "cpu_5s", "ms", 1),
        bench_cost("idle", "worker_pss", "KiB", "fork+pipe worker", 1.5),
    };
    size_t processes = 0;
    for (size_t i = bench_rounds(3); i > 0; i--) {
        double ms, pss_kib;
        processes = idle_yunta(&ms, &pss_kib);
        bench_row_add_own(&rows[0], ms);
        bench_row_add(&rows[1], pss_kib, bench_aside_run(&aside, "idle fork pool").value[0]);
    }
    bench_aside_stop(&aside);
    bench_report(rows, BENCH_COUNT(rows));
    printf("idle: the processor time is that of %zu processes: %d workers, and %zu that look after them\n", processes,
           WORKERS, processes - WORKERS);
    return 0;
}
