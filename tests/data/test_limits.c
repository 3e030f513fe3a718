/* Containers at the end of memory, which stay whole, and beside a stopped reader, who holds up nobody.
 * It must not rely on how much fits.
 * Read next: src/data/README.md. */
#include "../proc/helpers.h"

#include "data/dict.h"

enum { LIMIT = 32 << 20 };

static uint64_t blocks(void)
{
    yunta_arena_stats stats;
    ck_assert_int_eq(yunta_arena_read_stats(&stats), 0);
    return stats.blocks;
}

START_TEST(a_full_dict_stays_whole)
{
    ck_assert_int_eq(yunta_set_arena_limit(LIMIT), 0);
    yunta_dict *dict;
    static char value[4000];
    bool in_place = _i == 1;
    yunta_dict_options options = {.key_size = 8, .value_size = in_place ? 8 : 0};
    size_t size = in_place ? 8 : sizeof value;
    ck_assert_int_eq(yunta_dict_create(&dict, &options), 0);
    uint64_t count = 0;
    int r;
    while ((r = yunta_dict_put(dict, &count, 8, value, size)) == 0)
        count++;
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert_uint_ge(count, 1000);
    ck_assert_uint_eq(yunta_dict_size(dict), count);
    ck_assert(yn_dict_is_sound(dict));
    ck_assert(!yunta_dict_contains(dict, &count, 8));
    uint64_t there = 0, removed = 0;
    for (uint64_t i = 0; i < count; i++)
        there += yunta_dict_contains(dict, &i, 8);
    ck_assert_uint_eq(there, count);
    for (uint64_t i = 0; i < count; i++) /* also where a smaller table cannot be had */
        removed += yunta_dict_remove(dict, &i, 8) == 0;
    ck_assert_uint_eq(removed, count);
    ck_assert_uint_eq(yunta_dict_size(dict), 0);
    ck_assert_int_eq(yunta_dict_put(dict, &count, 8, value, size), 0);
    ck_assert(yn_dict_is_sound(dict));
    yunta_dict_destroy(dict);
}
END_TEST

START_TEST(a_full_vector_stays_whole)
{
    ck_assert_int_eq(yunta_set_arena_limit(LIMIT), 0);
    yunta_vector *vector;
    static const uint64_t element[64] = {7};
    uint64_t before = blocks(), copy[64];
    int r;
    ck_assert_int_eq(yunta_vector_create(&vector, &(yunta_vector_options){.element_size = sizeof element}), 0);
    uint64_t empty = blocks();
    ck_assert_int_eq(yunta_vector_resize(vector, 4 * (size_t)LIMIT / sizeof element), -ENOMEM);
    ck_assert_uint_eq(yunta_vector_size(vector), 0);
    ck_assert_uint_le(blocks(), empty + 1); /* one spare segment at most */
    while ((r = yunta_vector_push(vector, element, NULL)) == 0) {
    }
    ck_assert_int_eq(r, -ENOMEM);
    size_t size = yunta_vector_size(vector);
    ck_assert_uint_ge(size, 1000);
    ck_assert_int_eq(yunta_vector_get(vector, size - 1, copy), 0);
    ck_assert_uint_eq(copy[0], 7);
    ck_assert_int_eq(yunta_vector_pop(vector, copy), 0);
    ck_assert_int_eq(yunta_vector_push(vector, element, NULL), 0);
    yunta_vector_destroy(vector);
    ck_assert_uint_eq(blocks(), before);
}
END_TEST

START_TEST(a_full_string_stays_whole)
{
    ck_assert_int_eq(yunta_set_arena_limit(LIMIT), 0);
    yunta_string *string;
    static char piece[1 << 20], out[4];
    size_t size;
    int r;
    memset(piece, 'z', sizeof piece);
    ck_assert_int_eq(yunta_string_create(&string), 0);
    for (size = 0; (r = yunta_string_append(string, piece, sizeof piece)) == 0; size += sizeof piece) {
    }
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert_uint_ge(size, sizeof piece);
    ck_assert_uint_eq(yunta_string_size(string), size);
    ck_assert_int_eq(yunta_string_set(string, "yunta", 5), 0);
    ck_assert_int_eq(yunta_string_get(string, out, sizeof out, &size), -EMSGSIZE);
    ck_assert_uint_eq(size, 5);
    yunta_string_destroy(string);
}
END_TEST

struct reader {
    yunta_dict *dict;
    shared_word *reads;
};

static int read_on(const struct reader *r)
{
    char value[400];
    for (int key = 0;; key = (key + 1) % 8) {
        size_t size = 0;
        int got = yunta_dict_get(r->dict, &key, sizeof key, value, sizeof value, &size);
        expect(got == -ENOENT || (got == 0 && value[0] == value[size - 1]));
        atomic_store(r->reads, atomic_load(r->reads) % 1000 + 1);
    }
}
YUNTA_ENTRY(read_on, struct reader);

/* Whatever the reader was looking at when it was stopped, writers free it and use it anew; memory does not grow, and
 * the reader goes on. */
START_TEST(a_stopped_reader_holds_up_nobody)
{
    struct reader r = {.reads = new_word()};
    yunta_process *child;
    char value[400];
    ck_assert_int_eq(yunta_dict_create(&r.dict, &(yunta_dict_options){.key_size = sizeof(int), .stripes = 1}), 0);
    for (int key = 0; key < 8; key++)
        ck_assert_int_eq(yunta_dict_put(r.dict, &key, sizeof key, memset(value, 'a', sizeof value), 300), 0);
    start_by(TEST_METHOD, &child, read_on, &r);
    uint64_t there = 0;
    for (int stop = 0; stop < 20; stop++) {
        atomic_store(r.reads, 0);
        while (atomic_load(r.reads) == 0)
            test_nap();
        ck_assert_int_eq(kill(yunta_process_pid(child), SIGSTOP), 0);
        for (int i = 0; i < 2000; i++) {
            int key = i % 8;
            memset(value, 'a' + i % 26, sizeof value);
            ck_assert_int_eq(yunta_dict_put(r.dict, &key, sizeof key, value, (size_t)(200 + i % 200)), 0);
            if (i % 100 == 99)
                ck_assert_int_eq(yunta_dict_clear(r.dict), 0);
        }
        there = stop == 0 ? blocks() : there;
        ck_assert_uint_eq(blocks(), there);
        ck_assert_int_eq(kill(yunta_process_pid(child), SIGCONT), 0);
    }
    ck_assert_int_eq(kill(yunta_process_pid(child), SIGKILL), 0);
    end_is(child, YUNTA_ECRASHED);
    yunta_dict_destroy(r.dict);
    yunta_shared_free(r.reads);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("data limits");
    TCase *cases = test_case(suite, "limits");
    tcase_add_loop_test(cases, a_full_dict_stays_whole, 0, 2);
    tcase_add_test(cases, a_full_vector_stays_whole);
    tcase_add_test(cases, a_full_string_stays_whole);
    TEST_FOR_EACH_METHOD(cases, a_stopped_reader_holds_up_nobody);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
