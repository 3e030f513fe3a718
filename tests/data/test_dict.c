/* Dict: every call, what it refuses, growing and shrinking, iterating, and several processes at once.
 * It must not rely on who comes first.
 * Read next: ../crash/test_data_kill.c; src/data/README.md. */
#include "../proc/helpers.h"

#include "data/dict.h"
#include "shm/heap.h"

static yunta_dict *new_dict(const yunta_dict_options *options)
{
    yunta_dict *dict = NULL;
    ck_assert_int_eq(yunta_dict_create(&dict, options), 0);
    ck_assert_ptr_nonnull(dict);
    return dict;
}

static uint64_t blocks(void)
{
    yunta_arena_stats stats;
    ck_assert_int_eq(yunta_arena_read_stats(&stats), 0);
    return stats.blocks;
}

static int put_text(yunta_dict *dict, const char *key, const char *value)
{
    return yunta_dict_put(dict, key, strlen(key), value, strlen(value));
}

static void text_is(yunta_dict *dict, const char *key, const char *value)
{
    char buffer[64];
    size_t size = 0;
    ck_assert_int_eq(yunta_dict_get(dict, key, strlen(key), buffer, sizeof buffer, &size), 0);
    ck_assert_uint_eq(size, strlen(value));
    ck_assert_mem_eq(buffer, value, size);
}

START_TEST(entries_come_change_and_go)
{
    yunta_dict *dict = new_dict(NULL);
    char buffer[64];
    size_t size = 77;
    ck_assert_uint_eq(yunta_dict_size(dict), 0);
    ck_assert_int_eq(yunta_dict_get(dict, "ox", 2, buffer, sizeof buffer, &size), -ENOENT);
    ck_assert_uint_eq(size, 77);
    ck_assert_int_eq(put_text(dict, "ox", "two"), 0);
    ck_assert_int_eq(put_text(dict, "", "nobody's"), 0);
    ck_assert_int_eq(put_text(dict, "nothing", ""), 0);
    text_is(dict, "ox", "two");
    text_is(dict, "", "nobody's");
    text_is(dict, "nothing", "");
    ck_assert_uint_eq(yunta_dict_size(dict), 3);
    ck_assert_int_eq(put_text(dict, "ox", "a value of more than eight bytes"), 0);
    text_is(dict, "ox", "a value of more than eight bytes");
    ck_assert_int_eq(yunta_dict_get(dict, "ox", 2, buffer, 5, &size), -EMSGSIZE);
    ck_assert_uint_eq(size, 32);
    ck_assert(yunta_dict_contains(dict, "ox", 2));
    ck_assert(!yunta_dict_contains(dict, "OX", 2));
    ck_assert_int_eq(yunta_dict_pop(dict, "ox", 2, buffer, 5, &size), -EMSGSIZE);
    ck_assert(yunta_dict_contains(dict, "ox", 2));
    ck_assert_int_eq(yunta_dict_pop(dict, "ox", 2, buffer, sizeof buffer, NULL), 0);
    ck_assert_mem_eq(buffer, "a value of more than eight bytes", 32);
    ck_assert_int_eq(yunta_dict_pop(dict, "ox", 2, buffer, sizeof buffer, &size), -ENOENT);
    ck_assert_int_eq(yunta_dict_remove(dict, "ox", 2), -ENOENT);
    ck_assert_int_eq(yunta_dict_remove(dict, "", 0), 0);
    ck_assert_uint_eq(yunta_dict_size(dict), 1);
    ck_assert_int_eq(yunta_dict_clear(dict), 0);
    ck_assert_uint_eq(yunta_dict_size(dict), 0);
    ck_assert_ptr_null(yunta_dict_destroy(dict));
}
END_TEST

START_TEST(putting_under_a_condition)
{
    yunta_dict *dict = new_dict(NULL);
    ck_assert_int_eq(yunta_dict_put_new(dict, "a", 1, "1", 1), 0);
    ck_assert_int_eq(yunta_dict_put_new(dict, "a", 1, "2", 1), -EEXIST);
    text_is(dict, "a", "1");
    ck_assert_int_eq(yunta_dict_replace(dict, "a", 1, "2", 1, "3", 1), -EAGAIN);
    ck_assert_int_eq(yunta_dict_replace(dict, "a", 1, "1 ", 2, "3", 1), -EAGAIN);
    ck_assert_int_eq(yunta_dict_replace(dict, "b", 1, "1", 1, "3", 1), -ENOENT);
    ck_assert_int_eq(yunta_dict_replace(dict, "a", 1, "1", 1, "three, and more than it was", 27), 0);
    text_is(dict, "a", "three, and more than it was");
    yunta_dict_destroy(dict);
}
END_TEST

START_TEST(adding)
{
    yunta_dict *dict = new_dict(NULL);
    int64_t sum = 0;
    ck_assert_int_eq(yunta_dict_add(dict, "n", 1, 5, &sum), 0);
    ck_assert_int_eq(sum, 5);
    ck_assert_int_eq(yunta_dict_add(dict, "n", 1, -7, NULL), 0);
    ck_assert_int_eq(yunta_dict_get(dict, "n", 1, &sum, sizeof sum, NULL), 0);
    ck_assert_int_eq(sum, -2);
    ck_assert_int_eq(put_text(dict, "t", "text"), 0);
    ck_assert_int_eq(yunta_dict_add(dict, "t", 1, 1, &sum), -EINVAL);
    text_is(dict, "t", "text");
    ck_assert_int_eq(yunta_dict_put(dict, "m", 1, &(int64_t){INT64_MAX}, 8), 0);
    ck_assert_int_eq(yunta_dict_add(dict, "m", 1, 1, &sum), 0);
    ck_assert(sum == INT64_MIN);
    yunta_dict_destroy(dict);
}
END_TEST

struct wish {
    int result;
    bool present;
    size_t size;
    const char *value;
    int calls;
    yunta_dict *meddle;
};

static int change_as_wished(void *value, size_t *size, bool *present, void *context)
{
    struct wish *w = context;
    if (w->calls++ == 0 && w->meddle)
        put_text(w->meddle, "k", "by another");
    *present = w->present;
    *size = w->size;
    if (w->value && w->size <= 16)
        memcpy(value, w->value, w->size);
    return w->result;
}

static int update(yunta_dict *dict, struct wish *wish)
{
    return yunta_dict_update(dict, "k", 1, 16, change_as_wished, wish);
}

START_TEST(updating_by_a_function)
{
    yunta_dict *dict = new_dict(NULL);
    struct wish come = {.present = true, .size = 3, .value = "new"}, go = {0}, refuse = {.result = -7, .present = true};
    struct wish wrong = {.present = true, .size = 17},
                late = {.present = true, .size = 4, .value = "late", .meddle = dict};
    ck_assert_int_eq(update(dict, &go), 0);
    ck_assert_uint_eq(yunta_dict_size(dict), 0);
    ck_assert_int_eq(update(dict, &come), 0);
    text_is(dict, "k", "new");
    ck_assert_int_eq(update(dict, &refuse), -7);
    ck_assert_int_eq(update(dict, &wrong), -EINVAL);
    text_is(dict, "k", "new");
    ck_assert_int_eq(update(dict, &late), 0);
    ck_assert_int_eq(late.calls, 2); /* what it was shown first was no longer true */
    text_is(dict, "k", "late");
    ck_assert_int_eq(update(dict, &go), 0);
    ck_assert_uint_eq(yunta_dict_size(dict), 0);
    ck_assert_int_eq(put_text(dict, "k", "more than sixteen bytes"), 0);
    ck_assert_int_eq(update(dict, &come), -EMSGSIZE);
    yunta_dict_destroy(dict);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
    yunta_dict *dict = NULL, *fixed = new_dict(&(yunta_dict_options){.key_size = 4, .value_size = 8});
    yunta_dict_iterator *it;
    yunta_dict_entry entry;
    char b[8];
    size_t size;
    ck_assert_int_eq(yunta_dict_create(NULL, NULL), -EINVAL);
    ck_assert_int_eq(yunta_dict_create(&dict, &(yunta_dict_options){.stripes = 65537}), -EINVAL);
    ck_assert_int_eq(yunta_dict_create(&dict, &(yunta_dict_options){.reserved = {0, 1}}), -EINVAL);
    ck_assert_int_eq(yunta_dict_create(&dict, &(yunta_dict_options){.key_size = SIZE_MAX}), -EOVERFLOW);
    ck_assert_int_eq(yunta_dict_create(&dict, &(yunta_dict_options){.key_size = 32 << 20}), -EOVERFLOW);
    ck_assert_int_eq(yunta_dict_create(&dict, &(yunta_dict_options){.value_size = SIZE_MAX}), -EOVERFLOW);
    ck_assert_int_eq(yunta_dict_create(&dict, &(yunta_dict_options){.capacity = SIZE_MAX}), -EOVERFLOW);
    ck_assert_ptr_null(dict);
    ck_assert_ptr_null(yunta_dict_destroy(NULL));
    ck_assert_int_eq(yunta_dict_put(NULL, b, 4, b, 8), -EINVAL);
    ck_assert_int_eq(yunta_dict_put(fixed, NULL, 4, b, 8), -EINVAL);
    ck_assert_int_eq(yunta_dict_put(fixed, b, 4, NULL, 8), -EINVAL);
    ck_assert_int_eq(yunta_dict_put(fixed, b, 3, b, 8), -EINVAL);
    ck_assert_int_eq(yunta_dict_put(fixed, b, 4, b, 7), -EINVAL);
    ck_assert_int_eq(yunta_dict_put_new(NULL, b, 4, b, 8), -EINVAL);
    ck_assert_int_eq(yunta_dict_put_new(fixed, b, 4, b, 9), -EINVAL);
    ck_assert_int_eq(yunta_dict_get(NULL, b, 4, b, 8, &size), -EINVAL);
    ck_assert_int_eq(yunta_dict_get(fixed, b, 5, b, 8, &size), -EINVAL);
    ck_assert_int_eq(yunta_dict_get(fixed, b, 4, NULL, 8, &size), -EINVAL);
    ck_assert_int_eq(yunta_dict_pop(fixed, b, 5, b, 8, &size), -EINVAL);
    ck_assert_int_eq(yunta_dict_pop(NULL, b, 4, b, 8, &size), -EINVAL);
    ck_assert_int_eq(yunta_dict_remove(NULL, b, 4), -EINVAL);
    ck_assert_int_eq(yunta_dict_remove(fixed, b, 0), -EINVAL);
    ck_assert_int_eq(yunta_dict_replace(fixed, b, 4, NULL, 8, b, 8), -EINVAL);
    ck_assert_int_eq(yunta_dict_add(NULL, b, 4, 1, NULL), -EINVAL);
    ck_assert_int_eq(yunta_dict_add(fixed, b, 3, 1, NULL), -EINVAL);
    ck_assert_int_eq(yunta_dict_update(fixed, b, 4, 8, NULL, NULL), -EINVAL);
    ck_assert_int_eq(yunta_dict_update(fixed, b, 4, SIZE_MAX, change_as_wished, NULL), -ENOMEM);
    ck_assert(!yunta_dict_contains(NULL, b, 4));
    ck_assert_uint_eq(yunta_dict_size(NULL), 0);
    ck_assert_int_eq(yunta_dict_clear(NULL), -EINVAL);
    ck_assert_int_eq(yunta_dict_iterate(NULL, fixed), -EINVAL);
    ck_assert_int_eq(yunta_dict_iterate(&it, NULL), -EINVAL);
    ck_assert_int_eq(yunta_dict_next(NULL, &entry), -EINVAL);
    ck_assert_ptr_null(yunta_dict_iterator_destroy(NULL));
    ck_assert_int_eq(yunta_dict_put(fixed, b, 4, b, SIZE_MAX), -EINVAL);
    yunta_dict_destroy(fixed);
    fixed = new_dict(NULL);
    ck_assert_int_eq(yunta_dict_put(fixed, "k", 1, b, SIZE_MAX / 2), -ENOMEM);
    ck_assert_int_eq(yunta_dict_put(fixed, "k", 32 << 20, b, 8), -EINVAL); /* there is no such key */
    ck_assert_int_eq(yunta_dict_get(fixed, "k", SIZE_MAX, b, 8, &size), -EINVAL);
    ck_assert_int_eq(yunta_dict_remove(fixed, "k", SIZE_MAX), -EINVAL);
    ck_assert_uint_eq(yunta_dict_size(fixed), 0);
    yunta_dict_destroy(fixed);
}
END_TEST

START_TEST(it_grows_and_shrinks_and_gives_all_back)
{
    static const size_t stripes[] = {1, 3, 64};
    enum { count = 20000 };
    yunta_dict_destroy(new_dict(NULL));
    uint64_t before = blocks();
    for (size_t s = 0; s < YN_COUNT(stripes); s++) {
        yunta_dict *dict = new_dict(&(yunta_dict_options){.key_size = 4, .stripes = stripes[s]});
        uint64_t empty = blocks();
        for (uint32_t i = 0; i < count; i++)
            ck_assert_int_eq(yunta_dict_put(dict, &i, sizeof i, &(uint64_t){i * UINT64_C(3)}, i % 9), 0);
        ck_assert_uint_eq(yunta_dict_size(dict), count);
        ck_assert(yn_dict_is_sound(dict));
        for (uint32_t i = 0; i < count; i++) {
            uint64_t value = 0, wanted = i * UINT64_C(3);
            size_t size;
            ck_assert_int_eq(yunta_dict_get(dict, &i, sizeof i, &value, sizeof value, &size), 0);
            ck_assert_uint_eq(size, i % 9);
            ck_assert_mem_eq(&value, &wanted, size);
        }
        for (uint32_t i = 0; i < count; i++)
            ck_assert_int_eq(yunta_dict_remove(dict, &i, sizeof i), 0);
        ck_assert_uint_eq(yunta_dict_size(dict), 0);
        ck_assert(yn_dict_is_sound(dict));
        ck_assert_uint_le(blocks(), empty + 64); /* a smallest table for each stripe */
        yunta_dict_destroy(dict);
    }
    ck_assert_uint_eq(blocks(), before);
}
END_TEST

START_TEST(each_entry_comes_once)
{
    enum { count = 3000 };
    yunta_dict *dict = new_dict(NULL);
    static int seen[count];
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(yunta_dict_put(dict, &i, sizeof i, &(long){i * 7L}, sizeof(long)), 0);
    yunta_dict_iterator *it;
    yunta_dict_entry entry;
    ck_assert_int_eq(yunta_dict_iterate(&it, dict), 0);
    int came = 0, r;
    while ((r = yunta_dict_next(it, &entry)) == 1) {
        int key;
        ck_assert_uint_eq(entry.key_size, sizeof key);
        ck_assert_uint_eq((uintptr_t)entry.key % 16, 0);
        memcpy(&key, entry.key, sizeof key);
        ck_assert_int_eq(seen[key]++, 0);
        ck_assert_int_eq(*(const long *)entry.value, key * 7L);
        /* Changed meanwhile: it grows and shrinks under us, and what stays comes all the same. */
        int extra = count + came;
        ck_assert_int_eq(yunta_dict_put(dict, &extra, sizeof extra, "x", 1), 0);
        ck_assert_int_eq(yunta_dict_remove(dict, &extra, sizeof extra), 0);
        came++;
    }
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(came, count);
    ck_assert_int_eq(yunta_dict_next(it, &entry), 0);
    ck_assert_ptr_null(yunta_dict_iterator_destroy(it));
    yunta_dict_destroy(dict);
}
END_TEST

/* Keys are numbers, in whatever place an entry has them: each comes back as it was put. */
static void keys_come_once(yunta_dict *dict, int keys)
{
    yunta_dict_iterator *it;
    yunta_dict_entry entry;
    ck_assert_int_eq(yunta_dict_iterate(&it, dict), 0);
    int came = 0, r;
    while ((r = yunta_dict_next(it, &entry)) == 1) {
        ck_assert_uint_eq(entry.key_size, dict->key_size);
        ck_assert(yunta_dict_contains(dict, entry.key, entry.key_size));
        came++;
    }
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(came, keys);
    yunta_dict_iterator_destroy(it);
}

/* Keys and values of one size each, so that entries stand in their slots: slots are used again, tables replaced. */
START_TEST(entries_in_their_slots)
{
    static const struct {
        size_t key, value;
    } sizes[] = {{8, 8}, {4, 8}, {24, 3}, {1, 1}, {4, 8}, {8, 8}, {1, 2}, {11, 4}, {7, 1}};
    enum { count = 5000, turns = 4 };
    for (size_t s = 0; s < YN_COUNT(sizes); s++) {
        yunta_dict *dict = new_dict(
            &(yunta_dict_options){.key_size = sizes[s].key, .value_size = sizes[s].value, .stripes = s % 2 ? 1 : 64});
        ck_assert_int_eq(dict->form, sizes[s].key <= 8 && s % 2 == 0 ? YN_IN_WORDS : YN_IN_SLOTS);
        int keys = sizes[s].key == 1 ? 256 : count;
        for (int turn = 0; turn < turns; turn++) {
            for (int i = 0; i < keys; i++) {
                int key[6] = {i};
                uint64_t value = 0, wanted = (uint64_t)(i * 7 + turn);
                ck_assert_int_eq(yunta_dict_put(dict, key, sizes[s].key, &wanted, sizes[s].value), 0);
                ck_assert_int_eq(yunta_dict_get(dict, key, sizes[s].key, &value, sizeof value, NULL), 0);
                ck_assert_mem_eq(&value, &wanted, sizes[s].value);
            }
            ck_assert_uint_eq(yunta_dict_size(dict), (size_t)keys);
            for (int i = turn; i < keys; i += turns) {
                int key[6] = {i};
                uint64_t value = 0, wanted = (uint64_t)(i * 7 + turn);
                ck_assert_int_eq(yunta_dict_pop(dict, key, sizes[s].key, &value, sizeof value, NULL), 0);
                ck_assert_mem_eq(&value, &wanted, sizes[s].value);
                ck_assert(!yunta_dict_contains(dict, key, sizes[s].key));
            }
            ck_assert(yn_dict_is_sound(dict));
            keys_come_once(dict, keys - (keys - turn + turns - 1) / turns);
        }
        ck_assert_int_eq(yunta_dict_clear(dict), 0);
        ck_assert_uint_eq(yunta_dict_size(dict), 0);
        ck_assert(yn_dict_is_sound(dict));
        yunta_dict_destroy(dict);
    }
}
END_TEST

/* A value that shows whether it is one that was put, whole. */
enum { LONGEST = 200 };
static size_t make_value(unsigned char *value, uint32_t number)
{
    size_t size = 1 + number % LONGEST;
    memset(value, (int)(number % 251), size);
    return size;
}

static bool is_value(const unsigned char *value, size_t size)
{
    for (size_t i = 1; i < size; i++)
        if (value[i] != value[0])
            return false;
    return size >= 1 && size <= LONGEST;
}

enum { KEYS = 64, TURNS = 20000 };

struct crowd {
    yunta_dict *dict;
    uint32_t number;
    int turns;
};

/* Puts and removes under few keys, reads others', and adds to one number. */
static int go_about(const struct crowd *c)
{
    unsigned char value[LONGEST];
    uint32_t random = c->number * 2654435761u + 1;
    size_t size;
    for (int i = 0; i < c->turns; i++) {
        random = random * 1664525u + 1013904223u;
        uint32_t key = random >> 26, what = random >> 8 & 7;
        if (what < 3)
            expect(yunta_dict_put(c->dict, &key, sizeof key, value, make_value(value, random)) == 0);
        else if (what == 3)
            expect(yunta_dict_remove(c->dict, &key, sizeof key) <= 0);
        else {
            int r = yunta_dict_get(c->dict, &key, sizeof key, value, sizeof value, &size);
            expect(r == -ENOENT || (r == 0 && is_value(value, size)));
        }
        expect(yunta_dict_add(c->dict, "sum", 3, 1, NULL) == 0);
    }
    return 0;
}
YUNTA_ENTRY(go_about, struct crowd);

START_TEST(several_processes_at_once)
{
    enum { workers = 3 };
    yunta_dict *dict = new_dict(&(yunta_dict_options){.stripes = 2});
    yunta_process *child[workers];
    int turns = test_rounds(TURNS);
    for (uint32_t i = 0; i < workers; i++)
        start_by(TEST_METHOD, &child[i], go_about, &(struct crowd){dict, i, turns});
    ck_assert_int_eq(go_about(&(struct crowd){dict, workers, turns}), 0);
    for (int i = 0; i < workers; i++)
        end_is(child[i], 0);
    int64_t sum;
    ck_assert_int_eq(yunta_dict_get(dict, "sum", 3, &sum, sizeof sum, NULL), 0);
    ck_assert_int_eq(sum, (int64_t)turns * (workers + 1));
    size_t there = 0;
    for (uint32_t key = 0; key < KEYS; key++)
        there += yunta_dict_contains(dict, &key, sizeof key);
    ck_assert_uint_eq(yunta_dict_size(dict), there + 1);
    ck_assert(yn_dict_is_sound(dict));
    yunta_dict_destroy(dict);
}
END_TEST

/* The same with entries in their slots: a value says whose it is. */
static int go_about_in_place(const struct crowd *c)
{
    uint64_t random = c->number * UINT64_C(2654435761) + 1, value;
    for (int i = 0; i < c->turns; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t key = random >> 58, what = random >> 40 & 3;
        if (what == 0)
            expect(yunta_dict_put(c->dict, &key, sizeof key, &(uint64_t){key << 32 | c->number}, sizeof value) == 0);
        else if (what == 1)
            expect(yunta_dict_remove(c->dict, &key, sizeof key) <= 0);
        else {
            int r = yunta_dict_get(c->dict, &key, sizeof key, &value, sizeof value, NULL);
            expect(r == -ENOENT || (r == 0 && value >> 32 == key));
        }
        expect(yunta_dict_add(c->dict, &(uint64_t){1000}, sizeof key, 1, NULL) == 0);
    }
    return 0;
}
YUNTA_ENTRY(go_about_in_place, struct crowd);

START_TEST(several_processes_at_few_tables)
{
    enum { workers = 3 };
    yunta_dict *dict = new_dict(&(yunta_dict_options){.key_size = 8, .value_size = 8, .stripes = (size_t)(_i % 2 + 1)});
    yunta_process *child[workers];
    int turns = test_rounds(TURNS);
    for (uint32_t i = 0; i < workers; i++)
        start_by(TEST_METHOD, &child[i], go_about_in_place, &(struct crowd){dict, i, turns});
    ck_assert_int_eq(go_about_in_place(&(struct crowd){dict, workers, turns}), 0);
    for (int i = 0; i < workers; i++)
        end_is(child[i], 0);
    int64_t sum;
    ck_assert_int_eq(yunta_dict_get(dict, &(uint64_t){1000}, 8, &sum, sizeof sum, NULL), 0);
    ck_assert_int_eq(sum, (int64_t)turns * (workers + 1));
    ck_assert(yn_dict_is_sound(dict));
    yunta_dict_destroy(dict);
}
END_TEST

/* Entries that stay while others come and go around them. */
START_TEST(what_stays_comes_once_while_others_write)
{
    enum { staying = 500 };
    yunta_dict *dict = new_dict(&(yunta_dict_options){.stripes = 1});
    unsigned char value[LONGEST];
    for (uint32_t key = 1000; key < 1000 + staying; key++)
        ck_assert_int_eq(yunta_dict_put(dict, &key, sizeof key, value, make_value(value, key)), 0);
    yunta_process *child;
    start_by(TEST_METHOD, &child, go_about, &(struct crowd){dict, 1, test_rounds(TURNS)});
    do {
        yunta_dict_iterator *it;
        yunta_dict_entry entry;
        int came = 0, r;
        static unsigned char seen[staying];
        memset(seen, 0, sizeof seen);
        ck_assert_int_eq(yunta_dict_iterate(&it, dict), 0);
        while ((r = yunta_dict_next(it, &entry)) == 1) {
            uint32_t key = 0;
            memcpy(&key, entry.key, entry.key_size < sizeof key ? entry.key_size : sizeof key);
            if (entry.key_size == sizeof key)
                ck_assert(is_value(entry.value, entry.value_size));
            if (entry.key_size != sizeof key || key < 1000)
                continue;
            ck_assert_int_eq(seen[key - 1000]++, 0);
            came++;
        }
        ck_assert_int_eq(r, 0);
        ck_assert_int_eq(came, staying);
        yunta_dict_iterator_destroy(it);
    } while (yunta_process_is_alive(child));
    end_is(child, 0);
    yunta_dict_destroy(dict);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("dict");
    TCase *cases = test_case(suite, "one process");
    tcase_add_test(cases, entries_come_change_and_go);
    tcase_add_test(cases, putting_under_a_condition);
    tcase_add_test(cases, adding);
    tcase_add_test(cases, updating_by_a_function);
    tcase_add_test(cases, what_makes_no_sense_is_refused);
    tcase_add_test(cases, it_grows_and_shrinks_and_gives_all_back);
    tcase_add_test(cases, each_entry_comes_once);
    tcase_add_test(cases, entries_in_their_slots);
    TCase *several = test_case(suite, "several");
    TEST_FOR_EACH_METHOD(several, several_processes_at_once);
    TEST_FOR_EACH_METHOD(several, several_processes_at_few_tables);
    TEST_FOR_EACH_METHOD(several, what_stays_comes_once_while_others_write);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
