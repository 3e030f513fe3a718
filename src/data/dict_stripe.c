/* A stripe of a dict, by who has its guard: finding, changing, growing, and repairing after a dead owner.
 * Never changes what a reader sees but by one store; never frees what a reader may find before it has raised the
 * version. Next: data/dict.c, who comes here; data/README.md, why this is enough. */
#include "data/dict.h"
#include "shm/heap.h"

_Atomic uint64_t *yn_stripe_room(yunta_dict *dict, const yn_key *key)
{
    uint64_t table = atomic_load_explicit(&key->stripe->table, memory_order_relaxed), last = yn_table_last(table);
    for (uint64_t i = yn_table_home(table, key->word);; i = (i + 1) & last) {
        _Atomic uint64_t *slot = yn_table_slot(dict, table, i);
        if (!yn_word_is_entry(atomic_load_explicit(slot, memory_order_relaxed)))
            return slot;
    }
}

static void add(_Atomic uint64_t *figure, uint64_t amount)
{
    uint64_t now = atomic_load_explicit(figure, memory_order_relaxed) + amount;
    atomic_store_explicit(figure, now, memory_order_release); /* not seen before the guard is seen to be taken */
}

void yn_stripe_insert(yunta_dict *dict, const yn_key *key, _Atomic uint64_t *room, const yn_node_shared *node)
{
    bool fresh = atomic_load_explicit(room, memory_order_relaxed) == 0;
    atomic_store_explicit(room, yn_word_make(dict, node, key), memory_order_release);
    add(&key->stripe->used, fresh);
    add(&key->stripe->count, 1);
    add(&key->stripe->changes, 1);
}

void yn_stripe_exchange(yn_self *me, yunta_dict *dict, const yn_key *key, _Atomic uint64_t *slot,
                        const yn_node_shared *node)
{
    yn_node_shared *old = yn_word_node(dict, atomic_load_explicit(slot, memory_order_relaxed));
    atomic_store_explicit(slot, yn_word_make(dict, node, key), memory_order_release);
    yn_version_raise(&key->stripe->version);
    yn_heap_free(me, old);
}

/* Words that are GONE with nothing behind them become as if never used. */
static void unuse(yunta_dict *dict, yn_stripe_shared *stripe, _Atomic uint64_t *slot)
{
    uint64_t table = atomic_load_explicit(&stripe->table, memory_order_relaxed), last = yn_table_last(table);
    uint64_t i = (uint64_t)(slot - yn_table_slot(dict, table, 0)) / dict->stride;
    if (atomic_load_explicit(yn_table_slot(dict, table, (i + 1) & last), memory_order_relaxed) != 0)
        return;
    for (; atomic_load_explicit(slot, memory_order_relaxed) == YN_WORD_GONE; slot = yn_table_slot(dict, table, i)) {
        atomic_store_explicit(slot, 0, memory_order_relaxed);
        add(&stripe->used, UINT64_MAX);
        i = (i - 1) & last;
    }
}

/* In its slot, an entry is freed by the version: whatever is written there afterwards, no reader takes it for this one.
 */
void yn_stripe_remove(yn_self *me, yunta_dict *dict, yn_stripe_shared *stripe, _Atomic uint64_t *slot)
{
    uint64_t word = atomic_load_explicit(slot, memory_order_relaxed);
    atomic_store_explicit(slot, YN_WORD_GONE, memory_order_relaxed);
    add(&stripe->count, UINT64_MAX);
    add(&stripe->changes, 1);
    unuse(dict, stripe, slot);
    yn_version_raise(&stripe->version);
    if (dict->form == YN_IN_NODES)
        yn_heap_free(me, yn_word_node(dict, word));
}

bool yn_stripe_is_full(yn_stripe_shared *stripe)
{
    uint64_t table = atomic_load_explicit(&stripe->table, memory_order_relaxed);
    return table == 0 ||
           atomic_load_explicit(&stripe->used, memory_order_relaxed) >= yn_table_room(yn_table_log2(table));
}

bool yn_stripe_is_sparse(const yunta_dict *dict, yn_stripe_shared *stripe)
{
    uint64_t table = atomic_load_explicit(&stripe->table, memory_order_relaxed);
    return table != 0 && yn_table_log2(table) > dict->least &&
           atomic_load_explicit(&stripe->count, memory_order_relaxed) < (yn_table_last(table) + 1) / 8;
}

/* log2 of the slots that the entries need, and some more: half of them stay empty. */
static unsigned log2_wanted(const yunta_dict *dict, yn_stripe_shared *stripe)
{
    unsigned wanted = (unsigned)dict->least;
    while (UINT64_C(1) << wanted < 2 * (atomic_load_explicit(&stripe->count, memory_order_relaxed) + 1))
        wanted++;
    return wanted;
}

/* Tables that a dead owner was building or replacing, or that we have replaced: all that is not the table now. The
 * notes go first: a block that is freed may be somebody else's a moment later. */
static void free_others(yn_self *me, yunta_dict *dict, yn_stripe_shared *stripe)
{
    uint64_t table = atomic_load_explicit(&stripe->table, memory_order_relaxed);
    uint64_t other[] = {atomic_load_explicit(&stripe->coming, memory_order_relaxed),
                        atomic_load_explicit(&stripe->going, memory_order_relaxed)};
    atomic_store_explicit(&stripe->coming, 0, memory_order_relaxed);
    atomic_store_explicit(&stripe->going, 0, memory_order_release);
    for (size_t i = 0; i < YN_COUNT(other); i++)
        if (other[i] != 0 && other[i] != table)
            yn_heap_free(me, (void *)yn_table_slot(dict, other[i], 0));
}

void yn_stripe_repair(yn_self *me, void *dict_and_stripe)
{
    const yn_stripe_of *what = dict_and_stripe;
    yn_stripe_shared *stripe = what->stripe;
    uint64_t table = atomic_load_explicit(&stripe->table, memory_order_relaxed), count = 0, used = 0;
    for (uint64_t i = 0; table != 0 && i <= yn_table_last(table); i++) {
        uint64_t word = atomic_load_explicit(yn_table_slot(what->dict, table, i), memory_order_relaxed);
        used += word != 0;
        count += yn_word_is_entry(word);
    }
    atomic_store_explicit(&stripe->count, count, memory_order_relaxed);
    atomic_store_explicit(&stripe->used, used, memory_order_relaxed);
    add(&stripe->changes, 1);
    yn_version_raise(&stripe->version);
    free_others(me, what->dict, stripe);
}

/* Nobody sees the new table yet. In the order of the tags, so both are walked through from one end to the other. */
static void fill(yunta_dict *dict, uint64_t from, uint64_t to)
{
    uint64_t last = yn_table_last(to);
    for (uint64_t k = 0; from != 0 && k <= yn_table_last(from); k++) {
        const _Atomic uint64_t *old = yn_table_slot(dict, from, k);
        uint64_t word = atomic_load_explicit(old, memory_order_relaxed);
        if (!yn_word_is_entry(word))
            continue;
        uint64_t i = yn_table_home(to, word);
        while (atomic_load_explicit(yn_table_slot(dict, to, i), memory_order_relaxed) != 0)
            i = (i + 1) & last;
        _Atomic uint64_t *fresh = yn_table_slot(dict, to, i);
        for (uint64_t w = 0; w < dict->stride; w++)
            atomic_store_explicit(&fresh[w], atomic_load_explicit(&old[w], memory_order_relaxed), memory_order_relaxed);
    }
}

/* Which is in what order: see "Tables" in README.md. */
static void replace_table(yn_self *me, yunta_dict *dict, yn_stripe_shared *stripe, uint64_t table)
{
    uint64_t old = atomic_load_explicit(&stripe->table, memory_order_relaxed);
    atomic_store_explicit(&stripe->coming, table, memory_order_relaxed);
    if (table != 0)
        fill(dict, old, table);
    atomic_store_explicit(&stripe->going, old, memory_order_release);
    atomic_store_explicit(&stripe->table, table, memory_order_release);
    atomic_store_explicit(&stripe->used, atomic_load_explicit(&stripe->count, memory_order_relaxed),
                          memory_order_relaxed);
    add(&stripe->changes, 1); /* who is clearing goes by places in the table */
    yn_version_raise(&stripe->version);
    free_others(me, dict, stripe);
}

void yn_stripe_drop_table(yn_self *me, yunta_dict *dict, yn_stripe_shared *stripe)
{
    if (atomic_load_explicit(&stripe->table, memory_order_relaxed) != 0 &&
        atomic_load_explicit(&stripe->count, memory_order_relaxed) == 0)
        replace_table(me, dict, stripe, 0);
}

static int make_table(yn_self *me, const yunta_dict *dict, unsigned log2, void **block)
{
    size_t bytes = dict->stride * sizeof(uint64_t);
    return log2 <= YN_TAG_BITS ? yn_heap_alloc_zeroed(me, block, bytes << log2, YN_TABLE_UNIT) : -ENOMEM;
}

int yn_stripe_resize(yn_self *me, yunta_dict *dict, yn_stripe_shared *stripe)
{
    for (;;) {
        unsigned wanted = log2_wanted(dict, stripe);
        void *block;
        yn_stripe_leave(me, stripe); /* fresh memory takes its time: others can write meanwhile */
        int r = make_table(me, dict, wanted, &block);
        if (r != 0)
            return r;
        r = yn_stripe_enter(me, dict, stripe);
        if (r != 0) {
            yn_heap_free(me, block);
            return r;
        }
        bool due = yn_stripe_is_full(stripe) || yn_stripe_is_sparse(dict, stripe);
        if (due && log2_wanted(dict, stripe) == wanted) {
            replace_table(me, dict, stripe, ((uint64_t)(uintptr_t)block - dict->base) / YN_TABLE_UNIT << 6 | wanted);
            return 0;
        }
        yn_heap_free(me, block);
        if (!due)
            return 0;
    }
}
