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
    return dict->key_size == size || (dict->key_size == 0 && size <= PTRDIFF_MAX);
}

static inline bool is_value_size(const yunta_dict *dict, size_t size)
{
    return dict->value_size == 0 || dict->value_size == size;
}

/* Readers without a guard. */

/* Where what is found goes to. */
typedef struct answer {
    void *buffer;
    size_t capacity;
    size_t *size; /* may be NULL */
} answer;

/* An entry found under the key's tag. -ENOENT: it is another key's. YN_OVERTAKEN: something was freed since. Sizes are
 * believed only if the version still holds after they were read: else they could lead out of the arena. */
YN_ALWAYS_INLINE int read_entry(yunta_dict *dict, yn_key key, answer to, uint64_t version, yn_entry *entry,
                                bool in_place)
{
    const _Atomic uint64_t *now = &key.stripe->version;
    uint64_t key_size = in_place ? key.size : yn_entry_key_size(dict, entry), word = 0;
    uint64_t size = in_place ? dict->value_size : yn_entry_value_size(dict, entry);
    if (!in_place && !yn_version_holds(now, version))
        return YN_OVERTAKEN;
    if (key_size != key.size || !yn_bytes_equal(entry, key.bytes, key.size))
        return -ENOENT;
    if (!in_place && size > 8 && size <= to.capacity)
        yn_bytes_copy(to.buffer, yn_entry_value(entry, key.size), size);
    else if (in_place || size > 0)
        word = atomic_load_explicit(yn_entry_word(entry, key.size), memory_order_acquire);
    if (!yn_version_holds(now, version))
        return YN_OVERTAKEN;
    if (to.size)
        *to.size = size;
    if (size > to.capacity)
        return -EMSGSIZE;
    if (in_place || size <= 8)
        yn_bytes_copy(to.buffer, &word, size);
    return 0;
}

YN_ALWAYS_INLINE int look_for(yunta_dict *dict, yn_key key, answer to, bool in_place)
{
    const _Atomic uint64_t *now = &key.stripe->version;
    uint64_t version = yn_version_read(now), table = atomic_load_explicit(&key.stripe->table, memory_order_acquire);
    if (table == 0)
        return -ENOENT;
    uint64_t last = yn_table_last(table), home = yn_table_home(table, key.tag);
    for (uint64_t n = yn_table_distance(dict, table, home, key.tag); n <= last; n++) {
        const _Atomic uint64_t *slot = yn_table_slot(dict, table, (home + n) & last);
        uint64_t word = atomic_load_explicit(slot, memory_order_acquire);
        if (word == 0)
            break;
        if (yn_word_tag(word) != key.tag || word < YN_WORD_LEAST)
            continue;
        if (!in_place && YN_UNLIKELY(!yn_version_holds(now, version)))
            return YN_OVERTAKEN; /* the word may be no place of a node */
        int r = read_entry(dict, key, to, version, yn_slot_entry(dict, slot, word, in_place), in_place);
        if (YN_LIKELY(r != -ENOENT))
            return r;
    }
    return yn_version_holds(now, version) ? -ENOENT : YN_OVERTAKEN;
}

typedef struct reading {
    yunta_dict *dict;
    yn_key key;
    answer to;
} reading;

static int look(void *what)
{
    const reading *r = what;
    return look_for(r->dict, r->key, r->to, yn_dict_in_place(r->dict));
}

static void repair_read(yn_self *me, void *what)
{
    const reading *r = what;
    yn_stripe_repair(me, &(yn_stripe_of){r->dict, r->key.stripe});
}

static YN_NOINLINE int look_again(yunta_dict *dict, const void *key, size_t key_size, void *buffer, size_t capacity,
                                  size_t *size)
{
    reading what = {dict, yn_dict_key(dict, key, key_size), {buffer, capacity, size}};
    return yn_look_until(look, &what, &what.key.stripe->guard, repair_read);
}

YN_ALWAYS_INLINE int get(yunta_dict *dict, const void *key, size_t key_size, answer to, bool in_place)
{
    yn_key k = yn_dict_key(dict, key, key_size);
    int r = look_for(dict, k, to, in_place);
    return YN_LIKELY(r != YN_OVERTAKEN) ? r : look_again(dict, key, key_size, to.buffer, to.capacity, to.size);
}

int yn_dict_get(yunta_dict *dict, const void *key, size_t key_size, void *buffer, size_t capacity, size_t *size)
{
    answer to = {buffer, capacity, size};
    if (YN_UNLIKELY(!is_key_size(dict, key_size)))
        return -EINVAL;
    if (yn_dict_in_place(dict) && key_size == 8) /* the size that is most used, known to the compiler */
        return get(dict, key, 8, to, true);
    return yn_dict_in_place(dict) ? get(dict, key, key_size, to, true) : get(dict, key, key_size, to, false);
}

/* Writers. */

static inline size_t node_bytes(size_t key_size, size_t value_size)
{
    return sizeof(yn_node_shared) + yn_padded(key_size) + yn_padded(value_size);
}

static void write_entry(yn_entry *entry, const yn_key *key, const void *value, size_t size)
{
    yn_bytes_copy(entry, key->bytes, key->size);
    if (size > 8) {
        yn_bytes_copy(yn_entry_value(entry, key->size), value, size);
    } else if (size > 0) {
        uint64_t word = 0;
        yn_bytes_copy(&word, value, size);
        atomic_store_explicit(yn_entry_word(entry, key->size), word, memory_order_relaxed);
    }
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
    write_entry(node->entry, key, value, size);
    return node;
}

static bool has_value(const yunta_dict *dict, yn_entry *entry, size_t key_size, const yn_put *put)
{
    return yn_entry_value_size(dict, entry) == put->expected_size &&
           yn_bytes_equal(yn_entry_value(entry, key_size), put->expected, put->expected_size);
}

/* With the guard; *node is one that has been made already, or NULL, and is NULL when it has been used. Puts a node in
 * the place of the slot's. */
static YN_NOINLINE int exchange(yn_self *me, yunta_dict *dict, const yn_key *key, const yn_put *put,
                                yn_node_shared **node, _Atomic uint64_t *slot)
{
    yn_node_shared *fresh = *node ? *node : make_node(me, key, put->value, put->size);
    if (!fresh)
        return -ENOMEM;
    yn_stripe_exchange(me, dict, key, slot, fresh);
    *node = NULL;
    return 0;
}

/* Likewise: the key is not there. YN_DICT_FULL, too. */
static YN_NOINLINE int insert(yn_self *me, yunta_dict *dict, const yn_key *key, const yn_put *put,
                              yn_node_shared **node)
{
    if (put->how == YN_PUT_IF_EQUAL)
        return -ENOENT;
    if (YN_UNLIKELY(yn_stripe_is_full(key->stripe)))
        return YN_DICT_FULL;
    _Atomic uint64_t *room = yn_stripe_room(dict, key);
    yn_node_shared *fresh = NULL;
    if (yn_dict_in_place(dict)) {
        write_entry(yn_slot_entry(dict, room, 0, true), key, put->value, put->size);
    } else {
        fresh = *node ? *node : make_node(me, key, put->value, put->size);
        if (!fresh)
            return -ENOMEM;
    }
    yn_stripe_insert(dict, key, room, fresh);
    *node = NULL;
    return 0;
}

/* Likewise, whether it is there or not. */
YN_ALWAYS_INLINE int put_guarded(yn_self *me, yunta_dict *dict, const yn_key *key, const yn_put *put,
                                 yn_node_shared **node, bool in_place)
{
    _Atomic uint64_t *slot = yn_stripe_find(dict, key, in_place);
    if (!slot)
        return insert(me, dict, key, put, node);
    yn_entry *entry = yn_slot_entry(dict, slot, atomic_load_explicit(slot, memory_order_relaxed), in_place);
    if (put->how == YN_PUT_NEW)
        return -EEXIST;
    if (put->how == YN_PUT_IF_EQUAL && !has_value(dict, entry, key->size, put))
        return -EAGAIN;
    if (!in_place && (put->size > 8 || yn_entry_value_size(dict, entry) != put->size))
        return exchange(me, dict, key, put, node, slot);
    uint64_t value = 0;
    yn_bytes_copy(&value, put->value, put->size);
    if (in_place || put->size > 0)
        atomic_store_explicit(yn_entry_word(entry, key->size), value, memory_order_release);
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
        if (yn_dict_in_place(dict) && k.size == 8)
            r = put_guarded(me, dict, &(yn_key){k.bytes, 8, k.tag, k.stripe}, put, &node, true);
        else
            r = put_guarded(me, dict, &k, put, &node, yn_dict_in_place(dict));
        if (YN_LIKELY(r != YN_DICT_FULL)) {
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
    _Atomic uint64_t *slot = yn_stripe_find(dict, key, yn_dict_in_place(dict));
    if (!slot)
        return -ENOENT;
    yn_entry *entry =
        yn_slot_entry(dict, slot, atomic_load_explicit(slot, memory_order_relaxed), yn_dict_in_place(dict));
    if (expected && !has_value(dict, entry, key->size, expected))
        return -EAGAIN;
    uint64_t value_size = yn_entry_value_size(dict, entry);
    if (size)
        *size = value_size;
    if (size && value_size > capacity)
        return -EMSGSIZE;
    if (size)
        yn_bytes_copy(buffer, yn_entry_value(entry, key->size), value_size);
    yn_stripe_remove(me, dict, key->stripe, slot);
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

/* As yn_dict_add, with the guard. YN_DICT_FULL. */
static int add_guarded(yn_self *me, yunta_dict *dict, const yn_key *key, int64_t amount, int64_t *sum)
{
    _Atomic uint64_t *slot = yn_stripe_find(dict, key, yn_dict_in_place(dict));
    uint64_t value = (uint64_t)amount;
    if (slot) {
        yn_entry *entry =
            yn_slot_entry(dict, slot, atomic_load_explicit(slot, memory_order_relaxed), yn_dict_in_place(dict));
        if (yn_entry_value_size(dict, entry) != sizeof value)
            return -EINVAL;
        value += atomic_load_explicit(yn_entry_word(entry, key->size), memory_order_relaxed);
    }
    yn_node_shared *none = NULL;
    yn_put put = {.value = &value, .size = sizeof value};
    int r = put_guarded(me, dict, key, &put, &none, yn_dict_in_place(dict));
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
        if (r != YN_DICT_FULL) {
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
