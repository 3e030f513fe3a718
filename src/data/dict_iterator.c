/* Going through a dict, stripe by stripe, and in each in the order of the tags: so it does not matter what a table
 * looks like by then. Never keeps a pointer into the dict from one call to the next; never writes to it. Next:
 * data/dict.c, how readers do without a guard. */
#include "data/dict.h"

#include <stdlib.h>

#define TAG_END (UINT64_C(1) << YN_TAG_BITS)

/* Private memory. Entries of one stripe with the same tag, of which there is nearly always one, are copied together. */
struct yunta_dict_iterator {
    yunta_dict *dict;
    uint64_t stripe, tag; /* all stripes below it are done; in it, all tags below */
    unsigned char *group; /* entries copied: each a `head`, its key, its value */
    size_t room, used, at;
};

typedef struct head {
    size_t key_size, value_size;
} head;

#define ALIGNMENT _Alignof(max_align_t)

static size_t bytes_of(size_t key_size, size_t value_size)
{
    return yn_round_up(sizeof(head), ALIGNMENT) + yn_round_up(key_size, ALIGNMENT) + yn_round_up(value_size, ALIGNMENT);
}

static unsigned char *key_of(unsigned char *entry)
{
    return entry + yn_round_up(sizeof(head), ALIGNMENT);
}

/* Whether a word found at place `i` is a node's of a tag that is wanted, and better than the best so far. One whose
 * home lies behind it has come round from the end of the table. */
static bool is_better(const yunta_dict_iterator *it, uint64_t table, uint64_t word, uint64_t i, bool round,
                      uint64_t best)
{
    uint64_t tag = yn_word_tag(word);
    return yn_word_is_entry(word) && tag >= it->tag && tag < best && (yn_table_home(table, word) > i) == round;
}

/* The lowest tag from it->tag on that the table holds; TAG_END: none. What is freed meanwhile shows in the version. */
static uint64_t next_tag(yunta_dict_iterator *it, uint64_t table)
{
    uint64_t best = TAG_END, last = yn_table_last(table);
    for (uint64_t i = yn_table_home(table, it->tag << YN_PLACE_BITS); i <= last; i++) {
        uint64_t word = atomic_load_explicit(yn_table_slot(it->dict, table, i), memory_order_acquire);
        if (word == 0 && best != TAG_END)
            return best; /* what has its home before an empty word stands before it */
        if (is_better(it, table, word, i, false, best))
            best = yn_word_tag(word);
    }
    for (uint64_t i = 0; i <= last; i++) {
        uint64_t word = atomic_load_explicit(yn_table_slot(it->dict, table, i), memory_order_acquire);
        if (word == 0)
            break;
        if (is_better(it, table, word, i, true, best))
            best = yn_word_tag(word);
    }
    return best;
}

static int make_room(yunta_dict_iterator *it, size_t more)
{
    if (it->used + more <= it->room)
        return 0;
    size_t room = it->used + more + it->room;
    unsigned char *group = realloc(it->group, room);
    if (!group)
        return -ENOMEM;
    it->group = group;
    it->room = room;
    return 0;
}

static int copy_entry(yunta_dict_iterator *it, yn_stripe_shared *stripe, uint64_t version, uint64_t word,
                      yn_entry *entry)
{
    head sizes = {yn_entry_key_size(it->dict, entry), yn_entry_value_size(it->dict, entry)};
    if (!yn_version_holds(&stripe->version, version))
        return YN_OVERTAKEN;
    int r = make_room(it, bytes_of(sizes.key_size, sizes.value_size));
    if (r != 0)
        return r;
    unsigned char *key = key_of(it->group + it->used);
    unsigned char *value = key + yn_round_up(sizes.key_size, ALIGNMENT);
    memcpy(it->group + it->used, &sizes, sizeof sizes);
    yn_entry_copy_key(it->dict, stripe, entry, word, key, sizes.key_size);
    if (sizes.value_size > 8) {
        yn_bytes_copy(value, yn_entry_value(entry, sizes.key_size), sizes.value_size);
    } else if (sizes.value_size > 0) {
        uint64_t whole = atomic_load_explicit(yn_entry_word(entry, sizes.key_size), memory_order_acquire);
        yn_bytes_copy(value, &whole, sizes.value_size);
    }
    it->used += bytes_of(sizes.key_size, sizes.value_size);
    return 0;
}

static int copy_tag(yunta_dict_iterator *it, yn_stripe_shared *stripe, uint64_t version, uint64_t table, uint64_t tag)
{
    uint64_t last = yn_table_last(table), i = yn_table_home(table, tag << YN_PLACE_BITS);
    for (uint64_t n = 0; n <= last; n++, i = (i + 1) & last) {
        const _Atomic uint64_t *slot = yn_table_slot(it->dict, table, i);
        uint64_t word = atomic_load_explicit(slot, memory_order_acquire);
        if (word == 0)
            break;
        if (!yn_word_is_entry(word) || yn_word_tag(word) != tag)
            continue;
        if (!yn_version_holds(&stripe->version, version))
            return YN_OVERTAKEN;
        int r = copy_entry(it, stripe, version, word, yn_slot_entry(it->dict, slot, word, it->dict->form));
        if (r != 0)
            return r;
    }
    return yn_version_holds(&stripe->version, version) ? 0 : YN_OVERTAKEN;
}

/* Copies what the stripe has of the next tag, or nothing: then it has no more. 0, YN_OVERTAKEN or -ENOMEM. */
static int gather(void *iterator)
{
    yunta_dict_iterator *it = iterator;
    yn_stripe_shared *stripe = &it->dict->stripe[it->stripe];
    uint64_t version = yn_version_read(&stripe->version);
    uint64_t table = atomic_load_explicit(&stripe->table, memory_order_acquire);
    it->used = it->at = 0;
    if (table == 0)
        it->tag = TAG_END;
    if (it->tag == TAG_END)
        return 0;
    uint64_t tag = next_tag(it, table);
    if (!yn_version_holds(&stripe->version, version))
        return YN_OVERTAKEN;
    int r = tag == TAG_END ? 0 : copy_tag(it, stripe, version, table, tag);
    if (r == 0)
        it->tag = tag + (tag != TAG_END);
    return r;
}

static void repair_gathered(yn_self *me, void *iterator)
{
    yunta_dict_iterator *it = iterator;
    yn_stripe_repair(me, &(yn_stripe_of){it->dict, &it->dict->stripe[it->stripe]});
}

int yunta_dict_iterate(yunta_dict_iterator **iterator, yunta_dict *dict)
{
    if (!iterator || !dict)
        return -EINVAL;
    yunta_dict_iterator *it = calloc(1, sizeof *it);
    if (!it)
        return -ENOMEM;
    it->dict = dict;
    *iterator = it;
    return 0;
}

int yunta_dict_next(yunta_dict_iterator *iterator, yunta_dict_entry *entry)
{
    yunta_dict_iterator *it = iterator;
    if (!it || !entry)
        return -EINVAL;
    while (it->at == it->used) {
        if (it->stripe > it->dict->mask)
            return 0;
        int r = yn_look_until(gather, it, &it->dict->stripe[it->stripe].guard, repair_gathered);
        if (r != 0)
            return r;
        if (it->used == 0 && it->tag == TAG_END) { /* else the tag's last entry went while it was looked for */
            it->stripe++;
            it->tag = 0;
        }
    }
    head sizes;
    memcpy(&sizes, it->group + it->at, sizeof sizes);
    entry->key = key_of(it->group + it->at);
    entry->key_size = sizes.key_size;
    entry->value = key_of(it->group + it->at) + yn_round_up(sizes.key_size, ALIGNMENT);
    entry->value_size = sizes.value_size;
    it->at += bytes_of(sizes.key_size, sizes.value_size);
    return 1;
}

yunta_dict_iterator *yunta_dict_iterator_destroy(yunta_dict_iterator *iterator)
{
    if (iterator)
        free(iterator->group);
    free(iterator);
    return NULL;
}
