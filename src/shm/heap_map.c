/* The hints over the page map: which pages are probably free, and where the long runs of them are.
 * Never trusted: what is found here is then claimed in the entries, which alone are true; never waits.
 * Next: shm/heap_run.c, who claims; shm/README.md, how a hint is kept from staying wrong. */
#include "shm/heap_map.h"

/* A leaf's runs, packed: free pages at its beginning, longest run, free pages at its end, 13 bits each; whether that is
 * known; and a count that moves on with every page made free, so that who has measured older hints cannot write what is
 * too little. What is too much does no harm: it is found out and measured anew. */
#define RUN_BITS 13
#define RUN_MASK ((UINT64_C(1) << RUN_BITS) - 1)
#define RUNS_KNOWN (UINT64_C(1) << (3 * RUN_BITS))
#define RUNS_COUNT (RUNS_KNOWN << 1)

typedef struct runs {
    uint64_t first, longest, last;
    uint64_t fit; /* where in the leaf the wanted number of pages is, or YN_NO_PAGE */
} runs;

static uint64_t ones_from(uint64_t bits, unsigned at)
{
    uint64_t rest = ~(bits >> at);
    uint64_t ones = rest ? (uint64_t)__builtin_ctzll(rest) : 64;
    return ones < 64 - at ? ones : 64 - at;
}

static uint64_t zeros_from(uint64_t bits, unsigned at)
{
    uint64_t rest = bits >> at;
    return rest ? (uint64_t)__builtin_ctzll(rest) : 64 - at;
}

/* The run that ends before page `end` of the leaf has `length` pages. */
static void note_run(runs *r, uint64_t length, uint64_t end, uint64_t wanted)
{
    if (length == end)
        r->first = length;
    if (length > r->longest)
        r->longest = length;
    if (r->fit == YN_NO_PAGE && length >= wanted)
        r->fit = end - length;
    r->last = length;
}

static runs measure(const yn_heap_leaf_shared *leaf, uint64_t wanted, bool whole)
{
    runs r = {0, 0, 0, YN_NO_PAGE};
    uint64_t length = 0; /* of the run that ends here */
    for (uint64_t w = 0; w < YN_LEAF_WORDS && (whole || r.fit == YN_NO_PAGE); w++) {
        uint64_t bits = atomic_load_explicit(&leaf->hint[w], memory_order_relaxed);
        for (unsigned at = 0; at < 64;) {
            uint64_t ones = ones_from(bits, at);
            length += ones;
            at += (unsigned)ones;
            if (ones > 0)
                note_run(&r, length, w * 64 + at, wanted);
            if (at < 64) {
                length = 0;
                at += (unsigned)zeros_from(bits, at);
            }
        }
    }
    if (length == 0)
        r.last = 0;
    return r;
}

void yn_map_forget_runs(yn_heap_leaf_shared *leaf)
{
    uint64_t old = atomic_load_explicit(&leaf->runs, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&leaf->runs, &old, (old / RUNS_COUNT + 1) * RUNS_COUNT)) {
    }
}

static runs measure_and_note(yn_heap_leaf_shared *leaf, uint64_t wanted)
{
    uint64_t old = atomic_load(&leaf->runs);
    runs r = measure(leaf, wanted, true);
    uint64_t known = r.first | r.longest << RUN_BITS | r.last << (2 * RUN_BITS) | RUNS_KNOWN;
    atomic_compare_exchange_strong(&leaf->runs, &old, known | old / RUNS_COUNT * RUNS_COUNT);
    return r;
}

/* The leaf's runs as last measured, and where `wanted` pages fit into it. */
static runs look_into(yn_heap_leaf_shared *leaf, uint64_t wanted)
{
    uint64_t packed = atomic_load(&leaf->runs);
    if (!(packed & RUNS_KNOWN))
        return measure_and_note(leaf, wanted);
    runs r = {packed & RUN_MASK, packed >> RUN_BITS & RUN_MASK, packed >> (2 * RUN_BITS) & RUN_MASK, YN_NO_PAGE};
    if (r.longest < wanted)
        return r;
    r.fit = measure(leaf, wanted, false).fit;
    return r.fit != YN_NO_PAGE ? r : measure_and_note(leaf, wanted);
}

uint64_t yn_map_leaves(const yn_arena_shared *arena)
{
    uint64_t pages = atomic_load_explicit(&arena->end, memory_order_acquire) >> YN_PAGE_SHIFT;
    uint64_t leaves = (pages + YN_LEAF_PAGES - 1) >> YN_LEAF_SHIFT;
    return leaves < arena->heap->leaf_count ? leaves : arena->heap->leaf_count;
}

yn_page yn_map_find(const yn_arena_shared *arena, uint64_t count)
{
    uint64_t before = 0; /* free pages right before this leaf */
    uint64_t leaves = yn_map_leaves(arena);
    for (uint64_t i = 0; i < leaves; i++) {
        yn_heap_leaf_shared *leaf = yn_map_leaf(arena, i);
        if (!leaf) {
            before = 0;
            continue;
        }
        runs r = look_into(leaf, count);
        if (before + r.first >= count)
            return (i << YN_LEAF_SHIFT) - before;
        if (r.fit != YN_NO_PAGE)
            return (i << YN_LEAF_SHIFT) + r.fit;
        before = r.first == YN_LEAF_PAGES ? before + YN_LEAF_PAGES : r.last;
    }
    return YN_NO_PAGE;
}

uint64_t yn_map_free_before(const yn_arena_shared *arena, yn_page end)
{
    uint64_t count = 0;
    while (count < end) {
        yn_page page = end - count - 1;
        yn_heap_leaf_shared *leaf = yn_map_leaf(arena, page >> YN_LEAF_SHIFT);
        if (!leaf)
            break;
        unsigned bit = (unsigned)(page & 63);
        uint64_t bits = atomic_load(&leaf->hint[(page & (YN_LEAF_PAGES - 1)) / 64]);
        uint64_t taken = ~(bits << (63 - bit)); /* its highest one: the nearest page that is not free */
        uint64_t here = taken ? (uint64_t)__builtin_clzll(taken) : 64;
        here = here < bit + 1u ? here : bit + 1u;
        count += here;
        if (here < bit + 1u)
            break;
    }
    return count;
}

/* The part of a range that lies in one word of hints. */
typedef struct piece {
    yn_heap_leaf_shared *leaf;
    uint64_t word, mask, count;
} piece;

static piece piece_at(const yn_arena_shared *arena, yn_page start, uint64_t count)
{
    uint64_t bit = start & 63, room = 64 - bit, n = count < room ? count : room;
    uint64_t mask = (n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1) << bit;
    return (piece){yn_map_leaf(arena, start >> YN_LEAF_SHIFT), (start & (YN_LEAF_PAGES - 1)) / 64, mask, n};
}

bool yn_map_hint_free(const yn_arena_shared *arena, yn_page start, uint64_t count)
{
    bool whole = false;
    while (count > 0) {
        piece p = piece_at(arena, start, count);
        uint64_t old = atomic_fetch_or(&p.leaf->hint[p.word], p.mask);
        whole = whole || (old | p.mask) == UINT64_MAX;
        start += p.count;
        count -= p.count;
        if (count == 0 || (start & (YN_LEAF_PAGES - 1)) == 0)
            yn_map_forget_runs(p.leaf);
    }
    return whole;
}

void yn_map_hint_taken(const yn_arena_shared *arena, yn_page start, uint64_t count)
{
    while (count > 0) {
        piece p = piece_at(arena, start, count);
        atomic_fetch_and(&p.leaf->hint[p.word], ~p.mask);
        start += p.count;
        count -= p.count;
    }
}

void yn_map_hint_wrong(const yn_arena_shared *arena, yn_page page)
{
    piece p = piece_at(arena, page, 1);
    if (!p.leaf)
        return;
    atomic_fetch_and(&p.leaf->hint[p.word], ~p.mask);
    yn_map_forget_runs(p.leaf);
    /* It may have been made free just before the bit was cleared: then who freed it has set the bit already. */
    if (yn_page_is_free(yn_map_read(arena, page)))
        yn_map_hint_free(arena, page, 1);
}
