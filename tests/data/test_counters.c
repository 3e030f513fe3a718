/* Counters: sums of what all have added, also the dead; names and their numbers.
 * It must not rely on who comes first.
 * Read next: src/data/README.md. */
#include "../proc/helpers.h"

#include "base/base.h"

static yunta_counters *new_counters(void)
{
    yunta_counters *counters = NULL;
    ck_assert_int_eq(yunta_counters_create(&counters), 0);
    return counters;
}

START_TEST(sums)
{
    yunta_counters *c = new_counters();
    static const uint32_t numbers[] = {0, 1, 63, 64, 191, 192, 100000, 5000000};
    for (size_t i = 0; i < YN_COUNT(numbers); i++) {
        ck_assert_int_eq(yunta_counters_sum(c, numbers[i]), 0);
        ck_assert_int_eq(yunta_counters_add(c, numbers[i], (int64_t)numbers[i] - 7), 0);
        ck_assert_int_eq(yunta_counters_add(c, numbers[i], 1), 0);
    }
    for (size_t i = 0; i < YN_COUNT(numbers); i++)
        ck_assert_int_eq(yunta_counters_sum(c, numbers[i]), (int64_t)numbers[i] - 6);
    ck_assert_int_eq(yunta_counters_sum(c, 2), 0);
    ck_assert_ptr_null(yunta_counters_destroy(c));
}
END_TEST

START_TEST(names)
{
    yunta_counters *c = new_counters();
    uint32_t bueyes, carros, again;
    char name[16];
    ck_assert_uint_eq(yunta_counters_named(c), 0);
    ck_assert_int_eq(yunta_counters_number(c, "bueyes", &bueyes), 0);
    ck_assert_int_eq(yunta_counters_number(c, "carros", &carros), 0);
    ck_assert_int_eq(yunta_counters_number(c, "bueyes", &again), 0);
    ck_assert_uint_eq(again, bueyes);
    ck_assert_uint_ne(carros, bueyes);
    ck_assert_uint_eq(yunta_counters_named(c), 2);
    ck_assert_int_eq(yunta_counters_name(c, carros, name, sizeof name), 0);
    ck_assert_str_eq(name, "carros");
    ck_assert_int_eq(yunta_counters_name(c, 2, name, sizeof name), -ENOENT);
    ck_assert_int_eq(yunta_counters_name(c, carros, name, 6), -EMSGSIZE);
    ck_assert_int_eq(yunta_counters_name(c, carros, name, 7), 0);
    yunta_counters_destroy(c);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
    yunta_counters *c = new_counters();
    uint32_t number;
    char name[4];
    ck_assert_int_eq(yunta_counters_create(NULL), -EINVAL);
    ck_assert_ptr_null(yunta_counters_destroy(NULL));
    ck_assert_int_eq(yunta_counters_add(NULL, 0, 1), -EINVAL);
    ck_assert_int_eq(yunta_counters_add(c, YUNTA_COUNTERS_MOST, 1), -EINVAL);
    ck_assert_int_eq(yunta_counters_sum(NULL, 0), 0);
    ck_assert_int_eq(yunta_counters_sum(c, UINT32_MAX), 0);
    ck_assert_int_eq(yunta_counters_number(NULL, "x", &number), -EINVAL);
    ck_assert_int_eq(yunta_counters_number(c, NULL, &number), -EINVAL);
    ck_assert_int_eq(yunta_counters_number(c, "x", NULL), -EINVAL);
    ck_assert_uint_eq(yunta_counters_named(NULL), 0);
    ck_assert_int_eq(yunta_counters_name(NULL, 0, name, 4), -EINVAL);
    ck_assert_int_eq(yunta_counters_name(c, 0, NULL, 4), -EINVAL);
    ck_assert_int_eq(yunta_counters_name(c, 0, name, 0), -EINVAL);
    yunta_counters_destroy(c);
}
END_TEST

struct crowd {
    yunta_counters *counters;
    int turns;
    bool dies;
};

static int count(const struct crowd *c)
{
    uint32_t own;
    char name[16];
    for (int i = 0; i < c->turns; i++) {
        expect(yunta_counters_add(c->counters, 1000, 1) == 0);
        snprintf(name, sizeof name, "name %d", i % 20);
        expect(yunta_counters_number(c->counters, name, &own) == 0);
        expect(yunta_counters_add(c->counters, own, 2) == 0);
    }
    if (c->dies)
        kill(getpid(), SIGKILL);
    return 0;
}
YUNTA_ENTRY(count, struct crowd);

START_TEST(what_the_dead_have_added_stays)
{
    enum { workers = 4 };
    int turns = test_rounds(5000);
    turns -= turns % 20;
    turns = turns ? turns : 20;
    yunta_counters *c = new_counters();
    yunta_process *child[workers];
    for (int i = 0; i < workers; i++)
        start_by(TEST_METHOD, &child[i], count, &(struct crowd){c, turns, i % 2 == 0});
    for (int i = 0; i < workers; i++)
        end_is(child[i], i % 2 == 0 ? YUNTA_ECRASHED : 0);
    ck_assert_int_eq(yunta_counters_sum(c, 1000), (int64_t)turns * workers);
    for (int i = 0; i < 20; i++) {
        uint32_t number;
        char name[16];
        snprintf(name, sizeof name, "name %d", i);
        ck_assert_int_eq(yunta_counters_number(c, name, &number), 0);
        ck_assert_int_eq(yunta_counters_sum(c, number), (int64_t)turns / 20 * 2 * workers);
    }
    yunta_counters_destroy(c);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("counters");
    TCase *cases = test_case(suite, "one process");
    tcase_add_test(cases, sums);
    tcase_add_test(cases, names);
    tcase_add_test(cases, what_makes_no_sense_is_refused);
    TCase *several = test_case(suite, "several");
    TEST_FOR_EACH_METHOD(several, what_the_dead_have_added_stays);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
