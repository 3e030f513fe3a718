/* Benchmark: the lock, by one process and by two, beside the C library's mutex between processes, plain and robust.
 * Must never count the start of the other process.
 * Read next: peers/mutex.c, the same with the mutex; bench_recovery.c, what the lock does besides. */
#include <yunta/yunta.h>

#include "expect.h"
#include "lib/aside.h"
#include "lib/bench.h"
#include "lib/contest.h"
#include "lib/row.h"

struct scene {
    yunta_lock *lock;
    struct bench_contest *contest;
};

static double alone(void)
{
    yunta_lock *lock;
    double each[BENCH_BATCHES];
    expect(yunta_lock_create(&lock), 0, "yunta_lock_create");
    for (int i = 0; i < BENCH_BATCHES; i++) {
        int64_t begin = bench_now();
        for (int k = 0; k < BENCH_PAIRS; k++) {
            expect(yunta_lock_acquire(lock, YUNTA_FOREVER), 0, "yunta_lock_acquire");
            expect(yunta_lock_release(lock), 0, "yunta_lock_release");
        }
        each[i] = (double)(bench_now() - begin) / BENCH_PAIRS;
    }
    yunta_lock_destroy(lock);
    return bench_median(each, BENCH_BATCHES);
}

static void acquire(void *lock)
{
    expect(yunta_lock_acquire(lock, YUNTA_FOREVER), 0, "yunta_lock_acquire");
}

static void release(void *lock)
{
    expect(yunta_lock_release(lock), 0, "yunta_lock_release");
}

static int take_the_others_turns(const struct scene *scene)
{
    bench_contest_take_turns(scene->contest, 1, acquire, release, scene->lock);
    return 0;
}
YUNTA_ENTRY(take_the_others_turns, struct scene);

static void by_two(struct bench_load load, double figures[BENCH_CONTEST_FIGURES])
{
    struct scene scene = {.contest = yunta_shared(struct bench_contest, 1)};
    yunta_process *other;
    expect(scene.contest != NULL, 1, "yunta_shared");
    scene.contest->load = load;
    expect(yunta_lock_create(&scene.lock), 0, "yunta_lock_create");
    expect(yunta_start(&other, take_the_others_turns, &scene, NULL), 0, "yunta_start");
    bench_contest_take_turns(scene.contest, 0, acquire, release, scene.lock);
    expect(yunta_process_join(other, YUNTA_FOREVER), 0, "yunta_process_join");
    bench_contest_sum_up(scene.contest, figures);
    yunta_process_destroy(other);
    yunta_lock_destroy(scene.lock);
    yunta_shared_free(scene.contest);
}

/* Each beside the plain mutex and the robust one, in the same round. */
static void compare_alone(struct bench_row rows[2], struct bench_aside *plain)
{
    double own = alone();
    struct bench_figures mutex = bench_aside_run(plain, "mutex alone");
    bench_row_add(&rows[0], own, mutex.value[0]);
    bench_row_add(&rows[1], own, mutex.value[1]);
}

static void compare_by_two(struct bench_row rows[2], struct bench_aside *plain, uint32_t work)
{
    double own[BENCH_CONTEST_FIGURES];
    by_two((struct bench_load){.work = work}, own);
    struct bench_figures mutex = bench_aside_run(plain, work ? "mutex by two that work" : "mutex by two");
    bench_row_add(&rows[0], own[BENCH_TURN], mutex.value[0]);
    bench_row_add(&rows[1], own[BENCH_TURN], mutex.value[1]);
}

static void compare_waits(struct bench_row rows[4], struct bench_aside *plain, uint32_t work)
{
    double own[BENCH_CONTEST_FIGURES];
    by_two((struct bench_load){.work = work, .is_timed = true}, own);
    struct bench_figures mutex = bench_aside_run(plain, work ? "mutex waits of two that work" : "mutex waits");
    struct bench_figures robust = bench_aside_run(plain, work ? "robust waits of two that work" : "robust waits");
    for (int i = 0; i < 3; i++)
        bench_row_add(&rows[i], own[BENCH_WAIT_P50 + i], mutex.value[BENCH_WAIT_P50 + i]);
    bench_row_add(&rows[3], own[BENCH_WAIT_P99], robust.value[BENCH_WAIT_P99]);
}

int main(int argc, char **argv)
{
    struct bench_aside plain;
    expect(yunta_init(argc, argv), 0, "yunta_init");
    bench_aside_start(&plain, "reference_plain");
    struct bench_row rows[] = {
        bench_cost("lock", "alone", "ns", "plain mutex", 0.8),
        bench_cost("lock", "alone_robust", "ns", "robust mutex", 0.5),
        bench_cost("lock", "by_two", "ns", "plain mutex", 1.0),
        bench_told("lock", "by_two_robust", "ns", "robust mutex"),
        bench_told("lock", "wait_p50", "ns", "plain mutex"),
        bench_cost("lock", "wait_p99", "ns", "plain mutex", 1.0),
        bench_told("lock", "wait_p999", "ns", "plain mutex"),
        bench_told("lock", "wait_p99_robust", "ns", "robust mutex"),
        bench_told("lock", "by_two_working", "ns", "plain mutex"),
        bench_told("lock", "working_robust", "ns", "robust mutex"),
        bench_told("lock", "working_p50", "ns", "plain mutex"),
        bench_cost("lock", "working_p99", "ns", "plain mutex", 1.0),
        bench_told("lock", "working_p999", "ns", "plain mutex"),
        bench_told("lock", "working_p99_robust", "ns", "robust mutex"),
    };
    for (size_t i = bench_rounds(15); i > 0; i--) {
        compare_alone(&rows[0], &plain);
        compare_by_two(&rows[2], &plain, 0);
        compare_waits(&rows[4], &plain, 0);
        compare_by_two(&rows[8], &plain, BENCH_WORK);
        compare_waits(&rows[10], &plain, BENCH_WORK);
    }
    bench_aside_stop(&plain);
    bench_report(rows, BENCH_COUNT(rows));
    return 0;
}
