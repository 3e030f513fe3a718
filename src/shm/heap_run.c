/* Runs of pages: taken page by page under the taker's name, made into blocks, freed; and the arena's growth when there
 * are none. Never holds anything that its death would leave nameless; never waits for another process. Next:
 * shm/heap_repair.c (what the dead leave), shm/heap_trim.c, shm/heap_span.c. */
#include "shm/heap_span.h"

#include <sched.h>

/* How long to look again, while the living have pages in hand, before saying that there is no memory. */
#define LOOK_AGAIN_MS 50

#define LEAVES_MOST ((uint64_t)256) /* made ahead, at most: 4 GiB of pages */
#define STEP_MOST ((uint64_t)1024)  /* pages by which the arena grows, unless more are needed */

static uint64_t taken_entry(const yn_self *me, uint64_t flags)
{
    return me->claim | YN_PAGE_TAKEN | flags;
}

static void note_gone(yn_run *run, yn_page page)
{
    if (run->gone++ == 0)
        run->first_gone = page;
    run->last_gone = page;
}

/* Undoes a take, also one that got only part of what it wanted. */
bool yn_pages_give_back(yn_self *me, const yn_run *run)
{
    for (uint64_t i = run->count; i-- > 0;) {
        _Atomic uint64_t *entry = yn_map_entry(me->arena, run->start + i);
        uint64_t flags = atomic_load_explicit(entry, memory_order_relaxed) & YN_PAGE_FLAGS;
        atomic_store(entry, YN_PAGE_FREE | flags);
    }
    atomic_fetch_add_explicit(&me->arena->heap->idle, (int64_t)(run->count - run->gone), memory_order_relaxed);
    return yn_map_hint_free(me->arena, run->start, run->count);
}

static void note_taken(yn_heap_shared *heap, int64_t count)
{
    int64_t idle = atomic_fetch_sub_explicit(&heap->idle, count, memory_order_relaxed) - count;
    if (idle < atomic_load_explicit(&heap->least, memory_order_relaxed))
        atomic_store_explicit(&heap->least, idle, memory_order_relaxed);
}

uint64_t yn_pages_take_at(yn_self *me, yn_page start, uint64_t count, yn_run *run)
{
    *run = (yn_run){.start = start};
    for (; run->count < count; run->count++) {
        yn_page page = start + run->count;
        _Atomic uint64_t *entry = yn_map_entry(me->arena, page);
        uint64_t old = entry ? atomic_load_explicit(entry, memory_order_relaxed) : YN_PAGE_NONE;
        if (!yn_page_is_free(old) || !atomic_compare_exchange_strong(entry, &old, taken_entry(me, old & YN_PAGE_FLAGS)))
            break;
        if (old & YN_PAGE_GONE)
            note_gone(run, page);
    }
    uint64_t got = run->count;
    note_taken(me->arena->heap, (int64_t)(got - run->gone));
    if (got == count)
        yn_map_hint_taken(me->arena, start, count);
    else if (got > 0)
        yn_pages_give_back(me, run);
    return got;
}

/* Reserves memory for what was given back to the system. */
static int fetch_gone(yn_self *me, const yn_run *run)
{
    uint64_t bytes = (run->last_gone - run->first_gone + 1) << YN_PAGE_SHIFT;
    int r = yn_arena_reserve(me->arena, me->arena_fd, run->first_gone << YN_PAGE_SHIFT, bytes);
    if (r != 0)
        return r;
    for (yn_page page = run->first_gone; page <= run->last_gone; page++) {
        _Atomic uint64_t *entry = yn_map_entry(me->arena, page);
        uint64_t flags = atomic_load_explicit(entry, memory_order_relaxed) & YN_PAGE_FLAGS;
        atomic_store_explicit(entry, taken_entry(me, flags & ~YN_PAGE_GONE), memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&me->arena->reserved, run->gone << YN_PAGE_SHIFT, memory_order_relaxed);
    return 0;
}

/* Takes a run where the hints say that there is one. 0; -EAGAIN: they say nowhere; or its memory could not be had. */
static int take_found(yn_self *me, uint64_t count, yn_page *start)
{
    for (;;) {
        yn_page found = yn_map_find(me->arena, count);
        if (found == YN_NO_PAGE)
            return -EAGAIN;
        yn_run run;
        uint64_t got = yn_pages_take_at(me, found, count, &run);
        if (got < count) {
            if (!yn_heap_repair_page(me, found + got))
                yn_map_hint_wrong(me->arena, found + got);
            continue;
        }
        int r = run.gone ? fetch_gone(me, &run) : 0;
        if (r != 0)
            yn_pages_give_back(me, &run);
        else
            *start = found;
        return r;
    }
}

/* The same, looking only at pages that have their memory: when the system has no more. */
static int take_with_memory(yn_self *me, uint64_t count, yn_page *start)
{
    yn_page end = yn_map_leaves(me->arena) << YN_LEAF_SHIFT;
    uint64_t length = 0;
    for (yn_page page = 0; page < end; page++) {
        uint64_t entry = yn_map_read(me->arena, page);
        length = yn_page_is_free(entry) && !(entry & YN_PAGE_GONE) ? length + 1 : 0;
        if (length < count)
            continue;
        yn_run run;
        if (yn_pages_take_at(me, page + 1 - count, count, &run) == count) {
            if (run.gone == 0) {
                *start = run.start;
                return 0;
            }
            yn_pages_give_back(me, &run);
        }
        length = 0;
    }
    return -ENOMEM;
}

void yn_pages_adopt(yn_arena_shared *arena, yn_page start, uint64_t count)
{
    for (yn_page page = start; page < start + count; page++)
        atomic_store_explicit(yn_map_entry(arena, page), YN_PAGE_FREE, memory_order_release);
    atomic_fetch_add_explicit(&arena->heap->idle, (int64_t)count, memory_order_relaxed);
    yn_map_hint_free(arena, start, count);
}

static uint64_t to_grains(const yn_arena_shared *arena, uint64_t pages)
{
    return yn_round_up(pages << YN_PAGE_SHIFT, arena->grain) >> YN_PAGE_SHIFT;
}

/* How many leaves lack for these pages. */
static uint64_t leaves_lacking(const yn_arena_shared *arena, yn_page start, uint64_t count)
{
    uint64_t lacking = 0, last = (start + count - 1) >> YN_LEAF_SHIFT;
    for (uint64_t i = start >> YN_LEAF_SHIFT; i <= last && i < arena->heap->leaf_count; i++)
        lacking += atomic_load_explicit(&arena->heap->leaf[i], memory_order_relaxed) == 0;
    return lacking;
}

/* Makes up to `count` leaves out of fresh memory at `page`, from leaf `number` on where there is none yet. Others may
 * do the same: what is left over becomes free pages. */
static void make_leaves(yn_arena_shared *arena, uint64_t number, yn_page page, uint64_t count)
{
    yn_heap_shared *heap = arena->heap;
    for (; number < heap->leaf_count && count > 0; number++) {
        uint32_t none = 0;
        if (atomic_compare_exchange_strong(&heap->leaf[number], &none, (uint32_t)page)) {
            page += YN_LEAF_COST;
            count--;
        }
    }
    if (count > 0)
        yn_pages_adopt(arena, page, count * YN_LEAF_COST);
}

/* Makes the arena longer by at least `count` pages, and by leaves where they lack; if `ahead`, then by as many more
 * leaves as there are already, so that the islands which they are, and which no run of pages can cross, stay few. */
static int grow_by(yn_self *me, uint64_t count, bool ahead)
{
    yn_arena_shared *arena = me->arena;
    yn_page start = atomic_load(&arena->end) >> YN_PAGE_SHIFT;
    uint64_t pages = to_grains(arena, count), lacking = leaves_lacking(arena, start, pages);
    if (lacking > 0 && ahead) {
        uint64_t have = (start + pages) >> YN_LEAF_SHIFT;
        lacking += have < LEAVES_MOST ? have : LEAVES_MOST;
    }
    if (lacking > 0)
        pages = to_grains(arena, count + lacking * YN_LEAF_COST);
    int error;
    void *fresh = yn_arena_extend(arena, me->arena_fd, pages << YN_PAGE_SHIFT, 0, &error);
    if (!fresh)
        return error;
    /* Others may have grown the arena meanwhile, so that other leaves lack. They stand at the far end: what comes
     * before them joins what was free before it. */
    start = yn_page_of(arena, fresh);
    uint64_t needed = leaves_lacking(arena, start, pages);
    uint64_t leaves = needed > lacking ? needed : lacking;
    uint64_t rest = pages - leaves * YN_LEAF_COST;
    make_leaves(arena, start >> YN_LEAF_SHIFT, start + rest, leaves);
    yn_pages_adopt(arena, start, rest);
    return 0;
}

/* Grows by what `count` free pages in a row lack; by more, if there is room, the larger the arena is. */
static int grow(yn_self *me, uint64_t count)
{
    yn_page end = atomic_load(&me->arena->end) >> YN_PAGE_SHIFT;
    uint64_t free = yn_map_free_before(me->arena, end);
    uint64_t lacking = count > free ? count - free : 1;
    uint64_t step = end / 32 < STEP_MOST ? end / 32 : STEP_MOST;
    if (grow_by(me, lacking > step ? lacking : step, true) == 0)
        return 0;
    return grow_by(me, lacking, false);
}

/* The last resort: looks everywhere, gives up what is only kept for later, and looks again while others have pages in
 * hand. */
static int take_at_last(yn_self *me, uint64_t count, yn_page *start)
{
    yn_deadline end = yn_deadline_in(LOOK_AGAIN_MS);
    yn_lanes_release(me);
    for (;;) {
        yn_spans_give_up_empty(me);
        bool busy = yn_heap_look_over(me);
        int r = take_found(me, count, start);
        if (r == 0)
            return 0;
        if (r != -EAGAIN || me->arena->limit - atomic_load(&me->arena->end) >= count << YN_PAGE_SHIFT) {
            /* There is room, but no memory: what is idle elsewhere may do. */
            yn_heap_trim(me, 0);
            if (take_found(me, count, start) == 0 || take_with_memory(me, count, start) == 0)
                return 0;
        }
        if (grow(me, count) == 0)
            continue;
        if (!busy || yn_deadline_left(end) == 0)
            return -ENOMEM;
        sched_yield();
    }
}

int yn_pages_take(yn_self *me, uint64_t count, yn_page *start)
{
    if (count > me->arena->limit >> YN_PAGE_SHIFT)
        return -ENOMEM;
    for (;;) {
        int r = take_found(me, count, start);
        if (r == 0)
            return 0;
        if (r == -EAGAIN && yn_heap_look_after_deaths(me))
            continue;
        if (r != -EAGAIN || grow(me, count) != 0)
            return take_at_last(me, count, start);
    }
}

void yn_pages_clear(yn_self *me, yn_page start, uint64_t count)
{
    for (yn_page page = start, end = start + count; page < end;) {
        yn_page first = page;
        while (page < end && (yn_map_read(me->arena, page) & YN_PAGE_DIRTY))
            page++;
        if (page > first)
            memset(yn_page_address(me->arena, first), 0, (page - first) << YN_PAGE_SHIFT);
        else
            page++;
    }
}

void yn_pages_make(yn_self *me, yn_page start, uint64_t count, uint64_t head)
{
    /* From left to right: whoever repairs this finds the parts next to where they begin. */
    for (yn_page page = start + 1; page < start + count; page++)
        atomic_store_explicit(yn_map_entry(me->arena, page), start << 4 | YN_PAGE_PART, memory_order_release);
    atomic_store_explicit(yn_map_entry(me->arena, start), head, memory_order_release);
}

uint64_t yn_pages_parts(const yn_arena_shared *arena, yn_page start)
{
    uint64_t count = 0, part = start << 4 | YN_PAGE_PART;
    while (yn_map_read(arena, start + 1 + count) == part)
        count++;
    return count;
}

/* The parts that a block grows by, from left to right, so that all there are stand in a row. */
static bool add_parts(yn_self *me, yn_page start, uint64_t count, uint64_t wanted, bool zeroed)
{
    yn_run run;
    if (yn_pages_take_at(me, start + count, wanted - count, &run) < wanted - count)
        return false;
    if (run.gone != 0 && fetch_gone(me, &run) != 0) {
        yn_pages_give_back(me, &run);
        return false;
    }
    if (zeroed)
        yn_pages_clear(me, run.start, run.count);
    for (yn_page page = run.start; page < run.start + run.count; page++)
        atomic_store_explicit(yn_map_entry(me->arena, page), start << 4 | YN_PAGE_PART, memory_order_release);
    return true;
}

bool yn_pages_move_end(yn_self *me, yn_page start, uint64_t wanted, uint32_t stamp, bool zeroed)
{
    uint64_t count = 1 + yn_pages_parts(me->arena, start);
    bool can = wanted <= count || add_parts(me, start, count, wanted, zeroed);
    yn_run rest = {.start = start + wanted, .count = wanted < count ? count - wanted : 0};
    for (uint64_t i = rest.count; i-- > 0;) /* from right to left, likewise */
        atomic_store(yn_map_entry(me->arena, rest.start + i), taken_entry(me, YN_PAGE_DIRTY));
    atomic_store(yn_map_entry(me->arena, start), yn_large_entry(stamp, can ? wanted : count));
    if (rest.count > 0 && yn_pages_give_back(me, &rest))
        yn_heap_trim_surplus(me);
    return can;
}

void yn_pages_free(yn_self *me, yn_page start, uint64_t flags)
{
    uint64_t count = 1 + yn_pages_parts(me->arena, start);
    /* From right to left, so that the parts left over still stand next to where they begin. */
    for (yn_page page = start + count - 1; page > start; page--)
        atomic_store_explicit(yn_map_entry(me->arena, page), YN_PAGE_FREE | YN_PAGE_DIRTY, memory_order_release);
    atomic_store_explicit(yn_map_entry(me->arena, start), YN_PAGE_FREE | flags, memory_order_release);
    uint64_t idle = flags & YN_PAGE_GONE ? count - 1 : count;
    atomic_fetch_add_explicit(&me->arena->heap->idle, (int64_t)idle, memory_order_relaxed);
    if (yn_map_hint_free(me->arena, start, count))
        yn_heap_trim_surplus(me);
}
