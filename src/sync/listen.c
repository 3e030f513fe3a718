/* The table of listeners: taking a place in it, and telling those who stand there.
 * Never waits for a listener, never frees a place; what it tells is never more than "look".
 * Next: sync/wait.c, where the hints are; comm/wait_many.c, who listens. */
#include "sync/listen.h"
#include "os/doorbell.h"
#include "os/futex.h"
#include "shm/heap.h"
#include "sync/wait.h"

enum { FIRST_BLOCK = 4 };

static _Atomic(yn_listeners_shared *) *bucket_of(yn_arena_shared *arena, const void *object)
{
    uint64_t hash = (uint64_t)(uintptr_t)object * UINT64_C(0x9e3779b97f4a7c15);
    return &arena->listeners[hash >> 32 & (YN_LISTENER_BUCKETS - 1)];
}

static bool take(yn_self *me, yn_listener_shared *l)
{
    uint64_t who = atomic_load_explicit(&l->who, memory_order_acquire); /* else its slot may be seen as it was before */
    if (yn_claim_is_alive(&me->arena->slots, yn_claim_who(who)))
        return false;
    return atomic_compare_exchange_strong(&l->who, &who, me->claim | YN_LISTENER_WRITES);
}

static yn_listener_shared *take_in(yn_self *me, yn_listeners_shared *block)
{
    uint32_t first = atomic_load_explicit(&block->vacant, memory_order_relaxed);
    for (uint32_t i = 0; i < block->count; i++) {
        uint32_t n = first + i < block->count ? first + i : first + i - block->count;
        if (!take(me, &block->listener[n]))
            continue;
        atomic_store_explicit(&block->vacant, n + 1, memory_order_relaxed);
        return &block->listener[n];
    }
    return NULL;
}

/* A block twice as large as the last one, in front of it. Who dies before it stands there has lost it. */
static bool grow(yn_self *me, _Atomic(yn_listeners_shared *) *bucket, yn_listeners_shared *seen)
{
    uint32_t count = seen ? 2 * seen->count : FIRST_BLOCK;
    void *p;
    if (yn_heap_alloc_zeroed(me, &p, sizeof *seen + count * sizeof seen->listener[0], YN_CACHE_LINE) != 0)
        return false;
    yn_listeners_shared *fresh = p;
    fresh->count = count;
    fresh->next = seen;
    if (!atomic_compare_exchange_strong(bucket, &seen, fresh))
        yn_heap_free(me, fresh); /* another was faster */
    return true;
}

yn_listener_shared *yn_listen(yn_self *me, const void *object, yn_listen_by how, uint64_t target, int descriptor)
{
    _Atomic(yn_listeners_shared *) *bucket = bucket_of(me->arena, object);
    yn_listener_shared *l = NULL;
    while (!l) {
        yn_listeners_shared *first = atomic_load(bucket);
        for (yn_listeners_shared *block = first; block && !l; block = block->next)
            l = take_in(me, block);
        if (!l && !grow(me, bucket, first))
            return NULL;
    }
    atomic_store(&l->object, (uintptr_t)object);
    atomic_store(&l->target, target != 0 ? target : (uintptr_t)&l->bell);
    atomic_store(&l->descriptor, descriptor);
    atomic_store(&l->who, me->claim | (uint64_t)how);
    return l;
}

void yn_unlisten(yn_listener_shared *listener)
{
    if (listener)
        atomic_store(&listener->who, 0);
}

yn_listener_shared *yn_listener_find(yn_self *me, const void *object, uint64_t target)
{
    for (yn_listeners_shared *b = atomic_load(bucket_of(me->arena, object)); b; b = b->next)
        for (uint32_t i = 0; i < b->count; i++) {
            yn_listener_shared *l = &b->listener[i];
            if (atomic_load(&l->object) == (uintptr_t)object &&
                atomic_load(&l->who) == (me->claim | YN_LISTEN_DESCRIPTOR) &&
                (target == 0 || atomic_load(&l->target) == target))
                return l;
        }
    return NULL;
}

void yn_listener_ring(yn_listener_shared *listener)
{
    int own = atomic_load(&listener->descriptor);
    yn_doorbell_ring(&own, atomic_load(&listener->target));
}

static bool is_sound(yn_arena_shared *arena, yn_listener_shared *l)
{
    uint64_t who = atomic_load(&l->who), how = who & YN_CLAIM_FLAGS, target = atomic_load(&l->target);
    if (who == 0 || how == YN_LISTENER_WRITES)
        return true;
    if (how == YN_LISTEN_BY_WORD)
        return yn_arena_holds(arena, (void *)(uintptr_t)target) && target % sizeof(uint32_t) == 0;
    return (how == YN_LISTEN_BY_DOOR || how == YN_LISTEN_DESCRIPTOR) && target != 0 && atomic_load(&l->object) != 0 &&
           atomic_load(&l->descriptor) >= 0;
}

bool yn_listen_is_sound(yn_arena_shared *arena, size_t *living)
{
    bool sound = true;
    size_t count = 0;
    for (size_t n = 0; n < YN_LISTENER_BUCKETS; n++)
        for (yn_listeners_shared *b = atomic_load(&arena->listeners[n]); b; b = b->next) {
            sound = sound && (b->next ? b->count == 2 * b->next->count : b->count == FIRST_BLOCK);
            for (uint32_t i = 0; i < b->count; i++) {
                uint64_t who = atomic_load(&b->listener[i].who);
                sound = sound && is_sound(arena, &b->listener[i]);
                count += yn_claim_is_alive(&arena->slots, yn_claim_who(who));
            }
        }
    if (living)
        *living = count;
    return sound;
}

/* Its own process rings it by its own descriptor: then none else is needed. */
static int ring_door(yn_listener_shared *l, uint64_t who, uint64_t number, int *from)
{
    int own = atomic_load(&l->descriptor), r = -EBADF;
    if (yn_claim_who(who) == yn_self_claim() && own >= 0)
        r = yn_doorbell_ring(&own, number);
    return r == 0 ? 0 : yn_doorbell_ring(from, number);
}

static void tell(yn_arena_shared *arena, yn_listener_shared *l, const void *object, int *from, bool alone)
{
    uint64_t who = atomic_load(&l->who);
    if (atomic_load(&l->object) != (uintptr_t)object || (who & YN_LISTEN_DESCRIPTOR) == 0)
        return;
    uint64_t target = atomic_load(&l->target);
    /* Has it changed in between, who writes it looks afterwards. */
    if (atomic_load(&l->who) != who || !yn_claim_is_alive(&arena->slots, yn_claim_who(who)))
        return;
    if ((who & YN_LISTEN_BY_DOOR) == 0)
        yn_wait_announce_change((_Atomic uint32_t *)(uintptr_t)target);
    else if (ring_door(l, who, target, from) != 0 && !alone && atomic_load(&l->who) == who && yn_wait_up.ring)
        yn_wait_up.ring(target);
}

void yn_listen_tell(yn_arena_shared *arena, const void *object, bool alone)
{
    int from = -1;
    for (yn_listeners_shared *block = atomic_load(bucket_of(arena, object)); block; block = block->next)
        for (uint32_t i = 0; i < block->count; i++)
            if (atomic_load_explicit(&block->listener[i].object, memory_order_relaxed) == (uintptr_t)object)
                tell(arena, &block->listener[i], object, &from, alone);
    yn_doorbell_close(from);
}
