/* What a tool is asked, and told.
 * It must hold without any tool, too.
 * Read next: src/os/tool.c.
 *
 * labels: valgrind */
#include "os/tool.h"

#include <stdlib.h>
#include <test.h>

START_TEST(valgrind_is_seen_where_it_is)
{
    ck_assert_int_eq(yn_tool_is_valgrind(), test_is_valgrind());
    ck_assert_int_eq(clearenv(), 0);
    ck_assert_int_eq(yn_tool_is_valgrind(), test_is_valgrind());
}
END_TEST

/* Valgrind would write of the branch into its report. */
START_TEST(what_is_marked_counts_as_initialised)
{
    volatile unsigned char *bytes = malloc(64);
    ck_assert_ptr_nonnull((void *)(uintptr_t)bytes);
    yn_tool_mark_defined((const void *)(uintptr_t)bytes, 64);
    int small = 0;
    for (int i = 0; i < 64; i++)
        if (bytes[i] < 10)
            small++;
    ck_assert_int_le(small, 64);
    free((void *)(uintptr_t)bytes);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("tool");
    TCase *cases = test_case(suite, "valgrind");
    tcase_add_test(cases, valgrind_is_seen_where_it_is);
    tcase_add_test(cases, what_is_marked_counts_as_initialised);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
