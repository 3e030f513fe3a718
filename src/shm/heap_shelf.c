/* Shelves: where the descriptors of spans stand, and how one with free blocks, a vacant one, or all of them are found.
 * Never blocks, never trusts a hint: what it says is looked up in the span's own words.
 * Next: shm/heap_repair.c; shm/README.md, the life of a span. */
#include "shm/heap_span.h"

#define PAGES_MOST 1024u /* of a shelf: they stay for ever, so no run of pages can cross one, and few are better */

static yn_heap_shelf_shared *first_shelf(const yn_arena_shared *arena, uint32_t bin)
{
    return atomic_load_explicit(&arena->heap->bin[bin].shelves, memory_order_acquire);
}

static bool clear_bit(_Atomic uint64_t *word, uint64_t bit)
{
    return (atomic_fetch_and(word, ~bit) & bit) != 0;
}

static bool adopt(yn_heap_span_shared *span, yn_span_owner owner)
{
    yn_span_owner nobody = 0;
    if (!atomic_compare_exchange_strong(&span->owner, &nobody, owner))
        return false;
    if (yn_span_gather(span) != 0)
        return true;
    yn_span_release(span);
    return false;
}

static yn_heap_span_shared *adopt_from_row(yn_heap_shelf_shared *shelf, uint32_t row, yn_span_owner owner)
{
    _Atomic uint64_t *handy = yn_shelf_handy(shelf, row);
    for (uint64_t bits; (bits = atomic_load_explicit(handy, memory_order_relaxed)) != 0;) {
        uint32_t bit = (uint32_t)__builtin_ctzll(bits);
        yn_heap_span_shared *span = yn_shelf_span(shelf, row * 64 + bit);
        /* After the bit is cleared, who frees a block while the span is nobody's sets it anew. */
        if (clear_bit(handy, UINT64_C(1) << bit) && adopt(span, owner))
            return span;
    }
    return NULL;
}

yn_heap_span_shared *yn_shelf_adopt(const yn_arena_shared *arena, uint32_t bin, yn_span_owner owner)
{
    for (yn_heap_shelf_shared *shelf = first_shelf(arena, bin); shelf; shelf = shelf->next) {
        for (uint32_t row = 0; row < yn_shelf_rows(shelf); row++) {
            yn_heap_span_shared *span = adopt_from_row(shelf, row, owner);
            if (span)
                return span;
        }
    }
    return NULL;
}

static bool keep_vacant(yn_self *me, yn_heap_span_shared *span, yn_span_owner owner)
{
    yn_span_owner nobody = 0;
    if (!atomic_compare_exchange_strong(&span->owner, &nobody, owner)) {
        yn_span_repair(me, span);
        return false;
    }
    clear_bit(yn_shelf_vacant(span->shelf, span->place / 64), UINT64_C(1) << span->place % 64);
    if (atomic_load(&span->blocks) == 0)
        return true;
    yn_span_release(span);
    return false;
}

static void init_shelf(yn_heap_shelf_shared *shelf, uint32_t bin, uint64_t bytes)
{
    shelf->bin = bin;
    /* As many as there is room for behind their own words. */
    shelf->places = (uint32_t)(bytes / sizeof(yn_heap_span_shared));
    while ((uint64_t)((char *)yn_shelf_span(shelf, shelf->places) - (char *)shelf) > bytes)
        shelf->places--;
    uint32_t size = yn_bin_size(bin), units = size / YN_SMALL_UNIT;
    for (uint32_t place = 0; place < shelf->places; place++) {
        yn_heap_span_shared *span = yn_shelf_span(shelf, place);
        span->shelf = shelf;
        span->place = place;
        span->size = size;
        span->bin = bin;
        span->inverse = ((UINT64_C(1) << 31) + units - 1) / units;
        atomic_fetch_or_explicit(yn_shelf_vacant(shelf, place / 64), UINT64_C(1) << place % 64, memory_order_relaxed);
    }
}

/* Each shelf is twice as large as the one before, up to PAGES_MOST. */
static bool add_shelf(yn_self *me, uint32_t bin)
{
    _Atomic(yn_heap_shelf_shared *) *shelves = &me->arena->heap->bin[bin].shelves;
    uint32_t pages = 1;
    for (yn_heap_shelf_shared *other = first_shelf(me->arena, bin); other && pages < PAGES_MOST; other = other->next)
        pages *= 2;
    yn_page start;
    while (yn_pages_take(me, pages, &start) != 0)
        if ((pages /= 2) == 0)
            return false;
    yn_pages_clear(me, start, pages);
    yn_heap_shelf_shared *shelf = yn_page_address(me->arena, start), *first = atomic_load(shelves);
    init_shelf(shelf, bin, (uint64_t)pages << YN_PAGE_SHIFT);
    yn_pages_make(me, start, pages, me->claim | YN_PAGE_SHELVING);
    do
        shelf->next = first;
    while (!atomic_compare_exchange_weak(shelves, &first, shelf));
    atomic_store(yn_map_entry(me->arena, start), YN_PAGE_META);
    return true;
}

static yn_heap_span_shared *vacancy_in_row(yn_self *me, yn_heap_shelf_shared *shelf, uint32_t row, yn_span_owner owner)
{
    uint64_t bits = atomic_load_explicit(yn_shelf_vacant(shelf, row), memory_order_relaxed);
    for (; bits != 0; bits &= bits - 1) {
        yn_heap_span_shared *span = yn_shelf_span(shelf, row * 64 + (uint32_t)__builtin_ctzll(bits));
        if (keep_vacant(me, span, owner))
            return span;
    }
    return NULL;
}

yn_heap_span_shared *yn_shelf_vacancy(yn_self *me, uint32_t bin, yn_span_owner owner)
{
    do {
        for (yn_heap_shelf_shared *shelf = first_shelf(me->arena, bin); shelf; shelf = shelf->next) {
            for (uint32_t row = 0; row < yn_shelf_rows(shelf); row++) {
                yn_heap_span_shared *span = vacancy_in_row(me, shelf, row, owner);
                if (span)
                    return span;
            }
        }
    } while (add_shelf(me, bin));
    return NULL;
}

void yn_shelf_walk(const yn_arena_shared *arena, uint32_t bin, yn_span_visit *visit, void *context)
{
    for (yn_heap_shelf_shared *shelf = first_shelf(arena, bin); shelf; shelf = shelf->next)
        for (uint32_t place = 0; place < shelf->places; place++)
            visit(yn_shelf_span(shelf, place), context);
}

bool yn_shelf_is_at(const yn_arena_shared *arena, const void *page)
{
    for (uint32_t bin = 0; bin < YN_HEAP_BINS; bin++)
        for (yn_heap_shelf_shared *shelf = first_shelf(arena, bin); shelf; shelf = shelf->next)
            if ((const void *)shelf == page)
                return true;
    return false;
}

static void repair(yn_heap_span_shared *span, void *me)
{
    yn_span_repair(me, span);
}

void yn_shelf_look_over(yn_self *me, uint32_t bin)
{
    yn_shelf_walk(me->arena, bin, repair, me);
}

bool yn_shelf_look_after_deaths(yn_self *me, uint32_t bin)
{
    _Atomic uint64_t *looked = &me->arena->heap->bin[bin].looked;
    uint64_t deaths = atomic_load(&me->arena->deaths), before = atomic_load(looked);
    if (before == deaths)
        return false;
    yn_shelf_look_over(me, bin);
    atomic_compare_exchange_strong(looked, &before, deaths);
    return true;
}
