/* For rings that carry one word: messages longer than that lie in a slab of slots, with a ring of full slots and a ring
 * of empty ones. Who includes this defines ring_put and ring_get, both false when they cannot, and ring_new. */
#ifndef BENCH_PEERS_SLAB_H
#define BENCH_PEERS_SLAB_H

#include <string.h>
#include <sys/mman.h>

#include "../lib/traffic.h"
#include "poll.h"

enum { SLAB_RING = 2048 }; /* a power of two over any depth */

static bool ring_put(void *ring, uint64_t word);
static bool ring_get(void *ring, uint64_t *word);
static void *ring_new(unsigned count, size_t *bytes); /* in shared memory */

static struct {
    void *full, *empty;
    unsigned char *slots;
    size_t size, bytes, full_bytes, empty_bytes;
} slab;

static void slab_put(void *ring, uint64_t word)
{
    for (unsigned times = 0; !ring_put(ring, word);)
        poll_again(&times);
}

static uint64_t slab_get(void *ring)
{
    uint64_t word;
    for (unsigned times = 0; !ring_get(ring, &word);)
        poll_again(&times);
    return word;
}

static void slab_open(const struct bench_traffic *traffic)
{
    size_t depth = bench_traffic_depth(traffic);
    slab.size = traffic->size;
    slab.bytes = depth * slab.size;
    slab.slots = bench_shared(slab.bytes);
    slab.full = ring_new(slab.size == sizeof(uint64_t) ? 1024 : SLAB_RING, &slab.full_bytes);
    slab.empty = ring_new(SLAB_RING, &slab.empty_bytes);
    for (size_t i = 0; i < depth; i++)
        slab_put(slab.empty, i);
}

static void slab_close(void)
{
    munmap(slab.slots, slab.bytes);
    munmap(slab.full, slab.full_bytes);
    munmap(slab.empty, slab.empty_bytes);
}

static void put(const void *message)
{
    uint64_t word;
    if (slab.size == sizeof word) {
        memcpy(&word, message, sizeof word);
    } else {
        word = slab_get(slab.empty);
        memcpy(slab.slots + word * slab.size, message, slab.size);
    }
    slab_put(slab.full, word);
}

static void get(void *message)
{
    uint64_t word = slab_get(slab.full);
    if (slab.size == sizeof word) {
        memcpy(message, &word, sizeof word);
    } else {
        memcpy(message, slab.slots + word * slab.size, slab.size);
        slab_put(slab.empty, word);
    }
}

static const struct bench_carrier slab_carrier = {.open = slab_open, .close = slab_close, .put = put, .get = get};

#endif
