/* Vector: growing without moving, elements that change as a whole, cutting and filling up.
 * It must not rely on who comes first.
 * Read next: ../crash/test_data_kill.c; src/data/README.md. */
#include "../proc/helpers.h"

#include "data/vector.h"

struct wide {
    uint64_t a, b, c;
};

static yunta_vector *new_vector(size_t element_size, size_t capacity)
{
    yunta_vector *vector = NULL;
    yunta_vector_options options = {.element_size = element_size, .capacity = capacity};
    ck_assert_int_eq(yunta_vector_create(&vector, &options), 0);
    return vector;
}

static bool is_sound(yunta_vector *vector)
{
    int error;
    return yn_vector_is_sound(yn_self_get(&error), vector);
}

START_TEST(elements_come_and_go_at_the_end)
{
    yunta_vector *v = new_vector(sizeof(int), 0);
    int x = 0;
    size_t index = 77;
    ck_assert_uint_eq(yunta_vector_size(v), 0);
    ck_assert_int_eq(yunta_vector_pop(v, &x), -ENOENT);
    for (int i = 0; i < 10000; i++) {
        ck_assert_int_eq(yunta_vector_push(v, &i, &index), 0);
        ck_assert_uint_eq(index, (size_t)i);
    }
    int *third = yunta_vector_at(v, 3);
    ck_assert_int_eq(*third, 3);
    for (int i = 10000; i < 50000; i++)
        ck_assert_int_eq(yunta_vector_push(v, &i, NULL), 0);
    ck_assert_ptr_eq(yunta_vector_at(v, 3), third); /* it has not moved */
    for (size_t i = 0; i < 50000; i += 17) {
        ck_assert_int_eq(yunta_vector_get(v, i, &x), 0);
        ck_assert_int_eq(x, (int)i);
    }
    ck_assert_int_eq(yunta_vector_set(v, 49999, &(int){-1}), 0);
    ck_assert_int_eq(yunta_vector_pop(v, &x), 0);
    ck_assert_int_eq(x, -1);
    ck_assert_int_eq(yunta_vector_pop(v, NULL), 0);
    ck_assert_uint_eq(yunta_vector_size(v), 49998);
    ck_assert_ptr_null(yunta_vector_at(v, 49998));
    ck_assert_int_eq(yunta_vector_get(v, 49998, &x), -ERANGE);
    ck_assert_int_eq(yunta_vector_set(v, 49998, &x), -ERANGE);
    ck_assert(is_sound(v));
    ck_assert_ptr_null(yunta_vector_destroy(v));
}
END_TEST

START_TEST(it_is_cut_and_filled_up_with_zeros)
{
    yunta_arena_stats full, cut;
    yunta_vector *v = new_vector(sizeof(struct wide), 10);
    for (uint64_t i = 0; i < 100000; i++)
        ck_assert_int_eq(yunta_vector_push(v, &(struct wide){i, i, i}, NULL), 0);
    ck_assert_int_eq(yunta_arena_read_stats(&full), 0);
    ck_assert_int_eq(yunta_vector_resize(v, 5), 0);
    ck_assert_int_eq(yunta_arena_read_stats(&cut), 0);
    ck_assert_uint_lt(cut.in_use, full.in_use - 2000000);
    ck_assert_uint_eq(yunta_vector_size(v), 5);
    ck_assert_int_eq(yunta_vector_resize(v, 300), 0);
    struct wide w;
    size_t cursor = 0;
    while (yunta_vector_next(v, &cursor, &w) == 1) {
        uint64_t wanted = cursor <= 5 ? cursor - 1 : 0;
        ck_assert(w.a == wanted && w.b == wanted && w.c == wanted);
    }
    ck_assert_uint_eq(cursor, 300);
    ck_assert_int_eq(yunta_vector_resize(v, 0), 0);
    ck_assert_int_eq(yunta_vector_pop(v, NULL), -ENOENT);
    ck_assert(is_sound(v));
    yunta_vector_destroy(v);
}
END_TEST

START_TEST(elements_of_any_size)
{
    for (size_t size = 1; size < 70; size += size < 18 ? 1 : 17) {
        yunta_vector *v = new_vector(size, 0);
        unsigned char in[70], out[70];
        for (int i = 0; i < 200; i++) {
            memset(in, i, sizeof in);
            ck_assert_int_eq(yunta_vector_push(v, in, NULL), 0);
        }
        memset(in, 99, sizeof in);
        ck_assert_int_eq(yunta_vector_set(v, 150, in), 0);
        ck_assert_int_eq(yunta_vector_get(v, 150, out), 0);
        ck_assert_mem_eq(in, out, size);
        memset(in, 149, sizeof in);
        ck_assert_int_eq(yunta_vector_get(v, 149, out), 0);
        ck_assert_mem_eq(in, out, size);
        yunta_vector_destroy(v);
    }
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
    yunta_vector *v = NULL;
    int x;
    size_t cursor = 0;
    ck_assert_int_eq(yunta_vector_create(NULL, &(yunta_vector_options){.element_size = 4}), -EINVAL);
    ck_assert_int_eq(yunta_vector_create(&v, NULL), -EINVAL);
    ck_assert_int_eq(yunta_vector_create(&v, &(yunta_vector_options){0}), -EINVAL);
    ck_assert_int_eq(yunta_vector_create(&v, &(yunta_vector_options){.element_size = 4, .reserved = {1}}), -EINVAL);
    ck_assert_int_eq(yunta_vector_create(&v, &(yunta_vector_options){.element_size = SIZE_MAX}), -EOVERFLOW);
    ck_assert_int_eq(yunta_vector_create(&v, &(yunta_vector_options){.element_size = 4, .capacity = SIZE_MAX / 2}),
                     -EOVERFLOW);
    ck_assert_ptr_null(v);
    v = new_vector(sizeof(int), 0);
    ck_assert_int_eq(yunta_vector_push(NULL, &x, NULL), -EINVAL);
    ck_assert_int_eq(yunta_vector_push(v, NULL, NULL), -EINVAL);
    ck_assert_int_eq(yunta_vector_pop(NULL, &x), -EINVAL);
    ck_assert_int_eq(yunta_vector_get(NULL, 0, &x), -EINVAL);
    ck_assert_int_eq(yunta_vector_get(v, 0, NULL), -EINVAL);
    ck_assert_int_eq(yunta_vector_get(v, SIZE_MAX, &x), -ERANGE);
    ck_assert_int_eq(yunta_vector_set(NULL, 0, &x), -EINVAL);
    ck_assert_int_eq(yunta_vector_set(v, 0, NULL), -EINVAL);
    ck_assert_int_eq(yunta_vector_set(v, SIZE_MAX, &(int){1}), -ERANGE);
    ck_assert_ptr_null(yunta_vector_at(NULL, 0));
    ck_assert_ptr_null(yunta_vector_at(v, SIZE_MAX));
    ck_assert_uint_eq(yunta_vector_size(NULL), 0);
    ck_assert_int_eq(yunta_vector_resize(NULL, 1), -EINVAL);
    ck_assert_int_eq(yunta_vector_resize(v, SIZE_MAX), -EOVERFLOW);
    ck_assert_int_eq(yunta_vector_next(NULL, &cursor, &x), -EINVAL);
    ck_assert_int_eq(yunta_vector_next(v, NULL, &x), -EINVAL);
    ck_assert_int_eq(yunta_vector_next(v, &cursor, NULL), -EINVAL);
    ck_assert_int_eq(yunta_vector_next(v, &cursor, &x), 0);
    ck_assert_ptr_null(yunta_vector_destroy(NULL));
    ck_assert(is_sound(v));
    yunta_vector_destroy(v);
}
END_TEST

struct crowd {
    yunta_vector *vector;
    uint64_t number;
    int turns;
};

static int go_about(const struct crowd *c)
{
    struct wide w;
    for (int i = 0; i < c->turns; i++) {
        uint64_t x = c->number << 32 | (uint64_t)i;
        size_t size = yunta_vector_size(c->vector), index;
        expect(yunta_vector_push(c->vector, &(struct wide){x, x, x}, &index) == 0);
        expect(yunta_vector_set(c->vector, 0, &(struct wide){x, x, x}) == 0);
        int r = yunta_vector_get(c->vector, size ? (size_t)i % size : 0, &w);
        expect(r == -ERANGE || (r == 0 && w.a == w.b && w.b == w.c));
        if (i % 3 == 2) {
            expect(yunta_vector_pop(c->vector, &w) == 0);
            expect(w.a == w.b && w.b == w.c);
        }
    }
    return 0;
}
YUNTA_ENTRY(go_about, struct crowd);

START_TEST(several_processes_at_once)
{
    enum { workers = 3 };
    int turns = test_rounds(9000);
    turns -= turns % 3;
    yunta_vector *v = new_vector(sizeof(struct wide), 0);
    yunta_process *child[workers];
    for (uint64_t i = 0; i < workers; i++)
        start_by(TEST_METHOD, &child[i], go_about, &(struct crowd){v, i, turns});
    ck_assert_int_eq(go_about(&(struct crowd){v, workers, turns}), 0);
    for (int i = 0; i < workers; i++)
        end_is(child[i], 0);
    ck_assert_uint_eq(yunta_vector_size(v), (size_t)(turns / 3 * 2 * (workers + 1)));
    ck_assert(is_sound(v));
    yunta_vector_destroy(v);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("vector");
    TCase *cases = test_case(suite, "one process");
    tcase_add_test(cases, elements_come_and_go_at_the_end);
    tcase_add_test(cases, it_is_cut_and_filled_up_with_zeros);
    tcase_add_test(cases, elements_of_any_size);
    tcase_add_test(cases, what_makes_no_sense_is_refused);
    TCase *several = test_case(suite, "several");
    TEST_FOR_EACH_METHOD(several, several_processes_at_once);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
