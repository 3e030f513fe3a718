/* The dict's entries: put, get, pop, add.
 * Never lets a reader wait; never holds a guard while a caller's function runs, or for longer than it takes to change
 * one entry. Next: data/dict_stripe.c; data/dict_whole.c, what concerns all entries; data/dict_update.c. */
#include "data/dict.h"
#include "shm/heap.h"

enum {
    AT_ONCE = 256 /* larger nodes are made before the guard is taken */
};

static inline bool is_key_size(const yunta_dict *dict, size_t size)
{
    return dict->key_size == 0 || dict->key_size == size;
}

static inline bool is_value_size(const yunta_dict *dict, size_t size)
{
    return dict->value_size == 0 || dict->value_size == size;
}

/* Readers without a guard. */

/* A node found under the key's tag. -ENOENT: it is another key's. YN_DICT_AGAIN: something was freed since. Sizes are
 * believed only if the version still holds after they were read: else they could lead out of the arena. */
static inline int read_node(yunta_dict *dict, const yn_key *key, uint64_t version, yn_node_shared *node, void *buffer,
                            size_t capacity, size_t *size)
{
    const _Atomic uint64_t *now = &key->stripe->version;
    uint64_t value_size = dict->value_size;
    if (dict->key_size == 0 && yn_glance(&node->key_size) != key->size)
        return -ENOENT;
    if (value_size == 0)
        value_size = yn_glance(&node->value_size);
    if (!yn_version_holds(now, version))
        return YN_DICT_AGAIN;
    if (!yn_bytes_equal(node->bytes, key->bytes, key->size))
        return -ENOENT;
    if (value_size <= capacity && value_size > 8) {
        yn_bytes_copy(buffer, yn_node_value(node, key->size), value_size);
        atomic_signal_fence(memory_order_seq_cst);
    } else if (value_size <= capacity && value_size > 0) {
        uint64_t word = atomic_load_explicit(yn_node_word(node, key->size), memory_order_acquire);
        if (!yn_version_holds(now, version))
            return YN_DICT_AGAIN;
        yn_bytes_copy(buffer, &word, value_size);
    }
    if (!yn_version_holds(now, version))
        return YN_DICT_AGAIN;
    if (size)
        *size = value_size;
    return value_size <= capacity ? 0 : -EMSGSIZE;
}

static inline int look(yunta_dict *dict, const yn_key *key, void *buffer, size_t capacity, size_t *size)
{
    const _Atomic uint64_t *now = &key->stripe->version;
    uint64_t version = yn_version_read(now);
    uint64_t table = atomic_load_explicit(&key->stripe->table, memory_order_acquire);
    if (table == 0)
        return -ENOENT;
    const _Atomic uint64_t *words = yn_table_words(dict, table);
    uint64_t last = yn_table_last(table), i = yn_table_home(table, key->tag);
    for (uint64_t n = 0; n <= last; n++, i = (i + 1) & last) {
        uint64_t word = atomic_load_explicit(&words[i], memory_order_acquire);
        if (word == 0)
            break;
        if (yn_word_tag(word) != key->tag || word < YN_WORD_LEAST)
            continue;
        if (YN_UNLIKELY(!yn_version_holds(now, version))) /* else the word may be no place of a node */
            return YN_DICT_AGAIN;
        int r = read_node(dict, key, version, yn_word_node(dict, word), buffer, capacity, size);
        if (r != -ENOENT)
            return r;
    }
    return yn_version_holds(now, version) ? -ENOENT : YN_DICT_AGAIN;
}

/* Writers have been faster too often. */
static YN_NOINLINE int get_guarded(yunta_dict *dict, const yn_key *key, void *buffer, size_t capacity, size_t *size)
{
    int r;
    yn_self *me = yn_self_get(&r);
    if (!me)
        return r;
    r = yn_stripe_enter_soon(me, dict, key->stripe);
    if (r != 0)
        return r == -ETIMEDOUT ? YN_DICT_AGAIN : r;
    r = look(dict, key, buffer, capacity, size);
    yn_stripe_leave(me, key->stripe);
    return r;
}

int yn_dict_get(yunta_dict *dict, const void *key, size_t key_size, void *buffer, size_t capacity, size_t *size)
{
    if (YN_UNLIKELY(!is_key_size(dict, key_size)))
        return -EINVAL;
    yn_key k = yn_dict_key(dict, key, key_size);
    int r = YN_DICT_AGAIN;
    while (r == YN_DICT_AGAIN) {
        for (int i = 0; i < YN_DICT_TRIES; i++) {
            r = look(dict, &k, buffer, capacity, size);
            if (YN_LIKELY(r != YN_DICT_AGAIN))
                return r;
        }
        r = get_guarded(dict, &k, buffer, capacity, size);
    }
    return r;
}

/* Writers. */

static inline size_t node_bytes(size_t key_size, size_t value_size)
{
    return sizeof(yn_node_shared) + yn_padded(key_size) + yn_padded(value_size);
}

static yn_node_shared *make_node(yn_self *me, const yn_key *key, const void *value, size_t size)
{
    if (size > YN_ARENA_MOST || key->size > YN_ARENA_MOST)
        return NULL;
    yn_node_shared *node = yn_heap_alloc(me, node_bytes(key->size, size), YN_NODE_UNIT);
    if (!node)
        return NULL;
    node->key_size = key->size;
    node->value_size = size;
    yn_bytes_copy(node->bytes, key->bytes, key->size);
    if (size > 8) {
        yn_bytes_copy(yn_node_value(node, key->size), value, size);
    } else if (size > 0) {
        uint64_t word = 0;
        yn_bytes_copy(&word, value, size);
        atomic_store_explicit(yn_node_word(node, key->size), word, memory_order_relaxed);
    }
    return node;
}

static bool has_value(yn_node_shared *node, const void *value, size_t size)
{
    return node->value_size == size && yn_bytes_equal(yn_node_value(node, node->key_size), value, size);
}

/* With the guard; *node is one that has been made already, or NULL, and is NULL when it has been used. 0, an error, or
 * YN_DICT_AGAIN: the table is full. */
static int put_guarded(yn_self *me, yunta_dict *dict, const yn_key *key, const yn_put *put, yn_node_shared **node)
{
    _Atomic uint64_t *room, *word = yn_stripe_find(dict, key, &room);
    if (word) {
        yn_node_shared *old = yn_word_node(dict, atomic_load_explicit(word, memory_order_relaxed));
        if (put->how == YN_PUT_NEW)
            return -EEXIST;
        if (put->how == YN_PUT_IF_EQUAL && !has_value(old, put->expected, put->expected_size))
            return -EAGAIN;
        if (put->size <= 8 && old->value_size == put->size) {
            uint64_t value = 0;
            yn_bytes_copy(&value, put->value, put->size);
            if (put->size > 0)
                atomic_store_explicit(yn_node_word(old, key->size), value, memory_order_release);
            return 0;
        }
    } else if (put->how == YN_PUT_IF_EQUAL) {
        return -ENOENT;
    } else if (YN_UNLIKELY(yn_stripe_is_full(key->stripe))) {
        return YN_DICT_AGAIN;
    }
    yn_node_shared *fresh = *node ? *node : make_node(me, key, put->value, put->size);
    if (!fresh)
        return -ENOMEM;
    if (word)
        yn_stripe_exchange(me, dict, key, word, fresh);
    else
        yn_stripe_insert(dict, key, room, fresh);
    *node = NULL;
    return 0;
}

int yn_dict_put(yn_self *me, yunta_dict *dict, const void *key, size_t key_size, const yn_put *put)
{
    if (YN_UNLIKELY(!is_key_size(dict, key_size) || !is_value_size(dict, put->size)))
        return -EINVAL;
    yn_key k = yn_dict_key(dict, key, key_size);
    yn_node_shared *node = NULL;
    if (key_size > AT_ONCE || put->size > AT_ONCE) {
        node = make_node(me, &k, put->value, put->size);
        if (!node)
            return -ENOMEM;
    }
    int r = yn_stripe_enter(me, dict, k.stripe);
    while (r == 0) {
        r = put_guarded(me, dict, &k, put, &node);
        if (YN_LIKELY(r != YN_DICT_AGAIN)) {
            yn_stripe_leave(me, k.stripe);
            break;
        }
        r = yn_stripe_resize(me, dict, k.stripe);
    }
    if (YN_UNLIKELY(node != NULL))
        yn_heap_free(me, node);
    return r;
}

/* An entry has gone: leaves the guard, and makes the table smaller if it has become far too large. */
static void leave_smaller(yn_self *me, yunta_dict *dict, yn_stripe_shared *stripe)
{
    if (YN_LIKELY(!yn_stripe_is_sparse(dict, stripe)) || yn_stripe_resize(me, dict, stripe) == 0)
        yn_stripe_leave(me, stripe);
}

/* As yn_dict_pop, with the guard. */
static int take_out(yn_self *me, yunta_dict *dict, const yn_key *key, const yn_put *expected, void *buffer,
                    size_t capacity, size_t *size)
{
    _Atomic uint64_t *word = yn_stripe_find(dict, key, NULL);
    if (!word)
        return -ENOENT;
    yn_node_shared *node = yn_word_node(dict, atomic_load_explicit(word, memory_order_relaxed));
    if (expected && !has_value(node, expected->expected, expected->expected_size))
        return -EAGAIN;
    if (size)
        *size = node->value_size;
    if (size && node->value_size > capacity)
        return -EMSGSIZE;
    if (size)
        yn_bytes_copy(buffer, yn_node_value(node, key->size), node->value_size);
    yn_stripe_remove(me, dict, key->stripe, word);
    return 0;
}

int yn_dict_pop(yn_self *me, yunta_dict *dict, const void *key, size_t key_size, const yn_put *expected, void *buffer,
                size_t capacity, size_t *size)
{
    if (!is_key_size(dict, key_size))
        return -EINVAL;
    yn_key k = yn_dict_key(dict, key, key_size);
    int r = yn_stripe_enter(me, dict, k.stripe);
    if (r != 0)
        return r;
    r = take_out(me, dict, &k, expected, buffer, capacity, size);
    if (r == 0)
        leave_smaller(me, dict, k.stripe);
    else
        yn_stripe_leave(me, k.stripe);
    return r;
}

/* As yn_dict_add, with the guard. YN_DICT_AGAIN: the table is full. */
static int add_guarded(yn_self *me, yunta_dict *dict, const yn_key *key, int64_t amount, int64_t *sum)
{
    _Atomic uint64_t *word = yn_stripe_find(dict, key, NULL);
    uint64_t value = (uint64_t)amount;
    if (word) {
        yn_node_shared *node = yn_word_node(dict, atomic_load_explicit(word, memory_order_relaxed));
        if (node->value_size != sizeof value)
            return -EINVAL;
        value += atomic_load_explicit(yn_node_word(node, key->size), memory_order_relaxed);
    }
    yn_node_shared *none = NULL;
    yn_put put = {.value = &value, .size = sizeof value};
    int r = put_guarded(me, dict, key, &put, &none);
    if (r == 0)
        *sum = (int64_t)value;
    return r;
}

int yn_dict_add(yn_self *me, yunta_dict *dict, const void *key, size_t key_size, int64_t amount, int64_t *sum)
{
    if (!is_key_size(dict, key_size) || !is_value_size(dict, sizeof amount))
        return -EINVAL;
    yn_key k = yn_dict_key(dict, key, key_size);
    int r = yn_stripe_enter(me, dict, k.stripe);
    while (r == 0) {
        r = add_guarded(me, dict, &k, amount, sum);
        if (r != YN_DICT_AGAIN) {
            yn_stripe_leave(me, k.stripe);
            break;
        }
        r = yn_stripe_resize(me, dict, k.stripe);
    }
    return r;
}

/* The public face. */

static inline bool is_there(const void *bytes, size_t size)
{
    return bytes || size == 0;
}

static inline int put_as_member(yunta_dict *dict, const void *key, size_t key_size, const yn_put *put)
{
    int r;
    yn_self *me = yn_self_get(&r);
    return YN_LIKELY(me != NULL) ? yn_dict_put(me, dict, key, key_size, put) : r;
}

int yunta_dict_put(yunta_dict *dict, const void *key, size_t key_size, const void *value, size_t value_size)
{
    if (YN_UNLIKELY(!dict || !is_there(key, key_size) || !is_there(value, value_size)))
        return -EINVAL;
    return put_as_member(dict, key, key_size, &(yn_put){.how = YN_PUT_ANY, .value = value, .size = value_size});
}

int yunta_dict_put_new(yunta_dict *dict, const void *key, size_t key_size, const void *value, size_t value_size)
{
    if (!dict || !is_there(key, key_size) || !is_there(value, value_size))
        return -EINVAL;
    return put_as_member(dict, key, key_size, &(yn_put){.how = YN_PUT_NEW, .value = value, .size = value_size});
}

int yunta_dict_replace(yunta_dict *dict, const void *key, size_t key_size, const void *expected, size_t expected_size,
                       const void *value, size_t value_size)
{
    if (!dict || !is_there(key, key_size) || !is_there(expected, expected_size) || !is_there(value, value_size))
        return -EINVAL;
    yn_put put = {.how = YN_PUT_IF_EQUAL,
                  .value = value,
                  .size = value_size,
                  .expected = expected,
                  .expected_size = expected_size};
    return put_as_member(dict, key, key_size, &put);
}

int yunta_dict_get(yunta_dict *dict, const void *key, size_t key_size, void *buffer, size_t capacity, size_t *size)
{
    if (YN_UNLIKELY(!dict || !is_there(key, key_size) || !is_there(buffer, capacity)))
        return -EINVAL;
    return yn_dict_get(dict, key, key_size, buffer, capacity, size);
}

bool yunta_dict_contains(yunta_dict *dict, const void *key, size_t key_size)
{
    int r = yunta_dict_get(dict, key, key_size, NULL, 0, NULL);
    return r == 0 || r == -EMSGSIZE;
}

int yunta_dict_pop(yunta_dict *dict, const void *key, size_t key_size, void *buffer, size_t capacity, size_t *size)
{
    size_t unasked;
    int r = -EINVAL;
    yn_self *me = dict && is_there(key, key_size) && is_there(buffer, capacity) ? yn_self_get(&r) : NULL;
    return me ? yn_dict_pop(me, dict, key, key_size, NULL, buffer, capacity, size ? size : &unasked) : r;
}

int yunta_dict_remove(yunta_dict *dict, const void *key, size_t key_size)
{
    int r = -EINVAL;
    yn_self *me = dict && is_there(key, key_size) ? yn_self_get(&r) : NULL;
    return me ? yn_dict_pop(me, dict, key, key_size, NULL, NULL, 0, NULL) : r;
}

int yunta_dict_add(yunta_dict *dict, const void *key, size_t key_size, int64_t amount, int64_t *sum)
{
    int64_t unasked;
    int r = -EINVAL;
    yn_self *me = dict && is_there(key, key_size) ? yn_self_get(&r) : NULL;
    return me ? yn_dict_add(me, dict, key, key_size, amount, sum ? sum : &unasked) : r;
}
