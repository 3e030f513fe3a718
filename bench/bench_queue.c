/* Benchmark: messages through a queue, one producer and one consumer, beside a pipe; and to one who sleeps.
 * Must never count the start of the consumer.
 * Read next: peers/pipe_stream.c, the same through a pipe; docs/design/08-queue.md. */
#include <yunta/yunta.h>

#include "expect.h"
#include "lib/aside.h"
#include "lib/bench.h"
#include "lib/calls.h"
#include "lib/row.h"
#include "lib/stream.h"

static struct bench_aside plain;

struct flow {
    yunta_queue *queue;
    struct bench_stream *stream;
    size_t size;
};

static int consume(const struct flow *flow)
{
    char message[BENCH_LARGEST];
    atomic_store(&flow->stream->ready, 1);
    for (int64_t i = 0; i < BENCH_MESSAGES; i++) {
        expect(yunta_queue_get(flow->queue, message, YUNTA_FOREVER), 0, "yunta_queue_get");
        bench_message_check(message, flow->size, i);
    }
    atomic_store(&flow->stream->end, bench_now());
    return 0;
}
YUNTA_ENTRY(consume, struct flow);

/* ns a message. */
static double stream(size_t size, size_t capacity)
{
    struct flow flow = {.stream = yunta_shared(struct bench_stream, 1), .size = size};
    yunta_process *consumer;
    char message[BENCH_LARGEST];
    expect(flow.stream != NULL, 1, "yunta_shared");
    expect(yunta_queue_create(&flow.queue, &(yunta_queue_options){.item_size = size, .capacity = capacity}), 0,
           "yunta_queue_create");
    expect(yunta_start(&consumer, consume, &flow, NULL), 0, "yunta_start");
    int64_t begin = bench_stream_begin(flow.stream);
    for (int64_t i = 0; i < BENCH_MESSAGES; i++) {
        bench_message_fill(message, size, i);
        expect(yunta_queue_put(flow.queue, message, YUNTA_FOREVER), 0, "yunta_queue_put");
    }
    expect(yunta_process_join(consumer, YUNTA_FOREVER), 0, "yunta_process_join");
    double cost = bench_stream_cost(flow.stream, begin);
    yunta_process_destroy(consumer);
    yunta_queue_destroy(flow.queue);
    yunta_shared_free(flow.stream);
    return cost;
}

static void compare_streams(struct bench_row *unbounded, struct bench_row *bounded, size_t size, const char *measure)
{
    for (size_t i = bench_rounds(15); i > 0; i--) {
        double without = stream(size, 0), within = stream(size, 1024);
        double pipe = bench_aside_run(&plain, measure).value[0];
        bench_row_add(unbounded, without, pipe);
        bench_row_add(bounded, within, pipe);
    }
}

/* To one who sleeps, and back. */
struct pair {
    yunta_queue *there, *back;
    int place;
};

static int answer(const struct pair *pair)
{
    int64_t ball;
    bench_place(pair->place);
    while (yunta_queue_get(pair->there, &ball, YUNTA_FOREVER) == 0) {
        ball++;
        expect(yunta_queue_put(pair->back, &ball, YUNTA_FOREVER), 0, "yunta_queue_put");
    }
    return 0;
}
YUNTA_ENTRY(answer, struct pair);

static int64_t by_queues(void *by, int64_t in)
{
    const struct pair *pair = by;
    int64_t out;
    expect(yunta_queue_put(pair->there, &in, YUNTA_FOREVER), 0, "yunta_queue_put");
    expect(yunta_queue_get(pair->back, &out, YUNTA_FOREVER), 0, "yunta_queue_get");
    return out;
}

static double ping(enum bench_place place)
{
    struct pair pair = {.place = bench_place_of_other(place)};
    const yunta_queue_options options = {.item_size = sizeof(int64_t)};
    yunta_process *other;
    expect(yunta_queue_create(&pair.there, &options), 0, "yunta_queue_create");
    expect(yunta_queue_create(&pair.back, &options), 0, "yunta_queue_create");
    expect(yunta_start(&other, answer, &pair, NULL), 0, "yunta_start");
    bench_place(bench_place_of_caller(place));
    double us = bench_calls_asleep(by_queues, &pair);
    bench_place(-1);
    yunta_queue_close(pair.there);
    expect(yunta_process_join(other, YUNTA_FOREVER), 0, "yunta_process_join");
    yunta_process_destroy(other);
    yunta_queue_destroy(pair.there);
    yunta_queue_destroy(pair.back);
    return us;
}

static void compare_pings(struct bench_row rows[BENCH_PLACES])
{
    for (size_t i = bench_rounds(15); i > 0; i--) {
        double own[BENCH_PLACES];
        for (enum bench_place place = 0; place < BENCH_PLACES; place++)
            own[place] = ping(place);
        struct bench_figures pipes = bench_aside_run(&plain, "asleep by pipes");
        for (enum bench_place place = 0; place < BENCH_PLACES; place++)
            bench_row_add(&rows[place], own[place], pipes.value[place]);
    }
}

int main(int argc, char **argv)
{
    expect(yunta_init(argc, argv), 0, "yunta_init");
    bench_aside_start(&plain, "reference_plain");
    struct bench_row rows[] = {
        bench_told("queue", "unbounded_8", "ns", "pipe"),
        bench_told("queue", "bounded_8", "ns", "pipe"),
        bench_told("queue", "unbounded_64", "ns", "pipe"),
        bench_told("queue", "bounded_64", "ns", "pipe"),
        bench_told("queue", "ping_asleep", "us", "two pipes"),
        bench_told("queue", "ping_asleep_apart", "us", "two pipes"),
        bench_told("queue", "ping_asleep_same", "us", "two pipes"),
    };
    compare_streams(&rows[0], &rows[1], 8, "pipe 8");
    compare_streams(&rows[2], &rows[3], 64, "pipe 64");
    compare_pings(&rows[4]);
    bench_aside_stop(&plain);
    bench_report(rows, BENCH_COUNT(rows));
    return 0;
}
