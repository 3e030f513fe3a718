/* The heap's face: blocks of any size for any process of the team, small ones out of spans, large ones as runs of
 * pages. Never takes a lock; never believes a pointer that it is given. Next: shm/heap_span.c (small), shm/heap_run.c
 * (large), shm/README.md (why a death harms nobody). */
#include "shm/heap.h"
#include "shm/heap_span.h"

int yn_heap_create(yn_arena_shared *arena, int fd)
{
    uint64_t leaves = (arena->limit + (YN_PAGE_BYTES << YN_LEAF_SHIFT) - 1) / (YN_PAGE_BYTES << YN_LEAF_SHIFT);
    uint64_t head = (sizeof(yn_heap_shared) + sizeof(uint32_t) * leaves + YN_PAGE_BYTES - 1) / YN_PAGE_BYTES;
    uint64_t bytes = yn_round_up((head + YN_LEAF_COST) << YN_PAGE_SHIFT, YN_ARENA_GRAIN);
    int error;
    yn_heap_shared *heap = yn_arena_extend(arena, fd, bytes, 0, &error);
    if (!heap)
        return error;
    heap->leaf_count = leaves;
    arena->heap = heap;
    /* One leaf is enough for the first pages; the rest of what was reserved is the first to hand out. */
    yn_page start = yn_page_of(arena, heap) + head, end = yn_page_of(arena, heap) + (bytes >> YN_PAGE_SHIFT);
    yn_assert(end <= YN_LEAF_PAGES);
    atomic_store(&heap->leaf[0], (uint32_t)start);
    if (start + YN_LEAF_COST < end)
        yn_pages_adopt(arena, start + YN_LEAF_COST, end - start - YN_LEAF_COST);
    return 0;
}

static uint64_t pages_for(size_t size)
{
    return (uint64_t)size / YN_PAGE_BYTES + (size % YN_PAGE_BYTES != 0);
}

static int alloc_large(yn_self *me, void **block, size_t size, bool zeroed)
{
    uint64_t count = pages_for(size);
    yn_page start;
    int r = yn_pages_take(me, count, &start);
    if (r != 0)
        return r;
    if (zeroed)
        yn_pages_clear(me, start, count);
    yn_pages_make(me, start, count, count << 4 | YN_PAGE_LARGE);
    *block = yn_page_address(me->arena, start);
    return 0;
}

static yn_heap_lane_shared *lane_of(yn_self *me)
{
    yn_heap_cache_shared *cache = atomic_load_explicit(&me->slot->heap_cache, memory_order_acquire);
    if (YN_UNLIKELY(cache == NULL))
        return NULL;
    uint64_t mixed = (uint64_t)(uintptr_t)me * UINT64_C(0x9e3779b97f4a7c15);
    return &cache->lane[mixed >> 61];
}

/* Gives the slot a cache, which it keeps for its next tenants. Without memory it goes without. */
static yn_heap_lane_shared *make_cache(yn_self *me)
{
    void *none = NULL, *cache = yn_span_alloc(me, YN_HEAP_SMALL_BINS, NULL);
    if (!cache)
        return NULL;
    memset(cache, 0, sizeof(yn_heap_cache_shared));
    if (!atomic_compare_exchange_strong(&me->slot->heap_cache, &none, cache))
        yn_heap_free(me, cache);
    return lane_of(me);
}

void yn_heap_touch(yn_self *me)
{
    yn_heap_lane_shared *lane = lane_of(me);
    yn_heap_span_shared *none = NULL;
    if (lane) /* which changes nothing */
        atomic_compare_exchange_strong(&lane->last, &none, NULL);
}

/* The bin for a block, or YN_HEAP_BINS if it is a large one. Blocks of a bin lie at multiples of its size. */
static inline uint32_t bin_for(size_t size, size_t alignment)
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

static YN_NOINLINE int alloc_slow(yn_self *me, void **block, size_t size, uint32_t bin)
{
    if (bin == YN_HEAP_BINS)
        return alloc_large(me, block, size, false);
    yn_heap_lane_shared *lane = lane_of(me);
    *block = yn_span_alloc(me, bin, lane ? lane : make_cache(me));
    return *block ? 0 : -ENOMEM;
}

void *yn_heap_alloc(yn_self *me, size_t size, size_t alignment)
{
    uint32_t bin = bin_for(size, alignment);
    if (YN_LIKELY(bin < YN_HEAP_SMALL_BINS)) {
        yn_heap_lane_shared *lane = lane_of(me);
        yn_heap_span_shared *span =
            YN_LIKELY(lane != NULL) ? atomic_load_explicit(&lane->current[bin], memory_order_acquire) : NULL;
        void *block = YN_LIKELY(span != NULL) ? yn_span_take(span) : NULL;
        if (YN_LIKELY(block != NULL))
            return block;
    }
    void *block;
    return alloc_slow(me, &block, size, bin) == 0 ? block : NULL;
}

int yn_heap_alloc_zeroed(yn_self *me, void **block, size_t size, size_t alignment)
{
    if (bin_for(size, alignment) == YN_HEAP_BINS)
        return alloc_large(me, block, size, true);
    void *small = yn_heap_alloc(me, size, alignment);
    if (!small)
        return -ENOMEM;
    memset(small, 0, size);
    *block = small;
    return 0;
}

/* What the map says of the page that an address lies in; for one outside the arena, that it is not the heap's. */
static inline uint64_t entry_at(yn_self *me, const void *p)
{
    return YN_LIKELY(yn_arena_holds(me->arena, p)) ? yn_map_read(me->arena, yn_page_of(me->arena, p)) : YN_PAGE_NONE;
}

static inline yn_heap_span_shared *span_of(uint64_t entry)
{
    return (yn_heap_span_shared *)(uintptr_t)(entry & ~UINT64_C(15));
}

static YN_NOINLINE int free_large(yn_self *me, void *block, uint64_t entry)
{
    yn_page start = yn_page_of(me->arena, block);
    if (yn_page_kind_of(entry) != YN_PAGE_LARGE || block != yn_page_address(me->arena, start) ||
        !atomic_compare_exchange_strong(yn_map_entry(me->arena, start), &entry, me->claim | YN_PAGE_FREEING))
        return -EINVAL;
    yn_pages_free(me, start, YN_PAGE_DIRTY);
    return 0;
}

static YN_NOINLINE int free_by_map(yn_self *me, yn_heap_lane_shared *lane, void *block)
{
    uint64_t entry = entry_at(me, block);
    if (yn_page_kind_of(entry) != YN_PAGE_SPAN)
        return block ? free_large(me, block, entry) : 0;
    yn_heap_span_shared *span = span_of(entry);
    if (!yn_span_put(span, block))
        return -EINVAL;
    yn_span_done(me, lane ? atomic_exchange_explicit(&lane->last, span, memory_order_acq_rel) : span);
    return 0;
}

int yn_heap_free(yn_self *me, void *block)
{
    yn_heap_lane_shared *lane = lane_of(me);
    yn_heap_span_shared *last =
        YN_LIKELY(lane != NULL) ? atomic_load_explicit(&lane->last, memory_order_acquire) : NULL;
    /* Asking the last span saves the way through the map, whose steps all wait for one another. */
    if (YN_LIKELY(last != NULL) && YN_LIKELY(yn_span_put(last, block)))
        return 0;
    return free_by_map(me, lane, block);
}

void *yn_heap_find(yn_self *me, const void *p, size_t *usable)
{
    uint64_t entry = entry_at(me, p);
    if (yn_page_kind_of(entry) == YN_PAGE_SPAN) {
        yn_heap_span_shared *span = span_of(entry);
        uint32_t number = yn_span_block(span, p, true);
        uint64_t blocks = atomic_load(&span->blocks), full = atomic_load(&span->full);
        if (number == YN_SPAN_BLOCKS || !(blocks & YN_SPAN_IN_SERVICE) || !((full & ~blocks) >> number & 1))
            return NULL;
        *usable = span->size;
        return (void *)(uintptr_t)(atomic_load(&span->base) + (uint64_t)number * span->size);
    }
    yn_page start = yn_page_kind_of(entry) == YN_PAGE_PART ? entry >> 4 : yn_page_of(me->arena, p);
    if (yn_page_kind_of(entry) == YN_PAGE_PART)
        entry = yn_map_read(me->arena, start);
    if (yn_page_kind_of(entry) != YN_PAGE_LARGE)
        return NULL;
    *usable = (size_t)(entry >> 4 << YN_PAGE_SHIFT);
    return yn_page_address(me->arena, start);
}

size_t yn_heap_usable(yn_self *me, const void *block)
{
    size_t usable;
    return block && yn_heap_find(me, block, &usable) == block ? usable : 0;
}

void yn_heap_read(yn_self *me, yn_heap_figures *figures)
{
    *figures = (yn_heap_figures){0, 0};
    for (uint32_t bin = 0; bin < YN_HEAP_SMALL_BINS; bin++) {
        uint64_t blocks = yn_shelf_count(me->arena, bin);
        figures->blocks += blocks;
        figures->in_use += blocks * yn_bin_size(bin);
    }
    yn_page end = yn_map_leaves(me->arena) << YN_LEAF_SHIFT;
    for (yn_page page = 0; page < end;) {
        uint64_t entry = yn_map_read(me->arena, page);
        bool large = yn_page_kind_of(entry) == YN_PAGE_LARGE;
        figures->blocks += large;
        figures->in_use += large ? entry >> 4 << YN_PAGE_SHIFT : 0;
        page += large ? entry >> 4 : 1;
    }
}
