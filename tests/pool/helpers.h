/* What the tests of pools share: the tasks that pools run here, and pools made by the method under test.
 *
 * Tasks cannot use Check's assertions, since a worker of another exec knows nothing of the test. */
#ifndef YUNTA_TEST_POOL_HELPERS_H
#define YUNTA_TEST_POOL_HELPERS_H

#include "test.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As TEST_FOR_EACH_METHOD, and with threads. */
#define FOR_EACH_BACK_END(cases, test) tcase_add_loop_test(cases, test, YUNTA_FORK, YUNTA_THREAD + 1)

/* new_pool(workers, …further options): by the method under test. */
#define new_pool(...) new_pool_by(TEST_METHOD, __VA_ARGS__)
#define new_pool_by(method, ...) make_pool(&(yunta_pool_options){.start_method = (method), .workers = __VA_ARGS__})

static inline yunta_pool *make_pool(const yunta_pool_options *options)
{
    yunta_pool *pool = NULL;
    int r = yunta_pool_create(&pool, options);
    ck_assert_msg(r == 0, "yunta_pool_create: %s", yunta_strerror(r));
    ck_assert_ptr_nonnull(pool);
    return pool;
}

static inline yunta_pool_stats stats_of(yunta_pool *pool)
{
    yunta_pool_stats stats;
    ck_assert_int_eq(yunta_pool_read_stats(pool, &stats), 0);
    return stats;
}

typedef _Atomic int shared_word;

static inline shared_word *new_word(void)
{
    shared_word *word = yunta_shared(shared_word, 1);
    ck_assert_ptr_nonnull(word);
    return word;
}

static inline int square(const int *x, int *y)
{
    *y = *x * *x;
    return 0;
}
YUNTA_TASK(square, int, int);

static inline int next(const int *x, int *y)
{
    *y = *x + 1;
    return 0;
}
YUNTA_TASK(next, int, int);

/* Errors in some of them: a negative number is returned, and said. */
static inline int refuse_negative(const int *x, int *y)
{
    if (*x < 0)
        return yunta_fail(*x, "row %d is negative", *x);
    *y = *x;
    return 0;
}
YUNTA_TASK(refuse_negative, int, int);

/* Says a number when it begins, and waits until it is let go. */
typedef struct gate {
    shared_word *begun, *open;
} gate;

static inline int pass_gate(const gate *g, int *y)
{
    int number = atomic_fetch_add(g->begun, 1);
    while (atomic_load(g->open) == 0)
        test_nap();
    *y = number;
    return 0;
}
YUNTA_TASK(pass_gate, gate, int);

static inline gate new_gate(void)
{
    return (gate){new_word(), new_word()};
}

static inline void free_gate(gate g)
{
    yunta_shared_free(g.begun);
    yunta_shared_free(g.open);
}

typedef struct spinner {
    shared_word *begun;
} spinner;

/* Never comes back, and does nothing that could be interrupted politely. */
static inline int spin_for_ever(const spinner *s, int *y)
{
    for (atomic_fetch_add(s->begun, 1); atomic_load(s->begun) > 0; ++*(volatile unsigned *)(void *)y) {
    }
    return 0;
}
YUNTA_TASK(spin_for_ever, spinner, int);

/* A way to end otherwise than by returning. */
typedef enum deed { WELL, ERROR, SEGV, ABORT, KILL, EXIT, QUICK_EXIT } deed;
typedef struct act {
    deed deed;
    int number;
} act;

static inline int behave(const act *a, int *y)
{
    volatile uintptr_t nowhere = 8; /* not NULL: UndefinedBehaviorSanitizer would look, and exit */
    switch (a->deed) {
    case ERROR:
        return yunta_fail(-EIO, "number %d", a->number);
    case SEGV:
        signal(SIGSEGV, SIG_DFL);
        *(volatile int *)nowhere = 1;
        break;
    case ABORT:
        abort();
    case KILL:
        raise(SIGKILL);
        break;
    case EXIT:
        exit(a->number % 256);
    case QUICK_EXIT:
        _exit(a->number % 256);
    case WELL:
        break;
    }
    *y = a->number + 1;
    return 0;
}
YUNTA_TASK(behave, act, int);

static inline int pid_of_worker(const int *x, pid_t *y)
{
    (void)x;
    *y = getpid();
    return 0;
}
YUNTA_TASK(pid_of_worker, int, pid_t);

static inline void check_squares(const int *in, const int *out, size_t count)
{
    size_t i = 0;
    while (i < count && out[i] == in[i] * in[i])
        i++;
    ck_assert_msg(i == count, "out[%zu] is wrong", i); /* once: Check writes something down at each */
}

static inline void count_up(int *array, size_t count)
{
    for (size_t i = 0; i < count; i++)
        array[i] = (int)(i % 46341);
}

#endif
