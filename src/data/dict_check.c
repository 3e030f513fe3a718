/* Whether the invariants of a dict hold, for the tests.
 * Never repairs anything; nobody may be writing.
 * Next: data/README.md. */
#include "data/dict.h"

/* The node stands in its stripe, under its tag, with no empty word between its home and its place. */
static bool is_placed(yunta_dict *dict, yn_stripe_shared *stripe, uint64_t table, uint64_t place)
{
    const _Atomic uint64_t *words = yn_table_words(dict, table);
    uint64_t word = atomic_load(&words[place]), last = yn_table_last(table);
    yn_node_shared *node = yn_word_node(dict, word);
    yn_key key = yn_dict_key(dict, node->bytes, node->key_size);
    if (key.stripe != stripe || key.tag != yn_word_tag(word))
        return false;
    for (uint64_t i = yn_table_home(table, key.tag); i != place; i = (i + 1) & last)
        if (atomic_load(&words[i]) == 0)
            return false;
    return true;
}

static bool is_stripe_sound(yunta_dict *dict, yn_stripe_shared *stripe)
{
    uint64_t table = atomic_load(&stripe->table), count = 0, used = 0;
    if (!yn_guard_is_open(&stripe->guard) || atomic_load(&stripe->coming) != 0 || atomic_load(&stripe->going) != 0)
        return false;
    for (uint64_t i = 0; table != 0 && i <= yn_table_last(table); i++) {
        uint64_t word = atomic_load(&yn_table_words(dict, table)[i]);
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
