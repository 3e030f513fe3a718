/* Blocks up to 32 KiB: out of the current span, or of another that has free ones, or of a new one.
 * Never moves free blocks into anybody's keeping: a block is free in its span's word or handed out, and nothing in
 * between. Next: shm/heap_shelf.c (where spans are found), shm/heap_run.c (where their pages come from). */
#include "shm/heap_span.h"

/* More spans than this in a row of a shelf with free blocks: the next that is empty gives its pages back. */
#define HANDY_ENOUGH 8

/* How many blocks a new span of the bin has. The first ones are small, so that a program that needs a few blocks of
 * many sizes stays small. */
static uint32_t blocks_of(const yn_heap_span_shared *span)
{
    uint32_t pages =
        span->shelf->next == NULL && span->shelf->rows == 1 && yn_span_place(span) == yn_shelf_first(span->shelf)
            ? 4
            : (uint32_t)YN_SPAN_PAGES;
    uint32_t count = pages * (uint32_t)YN_PAGE_BYTES / span->size;
    count = count > 0 ? count : 1;
    return count < YN_SPAN_BLOCKS ? count : YN_SPAN_BLOCKS;
}

/* Sets up a span in a vacant descriptor, its first block taken. */
static void *build(yn_self *me, uint32_t bin, yn_heap_span_shared **built)
{
    yn_heap_span_shared *span = yn_shelf_vacancy(me, bin);
    if (!span)
        return NULL;
    uint32_t count = blocks_of(span);
    uint64_t pages = ((uint64_t)count * span->size + YN_PAGE_BYTES - 1) / YN_PAGE_BYTES;
    yn_page start;
    if (yn_pages_take(me, pages, &start) != 0) {
        yn_span_let_go(me, span);
        return NULL;
    }
    void *block = yn_page_address(me->arena, start);
    uint64_t full = ((UINT64_C(1) << count) - 1) | YN_SPAN_IN_SERVICE;
    atomic_store_explicit(&span->base, (uint64_t)(uintptr_t)block, memory_order_relaxed);
    atomic_store_explicit(&span->full, full, memory_order_relaxed);
    for (yn_page page = start; page < start + pages; page++)
        atomic_store_explicit(yn_map_entry(me->arena, page), (uint64_t)(uintptr_t)span | YN_PAGE_SPAN,
                              memory_order_release);
    atomic_store(&span->blocks, full & ~UINT64_C(1));
    yn_span_let_go(me, span);
    *built = span;
    return block;
}

/* When there is no memory for another span: a block that lies unused in somebody's current span, or a larger one. */
static void *scrape(yn_self *me, uint32_t bin)
{
    uint32_t size = yn_bin_size(bin), alignment = size & (~size + 1);
    for (uint32_t c = bin; c < YN_HEAP_SMALL_BINS; c++) {
        void *block = yn_bin_size(c) % alignment == 0 ? yn_shelf_scrape(me->arena, c) : NULL;
        if (block)
            return block;
    }
    return NULL;
}

/* Nobody goes on with this span: whoever needs its free blocks may have it. */
static void leave(yn_heap_span_shared *span)
{
    if (span && atomic_load(&span->blocks) & ~YN_SPAN_IN_SERVICE)
        yn_span_make_handy(span);
}

void *yn_span_alloc(yn_self *me, uint32_t bin, yn_heap_lane_shared *lane)
{
    for (;;) {
        void *block = NULL;
        yn_heap_span_shared *span = yn_shelf_pick(me->arena, bin);
        if (span)
            block = yn_span_take(span);
        else if (yn_shelf_look_after_deaths(me, bin))
            continue;
        else if (!(block = build(me, bin, &span)))
            return scrape(me, bin);
        /* The span left behind becomes handy only now: where two had met in it, this one has found another. */
        leave(lane ? atomic_exchange(&lane->current[bin], span) : span);
        if (lane)
            yn_span_done(me, atomic_exchange_explicit(&lane->last, span, memory_order_relaxed));
        if (block)
            return block;
    }
}

void yn_span_done(yn_self *me, yn_heap_span_shared *span)
{
    if (!span || atomic_load(&span->blocks) != atomic_load_explicit(&span->full, memory_order_relaxed))
        return;
    uint32_t place = yn_span_place(span);
    uint64_t handy = atomic_load_explicit(yn_shelf_handy(span->shelf, place / 64), memory_order_relaxed);
    /* One that is not handy is somebody's current one. */
    if (handy >> place % 64 & 1 && __builtin_popcountll(handy) > HANDY_ENOUGH)
        yn_span_give_up(me, span);
}
