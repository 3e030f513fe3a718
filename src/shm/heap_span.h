/* Spans: runs of up to 16 pages cut into blocks of one size, with one word of free blocks each. For the heap's own
 * files.
 *
 * A span's descriptor stands in a shelf of its size bin and never moves, nor changes its bin: who still looks at it
 * when its span is gone finds no free block there, or those of the next span, which are as good. See README.md for the
 * invariants. */
#ifndef YN_HEAP_SPAN_H
#define YN_HEAP_SPAN_H

#include "shm/heap_map.h"

#define YN_SPAN_BLOCKS 63u
#define YN_SPAN_IN_SERVICE (UINT64_C(1) << 63)
#define YN_SPAN_PAGES ((uint64_t)16)
#define YN_SMALL_MOST ((size_t)32768) /* larger ones are runs of pages */
#define YN_SMALL_UNIT 64u             /* sizes are multiples of it, so that no two blocks share a cache line */

typedef struct yn_heap_span_shared {
    _Atomic uint64_t
        blocks; /* bit i: block i is free; YN_SPAN_IN_SERVICE unless the descriptor is vacant, when it is 0 */
    _Atomic uint64_t base;   /* address of block 0 */
    _Atomic uint64_t full;   /* what `blocks` is when all are free */
    _Atomic yn_claim keeper; /* who sets the span up or takes it down; else 0 */
    struct yn_heap_shelf_shared *shelf;
    uint32_t size;    /* of a block */
    uint32_t inverse; /* 2^31 / (size / YN_SMALL_UNIT), rounded up */
} YN_ALIGNED(64) yn_heap_span_shared;

/* A shelf: `rows` pages of descriptors, 64 in each, but for the first few places, which this head takes up. words[]:
 * for each row the spans that may have free blocks and are nobody's current one (handy), then for each row the vacant
 * ones. Both are hints. */
typedef struct yn_heap_shelf_shared {
    struct yn_heap_shelf_shared *next;
    uint32_t bin, rows;
    _Atomic uint64_t words[];
} yn_heap_shelf_shared;

static inline _Atomic uint64_t *yn_shelf_handy(yn_heap_shelf_shared *shelf, uint32_t row)
{
    return &shelf->words[row];
}

static inline _Atomic uint64_t *yn_shelf_vacant(yn_heap_shelf_shared *shelf, uint32_t row)
{
    return &shelf->words[shelf->rows + row];
}

static inline yn_heap_span_shared *yn_shelf_span(yn_heap_shelf_shared *shelf, uint32_t place)
{
    return (yn_heap_span_shared *)(void *)shelf + place;
}

static inline uint32_t yn_span_place(const yn_heap_span_shared *span)
{
    return (uint32_t)(span - (yn_heap_span_shared *)(void *)span->shelf);
}

/* The first place of a shelf that is a descriptor. */
static inline uint32_t yn_shelf_first(const yn_heap_shelf_shared *shelf)
{
    size_t head = sizeof *shelf + sizeof(uint64_t) * 2 * shelf->rows;
    return (uint32_t)((head + sizeof(yn_heap_span_shared) - 1) / sizeof(yn_heap_span_shared));
}

/* A cache: for each bin the span that was last allocated from, and the span that was last freed to or begun, where
 * the next block that is freed may well lie. It belongs to a slot; its lanes are there to keep the threads of a process
 * apart, which find theirs by the address of their yn_self. All of it is hints. */
#define YN_CACHE_LANES 8u
typedef struct yn_heap_lane_shared {
    _Atomic(yn_heap_span_shared *) current[YN_HEAP_SMALL_BINS];
    _Atomic(yn_heap_span_shared *) last;
} YN_ALIGNED(64) yn_heap_lane_shared;

typedef struct yn_heap_cache_shared {
    yn_heap_lane_shared lane[YN_CACHE_LANES];
} yn_heap_cache_shared;

/* The bin for a size of 0 … YN_SMALL_MOST: steps of 64 bytes up to 512, then four sizes to each doubling. */
static inline uint32_t yn_bin_of(size_t size)
{
    size_t last = size - (size != 0);
    if (last < 512)
        return (uint32_t)(last / 64);
    unsigned power = 63u - (unsigned)__builtin_clzll(last);
    return 8 + (power - 9) * 4 + (uint32_t)(last >> (power - 2) & 3);
}

static inline uint32_t yn_bin_size(uint32_t bin)
{
    if (bin == YN_HEAP_SMALL_BINS)
        return sizeof(yn_heap_cache_shared);
    if (bin < 8)
        return (bin + 1) * 64;
    uint32_t power = 9 + (bin - 8) / 4;
    return (1u << power) + ((bin - 8) % 4 + 1) * (1u << (power - 2));
}

/* Takes the lowest free block of a span. NULL: there is none, or somebody else took it at this moment. */
static inline void *yn_span_take(yn_heap_span_shared *span)
{
    uint64_t old = atomic_load_explicit(&span->blocks, memory_order_relaxed), lowest;
    do {
        lowest = old & (~old + 1);
        if (YN_UNLIKELY(old == 0 || old == YN_SPAN_IN_SERVICE))
            return NULL;
        if (YN_LIKELY(atomic_compare_exchange_weak_explicit(&span->blocks, &old, old & ~lowest, memory_order_acq_rel,
                                                            memory_order_relaxed))) {
            /* The block is ours, so the span stays what it is now, whatever it was when we looked first. */
            uint64_t base = atomic_load_explicit(&span->base, memory_order_relaxed);
            return (void *)(uintptr_t)(base + (uint64_t)__builtin_ctzll(lowest) * span->size);
        }
    } while (old & lowest);
    return NULL;
}

/* The number of the block that begins at `p` or, if `inside`, that holds it; YN_SPAN_BLOCKS if there is none. */
static inline uint32_t yn_span_block(const yn_heap_span_shared *span, const void *p, bool inside)
{
    uint64_t offset = (uint64_t)(uintptr_t)p - atomic_load_explicit(&span->base, memory_order_relaxed);
    uint64_t unit = offset / YN_SMALL_UNIT;
    if (YN_UNLIKELY(unit >= YN_SPAN_PAGES * YN_PAGE_BYTES / YN_SMALL_UNIT))
        return YN_SPAN_BLOCKS;
    uint32_t number = (uint32_t)(unit * span->inverse >> 31);
    if (YN_UNLIKELY(!inside && (uint64_t)number * span->size != offset))
        return YN_SPAN_BLOCKS;
    return number < YN_SPAN_BLOCKS ? number : YN_SPAN_BLOCKS;
}

/* The span has free blocks again and is nobody's current one (heap_shelf.c). */
void yn_span_make_handy(yn_heap_span_shared *span);

/* Makes the block that begins at `p` free. False: there is no such block in this span, or it is free. The word is read
 * first: if `p` is a block of this span, that block has kept all the rest as it is since before. */
static inline bool yn_span_put(yn_heap_span_shared *span, const void *p)
{
    uint64_t old = atomic_load_explicit(&span->blocks, memory_order_acquire);
    uint64_t full = atomic_load_explicit(&span->full, memory_order_relaxed);
    uint32_t number = yn_span_block(span, p, false);
    if (YN_UNLIKELY(number == YN_SPAN_BLOCKS))
        return false;
    uint64_t bit = UINT64_C(1) << number;
    do {
        if (YN_UNLIKELY(!(old & YN_SPAN_IN_SERVICE) || old & bit || !(full & bit)))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&span->blocks, &old, old | bit, memory_order_acq_rel,
                                                    memory_order_relaxed));
    if (YN_UNLIKELY(old == YN_SPAN_IN_SERVICE))
        yn_span_make_handy(span);
    return true;
}

/* heap_span.c */

/* A block of this bin from wherever there is one, which `lane` (or NULL) then goes on with. NULL: no memory. */
void *yn_span_alloc(yn_self *me, uint32_t bin, yn_heap_lane_shared *lane);

/* Blocks were freed to this span (or NULL), and the next ones will be freed elsewhere: if it is empty, and not the only
 * one, it gives its pages back. */
void yn_span_done(yn_self *me, yn_heap_span_shared *span);

/* heap_shelf.c */

/* A span of the bin that had free blocks a moment ago, for the caller to go on with; NULL if none is known. */
yn_heap_span_shared *yn_shelf_pick(const yn_arena_shared *arena, uint32_t bin);

/* A vacant descriptor of the bin, kept by me. NULL: no memory. */
yn_heap_span_shared *yn_shelf_vacancy(yn_self *me, uint32_t bin);

/* Ends my keeping of a span: one without blocks loses its pages and becomes vacant. */
void yn_span_let_go(yn_self *me, yn_heap_span_shared *span);

/* Takes a span down if all its blocks are free. */
void yn_span_give_up(yn_self *me, yn_heap_span_shared *span);
void yn_spans_give_up_empty(yn_self *me);

/* A block of any span of this bin, those that are current for others too: when there is no memory for another span.
 */
void *yn_shelf_scrape(const yn_arena_shared *arena, uint32_t bin);

/* Whether a page begins a shelf that is in use. */
bool yn_shelf_is_at(const yn_arena_shared *arena, const void *page);

/* Repairs what the dead kept, and sets the hints right: of a bin, of all. */
void yn_shelf_look_over(yn_self *me, uint32_t bin);
bool yn_shelf_look_after_deaths(yn_self *me, uint32_t bin);

/* The blocks handed out of the spans of a bin. */
uint64_t yn_shelf_count(const yn_arena_shared *arena, uint32_t bin);

#endif
