/* Whether the invariants of a dict hold, for the tests.
 * Never repairs anything; nobody may be writing.
 * Next: data/README.md. */
#include "data/dict.h"

/* The entry stands in its stripe, under its tag, with no empty word between its home and its place. */
static bool is_placed(yunta_dict *dict, yn_stripe_shared *stripe, uint64_t table, uint64_t place)
{
    const _Atomic uint64_t *slot = yn_table_slot(dict, table, place);
    uint64_t word = atomic_load(slot), last = yn_table_last(table);
    const yn_entry *entry = yn_slot_entry(dict, slot, word, yn_dict_in_place(dict));
    yn_key key = yn_dict_key(dict, entry, yn_entry_key_size(dict, entry));
    if (key.stripe != stripe || key.tag != yn_word_tag(word))
        return false;
    for (uint64_t i = yn_table_home(table, key.tag); i != place; i = (i + 1) & last)
        if (atomic_load(yn_table_slot(dict, table, i)) == 0)
            return false;
    return true;
}

static bool is_stripe_sound(yunta_dict *dict, yn_stripe_shared *stripe)
{
    uint64_t table = atomic_load(&stripe->table), count = 0, used = 0;
    if (!yn_guard_is_open(&stripe->guard) || atomic_load(&stripe->coming) != 0 || atomic_load(&stripe->going) != 0)
        return false;
    for (uint64_t i = 0; table != 0 && i <= yn_table_last(table); i++) {
        uint64_t word = atomic_load(yn_table_slot(dict, table, i));
        used += word != 0;
        count += word >= YN_WORD_LEAST;
        if (word >= YN_WORD_LEAST && !is_placed(dict, stripe, table, i))
            return false;
    }
    return count == atomic_load(&stripe->count) && used == atomic_load(&stripe->used) &&
           (table == 0 || used <= yn_table_last(table));
}

bool yn_dict_is_sound(yunta_dict *dict)
{
    for (uint64_t i = 0; i <= dict->mask; i++)
        if (!is_stripe_sound(dict, &dict->stripe[i]))
            return false;
    return true;
}
