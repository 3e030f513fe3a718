/* The heap, as what is included below this has it: a block cannot be had, or another does something while one is got.
 * And how many blocks there are: what is destroyed, or could not be made, leaves none. */
#ifndef YUNTA_HEAP_MOMENTS_H
#define YUNTA_HEAP_MOMENTS_H

#include "test.h"

#include "shm/heap.h"

static int blocks_to_come = -1;        /* so many, then one cannot be had; -1: all can */
static void (*while_one_is_got)(void); /* once */

static inline bool can_be_had(void)
{
    void (*call)(void) = while_one_is_got;
    while_one_is_got = NULL;
    if (call)
        call();
    return blocks_to_come < 0 || blocks_to_come-- > 0;
}
#define yn_heap_alloc(...) (can_be_had() ? (yn_heap_alloc)(__VA_ARGS__) : NULL)
#define yn_heap_alloc_zeroed(...) (can_be_had() ? (yn_heap_alloc_zeroed)(__VA_ARGS__) : -ENOMEM)

static inline uint64_t blocks_there_are(void)
{
    yunta_heap_stats stats;
    ck_assert_int_eq(yunta_heap_read_stats(&stats), 0);
    return stats.own_blocks;
}

#endif
