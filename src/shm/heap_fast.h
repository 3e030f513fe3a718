/* The short way through the heap: a block out of the current span of my lane, and back. For the heap's own files and
 * for those that have public functions over it. */
#ifndef YN_HEAP_FAST_H
#define YN_HEAP_FAST_H

#include "shm/heap.h"
#include "shm/heap_span.h"

/* The bin for a block, or YN_HEAP_BINS if it is a large one. Blocks of a bin lie at multiples of its size. */
static inline uint32_t yn_heap_bin_for(size_t size, size_t alignment)
{
    if (YN_UNLIKELY(size > YN_SMALL_MOST))
        return YN_HEAP_BINS;
    if (YN_LIKELY(alignment <= YN_SMALL_UNIT))
        return yn_bin_of(size);
    yn_assert(yn_is_power_of_two(alignment) && alignment <= YN_PAGE_BYTES);
    uint32_t bin = yn_bin_of(size > alignment ? size : alignment);
    while (yn_bin_size(bin) % alignment != 0)
        bin++; /* the last one's size is a multiple of all alignments */
    return bin;
}

/* heap.c: what the short ways leave. */
void *yn_heap_alloc_slow(yn_self *me, uint32_t bin, uint32_t kind, size_t size);
int yn_heap_free_by_map(yn_self *me, uint32_t kind, void *block);

/* Back into a span of the lane's own; false if it lies in none that the lane knows of. The last one is asked first
 * although the table knows it too: then nothing waits for the pointer to have been looked up. */
static inline bool yn_lane_put(yn_heap_lane_shared *lane, uint32_t kind, const void *block)
{
    if (YN_LIKELY(yn_span_put_own(lane, lane->last_own, block, kind)))
        return true;
    yn_heap_span_shared *span = *yn_lane_seen(lane, block);
    if (!yn_span_put_own(lane, span, block, kind))
        return false;
    lane->last_own = span;
    return true;
}

static inline void *yn_heap_take(yn_self *me, uint32_t kind, size_t size, size_t alignment)
{
    uint32_t bin = yn_heap_bin_for(size, alignment);
    yn_heap_lane_shared *lane = me->lane;
    if (YN_LIKELY(lane && bin < YN_HEAP_SMALL_BINS)) {
        yn_heap_span_shared *span = lane->bin[bin].current;
        uint64_t free = atomic_load_explicit(&span->free, memory_order_relaxed);
        if (YN_LIKELY(free != 0))
            return yn_span_take(span, free, lane->stamp[kind]);
    }
    return yn_heap_alloc_slow(me, bin, kind, size);
}

static inline int yn_heap_put(yn_self *me, uint32_t kind, void *block)
{
    return YN_LIKELY(me->lane && yn_lane_put(me->lane, kind, block)) ? 0 : yn_heap_free_by_map(me, kind, block);
}

/* An allocated block, as the map has it. */
typedef struct yn_heap_place {
    void *start;
    size_t usable;
    uint32_t stamp;
    yn_heap_span_shared *span; /* NULL: a large one */
} yn_heap_place;

/* The block that an address lies in. False: in none that is allocated. */
bool yn_heap_look_up(yn_self *me, const void *p, yn_heap_place *place);

#endif
