/* Memory of free pages given back to the system.
 * Never touches a page that it has not taken; never gives back so much that the next to allocate must fetch it again at
 * once. Next: shm/heap_run.c, who fetches it again; shm/arena.c. */
#include "shm/heap_map.h"

/* Words of hints, 64 pages each, given back in one go: as much as is out of everybody's reach meanwhile. */
#define WORDS_MOST 16u

#define KEEP_LEAST ((uint64_t)64 << 20 >> YN_PAGE_SHIFT)

/* For sure: not where somebody has died over it, or the system refused. */
static bool are_gone(yn_self *me, yn_page start, uint64_t count)
{
    for (yn_page page = start; page < start + count; page++) {
        uint64_t entry = yn_map_read(me->arena, page);
        if (!yn_page_is_free(entry) || (entry & YN_PAGE_FLAGS) != YN_PAGE_GONE)
            return false;
    }
    return true;
}

static void set_entries(yn_self *me, const yn_run *run, uint64_t value)
{
    for (yn_page page = run->start; page < run->start + run->count; page++)
        atomic_store_explicit(yn_map_entry(me->arena, page), value, memory_order_release);
}

/* Gives back the memory of these pages, if they can all be had. */
static void discard(yn_self *me, yn_page start, uint64_t count)
{
    yn_run run;
    if (are_gone(me, start, count) || yn_pages_take_at(me, start, count, &run) < count)
        return;
    uint64_t present = count - run.gone;
    /* If I die meanwhile, nobody knows how far the system has come. */
    set_entries(me, &run, me->claim | YN_PAGE_TAKEN | YN_PAGE_DIRTY | YN_PAGE_GONE);
    if (yn_arena_discard(me->arena, me->arena_fd, start << YN_PAGE_SHIFT, count << YN_PAGE_SHIFT) == 0)
        set_entries(me, &run, me->claim | YN_PAGE_TAKEN | YN_PAGE_GONE);
    atomic_fetch_sub_explicit(&me->arena->reserved, present << YN_PAGE_SHIFT, memory_order_relaxed);
    run.gone = count;
    yn_pages_give_back(me, &run);
}

static bool all_free(const yn_heap_leaf_shared *leaf, uint64_t word)
{
    return atomic_load_explicit(&leaf->hint[word], memory_order_relaxed) == UINT64_MAX;
}

/* From the end towards the start, since blocks are placed from the start on. */
void yn_heap_trim(yn_self *me, uint64_t keep)
{
    _Atomic int64_t *idle = &me->arena->heap->idle;
    for (uint64_t i = yn_map_leaves(me->arena); i-- > 0;) {
        yn_heap_leaf_shared *leaf = yn_map_leaf(me->arena, i);
        for (uint64_t end = YN_LEAF_WORDS; leaf && end > 0;) {
            uint64_t first = end;
            while (first > 0 && end - first < WORDS_MOST && all_free(leaf, first - 1))
                first--;
            if (first < end)
                discard(me, (i << YN_LEAF_SHIFT) + first * 64, (end - first) * 64);
            if (atomic_load_explicit(idle, memory_order_relaxed) <= (int64_t)keep)
                return;
            end = first < end ? first : end - 1;
        }
    }
}

void yn_heap_trim_surplus(yn_self *me)
{
    uint64_t keep = (atomic_load_explicit(&me->arena->reserved, memory_order_relaxed) >> YN_PAGE_SHIFT) / 8;
    keep = keep > KEEP_LEAST ? keep : KEEP_LEAST;
    if (atomic_load_explicit(&me->arena->heap->idle, memory_order_relaxed) > (int64_t)keep)
        yn_heap_trim(me, keep / 4 * 3);
}
