/* Containers whose users are killed thousands of times at moments that nobody chose.
 * It must not count on time-outs. YUNTA_KILLS says how many kills (2,000 in all).
 * Read next: test_data_kill.c, the same step by step.
 *
 * timeout: 300 */
#include "../proc/helpers.h"

#include "../sync/endless.h"
#include "data/dict.h"

enum { keys = 200, largest = 300 };

/* What the workers share. */
typedef struct table {
    yunta_dict *dict;
    yunta_vector *vector;
    yunta_string *string;
    yunta_counters *counters;
    _Atomic long counted; /* before a counter was added to */
    _Atomic long done;    /* turns, by all */
    _Atomic int stop;
    _Atomic int wrong; /* a line */
} table;

#include "random_kills.h"

/* All bytes of a value are alike, so that half of another one shows. */
static size_t fill(unsigned char *value)
{
    size_t size = 1 + some(largest);
    memset(value, (int)some(251), size);
    return size;
}

static bool is_whole(const unsigned char *value, size_t size)
{
    for (size_t i = 1; i < size; i++)
        if (value[i] != value[0])
            return false;
    return size >= 1 && size <= largest;
}

static void turn_with_dict(void)
{
    unsigned char value[largest];
    uint32_t key = some(keys);
    size_t size = 0;
    int r = 0;
    switch (some(4)) {
    case 0:
        expect_in_worker(yunta_dict_put(t->dict, &key, sizeof key, value, fill(value)) == 0);
        return;
    case 1:
        r = yunta_dict_remove(t->dict, &key, sizeof key);
        expect_in_worker(r == 0 || r == -ENOENT);
        return;
    case 2:
        r = yunta_dict_pop(t->dict, &key, sizeof key, value, sizeof value, &size);
        break;
    default:
        r = yunta_dict_get(t->dict, &key, sizeof key, value, sizeof value, &size);
    }
    expect_in_worker(r == -ENOENT || (r == 0 && is_whole(value, size)));
}

static void turn_with_vector(void)
{
    unsigned char value[largest];
    size_t size = yunta_vector_size(t->vector);
    fill(value);
    memset(value, value[0], largest);
    if (size < 400 && some(2) == 0) {
        expect_in_worker(yunta_vector_push(t->vector, value, NULL) == 0);
    } else if (some(3) == 0) {
        int r = yunta_vector_pop(t->vector, value);
        expect_in_worker(r == -ENOENT || (r == 0 && is_whole(value, largest)));
    } else {
        int r = some(2) == 0 ? yunta_vector_set(t->vector, some(100), value) : yunta_vector_get(t->vector, 3, value);
        expect_in_worker(r == -ERANGE || (r == 0 && is_whole(value, largest)));
    }
}

static void turn_with_string(void)
{
    unsigned char value[largest];
    size_t size;
    if (some(2) == 0)
        expect_in_worker(yunta_string_set(t->string, value, fill(value)) == 0);
    int r = yunta_string_get(t->string, value, sizeof value, &size);
    expect_in_worker(r == 0 && is_whole(value, size));
}

static void turn(long me)
{
    (void)me;
    turn_with_dict();
    turn_with_vector();
    dawdle(50);
    turn_with_string();
    atomic_fetch_add(&t->counted, 1);
    expect_in_worker(yunta_counters_add(t->counters, some(2), 1) == 0);
}

START_TEST(what_is_left_is_whole)
{
    make_table();
    ck_assert_int_eq(yunta_dict_create(&t->dict, &(yunta_dict_options){.stripes = 2}), 0);
    ck_assert_int_eq(yunta_vector_create(&t->vector, &(yunta_vector_options){.element_size = largest}), 0);
    ck_assert_int_eq(yunta_string_create(&t->string), 0);
    ck_assert_int_eq(yunta_string_set(t->string, "x", 1), 0);
    ck_assert_int_eq(yunta_counters_create(&t->counters), 0);
    long kills = kills_wanted();
    pid_t pid[workers];
    for (int i = 0; i < workers; i++)
        pid[i] = start_worker(turn);
    for (long i = 0; i < kills; i++) {
        for (uint32_t spins = some(3000); spins > 0; spins--)
            yn_pause();
        replace(&pid[some(workers)], turn);
    }
    long done = atomic_load(&t->done);
    test_wait_until(atomic_load(&t->done) > done + 100, 10000);
    atomic_store(&t->stop, 1);
    for (int i = 0; i < workers; i++)
        await_end(pid[i]);

    /* Who writes to a stripe puts right what the last death there has left. */
    for (uint32_t key = 1000; key < 1100; key++)
        ck_assert_int_eq(yunta_dict_put(t->dict, &key, sizeof key, "x", 1), 0);
    size_t there = 0;
    for (uint32_t key = 0; key < 1100; key++)
        there += yunta_dict_contains(t->dict, &key, sizeof key);
    ck_assert_uint_eq(yunta_dict_size(t->dict), there);
    ck_assert(yn_dict_is_sound(t->dict));
    int64_t sum = yunta_counters_sum(t->counters, 0) + yunta_counters_sum(t->counters, 1);
    ck_assert_int_le(sum, t->counted);
    ck_assert_int_ge(sum, t->counted - kills);
    yunta_dict_destroy(t->dict);
    yunta_vector_destroy(t->vector);
    yunta_string_destroy(t->string);
    yunta_counters_destroy(t->counters);
    yunta_shared_free(t);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("data_random");
    TCase *cases = test_case(suite, "random kills");
    tcase_set_timeout(cases, 200);
    tcase_add_test(cases, what_is_left_is_whole);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
