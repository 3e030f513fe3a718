/* What concerns a dict as a whole: making and ending it, its size, clearing it.
 * Never takes one stripe's guard while it has that of a later one.
 * Next: data/dict.c; data/dict_iterator.c. */
#include "data/dict.h"
#include "os/rawsys.h"
#include "shm/heap.h"

#include <sched.h>
#include <sys/syscall.h>

enum {
    LOOKS = 20,     /* at the size, before all guards are taken */
    AT_A_TIME = 512 /* entries cleared before others may write to the stripe again */
};

/* Where the kernel has no random bytes yet, what differs from one dict to the next has to do. */
static uint64_t make_seed(const yn_self *me, const void *dict)
{
    uint64_t seed = 0;
    if (yn_raw3(SYS_getrandom, (long)(uintptr_t)&seed, sizeof seed, 1 /* GRND_NONBLOCK */) == sizeof seed)
        return seed;
    return yn_fold(me->arena->serial ^ yn_now_ns(), (uint64_t)(uintptr_t)dict | 1);
}

static uint64_t power_of_two_from(uint64_t n)
{
    uint64_t power = 1;
    while (power < n)
        power *= 2;
    return power;
}

static yn_form form_for(const yunta_dict_options *o, uint64_t stripes)
{
    if (o->key_size == 0 || o->key_size > YN_KEY_IN_PLACE_MOST || o->value_size == 0 || o->value_size > 8)
        return YN_IN_NODES;
    return o->key_size <= 8 && stripes > 1 ? YN_IN_WORDS : YN_IN_SLOTS;
}

int yn_dict_create(yn_self *me, yunta_dict **dict, const yunta_dict_options *o)
{
    uint64_t stripes = power_of_two_from(o->stripes ? o->stripes : YN_STRIPES_USUALLY);
    void *block;
    int r = yn_heap_alloc_zeroed(me, &block, sizeof(yunta_dict) + stripes * sizeof(yn_stripe_shared), 64);
    if (r != 0)
        return r;
    yunta_dict *d = block;
    d->base = me->arena->base;
    d->key_size = o->key_size;
    d->value_size = o->value_size;
    d->mask = stripes - 1;
    d->seed = yn_hash_seed_make(make_seed(me, d));
    d->form = form_for(o, stripes);
    d->stride = 2 + yn_padded(o->key_size) / sizeof(uint64_t);
    d->stride = yn_stride(d, d->form);
    d->least = YN_TABLE_LEAST;
    while (d->least < YN_TAG_BITS && o->capacity / stripes >= yn_table_room((unsigned)d->least))
        d->least++;
    *dict = d;
    return 0;
}

static void free_stripe(yn_self *me, yunta_dict *dict, yn_stripe_shared *stripe)
{
    if (!yn_guard_is_open(&stripe->guard)) /* left so by somebody dead */
        yn_stripe_repair(me, &(yn_stripe_of){dict, stripe});
    uint64_t table = atomic_load_explicit(&stripe->table, memory_order_relaxed);
    for (uint64_t i = 0; table != 0 && dict->form == YN_IN_NODES && i <= yn_table_last(table); i++) {
        uint64_t word = atomic_load_explicit(yn_table_slot(dict, table, i), memory_order_relaxed);
        if (yn_word_is_entry(word))
            yn_heap_free(me, yn_word_node(dict, word));
    }
    if (table != 0)
        yn_heap_free(me, (void *)yn_table_slot(dict, table, 0));
}

void yn_dict_destroy(yn_self *me, yunta_dict *dict)
{
    for (uint64_t i = 0; i <= dict->mask; i++)
        free_stripe(me, dict, &dict->stripe[i]);
    yn_heap_free(me, dict);
}

/* The sum of all `changes`, which only grow: if it is the same later, so is each of them. False: somebody is at work.
 */
static bool sum_up(yunta_dict *dict, uint64_t *changes, uint64_t *size)
{
    *changes = *size = 0;
    for (uint64_t i = 0; i <= dict->mask; i++) {
        yn_stripe_shared *stripe = &dict->stripe[i];
        if (!yn_guard_is_open(&stripe->guard))
            return false;
        *changes += atomic_load(&stripe->changes);
        *size += atomic_load(&stripe->count);
    }
    return true;
}

static int sum_up_guarded(yn_self *me, yunta_dict *dict, uint64_t *size)
{
    uint64_t entered = 0;
    int r = 0;
    *size = 0;
    for (; entered <= dict->mask; entered++) {
        r = yn_stripe_enter(me, dict, &dict->stripe[entered]);
        if (r != 0)
            break;
        *size += atomic_load(&dict->stripe[entered].count);
    }
    while (entered > 0)
        yn_stripe_leave(me, &dict->stripe[--entered]);
    return r;
}

int yn_dict_size(yn_self *me, yunta_dict *dict, uint64_t *size)
{
    for (int i = 0; i < LOOKS; i++) {
        uint64_t changes, later, unused;
        if (sum_up(dict, &changes, size) && sum_up(dict, &later, &unused) && changes == later)
            return 0;
    }
    return sum_up_guarded(me, dict, size);
}

/* With the guard: removes some entries from *from on. False: it has come to the end of the table. */
static bool clear_some(yn_self *me, yunta_dict *dict, yn_stripe_shared *stripe, uint64_t table, uint64_t *from)
{
    for (int removed = 0; *from <= yn_table_last(table); ++*from) {
        _Atomic uint64_t *slot = yn_table_slot(dict, table, *from);
        if (!yn_word_is_entry(atomic_load_explicit(slot, memory_order_relaxed)))
            continue;
        if (removed++ == AT_A_TIME)
            return true;
        yn_stripe_remove(me, dict, stripe, slot);
    }
    return false;
}

/* Whatever others have changed meanwhile, the table perhaps: it is begun anew. */
static int clear_stripe(yn_self *me, yunta_dict *dict, yn_stripe_shared *stripe)
{
    uint64_t left = 0, from = 0;
    for (bool more = true; more;) {
        int r = yn_stripe_enter(me, dict, stripe);
        if (r != 0)
            return r;
        uint64_t table = atomic_load_explicit(&stripe->table, memory_order_relaxed);
        from = atomic_load_explicit(&stripe->changes, memory_order_relaxed) == left ? from : 0;
        more = table != 0 && clear_some(me, dict, stripe, table, &from);
        if (!more)
            yn_stripe_drop_table(me, dict, stripe);
        left = atomic_load_explicit(&stripe->changes, memory_order_relaxed);
        yn_stripe_leave(me, stripe);
    }
    return 0;
}

int yn_dict_clear(yn_self *me, yunta_dict *dict)
{
    int r = 0;
    for (uint64_t i = 0; r == 0 && i <= dict->mask; i++)
        r = clear_stripe(me, dict, &dict->stripe[i]);
    return r;
}

int yunta_dict_create(yunta_dict **dict, const yunta_dict_options *options)
{
    static const yunta_dict_options defaults;
    const yunta_dict_options *o = options ? options : &defaults;
    if (!dict || memcmp(o->reserved, defaults.reserved, sizeof o->reserved) != 0 || o->stripes > YN_STRIPES_MOST)
        return -EINVAL;
    if (o->key_size > YN_KEY_MOST || o->value_size > YN_ARENA_MOST || o->capacity > YN_ARENA_MOST / sizeof(uint64_t))
        return -EOVERFLOW;
    int r;
    yn_self *me = yn_self_get(&r);
    return me ? yn_dict_create(me, dict, o) : r;
}

yunta_dict *yunta_dict_destroy(yunta_dict *dict)
{
    int r;
    yn_self *me = dict ? yn_self_get(&r) : NULL;
    if (me)
        yn_dict_destroy(me, dict);
    return NULL;
}

size_t yunta_dict_size(yunta_dict *dict)
{
    int r;
    uint64_t size;
    yn_self *me = dict ? yn_self_get(&r) : NULL;
    return me && yn_dict_size(me, dict, &size) == 0 ? (size_t)size : 0;
}

int yunta_dict_clear(yunta_dict *dict)
{
    int r = -EINVAL;
    yn_self *me = dict ? yn_self_get(&r) : NULL;
    return me ? yn_dict_clear(me, dict) : r;
}
