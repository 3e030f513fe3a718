/* The kernel has no pidfds: a process's end is told by a pipe alone, and a moment before it can be waited for.
 * It must not count on time-outs: sleeps without a limit have none here (endless.h).
 * Read next: src/proc/children.c; src/os/life.c. */
#include "helpers.h"

#include "../sync/endless.h"

#include "os/life.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <yunta/wait.h>

enum { rounds = 30 };

/* In what is exec'ed too. */
__attribute__((constructor)) static void know_no_pidfds(void)
{
    atomic_store(&yn_life_no_pidfds, true);
}

static void ends_with(yunta_process *process, int result)
{
    ck_assert_int_eq(yunta_process_join(process, YUNTA_FOREVER), result);
    ck_assert_ptr_null(yunta_process_destroy(process));
}

struct starts {
    yunta_start_method method;
    pthread_barrier_t *together;
};

static void *start_and_join(void *argument)
{
    const struct starts *s = argument;
    for (int i = 0; i < rounds; i++) {
        yunta_process *child;
        pthread_barrier_wait(s->together);
        start_by(s->method, &child, return_value, &i);
        ends_with(child, i);
    }
    return NULL;
}

/* Neither holds what would tell of the other's end. */
START_TEST(two_threads_start_at_once_and_join)
{
    pthread_barrier_t together;
    pthread_t thread[2];
    struct starts s = {.method = TEST_METHOD, .together = &together};
    ck_assert_int_eq(pthread_barrier_init(&together, NULL, 2), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, start_and_join, &s), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
    pthread_barrier_destroy(&together);
}
END_TEST

START_TEST(one_is_joined_while_another_lives)
{
    yunta_process *before, *child;
    start_by(TEST_METHOD, &before, sleep_for_ever, NULL);
    for (int i = 0; i < rounds; i++) {
        start_by(TEST_METHOD, &child, return_value, &i);
        ends_with(child, i);
    }
    ck_assert_int_eq(yunta_process_kill(before), 0);
    ends_with(before, YUNTA_ECRASHED);
}
END_TEST

/* The one that began first ends last: what was forked meanwhile does not hide its end. */
START_TEST(one_is_joined_while_a_later_one_lives)
{
    for (int i = 0; i < rounds / 3; i++) {
        yunta_process *first, *later;
        start_by(TEST_METHOD, &first, sleep_for_ever, NULL);
        start_by(TEST_METHOD, &later, sleep_for_ever, NULL);
        ck_assert_int_eq(yunta_process_kill(first), 0);
        ends_with(first, YUNTA_ECRASHED);
        ck_assert_int_eq(yunta_process_kill(later), 0);
        ends_with(later, YUNTA_ECRASHED);
    }
}
END_TEST

/* Perhaps before it has said that it is there. */
START_TEST(one_that_is_killed_at_once_is_joined)
{
    for (int i = 0; i < rounds; i++) {
        yunta_process *child;
        start_by(TEST_METHOD, &child, sleep_for_ever, NULL);
        ck_assert_int_eq(kill(yunta_process_pid(child), SIGKILL), 0);
        ends_with(child, YUNTA_ECRASHED);
    }
}
END_TEST

START_TEST(waiting_for_many_ends_with_each)
{
    for (int i = 0; i < rounds; i++) {
        yunta_process *child[2];
        for (int c = 0; c < 2; c++)
            start_by(TEST_METHOD, &child[c], return_value, &c);
        for (int c = 0; c < 2; c++) {
            yunta_wait_item one = {.kind = YUNTA_WAIT_PROCESS, .object = child[c]};
            ck_assert_int_eq(yunta_wait_many(&one, 1, YUNTA_FOREVER), 1);
            ends_with(child[c], c);
        }
    }
}
END_TEST

struct leaver {
    yunta_lock *lock;
    shared_word *left;
};

/* Who is left never calls the library. */
static int leave_one_behind(const struct leaver *l)
{
    expect(yunta_lock_acquire(l->lock, YUNTA_FOREVER) == 0);
    pid_t pid = fork();
    expect(pid >= 0);
    if (pid == 0)
        sleep_for_ever();
    atomic_store(l->left, pid);
    _exit(7);
}
YUNTA_ENTRY(leave_one_behind, struct leaver);

START_TEST(who_is_forked_by_the_program_hides_no_end)
{
    struct leaver l = {.left = new_word()};
    yunta_process *child;
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    ck_assert_int_eq(yunta_lock_create(&l.lock), 0);
    start_by(TEST_METHOD, &child, leave_one_behind, &l);
    test_wait_until(atomic_load(l.left) != 0, 20000);
    int r = yunta_lock_acquire(l.lock, YUNTA_FOREVER); /* nobody reaps its last owner meanwhile */
    ck_assert_int_eq(r, -EOWNERDEAD);
    ck_assert_int_eq(yunta_lock_release(l.lock), 0);
    ends_with(child, 7);
    test_kill(atomic_load(l.left));
    while (wait(NULL) > 0) {
    }
    yunta_lock_destroy(l.lock);
    yunta_shared_free(l.left);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("no_pidfds");
    TCase *cases = test_case(suite, "ends");
    TEST_FOR_EACH_METHOD(cases, two_threads_start_at_once_and_join);
    TEST_FOR_EACH_METHOD(cases, one_is_joined_while_another_lives);
    TEST_FOR_EACH_METHOD(cases, one_is_joined_while_a_later_one_lives);
    TEST_FOR_EACH_METHOD(cases, one_that_is_killed_at_once_is_joined);
    TEST_FOR_EACH_METHOD(cases, waiting_for_many_ends_with_each);
    TEST_FOR_EACH_METHOD(cases, who_is_forked_by_the_program_hides_no_end);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
