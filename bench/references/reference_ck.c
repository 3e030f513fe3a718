/* Concurrency Kit's ck_ring between processes, by the calls for many producers and many consumers. It polls.
 * Must never use the calls for one producer and one consumer: the queue has none such.
 * Read next: ../peers/slab.h. */
#include <ck_ring.h>

#include "../lib/traffic.h"
#include "../peers/slab.h"
#include "traffic_serve.h"

struct ring {
    ck_ring_t ring;
    ck_ring_buffer_t buffer[];
};

static bool ring_put(void *memory, uint64_t word)
{
    struct ring *r = memory;
    return ck_ring_enqueue_mpmc(&r->ring, r->buffer, (void *)(uintptr_t)word);
}

static bool ring_get(void *memory, uint64_t *word)
{
    struct ring *r = memory;
    void *entry;
    bool got = ck_ring_dequeue_mpmc(&r->ring, r->buffer, &entry);
    if (got)
        *word = (uint64_t)(uintptr_t)entry;
    return got;
}

static void *ring_new(unsigned count, size_t *bytes)
{
    *bytes = sizeof(struct ring) + count * sizeof(ck_ring_buffer_t);
    struct ring *r = bench_shared(*bytes);
    ck_ring_init(&r->ring, count);
    return r;
}

int main(void)
{
    return traffic_serve(&slab_carrier);
}
