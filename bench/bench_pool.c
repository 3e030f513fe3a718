/* Benchmark: the pool. Workers up and gone, a map of trivial tasks, one task there and back.
 * Must never take a figure without its results checked.
 * Read next: references/, what it is held against; tasks.h; README.md. */
#include <stdint.h>
#include <yunta/yunta.h>

#include "expect.h"
#include "lib/aside.h"
#include "lib/bench.h"
#include "lib/calls.h"
#include "lib/lives.h"
#include "lib/meeting.h"
#include "lib/rounds.h"
#include "lib/row.h"
#include "tasks.h"

YUNTA_TASK(bench_meet, struct bench_seat, pid_t);
YUNTA_TASK(square, int64_t, int64_t);
YUNTA_TASK(nothing, int64_t, int64_t);

static struct bench_aside plain, openmp;

/* --- Workers up and gone. */

static struct bench_figures pools(struct bench_meeting *meeting)
{
    static const yunta_pool_options four = {.workers = BENCH_PARTIES};
    static const yunta_map_options one_each = {.chunk = 1};
    struct bench_lives lives;
    for (int i = 0; i < BENCH_LIVES; i++) {
        struct bench_seat seats[BENCH_PARTIES];
        pid_t pids[BENCH_PARTIES];
        yunta_pool *pool;
        bench_meeting_open(meeting, seats);
        int64_t begin = bench_now();
        expect(yunta_pool_create(&pool, &four), 0, "yunta_pool_create");
        expect(yunta_map_with(pool, bench_meet, seats, pids, BENCH_PARTIES, &one_each), 0, "yunta_map");
        int64_t ready = bench_now();
        yunta_pool_destroy(pool);
        bench_lives_note(&lives, i, ready - begin, bench_now() - ready, pids);
    }
    return bench_lives_sum_up(&lives);
}

static void compare_lives(struct bench_row rows[3])
{
    struct bench_meeting *meeting = yunta_shared(struct bench_meeting, 1);
    if (!meeting)
        bench_wrong("no shared memory for the meeting");
    pools(meeting); /* the first starts the watch */
    bench_aside_run(&plain, "fork pools");
    for (size_t i = bench_rounds(15); i > 0; i--) {
        struct bench_figures own = pools(meeting), peer = bench_aside_run(&plain, "fork pools");
        for (int k = 0; k < 3; k++)
            bench_row_add(&rows[k], own.value[k], peer.value[k]);
    }
    yunta_shared_free(meeting);
}

/* --- A map of trivial tasks. */

/* ns a task. */
static double map(yunta_pool *pool, const int64_t *in, int64_t *out, size_t chunk)
{
    const yunta_map_options options = {.chunk = chunk};
    double each[BENCH_MAPS];
    for (int i = -1; i < BENCH_MAPS; i++) { /* one more at first, as the reference has it */
        squares_spoil(out);
        int64_t begin = bench_now();
        int result = yunta_map_with(pool, square, in, out, MAP_TASKS, &options);
        if (i >= 0)
            each[i] = (double)(bench_now() - begin) / MAP_TASKS;
        expect(result, 0, "yunta_map");
        squares_check(in, out, "yunta_map");
    }
    return bench_median(each, BENCH_MAPS);
}

static void compare_maps(struct bench_row rows[2])
{
    static const size_t chunks[2] = {0, 1};
    static const char *const references[2] = {"map dynamic,64", "map dynamic,1"};
    yunta_pool *pool;
    expect(yunta_pool_create(&pool, &(yunta_pool_options){.workers = 2}), 0, "yunta_pool_create");
    int64_t *in = yunta_shared(int64_t, MAP_TASKS), *out = yunta_shared(int64_t, MAP_TASKS);
    if (!in || !out)
        bench_wrong("no shared memory for the arrays");
    squares_fill(in);
    for (int k = 0; k < 2; k++) {
        if (!BENCH_HAS_OPENMP)
            rows[k].absent = "this build has no OpenMP";
        for (size_t i = bench_rounds(15); i > 0; i--) {
            double own = map(pool, in, out, chunks[k]);
            if (BENCH_HAS_OPENMP)
                bench_row_add(&rows[k], own, bench_aside_run(&openmp, references[k]).value[0]);
            else
                bench_row_add_own(&rows[k], own);
        }
    }
    yunta_shared_free(in);
    yunta_shared_free(out);
    yunta_pool_destroy(pool);
}

/* --- One task there and back. */

static int64_t submit_and_await(void *pool, int64_t in)
{
    yunta_future *future;
    int64_t out = 0;
    expect(yunta_submit((yunta_pool *)pool, nothing, &in, &future), 0, "yunta_submit");
    expect(yunta_await(future, &out, YUNTA_FOREVER), 0, "yunta_await");
    yunta_future_destroy(future);
    return out;
}

static yunta_pool *make_lone_worker(enum bench_place place)
{
    int processor = bench_place_of_other(place);
    const yunta_process_options process = {.processors = &processor, .processor_count = processor >= 0};
    const yunta_pool_options options = {.workers = 1, .process = &process};
    yunta_pool *pool;
    expect(yunta_pool_create(&pool, &options), 0, "yunta_pool_create");
    return pool;
}

static void compare_hot(struct bench_row *row)
{
    yunta_pool *pool = make_lone_worker(BENCH_ANYWHERE);
    for (size_t i = bench_rounds(15); i > 0; i--) {
        double own = bench_calls_hot(submit_and_await, pool);
        bench_row_add(row, own, bench_aside_run(&plain, "hot by futex").value[0]);
    }
    yunta_pool_destroy(pool);
}

static void compare_asleep(struct bench_row by_pipes[BENCH_PLACES], struct bench_row by_futex[BENCH_PLACES])
{
    yunta_pool *pool[BENCH_PLACES];
    for (enum bench_place place = 0; place < BENCH_PLACES; place++)
        pool[place] = make_lone_worker(place);
    for (size_t i = bench_rounds(15); i > 0; i--) {
        double own[BENCH_PLACES];
        for (enum bench_place place = 0; place < BENCH_PLACES; place++) {
            bench_place(bench_place_of_caller(place));
            own[place] = bench_calls_asleep(submit_and_await, pool[place]);
            bench_place(-1);
        }
        struct bench_figures pipes = bench_aside_run(&plain, "asleep by pipes");
        struct bench_figures futex = bench_aside_run(&plain, "asleep by futex");
        for (enum bench_place place = 0; place < BENCH_PLACES; place++) {
            bench_row_add(&by_pipes[place], own[place], pipes.value[place]);
            bench_row_add(&by_futex[place], own[place], futex.value[place]);
        }
    }
    for (enum bench_place place = 0; place < BENCH_PLACES; place++)
        yunta_pool_destroy(pool[place]);
}

int main(int argc, char **argv)
{
    expect(yunta_init(argc, argv), 0, "yunta_init");
    bench_aside_start(&plain, "reference_plain");
    if (BENCH_HAS_OPENMP)
        bench_aside_start(&openmp, "reference_openmp");

    struct bench_row rows[] = {
        bench_cost("pool", "ready_4", "ms", "fork+pipe pool", 1.6),
        bench_cost("pool", "gone_4", "ms", "fork+pipe pool", 1.6),
        bench_cost("pool", "ready_and_gone_4", "ms", "fork+pipe pool", 1.6),
        bench_cost("pool", "map_auto", "ns", BENCH_OPENMP " dynamic,64", 2),
        bench_cost("pool", "map_chunk_1", "ns", BENCH_OPENMP " dynamic,1", 1),
        bench_cost("pool", "submit_hot", "us", "spin+futex ping-pong", 2),
        bench_cost("pool", "submit_asleep", "us", "two pipes", 1.3),
        bench_told("pool", "submit_asleep_apart", "us", "two pipes"),
        bench_told("pool", "submit_asleep_same", "us", "two pipes"),
        bench_told("pool", "submit_asleep", "us", "spin+futex ping-pong"),
        bench_told("pool", "submit_asleep_apart", "us", "spin+futex ping-pong"),
        bench_told("pool", "submit_asleep_same", "us", "spin+futex ping-pong"),
    };
    compare_lives(&rows[0]);
    compare_maps(&rows[3]);
    compare_hot(&rows[5]);
    compare_asleep(&rows[6], &rows[9]);
    if (BENCH_HAS_OPENMP)
        bench_aside_stop(&openmp);
    bench_aside_stop(&plain);
    bench_report(rows, BENCH_COUNT(rows));
    return 0;
}
