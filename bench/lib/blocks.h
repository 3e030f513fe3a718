/* Blocks of memory, allocated and freed by whoever is measured: the same work for yunta's heap and for each peer.
 *
 * All of it is inlined into who includes this, so that `heap`, which is to be a static const, is called directly. Each
 * block is written when it is had, and read before it is freed. */
#ifndef BENCH_BLOCKS_H
#define BENCH_BLOCKS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "bench.h"

enum {
    BENCH_BLOCK_PAIRS = 100000,   /* allocated and freed in a batch … */
    BENCH_BLOCK_BATCHES = 5,      /* … of so many */
    BENCH_BLOCKS_ALIVE = 200,     /* at a time, where there are several */
    BENCH_BLOCKS_HANDED = 400000, /* to who frees them, … */
    BENCH_BLOCKS_WAITING = 4      /* … so many times BENCH_BLOCKS_ALIVE at most before they are freed */
};

struct bench_heap {
    void *(*alloc)(size_t size);
    void (*free)(void *block);
};

/* What sizes: the figures of a measure come in this order. Mixed are those of a program with many small blocks. */
enum bench_sizes { BENCH_SIZE_64, BENCH_SIZE_16, BENCH_SIZE_1024, BENCH_SIZE_MIXED, BENCH_SIZES };

/* Calls a function with the same sizes as a constant, as sizes are where most programs ask for blocks. */
#define BENCH_CALL_FOR_SIZES(sizes, call, ...)                                                                         \
    ((sizes) == BENCH_SIZE_64     ? call(__VA_ARGS__, BENCH_SIZE_64)                                                   \
     : (sizes) == BENCH_SIZE_16   ? call(__VA_ARGS__, BENCH_SIZE_16)                                                   \
     : (sizes) == BENCH_SIZE_1024 ? call(__VA_ARGS__, BENCH_SIZE_1024)                                                 \
                                  : call(__VA_ARGS__, BENCH_SIZE_MIXED))

/* For the i-th block. */
static inline size_t bench_block_size(enum bench_sizes sizes, unsigned i)
{
    static const size_t of_all[] = {[BENCH_SIZE_64] = 64, [BENCH_SIZE_16] = 16, [BENCH_SIZE_1024] = 1024};
    static const uint16_t mixed[16] = {16, 40, 64, 24, 128, 32, 300, 48, 16, 80, 1000, 32, 200, 56, 96, 560};
    return sizes == BENCH_SIZE_MIXED ? mixed[i * 7 & 15] : of_all[sizes];
}

__attribute__((always_inline)) static inline void *bench_block_get(const struct bench_heap *heap, size_t size,
                                                                   uint64_t number)
{
    volatile uint64_t *block = heap->alloc(size);
    if (!block)
        bench_wrong("no block of %zu bytes", size);
    *block = number;
    return (void *)(uintptr_t)block;
}

__attribute__((always_inline)) static inline void bench_block_put(const struct bench_heap *heap, void *block,
                                                                  uint64_t number)
{
    uint64_t held = *(volatile uint64_t *)block;
    if (held != number)
        bench_wrong("block %llu holds %llu", (unsigned long long)number, (unsigned long long)held);
    heap->free(block);
}

/* ns a block, allocated and freed at once. */
__attribute__((always_inline)) static inline double bench_blocks_alone(const struct bench_heap *heap,
                                                                       enum bench_sizes sizes)
{
    double each[BENCH_BLOCK_BATCHES];
    for (int b = 0; b < BENCH_BLOCK_BATCHES; b++) {
        int64_t begin = bench_now();
        for (unsigned i = 0; i < BENCH_BLOCK_PAIRS; i++)
            bench_block_put(heap, bench_block_get(heap, bench_block_size(sizes, i), i), i);
        each[b] = (double)(bench_now() - begin) / BENCH_BLOCK_PAIRS;
    }
    return bench_median(each, BENCH_BLOCK_BATCHES);
}

/* ns a block, BENCH_BLOCKS_ALIVE allocated and then freed in the same order. */
__attribute__((always_inline)) static inline double bench_blocks_many(const struct bench_heap *heap,
                                                                      enum bench_sizes sizes)
{
    double each[BENCH_BLOCK_BATCHES];
    static void *block[BENCH_BLOCKS_ALIVE];
    for (int b = 0; b < BENCH_BLOCK_BATCHES; b++) {
        int64_t begin = bench_now();
        for (unsigned k = 0; k < BENCH_BLOCK_PAIRS / BENCH_BLOCKS_ALIVE; k++) {
            for (unsigned i = 0; i < BENCH_BLOCKS_ALIVE; i++)
                block[i] = bench_block_get(heap, bench_block_size(sizes, i), k + i);
            for (unsigned i = 0; i < BENCH_BLOCKS_ALIVE; i++)
                bench_block_put(heap, block[i], k + i);
        }
        each[b] = (double)(bench_now() - begin) / BENCH_BLOCK_PAIRS;
    }
    return bench_median(each, BENCH_BLOCK_BATCHES);
}

/* On their way from who allocates to who frees; in memory that both see, zeroed. */
struct bench_handover {
    _Atomic int ready; /* who frees is at it */
    _Atomic int64_t end;
    _Alignas(64) _Atomic uint64_t given;
    _Alignas(64) _Atomic uint64_t freed;
    _Alignas(64) void *block[BENCH_BLOCKS_WAITING][BENCH_BLOCKS_ALIVE];
};

/* Who frees. */
__attribute__((always_inline)) static inline void bench_blocks_free(const struct bench_heap *heap,
                                                                    struct bench_handover *way)
{
    atomic_store(&way->ready, 1);
    for (uint64_t k = 0; k < BENCH_BLOCKS_HANDED / BENCH_BLOCKS_ALIVE; k++) {
        void **block = way->block[k % BENCH_BLOCKS_WAITING];
        while (atomic_load_explicit(&way->given, memory_order_acquire) == k) {
        }
        for (unsigned i = 0; i < BENCH_BLOCKS_ALIVE; i++)
            bench_block_put(heap, block[i], k + i);
        atomic_store_explicit(&way->freed, k + 1, memory_order_release);
    }
    atomic_store(&way->end, bench_now());
}

/* Who allocates, once the other is there; gives the time at which it began. */
__attribute__((always_inline)) static inline int64_t
bench_blocks_hand(const struct bench_heap *heap, struct bench_handover *way, enum bench_sizes sizes)
{
    while (!atomic_load(&way->ready)) {
    }
    int64_t begin = bench_now();
    for (uint64_t k = 0; k < BENCH_BLOCKS_HANDED / BENCH_BLOCKS_ALIVE; k++) {
        void **block = way->block[k % BENCH_BLOCKS_WAITING];
        while (k - atomic_load_explicit(&way->freed, memory_order_acquire) == BENCH_BLOCKS_WAITING) {
        }
        for (unsigned i = 0; i < BENCH_BLOCKS_ALIVE; i++)
            block[i] = bench_block_get(heap, bench_block_size(sizes, i), k + i);
        atomic_store_explicit(&way->given, k + 1, memory_order_release);
    }
    return begin;
}

/* When both are through: ns a block. */
static inline double bench_blocks_cost(const struct bench_handover *way, int64_t begin)
{
    if (atomic_load(&way->freed) != BENCH_BLOCKS_HANDED / BENCH_BLOCKS_ALIVE)
        bench_wrong("blocks were lost on the way");
    return (double)(atomic_load(&way->end) - begin) / BENCH_BLOCKS_HANDED;
}

#endif
