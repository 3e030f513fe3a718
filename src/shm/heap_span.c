/* Spans: set up, handed from one owner to the next, taken down.
 * Never changes a span that is not its own: first the owner's word is swapped, from nobody or from the very claim of
 * somebody dead. Next: shm/heap_lane.c (who owns them), shm/heap_shelf.c (where they are found), shm/heap_run.c. */
#include "shm/heap_span.h"

/* More spans than this in a row of a shelf with free blocks: the next that is empty gives its pages back. */
#define HANDY_ENOUGH 8

static yn_span_owner keeper(const yn_self *me)
{
    return me->claim | YN_LANE_NONE;
}

static bool become_owner(yn_heap_span_shared *span, yn_span_owner from, yn_span_owner to)
{
    return atomic_compare_exchange_strong(&span->owner, &from, to);
}

static uint32_t blocks_in_service(const yn_heap_span_shared *span)
{
    uint32_t blocks = atomic_load(&span->blocks);
    return blocks <= YN_SPAN_BLOCKS ? blocks : 0;
}

static bool any(const yn_heap_span_shared *span, bool is_free)
{
    for (uint32_t i = 0, blocks = blocks_in_service(span); i < blocks; i++)
        if ((atomic_load(&span->stamp[i]) == 0) == is_free)
            return true;
    return false;
}

static uint64_t place_bit(const yn_heap_span_shared *span)
{
    return UINT64_C(1) << span->place % 64;
}

static _Atomic uint64_t *handy_word(const yn_heap_span_shared *span)
{
    return yn_shelf_handy(span->shelf, span->place / 64);
}

static void make_vacant(yn_heap_span_shared *span)
{
    atomic_fetch_or(yn_shelf_vacant(span->shelf, span->place / 64), place_bit(span));
}

/* A block was freed to a span that is not the caller's: if it is nobody's, it is handy now. */
static void was_freed_to(yn_heap_span_shared *span)
{
    if (!(atomic_load(handy_word(span)) & place_bit(span)))
        atomic_fetch_or(handy_word(span), place_bit(span));
}

bool yn_span_put(yn_heap_span_shared *span, const void *p, uint32_t kind)
{
    uint64_t base = atomic_load_explicit(&span->base, memory_order_acquire);
    uint64_t number = yn_span_block(span, base, p);
    if (number >= YN_SPAN_BLOCKS)
        return false;
    uint32_t was = atomic_load_explicit(&span->stamp[number], memory_order_acquire);
    /* With a block that is allocated the span stays where it is: so if it is there now, it was when the stamp was read,
     * and that was this block's. */
    if ((was & YN_STAMP_KIND) != kind || atomic_load(&span->base) != base ||
        !atomic_compare_exchange_strong(&span->stamp[number], &was, 0))
        return false;
    if (atomic_load(&span->owner) == 0)
        was_freed_to(span);
    return true;
}

uint64_t yn_span_gather(yn_heap_span_shared *span)
{
    uint64_t free = 0;
    for (uint32_t i = 0, blocks = blocks_in_service(span); i < blocks; i++)
        free |= (uint64_t)(atomic_load_explicit(&span->stamp[i], memory_order_acquire) == 0) << i;
    atomic_store_explicit(&span->free, free, memory_order_relaxed);
    return free;
}

void yn_span_release(yn_heap_span_shared *span)
{
    bool is_vacant = blocks_in_service(span) == 0;
    if (is_vacant)
        make_vacant(span);
    atomic_store(&span->owner, 0);
    /* Only now: who frees a block from here on sees that it is nobody's, and who did before has left it free. */
    if (!is_vacant && any(span, true))
        was_freed_to(span);
}

/* How many blocks a new span of the bin has. The first ones are small, so that a program that needs a few blocks of
 * many sizes stays small. */
static uint32_t blocks_of(const yn_heap_span_shared *span)
{
    bool is_first = span->shelf->next == NULL && span->place == 0;
    uint64_t count = (is_first ? 4 : YN_SPAN_PAGES) * YN_PAGE_BYTES / span->size;
    count = count > 0 ? count : 1;
    return count < YN_SPAN_BLOCKS ? (uint32_t)count : YN_SPAN_BLOCKS;
}

static uint64_t pages_of(const yn_heap_span_shared *span, uint32_t blocks)
{
    return (blocks * span->size + YN_PAGE_BYTES - 1) / YN_PAGE_BYTES;
}

yn_heap_span_shared *yn_span_build(yn_self *me, uint32_t bin, yn_span_owner owner)
{
    yn_heap_span_shared *span = yn_shelf_vacancy(me, bin, owner);
    if (!span)
        return NULL;
    uint32_t blocks = blocks_of(span);
    uint64_t pages = pages_of(span, blocks);
    yn_page start;
    if (yn_pages_take(me, pages, &start) != 0) {
        yn_span_release(span);
        return NULL;
    }
    atomic_store(&span->base, (uint64_t)(uintptr_t)yn_page_address(me->arena, start));
    atomic_store(&span->planned, blocks);
    for (yn_page page = start; page < start + pages; page++)
        atomic_store_explicit(yn_map_entry(me->arena, page), (uint64_t)(uintptr_t)span | YN_PAGE_SPAN,
                              memory_order_release);
    atomic_store_explicit(&span->free, (UINT64_C(1) << blocks) - 1, memory_order_relaxed);
    atomic_store(&span->blocks, blocks);
    return span;
}

/* Makes the pages of a span that is out of service free; those that it got before its owner died, and no others. */
static void free_pages(yn_self *me, yn_heap_span_shared *span)
{
    uint64_t base = atomic_load(&span->base);
    if (base == 0)
        return;
    yn_page start = yn_page_of(me->arena, (void *)(uintptr_t)base);
    yn_page end = start + pages_of(span, atomic_load(&span->planned));
    yn_run run = {.start = start};
    for (yn_page page = start; page < end; page++) {
        _Atomic uint64_t *entry = yn_map_entry(me->arena, page);
        if (entry && atomic_load(entry) == ((uint64_t)(uintptr_t)span | YN_PAGE_SPAN)) {
            /* In my hands first: they are then given back as any others, or found there if I die. */
            atomic_store(entry, me->claim | YN_PAGE_TAKEN | YN_PAGE_DIRTY);
            run.count++;
        } else if (run.count > 0) {
            yn_pages_give_back(me, &run);
            run = (yn_run){.start = page + 1};
        } else {
            run.start = page + 1;
        }
    }
    bool trim = run.count > 0 && yn_pages_give_back(me, &run);
    atomic_store(&span->base, 0);
    if (trim)
        yn_heap_trim_surplus(me);
}

void yn_span_give_up(yn_self *me, yn_heap_span_shared *span)
{
    if (atomic_load(&span->owner) != 0 || blocks_in_service(span) == 0 || any(span, false) ||
        !become_owner(span, 0, keeper(me)))
        return;
    if (blocks_in_service(span) != 0 && !any(span, false)) {
        atomic_store(&span->blocks, 0);
        atomic_fetch_and(handy_word(span), ~place_bit(span));
        free_pages(me, span);
    }
    yn_span_release(span);
}

static void give_up(yn_heap_span_shared *span, void *me)
{
    yn_span_give_up(me, span);
}

void yn_spans_give_up_empty(yn_self *me)
{
    for (uint32_t bin = 0; bin < YN_HEAP_BINS; bin++)
        yn_shelf_walk(me->arena, bin, give_up, me);
}

void yn_span_done(yn_self *me, yn_heap_span_shared *span)
{
    if (span && atomic_load(&span->owner) == 0 && !any(span, false) &&
        __builtin_popcountll(atomic_load_explicit(handy_word(span), memory_order_relaxed)) > HANDY_ENOUGH)
        yn_span_give_up(me, span);
}

static void set_hints(yn_heap_span_shared *span)
{
    if (atomic_load(&span->owner) != 0)
        return;
    if (blocks_in_service(span) == 0)
        make_vacant(span);
    else if (any(span, true))
        was_freed_to(span);
}

void yn_span_repair(yn_self *me, yn_heap_span_shared *span)
{
    yn_span_owner owner = atomic_load(&span->owner);
    if (owner != 0 && !yn_claim_is_alive(&me->arena->slots, owner) && become_owner(span, owner, keeper(me))) {
        if (blocks_in_service(span) == 0)
            free_pages(me, span);
        yn_span_release(span);
    }
    set_hints(span);
}
