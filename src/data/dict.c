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
    return dict->key_size == size || (dict->key_size == 0 && size <= YN_KEY_MOST);
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
                                yn_form form)
{
    const _Atomic uint64_t *now = &key.stripe->version;
    uint64_t size = form != YN_IN_NODES ? dict->value_size : yn_entry_value_size(dict, entry), word = 0;
    bool is_it = yn_entry_has_key(dict, entry, &key, form);
    if (form == YN_IN_NODES && !yn_version_holds(now, version))
        return YN_OVERTAKEN;
    if (!is_it)
        return -ENOENT;
    if (form == YN_IN_NODES && size > 8 && size <= to.capacity)
        yn_bytes_copy(to.buffer, yn_entry_value(entry, key.size), size);
    else if (form != YN_IN_NODES || size > 0)
        word = atomic_load_explicit(yn_entry_word(entry, key.size), memory_order_acquire);
    if (!yn_version_holds(now, version))
        return YN_OVERTAKEN;
    if (to.size)
        *to.size = size;
    if (size > to.capacity)
        return -EMSGSIZE;
    if (form != YN_IN_NODES || size <= 8)
        yn_store_short(to.buffer, size, word);
    return 0;
}

YN_ALWAYS_INLINE int look_for(yunta_dict *dict, yn_key key, answer to, yn_form form)
{
    const _Atomic uint64_t *now = &key.stripe->version;
    uint64_t version = yn_version_read(now), table = atomic_load_explicit(&key.stripe->table, memory_order_acquire);
    if (table == 0)
        return -ENOENT;
    yn_walk walk = yn_walk_begin(dict, table, &key, form);
    for (const _Atomic uint64_t *slot; (slot = yn_walk_next(&walk, dict, table, &key, form)) != NULL;) {
        uint64_t word = form == YN_IN_WORDS ? key.word : atomic_load_explicit(slot, memory_order_acquire);
        if (form != YN_IN_WORDS && !yn_word_is_entry(word))
            continue;
        if (form == YN_IN_NODES && YN_UNLIKELY(!yn_version_holds(now, version)))
            return YN_OVERTAKEN; /* the word may be no place of a node */
        int r = read_entry(dict, key, to, version, yn_slot_entry(dict, slot, word, form), form);
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
    return look_for(r->dict, r->key, r->to, r->dict->form);
}

static void repair_read(yn_self *me, void *what)
{
    const reading *r = what;
    yn_stripe_repair(me, &(yn_stripe_of){r->dict, r->key.stripe});
}

static YN_NOINLINE int look_again(yunta_dict *dict, const void *key, size_t key_size, void *buffer, size_t capacity,
                                  size_t *size)
{
    reading what = {dict, yn_dict_key(dict, key, key_size, dict->form), {buffer, capacity, size}};
    return yn_look_until(look, &what, &what.key.stripe->guard, repair_read);
}

/* Where the word is the key: the four slots at home, which is where most entries stand. YN_OVERTAKEN: look again, and
 * elsewhere too. Nothing here stands in memory: another function might want its address only for what is rare. */
YN_ALWAYS_INLINE int look_at_home(yunta_dict *dict, const void *key, size_t key_size, answer to)
{
    yn_key k = yn_dict_key(dict, key, key_size, YN_IN_WORDS);
    uint64_t version = yn_version_read(&k.stripe->version), size = dict->value_size;
    uint64_t table = atomic_load_explicit(&k.stripe->table, memory_order_acquire);
    if (YN_UNLIKELY(table == 0))
        return YN_OVERTAKEN;
    yn_walk walk = yn_walk_begin(dict, table, &k, YN_IN_WORDS);
    if (YN_UNLIKELY(walk.found == 0))
        return YN_OVERTAKEN;
    _Atomic uint64_t *slot = walk.slot + (size_t)__builtin_ctzll(walk.found) * yn_stride(dict, YN_IN_WORDS);
    uint64_t value = atomic_load_explicit(slot + 1, memory_order_acquire);
    if (YN_UNLIKELY(!yn_version_holds(&k.stripe->version, version)))
        return YN_OVERTAKEN;
    if (to.size)
        *to.size = size;
    if (YN_UNLIKELY(size > to.capacity))
        return -EMSGSIZE;
    yn_store_short(to.buffer, size, value);
    return 0;
}

YN_ALWAYS_INLINE int get(yunta_dict *dict, const void *key, size_t key_size, answer to, yn_form form)
{
    yn_key k = yn_dict_key(dict, key, key_size, form);
    int r = look_for(dict, k, to, form);
    return YN_LIKELY(r != YN_OVERTAKEN) ? r : look_again(dict, key, key_size, to.buffer, to.capacity, to.size);
}

static YN_NOINLINE int get_from_slots(yunta_dict *dict, const void *key, size_t key_size, void *buffer, size_t capacity,
                                      size_t *size)
{
    return get(dict, key, key_size, (answer){buffer, capacity, size}, YN_IN_SLOTS);
}

static YN_NOINLINE int get_from_nodes(yunta_dict *dict, const void *key, size_t key_size, void *buffer, size_t capacity,
                                      size_t *size)
{
    return get(dict, key, key_size, (answer){buffer, capacity, size}, YN_IN_NODES);
}

int yn_dict_get(yunta_dict *dict, const void *key, size_t key_size, void *buffer, size_t capacity, size_t *size)
{
    if (YN_UNLIKELY(!is_key_size(dict, key_size)))
        return -EINVAL;
    if (dict->form == YN_IN_NODES)
        return get_from_nodes(dict, key, key_size, buffer, capacity, size);
    if (YN_UNLIKELY(dict->form == YN_IN_SLOTS))
        return get_from_slots(dict, key, key_size, buffer, capacity, size);
    int r = look_at_home(dict, key, key_size, (answer){buffer, capacity, size});
    return YN_LIKELY(r != YN_OVERTAKEN) ? r : look_again(dict, key, key_size, buffer, capacity, size);
}

/* Writers. */

static inline size_t node_bytes(size_t key_size, size_t value_size)
{
    return sizeof(yn_node_shared) + yn_padded(key_size) + yn_padded(value_size);
}

static void write_entry(yn_entry *entry, const yn_key *key, const void *value, size_t size, yn_form form)
{
    if (form != YN_IN_WORDS)
        yn_bytes_copy(entry, key->bytes, key->size);
    if (size > 8) {
        yn_bytes_copy(yn_entry_value(entry, key->size), value, size);
    } else if (size > 0) {
        atomic_store_explicit(yn_entry_word(entry, key->size), yn_load_short(value, size), memory_order_relaxed);
    }
}

static yn_node_shared *make_node(yn_self *me, const yn_key *key, const void *value, size_t size)
{
    if (size > YN_ARENA_MOST)
        return NULL;
    yn_node_shared *node = yn_heap_alloc(me, node_bytes(key->size, size), YN_NODE_UNIT);
    if (!node)
        return NULL;
    atomic_store_explicit(&node->sizes, (uint64_t)size << YN_KEY_BITS | key->size, memory_order_relaxed);
    write_entry(node->entry, key, value, size, YN_IN_NODES);
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
    if (dict->form != YN_IN_NODES) {
        write_entry(yn_slot_entry(dict, room, 0, dict->form), key, put->value, put->size, dict->form);
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
                                 yn_node_shared **node, yn_form form)
{
    _Atomic uint64_t *slot = yn_stripe_find(dict, key, form);
    if (!slot)
        return insert(me, dict, key, put, node);
    yn_entry *entry = yn_slot_entry(dict, slot, atomic_load_explicit(slot, memory_order_relaxed), form);
    if (put->how == YN_PUT_NEW)
        return -EEXIST;
    if (put->how == YN_PUT_IF_EQUAL && !has_value(dict, entry, key->size, put))
        return -EAGAIN;
    if (form == YN_IN_NODES && (put->size > 8 || yn_entry_value_size(dict, entry) != put->size))
        return exchange(me, dict, key, put, node, slot);
    uint64_t value = yn_load_short(put->value, put->size);
    if (form != YN_IN_NODES || put->size > 0)
        atomic_store_explicit(yn_entry_word(entry, key->size), value, memory_order_release);
    return 0;
}

YN_ALWAYS_INLINE int put_entered(yn_self *me, yunta_dict *dict, const yn_key *key, const yn_put *put,
                                 yn_node_shared **node, yn_form form)
{
    int r = yn_stripe_enter(me, dict, key->stripe);
    while (r == 0) {
        r = put_guarded(me, dict, key, put, node, form);
        if (YN_LIKELY(r != YN_DICT_FULL)) {
            yn_stripe_leave(me, key->stripe);
            break;
        }
        r = yn_stripe_resize(me, dict, key->stripe);
    }
    return r;
}

static YN_NOINLINE int put_into_node(yn_self *me, yunta_dict *dict, const yn_key *key, const yn_put *put)
{
    yn_node_shared *node = NULL;
    if (key->size > AT_ONCE || put->size > AT_ONCE) {
        node = make_node(me, key, put->value, put->size);
        if (!node)
            return -ENOMEM;
    }
    int r = put_entered(me, dict, key, put, &node, YN_IN_NODES);
    if (YN_UNLIKELY(node != NULL))
        yn_heap_free(me, node);
    return r;
}

int yn_dict_put(yn_self *me, yunta_dict *dict, const void *key, size_t key_size, const yn_put *put)
{
    yn_node_shared *none = NULL;
    if (YN_UNLIKELY(!is_key_size(dict, key_size) || !is_value_size(dict, put->size)))
        return -EINVAL;
    if (YN_LIKELY(dict->form == YN_IN_WORDS)) {
        yn_key k = yn_dict_key(dict, key, key_size, YN_IN_WORDS);
        return put_entered(me, dict, &k, put, &none, YN_IN_WORDS);
    }
    yn_key k = yn_dict_key(dict, key, key_size, YN_IN_SLOTS);
    if (dict->form == YN_IN_NODES)
        return put_into_node(me, dict, &k, put);
    return put_entered(me, dict, &k, put, &none, YN_IN_SLOTS);
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
    _Atomic uint64_t *slot = yn_stripe_find(dict, key, dict->form);
    if (!slot)
        return -ENOENT;
    yn_entry *entry = yn_slot_entry(dict, slot, atomic_load_explicit(slot, memory_order_relaxed), dict->form);
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
    yn_key k = yn_dict_key(dict, key, key_size, dict->form);
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
    _Atomic uint64_t *slot = yn_stripe_find(dict, key, dict->form);
    uint64_t value = (uint64_t)amount;
    if (slot) {
        yn_entry *entry = yn_slot_entry(dict, slot, atomic_load_explicit(slot, memory_order_relaxed), dict->form);
        if (yn_entry_value_size(dict, entry) != sizeof value)
            return -EINVAL;
        value += atomic_load_explicit(yn_entry_word(entry, key->size), memory_order_relaxed);
    }
    yn_node_shared *none = NULL;
    yn_put put = {.value = &value, .size = sizeof value};
    int r = put_guarded(me, dict, key, &put, &none, dict->form);
    if (r == 0)
        *sum = (int64_t)value;
    return r;
}

int yn_dict_add(yn_self *me, yunta_dict *dict, const void *key, size_t key_size, int64_t amount, int64_t *sum)
{
    if (!is_key_size(dict, key_size) || !is_value_size(dict, sizeof amount))
        return -EINVAL;
    yn_key k = yn_dict_key(dict, key, key_size, dict->form);
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
