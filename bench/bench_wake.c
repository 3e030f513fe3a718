/* Benchmark: waking a process that is blocked, and its answer, through two semaphores, beside a word and a futex.
 * Must never let the other one spin where the row says that it sleeps.
 * Read next: peers/ping_pong.c, the same with nothing on top; bench_queue.c, through two queues. */
#include <yunta/yunta.h>

#include "expect.h"
#include "lib/aside.h"
#include "lib/bench.h"
#include "lib/calls.h"
#include "lib/row.h"

struct wall {
    yunta_semaphore *there, *back;
    int64_t *ball; /* negative: the end */
    int place;     /* of the other one */
};

static int answer(const struct wall *wall)
{
    bench_place(wall->place);
    for (;;) {
        expect(yunta_semaphore_acquire(wall->there, YUNTA_FOREVER), 0, "yunta_semaphore_acquire");
        if (*wall->ball < 0)
            return 0;
        ++*wall->ball;
        expect(yunta_semaphore_release(wall->back), 0, "yunta_semaphore_release");
    }
}
YUNTA_ENTRY(answer, struct wall);

static int64_t by_semaphores(void *by, int64_t in)
{
    const struct wall *wall = by;
    *wall->ball = in;
    expect(yunta_semaphore_release(wall->there), 0, "yunta_semaphore_release");
    expect(yunta_semaphore_acquire(wall->back, YUNTA_FOREVER), 0, "yunta_semaphore_acquire");
    return *wall->ball;
}

static double calls(double (*timed)(bench_call *, void *), enum bench_place place)
{
    struct wall wall = {.ball = yunta_shared(int64_t, 1), .place = bench_place_of_other(place)};
    const yunta_semaphore_options signals = {.initial = 0, .unowned = true};
    yunta_process *other;
    expect(wall.ball != NULL, 1, "yunta_shared");
    expect(yunta_semaphore_create(&wall.there, &signals), 0, "yunta_semaphore_create");
    expect(yunta_semaphore_create(&wall.back, &signals), 0, "yunta_semaphore_create");
    expect(yunta_start(&other, answer, &wall, NULL), 0, "yunta_start");
    bench_place(bench_place_of_caller(place));
    double us = timed(by_semaphores, &wall);
    bench_place(-1);
    *wall.ball = -1;
    expect(yunta_semaphore_release(wall.there), 0, "yunta_semaphore_release");
    expect(yunta_process_join(other, YUNTA_FOREVER), 0, "yunta_process_join");
    yunta_process_destroy(other);
    yunta_semaphore_destroy(wall.there);
    yunta_semaphore_destroy(wall.back);
    yunta_shared_free(wall.ball);
    return us;
}

enum { CROWDS = 3, CROWD_MOST = 256 };
static const int crowd[CROWDS] = {8, 64, CROWD_MOST};

static int sleep_in_crowd(const struct wall *wall)
{
    expect(yunta_semaphore_acquire(wall->there, YUNTA_FOREVER), 0, "yunta_semaphore_acquire");
    return 0;
}
YUNTA_ENTRY(sleep_in_crowd, struct wall);

/* Two on one processor, neither of whom spins there, while nobody, 8, 64 or 256 others are asleep. */
static void beside_crowds(struct bench_row rows[CROWDS])
{
    static yunta_process *sleepers[CROWD_MOST];
    struct wall bed = {.there = NULL};
    int asleep = 0;
    expect(yunta_semaphore_create(&bed.there, &(yunta_semaphore_options){.initial = 0, .unowned = true}), 0,
           "yunta_semaphore_create");
    double alone = calls(bench_calls_hot, BENCH_TOGETHER);
    for (int i = 0; i < CROWDS; i++) {
        for (; asleep < crowd[i]; asleep++)
            expect(yunta_start(&sleepers[asleep], sleep_in_crowd, &bed, NULL), 0, "yunta_start");
        bench_row_add(&rows[i], calls(bench_calls_hot, BENCH_TOGETHER), alone);
    }
    for (int i = 0; i < asleep; i++)
        expect(yunta_semaphore_release(bed.there), 0, "yunta_semaphore_release");
    for (int i = 0; i < asleep; i++) {
        expect(yunta_process_join(sleepers[i], YUNTA_FOREVER), 0, "yunta_process_join");
        yunta_process_destroy(sleepers[i]);
    }
    yunta_semaphore_destroy(bed.there);
}

int main(int argc, char **argv)
{
    struct bench_aside plain;
    expect(yunta_init(argc, argv), 0, "yunta_init");
    bench_aside_start(&plain, "reference_plain");
    struct bench_row rows[] = {
        bench_cost("wake", "asleep", "us", "bare futex", 1.1),
        bench_told("wake", "asleep_apart", "us", "bare futex"),
        bench_told("wake", "asleep_same", "us", "bare futex"),
        bench_cost("wake", "spinning", "us", "spin, then futex", 1.5),
        bench_told("wake", "beside_8", "us", "nobody else asleep"),
        bench_told("wake", "beside_64", "us", "nobody else asleep"),
        bench_told("wake", "beside_256", "us", "nobody else asleep"),
    };
    for (size_t i = bench_rounds(15); i > 0; i--) {
        double own[BENCH_PLACES], hot = calls(bench_calls_hot, BENCH_ANYWHERE);
        for (enum bench_place place = 0; place < BENCH_PLACES; place++)
            own[place] = calls(bench_calls_asleep, place);
        struct bench_figures futex = bench_aside_run(&plain, "asleep by bare futex");
        for (enum bench_place place = 0; place < BENCH_PLACES; place++)
            bench_row_add(&rows[place], own[place], futex.value[place]);
        bench_row_add(&rows[BENCH_PLACES], hot, bench_aside_run(&plain, "hot by futex").value[0]);
        if (i % 3 == 1)
            beside_crowds(&rows[BENCH_PLACES + 1]);
    }
    bench_aside_stop(&plain);
    bench_report(rows, BENCH_COUNT(rows));
    return 0;
}
