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

static int64_t take_turns(const struct scene *scene, int who)
{
    int64_t begin = bench_contest_begin(scene->contest);
    for (int i = 0; i < BENCH_TURNS; i++) {
        expect(yunta_lock_acquire(scene->lock, YUNTA_FOREVER), 0, "yunta_lock_acquire");
        scene->contest->number = scene->contest->number + 1;
        expect(yunta_lock_release(scene->lock), 0, "yunta_lock_release");
    }
    bench_contest_end(scene->contest, who);
    return begin;
}

static int take_the_others_turns(const struct scene *scene)
{
    take_turns(scene, 1);
    return 0;
}
YUNTA_ENTRY(take_the_others_turns, struct scene);

static double by_two(void)
{
    struct scene scene = {.contest = yunta_shared(struct bench_contest, 1)};
    yunta_process *other;
    expect(scene.contest != NULL, 1, "yunta_shared");
    expect(yunta_lock_create(&scene.lock), 0, "yunta_lock_create");
    expect(yunta_start(&other, take_the_others_turns, &scene, NULL), 0, "yunta_start");
    int64_t begin = take_turns(&scene, 0);
    expect(yunta_process_join(other, YUNTA_FOREVER), 0, "yunta_process_join");
    double cost = bench_contest_cost(scene.contest, begin);
    yunta_process_destroy(other);
    yunta_lock_destroy(scene.lock);
    yunta_shared_free(scene.contest);
    return cost;
}

/* Beside the plain mutex and the robust one, in the same round. */
static void compare(double (*own)(void), const char *measure, struct bench_row rows[2], struct bench_aside *plain)
{
    for (size_t i = bench_rounds(15); i > 0; i--) {
        double figure = own();
        struct bench_figures mutex = bench_aside_run(plain, measure);
        bench_row_add(&rows[0], figure, mutex.value[0]);
        bench_row_add(&rows[1], figure, mutex.value[1]);
    }
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
    };
    compare(alone, "mutex alone", &rows[0], &plain);
    compare(by_two, "mutex by two", &rows[2], &plain);
    bench_aside_stop(&plain);
    bench_report(rows, BENCH_COUNT(rows));
    return 0;
}
