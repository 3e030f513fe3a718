/* String: set, appended to, compared and swapped, read as a whole.
 * It must not rely on who comes first.
 * Read next: ../crash/test_data_kill.c; src/data/README.md. */
#include "../proc/helpers.h"

#include "data/string.h"

static yunta_string *new_string(void)
{
    yunta_string *string = NULL;
    ck_assert_int_eq(yunta_string_create(&string), 0);
    return string;
}

static void is(yunta_string *string, const char *text)
{
    char buffer[300];
    size_t size = 0;
    ck_assert_int_eq(yunta_string_get(string, buffer, sizeof buffer, &size), 0);
    ck_assert_uint_eq(size, strlen(text));
    ck_assert_mem_eq(buffer, text, size);
    ck_assert_uint_eq(yunta_string_size(string), size);
}

static bool is_sound(yunta_string *string)
{
    int error;
    return yn_string_is_sound(yn_self_get(&error), string);
}

START_TEST(it_changes_as_a_whole)
{
    yunta_string *s = new_string();
    char buffer[8];
    size_t size;
    is(s, "");
    ck_assert_int_eq(yunta_string_append(s, NULL, 0), 0);
    is(s, "");
    ck_assert_int_eq(yunta_string_set(s, "uno", 3), 0);
    is(s, "uno");
    ck_assert_int_eq(yunta_string_append(s, ", dos", 5), 0);
    is(s, "uno, dos");
    ck_assert_int_eq(yunta_string_get(s, buffer, 7, &size), -EMSGSIZE);
    ck_assert_uint_eq(size, 8);
    ck_assert_int_eq(yunta_string_get(s, NULL, 0, NULL), -EMSGSIZE);
    ck_assert_int_eq(yunta_string_replace(s, "uno", 3, "x", 1), -EAGAIN);
    ck_assert_int_eq(yunta_string_replace(s, "uno, dos", 8, "tres", 4), 0);
    is(s, "tres");
    ck_assert_int_eq(yunta_string_set(s, NULL, 0), 0);
    is(s, "");
    ck_assert_int_eq(yunta_string_replace(s, NULL, 0, "de nada", 7), 0);
    is(s, "de nada");
    ck_assert(is_sound(s));
    ck_assert_ptr_null(yunta_string_destroy(s));
}
END_TEST

START_TEST(a_long_one)
{
    enum { pieces = 20000 };
    yunta_string *s = new_string();
    for (int i = 0; i < pieces; i++)
        ck_assert_int_eq(yunta_string_append(s, "0123456789abcdef", 16), 0);
    size_t size = yunta_string_size(s);
    ck_assert_uint_eq(size, pieces * 16);
    char *text = malloc(size);
    ck_assert_int_eq(yunta_string_get(s, text, size, NULL), 0);
    for (size_t i = 0; i < size; i += 16)
        ck_assert_mem_eq(text + i, "0123456789abcdef", 16);
    free(text);
    ck_assert(is_sound(s));
    yunta_string_destroy(s);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
    yunta_string *s = new_string();
    size_t size;
    char b[4];
    ck_assert_int_eq(yunta_string_create(NULL), -EINVAL);
    ck_assert_ptr_null(yunta_string_destroy(NULL));
    ck_assert_int_eq(yunta_string_set(NULL, "x", 1), -EINVAL);
    ck_assert_int_eq(yunta_string_set(s, NULL, 1), -EINVAL);
    ck_assert_int_eq(yunta_string_append(NULL, "x", 1), -EINVAL);
    ck_assert_int_eq(yunta_string_append(s, NULL, 1), -EINVAL);
    ck_assert_int_eq(yunta_string_get(NULL, b, 4, &size), -EINVAL);
    ck_assert_int_eq(yunta_string_get(s, NULL, 4, &size), -EINVAL);
    ck_assert_int_eq(yunta_string_replace(NULL, "x", 1, "y", 1), -EINVAL);
    ck_assert_int_eq(yunta_string_replace(s, NULL, 1, "y", 1), -EINVAL);
    ck_assert_int_eq(yunta_string_replace(s, "x", 1, NULL, 1), -EINVAL);
    ck_assert_uint_eq(yunta_string_size(NULL), 0);
    ck_assert_int_eq(yunta_string_set(s, b, SIZE_MAX / 2), -ENOMEM);
    ck_assert_int_eq(yunta_string_append(s, b, SIZE_MAX / 2), -ENOMEM);
    is(s, "");
    ck_assert(is_sound(s));
    yunta_string_destroy(s);
}
END_TEST

struct crowd {
    yunta_string *text, *log;
    int number, turns;
};

/* All of `text` is one letter; each piece of `log` is eight alike. */
static int go_about(const struct crowd *c)
{
    char letter = (char)('a' + c->number), buffer[300];
    size_t size;
    for (int i = 0; i < c->turns; i++) {
        memset(buffer, letter, sizeof buffer);
        expect(yunta_string_set(c->text, buffer, (size_t)(1 + i % 300)) == 0);
        expect(yunta_string_append(c->log, buffer, 8) == 0);
        expect(yunta_string_get(c->text, buffer, sizeof buffer, &size) == 0);
        for (size_t k = 1; k < size; k++)
            expect(buffer[k] == buffer[0]);
    }
    return 0;
}
YUNTA_ENTRY(go_about, struct crowd);

START_TEST(several_processes_at_once)
{
    enum { workers = 3 };
    int turns = test_rounds(5000);
    struct crowd c = {new_string(), new_string(), 0, turns};
    yunta_process *child[workers];
    for (; c.number < workers; c.number++)
        start_by(TEST_METHOD, &child[c.number], go_about, &c);
    ck_assert_int_eq(go_about(&c), 0);
    for (int i = 0; i < workers; i++)
        end_is(child[i], 0);
    size_t size = yunta_string_size(c.log), count[workers + 1] = {0};
    ck_assert_uint_eq(size, (size_t)turns * 8 * (workers + 1));
    char *log = malloc(size);
    ck_assert_int_eq(yunta_string_get(c.log, log, size, NULL), 0);
    for (size_t i = 0; i < size; i++) {
        ck_assert_int_eq(log[i], log[i - i % 8]);
        count[log[i] - 'a']++;
    }
    for (int i = 0; i <= workers; i++)
        ck_assert_uint_eq(count[i], (size_t)turns * 8);
    free(log);
    ck_assert(is_sound(c.text));
    yunta_string_destroy(c.text);
    ck_assert(is_sound(c.log));
    yunta_string_destroy(c.log);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("string");
    TCase *cases = test_case(suite, "one process");
    tcase_add_test(cases, it_changes_as_a_whole);
    tcase_add_test(cases, a_long_one);
    tcase_add_test(cases, what_makes_no_sense_is_refused);
    TCase *several = test_case(suite, "several");
    TEST_FOR_EACH_METHOD(several, several_processes_at_once);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
