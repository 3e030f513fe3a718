/* What the tests of processes share: starting by the method under test, and children that wait to be told.
 *
 * Entries cannot use Check's assertions, since a spawned child knows nothing of the test: they return a status that is
 * compared by the test, usually the number of the line where something was wrong. */
#ifndef YUNTA_TEST_PROC_HELPERS_H
#define YUNTA_TEST_PROC_HELPERS_H

#include "test.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* start_by(method, &child, entry, &argument): must succeed. start_with takes further options. */
#define start_by(method, child, entry, ...)                                                                            \
    ck_assert_int_eq(yunta_start((child), entry, __VA_ARGS__, &(yunta_process_options){.start_method = (method)}), 0)
#define start_with(method, child, entry, argument, ...)                                                                \
    ck_assert_int_eq(                                                                                                  \
        yunta_start((child), entry, (argument), &(yunta_process_options){.start_method = (method), __VA_ARGS__}), 0)

/* In an entry: the number of this line is its status unless the condition holds. */
#define expect(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            return __LINE__ % 254 + 1;                                                                                 \
    } while (0)

/* In a test: the child ends with this status, soon. */
#define join_is(child, status) ck_assert_int_eq(yunta_process_join((child), 20000), (status))

/* The same, and away with it. */
#define end_is(child, status)                                                                                          \
    do {                                                                                                               \
        join_is(child, status);                                                                                        \
        ck_assert_ptr_null(yunta_process_destroy(child));                                                              \
    } while (0)

/* A word in shared memory that a test and its children write and watch. */
typedef _Atomic int shared_word;

static inline shared_word *new_word(void)
{
    shared_word *word = yunta_shared(shared_word, 1);
    ck_assert_ptr_nonnull(word);
    return word;
}

/* Until the word has a value; looks every millisecond, for at most 20 s. */
static inline bool await_word(shared_word *word, int value)
{
    uint64_t end = test_now_ms() + 20000;
    while (atomic_load(word) != value) {
        if (test_now_ms() > end)
            return false;
        test_nap();
    }
    return true;
}

/* Until it is killed. */
static inline int sleep_for_ever(void)
{
    while (pause() != 0) {
    }
    return 99;
}
YUNTA_ENTRY_VOID(sleep_for_ever);

static inline int return_value(const int *value)
{
    return *value;
}
YUNTA_ENTRY(return_value, int);

#endif
