/* Memory of free pages given back to the system.
 * Never touches a page that it has not taken; never gives back so much that the next to allocate must fetch it again at
 * once. Next: shm/heap_run.c, who fetches it again; shm/arena.c. */
#include "shm/heap.h"
#include "shm/heap_span.h"

/* Words of hints, 64 pages each, given back in one go: as much as is out of everybody's reach meanwhile. */
#define WORDS_MOST 16u

#define KEEP_LEAST ((uint64_t)64 << 20 >> YN_PAGE_SHIFT)

#define REST_NS UINT64_C(1000000000)
#define REST_KEEP ((int64_t)4 << 20 >> YN_PAGE_SHIFT)
#define REST_STEP ((int64_t)4 << 20 >> YN_PAGE_SHIFT) /* in one go: below a millisecond … */
#define REST_STEPS 64                                 /* … or, of much, one in so many: each looks at what has gone */

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
            if (atomic_load_explicit(idle, memory_order_relaxed) <= (int64_t)keep)
                return;
            while (first > 0 && end - first < WORDS_MOST && all_free(leaf, first - 1))
                first--;
            if (first < end)
                discard(me, (i << YN_LEAF_SHIFT) + first * 64, (end - first) * 64);
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

static int64_t pages_of(_Atomic int64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

static void set_pages(_Atomic int64_t *count, int64_t value)
{
    atomic_store_explicit(count, value, memory_order_relaxed);
}

/* What is kept at rest: less than beside work, since nobody fetches it again at once. */
static int64_t rest_keep(const yn_arena_shared *arena)
{
    int64_t part = (int64_t)(atomic_load_explicit(&arena->reserved, memory_order_relaxed) >> YN_PAGE_SHIFT) / 32;
    return part > REST_KEEP ? part : REST_KEEP;
}

/* Only what nobody has needed for a whole second goes: else bursts that follow each other would each pay for it, with
 * some ten times what they cost. How little was idle meanwhile is noted by who takes pages (`least`). What turns out to
 * lie in pieces that are too small (`stuck`) is no reason to try again before some of it has been in use, or there is
 * more. */
yn_deadline yn_heap_rest(yn_self *me)
{
    yn_heap_shared *heap = me->arena->heap;
    int64_t idle = pages_of(&heap->idle), least = pages_of(&heap->least), stuck = pages_of(&heap->stuck);
    int64_t keep = rest_keep(me->arena);
    stuck = stuck < least ? stuck : least;
    if (YN_LIKELY(idle <= keep + stuck))
        return YN_NEVER;
    uint64_t now = yn_now_ns(), since = atomic_load_explicit(&heap->since, memory_order_relaxed);
    if (now < since + REST_NS) /* since may be later than now: somebody else is here as well */
        return since + REST_NS;
    if (least > keep) {
        int64_t surplus = least - keep, step = surplus / REST_STEPS > REST_STEP ? surplus / REST_STEPS : REST_STEP;
        yn_heap_trim(me, (uint64_t)(idle - (surplus < step ? surplus : step)));
        int64_t left = pages_of(&heap->idle);
        set_pages(&heap->stuck, left < idle ? 0 : left);
        set_pages(&heap->least, least - (idle - left)); /* it has been less, while they were in my hands */
        return left < idle ? now : YN_NEVER;
    }
    yn_spans_give_up_empty(me);
    set_pages(&heap->stuck, stuck);
    set_pages(&heap->least, pages_of(&heap->idle));
    atomic_store_explicit(&heap->since, now, memory_order_relaxed);
    return now + REST_NS;
}
