/* Benchmark: blocks of the shared heap, beside mimalloc and the C library's malloc, which serve one process alone.
 * Must never leave a block unread, or freed without a look at what free says.
 * Read next: lib/blocks.h, what is done with them; references/reference_mimalloc.c. */
#include <string.h>
#include <yunta/yunta.h>

#include "expect.h"
#include "lib/aside.h"
#include "lib/bench.h"
#include "lib/blocks.h"
#include "lib/row.h"

static void give_back(void *block)
{
    int r = yunta_heap_free(block);
    if (r != 0)
        expect(r, 0, "yunta_heap_free");
}

static const struct bench_heap heap = {yunta_heap_alloc, give_back};

static double alone(enum bench_sizes sizes)
{
    return BENCH_CALL_FOR_SIZES(sizes, bench_blocks_alone, &heap);
}

static double many(enum bench_sizes sizes)
{
    return BENCH_CALL_FOR_SIZES(sizes, bench_blocks_many, &heap);
}

static int free_all(struct bench_handover *const *way)
{
    bench_blocks_free(&heap, *way);
    return 0;
}
YUNTA_ENTRY(free_all, struct bench_handover *);

static double handed(enum bench_sizes sizes)
{
    struct bench_handover *way = yunta_heap_alloc_aligned(sizeof *way, 64);
    yunta_process *other;
    expect(way != NULL, 1, "yunta_heap_alloc_aligned");
    memset(way, 0, sizeof *way);
    expect(yunta_start(&other, free_all, &way, NULL), 0, "yunta_start");
    int64_t begin = BENCH_CALL_FOR_SIZES(sizes, bench_blocks_hand, &heap, way);
    expect(yunta_process_join(other, YUNTA_FOREVER), 0, "yunta_process_join");
    double cost = bench_blocks_cost(way, begin);
    yunta_process_destroy(other);
    give_back(way);
    return cost;
}

enum { MIMALLOC, LIBC, PEERS };
static struct peer {
    const char *name, *program, *absent;
    struct bench_aside aside;
} peers[PEERS] = {
    [MIMALLOC] = {.name = "mimalloc",
                  .program = "reference_mimalloc",
                  .absent = BENCH_HAS_MIMALLOC ? NULL : "no libmimalloc-dev"},
    [LIBC] = {.name = "libc malloc", .program = "reference_malloc", .absent = NULL},
};

/* The target is for 64 bytes beside mimalloc; the rest is told. */
static const struct contest {
    double (*own)(enum bench_sizes sizes);
    const char *measure, *metric[BENCH_SIZES];
    double most;
} contests[] = {
    {alone, "blocks alone", {"alone_64", "alone_16", "alone_1024", "alone_mixed"}, 1.0},
    {many, "blocks many", {"200_64", "200_16", "200_1024", "200_mixed"}, 1.0},
    {handed, "blocks handed", {"handed_64", "handed_16", "handed_1024", "handed_mixed"}, 1.5},
};

static void compare(const struct contest *c, struct bench_row rows[BENCH_SIZES][PEERS])
{
    for (enum bench_sizes sizes = 0; sizes < BENCH_SIZES; sizes++) {
        for (int p = 0; p < PEERS; p++) {
            bool has_target = sizes == BENCH_SIZE_64 && p == MIMALLOC;
            rows[sizes][p] = has_target ? bench_cost("heap", c->metric[sizes], "ns", peers[p].name, c->most)
                                        : bench_told("heap", c->metric[sizes], "ns", peers[p].name);
            rows[sizes][p].absent = peers[p].absent;
        }
    }
    for (size_t i = bench_rounds(15); i > 0; i--) {
        double own[BENCH_SIZES];
        for (enum bench_sizes sizes = 0; sizes < BENCH_SIZES; sizes++)
            own[sizes] = c->own(sizes);
        for (int p = 0; p < PEERS; p++) {
            struct bench_figures figures = {{0}};
            if (!peers[p].absent)
                figures = bench_aside_run(&peers[p].aside, c->measure);
            for (enum bench_sizes sizes = 0; sizes < BENCH_SIZES; sizes++) {
                if (peers[p].absent)
                    bench_row_add_own(&rows[sizes][p], own[sizes]);
                else
                    bench_row_add(&rows[sizes][p], own[sizes], figures.value[sizes]);
            }
        }
    }
}

int main(int argc, char **argv)
{
    static struct bench_row rows[BENCH_COUNT(contests)][BENCH_SIZES][PEERS];
    expect(yunta_init(argc, argv), 0, "yunta_init");
    for (int p = 0; p < PEERS; p++)
        if (!peers[p].absent)
            bench_aside_start(&peers[p].aside, peers[p].program);
    for (size_t i = 0; i < BENCH_COUNT(contests); i++)
        compare(&contests[i], rows[i]);
    for (int p = 0; p < PEERS; p++)
        if (!peers[p].absent)
            bench_aside_stop(&peers[p].aside);
    bench_report(&rows[0][0][0], sizeof rows / sizeof rows[0][0][0]);
    return 0;
}
