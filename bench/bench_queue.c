/* Benchmark: messages through a queue, beside a pipe, other rings and other queues; and to one who sleeps.
 * Must never count the start of the consumer.
 * Read next: lib/traffic.c, what is carried; peers/ and references/, by whom else; docs/design/08-queue.md. */
#include <stdio.h>
#include <string.h>
#include <yunta/yunta.h>

#include "expect.h"
#include "lib/aside.h"
#include "lib/bench.h"
#include "lib/calls.h"
#include "lib/row.h"
#include "lib/stream.h"
#include "lib/traffic.h"

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

/* Traffic (lib/traffic.h) by the queue. Each process of it has its own copies of these. */
static yunta_queue *carried;
static size_t carried_size;
static yunta_loan loan;

static void open_queue(const struct bench_traffic *traffic)
{
    carried_size = traffic->size;
    expect(yunta_queue_create(
               &carried, &(yunta_queue_options){.item_size = traffic->size, .capacity = bench_traffic_depth(traffic)}),
           0, "yunta_queue_create");
}

static void close_queue(void)
{
    carried = yunta_queue_destroy(carried);
}

static void put(const void *message)
{
    expect(yunta_queue_put(carried, message, YUNTA_FOREVER), 0, "yunta_queue_put");
}

static void get(void *message)
{
    expect(yunta_queue_get(carried, message, YUNTA_FOREVER), 0, "yunta_queue_get");
}

static void put_many(const void *messages, int count)
{
    expect(yunta_queue_put_many(carried, messages, (size_t)count, YUNTA_FOREVER), count, "yunta_queue_put_many");
}

static int get_many(void *messages, int most)
{
    return yunta_queue_get_many(carried, messages, (size_t)most, YUNTA_FOREVER);
}

static void *reserve(void)
{
    expect(yunta_queue_reserve(carried, carried_size, &loan), 0, "yunta_queue_reserve");
    return loan.data;
}

static void commit(void)
{
    expect(yunta_queue_commit(&loan, carried_size, YUNTA_FOREVER), 0, "yunta_queue_commit");
}

static const void *receive(void)
{
    expect(yunta_queue_receive(carried, &loan, YUNTA_FOREVER), 0, "yunta_queue_receive");
    return loan.data;
}

static void release(void)
{
    expect(yunta_queue_release(&loan), 0, "yunta_queue_release");
}

static const struct bench_carrier carrier = {
    .open = open_queue,
    .close = close_queue,
    .put = put,
    .get = get,
    .put_many = put_many,
    .get_many = get_many,
    .reserve = reserve,
    .commit = commit,
    .receive = receive,
    .release = release,
};

/* Who carries the same, and why one may be absent. */
enum { CK, RTE, BOOST, PIPE, SPSC, ICEORYX, PEERS };
static struct peer {
    const char *name, *program, *absent;
    struct bench_aside aside;
} peers[PEERS] = {
    [CK] = {.name = "ck_ring MPMC", .program = "reference_ck", .absent = BENCH_HAS_CK ? NULL : "no libck-dev"},
    [RTE] = {.name = "rte_ring MP/MC", .program = "reference_rte", .absent = BENCH_HAS_RTE ? NULL : "no libdpdk-dev"},
    [BOOST] = {.name = "Boost message_queue",
               .program = "reference_boost",
               .absent = BENCH_HAS_BOOST ? NULL : "no libboost-dev"},
    [PIPE] = {.name = "pipe", .program = "reference_pipe", .absent = NULL},
    [SPSC] = {.name = "plain SPSC ring", .program = "reference_spsc", .absent = NULL},
    [ICEORYX] = {.name = "iceoryx",
                 .program = "reference_iceoryx",
                 .absent = BENCH_HAS_ICEORYX ? NULL : "no libiceoryx-posh-dev, or no iox-roudi"},
};

/* What each is held to: our cost over the peer's, 0: not measured by it. */
static const struct contest {
    const char *traffic, *metric;
    double most[PEERS];
} contests[] = {
    {"1-1 8", "1-1_8", {0.4, 0.4, 0.2, 0.1}},
    {"1-1 64", "1-1_64", {0.5, 0.5, 0.2, 0.1}},
    {"1-1 8 by 64", "1-1_8_by_64", {[SPSC] = 2}},
    {"1-1 64 by 64", "1-1_64_by_64", {[SPSC] = 2}},
    {"2-2 8", "2-2_8", {0.5, 0.5, 0.5, 0.5}},
    {"2-2 64", "2-2_64", {0.667, 0.667, 0.667, 0.667}},
    {"2-2 1024", "2-2_1024", {0.833, 0.833, 0.833, 0.833}},
    {"in place 64K", "in_place_64K", {[SPSC] = 1.111, [ICEORYX] = 1}},
    {"in place 1M", "in_place_1M", {[SPSC] = 1.111, [ICEORYX] = 1}},
};

static double carry(const char *name)
{
    for (size_t i = 0; i < bench_traffic_count; i++)
        if (strcmp(bench_traffics[i].name, name) == 0)
            return bench_traffic_run(&carrier, &bench_traffics[i]);
    bench_wrong("there is no traffic \"%s\"", name);
}

static void compare_one(const struct contest *c, struct bench_row *rows)
{
    for (size_t i = bench_rounds(7); i > 0; i--) {
        double own = carry(c->traffic);
        struct bench_row *row = rows;
        for (int p = 0; p < PEERS; p++) {
            if (c->most[p] <= 0)
                continue;
            if (peers[p].absent)
                bench_row_add_own(row++, own);
            else
                bench_row_add(row++, own, bench_aside_run(&peers[p].aside, c->traffic).value[0]);
        }
    }
}

/* The rows of all contests. How many. */
static size_t compare_carriers(struct bench_row *rows)
{
    size_t count = 0;
    for (size_t i = 0; i < BENCH_COUNT(contests); i++) {
        size_t first = count;
        for (int p = 0; p < PEERS; p++) {
            if (contests[i].most[p] <= 0)
                continue;
            rows[count] = bench_cost("queue", contests[i].metric, "ns", peers[p].name, contests[i].most[p]);
            rows[count++].absent = peers[p].absent;
        }
        compare_one(&contests[i], &rows[first]);
    }
    return count;
}

/* More processes than processors; and what a loan costs by its size: each beside the queue itself. */
static void compare_with_itself(struct bench_row *many, struct bench_row *large)
{
    for (size_t i = bench_rounds(7); i > 0; i--) {
        bench_row_add(many, carry("8-8 64"), carry("2-2 64"));
        bench_row_add(large, carry("loan 1M"), carry("loan 64K"));
    }
}

static void start_peers(void)
{
    for (int p = 0; p < PEERS; p++)
        if (!peers[p].absent)
            bench_aside_start(&peers[p].aside, peers[p].program);
    struct peer *iceoryx = &peers[ICEORYX];
    if (!iceoryx->absent && bench_aside_run(&iceoryx->aside, "in place 64K").value[0] < 0) {
        bench_aside_stop(&iceoryx->aside);
        iceoryx->absent = "its daemon does not start";
    }
}

static void stop_peers(void)
{
    for (int p = 0; p < PEERS; p++)
        if (!peers[p].absent)
            bench_aside_stop(&peers[p].aside);
}

int main(int argc, char **argv)
{
    expect(yunta_init(argc, argv), 0, "yunta_init");
    bench_aside_start(&plain, "reference_plain");
    start_peers();
    if (bench_processor(1) >= 0)
        fprintf(stderr, "a cache line takes %.0f ns from one processor to the other\n", bench_line_ns());
    struct bench_row rows[7 + BENCH_COUNT(contests) * PEERS + 2] = {
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
    size_t count = 7 + compare_carriers(&rows[7]);
    rows[count++] = bench_cost("queue", "8-8_64", "ns", "2-2_64", 2);
    rows[count++] = bench_cost("queue", "loan_1M", "ns", "loan_64K", 1.2);
    compare_with_itself(&rows[count - 2], &rows[count - 1]);
    stop_peers();
    bench_aside_stop(&plain);
    bench_report(rows, count);
    return 0;
}
