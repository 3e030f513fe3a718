/* Timing of calls to another process.
 * Must never let the clock weigh: a call may take less than reading it twice.
 * Read next: ../bench_pool.c and ../references/reference_plain.c, who is called. */
#include "calls.h"
#include "bench.h"

enum {
    BATCHES = 200,  /* of hot calls, timed each as a whole, … */
    CALLS = 100,    /* … each of so many */
    WARM_UP = 20,   /* batches before them */
    LONE_CALLS = 30 /* to one that sleeps */
};

#define PAUSE_NS 2000000ll

static void call_checked(bench_call *call, void *by, int64_t in)
{
    int64_t out = call(by, in);
    if (out != in + 1)
        bench_wrong("task %lld gave %lld", (long long)in, (long long)out);
}

double bench_calls_hot(bench_call *call, void *by)
{
    double each[BATCHES];
    int64_t in = 0;
    for (int i = -WARM_UP; i < BATCHES; i++) {
        int64_t begin = bench_now();
        for (int k = 0; k < CALLS; k++)
            call_checked(call, by, in++);
        if (i >= 0)
            each[i] = (double)(bench_now() - begin) / 1e3 / CALLS;
    }
    return bench_median(each, BATCHES);
}

double bench_calls_asleep(bench_call *call, void *by)
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

int bench_place_of_caller(enum bench_place place)
{
    return place == BENCH_ANYWHERE ? -1 : bench_processor(0);
}

int bench_place_of_other(enum bench_place place)
{
    return place == BENCH_ANYWHERE ? -1 : bench_processor(place == BENCH_APART ? 1 : 0);
}
