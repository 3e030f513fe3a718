/* Shelves: where the descriptors of spans stand, and how one with free blocks, a vacant one, or all of them are found.
 * Never blocks, never trusts a hint: what it says is looked up in the span's own words.
 * Next: shm/heap_repair.c; shm/README.md, the life of a span. */
#include "shm/heap_span.h"

#define ROWS_MOST 64u

static yn_heap_shelf_shared *first_shelf(const yn_arena_shared *arena, uint32_t bin)
{
    return atomic_load_explicit(&arena->heap->bin[bin].shelves, memory_order_acquire);
}

void yn_span_make_handy(yn_heap_span_shared *span)
{
    uint32_t place = yn_span_place(span);
    atomic_fetch_or(yn_shelf_handy(span->shelf, place / 64), UINT64_C(1) << place % 64);
}

static bool clear_bit(_Atomic uint64_t *word, uint64_t bit)
{
    return (atomic_fetch_and(word, ~bit) & bit) != 0;
}

static bool has_free_block(yn_heap_span_shared *span)
{
    return (atomic_load(&span->blocks) & ~YN_SPAN_IN_SERVICE) != 0;
}

yn_heap_span_shared *yn_shelf_pick(const yn_arena_shared *arena, uint32_t bin)
{
    for (yn_heap_shelf_shared *shelf = first_shelf(arena, bin); shelf; shelf = shelf->next) {
        for (uint32_t row = 0; row < shelf->rows; row++) {
            _Atomic uint64_t *handy = yn_shelf_handy(shelf, row);
            for (uint64_t bits; (bits = atomic_load_explicit(handy, memory_order_relaxed)) != 0;) {
                uint32_t bit = (uint32_t)__builtin_ctzll(bits);
                yn_heap_span_shared *span = yn_shelf_span(shelf, row * 64 + bit);
                /* After the bit is cleared, who makes the first block free sets it anew. */
                if (clear_bit(handy, UINT64_C(1) << bit) && has_free_block(span))
                    return span;
            }
        }
    }
    return NULL;
}

void *yn_shelf_scrape(const yn_arena_shared *arena, uint32_t bin)
{
    for (yn_heap_shelf_shared *shelf = first_shelf(arena, bin); shelf; shelf = shelf->next) {
        for (uint32_t place = yn_shelf_first(shelf); place < shelf->rows * 64; place++) {
            yn_heap_span_shared *span = yn_shelf_span(shelf, place);
            while (has_free_block(span)) {
                void *block = yn_span_take(span);
                if (block)
                    return block;
            }
        }
    }
    return NULL;
}

/* Makes the pages of a span that is out of service free; those that it got before its keeper died, and no others. */
static void free_pages(yn_self *me, const yn_heap_span_shared *span)
{
    uint64_t full = atomic_load_explicit(&span->full, memory_order_relaxed);
    uint64_t bytes = (uint64_t)__builtin_popcountll(full & ~YN_SPAN_IN_SERVICE) * span->size;
    yn_page start = yn_page_of(me->arena, (void *)(uintptr_t)atomic_load_explicit(&span->base, memory_order_relaxed));
    yn_page end = start + (bytes + YN_PAGE_BYTES - 1) / YN_PAGE_BYTES;
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
    if (run.count > 0 && yn_pages_give_back(me, &run))
        yn_heap_trim_surplus(me);
}

void yn_span_let_go(yn_self *me, yn_heap_span_shared *span)
{
    if (atomic_load(&span->blocks) == 0) {
        if (atomic_load_explicit(&span->base, memory_order_relaxed) != 0)
            free_pages(me, span);
        uint32_t place = yn_span_place(span);
        atomic_fetch_or(yn_shelf_vacant(span->shelf, place / 64), UINT64_C(1) << place % 64);
    }
    atomic_store(&span->keeper, 0);
}

void yn_span_give_up(yn_self *me, yn_heap_span_shared *span)
{
    yn_claim nobody = 0;
    uint64_t full = atomic_load_explicit(&span->full, memory_order_relaxed);
    if (full == 0 || atomic_load(&span->blocks) != full ||
        !atomic_compare_exchange_strong(&span->keeper, &nobody, me->claim))
        return;
    /* Only its keeper changes this. */
    full = atomic_load_explicit(&span->full, memory_order_relaxed);
    uint32_t place = yn_span_place(span);
    if (atomic_compare_exchange_strong(&span->blocks, &full, 0))
        clear_bit(yn_shelf_handy(span->shelf, place / 64), UINT64_C(1) << place % 64);
    yn_span_let_go(me, span);
}

void yn_spans_give_up_empty(yn_self *me)
{
    for (uint32_t bin = 0; bin < YN_HEAP_BINS; bin++)
        for (yn_heap_shelf_shared *shelf = first_shelf(me->arena, bin); shelf; shelf = shelf->next)
            for (uint32_t place = yn_shelf_first(shelf); place < shelf->rows * 64; place++)
                yn_span_give_up(me, yn_shelf_span(shelf, place));
}

/* A keeper that died: its work is undone, or, if the span has blocks already, left as it is. */
static void repair_span(yn_self *me, yn_heap_span_shared *span)
{
    yn_claim keeper = atomic_load(&span->keeper);
    if (keeper != 0 && !yn_claim_is_alive(&me->arena->slots, keeper) &&
        atomic_compare_exchange_strong(&span->keeper, &keeper, me->claim))
        yn_span_let_go(me, span);
}

static bool keep_vacant(yn_self *me, yn_heap_span_shared *span)
{
    yn_claim nobody = 0;
    if (!atomic_compare_exchange_strong(&span->keeper, &nobody, me->claim)) {
        repair_span(me, span);
        return false;
    }
    uint32_t place = yn_span_place(span);
    clear_bit(yn_shelf_vacant(span->shelf, place / 64), UINT64_C(1) << place % 64);
    if (atomic_load(&span->blocks) == 0)
        return true;
    atomic_store(&span->keeper, 0);
    return false;
}

static void init_shelf(yn_heap_shelf_shared *shelf, uint32_t bin, uint32_t rows)
{
    shelf->bin = bin;
    shelf->rows = rows;
    uint32_t size = yn_bin_size(bin), units = size / YN_SMALL_UNIT;
    for (uint32_t place = yn_shelf_first(shelf); place < rows * 64; place++) {
        yn_heap_span_shared *span = yn_shelf_span(shelf, place);
        span->shelf = shelf;
        span->size = size;
        span->inverse = (uint32_t)(((UINT64_C(1) << 31) + units - 1) / units);
        atomic_fetch_or_explicit(yn_shelf_vacant(shelf, place / 64), UINT64_C(1) << place % 64, memory_order_relaxed);
    }
}

/* Each shelf is twice as large as the one before, up to ROWS_MOST pages. */
static bool add_shelf(yn_self *me, uint32_t bin)
{
    _Atomic(yn_heap_shelf_shared *) *shelves = &me->arena->heap->bin[bin].shelves;
    uint32_t rows = 1;
    for (yn_heap_shelf_shared *other = first_shelf(me->arena, bin); other && rows < ROWS_MOST; other = other->next)
        rows *= 2;
    yn_page start;
    if (yn_pages_take(me, rows, &start) != 0) {
        if (rows == 1 || yn_pages_take(me, rows = 1, &start) != 0)
            return false;
    }
    yn_pages_clear(me, start, rows);
    yn_heap_shelf_shared *shelf = yn_page_address(me->arena, start), *first = atomic_load(shelves);
    init_shelf(shelf, bin, rows);
    yn_pages_make(me, start, rows, me->claim | YN_PAGE_SHELVING);
    do
        shelf->next = first;
    while (!atomic_compare_exchange_weak(shelves, &first, shelf));
    atomic_store(yn_map_entry(me->arena, start), YN_PAGE_META);
    return true;
}

yn_heap_span_shared *yn_shelf_vacancy(yn_self *me, uint32_t bin)
{
    do {
        for (yn_heap_shelf_shared *shelf = first_shelf(me->arena, bin); shelf; shelf = shelf->next) {
            for (uint32_t row = 0; row < shelf->rows; row++) {
                uint64_t bits = atomic_load_explicit(yn_shelf_vacant(shelf, row), memory_order_relaxed);
                for (; bits != 0; bits &= bits - 1) {
                    yn_heap_span_shared *span = yn_shelf_span(shelf, row * 64 + (uint32_t)__builtin_ctzll(bits));
                    if (keep_vacant(me, span))
                        return span;
                }
            }
        }
    } while (add_shelf(me, bin));
    return NULL;
}

bool yn_shelf_is_at(const yn_arena_shared *arena, const void *page)
{
    for (uint32_t bin = 0; bin < YN_HEAP_BINS; bin++)
        for (yn_heap_shelf_shared *shelf = first_shelf(arena, bin); shelf; shelf = shelf->next)
            if ((const void *)shelf == page)
                return true;
    return false;
}

void yn_shelf_look_over(yn_self *me, uint32_t bin)
{
    for (yn_heap_shelf_shared *shelf = first_shelf(me->arena, bin); shelf; shelf = shelf->next) {
        for (uint32_t place = yn_shelf_first(shelf); place < shelf->rows * 64; place++) {
            yn_heap_span_shared *span = yn_shelf_span(shelf, place);
            repair_span(me, span);
            if (has_free_block(span))
                yn_span_make_handy(span);
            else if (atomic_load(&span->blocks) == 0 && atomic_load(&span->keeper) == 0)
                atomic_fetch_or(yn_shelf_vacant(shelf, place / 64), UINT64_C(1) << place % 64);
        }
    }
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

uint64_t yn_shelf_count(const yn_arena_shared *arena, uint32_t bin)
{
    uint64_t count = 0;
    for (yn_heap_shelf_shared *shelf = first_shelf(arena, bin); shelf; shelf = shelf->next) {
        for (uint32_t place = yn_shelf_first(shelf); place < shelf->rows * 64; place++) {
            yn_heap_span_shared *span = yn_shelf_span(shelf, place);
            uint64_t blocks = atomic_load(&span->blocks), full = atomic_load(&span->full);
            if (blocks & YN_SPAN_IN_SERVICE)
                count += (uint64_t)__builtin_popcountll(full & ~blocks);
        }
    }
    return count;
}
