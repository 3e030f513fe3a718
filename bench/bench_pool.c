/* Benchmark: the pool. Workers up and gone, a map of trivial tasks, one task there and back.
 * Must never take a figure without its results checked, nor let one peer's threads spin while the other is measured.
 * Read next: peers/, the references; README.md. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <yunta/yunta.h>

#include "lib/aside.h"
#include "lib/bench.h"
#include "lib/meeting.h"
#include "lib/row.h"
#include "peers/fork_pool.h"
#include "peers/openmp.h"
#include "peers/ping_pong.h"

enum {
    WORKERS = BENCH_PARTIES,
    POOLS = 10,      /* made and ended in a round */
    TASKS = 1000000, /* of a map */
    MAPS = 3,        /* in a round */
    BATCHES = 200,   /* of calls back to back in a round, … */
    CALLS = 100,     /* … each of so many */
    LONE_CALLS = 30  /* calls in a round to one that sleeps */
};

#define PAUSE_NS 2000000ll

static int square(const int64_t *x, int64_t *y)
{
    *y = *x * *x;
    return 0;
}
YUNTA_TASK(square, int64_t, int64_t);

static int nothing(const int64_t *x, int64_t *y)
{
    *y = *x + 1;
    return 0;
}
YUNTA_TASK(nothing, int64_t, int64_t);

YUNTA_TASK(bench_meet, struct bench_seat, pid_t);

static struct bench_aside aside;

/* --- Workers up and gone. Figures of a round: 0 ready, 1 gone, 2 both; ms. */

static struct bench_meeting *aside_meeting;

struct lives {
    double ready[POOLS], gone[POOLS], both[POOLS];
};

static void note_life(struct lives *lives, int which, int64_t ready_ns, int64_t gone_ns)
{
    lives->ready[which] = (double)ready_ns / 1e6;
    lives->gone[which] = (double)gone_ns / 1e6;
    lives->both[which] = (double)(ready_ns + gone_ns) / 1e6;
}

static struct bench_figures sum_up(struct lives *lives)
{
    return (struct bench_figures){
        {bench_median(lives->ready, POOLS), bench_median(lives->gone, POOLS), bench_median(lives->both, POOLS)}};
}

static void check_gone(const pid_t *pids)
{
    for (int i = 0; i < WORKERS; i++)
        if (kill(pids[i], 0) == 0 || errno != ESRCH)
            bench_wrong("worker %d has outlived its pool", (int)pids[i]);
}

static void fork_pools_live(struct bench_figures *figures)
{
    struct lives lives;
    for (int i = 0; i < POOLS; i++) {
        struct bench_seat seats[WORKERS];
        pid_t pids[WORKERS];
        bench_meeting_open(aside_meeting, seats);
        struct fork_pool pool;
        int64_t begin = bench_now();
        fork_pool_start(&pool);
        fork_pool_map(&pool, yunta_task_bench_meet.call, seats, sizeof *seats, pids, sizeof *pids, WORKERS);
        int64_t ready = bench_now();
        fork_pool_stop(&pool);
        note_life(&lives, i, ready - begin, bench_now() - ready);
        bench_meeting_check(pids);
        check_gone(pids);
    }
    *figures = sum_up(&lives);
}

static struct bench_figures yunta_pools_live(struct bench_meeting *meeting)
{
    static const yunta_pool_options four = {.workers = WORKERS};
    static const yunta_map_options one_each = {.chunk = 1};
    struct lives lives;
    for (int i = 0; i < POOLS; i++) {
        struct bench_seat seats[WORKERS];
        pid_t pids[WORKERS];
        bench_meeting_open(meeting, seats);
        yunta_pool *pool;
        int64_t begin = bench_now();
        bench_expect(yunta_pool_create(&pool, &four), 0, "yunta_pool_create");
        bench_expect(yunta_map_with(pool, bench_meet, seats, pids, WORKERS, &one_each), 0, "yunta_map");
        int64_t ready = bench_now();
        yunta_pool_destroy(pool);
        note_life(&lives, i, ready - begin, bench_now() - ready);
        bench_meeting_check(pids);
        check_gone(pids);
    }
    return sum_up(&lives);
}

static void compare_lives(struct bench_row rows[3])
{
    struct bench_meeting *meeting = yunta_shared(struct bench_meeting, 1);
    if (!meeting)
        bench_wrong("no shared memory for the meeting");
    yunta_pools_live(meeting); /* the first starts the watch */
    bench_aside_run(&aside, fork_pools_live);
    for (size_t i = bench_rounds(15); i > 0; i--) {
        struct bench_figures own = yunta_pools_live(meeting), peer = bench_aside_run(&aside, fork_pools_live);
        for (int k = 0; k < 3; k++)
            bench_row_add(&rows[k], own.value[k], peer.value[k]);
    }
    yunta_shared_free(meeting);
}

/* --- A map of trivial tasks. Figure: ns a task. */

struct arrays {
    int64_t *in, *out;
};

/* The results are made wrong first, by the process that will wait for them. */
static void spoil(struct arrays *arrays)
{
    for (int64_t i = 0; i < TASKS; i++)
        arrays->out[i] = -1;
}

static void check_squares(const struct arrays *arrays, const char *who)
{
    for (int64_t i = 0; i < TASKS; i++)
        if (arrays->in[i] != i - 7 || arrays->out[i] != (i - 7) * (i - 7))
            bench_wrong("%s: task %lld gave %lld", who, (long long)i, (long long)arrays->out[i]);
}

static void fill(struct arrays *arrays)
{
    for (int64_t i = 0; i < TASKS; i++)
        arrays->in[i] = i - 7;
}

static void map_openmp(struct bench_figures *figures, int chunk)
{
    static struct arrays arrays;
    if (!arrays.in) {
        arrays.in = bench_alloc(TASKS * sizeof *arrays.in);
        arrays.out = bench_alloc(TASKS * sizeof *arrays.out);
        fill(&arrays);
    }
    double each[MAPS];
    for (int i = -1; i < MAPS; i++) { /* one more at first, which starts the threads */
        spoil(&arrays);
        int64_t begin = bench_now();
        size_t failed = openmp_map(yunta_task_square.call, arrays.in, arrays.out, TASKS, chunk);
        if (i >= 0)
            each[i] = (double)(bench_now() - begin) / TASKS;
        bench_expect((int)failed, 0, "OpenMP");
        check_squares(&arrays, "OpenMP");
    }
    openmp_rest();
    figures->value[0] = bench_median(each, MAPS);
}

static void map_openmp_64(struct bench_figures *figures)
{
    map_openmp(figures, 64);
}

static void map_openmp_1(struct bench_figures *figures)
{
    map_openmp(figures, 1);
}

static double map_yunta(yunta_pool *pool, struct arrays *arrays, size_t chunk)
{
    const yunta_map_options options = {.chunk = chunk};
    double each[MAPS];
    for (int i = -1; i < MAPS; i++) {
        spoil(arrays);
        int64_t begin = bench_now();
        int result = yunta_map_with(pool, square, arrays->in, arrays->out, TASKS, &options);
        if (i >= 0)
            each[i] = (double)(bench_now() - begin) / TASKS;
        bench_expect(result, 0, "yunta_map");
        check_squares(arrays, "yunta_map");
    }
    return bench_median(each, MAPS);
}

static void compare_map(struct bench_row *row, yunta_pool *pool, struct arrays *arrays, size_t chunk,
                        bench_measure *peer)
{
    if (!openmp_is_there())
        row->absent = "this build has no OpenMP";
    for (size_t i = bench_rounds(15); i > 0; i--) {
        double own = map_yunta(pool, arrays, chunk);
        if (openmp_is_there())
            bench_row_add(row, own, bench_aside_run(&aside, peer).value[0]);
        else
            bench_row_add_own(row, own);
    }
}

static void compare_maps(struct bench_row rows[2])
{
    yunta_pool *pool;
    bench_expect(yunta_pool_create(&pool, &(yunta_pool_options){.workers = 2}), 0, "yunta_pool_create");
    struct arrays arrays = {yunta_shared(int64_t, TASKS), yunta_shared(int64_t, TASKS)};
    if (!arrays.in || !arrays.out)
        bench_wrong("no shared memory for the arrays");
    fill(&arrays);
    compare_map(&rows[0], pool, &arrays, 0, map_openmp_64);
    compare_map(&rows[1], pool, &arrays, 1, map_openmp_1);
    yunta_shared_free(arrays.in);
    yunta_shared_free(arrays.out);
    yunta_pool_destroy(pool);
}

/* --- One task there and back. Figure: us. `by` is a yunta_pool or a ping_pong. */

typedef int64_t there_and_back(void *by, int64_t in);

static int64_t by_yunta(void *by, int64_t in)
{
    yunta_future *future;
    int64_t out = 0;
    bench_expect(yunta_submit((yunta_pool *)by, nothing, &in, &future), 0, "yunta_submit");
    bench_expect(yunta_await(future, &out, YUNTA_FOREVER), 0, "yunta_await");
    yunta_future_destroy(future);
    return out;
}

static int64_t by_ping_pong(void *by, int64_t in)
{
    return ping_pong_call(by, yunta_task_nothing.call, in);
}

static void call_checked(there_and_back *call, void *by, int64_t in)
{
    int64_t out = call(by, in);
    if (out != in + 1)
        bench_wrong("task %lld gave %lld", (long long)in, (long long)out);
}

/* Back to back, timed a batch at a time, so that the clock weighs nothing. */
static double call_hot(there_and_back *call, void *by)
{
    double each[BATCHES];
    int64_t in = 0;
    for (int i = -BATCHES / 10; i < BATCHES; i++) {
        int64_t begin = bench_now();
        for (int k = 0; k < CALLS; k++)
            call_checked(call, by, in++);
        if (i >= 0)
            each[i] = (double)(bench_now() - begin) / 1e3 / CALLS;
    }
    return bench_median(each, BATCHES);
}

/* With a pause before each, long enough for the other side to go to sleep in the kernel. */
static double call_asleep(there_and_back *call, void *by)
{
    double each[LONE_CALLS];
    for (int i = 0; i < LONE_CALLS; i++) {
        bench_pause(PAUSE_NS);
        int64_t begin = bench_now();
        call_checked(call, by, i);
        each[i] = (double)(bench_now() - begin) / 1e3;
    }
    return bench_median(each, LONE_CALLS);
}

static void hot_by_futex(struct bench_figures *figures)
{
    struct ping_pong pair;
    ping_pong_start(&pair, PING_PONG_FUTEX, -1);
    figures->value[0] = call_hot(by_ping_pong, &pair);
    ping_pong_stop(&pair);
}

/* What it takes to wake a sleeper depends above all on where it sleeps: where the kernel likes, on the other processor,
 * or on that of the caller. */
enum place { ANYWHERE, APART, TOGETHER, PLACES };

static int place_of_caller(enum place place)
{
    return place == ANYWHERE ? -1 : bench_processor(0);
}

static int place_of_other(enum place place)
{
    return place == ANYWHERE ? -1 : bench_processor(place == APART ? 1 : 0);
}

static void asleep_by(enum ping_pong_by by, struct bench_figures *figures)
{
    for (enum place place = 0; place < PLACES; place++) {
        struct ping_pong pair;
        ping_pong_start(&pair, by, place_of_other(place));
        bench_place(place_of_caller(place));
        figures->value[place] = call_asleep(by_ping_pong, &pair);
        bench_place(-1);
        ping_pong_stop(&pair);
    }
}

static void asleep_by_pipes(struct bench_figures *figures)
{
    asleep_by(PING_PONG_PIPES, figures);
}

static void asleep_by_futex(struct bench_figures *figures)
{
    asleep_by(PING_PONG_FUTEX, figures);
}

static yunta_pool *make_lone_worker(enum place place)
{
    int processor = place_of_other(place);
    const yunta_process_options process = {.processors = &processor, .processor_count = processor >= 0};
    const yunta_pool_options options = {.workers = 1, .process = &process};
    yunta_pool *pool;
    bench_expect(yunta_pool_create(&pool, &options), 0, "yunta_pool_create");
    return pool;
}

static void compare_hot(struct bench_row *row)
{
    yunta_pool *pool = make_lone_worker(ANYWHERE);
    for (size_t i = bench_rounds(15); i > 0; i--) {
        double own = call_hot(by_yunta, pool);
        bench_row_add(row, own, bench_aside_run(&aside, hot_by_futex).value[0]);
    }
    yunta_pool_destroy(pool);
}

static void compare_asleep(struct bench_row by_pipes[PLACES], struct bench_row by_futex[PLACES])
{
    yunta_pool *pools[PLACES];
    for (enum place place = 0; place < PLACES; place++)
        pools[place] = make_lone_worker(place);
    for (size_t i = bench_rounds(15); i > 0; i--) {
        double own[PLACES];
        for (enum place place = 0; place < PLACES; place++) {
            bench_place(place_of_caller(place));
            own[place] = call_asleep(by_yunta, pools[place]);
            bench_place(-1);
        }
        struct bench_figures pipes = bench_aside_run(&aside, asleep_by_pipes);
        struct bench_figures futex = bench_aside_run(&aside, asleep_by_futex);
        for (enum place place = 0; place < PLACES; place++) {
            bench_row_add(&by_pipes[place], own[place], pipes.value[place]);
            bench_row_add(&by_futex[place], own[place], futex.value[place]);
        }
    }
    for (enum place place = 0; place < PLACES; place++)
        yunta_pool_destroy(pools[place]);
}

int main(int argc, char **argv)
{
    bench_expect(yunta_init(argc, argv), 0, "yunta_init");
    aside_meeting = mmap(NULL, sizeof *aside_meeting, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (aside_meeting == MAP_FAILED)
        bench_wrong("no shared memory for the reference");
    bench_aside_start(&aside);

    struct bench_row rows[] = {
        bench_cost("pool", "ready_4", "ms", "fork+pipe pool", 1.6),
        bench_cost("pool", "gone_4", "ms", "fork+pipe pool", 1.6),
        bench_cost("pool", "ready_and_gone_4", "ms", "fork+pipe pool", 1.6),
        bench_cost("pool", "map_auto", "ns", OPENMP_NAME " dynamic,64", 2),
        bench_cost("pool", "map_chunk_1", "ns", OPENMP_NAME " dynamic,1", 1),
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
    bench_aside_stop(&aside);
    bench_report(rows, BENCH_COUNT(rows));
    return 0;
}
