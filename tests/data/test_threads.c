/* The containers used by threads, where ThreadSanitizer sees all of it.
 * It must not start a process, nor use a method that a process could not.
 * Read next: test_dict.c, which uses processes.
 *
 * labels: threads valgrind */
#include "../proc/helpers.h"

#include "data/dict.h"

#include <pthread.h>

enum { THREADS = 3, TURNS = 1500, KEYS = 40, LONGEST = 100 };

typedef struct wide {
    uint64_t a, b, c;
} wide;

static struct things {
    yunta_dict *texts, *numbers;
    yunta_vector *vector;
    yunta_string *string;
    yunta_counters *counters;
} the;

/* Who looks without the guard may look at what has been freed, and is its next owner's by then, which the version
 * tells it afterwards (data/README.md). ThreadSanitizer is spared these looks; the simulator sees them all. The stack
 * of an access is remembered for as long as it can be, so that they are known. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:^look_for$\nrace:^look_at_home$\nrace:^yn_look_until$\n";
}

const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "history_size=7";
}

static int use_dicts(uint64_t random)
{
    uint64_t key = random >> 40 & 31, value;
    unsigned char text[LONGEST];
    size_t size = 1 + (random >> 20) % LONGEST;
    memset(text, (int)key, sizeof text);
    if (random >> 60 < 4) {
        expect(yunta_dict_put(the.texts, &key, sizeof key, text, size) == 0);
        expect(yunta_dict_put(the.numbers, &key, sizeof key, &(uint64_t){key << 32 | size}, sizeof value) == 0);
    } else if (random >> 60 < 7) {
        expect(yunta_dict_remove(the.texts, &key, sizeof key) <= 0);
        expect(yunta_dict_remove(the.numbers, &key, sizeof key) <= 0);
    }
    int r = yunta_dict_get(the.texts, &key, sizeof key, text, sizeof text, &size);
    expect(r == -ENOENT || (r == 0 && text[0] == key && text[size - 1] == key));
    r = yunta_dict_get(the.numbers, &key, sizeof key, &value, sizeof value, NULL);
    expect(r == -ENOENT || (r == 0 && value >> 32 == key));
    expect(yunta_dict_add(the.numbers, &(uint64_t){1000}, sizeof key, 1, NULL) == 0);
    return 0;
}

static int go_through(yunta_dict *dict)
{
    yunta_dict_iterator *it;
    yunta_dict_entry entry;
    int r;
    expect(yunta_dict_iterate(&it, dict) == 0);
    while ((r = yunta_dict_next(it, &entry)) == 1)
        expect(entry.key_size == 8 && entry.value_size >= 1);
    expect(r == 0);
    yunta_dict_iterator_destroy(it);
    return 0;
}

static int use_rest(uint64_t x, int turn)
{
    wide w = {x, x, x};
    char text[200];
    size_t size;
    expect(yunta_vector_push(the.vector, &w, NULL) == 0);
    expect(yunta_vector_set(the.vector, 0, &w) == 0);
    expect(yunta_vector_get(the.vector, (size_t)(turn % 2), &w) <= 0);
    expect(w.a == w.b && w.b == w.c);
    if (turn % 3 != 0)
        expect(yunta_vector_pop(the.vector, NULL) == 0);
    memset(text, 'a' + turn % 26, sizeof text);
    expect(yunta_string_set(the.string, text, (size_t)(1 + turn % 100)) == 0);
    expect(yunta_string_append(the.string, text, 1) == 0);
    expect(yunta_string_get(the.string, text, sizeof text, &size) <= 0);
    expect(yunta_counters_add(the.counters, (uint32_t)(turn % 5), 1) == 0);
    return 0;
}

static void *go_about(void *number)
{
    uint64_t random = *(const uint64_t *)number * UINT64_C(2654435761) + 1;
    int turns = test_rounds(TURNS);
    for (int i = 0; i < turns; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        intptr_t r = use_dicts(random);
        r = r ? r : use_rest(random, i);
        r = r || i % 100 != 0 ? r : go_through(i % 200 ? the.texts : the.numbers);
        if (r != 0)
            return (void *)r;
    }
    return NULL;
}

START_TEST(containers_by_threads)
{
    pthread_t thread[THREADS];
    uint64_t number[THREADS];
    int64_t sum = 0, counted = 0;
    yunta_dict_options numbers = {.key_size = 8, .value_size = 8, .stripes = 2};
    ck_assert_int_eq(yunta_dict_create(&the.texts, &(yunta_dict_options){.key_size = 8, .stripes = 2}), 0);
    ck_assert_int_eq(yunta_dict_create(&the.numbers, &numbers), 0);
    ck_assert_int_eq(yunta_vector_create(&the.vector, &(yunta_vector_options){.element_size = sizeof(wide)}), 0);
    ck_assert_int_eq(yunta_string_create(&the.string), 0);
    ck_assert_int_eq(yunta_counters_create(&the.counters), 0);
    for (uint64_t i = 0; i < THREADS; i++) {
        number[i] = i;
        ck_assert_int_eq(pthread_create(&thread[i], NULL, go_about, &number[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *wrong = NULL;
        ck_assert_int_eq(pthread_join(thread[i], &wrong), 0);
        ck_assert_int_eq((int)(intptr_t)wrong, 0);
    }
    ck_assert_int_eq(yunta_dict_get(the.numbers, &(uint64_t){1000}, 8, &sum, sizeof sum, NULL), 0);
    ck_assert_int_eq(sum, (int64_t)test_rounds(TURNS) * THREADS);
    for (uint32_t i = 0; i < 5; i++)
        counted += yunta_counters_sum(the.counters, i);
    ck_assert_int_eq(counted, (int64_t)test_rounds(TURNS) * THREADS);
    ck_assert(yn_dict_is_sound(the.texts));
    ck_assert(yn_dict_is_sound(the.numbers));
    yunta_dict_destroy(the.texts);
    yunta_dict_destroy(the.numbers);
    yunta_vector_destroy(the.vector);
    yunta_string_destroy(the.string);
    yunta_counters_destroy(the.counters);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("data threads");
    tcase_add_test(test_case(suite, "threads"), containers_by_threads);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
