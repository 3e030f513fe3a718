/* Lanes: which spans a thread owns and hands blocks out of, and where it gets the next one.
 * Never waits for another thread or process: what they own it leaves to them, what the dead owned it takes.
 * Next: shm/heap_span.c; shm/heap.c, which comes here when the current span has no block to give. */
#include "shm/heap.h"
#include "shm/heap_span.h"

/* The memory that a lane keeps of each size, in use or free: what other processes cannot use meanwhile. */
#define KEEP_BYTES (256u << 10)

static void set_current(yn_heap_lane_shared *lane, uint32_t bin, yn_heap_span_shared *span)
{
    lane->bin[bin].current = span;
    uint32_t last = yn_bin_size(bin) / YN_SMALL_UNIT, unit = bin > 0 ? yn_bin_size(bin - 1) / YN_SMALL_UNIT + 1 : 0;
    for (; unit <= last && unit < YN_COUNT(lane->direct); unit++)
        lane->direct[unit] = span;
}

/* What it had seen may be others' soon. */
static void forget_seen(yn_heap_lane_shared *lane)
{
    lane->last_own = &lane->none;
    for (uint32_t i = 0; i < YN_LANE_SEEN; i++)
        lane->seen[i] = &lane->none;
}

static uint32_t spans_most(uint32_t bin)
{
    uint32_t spans = KEEP_BYTES / (YN_SPAN_BLOCKS * yn_bin_size(bin));
    return spans < 1 ? 1 : spans < YN_LANE_SPANS ? spans : YN_LANE_SPANS;
}

/* A block out of a span that is given back at once: for who has no lane. */
static void *borrow(yn_self *me, uint32_t bin, uint32_t kind, bool may_build)
{
    yn_span_owner owner = me->claim | YN_LANE_NONE;
    yn_heap_span_shared *span = yn_shelf_adopt(me->arena, bin, owner);
    if (!span && may_build)
        span = yn_span_build(me, bin, owner);
    if (!span)
        return NULL;
    void *block =
        yn_span_take(span, atomic_load_explicit(&span->free, memory_order_relaxed), yn_stamp_of(me->claim) | kind);
    yn_span_release(span);
    return block;
}

/* When there is no memory for another span: any block that is large enough. */
static void *scrape(yn_self *me, uint32_t bin, uint32_t kind)
{
    uint32_t size = yn_bin_size(bin), alignment = size & (~size + 1);
    yn_lanes_release(me);
    for (uint32_t c = bin; c < YN_HEAP_SMALL_BINS; c++) {
        void *block = yn_bin_size(c) % alignment == 0 ? borrow(me, c, kind, false) : NULL;
        if (block)
            return block;
    }
    return NULL;
}

static void *borrow_anywhere(yn_self *me, uint32_t bin, uint32_t kind)
{
    void *block = borrow(me, bin, kind, false);
    if (!block && yn_shelf_look_after_deaths(me, bin))
        block = borrow(me, bin, kind, false);
    if (!block)
        block = borrow(me, bin, kind, true);
    return block || bin == YN_HEAP_SMALL_BINS ? block : scrape(me, bin, kind);
}

/* The spans that the lane's last user owned are mine, unless others came first: whose they were stands in them. */
static void inherit(yn_heap_lane_shared *lane, yn_claim claim)
{
    yn_span_owner before = lane->owner, owner = claim | lane->number;
    if (before == owner)
        return;
    forget_seen(lane);
    for (uint32_t i = 0; i < YN_HEAP_SMALL_BINS; i++) {
        yn_heap_lane_bin *bin = &lane->bin[i];
        uint32_t count = bin->count < YN_LANE_SPANS ? bin->count : YN_LANE_SPANS, kept = 0;
        set_current(lane, i, &lane->none);
        bin->hand = 0;
        for (uint32_t k = 0; k < count; k++) {
            yn_heap_span_shared *span = bin->held[k];
            yn_span_owner was = before;
            /* Who died while it wrote this down may have left the number without the span. */
            if (!span || !atomic_compare_exchange_strong(&span->owner, &was, owner))
                continue;
            yn_span_gather(span);
            bin->held[kept++] = span;
        }
        bin->count = kept;
    }
    lane->last = NULL;
    for (uint32_t kind = 0; kind <= YN_STAMP_KIND; kind++)
        lane->stamp[kind] = yn_stamp_of(claim) | kind;
    lane->owner = owner;
}

/* A lane of my slot that no thread of mine uses. */
static yn_heap_lane_shared *find_lane(yn_self *me)
{
    yn_heap_lane_shared *lane = atomic_load_explicit(&me->slot->heap_lanes, memory_order_acquire);
    for (; lane; lane = lane->next) {
        yn_claim was = atomic_load_explicit(&lane->taken, memory_order_relaxed);
        if (was != me->claim && atomic_compare_exchange_strong(&lane->taken, &was, me->claim)) {
            inherit(lane, me->claim);
            return lane;
        }
    }
    return NULL;
}

/* Another lane for the slot, which keeps it for its next tenants. Without memory it goes without, and so does a thread
 * that comes when there are as many as can be told apart. */
static yn_heap_lane_shared *add_lane(yn_self *me)
{
    struct yn_heap_lane_shared *first = atomic_load(&me->slot->heap_lanes);
    if (first && first->number + 1 >= YN_LANE_NONE)
        return NULL;
    yn_heap_lane_shared *lane = borrow_anywhere(me, YN_HEAP_SMALL_BINS, YN_HEAP_OWN);
    if (!lane)
        return NULL;
    memset(lane, 0, sizeof *lane);
    atomic_store_explicit(&lane->taken, me->claim, memory_order_relaxed);
    do {
        lane->next = first;
        lane->number = first ? first->number + 1 : 0;
        if (lane->number >= YN_LANE_NONE) {
            yn_heap_free(me, lane);
            return NULL;
        }
        inherit(lane, me->claim);
    } while (!atomic_compare_exchange_weak(&me->slot->heap_lanes, &first, lane));
    return lane;
}

static void use_lane(yn_self *me, yn_heap_lane_shared *lane)
{
    me->lane = lane;
    me->lane_claim = lane ? me->claim : YN_NO_LANE;
    if (lane)
        yn_self_note_thread(me);
}

void yn_heap_touch(yn_self *me)
{
    if (!me->lane)
        use_lane(me, find_lane(me));
}

static yn_heap_lane_shared *lane_of(yn_self *me)
{
    yn_heap_touch(me);
    if (!me->lane)
        use_lane(me, add_lane(me));
    return me->lane;
}

void yn_heap_leave(yn_self *me)
{
    if (me->lane)
        atomic_store_explicit(&me->lane->taken, 0, memory_order_release);
    use_lane(me, NULL);
}

static void *go_on_with(yn_heap_lane_shared *lane, uint32_t bin, yn_heap_span_shared *span, uint32_t kind)
{
    set_current(lane, bin, span);
    return yn_span_take(span, atomic_load_explicit(&span->free, memory_order_relaxed), lane->stamp[kind]);
}

/* One of its own spans of which it knows free blocks. */
static yn_heap_span_shared *ready_one(const yn_heap_lane_bin *bin)
{
    for (uint32_t k = 0; k < bin->count; k++)
        if (atomic_load_explicit(&bin->held[k]->free, memory_order_relaxed) != 0)
            return bin->held[k];
    return NULL;
}

/* The one that has not been asked for longest, if others have freed blocks in it; if not, and there are enough, it is
 * nobody's from now on. */
static yn_heap_span_shared *oldest_one(yn_heap_lane_shared *lane, uint32_t number)
{
    yn_heap_lane_bin *bin = &lane->bin[number];
    if (bin->count == 0)
        return NULL;
    uint32_t k = bin->hand < bin->count ? bin->hand : 0;
    yn_heap_span_shared *span = bin->held[k];
    bin->hand = k + 1;
    if (yn_span_gather(span) != 0)
        return span;
    if (bin->count >= spans_most(number)) {
        set_current(lane, number, &lane->none);
        forget_seen(lane);
        bin->held[k] = bin->held[--bin->count];
        yn_span_release(span);
    }
    return NULL;
}

void *yn_lane_alloc(yn_self *me, uint32_t number, uint32_t kind)
{
    yn_heap_lane_shared *lane = lane_of(me);
    if (!lane)
        return borrow_anywhere(me, number, kind);
    yn_heap_lane_bin *bin = &lane->bin[number];
    yn_heap_span_shared *span = ready_one(bin);
    if (!span && !(span = oldest_one(lane, number))) {
        span = yn_shelf_adopt(me->arena, number, lane->owner);
        if (!span && yn_shelf_look_after_deaths(me, number))
            span = yn_shelf_adopt(me->arena, number, lane->owner);
        if (!span && !(span = yn_span_build(me, number, lane->owner)))
            return scrape(me, number, kind);
        bin->held[bin->count] = span;
        bin->count++;
    }
    return go_on_with(lane, number, span, kind);
}

static void release_all(yn_heap_lane_shared *lane)
{
    forget_seen(lane);
    for (uint32_t i = 0; i < YN_HEAP_SMALL_BINS; i++) {
        yn_heap_lane_bin *bin = &lane->bin[i];
        set_current(lane, i, &lane->none);
        while (bin->count > 0)
            yn_span_release(bin->held[--bin->count]);
    }
}

void yn_lanes_release(yn_self *me)
{
    if (me->lane)
        release_all(me->lane);
    yn_heap_lane_shared *lane = atomic_load_explicit(&me->slot->heap_lanes, memory_order_acquire);
    for (; lane; lane = lane->next) {
        yn_claim nobody = 0;
        if (!atomic_compare_exchange_strong(&lane->taken, &nobody, me->claim))
            continue;
        if (lane->owner == (me->claim | lane->number))
            release_all(lane);
        atomic_store_explicit(&lane->taken, 0, memory_order_release);
    }
}
