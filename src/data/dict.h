/* Inside a dict: stripes, each with a lock for its writers, a table of slots, and nodes. README.md has the invariants,
 * and why neither a death nor a reader without a lock can see half of anything.
 *
 * A few bits of a key's hash choose the stripe, its upper 30 bits are the tag. A table is an array of 2^n slots, looked
 * through four at a time, from the four on that the tag's upper bits say. A slot's word is 0 (never used), GONE (an
 * entry was there), or the tag and, below it, a node's place in the arena, in units of 32 bytes. So the table grows
 * without a look at a node, and in the order of the tags, which is also the order in which one iterates.
 *
 * Where all keys are of one size, and short, and all values are one word, entries need no nodes: they stand in their
 * slots, behind the word, whose place is then just not 0. And where the key has no more than 8 bytes, its hash can be
 * turned back into it: then the whole hash is the word, and the key. So four slots are one line of memory, and that
 * line is all that a look has to wait for. */
#ifndef YN_DICT_H
#define YN_DICT_H

#include "data/bytes.h"
#include "data/guard.h"

#include <yunta/dict.h>

#define YN_TAG_BITS 30u
#define YN_PLACE_BITS 34u
#define YN_WORD_GONE UINT64_C(1)
#define YN_WORD_IN_PLACE UINT64_C(2) /* this bit of a hash says no more than the stripe does */
#define YN_LOOK 4u                   /* slots looked at together */
#define YN_TABLE_LEAST 3u            /* log2 of the slots of the smallest table */
#define YN_STRIPES_MOST 65536u
#define YN_STRIPES_USUALLY 64u
#define YN_NODE_UNIT 32u
#define YN_TABLE_UNIT 64u
#define YN_KEY_BITS 25u /* of a node that say its key's size */
#define YN_KEY_MOST ((UINT64_C(1) << YN_KEY_BITS) - 1)
#define YN_KEY_IN_PLACE_MOST 24u /* bytes of a key that stands in its slot */

/* An entry is its key, up to a multiple of 8 bytes, and its value, likewise. Once in a table all of it stays as it is
 * until it is removed, but for a value of up to 8 bytes: that is one word, stored whole. */
typedef unsigned char yn_entry;

/* An entry with a place of its own. With a text of up to 16 bytes and a number it is half a line. */
typedef struct yn_node_shared {
    _Atomic uint64_t sizes; /* the value's << YN_KEY_BITS | the key's */
    yn_entry entry[];
} yn_node_shared;

/* What readers read stands apart from what writers write: a line that nobody writes is in all their caches. */
typedef struct yn_stripe_shared {
    _Atomic uint64_t version; /* raised after a node or a table has gone out of sight, before it is freed */
    _Atomic uint64_t table;   /* place in the arena, in units of 64 bytes, << 6 | log2 of the slots; 0: none */
    struct yunta_lock guard YN_ALIGNED(64);
    _Atomic uint64_t count;   /* entries. This and the rest are the owner's, or are checked against `changes` */
    _Atomic uint64_t used;    /* slots whose word is not 0 */
    _Atomic uint64_t changes; /* how often count, or the table, has changed */
    _Atomic uint64_t coming;  /* a table being built, as in `table`; 0: none */
    _Atomic uint64_t going;   /* one that is being replaced */
} YN_ALIGNED(64) yn_stripe_shared;
_Static_assert(sizeof(yn_stripe_shared) == 128, "a stripe is two lines");

/* Where entries stand. */
typedef enum yn_form {
    YN_IN_NODES,
    YN_IN_SLOTS, /* behind the word */
    YN_IN_WORDS  /* the word is the key, the value stands behind it */
} yn_form;

struct yunta_dict {
    uint64_t base; /* the arena's address */
    yn_hash_seed seed;
    size_t key_size, value_size;
    uint64_t mask; /* stripes - 1 */
    yn_form form;
    uint64_t stride; /* words of a slot: 1, or more where entries stand in their slots */
    uint64_t least;  /* log2 of the slots of a stripe's first table */
    yn_stripe_shared stripe[];
} YN_ALIGNED(64);

typedef struct yn_key {
    const void *bytes;
    size_t size;
    uint64_t word; /* as in its slot, where yn_told has a bit */
    yn_stripe_shared *stripe;
} yn_key;

/* The bits of a word that the key says. `form`, here and below: the dict's, asked once, or known to the compiler. */
static inline uint64_t yn_told(yn_form form)
{
    return form == YN_IN_WORDS ? UINT64_MAX : UINT64_MAX << YN_PLACE_BITS;
}

static inline uint64_t yn_stride(const yunta_dict *dict, yn_form form)
{
    return form == YN_IN_NODES ? 1 : form == YN_IN_WORDS ? 2 : dict->stride;
}

YN_ALWAYS_INLINE yn_key yn_dict_key(yunta_dict *dict, const void *bytes, size_t size, yn_form form)
{
    uint64_t hash = form == YN_IN_WORDS ? yn_hash_word(yn_load_short(bytes, size), &dict->seed)
                                        : yn_hash(bytes, size, dict->seed.start);
    return (yn_key){bytes, size, (hash | YN_WORD_IN_PLACE) & yn_told(form), &dict->stripe[(hash >> 1) & dict->mask]};
}

static inline size_t yn_padded(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

/* Words. */

static inline bool yn_word_is_entry(uint64_t word)
{
    return word > YN_WORD_GONE;
}

static inline uint64_t yn_word_tag(uint64_t word)
{
    return word >> YN_PLACE_BITS;
}

static inline yn_node_shared *yn_word_node(const yunta_dict *dict, uint64_t word)
{
    uint64_t place = word & ((UINT64_C(1) << YN_PLACE_BITS) - 1);
    return (yn_node_shared *)(uintptr_t)(dict->base + place * YN_NODE_UNIT);
}

/* `node`: NULL for an entry in its slot. */
static inline uint64_t yn_word_make(const yunta_dict *dict, const yn_node_shared *node, const yn_key *key)
{
    return key->word | (node ? ((uint64_t)(uintptr_t)node - dict->base) / YN_NODE_UNIT : YN_WORD_IN_PLACE);
}

/* Entries. */

/* Of the slot's word, which has been read. Where the word is the key, the entry begins with it. */
static inline yn_entry *yn_slot_entry(const yunta_dict *dict, const _Atomic uint64_t *slot, uint64_t word, yn_form form)
{
    return form == YN_IN_NODES ? yn_word_node(dict, word)->entry
                               : (yn_entry *)(uintptr_t)(slot + (form == YN_IN_SLOTS));
}

static inline const yn_node_shared *yn_entry_node(const yn_entry *entry)
{
    return (const yn_node_shared *)(const void *)(entry - offsetof(yn_node_shared, entry));
}

/* Of a node that may be freed at this moment: what they say then is not believed. */
static inline uint64_t yn_entry_sizes(const yn_entry *entry)
{
    return atomic_load_explicit(&yn_entry_node(entry)->sizes, memory_order_relaxed);
}

static inline uint64_t yn_entry_key_size(const yunta_dict *dict, const yn_entry *entry)
{
    return dict->key_size ? dict->key_size : yn_entry_sizes(entry) & YN_KEY_MOST;
}

static inline uint64_t yn_entry_value_size(const yunta_dict *dict, const yn_entry *entry)
{
    return dict->value_size ? dict->value_size : yn_entry_sizes(entry) >> YN_KEY_BITS;
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

/* The key of an entry found in that stripe, under that word. */
static inline void yn_entry_copy_key(const yunta_dict *dict, const yn_stripe_shared *stripe, const yn_entry *entry,
                                     uint64_t word, void *key, size_t size)
{
    uint64_t which = ((uint64_t)(stripe - dict->stripe) & 1) << 1;
    if (dict->form == YN_IN_WORDS)
        yn_store_short(key, size, yn_hash_undo((word & ~YN_WORD_IN_PLACE) | which, &dict->seed));
    else
        yn_bytes_copy(key, entry, size);
}

YN_ALWAYS_INLINE bool yn_entry_has_key(const yunta_dict *dict, const yn_entry *entry, const yn_key *key, yn_form form)
{
    return form == YN_IN_WORDS || ((form == YN_IN_SLOTS || yn_entry_key_size(dict, entry) == key->size) &&
                                   yn_bytes_equal(entry, key->bytes, key->size));
}

/* Tables. */

static inline _Atomic uint64_t *yn_table_slot_by(const yunta_dict *dict, uint64_t table, uint64_t place,
                                                 uint64_t stride)
{
    return (_Atomic uint64_t *)(uintptr_t)(dict->base + (table & ~UINT64_C(63))) + place * stride;
}

static inline _Atomic uint64_t *yn_table_slot(const yunta_dict *dict, uint64_t table, uint64_t place)
{
    return yn_table_slot_by(dict, table, place, dict->stride);
}

static inline unsigned yn_table_log2(uint64_t table)
{
    return (unsigned)(table & 63);
}

static inline uint64_t yn_table_last(uint64_t table)
{
    return (UINT64_C(1) << yn_table_log2(table)) - 1;
}

/* The first of the four slots from which on an entry of that word stands. */
static inline uint64_t yn_table_home(uint64_t table, uint64_t word)
{
    return word >> (64 - yn_table_log2(table)) & ~(uint64_t)(YN_LOOK - 1);
}

/* So many slots may be used: some stay empty, so that looks end. */
static inline uint64_t yn_table_room(unsigned log2)
{
    return (UINT64_C(1) << log2) / 8 * 7;
}

/* 1 if the word has what the key says, else 0, as a figure that the compiler cannot turn into a jump. */
YN_ALWAYS_INLINE uint64_t yn_word_is_like(uint64_t word, uint64_t wanted, yn_form form)
{
    uint64_t is_like = ((word ^ wanted) & yn_told(form)) == 0;
    __asm__("" : "+r"(is_like));
    return is_like;
}

/* Which of the four slots from `slot` on may have the key: a bit for each. They are compared without asking in between,
 * since nobody could foretell the answers. */
YN_ALWAYS_INLINE uint64_t yn_slots_compare(const yunta_dict *dict, const _Atomic uint64_t *slot, uint64_t word,
                                           yn_form form)
{
    uint64_t stride = yn_stride(dict, form);
    return yn_word_is_like(atomic_load_explicit(slot, memory_order_acquire), word, form) |
           yn_word_is_like(atomic_load_explicit(slot + stride, memory_order_acquire), word, form) << 1 |
           yn_word_is_like(atomic_load_explicit(slot + 2 * stride, memory_order_acquire), word, form) << 2 |
           yn_word_is_like(atomic_load_explicit(slot + 3 * stride, memory_order_acquire), word, form) << 3;
}

/* Whether one of the four has never been used: then nothing with its home here, or before, stands behind them. */
static inline bool yn_slots_end(const _Atomic uint64_t *slot, uint64_t stride)
{
    bool ends = false;
    for (size_t i = 0; i < YN_LOOK; i++)
        ends |= atomic_load_explicit(slot + i * stride, memory_order_acquire) == 0;
    return ends;
}

/* A walk through the slots that may have a key, by fours. */
typedef struct yn_walk {
    _Atomic uint64_t *slot; /* the first of the four */
    uint64_t found;         /* those of them that have not been asked for yet */
    uint64_t place, left;   /* of the first one; how many slots there are from it on */
} yn_walk;

YN_ALWAYS_INLINE void yn_walk_look(yn_walk *walk, const yunta_dict *dict, uint64_t table, const yn_key *key,
                                   yn_form form)
{
    walk->slot = yn_table_slot_by(dict, table, walk->place, yn_stride(dict, form));
    walk->found = yn_slots_compare(dict, walk->slot, key->word, form);
}

YN_ALWAYS_INLINE yn_walk yn_walk_begin(const yunta_dict *dict, uint64_t table, const yn_key *key, yn_form form)
{
    yn_walk walk = {.place = yn_table_home(table, key->word), .left = yn_table_last(table) + 1};
    yn_walk_look(&walk, dict, table, key, form);
    return walk;
}

/* The next such slot, or NULL. */
YN_ALWAYS_INLINE _Atomic uint64_t *yn_walk_next(yn_walk *walk, const yunta_dict *dict, uint64_t table,
                                                const yn_key *key, yn_form form)
{
    while (YN_UNLIKELY(walk->found == 0)) {
        walk->left -= YN_LOOK;
        if (walk->left == 0 || yn_slots_end(walk->slot, yn_stride(dict, form)))
            return NULL;
        walk->place = (walk->place + YN_LOOK) & yn_table_last(table);
        yn_walk_look(walk, dict, table, key, form);
    }
    uint64_t i = (uint64_t)__builtin_ctzll(walk->found);
    walk->found &= walk->found - 1;
    return walk->slot + i * yn_stride(dict, form);
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

/* The slot of a key, or NULL. By the guard's owner, as all that follows here. */
YN_ALWAYS_INLINE _Atomic uint64_t *yn_stripe_find(yunta_dict *dict, const yn_key *key, yn_form form)
{
    uint64_t table = atomic_load_explicit(&key->stripe->table, memory_order_relaxed);
    if (table == 0)
        return NULL;
    yn_walk walk = yn_walk_begin(dict, table, key, form);
    for (_Atomic uint64_t *slot; (slot = yn_walk_next(&walk, dict, table, key, form)) != NULL;) {
        uint64_t word = atomic_load_explicit(slot, memory_order_relaxed);
        if (yn_word_is_entry(word) && yn_entry_has_key(dict, yn_slot_entry(dict, slot, word, form), key, form))
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
