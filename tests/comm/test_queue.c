/* The queue in one process: what each call does and says, sizes, capacities, closing; every documented error.
 * It must not need a second process; test_queue_processes.c has those.
 * Read next: include/yunta/queue.h.
 * labels: valgrind */
#include "shm/heap.h"
#include "test_queue_guest.h"

#include <errno.h>
#include <string.h>

static yunta_queue *items(size_t capacity)
{
    yunta_queue *q = NULL;
    ck_assert_int_eq(yunta_queue_create(&q, &(yunta_queue_options){.item_size = sizeof(int), .capacity = capacity}), 0);
    ck_assert_ptr_nonnull(q);
    return q;
}

static yunta_queue *messages(size_t capacity)
{
    yunta_queue *q = NULL;
    ck_assert_int_eq(yunta_queue_create(&q, &(yunta_queue_options){.capacity = capacity}), 0);
    return q;
}

static void put_int(yunta_queue *q, int value)
{
    ck_assert_int_eq(yunta_queue_put(q, &value, 0), 0);
}

static int get_int(yunta_queue *q)
{
    int value = -1;
    ck_assert_int_eq(yunta_queue_get(q, &value, 0), 0);
    return value;
}

START_TEST(null_is_told)
{
    int value = 0;
    size_t size;
    yunta_queue_stats stats;
    yunta_queue *q = items(0);
    ck_assert_int_eq(yunta_queue_create(NULL, NULL), -EINVAL);
    ck_assert_int_eq(yunta_queue_put(NULL, &value, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_put(q, NULL, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_get(NULL, &value, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_get(q, NULL, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_put_bytes(NULL, &value, 4, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_put_bytes(q, NULL, 4, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_get_bytes(NULL, &value, 4, &size, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_get_bytes(q, NULL, 4, &size, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_get_bytes(q, &value, 4, NULL, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_close(NULL), -EINVAL);
    ck_assert_int_eq(yunta_queue_read_stats(NULL, &stats), -EINVAL);
    ck_assert_int_eq(yunta_queue_read_stats(q, NULL), -EINVAL);
    ck_assert_uint_eq(yunta_queue_size(NULL), 0);
    ck_assert(yunta_queue_is_empty(NULL));
    ck_assert(!yunta_queue_is_full(NULL));
    ck_assert(!yunta_queue_is_closed(NULL));
    ck_assert_ptr_null(yunta_queue_destroy(NULL));
    ck_assert_ptr_null(yunta_queue_destroy(q));
}
END_TEST

START_TEST(options_are_checked)
{
    yunta_queue *q = (yunta_queue *)&q;
    ck_assert_int_eq(yunta_queue_create(&q, &(yunta_queue_options){.reserved = {[3] = 1}}), -EINVAL);
    ck_assert_int_eq(yunta_queue_create(&q, &(yunta_queue_options){.item_size = SIZE_MAX}), -EOVERFLOW);
    ck_assert_int_eq(yunta_queue_create(&q, &(yunta_queue_options){.capacity = SIZE_MAX}), -EOVERFLOW);
    ck_assert_int_eq(yunta_queue_create(&q, &(yunta_queue_options){.capacity = SIZE_MAX / 128 + 2}), -EOVERFLOW);
    ck_assert_int_eq(yunta_queue_create(&q, &(yunta_queue_options){.item_size = (size_t)1 << 39}), -EOVERFLOW);
    ck_assert_msg(q == (yunta_queue *)&q, "the result was written on failure");
}
END_TEST

START_TEST(memory_running_out_is_told)
{
    ck_assert_int_eq(yunta_set_arena_limit(16 << 20), 0);
    yunta_queue *q = NULL;
    ck_assert_int_eq(yunta_queue_create(&q, &(yunta_queue_options){.capacity = 1 << 20}), -ENOMEM);
    ck_assert_ptr_null(q);
    q = messages(0);
    static char message[1 << 20];
    int n = 0, r;
    while ((r = yunta_queue_put_bytes(q, message, sizeof message, 0)) == 0)
        n++;
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert_int_gt(n, 4);
    ck_assert_uint_eq(yunta_queue_size(q), (size_t)n);
    /* What was put is all there, and makes room again. */
    size_t size;
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(yunta_queue_get_bytes(q, message, sizeof message, &size, 0), 0);
    ck_assert_int_eq(yunta_queue_put_bytes(q, message, sizeof message, 0), 0);
    ck_assert_int_eq(yunta_queue_put_bytes(q, message, (size_t)1 << 45, 0), -ENOMEM);
    /* Small messages need links. */
    while ((r = yunta_queue_put_bytes(q, "x", 1, 0)) == 0)
        n++;
    ck_assert_int_eq(r, -ENOMEM);
    size_t many = yunta_queue_size(q);
    for (size_t i = 0; i < many; i++)
        ck_assert_int_eq(yunta_queue_get_bytes(q, message, sizeof message, &size, 0), 0);
    ck_assert(yunta_queue_is_empty(q));
    ck_assert_int_eq(yunta_queue_put_bytes(q, "x", 1, 0), 0);
    yunta_queue_destroy(q);
}
END_TEST

START_TEST(items_and_messages_are_told_apart)
{
    int value = 7;
    char text[8] = "";
    size_t size = 99;
    yunta_queue *q = messages(0);
    ck_assert_int_eq(yunta_queue_put(q, &value, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_get(q, &value, 0), -EINVAL);
    yunta_queue_destroy(q);
    q = items(0);
    ck_assert_int_eq(yunta_queue_put_bytes(q, text, 3, 0), -EMSGSIZE);
    ck_assert_int_eq(yunta_queue_put_bytes(q, text, sizeof text, 0), -EMSGSIZE); /* larger than an item */
    ck_assert_int_eq(yunta_queue_put_bytes(q, text, 0, 0), -EMSGSIZE);
    ck_assert(yunta_queue_is_empty(q));
    ck_assert_int_eq(yunta_queue_put_bytes(q, &value, sizeof value, 0), 0);
    ck_assert_int_eq(yunta_queue_get_bytes(q, text, sizeof text, &size, 0), 0);
    ck_assert_uint_eq(size, sizeof value);
    ck_assert_mem_eq(text, &value, sizeof value);
    yunta_queue_destroy(q);
}
END_TEST

START_TEST(an_empty_queue_times_out)
{
    int value = 42;
    size_t size = 99;
    yunta_queue *q = items((size_t)_i);
    ck_assert_int_eq(yunta_queue_get(q, &value, 0), -ETIMEDOUT);
    uint64_t began = test_now_ms();
    ck_assert_int_eq(yunta_queue_get_bytes(q, &value, sizeof value, &size, 30), -ETIMEDOUT);
    ck_assert_uint_ge(test_now_ms() - began, 29);
    ck_assert_msg(value == 42 && size == 99, "a result was written on failure");
    yunta_queue_destroy(q);
}
END_TEST

static const size_t capacities[] = {1, 2, 3, 5, 64, 1000};

START_TEST(it_holds_exactly_its_capacity)
{
    size_t capacity = capacities[_i];
    yunta_queue *q = items(capacity);
    int value = 0, next = 0, expected = 0;
    for (int lap = 0; lap < 7; lap++) {
        for (size_t n = 0; n < capacity; n++) {
            ck_assert(!yunta_queue_is_full(q));
            ck_assert_uint_eq(yunta_queue_size(q), n);
            ck_assert(yunta_queue_is_empty(q) == (n == 0));
            put_int(q, next++);
        }
        ck_assert(yunta_queue_is_full(q));
        ck_assert_uint_eq(yunta_queue_size(q), capacity);
        ck_assert_int_eq(yunta_queue_put(q, &value, 0), -ETIMEDOUT);
        uint64_t began = test_now_ms();
        ck_assert_int_eq(yunta_queue_put(q, &value, lap == 0 ? 20 : 1), -ETIMEDOUT);
        ck_assert_uint_ge(test_now_ms() - began, lap == 0 ? 19 : 0);
        /* Not always a whole lap, so that the next one begins elsewhere. */
        for (size_t n = 0; n < capacity - (size_t)(lap % 2); n++)
            ck_assert_int_eq(get_int(q), expected++);
        for (; expected < next;)
            ck_assert_int_eq(get_int(q), expected++);
        ck_assert_int_eq(yunta_queue_get(q, &value, 0), -ETIMEDOUT);
    }
    yunta_queue_destroy(q);
}
END_TEST

START_TEST(any_fill_at_any_place_of_the_ring)
{
    enum { capacity = 5 };
    yunta_queue *q = items(capacity);
    int next = 0, expected = 0;
    for (int turn = 0; turn < 500; turn++) {
        int fill = turn * 7 % (capacity + 1);
        while (next - expected < fill)
            put_int(q, next++);
        ck_assert_uint_eq(yunta_queue_size(q), (size_t)(next - expected));
        while (next - expected > fill * 3 % (capacity + 1) && next > expected)
            ck_assert_int_eq(get_int(q), expected++);
        ck_assert_uint_eq(yunta_queue_size(q), (size_t)(next - expected));
    }
    yunta_queue_destroy(q);
}
END_TEST

static const size_t sizes[] = {0, 1, 7, 8, 111, 112, 113, 1023, 1024, 1025, 65537, 1 << 20};

static void fill(unsigned char *message, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++)
        message[i] = (unsigned char)(seed + i * 31 + i / 256);
}

START_TEST(messages_of_any_size)
{
    size_t size = sizes[_i], told;
    unsigned char *in = malloc(size + 1), *out = malloc(size + 1);
    yunta_queue *q = messages(_i % 2 ? 3 : 0);
    for (unsigned turn = 0; turn < 7; turn++) {
        for (unsigned i = 0; i < 3; i++) {
            fill(in, size, turn + i);
            ck_assert_int_eq(yunta_queue_put_bytes(q, size ? in : NULL, size, 0), 0);
        }
        for (unsigned i = 0; i < 3; i++) {
            fill(in, size, turn + i);
            memset(out, 0xee, size + 1);
            if (size > 0) {
                told = 0;
                ck_assert_int_eq(yunta_queue_get_bytes(q, out, size - 1, &told, 0), -EMSGSIZE);
                ck_assert_uint_eq(told, size);
                ck_assert_int_eq(yunta_queue_get_bytes(q, NULL, 0, &told, 0), -EMSGSIZE);
                ck_assert_msg(out[0] == 0xee, "the buffer was written to");
            }
            ck_assert_uint_eq(yunta_queue_size(q), 3 - i);
            ck_assert_int_eq(yunta_queue_get_bytes(q, out, size, &told, 0), 0);
            ck_assert_uint_eq(told, size);
            ck_assert(memcmp(in, out, size) == 0);
            ck_assert_msg(out[size] == 0xee, "written beyond the message");
        }
    }
    yunta_queue_destroy(q);
    free(in);
    free(out);
}
END_TEST

/* Where there are many, longer ones have blocks of their own sooner. */
START_TEST(items_of_any_size)
{
    size_t size = sizes[_i / 2], capacity = _i % 2 ? 40000 : 2;
    yunta_queue *q = NULL;
    if (size == 0)
        return;
    unsigned char *in = malloc(size), *out = malloc(size);
    ck_assert_int_eq(yunta_queue_create(&q, &(yunta_queue_options){.item_size = size, .capacity = capacity}), 0);
    for (unsigned i = 0; i < 5; i++) {
        fill(in, size, i);
        ck_assert_int_eq(yunta_queue_put(q, in, 0), 0);
        memset(out, 0, size);
        ck_assert_int_eq(yunta_queue_get(q, out, 0), 0);
        ck_assert(memcmp(in, out, size) == 0);
    }
    yunta_queue_destroy(q);
    free(in);
    free(out);
}
END_TEST

START_TEST(sizes_mixed_in_one_queue)
{
    static unsigned char in[5000], out[5000];
    yunta_queue *q = messages(0);
    unsigned put = 0, got = 0;
    for (int turn = 0; turn < 3000; turn++) {
        if (turn % 5 < 3 || put == got) {
            fill(in, put * 97 % 400 * (put % 11), put);
            ck_assert_int_eq(yunta_queue_put_bytes(q, in, put * 97 % 400 * (put % 11), 0), 0);
            put++;
        } else {
            size_t size;
            ck_assert_int_eq(yunta_queue_get_bytes(q, out, sizeof out, &size, 0), 0);
            ck_assert_uint_eq(size, got * 97 % 400 * (got % 11));
            fill(in, size, got++);
            ck_assert(memcmp(in, out, size) == 0);
        }
    }
    ck_assert_uint_eq(yunta_queue_size(q), put - got);
    yunta_queue_destroy(q); /* with messages in it */
}
END_TEST

START_TEST(unbounded_takes_and_gives_back)
{
    enum { many = 60000 };
    yn_heap_figures before, full, after;
    yunta_queue *q = items(0);
    put_int(q, -1);
    ck_assert_int_eq(get_int(q), -1);
    yn_heap_read(guest_self(), &before);
    for (int turn = 0; turn < 3; turn++) {
        for (int i = 0; i < many; i++)
            put_int(q, i);
        ck_assert_uint_eq(yunta_queue_size(q), many);
        ck_assert(!yunta_queue_is_full(q));
        yn_heap_read(guest_self(), &full);
        ck_assert_uint_ge(full.in_use - before.in_use, (uint64_t)many * (16 + 8));
        for (int i = 0; i < many; i++) {
            ck_assert_int_eq(get_int(q), i);
            if (i % 5000 == 0)
                ck_assert_uint_eq(yunta_queue_size(q), (size_t)(many - 1 - i));
        }
        ck_assert(yunta_queue_is_empty(q));
        yn_heap_read(guest_self(), &after);
        /* One link in use, one kept for the next burst, and their directory. */
        ck_assert_uint_le(after.in_use, before.in_use + 3 * 70000);
    }
    yunta_queue_destroy(q);
}
END_TEST

START_TEST(nothing_is_left_after_destroy)
{
    yn_heap_figures before, after;
    static char message[3000];
    size_t size;
    yunta_queue *q = messages(4); /* whatever the heap sets up at first use */
    yunta_queue_destroy(q);
    yn_heap_read(guest_self(), &before);
    for (int bounded = 0; bounded < 2; bounded++)
        for (int state = 0; state < 3; state++) {
            q = messages(bounded ? 400 : 0);
            for (int i = 0; i < 400; i++)
                ck_assert_int_eq(yunta_queue_put_bytes(q, message, (size_t)(i % 3) * 1000, 0), 0);
            for (int i = 0; i < 200 * state; i++)
                ck_assert_int_eq(yunta_queue_get_bytes(q, message, sizeof message, &size, 0), 0);
            yunta_queue_destroy(q);
        }
    yn_heap_read(guest_self(), &after);
    ck_assert_uint_eq(after.blocks, before.blocks);
}
END_TEST

START_TEST(closing)
{
    int value = 1;
    size_t size;
    yunta_queue *q = items(_i ? 4 : 0);
    ck_assert(!yunta_queue_is_closed(q));
    put_int(q, 1);
    put_int(q, 2);
    ck_assert_int_eq(yunta_queue_close(q), 0);
    ck_assert(yunta_queue_is_closed(q));
    ck_assert_int_eq(yunta_queue_close(q), 0);
    ck_assert_int_eq(yunta_queue_put(q, &value, 0), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_queue_put(q, &value, YUNTA_FOREVER), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_queue_put_bytes(q, &value, sizeof value, 0), YUNTA_ECLOSED);
    ck_assert_uint_eq(yunta_queue_size(q), 2);
    ck_assert(!yunta_queue_is_full(q));
    ck_assert_int_eq(get_int(q), 1);
    ck_assert_int_eq(yunta_queue_get_bytes(q, NULL, 0, &size, YUNTA_FOREVER), -EMSGSIZE);
    ck_assert_int_eq(get_int(q), 2);
    ck_assert_int_eq(yunta_queue_get(q, &value, 0), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_queue_get(q, &value, YUNTA_FOREVER), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_queue_get_bytes(q, NULL, 0, &size, 0), YUNTA_ECLOSED);
    ck_assert(yunta_queue_is_empty(q) && yunta_queue_size(q) == 0);
    yunta_queue_destroy(q);
}
END_TEST

START_TEST(closing_at_each_fill)
{
    /* Also where the chain changes from one link to the next. */
    for (int n = 0; n < 100; n++) {
        yunta_queue *q = items(_i ? 100 : 0);
        for (int i = 0; i < n; i++)
            put_int(q, i);
        for (int i = 0; i < n / 3; i++)
            ck_assert_int_eq(get_int(q), i);
        ck_assert_int_eq(yunta_queue_close(q), 0);
        for (int i = n / 3; i < n; i++)
            ck_assert_int_eq(get_int(q), i);
        int value;
        ck_assert_int_eq(yunta_queue_get(q, &value, 0), YUNTA_ECLOSED);
        yunta_queue_destroy(q);
    }
}
END_TEST

START_TEST(figures_are_told)
{
    yunta_queue_stats stats;
    yunta_queue *q = items(3);
    put_int(q, 1);
    put_int(q, 2);
    memset(&stats, 0xff, sizeof stats);
    ck_assert_int_eq(yunta_queue_read_stats(q, &stats), 0);
    static const yunta_queue_stats expected = {.size = 2, .puts = 2, .high_water = 2};
    ck_assert_mem_eq(&stats, &expected, sizeof stats);
    yunta_queue_destroy(q);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("queue");
    TCase *cases = test_case(suite, "errors");
    tcase_add_test(cases, null_is_told);
    tcase_add_test(cases, options_are_checked);
    tcase_add_test(cases, memory_running_out_is_told);
    tcase_add_test(cases, items_and_messages_are_told_apart);
    tcase_add_loop_test(cases, an_empty_queue_times_out, 0, 2);
    cases = test_case(suite, "contents");
    tcase_add_loop_test(cases, it_holds_exactly_its_capacity, 0, (int)YN_COUNT(capacities));
    tcase_add_test(cases, any_fill_at_any_place_of_the_ring);
    tcase_add_loop_test(cases, messages_of_any_size, 0, (int)YN_COUNT(sizes));
    tcase_add_loop_test(cases, items_of_any_size, 0, 2 * (int)YN_COUNT(sizes));
    tcase_add_test(cases, sizes_mixed_in_one_queue);
    tcase_add_test(cases, unbounded_takes_and_gives_back);
    tcase_add_test(cases, nothing_is_left_after_destroy);
    cases = test_case(suite, "closing");
    tcase_add_loop_test(cases, closing, 0, 2);
    tcase_add_loop_test(cases, closing_at_each_fill, 0, 2);
    tcase_add_test(cases, figures_are_told);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
