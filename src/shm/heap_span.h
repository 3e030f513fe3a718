/* Spans: runs of up to 16 pages cut into blocks of one size, with a stamp for each block that says who has it. For the
 * heap's own files.
 *
 * The stamps are the truth: a block whose stamp is 0 is free. A block is handed out by the span's owner alone, one
 * thread, which therefore needs no atomic operation for it; it is freed by whoever has it. A span's descriptor stands
 * in a shelf of its size bin and never moves, nor changes its bin: who still looks at it when its span is gone finds no
 * block there, or those of the next span at another address. See README.md for the invariants. */
#ifndef YN_HEAP_SPAN_H
#define YN_HEAP_SPAN_H

#include "shm/heap_map.h"

#define YN_SPAN_BLOCKS 60u
#define YN_SPAN_PAGES ((uint64_t)16)
#define YN_SMALL_MOST ((size_t)32768) /* larger ones are runs of pages */
#define YN_SMALL_UNIT 64u             /* sizes are multiples of it, so that no two blocks share a cache line */

/* Who may hand out blocks of a span, set it up or take it down: the claim of a process, and one of its lanes in the
 * flags; YN_LANE_NONE for a thread that has no lane, and for who only changes the span. 0: nobody. */
typedef uint64_t yn_span_owner;
#define YN_LANE_NONE 15u

typedef struct yn_heap_span_shared {
    /* Changes only when the span gets another owner, is set up or taken down. */
    _Atomic uint64_t base; /* address of block 0; 0: no pages */
    _Atomic yn_span_owner owner;
    struct yn_heap_shelf_shared *shelf;
    uint32_t place, bin;      /* in the shelf; the shelf's */
    uint64_t size;            /* of a block */
    uint64_t inverse;         /* 2^31 / (size / YN_SMALL_UNIT), rounded up */
    _Atomic uint32_t planned; /* how many blocks its pages are for */
    _Atomic uint32_t blocks; /* the same, once they may be handed out; 0: it is being set up or taken down, or vacant */

    /* The owner's own. */
    YN_ALIGNED(64) _Atomic uint64_t free; /* bit i: block i is free, and the owner knows */
    _Atomic uint32_t stamp[YN_SPAN_BLOCKS];
} YN_ALIGNED(64) yn_heap_span_shared;

/* A shelf: pages of descriptors behind this head. words[]: one bit for each descriptor that is nobody's and may have
 * free blocks (handy), then likewise for the vacant ones. Both are hints. */
typedef struct yn_heap_shelf_shared {
    struct yn_heap_shelf_shared *next;
    uint32_t bin, places;
    _Atomic uint64_t words[];
} yn_heap_shelf_shared;

static inline uint32_t yn_shelf_rows(const yn_heap_shelf_shared *shelf)
{
    return (shelf->places + 63) / 64;
}

static inline _Atomic uint64_t *yn_shelf_handy(yn_heap_shelf_shared *shelf, uint32_t row)
{
    return &shelf->words[row];
}

static inline _Atomic uint64_t *yn_shelf_vacant(yn_heap_shelf_shared *shelf, uint32_t row)
{
    return &shelf->words[yn_shelf_rows(shelf) + row];
}

static inline yn_heap_span_shared *yn_shelf_span(yn_heap_shelf_shared *shelf, uint32_t place)
{
    size_t head = yn_round_up(sizeof *shelf + sizeof(uint64_t) * 2 * yn_shelf_rows(shelf), 64);
    return (yn_heap_span_shared *)(void *)((char *)shelf + head) + place;
}

/* A lane: the spans that one thread owns, for each bin a few, and which of them it goes on with. Lanes belong to a slot
 * and are used by one thread at a time; who dies leaves its lane to the slot's next tenant, and its spans to whoever
 * looks first. All but `taken` is the thread's own, and after its death hints. */
#define YN_LANE_SPANS 16u
typedef struct yn_heap_lane_bin {
    uint32_t count, hand; /* of the spans in held[]; the one to ask next for blocks that others have freed */
    yn_heap_span_shared *current, *held[YN_LANE_SPANS];
} yn_heap_lane_bin;

#define YN_LANE_SEEN 32u
#define YN_DIRECT_MOST ((size_t)1024)

typedef struct yn_heap_lane_shared {
    yn_span_owner owner;
    uint32_t number;
    uint32_t stamp[YN_STAMP_KIND + 1]; /* of its process, for a block of each kind */
    yn_heap_span_shared *last;         /* not its own, in which it last freed a block */
    _Atomic yn_claim taken;            /* whose thread uses it; 0, or a claim of the dead: none */
    struct yn_heap_lane_shared *next;

    /* For the short ways: the current span by a size in units, rounded up; and of its own spans the one in which it
     * last freed a block, and, by the low bits of a page's number, one that may lie there. These, and a bin's current
     * one, are its own or `none`, which is all zeros: never NULL. */
    yn_heap_span_shared *last_own;
    yn_heap_span_shared *direct[YN_DIRECT_MOST / YN_SMALL_UNIT + 1];
    yn_heap_span_shared *seen[YN_LANE_SEEN];
    yn_heap_lane_bin bin[YN_HEAP_SMALL_BINS];
    yn_heap_span_shared none;
} YN_ALIGNED(64) yn_heap_lane_shared;

/* The bin for a size of 0 … YN_SMALL_MOST: steps of 64 bytes up to 512, then four sizes to each doubling. */
static inline uint32_t yn_bin_of(size_t size)
{
    size_t last = size - (size != 0);
    if (YN_LIKELY(last < 512))
        return (uint32_t)(last / 64);
    unsigned power = 63u - (unsigned)__builtin_clzll(last);
    return 8 + (power - 9) * 4 + (uint32_t)(last >> (power - 2) & 3);
}

static inline uint32_t yn_bin_size(uint32_t bin)
{
    if (bin == YN_HEAP_SMALL_BINS)
        return sizeof(yn_heap_lane_shared);
    if (bin < 8)
        return (bin + 1) * 64;
    uint32_t power = 9 + (bin - 8) / 4;
    return (1u << power) + ((bin - 8) % 4 + 1) * (1u << (power - 2));
}

static inline uint64_t yn_span_bit(uint64_t number)
{
    return UINT64_C(1) << number;
}

/* Hands out the lowest block that its owner, the caller, knows to be free; there must be one. The stamp comes first: a
 * block that is stamped and not yet handed out is lost with who dies over it, and told as held by the dead. */
static inline void *yn_span_take(yn_heap_span_shared *span, uint64_t free, uint32_t stamp)
{
    uint64_t number = (uint64_t)__builtin_ctzll(free);
    _Atomic uint32_t *at = span->stamp; /* added to, not indexed: the compiler makes an instruction less of it */
    atomic_store_explicit(at + number, stamp, memory_order_release);
    atomic_store_explicit(&span->free, free & (free - 1), memory_order_relaxed);
    return (void *)(uintptr_t)(atomic_load_explicit(&span->base, memory_order_relaxed) + number * span->size);
}

/* The number of the block that begins at `p`, in a span that begins at `base`; YN_SPAN_BLOCKS or more if there is none.
 * It need not look how far `p` is: whatever the quotient of something too far comes to, its product is something else.
 */
static inline uint64_t yn_span_block(const yn_heap_span_shared *span, uint64_t base, const void *p)
{
    uint64_t offset = (uint64_t)(uintptr_t)p - base;
    uint64_t number = offset / YN_SMALL_UNIT * span->inverse >> 31;
    return number * span->size == offset ? number : YN_SPAN_BLOCKS;
}

/* The number of the block that holds `p`, likewise. */
static inline uint64_t yn_span_block_around(const yn_heap_span_shared *span, uint64_t base, const void *p)
{
    uint64_t unit = ((uint64_t)(uintptr_t)p - base) / YN_SMALL_UNIT;
    return unit < YN_SPAN_PAGES * YN_PAGE_BYTES / YN_SMALL_UNIT ? unit * span->inverse >> 31 : YN_SPAN_BLOCKS;
}

static inline yn_heap_span_shared **yn_lane_seen(yn_heap_lane_shared *lane, const void *p)
{
    return &lane->seen[(uintptr_t)p >> YN_PAGE_SHIFT & (YN_LANE_SEEN - 1)];
}

/* Makes the block that begins at `p` free, if it is one of that kind in this span, which is the lane's own or `none`,
 * and was allocated by the lane's process. */
static inline bool yn_span_put_own(const yn_heap_lane_shared *lane, yn_heap_span_shared *span, const void *p,
                                   uint32_t kind)
{
    uint64_t number = yn_span_block(span, atomic_load_explicit(&span->base, memory_order_relaxed), p);
    if (YN_UNLIKELY(number >= YN_SPAN_BLOCKS ||
                    atomic_load_explicit(&span->stamp[number], memory_order_relaxed) != lane->stamp[kind]))
        return false;
    /* Nobody but me hands this block out anew, so that a store will do. */
    uint64_t free = atomic_load_explicit(&span->free, memory_order_relaxed);
    atomic_store_explicit(&span->stamp[number], 0, memory_order_relaxed);
    atomic_store_explicit(&span->free, free | yn_span_bit(number), memory_order_relaxed);
    return true;
}

/* heap_lane.c */

/* A block of this bin from wherever there is one. NULL: no memory. */
void *yn_lane_alloc(yn_self *me, uint32_t bin, uint32_t kind);

/* Gives up all that my lane owns, and the lanes of my process that no thread uses. */
void yn_lanes_release(yn_self *me);

/* heap_span.c */

/* Makes the block that begins at `p` free, if it is one of that kind in this span, whoever owns it. */
bool yn_span_put(yn_heap_span_shared *span, const void *p, uint32_t kind);

/* Sets up a span in a vacant descriptor, its blocks free and known to its owner. NULL: no memory. */
yn_heap_span_shared *yn_span_build(yn_self *me, uint32_t bin, yn_span_owner owner);

/* Looks which blocks are free, as its owner; returns them. */
uint64_t yn_span_gather(yn_heap_span_shared *span);

/* Leaves a span, vacant or not, of which I am the owner, to nobody. */
void yn_span_release(yn_heap_span_shared *span);

/* Takes a span down if it is nobody's and all its blocks are free. */
void yn_span_give_up(yn_self *me, yn_heap_span_shared *span);
void yn_spans_give_up_empty(yn_self *me);

/* Blocks were freed to this span (or NULL), and the next ones will be freed elsewhere: if it is nobody's and empty, and
 * not the only one, it gives its pages back. */
void yn_span_done(yn_self *me, yn_heap_span_shared *span);

/* A span whose owner has died becomes nobody's; one half set up or taken down becomes vacant. */
void yn_span_repair(yn_self *me, yn_heap_span_shared *span);

/* heap_shelf.c */

/* A span of the bin that was nobody's, with free blocks, owned by `owner` now; NULL if none is known. */
yn_heap_span_shared *yn_shelf_adopt(const yn_arena_shared *arena, uint32_t bin, yn_span_owner owner);

/* A vacant descriptor of the bin, owned by `owner` now. NULL: no memory. */
yn_heap_span_shared *yn_shelf_vacancy(yn_self *me, uint32_t bin, yn_span_owner owner);

/* Calls `visit` for each descriptor of a bin, vacant or not. */
typedef void yn_span_visit(yn_heap_span_shared *span, void *context);
void yn_shelf_walk(const yn_arena_shared *arena, uint32_t bin, yn_span_visit *visit, void *context);

/* Whether a page begins a shelf that is in use. */
bool yn_shelf_is_at(const yn_arena_shared *arena, const void *page);

/* Repairs what the dead owned, and sets the hints right: of a bin, of all. */
void yn_shelf_look_over(yn_self *me, uint32_t bin);
bool yn_shelf_look_after_deaths(yn_self *me, uint32_t bin);

#endif
