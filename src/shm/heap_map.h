/* The page map: who has each page of the arena, and where runs of free pages are. For the heap's own files.
 *
 * Truth is one word per page, its entry: free, or claimed by a process that stands named in it, or part of a block, or
 * of a span. On top of the entries lie hints, which make runs of free pages quick to find and may be wrong at any time:
 * one bit per page, and for each leaf the longest run in it. See README.md for the invariants. */
#ifndef YN_HEAP_MAP_H
#define YN_HEAP_MAP_H

#include "shm/self.h"

#define YN_PAGE_SHIFT 12
#define YN_PAGE_BYTES ((uint64_t)1 << YN_PAGE_SHIFT) /* the heap's own measure, whatever the kernel's */
#define YN_LEAF_SHIFT 12
#define YN_LEAF_PAGES ((uint64_t)1 << YN_LEAF_SHIFT)
#define YN_LEAF_WORDS (YN_LEAF_PAGES / 64)

typedef uint64_t yn_page; /* the number of a page, counted from the arena's start */
#define YN_NO_PAGE UINT64_MAX

/* What the low four bits of an entry say. Those marked (claim) hold the claim of a process above, the others what is
 * said. */
enum yn_page_kind {
    YN_PAGE_NONE = 0,     /* not the heap's, or its own for ever: then YN_PAGE_META if it begins a shelf */
    YN_PAGE_LARGE = 1,    /* begins an allocated block: its stamp, then how many pages it has */
    YN_PAGE_PART = 2,     /* belongs to what begins at the page of this number */
    YN_PAGE_SPAN = 3,     /* belongs to the span whose descriptor has this address (heap_span.h) */
    YN_PAGE_TAKEN = 4,    /* 4 … 7 (claim): being made something of; with the flags it had when free */
    YN_PAGE_FREEING = 8,  /* (claim): it and the parts right behind it are being made free */
    YN_PAGE_SHELVING = 9, /* (claim): it and its parts are becoming a shelf of span descriptors */
    YN_PAGE_MOVING = 10,  /* 10, 11 (claim): begins an allocated block whose end is being moved; what it is for */
    YN_PAGE_FREE = 12     /* 12 … 15: free, with flags */
};
#define YN_PAGE_DIRTY UINT64_C(1) /* may hold something other than zeros */
#define YN_PAGE_GONE UINT64_C(2)  /* its memory was given back to the system: to be reserved before use */
#define YN_PAGE_FLAGS UINT64_C(3)
#define YN_PAGE_META UINT64_C(16) /* the whole entry */

/* What a block is for: each is given back by those who may know of it. 0 is no block. */
enum yn_heap_kind {
    YN_HEAP_OWN = 1,   /* the library's */
    YN_HEAP_PLAIN = 2, /* a program's */
    YN_HEAP_SHARED = 3 /* a program's, with a head (shared.c) */
};

/* The stamp of an allocated block: what it is for (bits 0–1), and who has allocated it: slot (2–21), and of its epoch
 * as much as there is room for. 0: not allocated. */
#define YN_STAMP_KIND 3u

static inline uint32_t yn_stamp_of(yn_claim claim)
{
    return (uint32_t)(claim >> 24 << 22) | yn_claim_slot(claim) << 2;
}

typedef struct yn_heap_leaf_shared {
    _Atomic uint64_t runs; /* the free runs in hint[], or a mark that they are to be measured: heap_map.c */
    YN_ALIGNED(64) _Atomic uint64_t hint[YN_LEAF_WORDS]; /* bit: the page is probably free */
    _Atomic uint64_t entry[YN_LEAF_PAGES];
} yn_heap_leaf_shared;

#define YN_LEAF_COST ((sizeof(yn_heap_leaf_shared) + YN_PAGE_BYTES - 1) / YN_PAGE_BYTES) /* pages */

struct yn_heap_shelf_shared;

typedef struct yn_heap_bin_shared {
    _Atomic(struct yn_heap_shelf_shared *) shelves; /* newest first; only grows */
    _Atomic uint64_t looked;                        /* count of deaths up to which its spans were looked over */
} YN_ALIGNED(64) yn_heap_bin_shared;

#define YN_HEAP_SMALL_BINS 32
#define YN_HEAP_BINS (YN_HEAP_SMALL_BINS + 1) /* the last one: the slots' lanes, not counted as blocks */

typedef struct yn_heap_shared {
    _Atomic uint64_t looked; /* count of deaths up to which the map was looked over */
    _Atomic int64_t idle;  /* pages free and reserved: what trimming goes by; counted anew by every look over the map */
    _Atomic int64_t least; /* that idle has been since `since` */
    _Atomic int64_t stuck; /* of them could not be given back when that was tried last */
    _Atomic uint64_t since; /* ns; who rests begins anew each second (heap_trim.c) */
    uint64_t leaf_count;
    yn_heap_bin_shared bin[YN_HEAP_BINS];
    YN_ALIGNED(64) _Atomic uint32_t leaf[]; /* page number of the leaf for each YN_LEAF_PAGES pages; 0: none yet */
} yn_heap_shared;

static inline void *yn_page_address(const yn_arena_shared *arena, yn_page page)
{
    return (void *)(uintptr_t)(arena->base + (page << YN_PAGE_SHIFT));
}

static inline yn_page yn_page_of(const yn_arena_shared *arena, const void *p)
{
    return ((uint64_t)(uintptr_t)p - arena->base) >> YN_PAGE_SHIFT;
}

static inline yn_heap_leaf_shared *yn_map_leaf(const yn_arena_shared *arena, uint64_t number)
{
    if (YN_UNLIKELY(number >= arena->heap->leaf_count))
        return NULL;
    uint32_t page = atomic_load_explicit(&arena->heap->leaf[number], memory_order_acquire);
    return page ? yn_page_address(arena, page) : NULL;
}

/* The entry of a page; NULL if there is none, which is as YN_PAGE_NONE. */
static inline _Atomic uint64_t *yn_map_entry(const yn_arena_shared *arena, yn_page page)
{
    yn_heap_leaf_shared *leaf = yn_map_leaf(arena, page >> YN_LEAF_SHIFT);
    return YN_LIKELY(leaf != NULL) ? &leaf->entry[page & (YN_LEAF_PAGES - 1)] : NULL;
}

static inline uint64_t yn_map_read(const yn_arena_shared *arena, yn_page page)
{
    _Atomic uint64_t *entry = yn_map_entry(arena, page);
    return entry ? atomic_load(entry) : YN_PAGE_NONE;
}

static inline unsigned yn_page_kind_of(uint64_t entry)
{
    return (unsigned)(entry & 15);
}

static inline bool yn_page_is_free(uint64_t entry)
{
    return (entry & ~YN_PAGE_FLAGS) == YN_PAGE_FREE;
}

static inline bool yn_page_is_taken(uint64_t entry)
{
    return (entry & 12) == YN_PAGE_TAKEN;
}

static inline bool yn_page_is_moving(uint64_t entry)
{
    return (entry & 14) == YN_PAGE_MOVING;
}

/* The process that has the page in hand; 0 if nobody has. */
static inline yn_claim yn_page_claim(uint64_t entry)
{
    unsigned kind = yn_page_kind_of(entry);
    bool held =
        yn_page_is_taken(entry) || kind == YN_PAGE_FREEING || kind == YN_PAGE_SHELVING || yn_page_is_moving(entry);
    return held ? yn_claim_who(entry) : 0;
}

static inline uint64_t yn_large_entry(uint32_t stamp, uint64_t pages)
{
    return (uint64_t)stamp << 32 | pages << 4 | YN_PAGE_LARGE;
}

static inline uint64_t yn_large_pages(uint64_t entry)
{
    return (uint32_t)entry >> 4;
}

/* The entry of a block while its end is being moved, and what that says of its stamp: who moves it holds it. */
static inline uint64_t yn_moving_entry(yn_claim claim, uint32_t kind)
{
    return claim | YN_PAGE_MOVING | (kind == YN_HEAP_SHARED);
}

static inline uint32_t yn_moving_stamp(uint64_t entry)
{
    return yn_stamp_of(entry) | (entry & 1 ? YN_HEAP_SHARED : YN_HEAP_PLAIN);
}

/* heap_map.c: the hints. */

/* Where `count` free pages in a row probably are: the lowest such place. YN_NO_PAGE: nowhere, as far as is known. */
yn_page yn_map_find(const yn_arena_shared *arena, uint64_t count);

/* How many pages right before `end` are probably free. */
uint64_t yn_map_free_before(const yn_arena_shared *arena, yn_page end);

/* Their entries have become free: after the entries. True if 64 neighbours are free now, enough to give back. */
bool yn_map_hint_free(const yn_arena_shared *arena, yn_page start, uint64_t count);

/* Their entries are free no longer: after the entries. */
void yn_map_hint_taken(const yn_arena_shared *arena, yn_page start, uint64_t count);

/* A page was hinted to be free and was not. */
void yn_map_hint_wrong(const yn_arena_shared *arena, yn_page page);

/* The leaf's runs are to be measured anew. */
void yn_map_forget_runs(yn_heap_leaf_shared *leaf);

/* The number of leaves that stand for pages handed out so far. */
uint64_t yn_map_leaves(const yn_arena_shared *arena);

/* heap_run.c: runs of pages. */

/* What is known of a run just taken. */
typedef struct yn_run {
    yn_page start;
    uint64_t count;
    uint64_t gone;                 /* how many of them have no memory … */
    yn_page first_gone, last_gone; /* … and between where */
} yn_run;

/* Takes `count` pages in a row, with memory behind them, under my name. 0 or -ENOMEM. Their entries tell which are
 * dirty. */
int yn_pages_take(yn_self *me, uint64_t count, yn_page *start);

/* Takes just these pages, without asking for memory. Returns how many could be had: all, or else none is kept. */
uint64_t yn_pages_take_at(yn_self *me, yn_page start, uint64_t count, yn_run *run);

/* Makes pages that I have taken free again as they are. True if 64 neighbours are free now. */
bool yn_pages_give_back(yn_self *me, const yn_run *run);

/* Zeroes what is dirty among pages that I have taken. */
void yn_pages_clear(yn_self *me, yn_page start, uint64_t count);

/* How many parts stand in a row behind a page that begins something. */
uint64_t yn_pages_parts(const yn_arena_shared *arena, yn_page start);

/* Moves the end of the block that begins at `start`, and that my claim says I am moving, so that it has `wanted` pages,
 * the new ones zero if `zeroed`. False: it could not have more, and is as it was. Ends the moving, with this stamp. */
bool yn_pages_move_end(yn_self *me, yn_page start, uint64_t wanted, uint32_t stamp, bool zeroed);

/* Makes a block of pages that I have taken: the first becomes `head`, the others parts of it. */
void yn_pages_make(yn_self *me, yn_page start, uint64_t count, uint64_t head);

/* Frees what begins at a page whose entry says that I am freeing it: its parts, then it, with `flags`. */
void yn_pages_free(yn_self *me, yn_page start, uint64_t flags);

/* Enters pages fresh from the arena as free, making leaves for them where there are none. */
void yn_pages_adopt(yn_arena_shared *arena, yn_page start, uint64_t count);

/* heap_repair.c: what the dead left. */

/* A page in the hands of somebody dead is made free, or what it was about to be. False if it is in nobody's hands, or
 * in living ones. */
bool yn_heap_repair_page(yn_self *me, yn_page page);

/* Looks over all entries and spans: repairs, sets hints right, counts. True if the living have pages in hand, so that
 * looking again may find more. Costs a walk over the map: for who has found nothing, and for after deaths. */
bool yn_heap_look_over(yn_self *me);

/* The same if there were deaths since it was last done; false if not. */
bool yn_heap_look_after_deaths(yn_self *me);

/* heap_trim.c: memory given back to the system. */

/* Gives memory of free pages back until no more than `keep` pages are idle, as far as it lies in pieces large enough.
 */
void yn_heap_trim(yn_self *me, uint64_t keep);

/* The same, if there is much of it. */
void yn_heap_trim_surplus(yn_self *me);

#endif
