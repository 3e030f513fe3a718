/* Dispositions in a fresh child: the program's are reset, libc's own are not.
 * It must not depend on being root.
 * Read next: test_child.c for what of them is inherited when asked.
 *
 * labels: valgrind */
#include "helpers.h"

#include <pthread.h>

static void *sleeps(void *unused)
{
    (void)unused;
    for (;;)
        pause();
    return NULL;
}

/* 0, or an error of pthread's. */
static int cancel_a_thread(void)
{
    pthread_t thread;
    int r = pthread_create(&thread, NULL, sleeps, NULL);
    if (r == 0)
        r = pthread_cancel(thread);
    return r == 0 ? pthread_join(thread, NULL) : r;
}

static int works_with_threads(void)
{
    pthread_t thread;
    expect(cancel_a_thread() == 0);
    expect(pthread_create(&thread, NULL, sleeps, NULL) == 0);
    expect(setgid(getgid()) == 0); /* libc has every thread do it, by a signal */
    return 0;
}
YUNTA_ENTRY_VOID(works_with_threads);

/* libc has installed its handlers in the parent, and believes in the child that they stand. */
START_TEST(a_child_of_a_threaded_parent_has_libcs_own_signals)
{
    ck_assert_int_eq(cancel_a_thread(), 0);
    ck_assert_int_eq(setgid(getgid()), 0);
    yunta_process *child;
    start_by(TEST_METHOD, &child, works_with_threads, NULL);
    end_is(child, 0);
}
END_TEST

static int answers(void)
{
    int highest = SIGRTMAX;
    expect(highest > SIGRTMIN);
    struct sigaction now;
    for (int s = SIGRTMIN; s <= highest; s++)
        expect(sigaction(s, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
    return 0;
}
YUNTA_ENTRY_VOID(answers);

START_TEST(real_time_signals_of_the_program_are_reset)
{
    int first = SIGRTMIN, last = SIGRTMAX;
    ck_assert(signal(first, SIG_IGN) != SIG_ERR && signal(last, SIG_IGN) != SIG_ERR);
    yunta_process *child;
    start_by(TEST_METHOD, &child, answers, NULL);
    end_is(child, 0);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("signals");
    TCase *cases = test_case(suite, "libc");
    TEST_FOR_EACH_METHOD(cases, a_child_of_a_threaded_parent_has_libcs_own_signals);
    TEST_FOR_EACH_METHOD(cases, real_time_signals_of_the_program_are_reset);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
