/* The heap's face: blocks of any size for any process of the team, small ones out of spans, large ones as runs of
 * pages. Never takes a lock; never believes a pointer that it is given. Next: shm/heap_lane.c (small), shm/heap_run.c
 * (large), shm/README.md (why a death harms nobody). */
#include "shm/heap_fast.h"

int yn_heap_create(yn_arena_shared *arena, int fd)
{
    uint64_t leaves = (arena->limit + (YN_PAGE_BYTES << YN_LEAF_SHIFT) - 1) / (YN_PAGE_BYTES << YN_LEAF_SHIFT);
    uint64_t head = (sizeof(yn_heap_shared) + sizeof(uint32_t) * leaves + YN_PAGE_BYTES - 1) / YN_PAGE_BYTES;
    uint64_t bytes = yn_round_up((head + YN_LEAF_COST) << YN_PAGE_SHIFT, arena->grain);
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

static int alloc_large(yn_self *me, uint32_t kind, void **block, size_t size, bool zeroed)
{
    uint64_t count = pages_for(size);
    yn_page start;
    int r = yn_pages_take(me, count, &start);
    if (r != 0)
        return r;
    if (zeroed)
        yn_pages_clear(me, start, count);
    yn_pages_make(me, start, count, yn_large_entry(yn_stamp_of(me->claim) | kind, count));
    *block = yn_page_address(me->arena, start);
    return 0;
}

YN_NOINLINE void *yn_heap_alloc_slow(yn_self *me, uint32_t bin, uint32_t kind, size_t size)
{
    void *block;
    if (bin == YN_HEAP_BINS)
        return alloc_large(me, kind, &block, size, false) == 0 ? block : NULL;
    return yn_lane_alloc(me, bin, kind);
}

void *yn_heap_alloc(yn_self *me, size_t size, size_t alignment)
{
    return yn_heap_take(me, YN_HEAP_OWN, size, alignment);
}

void *yn_heap_alloc_as(yn_self *me, uint32_t kind, size_t size, size_t alignment)
{
    return yn_heap_take(me, kind, size, alignment);
}

int yn_heap_alloc_zeroed_as(yn_self *me, uint32_t kind, void **block, size_t size, size_t alignment)
{
    if (yn_heap_bin_for(size, alignment) == YN_HEAP_BINS)
        return alloc_large(me, kind, block, size, true);
    void *small = yn_heap_take(me, kind, size, alignment);
    if (!small)
        return -ENOMEM;
    memset(small, 0, size);
    *block = small;
    return 0;
}

int yn_heap_alloc_zeroed(yn_self *me, void **block, size_t size, size_t alignment)
{
    return yn_heap_alloc_zeroed_as(me, YN_HEAP_OWN, block, size, alignment);
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

/* The entry that begins a large block; the one that somebody dead was moving the end of is set right first. */
static uint64_t head_entry(yn_self *me, yn_page page)
{
    uint64_t entry = yn_map_read(me->arena, page);
    while (yn_page_is_moving(entry) && yn_heap_repair_page(me, page))
        entry = yn_map_read(me->arena, page);
    return entry;
}

static int free_large(yn_self *me, uint32_t kind, void *block)
{
    if (!yn_arena_holds(me->arena, block))
        return -EINVAL;
    yn_page start = yn_page_of(me->arena, block);
    uint64_t entry = head_entry(me, start);
    if (yn_page_kind_of(entry) != YN_PAGE_LARGE || (entry >> 32 & YN_STAMP_KIND) != kind ||
        block != yn_page_address(me->arena, start) ||
        !atomic_compare_exchange_strong(yn_map_entry(me->arena, start), &entry, me->claim | YN_PAGE_FREEING))
        return -EINVAL;
    yn_pages_free(me, start, YN_PAGE_DIRTY);
    return 0;
}

YN_NOINLINE int yn_heap_free_by_map(yn_self *me, uint32_t kind, void *block)
{
    uint64_t entry = entry_at(me, block);
    if (yn_page_kind_of(entry) != YN_PAGE_SPAN)
        return block ? free_large(me, kind, block) : 0;
    yn_heap_span_shared *span = span_of(entry), *done = span;
    yn_heap_lane_shared *lane = me->lane;
    if (lane && atomic_load_explicit(&span->owner, memory_order_relaxed) == lane->owner &&
        yn_span_put_own(lane, span, block, kind)) {
        *yn_lane_seen(lane, block) = lane->last_own = span;
        return 0;
    }
    if (!yn_span_put(span, block, kind))
        return -EINVAL;
    if (lane) {
        done = lane->last;
        lane->last = span;
    }
    yn_span_done(me, done);
    return 0;
}

int yn_heap_free_as(yn_self *me, uint32_t kind, void *block)
{
    return yn_heap_put(me, kind, block);
}

int yn_heap_free(yn_self *me, void *block)
{
    return yn_heap_put(me, YN_HEAP_OWN, block);
}

static bool look_up_small(yn_heap_span_shared *span, const void *p, yn_heap_place *place)
{
    uint64_t base = atomic_load(&span->base);
    uint64_t number = yn_span_block_around(span, base, p);
    if (number >= YN_SPAN_BLOCKS)
        return false;
    uint32_t stamp = atomic_load(&span->stamp[number]);
    if (stamp == 0 || atomic_load(&span->base) != base)
        return false;
    *place = (yn_heap_place){(void *)(uintptr_t)(base + number * span->size), span->size, stamp, span};
    return true;
}

bool yn_heap_look_up(yn_self *me, const void *p, yn_heap_place *place)
{
    uint64_t entry = entry_at(me, p);
    if (yn_page_kind_of(entry) == YN_PAGE_SPAN)
        return look_up_small(span_of(entry), p, place);
    if (!yn_arena_holds(me->arena, p))
        return false;
    yn_page start = yn_page_kind_of(entry) == YN_PAGE_PART ? entry >> 4 : yn_page_of(me->arena, p);
    entry = yn_map_read(me->arena, start);
    uint64_t pages;
    uint32_t stamp;
    if (yn_page_is_moving(entry)) {
        pages = 1 + yn_pages_parts(me->arena, start);
        stamp = yn_moving_stamp(entry);
    } else if (yn_page_kind_of(entry) == YN_PAGE_LARGE) {
        pages = yn_large_pages(entry);
        stamp = (uint32_t)(entry >> 32);
    } else {
        return false;
    }
    *place = (yn_heap_place){yn_page_address(me->arena, start), (size_t)(pages << YN_PAGE_SHIFT), stamp, NULL};
    return true;
}

void *yn_heap_find(yn_self *me, const void *p, size_t *usable)
{
    yn_heap_place place;
    if (!yn_heap_look_up(me, p, &place))
        return NULL;
    *usable = place.usable;
    return place.start;
}

size_t yn_heap_usable(yn_self *me, const void *block)
{
    size_t usable;
    return block && yn_heap_find(me, block, &usable) == block ? usable : 0;
}

static bool move_end(yn_self *me, uint32_t kind, void *block, size_t size, bool zeroed)
{
    yn_page start = yn_page_of(me->arena, block);
    uint64_t entry = head_entry(me, start);
    if (yn_page_kind_of(entry) != YN_PAGE_LARGE ||
        !atomic_compare_exchange_strong(yn_map_entry(me->arena, start), &entry, yn_moving_entry(me->claim, kind)))
        return false;
    return yn_pages_move_end(me, start, pages_for(size), yn_stamp_of(me->claim) | kind, zeroed);
}

int yn_heap_resize_in_place(yn_self *me, uint32_t kind, void *block, size_t size, bool zeroed)
{
    yn_heap_place place;
    if (!yn_heap_look_up(me, block, &place) || place.start != block || (place.stamp & YN_STAMP_KIND) != kind)
        return -EINVAL;
    if (place.span)
        return size <= place.usable ? 0 : -ENOMEM;
    size_t least = YN_SMALL_MOST + 1; /* one that is large stays so */
    size_t wanted = size < least ? least : size;
    if (pages_for(wanted) == place.usable >> YN_PAGE_SHIFT)
        return 0;
    return move_end(me, kind, block, wanted, zeroed) ? 0 : -ENOMEM;
}

static void count_span(yn_heap_span_shared *span, void *context)
{
    yn_heap_tally *tally = context;
    uint32_t blocks = atomic_load(&span->blocks);
    for (uint32_t i = 0; i < blocks && i < YN_SPAN_BLOCKS; i++) {
        uint32_t stamp = atomic_load_explicit(&span->stamp[i], memory_order_relaxed);
        if (stamp != 0)
            tally->count(tally, stamp, span->size);
    }
}

void yn_heap_count(yn_self *me, yn_heap_tally *tally)
{
    for (uint32_t bin = 0; bin < YN_HEAP_SMALL_BINS; bin++)
        yn_shelf_walk(me->arena, bin, count_span, tally);
    yn_page end = yn_map_leaves(me->arena) << YN_LEAF_SHIFT;
    for (yn_page page = 0; page < end;) {
        yn_heap_place place;
        uint64_t entry = yn_map_read(me->arena, page);
        bool begins = yn_page_kind_of(entry) == YN_PAGE_LARGE || yn_page_is_moving(entry);
        if (begins && yn_heap_look_up(me, yn_page_address(me->arena, page), &place)) {
            tally->count(tally, place.stamp, place.usable);
            page += place.usable >> YN_PAGE_SHIFT;
        } else {
            page++;
        }
    }
}

static void count_all(yn_heap_tally *tally, uint32_t stamp, size_t bytes)
{
    (void)stamp;
    tally->figures.blocks++;
    tally->figures.in_use += bytes;
}

void yn_heap_read(yn_self *me, yn_heap_figures *figures)
{
    yn_heap_tally tally = {.count = count_all};
    yn_heap_count(me, &tally);
    *figures = tally.figures;
}
