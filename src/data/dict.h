/* Inside a dict: stripes, each with a lock for its writers, a table of words, and nodes. README.md has the invariants,
 * and why neither a death nor a reader without a lock can see half of anything.
 *
 * The low bits of a key's hash choose the stripe, its upper 31 bits are the tag. A table is an array of 2^n words,
 * probed one after the other from the place that the tag's upper n bits say. A word is 0 (never used), GONE (an entry
 * was there), or a node's place in the arena, in units of 64 bytes, with the tag. So the table grows without a look at
 * a node, and in the order of the tags, which is also the order in which one iterates. */
#ifndef YN_DICT_H
#define YN_DICT_H

#include "data/bytes.h"
#include "data/guard.h"

#include <yunta/dict.h>

#define YN_TAG_BITS 31u
#define YN_WORD_GONE UINT64_C(1)
#define YN_WORD_LEAST (UINT64_C(1) << YN_TAG_BITS) /* words below hold no node */
#define YN_TABLE_LEAST 3u                          /* log2 of the words of the smallest table: a line */
#define YN_STRIPES_MOST 65536u
#define YN_STRIPES_USUALLY 64u
#define YN_NODE_UNIT 64u

/* A key with its value. Once in a table all of it stays as it is until it is freed, but for a value of up to 8 bytes:
 * that is one word, stored whole. */
typedef struct yn_node_shared {
    uint64_t key_size;
    uint64_t value_size;
    unsigned char bytes[]; /* the key, up to a multiple of 8; the value, likewise */
} yn_node_shared;

typedef struct yn_stripe_shared {
    struct yunta_lock guard;
    _Atomic uint64_t version; /* raised after a node or a table has gone out of sight, before it is freed */
    _Atomic uint64_t table;   /* place in the arena, in units of 64 bytes, << 6 | log2 of the words; 0: none */
    _Atomic uint64_t count;   /* entries. This and the rest are the owner's, or are checked against `changes` */
    _Atomic uint64_t used;    /* words that are not 0 */
    _Atomic uint64_t changes; /* how often count, or the table, has changed */
    _Atomic uint64_t coming;  /* a table being built, as in `table`; 0: none */
    _Atomic uint64_t going;   /* one that is being replaced */
} YN_ALIGNED(64) yn_stripe_shared;
_Static_assert(sizeof(yn_stripe_shared) == 64, "a stripe is a line");

struct yunta_dict {
    uint64_t base; /* the arena's address */
    uint64_t seed;
    size_t key_size, value_size;
    uint64_t mask;  /* stripes - 1 */
    uint64_t least; /* log2 of the words of a stripe's first table */
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

static inline unsigned char *yn_node_value(yn_node_shared *node, size_t key_size)
{
    return node->bytes + yn_padded(key_size);
}

static inline _Atomic uint64_t *yn_node_word(yn_node_shared *node, size_t key_size)
{
    return (_Atomic uint64_t *)(void *)yn_node_value(node, key_size);
}

static inline yn_node_shared *yn_word_node(const yunta_dict *dict, uint64_t word)
{
    return (yn_node_shared *)(uintptr_t)(dict->base + (word >> YN_TAG_BITS) * YN_NODE_UNIT);
}

static inline uint64_t yn_word_tag(uint64_t word)
{
    return word & (YN_WORD_LEAST - 1);
}

static inline uint64_t yn_word_make(const yunta_dict *dict, const yn_node_shared *node, uint64_t tag)
{
    return ((uint64_t)(uintptr_t)node - dict->base) / YN_NODE_UNIT << YN_TAG_BITS | tag;
}

static inline _Atomic uint64_t *yn_table_words(const yunta_dict *dict, uint64_t table)
{
    return (_Atomic uint64_t *)(uintptr_t)(dict->base + (table >> 6) * YN_NODE_UNIT);
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

/* Of a reader without the guard, before it takes it: each failure means that somebody else has gone on. */
enum { YN_DICT_TRIES = 100, YN_DICT_AGAIN = 1 /* something was freed meanwhile */ };

/* What may be freed at this moment: read as it is, once. */
YN_RACES_INLINE uint64_t yn_glance(const uint64_t *figure)
{
    return *(const volatile uint64_t *)figure;
}

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

/* For a reader. -ETIMEDOUT: it is to look again without. */
static inline int yn_stripe_enter_soon(yn_self *me, yunta_dict *dict, yn_stripe_shared *stripe)
{
    yn_stripe_of what = {dict, stripe};
    return yn_guard_enter_by(me, &stripe->guard, yn_deadline_in(YN_READER_WAITS_MS), yn_stripe_repair, &what);
}

static inline void yn_stripe_leave(yn_self *me, yn_stripe_shared *stripe)
{
    yn_guard_leave(me, &stripe->guard);
}

/* The word of a key, or NULL. By the guard's owner, as all that follows here. If `room`, then *room becomes the word in
 * which it can be put when it is not there; NULL: there is none. */
_Atomic uint64_t *yn_stripe_find(yunta_dict *dict, const yn_key *key, _Atomic uint64_t **room);

/* Fills a word from `room` above with a node. */
void yn_stripe_insert(yunta_dict *dict, const yn_key *key, _Atomic uint64_t *room, const yn_node_shared *node);

/* Puts another node in the place of one, and frees that. */
void yn_stripe_exchange(yn_self *me, yunta_dict *dict, const yn_key *key, _Atomic uint64_t *word,
                        const yn_node_shared *node);

/* Takes an entry out and frees it. */
void yn_stripe_remove(yn_self *me, yunta_dict *dict, yn_stripe_shared *stripe, _Atomic uint64_t *word);

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
