/* The least that carries messages from one process to one other: a ring of slots, an index each way, each side keeping
 * its last look at the other's. Must never do what more than two could share: that is what the queue is held against.
 * Read next: ../bench_queue.c. */
#include "spsc.h"
#include "poll.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

static struct ring {
    _Alignas(128) _Atomic uint64_t sent;
    _Alignas(128) _Atomic uint64_t freed;
    _Alignas(128) unsigned char slots[];
} * ring;
static size_t size, depth;
static uint64_t mine, other; /* of the process that is one side */

static void open_ring(const struct bench_traffic *traffic)
{
    size = traffic->size;
    depth = bench_traffic_depth(traffic);
    ring = bench_shared(sizeof *ring + depth * size);
    mine = other = 0;
}

static void close_ring(void)
{
    munmap(ring, sizeof *ring + depth * size);
}

static unsigned char *slot(uint64_t number)
{
    return ring->slots + number % depth * size;
}

static void wait_for_room(void)
{
    for (unsigned times = 0; mine - other == depth; poll_again(&times)) {
        other = atomic_load_explicit(&ring->freed, memory_order_acquire);
        if (mine - other != depth)
            break;
    }
}

static void wait_for_message(void)
{
    for (unsigned times = 0; mine == other; poll_again(&times)) {
        other = atomic_load_explicit(&ring->sent, memory_order_acquire);
        if (mine != other)
            break;
    }
}

static void *reserve(void)
{
    wait_for_room();
    return slot(mine);
}

static void commit(void)
{
    atomic_store_explicit(&ring->sent, ++mine, memory_order_release);
}

static const void *receive(void)
{
    wait_for_message();
    return slot(mine);
}

static void release(void)
{
    atomic_store_explicit(&ring->freed, ++mine, memory_order_release);
}

static void put(const void *message)
{
    memcpy(reserve(), message, size);
    commit();
}

static void get(void *message)
{
    memcpy(message, receive(), size);
    release();
}

static void put_many(const void *messages, int count)
{
    const unsigned char *from = messages;
    while (count > 0) {
        wait_for_room();
        uint64_t room = depth - (mine - other), run = room < (uint64_t)count ? room : (uint64_t)count;
        for (uint64_t i = 0; i < run; i++, from += size)
            memcpy(slot(mine + i), from, size);
        mine += run;
        atomic_store_explicit(&ring->sent, mine, memory_order_release);
        count -= (int)run;
    }
}

static int get_many(void *messages, int most)
{
    wait_for_message();
    uint64_t run = other - mine < (uint64_t)most ? other - mine : (uint64_t)most;
    for (uint64_t i = 0; i < run; i++)
        memcpy((unsigned char *)messages + i * size, slot(mine + i), size);
    mine += run;
    atomic_store_explicit(&ring->freed, mine, memory_order_release);
    return (int)run;
}

const struct bench_carrier spsc_carrier = {
    .open = open_ring,
    .close = close_ring,
    .put = put,
    .get = get,
    .put_many = put_many,
    .get_many = get_many,
    .reserve = reserve,
    .commit = commit,
    .receive = receive,
    .release = release,
};
