/* The measures of lib/blocks.h for a heap of one process, whose blocks another thread frees. Who includes this defines
 * `heap`, a static const struct bench_heap. */
#ifndef BENCH_PEERS_BLOCKS_BY_THREADS_H
#define BENCH_PEERS_BLOCKS_BY_THREADS_H

#include <pthread.h>
#include <string.h>

#include "../lib/aside.h"
#include "../lib/blocks.h"
#include "../references/reference.h"

static const struct bench_heap heap;

static void blocks_alone(struct bench_figures *figures)
{
    for (enum bench_sizes sizes = 0; sizes < BENCH_SIZES; sizes++)
        figures->value[sizes] = BENCH_CALL_FOR_SIZES(sizes, bench_blocks_alone, &heap);
}

static void blocks_many(struct bench_figures *figures)
{
    for (enum bench_sizes sizes = 0; sizes < BENCH_SIZES; sizes++)
        figures->value[sizes] = BENCH_CALL_FOR_SIZES(sizes, bench_blocks_many, &heap);
}

static void *free_all(void *way)
{
    bench_blocks_free(&heap, way);
    return NULL;
}

static void blocks_handed(struct bench_figures *figures)
{
    for (enum bench_sizes sizes = 0; sizes < BENCH_SIZES; sizes++) {
        static struct bench_handover way;
        pthread_t other;
        memset(&way, 0, sizeof way);
        if (pthread_create(&other, NULL, free_all, &way) != 0)
            bench_wrong("no thread to free blocks");
        int64_t begin = BENCH_CALL_FOR_SIZES(sizes, bench_blocks_hand, &heap, &way);
        pthread_join(other, NULL);
        figures->value[sizes] = bench_blocks_cost(&way, begin);
    }
}

static int blocks_serve(void)
{
    static const struct reference_measure measures[] = {
        {"blocks alone", blocks_alone}, {"blocks many", blocks_many}, {"blocks handed", blocks_handed}};
    return reference_serve(measures, BENCH_COUNT(measures));
}

#endif
