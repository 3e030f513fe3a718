/* What every test has beside Check: the right main, an audit of what a test leaves behind, and eyes for other
 * processes.
 *
 *     START_TEST(a_child_says_its_status)
 *     {
 *         yunta_process *child;
 *         ck_assert_int_eq(yunta_start(&child, seven, NULL, &(yunta_process_options){.start_method = TEST_METHOD}), 0);
 *         …
 *     }
 *     END_TEST
 *
 *     static Suite *make(void)
 *     {
 *         Suite *suite = suite_create("process");
 *         TCase *cases = test_case(suite, "status");
 *         TEST_FOR_EACH_METHOD(cases, a_child_says_its_status);
 *         return suite;
 *     }
 *
 *     int main(int argc, char **argv)
 *     {
 *         return test_main(argc, argv, make);
 *     }
 *
 * Check forks a process for each test. The audit runs in it after the test, when the test has not failed already. */
#ifndef YUNTA_TEST_H
#define YUNTA_TEST_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <yunta/yunta.h>

/* Calls yunta_init first, since spawn executes the test program again; runs the suite; then looks for processes of this
 * program that outlived it. Returns the exit status of main. */
int test_main(int argc, char **argv, Suite *(*make)(void));

/* A new case of the suite, with the audit around each of its tests and 30 s for each. */
TCase *test_case(Suite *suite, const char *name);

/* The same without the audit, for tests that end their process themselves or leave things behind on purpose. */
TCase *test_case_unaudited(Suite *suite, const char *name);

/* Runs the test under fork, forkserver and spawn: TEST_METHOD says which. */
#define TEST_FOR_EACH_METHOD(cases, test) tcase_add_loop_test(cases, test, YUNTA_FORK, YUNTA_SPAWN + 1)
#define TEST_METHOD ((yunta_start_method)_i)

/* Waits for what no call of the library tells, as a line of /proc: looks until the condition holds, or fails the test.
 */
#define test_wait_until(condition, milliseconds)                                                                       \
    do {                                                                                                               \
        uint64_t test_end_ms = test_now_ms() + (uint64_t)(milliseconds);                                               \
        while (!(condition)) {                                                                                         \
            ck_assert_msg(test_now_ms() < test_end_ms, "not within %d ms: %s", (int)(milliseconds), #condition);       \
            test_nap();                                                                                                \
        }                                                                                                              \
    } while (0)

uint64_t test_now_ms(void); /* CLOCK_MONOTONIC */
void test_nap(void);        /* a millisecond */

/* Forks, or fails the test: in the parent alone, since a child that is killed over an assertion leaves Check half a
 * message. */
pid_t test_fork(void);

/* The state letter in /proc/PID/stat ('R', 'S', 'Z', 'T' …); 0 if there is no such process. */
char test_state(pid_t pid);

/* It is there, and no zombie. */
bool test_is_running(pid_t pid);

/* The children of a process, up to `capacity` of them, and how many there are. Processes made without an exit signal
 * (the watch) count too. */
size_t test_children(pid_t pid, pid_t *children, size_t capacity);

/* SIGKILL, and until it is gone or a zombie. It must be there. */
void test_kill(pid_t pid);

/* How many descriptors this process has open. */
size_t test_descriptor_count(void);

/* The audit by hand, for the middle of a test: fails the test if this process has children, or processes in its group.
 */
void test_audit_processes(void);

/* Until nothing of any size can be had from the arena: it had best be a small one. */
void test_fill_arena(void);

/* Also where the environment has been cleared since. */
bool test_is_valgrind(void);

/* How often to do what the test does over and over: `full` times, and a twentieth of it, but three times, under
 * Valgrind, where it takes up to a second to start a process. */
int test_rounds(int full);

#endif
