/* yunta_init and what holds for the whole program.
 * It must not start anything before yunta_init: test_noinit.c does.
 * Read next: test_noinit.c. */
#include "helpers.h"

START_TEST(the_version_is_the_headers)
{
    ck_assert_str_eq(yunta_version(), YUNTA_VERSION);
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", YUNTA_VERSION_MAJOR, YUNTA_VERSION_MINOR, YUNTA_VERSION_PATCH);
    ck_assert_str_eq(yunta_version(), text);
}
END_TEST

START_TEST(calling_it_again_is_harmless)
{
    char *no_arguments[] = {NULL}, program[] = "x", *one[] = {program, NULL};
    ck_assert_int_eq(yunta_init(0, NULL), 0);
    ck_assert_int_eq(yunta_init(0, no_arguments), 0);
    ck_assert_int_eq(yunta_init(1, one), 0);
    ck_assert_int_eq(yunta_init(-1, one), -EINVAL);
    ck_assert_int_eq(yunta_init(1, NULL), -EINVAL);
    yunta_process *child;
    start_by(YUNTA_SPAWN, &child, return_value, &(int){8});
    end_is(child, 8);
}
END_TEST

START_TEST(methods_have_names)
{
    ck_assert_str_eq(yunta_start_method_name(YUNTA_DEFAULT), "default");
    ck_assert_str_eq(yunta_start_method_name(YUNTA_FORK), "fork");
    ck_assert_str_eq(yunta_start_method_name(YUNTA_FORKSERVER), "forkserver");
    ck_assert_str_eq(yunta_start_method_name(YUNTA_SPAWN), "spawn");
    ck_assert_str_eq(yunta_start_method_name(YUNTA_THREAD), "thread");
    ck_assert_ptr_null(yunta_start_method_name((yunta_start_method)5));
    ck_assert_ptr_null(yunta_start_method_name((yunta_start_method)-1));
}
END_TEST

START_TEST(fork_is_the_default_until_told_otherwise)
{
    ck_assert_int_eq(yunta_get_start_method(), YUNTA_FORK);
    ck_assert_int_eq(yunta_set_start_method(YUNTA_DEFAULT), -EINVAL);
    ck_assert_int_eq(yunta_set_start_method(YUNTA_THREAD), -EINVAL);
    ck_assert_int_eq(yunta_set_start_method((yunta_start_method)-1), -EINVAL);
    ck_assert_int_eq(yunta_set_start_method((yunta_start_method)99), -EINVAL);
    ck_assert_int_eq(yunta_get_start_method(), YUNTA_FORK);
    for (yunta_start_method m = YUNTA_FORK; m <= YUNTA_SPAWN; m++) {
        ck_assert_int_eq(yunta_set_start_method(m), 0);
        ck_assert_int_eq(yunta_get_start_method(), m);
    }
}
END_TEST

START_TEST(a_slip_given_by_hand_is_refused)
{
    static const char *const slips[] = {"--yunta-child=", "--yunta-child=nonsense", "--yunta-child=1000:0:0:0:0:0:0",
                                        "--yunta-child=1000:90:91:92:93:94:95"};
    for (size_t i = 0; i < sizeof slips / sizeof *slips; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            close(2);
            execl("/proc/self/exe", "test", slips[i], NULL);
            _exit(1);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFEXITED(status));
        ck_assert_int_eq(WEXITSTATUS(status), 125);
    }
}
END_TEST

START_TEST(the_arena_limit_has_its_bounds)
{
    ck_assert_int_eq(yunta_set_arena_limit(0), -EINVAL);
    ck_assert_int_eq(yunta_set_arena_limit(((uint64_t)16 << 20) - 1), -EINVAL);
    ck_assert_int_eq(yunta_set_arena_limit(((uint64_t)320 << 30) + 1), -EINVAL);
    ck_assert_int_eq(yunta_set_arena_limit(UINT64_MAX), -EINVAL);
    ck_assert_int_eq(yunta_set_arena_limit((uint64_t)1 << 30), 0);
    ck_assert_ptr_nonnull(yunta_process_current());
    yunta_arena_stats stats;
    ck_assert_int_eq(yunta_arena_read_stats(&stats), 0);
    ck_assert_uint_eq(stats.limit, (uint64_t)1 << 30);
    ck_assert_int_eq(yunta_set_arena_limit((uint64_t)2 << 30), -EBUSY);
    ck_assert_int_eq(yunta_arena_read_stats(NULL), -EINVAL);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("init");
    TCase *cases = test_case(suite, "init");
    tcase_add_test(cases, the_version_is_the_headers);
    tcase_add_test(cases, calling_it_again_is_harmless);
    tcase_add_test(cases, methods_have_names);
    tcase_add_test(cases, fork_is_the_default_until_told_otherwise);
    tcase_add_test(cases, a_slip_given_by_hand_is_refused);
    tcase_add_test(cases, the_arena_limit_has_its_bounds);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
