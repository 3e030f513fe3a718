/* What the dead left in the heap: pages in their hands, spans half set up, hints not written.
 * Never touches what a living process has in hand; never does anything that cannot be done again from where it was
 * left. Next: shm/README.md, what a death at each step leaves. */
#include "shm/heap_span.h"

/* Frees a page that a dead process had in hand, with its parts. First it passes into my hands, by name: so only one
 * repairs it, and if that one dies, another finds it the same way. */
static bool take_over(yn_self *me, yn_page page, _Atomic uint64_t *entry, uint64_t found)
{
    uint64_t flags = yn_page_is_taken(found) ? found & YN_PAGE_FLAGS : YN_PAGE_DIRTY;
    if (!atomic_compare_exchange_strong(entry, &found, me->claim | YN_PAGE_FREEING))
        return false;
    yn_pages_free(me, page, flags);
    return true;
}

bool yn_heap_repair_page(yn_self *me, yn_page page)
{
    _Atomic uint64_t *entry = yn_map_entry(me->arena, page);
    uint64_t found = entry ? atomic_load(entry) : YN_PAGE_NONE;
    yn_claim claim = yn_page_claim(found);
    if (claim == 0 || yn_claim_is_alive(&me->arena->slots, claim))
        return false;
    if (yn_page_kind_of(found) == YN_PAGE_SHELVING && yn_shelf_is_at(me->arena, yn_page_address(me->arena, page)))
        return atomic_compare_exchange_strong(entry, &found, YN_PAGE_META);
    if (yn_page_is_moving(found)) /* a block that has as many parts as stand in a row */
        return atomic_compare_exchange_strong(
            entry, &found, yn_large_entry(yn_moving_stamp(found), 1 + yn_pages_parts(me->arena, page)));
    return take_over(me, page, entry, found);
}

typedef struct view {
    int64_t idle;
    bool busy;
} view;

/* Looks at the pages behind one word of hints. */
static void look_at_word(yn_self *me, yn_heap_leaf_shared *leaf, yn_page start, view *seen)
{
    uint64_t free = 0;
    for (unsigned i = 0; i < 64; i++) {
        uint64_t entry = atomic_load_explicit(&leaf->entry[(start + i) & (YN_LEAF_PAGES - 1)], memory_order_acquire);
        if (yn_page_claim(entry) != 0) {
            if (!yn_heap_repair_page(me, start + i))
                seen->busy = true;
            entry = atomic_load(&leaf->entry[(start + i) & (YN_LEAF_PAGES - 1)]);
        }
        if (yn_page_is_free(entry)) {
            free |= UINT64_C(1) << i;
            seen->idle += !(entry & YN_PAGE_GONE);
        }
    }
    _Atomic uint64_t *hint = &leaf->hint[(start & (YN_LEAF_PAGES - 1)) / 64];
    if (free & ~atomic_load(hint)) {
        atomic_fetch_or(hint, free);
        yn_map_forget_runs(leaf);
    }
}

bool yn_heap_look_over(yn_self *me)
{
    yn_heap_shared *heap = me->arena->heap;
    uint64_t deaths = atomic_load(&me->arena->deaths), before = atomic_load(&heap->looked);
    view seen = {0, false};
    for (uint32_t bin = 0; bin < YN_HEAP_BINS; bin++)
        yn_shelf_look_over(me, bin);
    for (uint64_t i = 0; i < yn_map_leaves(me->arena); i++) {
        yn_heap_leaf_shared *leaf = yn_map_leaf(me->arena, i);
        for (uint64_t w = 0; leaf && w < YN_LEAF_WORDS; w++)
            look_at_word(me, leaf, (i << YN_LEAF_SHIFT) + w * 64, &seen);
    }
    atomic_store_explicit(&heap->idle, seen.idle, memory_order_relaxed);
    atomic_compare_exchange_strong(&heap->looked, &before, deaths);
    return seen.busy;
}

bool yn_heap_look_after_deaths(yn_self *me)
{
    if (atomic_load(&me->arena->heap->looked) == atomic_load(&me->arena->deaths))
        return false;
    yn_heap_look_over(me);
    return true;
}
