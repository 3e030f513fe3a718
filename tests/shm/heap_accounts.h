/* The heap looked over page by page and block by block, by who knows how it is built. */
#ifndef YUNTA_HEAP_ACCOUNTS_H
#define YUNTA_HEAP_ACCOUNTS_H

#include "bare_team.h"

#include "shm/heap_span.h"

typedef struct heap_account {
    uint64_t nobodys, span_pages;
} heap_account;

/* Checks what begins at this page; returns how many pages it has. */
static inline uint64_t heap_check_page(yn_arena_shared *arena, yn_page page, heap_account *a)
{
    uint64_t entry = yn_map_read(arena, page), parts = 1;
    unsigned kind = yn_page_kind_of(entry);
    while (yn_map_read(arena, page + parts) == (page << 4 | YN_PAGE_PART))
        parts++;
    if (entry == YN_PAGE_META) {
        must(yn_shelf_is_at(arena, yn_page_address(arena, page)));
    } else if (kind == YN_PAGE_NONE) {
        must(entry == YN_PAGE_NONE);
        a->nobodys++;
    } else if (kind == YN_PAGE_SPAN) {
        a->span_pages++;
    } else if (kind == YN_PAGE_LARGE) {
        must(parts == yn_large_pages(entry));
        must((entry >> 32 & YN_STAMP_KIND) != 0);
    } else {
        if (!yn_page_is_free(entry))
            ck_abort_msg("page %llu is left as %#llx", (unsigned long long)page, (unsigned long long)entry);
        yn_heap_leaf_shared *leaf = yn_map_leaf(arena, page >> YN_LEAF_SHIFT);
        must(atomic_load(&leaf->hint[(page & (YN_LEAF_PAGES - 1)) / 64]) >> (page & 63) & 1);
    }
    must(parts == 1 || kind == YN_PAGE_LARGE || entry == YN_PAGE_META);
    return parts;
}

typedef struct heap_spans {
    yn_arena_shared *arena;
    uint64_t pages;
} heap_spans;

/* What nobody owns is found by a hint; what somebody owns, lives; what the owner knows to be free, is. */
static inline void heap_check_span(yn_heap_span_shared *span, void *context)
{
    heap_spans *all = context;
    yn_span_owner owner = span->owner;
    uint32_t blocks = span->blocks;
    uint64_t free = 0;
    must(owner == 0 || yn_claim_is_alive(&all->arena->slots, owner));
    must(blocks <= YN_SPAN_BLOCKS);
    for (uint32_t i = 0; i < blocks; i++)
        free |= (uint64_t)(span->stamp[i] == 0) << i;
    must(owner == 0 || (span->free & ~free) == 0);
    must(owner != 0 || blocks != 0 || (*yn_shelf_vacant(span->shelf, span->place / 64) >> span->place % 64 & 1));
    must(owner != 0 || free == 0 || (*yn_shelf_handy(span->shelf, span->place / 64) >> span->place % 64 & 1));
    if (blocks == 0) {
        must(owner == 0 && span->base == 0);
        return;
    }
    must(blocks == span->planned);
    uint64_t pages = ((uint64_t)blocks * span->size + YN_PAGE_BYTES - 1) / YN_PAGE_BYTES;
    yn_page start = yn_page_of(all->arena, (void *)(uintptr_t)span->base);
    for (yn_page page = start; page < start + pages; page++)
        must(yn_map_read(all->arena, page) == ((uint64_t)(uintptr_t)span | YN_PAGE_SPAN));
    all->pages += pages;
}

static inline uint64_t heap_check_spans(yn_arena_shared *arena)
{
    heap_spans all = {arena, 0};
    for (uint32_t bin = 0; bin < YN_HEAP_BINS; bin++)
        yn_shelf_walk(arena, bin, heap_check_span, &all);
    return all.pages;
}

/* Pages that have no entry of their own: the arena's head, the heap's, the leaves, and the slots beyond the first. */
static inline uint64_t heap_head_pages(yn_arena_shared *arena)
{
    yn_heap_shared *heap = arena->heap;
    uint64_t pages = atomic_load(&heap->leaf[0]);
    for (uint64_t i = 0; i < heap->leaf_count; i++)
        pages += atomic_load(&heap->leaf[i]) != 0 ? YN_LEAF_COST : 0;
    for (unsigned k = 1; k < YN_SLOT_SEGMENTS && atomic_load(&arena->slots.segment[k]); k++)
        pages += yn_round_up(sizeof(yn_slot_shared) * ((size_t)64 << k), YN_ARENA_GRAIN) / YN_PAGE_BYTES;
    return pages;
}

/* Nothing is in anybody's hands, every page is in its place; `blocks` blocks are allocated, or up to `lost` more; no
 * page is nobody's, or up to `lost_pages`. Nobody else may be at work in the heap. */
static inline void heap_check(yn_self *me, uint64_t blocks, uint64_t lost, uint64_t lost_pages)
{
    yn_arena_shared *arena = me->arena;
    must(!yn_heap_look_over(me));
    heap_account a = {0, 0};
    yn_page end = atomic_load(&arena->end) >> YN_PAGE_SHIFT;
    for (yn_page page = 0; page < end;)
        page += heap_check_page(arena, page, &a);
    must(a.span_pages == heap_check_spans(arena));
    uint64_t heads = heap_head_pages(arena);
    if (a.nobodys < heads || a.nobodys > heads + lost_pages)
        ck_abort_msg("%llu pages are nobody's, %llu should be", (unsigned long long)a.nobodys,
                     (unsigned long long)heads);
    yn_heap_figures figures;
    yn_heap_read(me, &figures);
    if (figures.blocks < blocks || figures.blocks > blocks + lost)
        ck_abort_msg("%llu blocks are allocated, %llu should be", (unsigned long long)figures.blocks,
                     (unsigned long long)blocks);
}

/* Sizes of all kinds. */
static inline size_t heap_some_size(uint64_t *random)
{
    switch (test_random(random) % 8) {
    case 0:
        return 1 + test_random(random) % 200000;
    case 1:
    case 2:
        return 1 + test_random(random) % 40000;
    default:
        return 1 + test_random(random) % 1500;
    }
}

#endif
