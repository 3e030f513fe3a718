/* Whether the invariants of a dict hold, for the tests.
 * Never repairs anything; nobody may be writing.
 * Next: data/README.md. */
#include "data/dict.h"

/* The entry stands in its stripe, under its tag, with no empty word between its home and its place. */
static bool is_placed(yunta_dict *dict, yn_stripe_shared *stripe, uint64_t table, uint64_t place)
{
    const _Atomic uint64_t *slot = yn_table_slot(dict, table, place);
    uint64_t word = atomic_load(slot), last = yn_table_last(table);
    const yn_entry *entry = yn_slot_entry(dict, slot, word, dict->form);
    size_t size = yn_entry_key_size(dict, entry);
    unsigned char had_back[8];
    if (dict->form == YN_IN_WORDS)
        yn_entry_copy_key(dict, stripe, entry, word, had_back, size);
    yn_key key = yn_dict_key(dict, dict->form == YN_IN_WORDS ? had_back : entry, size, dict->form);
    if (key.stripe != stripe || ((key.word ^ word) & yn_told(dict->form)) != 0)
        return false;
    for (uint64_t i = yn_table_home(table, word); i != place; i = (i + 1) & last)
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
        count += yn_word_is_entry(word);
        if (yn_word_is_entry(word) && !is_placed(dict, stripe, table, i))
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
