/* Waiting: any number of times, by anybody of the team, beside a program that waits for its children itself.
 * It must not rely on who is faster.
 * Read next: test_team.c for processes that the program forks.
 *
 * labels: valgrind */
#include "helpers.h"

#include <poll.h>
#include <pthread.h>

static int wait_until_told(shared_word *const *word)
{
    return await_word(*word, 1) ? 6 : 1;
}
typedef shared_word *word_pointer;
YUNTA_ENTRY(wait_until_told, word_pointer);

static void *join_it(void *process)
{
    return (void *)(intptr_t)yunta_process_join(process, 20000);
}

START_TEST(two_threads_join_the_same_process)
{
    for (int round = 0; round < test_rounds(20); round++) {
        shared_word *word = new_word();
        yunta_process *child;
        pthread_t thread[2];
        start_by(TEST_METHOD, &child, wait_until_told, &word);
        for (int i = 0; i < 2; i++)
            ck_assert_int_eq(pthread_create(&thread[i], NULL, join_it, child), 0);
        if (round % 2 == 0)
            atomic_store(word, 1);
        else
            yunta_process_kill(child);
        for (int i = 0; i < 2; i++) {
            void *status;
            pthread_join(thread[i], &status);
            ck_assert_int_eq((intptr_t)status, round % 2 == 0 ? 6 : YUNTA_ECRASHED);
        }
        yunta_process_destroy(child);
        yunta_shared_free(word);
    }
}
END_TEST

static void *destroy_it(void *process)
{
    return yunta_process_destroy(process);
}

START_TEST(a_thread_may_destroy_what_another_one_joins)
{
    yunta_process *child;
    pthread_t joiner, destroyer;
    size_t descriptors = 0;
    for (int round = 0; round < test_rounds(10); round++) {
        start_by(TEST_METHOD, &child, sleep_for_ever, NULL);
        yunta_process *copy = child;
        ck_assert_int_eq(pthread_create(&joiner, NULL, join_it, copy), 0);
        ck_assert_int_eq(yunta_process_kill(child), 0);
        void *status;
        pthread_join(joiner, &status);
        ck_assert_int_eq((intptr_t)status, YUNTA_ECRASHED);
        ck_assert_int_eq(pthread_create(&destroyer, NULL, destroy_it, child), 0);
        pthread_join(destroyer, NULL);
        if (round == 1)
            descriptors = test_descriptor_count();
    }
    ck_assert_uint_eq(test_descriptor_count(), descriptors);
}
END_TEST

/* What one process of the team asks another one about, by a pointer that it was given. */
struct question {
    yunta_process *whom;
    shared_word *asked;
    int expected;
    int signal; /* to send first, or 0 */
};

static int ask(const struct question *q)
{
    expect(yunta_process_is_alive(q->whom));
    expect(yunta_process_status(q->whom) == -EAGAIN);
    expect(yunta_process_join(q->whom, 10) == -ETIMEDOUT);
    struct pollfd p = {.fd = yunta_process_sentinel(q->whom), .events = POLLIN};
    expect(p.fd >= 0 ? poll(&p, 1, 0) == 0 : test_is_valgrind() && p.fd == -ENOSYS); /* which knows no pidfds */
    if (q->signal)
        expect(yunta_process_signal(q->whom, q->signal) == 0);
    atomic_store(q->asked, 1);
    expect(p.fd < 0 || poll(&p, 1, 20000) == 1);
    expect(yunta_process_join(q->whom, YUNTA_FOREVER) == q->expected);
    expect(yunta_process_join(q->whom, 0) == q->expected);
    expect(!yunta_process_is_alive(q->whom));
    yunta_failure why;
    expect(yunta_process_failure(q->whom, &why) == 0);
    expect(why.signal == q->signal);
    return 0;
}
YUNTA_ENTRY(ask, struct question);

/* `busy`: the starter waits for nobody meanwhile, so that nobody reaps. */
static void others_join(yunta_start_method method, int signal, bool busy)
{
    shared_word *word = new_word();
    yunta_process *child, *asker;
    start_by(method, &child, wait_until_told, &word);
    struct question q = {child, word, signal ? YUNTA_ECRASHED : 6, signal};
    start_by(method, &asker, ask, &q);
    if (busy) {
        pid_t pid = yunta_process_pid(asker);
        test_wait_until(!test_is_running(pid), 20000);
    }
    end_is(asker, 0);
    end_is(child, q.expected);
    yunta_shared_free(word);
}

START_TEST(any_process_of_the_team_may_join)
{
    others_join(TEST_METHOD, 0, false);
    others_join(TEST_METHOD, SIGTERM, false);
}
END_TEST

START_TEST(any_process_of_the_team_may_join_while_the_starter_is_busy)
{
    others_join(TEST_METHOD, 0, true);
    others_join(TEST_METHOD, SIGKILL, true);
}
END_TEST

static int destroy_other(yunta_process *const *whom)
{
    expect(yunta_process_destroy(*whom) == NULL);
    return 0;
}
typedef yunta_process *process_pointer;
YUNTA_ENTRY(destroy_other, process_pointer);

START_TEST(another_process_may_destroy)
{
    yunta_process *child, *other;
    start_by(TEST_METHOD, &child, sleep_for_ever, NULL);
    pid_t pid = yunta_process_pid(child);
    start_by(TEST_METHOD, &other, destroy_other, &child);
    end_is(other, 0);
    ck_assert(!test_is_running(pid));
    ck_assert_int_eq(yunta_process_children(NULL, 0), 0); /* reaps it */
    ck_assert_int_eq(test_state(pid), 0);
}
END_TEST

START_TEST(foreign_waits_may_steal_a_status)
{
    static const int ends[] = {SIGKILL, 0};
    for (size_t i = 0; i < 2; i++) {
        shared_word *word = new_word();
        yunta_process *child;
        yunta_failure why;
        int status;
        start_by(TEST_METHOD, &child, wait_until_told, &word);
        pid_t pid = yunta_process_pid(child);
        if (ends[i])
            yunta_process_signal(child, ends[i]);
        atomic_store(word, 1);
        bool stolen = TEST_METHOD != YUNTA_FORKSERVER; /* its children are not the program's to wait for */
        ck_assert_int_eq(waitpid(-1, &status, 0), stolen ? pid : -1);
        uint64_t begin = test_now_ms();
        join_is(child, !ends[i] ? 6 : stolen ? YUNTA_ELOST : YUNTA_ECRASHED);
        ck_assert_uint_lt(test_now_ms() - begin, 10000);
        ck_assert_int_eq(yunta_process_failure(child, &why), 0);
        ck_assert_int_eq(why.code, !ends[i] ? YUNTA_EFAILED : stolen ? YUNTA_ELOST : YUNTA_ECRASHED);
        ck_assert_int_eq(why.exit_status, ends[i] ? -1 : 6);
        ck_assert_str_ne(why.text, "");
        ck_assert(!yunta_process_is_alive(child));
        yunta_process_destroy(child);
        yunta_shared_free(word);
    }
}
END_TEST

static atomic_int chased;

static void *wait_for_anybody(void *unused)
{
    (void)unused;
    while (atomic_load(&chased))
        while (waitpid(-1, NULL, WNOHANG) > 0) {
        }
    return NULL;
}

START_TEST(a_thread_that_waits_for_anybody_confuses_nothing)
{
    pthread_t thread;
    chased = 1;
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_anybody, NULL), 0);
    for (int i = 0; i < test_rounds(100); i++) {
        yunta_process *child;
        start_by(TEST_METHOD, &child, return_value, &i);
        end_is(child, i); /* the child has noted it itself */
    }
    chased = 0;
    pthread_join(thread, NULL);
}
END_TEST

START_TEST(ignoring_sigchld_loses_no_exit_status)
{
    signal(SIGCHLD, SIG_IGN);
    yunta_process *child;
    uint64_t begin = test_now_ms();
    start_by(TEST_METHOD, &child, return_value, &(int){9});
    end_is(child, 9);
    start_by(TEST_METHOD, &child, sleep_for_ever, NULL);
    ck_assert_int_eq(yunta_process_join(child, 10), -ETIMEDOUT);
    ck_assert(yunta_process_is_alive(child));
    yunta_process_kill(child);
    join_is(child, TEST_METHOD == YUNTA_FORKSERVER ? YUNTA_ECRASHED : YUNTA_ELOST);
    yunta_process_destroy(child);
    ck_assert_uint_lt(test_now_ms() - begin, 10000);
    signal(SIGCHLD, SIG_DFL);
}
END_TEST

START_TEST(the_programs_own_wait_ends_when_its_own_children_have)
{
    yunta_process *child;
    start_by(TEST_METHOD, &child, return_value, &(int){0}); /* watch and forkserver stand from here on */
    end_is(child, 0);
    for (int i = 0; i < 3; i++)
        if (fork() == 0)
            _exit(i);
    int waited = 0;
    while (wait(NULL) > 0)
        waited++;
    ck_assert_int_eq(waited, 3);
    ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(stopped_is_not_ended)
{
    yunta_process *child;
    start_by(TEST_METHOD, &child, sleep_for_ever, NULL);
    pid_t pid = yunta_process_pid(child);
    ck_assert_int_eq(yunta_process_signal(child, SIGSTOP), 0);
    test_wait_until(test_state(pid) == 'T', 20000);
    ck_assert_int_eq(yunta_process_join(child, 20), -ETIMEDOUT);
    ck_assert(yunta_process_is_alive(child));
    ck_assert_int_eq(yunta_process_signal(child, SIGCONT), 0);
    ck_assert_int_eq(yunta_process_terminate(child), 0);
    join_is(child, YUNTA_ECRASHED);
    yunta_process_destroy(child);
}
END_TEST

static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
    (void)signal;
    alarms++;
}

START_TEST(a_wait_goes_on_after_a_signal_handler)
{
    shared_word *word = new_word();
    yunta_process *child;
    struct sigaction action = {.sa_handler = on_alarm}; /* no SA_RESTART */
    sigaction(SIGALRM, &action, NULL);
    start_by(TEST_METHOD, &child, wait_until_told, &word);
    ualarm(5000, 5000);
    uint64_t begin = test_now_ms();
    ck_assert_int_eq(yunta_process_join(child, 100), -ETIMEDOUT);
    ck_assert_uint_ge(test_now_ms() - begin, 99);
    while (alarms < 3)
        test_nap();
    atomic_store(word, 1);
    ck_assert_int_eq(yunta_process_join(child, YUNTA_FOREVER), 6);
    ualarm(0, 0);
    yunta_process_destroy(child);
    yunta_shared_free(word);
}
END_TEST

static int die_with_it(yunta_lock *const *lock)
{
    if (yunta_lock_acquire(*lock, 0) == 0)
        raise(SIGKILL);
    return 1;
}
YUNTA_ENTRY(die_with_it, yunta_lock *);

/* No wait in between: whoever has heard of an end finds everything as it left it. */
START_TEST(what_the_dead_held_is_there_after_the_join)
{
    yunta_lock *lock;
    ck_assert_int_eq(yunta_lock_create(&lock), 0);
    for (int round = 0; round < test_rounds(60); round++) {
        yunta_process *child;
        start_by(TEST_METHOD, &child, die_with_it, &lock);
        ck_assert_int_eq(yunta_process_join(child, YUNTA_FOREVER), YUNTA_ECRASHED);
        ck_assert_int_eq(yunta_lock_acquire(lock, 0), -EOWNERDEAD);
        ck_assert_int_eq(yunta_lock_mark_consistent(lock), 0);
        ck_assert_int_eq(yunta_lock_release(lock), 0);
        yunta_process_destroy(child);
    }
    yunta_lock_destroy(lock);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("children");
    TCase *cases = test_case(suite, "waiting");
    TEST_FOR_EACH_METHOD(cases, two_threads_join_the_same_process);
    TEST_FOR_EACH_METHOD(cases, a_thread_may_destroy_what_another_one_joins);
    TEST_FOR_EACH_METHOD(cases, any_process_of_the_team_may_join);
    TEST_FOR_EACH_METHOD(cases, any_process_of_the_team_may_join_while_the_starter_is_busy);
    TEST_FOR_EACH_METHOD(cases, another_process_may_destroy);
    TEST_FOR_EACH_METHOD(cases, foreign_waits_may_steal_a_status);
    TEST_FOR_EACH_METHOD(cases, a_thread_that_waits_for_anybody_confuses_nothing);
    TEST_FOR_EACH_METHOD(cases, ignoring_sigchld_loses_no_exit_status);
    TEST_FOR_EACH_METHOD(cases, the_programs_own_wait_ends_when_its_own_children_have);
    TEST_FOR_EACH_METHOD(cases, stopped_is_not_ended);
    TEST_FOR_EACH_METHOD(cases, a_wait_goes_on_after_a_signal_handler);
    TEST_FOR_EACH_METHOD(cases, what_the_dead_held_is_there_after_the_join);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
