/* Inside a dict: stripes, each with a lock for its writers, a table of slots, and nodes. README.md has the invariants,
 * and why neither a death nor a reader without a lock can see half of anything.
 *
 * The low bits of a key's hash choose the stripe, its upper 31 bits are the tag. A table is an array of 2^n slots,
 * probed one after the other from the place that the tag's upper n bits say. A slot's word is 0 (never used), GONE (an
 * entry was there), or the entry's tag with a node's place in the arena, in units of 64 bytes. So the table grows
 * without a look at a node, and in the order of the tags, which is also the order in which one iterates.
 *
 * Where all keys are of one size, and short, and all values are one word, entries need no nodes: they stand in their
 * slots, behind the word, whose place is then just not 0. That is one line of memory to wait for instead of two. */
#ifndef YN_DICT_H
#define YN_DICT_H

#include "data/bytes.h"
#include "data/guard.h"

#include <yunta/dict.h>

#define YN_TAG_BITS 31u
#define YN_WORD_GONE UINT64_C(1)
#define YN_WORD_LEAST (UINT64_C(1) << YN_TAG_BITS) /* words below hold no node */
#define YN_TABLE_LEAST 3u                          /* log2 of the slots of the smallest table */
#define YN_STRIPES_MOST 65536u
#define YN_STRIPES_USUALLY 64u
#define YN_NODE_UNIT 64u
#define YN_KEY_IN_PLACE_MOST 24u /* bytes of a key that stands in its slot */

/* An entry is its key, up to a multiple of 8 bytes, and its value, likewise. Once in a table all of it stays as it is
 * until it is removed, but for a value of up to 8 bytes: that is one word, stored whole. */
typedef unsigned char yn_entry;

/* An entry with a place of its own. */
typedef struct yn_node_shared {
    uint64_t key_size;
    uint64_t value_size;
    yn_entry entry[];
} yn_node_shared;

typedef struct yn_stripe_shared {
    struct yunta_lock guard;
    _Atomic uint64_t version; /* raised after a node or a table has gone out of sight, before it is freed */
    _Atomic uint64_t table;   /* place in the arena, in units of 64 bytes, << 6 | log2 of the slots; 0: none */
    _Atomic uint64_t count;   /* entries. This and the rest are the owner's, or are checked against `changes` */
    _Atomic uint64_t used;    /* slots whose word is not 0 */
    _Atomic uint64_t changes; /* how often count, or the table, has changed */
    _Atomic uint64_t coming;  /* a table being built, as in `table`; 0: none */
    _Atomic uint64_t going;   /* one that is being replaced */
} YN_ALIGNED(64) yn_stripe_shared;
_Static_assert(sizeof(yn_stripe_shared) == 64, "a stripe is a line");

struct yunta_dict {
    uint64_t base; /* the arena's address */
    uint64_t seed;
    size_t key_size, value_size;
    uint64_t mask;   /* stripes - 1 */
    uint64_t least;  /* log2 of the slots of a stripe's first table */
    uint64_t stride; /* words of a slot: 1, or more where entries stand in their slots */
    yn_stripe_shared stripe[];
} YN_ALIGNED(64);

typedef struct yn_key {
    const void *bytes;
    size_t size;
    uint64_t tag;
    yn_stripe_shared *stripe;
} yn_key;

static inline yn_key yn_dict_key(yunta_dict *dict, const void *bytes, size_t size)
{
    uint64_t hash = yn_hash(bytes, size, dict->seed);
    return (yn_key){bytes, size, hash >> (64 - YN_TAG_BITS), &dict->stripe[hash & dict->mask]};
}

static inline size_t yn_padded(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static inline bool yn_dict_in_place(const yunta_dict *dict)
{
    return dict->stride != 1;
}

/* What may be freed at this moment: read as it is, once. */
YN_RACES_INLINE uint64_t yn_glance(const uint64_t *figure)
{
    return *(const volatile uint64_t *)figure;
}

static inline yn_node_shared *yn_word_node(const yunta_dict *dict, uint64_t word)
{
    return (yn_node_shared *)(uintptr_t)(dict->base + (word >> YN_TAG_BITS) * YN_NODE_UNIT);
}

/* Of the slot's word, which has been read. `in_place`, here and below: yn_dict_in_place, asked once. */
static inline yn_entry *yn_slot_entry(const yunta_dict *dict, const _Atomic uint64_t *slot, uint64_t word,
                                      bool in_place)
{
    return in_place ? (yn_entry *)(uintptr_t)(slot + 1) : yn_word_node(dict, word)->entry;
}

static inline const yn_node_shared *yn_entry_node(const yn_entry *entry)
{
    return (const yn_node_shared *)(const void *)(entry - offsetof(yn_node_shared, entry));
}

static inline uint64_t yn_entry_key_size(const yunta_dict *dict, const yn_entry *entry)
{
    return dict->key_size ? dict->key_size : yn_glance(&yn_entry_node(entry)->key_size);
}

static inline uint64_t yn_entry_value_size(const yunta_dict *dict, const yn_entry *entry)
{
    return dict->value_size ? dict->value_size : yn_glance(&yn_entry_node(entry)->value_size);
}

static inline yn_entry *yn_entry_value(yn_entry *entry, size_t key_size)
{
    return entry + yn_padded(key_size);
}

/* A value of up to 8 bytes. */
static inline _Atomic uint64_t *yn_entry_word(yn_entry *entry, size_t key_size)
{
    return (_Atomic uint64_t *)(void *)yn_entry_value(entry, key_size);
}

static inline uint64_t yn_word_tag(uint64_t word)
{
    return word & (YN_WORD_LEAST - 1);
}

/* `node`: NULL for an entry in its slot. */
static inline uint64_t yn_word_make(const yunta_dict *dict, const yn_node_shared *node, uint64_t tag)
{
    return (node ? ((uint64_t)(uintptr_t)node - dict->base) / YN_NODE_UNIT << YN_TAG_BITS : YN_WORD_LEAST) | tag;
}

static inline _Atomic uint64_t *yn_table_slot(const yunta_dict *dict, uint64_t table, uint64_t place)
{
    return (_Atomic uint64_t *)(uintptr_t)(dict->base + (table & ~UINT64_C(63))) + place * dict->stride;
}

static inline unsigned yn_table_log2(uint64_t table)
{
    return (unsigned)(table & 63);
}

static inline uint64_t yn_table_home(uint64_t table, uint64_t tag)
{
    return tag >> (YN_TAG_BITS - yn_table_log2(table));
}

static inline uint64_t yn_table_last(uint64_t table)
{
    return (UINT64_C(1) << yn_table_log2(table)) - 1;
}

static inline uint64_t yn_slot_has_tag(const _Atomic uint64_t *slot, uint64_t tag)
{
    return (atomic_load_explicit(slot, memory_order_relaxed) ^ tag) << (64 - YN_TAG_BITS) == 0;
}

/* How far from its home a tag may stand: where a walk through its slots can begin. Looks at four words without asking
 * in between, since nobody could foretell the answers; 0 if it is in none of them. */
static inline uint64_t yn_table_distance(const yunta_dict *dict, uint64_t table, uint64_t home, uint64_t tag)
{
    uint64_t stride = dict->stride, last = yn_table_last(table), first = home < last - 3 ? home : last - 3;
    const _Atomic uint64_t *slot = yn_table_slot(dict, table, first);
    uint64_t is_it = yn_slot_has_tag(slot, tag) | yn_slot_has_tag(slot + stride, tag) << 1 |
                     yn_slot_has_tag(slot + 2 * stride, tag) << 2 | yn_slot_has_tag(slot + 3 * stride, tag) << 3;
    return is_it ? (first + (uint64_t)__builtin_ctzll(is_it) - home) & last : 0;
}

enum { YN_DICT_FULL = 1 }; /* said by who has the guard: the table has to grow first */

/* Puts right what a dead owner of the guard has left. */
void yn_stripe_repair(yn_self *me, void *dict_and_stripe);
typedef struct yn_stripe_of {
    yunta_dict *dict;
    yn_stripe_shared *stripe;
} yn_stripe_of;

static inline int yn_stripe_enter(yn_self *me, yunta_dict *dict, yn_stripe_shared *stripe)
{
    yn_stripe_of what = {dict, stripe};
    return yn_guard_enter(me, &stripe->guard, yn_stripe_repair, &what);
}

static inline void yn_stripe_leave(yn_self *me, yn_stripe_shared *stripe)
{
    yn_guard_leave(me, &stripe->guard);
}

static inline bool yn_entry_has_key(const yunta_dict *dict, const yn_entry *entry, const yn_key *key, bool in_place)
{
    return (in_place || yn_entry_key_size(dict, entry) == key->size) && yn_bytes_equal(entry, key->bytes, key->size);
}

/* The slot of a key, or NULL. By the guard's owner, as all that follows here. */
static inline _Atomic uint64_t *yn_stripe_find(yunta_dict *dict, const yn_key *key, bool in_place)
{
    uint64_t table = atomic_load_explicit(&key->stripe->table, memory_order_relaxed), word = 1;
    if (table == 0)
        return NULL;
    uint64_t last = yn_table_last(table), home = yn_table_home(table, key->tag);
    for (uint64_t n = yn_table_distance(dict, table, home, key->tag); n <= last && word != 0; n++) {
        _Atomic uint64_t *slot = yn_table_slot(dict, table, (home + n) & last);
        word = atomic_load_explicit(slot, memory_order_relaxed);
        if (yn_word_tag(word) == key->tag && word >= YN_WORD_LEAST &&
            yn_entry_has_key(dict, yn_slot_entry(dict, slot, word, in_place), key, in_place))
            return slot;
    }
    return NULL;
}

/* The slot in which a key that is not there can be put. The table is not full. */
_Atomic uint64_t *yn_stripe_room(yunta_dict *dict, const yn_key *key);

/* Fills a slot got from yn_stripe_room: by a node, or, if that is NULL, by the entry that has been written into it. */
void yn_stripe_insert(yunta_dict *dict, const yn_key *key, _Atomic uint64_t *room, const yn_node_shared *node);

/* Puts another node in the place of one, and frees that. */
void yn_stripe_exchange(yn_self *me, yunta_dict *dict, const yn_key *key, _Atomic uint64_t *slot,
                        const yn_node_shared *node);

/* Takes an entry out and frees it. */
void yn_stripe_remove(yn_self *me, yunta_dict *dict, yn_stripe_shared *stripe, _Atomic uint64_t *slot);

/* Whether the table has become too small, or far too large. */
bool yn_stripe_is_full(yn_stripe_shared *stripe);
bool yn_stripe_is_sparse(const yunta_dict *dict, yn_stripe_shared *stripe);

/* Gives the stripe a table that fits. The guard is left and entered again meanwhile: look anew. 0 or -ENOMEM, and then
 * the guard is left. */
int yn_stripe_resize(yn_self *me, yunta_dict *dict, yn_stripe_shared *stripe);

/* Drops the table of a stripe with no entries. */
void yn_stripe_drop_table(yn_self *me, yunta_dict *dict, yn_stripe_shared *stripe);

/* The calls of <yunta/dict.h>, by a member of any team. */
int yn_dict_create(yn_self *me, yunta_dict **dict, const yunta_dict_options *options);
void yn_dict_destroy(yn_self *me, yunta_dict *dict);

typedef enum yn_put_how { YN_PUT_ANY, YN_PUT_NEW, YN_PUT_IF_EQUAL } yn_put_how;
typedef struct yn_put {
    yn_put_how how;
    const void *value;
    size_t size;
    const void *expected; /* IF_EQUAL */
    size_t expected_size;
} yn_put;
int yn_dict_put(yn_self *me, yunta_dict *dict, const void *key, size_t key_size, const yn_put *put);
int yn_dict_get(yunta_dict *dict, const void *key, size_t key_size, void *buffer, size_t capacity, size_t *size);

/* `expected`: only if it has that value (else -EAGAIN); else into the buffer, unless `size` is NULL. */
int yn_dict_pop(yn_self *me, yunta_dict *dict, const void *key, size_t key_size, const yn_put *expected, void *buffer,
                size_t capacity, size_t *size);
int yn_dict_add(yn_self *me, yunta_dict *dict, const void *key, size_t key_size, int64_t amount, int64_t *sum);
int yn_dict_size(yn_self *me, yunta_dict *dict, uint64_t *size);
int yn_dict_clear(yn_self *me, yunta_dict *dict);

/* Whether all invariants hold of a dict that nobody is using, and whose last writers did not die over it. */
bool yn_dict_is_sound(yunta_dict *dict);

#endif
