/* DPDK's rte_ring between processes, by the calls for many producers and many consumers. It polls.
 * Must never use the calls for one producer and one consumer: the queue has none such.
 * Read next: ../peers/slab.h. */
#include <rte_ring.h>

#include "../lib/bench.h"
#include "../lib/traffic.h"
#include "../peers/slab.h"
#include "traffic_serve.h"

static bool ring_put(void *ring, uint64_t word)
{
    return rte_ring_mp_enqueue_elem(ring, &word, sizeof word) == 0;
}

static bool ring_get(void *ring, uint64_t *word)
{
    return rte_ring_mc_dequeue_elem(ring, word, sizeof *word) == 0;
}

static void *ring_new(unsigned count, size_t *bytes)
{
    *bytes = (size_t)rte_ring_get_memsize_elem(sizeof(uint64_t), count);
    void *ring = bench_shared(*bytes);
    if (rte_ring_init(ring, "ring", count, 0) != 0)
        bench_wrong("rte_ring_init refused");
    return ring;
}

int main(void)
{
    return traffic_serve(&slab_carrier);
}
