/* The shared heap as programs see it: alloc, realloc, free, trim.
 * Never obeys a pointer that is no block of a program's; never has a block moved before its copy is whole.
 * Next: shm/heap_fast.h (the short way), shm/heap_figures.c (who has how much). */
#include "shm/heap_fast.h"

#include <yunta/heap.h>

#define PAGE_MOST 4096u

/* What the short ways need, and no more: a lane, which is mine and not, in a child that was just forked, my parent's.
 */
static inline bool has_lane(const yn_self *me)
{
    return YN_LIKELY(me->lane_claim == yn_self_claim());
}

static YN_NOINLINE void *alloc_slow(size_t size)
{
    int error;
    yn_self *me = yn_self_get(&error);
    return me ? yn_heap_take(me, YN_HEAP_PLAIN, size, 0) : NULL;
}

YN_ALIGNED(64) void *yunta_heap_alloc(size_t size)
{
    const yn_self *me = &yn_self_tls;
    if (YN_UNLIKELY(!has_lane(me) || size > YN_DIRECT_MOST))
        return alloc_slow(size);
    yn_heap_span_shared *span = me->lane->direct[(size + YN_SMALL_UNIT - 1) / YN_SMALL_UNIT];
    uint64_t free = atomic_load_explicit(&span->free, memory_order_relaxed);
    return YN_LIKELY(free != 0) ? yn_span_take(span, free, me->lane->stamp[YN_HEAP_PLAIN]) : alloc_slow(size);
}

void *yunta_heap_alloc_aligned(size_t size, size_t alignment)
{
    int error;
    if (alignment > PAGE_MOST || (alignment != 0 && !yn_is_power_of_two(alignment)))
        return NULL;
    yn_self *me = yn_self_get(&error);
    return me ? yn_heap_take(me, YN_HEAP_PLAIN, size, alignment) : NULL;
}

void *yunta_heap_alloc_zeroed(size_t count, size_t size)
{
    int error;
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    yn_self *me = yn_self_get(&error);
    void *block = NULL;
    return me && yn_heap_alloc_zeroed_as(me, YN_HEAP_PLAIN, &block, total, 0) == 0 ? block : NULL;
}

/* Me, if the pointer can be anything at all. */
static yn_self *self_if_team(void)
{
    int error;
    return yn_self_has_team() ? yn_self_get(&error) : NULL;
}

static YN_NOINLINE int free_slow(void *block)
{
    yn_self *me = block ? self_if_team() : NULL;
    return me ? yn_heap_free_by_map(me, YN_HEAP_PLAIN, block) : block ? -EINVAL : 0;
}

YN_ALIGNED(64) int yunta_heap_free(void *block)
{
    const yn_self *me = &yn_self_tls;
    return YN_LIKELY(has_lane(me) && yn_lane_put(me->lane, YN_HEAP_PLAIN, block)) ? 0 : free_slow(block);
}

static bool is_block(yn_self *me, uint32_t kind, const void *block, yn_heap_place *place)
{
    return yn_heap_look_up(me, block, place) && place->start == block && (place->stamp & YN_STAMP_KIND) == kind;
}

size_t yunta_heap_usable_size(const void *block)
{
    yn_heap_place place;
    yn_self *me = block ? self_if_team() : NULL;
    return me && is_block(me, YN_HEAP_PLAIN, block, &place) ? place.usable : 0;
}

/* Whether the block would do as it is: it has room, and not more than twice as much as is asked for. */
static bool is_about_right(const yn_heap_place *place, size_t size)
{
    return size <= place->usable && (size > place->usable / 2 || place->usable <= YN_SMALL_UNIT);
}

static void *move(yn_self *me, uint32_t kind, const yn_heap_place *place, size_t size)
{
    void *fresh = yn_heap_take(me, kind, size, 0);
    if (!fresh)
        return NULL;
    memcpy(fresh, place->start, size < place->usable ? size : place->usable);
    yn_heap_free_as(me, kind, place->start);
    return fresh;
}

void *yn_heap_realloc(yn_self *me, uint32_t kind, void *block, size_t size)
{
    yn_heap_place place;
    if (!is_block(me, kind, block, &place))
        return NULL;
    bool stays_large = !place.span && size > YN_SMALL_MOST;
    if ((place.span && is_about_right(&place, size)) ||
        (stays_large && yn_heap_resize_in_place(me, kind, block, size, false) == 0))
        return block;
    void *moved = move(me, kind, &place, size);
    return moved || size > place.usable ? moved : block; /* what is too large will do where there is no memory */
}

void *yunta_heap_realloc(void *block, size_t size)
{
    if (!block)
        return yunta_heap_alloc(size);
    yn_self *me = self_if_team();
    return me ? yn_heap_realloc(me, YN_HEAP_PLAIN, block, size) : NULL;
}

int yunta_heap_trim(void)
{
    int r;
    yn_self *me = yn_self_get(&r);
    if (!me)
        return r;
    yn_lanes_release(me);
    yn_spans_give_up_empty(me);
    yn_heap_look_after_deaths(me);
    yn_heap_trim(me, 0);
    return 0;
}
