/* Process: starting, asking, ending; each under every start method, and what a caller may do wrong.
 * It must not rely on how long anything takes.
 * Read next: test_children.c for the ways of waiting, test_child.c for the options.
 *
 * labels: valgrind */
#include "helpers.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>

static int seven(void)
{
    return 7;
}
YUNTA_ENTRY_VOID(seven);

START_TEST(a_child_says_its_status)
{
    yunta_process *child;
    start_by(TEST_METHOD, &child, seven, NULL);
    end_is(child, 7);
}
END_TEST

struct greeting {
    char name[16];
    int times;
    _Atomic int *heard;
};

static int greet(const struct greeting *g)
{
    expect(strcmp(g->name, "ox") == 0);
    atomic_fetch_add(g->heard, g->times);
    return 0;
}
YUNTA_ENTRY(greet, struct greeting);

START_TEST(an_argument_is_copied_and_its_pointers_hold)
{
    yunta_process *child;
    shared_word *heard = new_word();
    struct greeting g = {"ox", 2, heard};
    start_by(TEST_METHOD, &child, greet, &g);
    memset(&g, 0, sizeof g); /* too late to matter */
    end_is(child, 0);
    ck_assert_int_eq(atomic_load(heard), 2);
    ck_assert_int_eq(yunta_shared_free(heard), 0);
}
END_TEST

static const size_t sizes[] = {1, 63, 4096, 10 << 20};

static int count_bytes(const void *argument)
{
    const unsigned char *bytes = argument;
    size_t size = 0;
    memcpy(&size, bytes, 1);
    size = sizes[size];
    for (size_t i = 1; i < size; i++)
        if (bytes[i] != (unsigned char)(i * 7))
            return 1;
    return (uintptr_t)argument % 16 == 0 ? 0 : 2;
}

static int has_no_argument(const void *argument)
{
    return argument == NULL ? 0 : 1;
}

START_TEST(arguments_have_any_size)
{
    static const yunta_entry counting = {count_bytes, 0, "count_bytes"}, none = {has_no_argument, 0, "none"};
    yunta_process_options options = {.start_method = TEST_METHOD};
    yunta_process *child;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *bytes = malloc(sizes[i]);
        for (size_t n = 0; n < sizes[i]; n++)
            bytes[n] = (unsigned char)(n * 7);
        bytes[0] = (unsigned char)i;
        ck_assert_int_eq(yunta_process_start(&child, &counting, bytes, sizes[i], &options), 0);
        free(bytes);
        end_is(child, 0);
    }
    ck_assert_int_eq(yunta_process_start(&child, &none, NULL, 0, &options), 0);
    end_is(child, 0);
    ck_assert_int_eq(yunta_process_start(&child, &none, &child, 0, &options), 0);
    end_is(child, 0);
}
END_TEST

START_TEST(what_an_entry_returns_is_its_status_up_to_255)
{
    static const int values[] = {0, 1, 255, 256, -1, -4096, 1 << 30};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        bool is_status = values[i] >= 0 && values[i] <= 255;
        yunta_process *child;
        yunta_failure why;
        start_by(TEST_METHOD, &child, return_value, &values[i]);
        join_is(child, is_status ? values[i] : YUNTA_EFAILED);
        ck_assert_int_eq(yunta_process_status(child), is_status ? values[i] : YUNTA_EFAILED);
        ck_assert_int_eq(yunta_process_failure(child, &why), 0);
        ck_assert_int_eq(why.code, values[i] == 0 ? 0 : YUNTA_EFAILED);
        ck_assert_int_eq(why.value, values[i]);
        ck_assert_int_eq(why.exit_status, is_status ? values[i] : 255);
        ck_assert_int_eq(why.signal, 0);
        ck_assert_str_eq(why.name, "return_value");
        ck_assert_int_eq(why.pid, yunta_process_pid(child));
        ck_assert((why.text[0] == '\0') == (values[i] == 0));
        yunta_process_destroy(child);
    }
}
END_TEST

static int fail_with_text(const int *row)
{
    return yunta_fail(-EINVAL, "row %d is empty", *row);
}
YUNTA_ENTRY(fail_with_text, int);

START_TEST(what_yunta_fail_said_reaches_the_starter)
{
    yunta_process *child;
    yunta_failure why;
    yunta_fail(0, "a text of the parent");
    start_by(TEST_METHOD, &child, fail_with_text, &(int){12});
    join_is(child, YUNTA_EFAILED);
    ck_assert_int_eq(yunta_process_failure(child, &why), 0);
    ck_assert_int_eq(why.code, YUNTA_EFAILED);
    ck_assert_int_eq(why.value, -EINVAL);
    ck_assert_str_eq(why.text, "row 12 is empty");
    yunta_process_destroy(child);
    start_by(TEST_METHOD, &child, return_value, &(int){3});
    join_is(child, 3);
    ck_assert_int_eq(yunta_process_failure(child, &why), 0);
    ck_assert_ptr_null(strstr(why.text, "parent"));
    yunta_process_destroy(child);
}
END_TEST

static int raise_signal(const int *signal)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    raise(*signal);
    return 99;
}
YUNTA_ENTRY(raise_signal, int);

START_TEST(death_by_signal_is_told_apart)
{
    static const int signals[] = {SIGKILL, SIGSEGV, SIGABRT, SIGTERM, SIGUSR1};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        yunta_process *child;
        yunta_failure why;
        start_by(TEST_METHOD, &child, raise_signal, &signals[i]);
        join_is(child, YUNTA_ECRASHED);
        ck_assert_int_eq(yunta_process_failure(child, &why), 0);
        ck_assert_int_eq(why.code, YUNTA_ECRASHED);
        ck_assert_int_eq(why.signal, signals[i]);
        ck_assert_int_eq(why.exit_status, -1);
        ck_assert(!why.core_dumped);
        ck_assert(!why.out_of_memory);
        ck_assert_ptr_nonnull(strstr(why.text, "raise_signal"));
        ck_assert_ptr_nonnull(strstr(why.text, strsignal(signals[i])));
        yunta_process_destroy(child);
    }
}
END_TEST

static int use_up(void)
{
    enum { megabytes = 40 };
    volatile char *memory = malloc(megabytes << 20);
    expect(memory != NULL);
    for (size_t i = 0; i < (size_t)megabytes << 20; i += 512)
        memory[i] = 1;
    struct rusage used;
    do
        getrusage(RUSAGE_SELF, &used);
    while (used.ru_utime.tv_sec * 1000000 + used.ru_utime.tv_usec < 30000);
    free((void *)(uintptr_t)memory);
    return 1;
}
YUNTA_ENTRY_VOID(use_up);

START_TEST(a_failure_tells_time_and_memory)
{
    yunta_process *child;
    yunta_failure why;
    start_by(TEST_METHOD, &child, use_up, NULL);
    join_is(child, 1);
    ck_assert_int_eq(yunta_process_failure(child, &why), 0);
    ck_assert_uint_ge(why.user_ns, 30000000);
    ck_assert_uint_lt(why.user_ns, 60000000000);
    ck_assert_uint_gt(why.peak_bytes, 40 << 20);
    ck_assert_uint_lt(why.peak_bytes, (uint64_t)4 << 30);
    yunta_process_destroy(child);
}
END_TEST

static int knows_itself(const pid_t *starter)
{
    yunta_process *me = yunta_process_current(), *parent = yunta_process_parent();
    expect(me != NULL && me == yunta_process_current());
    expect(parent != NULL && parent != me);
    expect(yunta_process_pid(me) == getpid());
    expect(yunta_process_pid(parent) == *starter);
    expect(strcmp(yunta_process_name(me), "a name") == 0);
    expect(yunta_process_is_daemon(me));
    expect(yunta_process_is_alive(me) && yunta_process_is_alive(parent));
    expect(yunta_process_status(me) == -EAGAIN);
    expect(yunta_process_join(me, 1000) == -EDEADLK);
    expect(yunta_process_join(parent, 0) == -ETIMEDOUT);
    expect(yunta_process_children(NULL, 0) == 0);
    return 0;
}
YUNTA_ENTRY(knows_itself, pid_t);

START_TEST(a_process_knows_itself_and_its_parent)
{
    yunta_process *child, *me = yunta_process_current();
    ck_assert_ptr_nonnull(me);
    ck_assert_ptr_eq(me, yunta_process_current());
    ck_assert_ptr_null(yunta_process_parent());
    ck_assert_int_eq(yunta_process_pid(me), getpid());
    ck_assert_int_eq(yunta_process_join(me, 1000), -EDEADLK);
    start_with(TEST_METHOD, &child, knows_itself, &(pid_t){getpid()}, .name = "a name", .daemon = true);
    ck_assert_str_eq(yunta_process_name(child), "a name");
    ck_assert(yunta_process_is_daemon(child));
    end_is(child, 0);
}
END_TEST

START_TEST(names_are_cut_to_31_bytes)
{
    yunta_process *child;
    start_with(TEST_METHOD, &child, seven, NULL, .name = "0123456789012345678901234567890123456789");
    ck_assert_str_eq(yunta_process_name(child), "0123456789012345678901234567890");
    end_is(child, 7);
    start_with(TEST_METHOD, &child, seven, NULL, .name = "");
    ck_assert_str_eq(yunta_process_name(child), "");
    end_is(child, 7);
}
END_TEST

START_TEST(what_runs_is_alive_until_it_is_killed)
{
    yunta_process *child;
    yunta_failure why = {.code = 1234};
    start_by(TEST_METHOD, &child, sleep_for_ever, NULL);
    pid_t pid = yunta_process_pid(child);
    ck_assert(test_is_running(pid));
    ck_assert(yunta_process_is_alive(child));
    ck_assert(!yunta_process_is_daemon(child));
    ck_assert_int_eq(yunta_process_status(child), -EAGAIN);
    ck_assert_int_eq(yunta_process_join(child, 0), -ETIMEDOUT);
    ck_assert_int_eq(yunta_process_join(child, 20), -ETIMEDOUT);
    ck_assert_int_eq(yunta_process_failure(child, &why), -EAGAIN);
    ck_assert_int_eq(why.code, 1234);
    ck_assert_int_eq(yunta_process_close(child), -EBUSY);
    ck_assert_int_eq(yunta_process_signal(child, 0), 0);
    ck_assert_int_eq(yunta_process_kill(child), 0);
    join_is(child, YUNTA_ECRASHED);
    join_is(child, YUNTA_ECRASHED);
    ck_assert_int_eq(yunta_process_join(child, 0), YUNTA_ECRASHED);
    ck_assert(!yunta_process_is_alive(child));
    ck_assert_int_eq(yunta_process_pid(child), pid);
    ck_assert_int_eq(test_state(pid), 0); /* reaped */
    ck_assert_int_eq(yunta_process_kill(child), 0);
    ck_assert_int_eq(yunta_process_close(child), 0);
}
END_TEST

START_TEST(interrupt_and_terminate_send_their_signals)
{
    yunta_process *child;
    yunta_failure why;
    start_by(TEST_METHOD, &child, sleep_for_ever, NULL);
    ck_assert_int_eq(yunta_process_interrupt(child), 0);
    join_is(child, YUNTA_ECRASHED);
    ck_assert_int_eq(yunta_process_failure(child, &why), 0);
    ck_assert_int_eq(why.signal, SIGINT);
    yunta_process_destroy(child);
    start_by(TEST_METHOD, &child, sleep_for_ever, NULL);
    ck_assert_int_eq(yunta_process_terminate(child), 0);
    join_is(child, YUNTA_ECRASHED);
    ck_assert_int_eq(yunta_process_failure(child, &why), 0);
    ck_assert_int_eq(why.signal, SIGTERM);
    yunta_process_destroy(child);
}
END_TEST

START_TEST(destroy_kills_what_still_runs)
{
    yunta_process *child;
    start_by(TEST_METHOD, &child, sleep_for_ever, NULL);
    pid_t pid = yunta_process_pid(child);
    ck_assert_ptr_null(yunta_process_destroy(child));
    ck_assert_int_eq(test_state(pid), 0);
}
END_TEST

START_TEST(a_sentinel_polls_readable_at_the_end)
{
    yunta_process *child;
    start_by(TEST_METHOD, &child, sleep_for_ever, NULL);
    int sentinel = yunta_process_sentinel(child);
    if (test_is_valgrind() && sentinel == -ENOSYS) { /* which knows no pidfds */
        yunta_process_destroy(child);
        return;
    }
    ck_assert_int_ge(sentinel, 0);
    ck_assert_int_eq(yunta_process_sentinel(child), sentinel);
    ck_assert(fcntl(sentinel, F_GETFD) & FD_CLOEXEC);
    struct pollfd p = {.fd = sentinel, .events = POLLIN};
    ck_assert_int_eq(poll(&p, 1, 10), 0);
    yunta_process_kill(child);
    ck_assert_int_eq(poll(&p, 1, 20000), 1);
    ck_assert(p.revents & POLLIN);
    ck_assert_int_eq(yunta_process_close(child), 0);
    ck_assert_int_lt(fcntl(sentinel, F_GETFD), 0);
}
END_TEST

START_TEST(active_children_are_those_that_run)
{
    enum { count = 4 };
    yunta_process *child[count], *ended, *found[count + 1];
    memset(found, 0, sizeof found);
    ck_assert_int_eq(yunta_process_children(found, count), 0);
    for (int i = 0; i < count; i++)
        start_by(TEST_METHOD, &child[i], sleep_for_ever, NULL);
    start_by(TEST_METHOD, &ended, seven, NULL);
    join_is(ended, 7);
    ck_assert_int_eq(yunta_process_children(found, count + 1), count);
    ck_assert_ptr_null(found[count]);
    for (int i = 0, seen = 0; i < count; i++, seen = 0) {
        for (int k = 0; k < count; k++)
            seen += found[k] == child[i];
        ck_assert_int_eq(seen, 1);
    }
    found[1] = NULL;
    ck_assert_int_eq(yunta_process_children(found, 1), count);
    ck_assert_ptr_null(found[1]);
    ck_assert_int_eq(yunta_process_children(NULL, 0), count);
    for (int i = 0; i < count; i++)
        yunta_process_destroy(child[i]);
    ck_assert_int_eq(yunta_process_children(NULL, 0), 0);
    yunta_process_destroy(ended);
}
END_TEST

START_TEST(active_children_reap_what_has_ended)
{
    yunta_process *child;
    start_by(TEST_METHOD, &child, seven, NULL);
    pid_t pid = yunta_process_pid(child);
    test_wait_until(yunta_process_children(NULL, 0) == 0, 20000);
    ck_assert_int_eq(test_state(pid), 0);
    end_is(child, 7);
}
END_TEST

struct nested {
    int depth;
    yunta_start_method method;
};

/* Declared before its entry, since it starts itself. */
static int nest(const struct nested *n);
YUNTA_ENTRY(nest, struct nested);

static int nest(const struct nested *n)
{
    yunta_process *child;
    expect(yunta_get_start_method() == n->method);
    if (n->depth == 0)
        return 5;
    expect(yunta_start(&child, nest, &(struct nested){n->depth - 1, n->method}, NULL) == 0);
    int status = yunta_process_join(child, 20000);
    yunta_process_destroy(child);
    return status;
}

START_TEST(a_child_starts_children_by_the_inherited_default)
{
    yunta_process *child;
    ck_assert_int_eq(yunta_set_start_method(TEST_METHOD), 0);
    ck_assert_int_eq(yunta_start(&child, nest, &(struct nested){3, TEST_METHOD}, NULL), 0);
    end_is(child, 5);
}
END_TEST

START_TEST(what_a_starter_may_do_wrong)
{
    static const yunta_entry good = {has_no_argument, 0, "good"}, empty = {NULL, 0, "empty"};
    yunta_process *child = (yunta_process *)(uintptr_t)1;
    ck_assert_int_eq(yunta_process_start(NULL, &good, NULL, 0, NULL), -EINVAL);
    ck_assert_int_eq(yunta_process_start(&child, NULL, NULL, 0, NULL), -EINVAL);
    ck_assert_int_eq(yunta_process_start(&child, &empty, NULL, 0, NULL), -EINVAL);
    ck_assert_int_eq(yunta_process_start(&child, &good, NULL, 1, NULL), -EINVAL);
    ck_assert_int_eq(yunta_process_start(&child, &good, &good, SIZE_MAX, NULL), -ENOMEM);
    ck_assert_int_eq(yunta_process_start(&child, &good, &good, SIZE_MAX / 2, NULL), -ENOMEM);
    static const int methods[] = {-1, YUNTA_THREAD, 5, 1 << 30};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        yunta_process_options options = {.start_method = (yunta_start_method)methods[i]};
        ck_assert_int_eq(yunta_process_start(&child, &good, NULL, 0, &options), -EINVAL);
    }
    for (size_t i = 0; i < 8; i++) {
        yunta_process_options options = {.start_method = YUNTA_DEFAULT};
        options.reserved[i] = 1;
        ck_assert_int_eq(yunta_process_start(&child, &good, NULL, 0, &options), -EINVAL);
    }
    static const yunta_process_options bad[] = {
        {.processor_count = 1},
        {.limit_count = 1},
        {.process_group = -2},
        {.in = {.to = (yunta_stream_kind)3}},
        {.out = {.to = (yunta_stream_kind)-1}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(yunta_process_start(&child, &good, NULL, 0, &bad[i]), -EINVAL);
    yunta_process_options closed = {.err = {YUNTA_DESCRIPTOR, 987}};
    ck_assert_int_eq(yunta_process_start(&child, &good, NULL, 0, &closed), -EBADF);
    closed.err.descriptor = -1;
    ck_assert_int_eq(yunta_process_start(&child, &good, NULL, 0, &closed), -EBADF);
    ck_assert_ptr_eq(child, (yunta_process *)(uintptr_t)1); /* results are written only on success */
    ck_assert_int_eq(yunta_process_children(NULL, 0), 0);
}
END_TEST

START_TEST(null_has_its_answers)
{
    yunta_failure why;
    ck_assert_int_eq(yunta_process_join(NULL, 0), -EINVAL);
    ck_assert_int_eq(yunta_process_status(NULL), -EINVAL);
    ck_assert_int_eq(yunta_process_failure(NULL, &why), -EINVAL);
    ck_assert_int_eq(yunta_process_failure(yunta_process_current(), NULL), -EINVAL);
    ck_assert(!yunta_process_is_alive(NULL));
    ck_assert(!yunta_process_is_daemon(NULL));
    ck_assert_int_eq(yunta_process_pid(NULL), 0);
    ck_assert_ptr_null(yunta_process_name(NULL));
    ck_assert_int_eq(yunta_process_sentinel(NULL), -EINVAL);
    ck_assert_int_eq(yunta_process_interrupt(NULL), -EINVAL);
    ck_assert_int_eq(yunta_process_terminate(NULL), -EINVAL);
    ck_assert_int_eq(yunta_process_kill(NULL), -EINVAL);
    ck_assert_int_eq(yunta_process_signal(NULL, SIGTERM), -EINVAL);
    ck_assert_int_eq(yunta_process_close(NULL), -EINVAL);
    ck_assert_ptr_null(yunta_process_destroy(NULL));
    ck_assert_int_eq(yunta_process_children(NULL, 1), -EINVAL);
    ck_assert_int_eq(yunta_at_exit(NULL, NULL), -EINVAL);
}
END_TEST

START_TEST(only_real_signals_are_sent)
{
    yunta_process *child;
    start_by(TEST_METHOD, &child, sleep_for_ever, NULL);
    ck_assert_int_eq(yunta_process_signal(child, -1), -EINVAL);
    ck_assert_int_eq(yunta_process_signal(child, 65), -EINVAL);
    ck_assert_int_eq(yunta_process_signal(child, 1 << 20), -EINVAL);
    ck_assert(yunta_process_is_alive(child));
    yunta_process_destroy(child);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("process");
    TCase *cases = test_case(suite, "run");
    TEST_FOR_EACH_METHOD(cases, a_child_says_its_status);
    TEST_FOR_EACH_METHOD(cases, an_argument_is_copied_and_its_pointers_hold);
    TEST_FOR_EACH_METHOD(cases, arguments_have_any_size);
    TEST_FOR_EACH_METHOD(cases, what_an_entry_returns_is_its_status_up_to_255);
    TEST_FOR_EACH_METHOD(cases, what_yunta_fail_said_reaches_the_starter);
    TEST_FOR_EACH_METHOD(cases, death_by_signal_is_told_apart);
    TEST_FOR_EACH_METHOD(cases, a_failure_tells_time_and_memory);
    TEST_FOR_EACH_METHOD(cases, a_process_knows_itself_and_its_parent);
    TEST_FOR_EACH_METHOD(cases, names_are_cut_to_31_bytes);
    TEST_FOR_EACH_METHOD(cases, what_runs_is_alive_until_it_is_killed);
    TEST_FOR_EACH_METHOD(cases, interrupt_and_terminate_send_their_signals);
    TEST_FOR_EACH_METHOD(cases, destroy_kills_what_still_runs);
    TEST_FOR_EACH_METHOD(cases, a_sentinel_polls_readable_at_the_end);
    TEST_FOR_EACH_METHOD(cases, active_children_are_those_that_run);
    TEST_FOR_EACH_METHOD(cases, active_children_reap_what_has_ended);
    TEST_FOR_EACH_METHOD(cases, a_child_starts_children_by_the_inherited_default);
    cases = test_case(suite, "bad input");
    tcase_add_test(cases, what_a_starter_may_do_wrong);
    tcase_add_test(cases, null_has_its_answers);
    TEST_FOR_EACH_METHOD(cases, only_real_signals_are_sent);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
