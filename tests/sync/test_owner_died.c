/* A death is told to the next owner, who says that what is protected is whole again, or lets go without, and then it is
 * broken for all: the same for each lock that there is.
 * It must not count on time-outs: sleeps without a limit have none here (endless.h).
 * Read next: test_lock_death.c, the lock alone; test_limits.c.
 */
#include "../proc/helpers.h"

#include "endless.h"

#include <pthread.h>

enum { waiters = 2 };

struct scene {
    int kind;
    void *lock;
    shared_word *held, *broken, *told;
};

typedef struct kind {
    const char *name;
    int (*make)(void **lock);
    void *(*unmake)(void *lock);
    int (*own)(void *lock, int milliseconds); /* so that a death is told */
    int (*take)(void *lock, int milliseconds);
    int (*mark)(void *lock);
    int (*release)(void *lock);
} kind;

#define WRAP(type, acquire)                                                                                            \
    static int type##_##acquire(void *lock, int milliseconds)                                                          \
    {                                                                                                                  \
        return yunta_##type##_##acquire(lock, milliseconds);                                                           \
    }
#define WRAP_REST(type)                                                                                                \
    static int type##_make(void **lock)                                                                                \
    {                                                                                                                  \
        return yunta_##type##_create((yunta_##type **)lock);                                                           \
    }                                                                                                                  \
    static void *type##_unmake(void *lock)                                                                             \
    {                                                                                                                  \
        return yunta_##type##_destroy(lock);                                                                           \
    }                                                                                                                  \
    static int type##_mark(void *lock)                                                                                 \
    {                                                                                                                  \
        return yunta_##type##_mark_consistent(lock);                                                                   \
    }                                                                                                                  \
    static int type##_release(void *lock)                                                                              \
    {                                                                                                                  \
        return yunta_##type##_release(lock);                                                                           \
    }
WRAP(lock, acquire)
WRAP_REST(lock)
WRAP(recursive_lock, acquire)
WRAP_REST(recursive_lock)
WRAP(rwlock, acquire_write)
WRAP(rwlock, acquire_read)
WRAP_REST(rwlock)

#define KIND(name, type, own, take)                                                                                    \
    {                                                                                                                  \
        name, type##_make, type##_unmake, type##_##own, type##_##take, type##_mark, type##_release                     \
    }
static const kind kinds[] = {
    KIND("lock", lock, acquire, acquire),
    KIND("recursive lock", recursive_lock, acquire, acquire),
    KIND("rwlock, to write", rwlock, acquire_write, acquire_write),
    KIND("rwlock, to read", rwlock, acquire_write, acquire_read),
};

#define is(r, expected)                                                                                                \
    do {                                                                                                               \
        int is_result = (r);                                                                                           \
        ck_assert_msg(is_result == (expected), "%s: %s is %d", kinds[_i].name, #r, is_result);                         \
    } while (0)

static struct scene new_scene(int number)
{
    struct scene s = {.kind = number, .held = new_word(), .broken = new_word(), .told = new_word()};
    ck_assert_int_eq(kinds[number].make(&s.lock), 0);
    return s;
}

static void free_scene(struct scene *s)
{
    ck_assert_ptr_null(kinds[s->kind].unmake(s->lock));
    yunta_shared_free(s->held);
    yunta_shared_free(s->broken);
    yunta_shared_free(s->told);
}

static int take_and_die(const struct scene *s)
{
    int r = kinds[s->kind].own(s->lock, YUNTA_FOREVER);
    expect(r == 0 || r == -EOWNERDEAD);
    atomic_fetch_add(s->told, r == -EOWNERDEAD);
    raise(SIGKILL);
    return 99;
}
YUNTA_ENTRY(take_and_die, struct scene);

static void leave_a_dead_owner(const struct scene *s)
{
    yunta_process *owner;
    start_by(YUNTA_FORK, &owner, take_and_die, s);
    end_is(owner, YUNTA_ECRASHED);
}

/* Not told of anything, nothing is in question, and nobody but the owner says a word. */
START_TEST(only_who_was_told_can_mark_it)
{
    struct scene s = new_scene(_i);
    const kind *k = &kinds[_i];
    is(k->mark(NULL), -EINVAL);
    is(k->mark(s.lock), -EPERM);
    is(k->own(s.lock, 0), 0);
    is(k->mark(s.lock), -EINVAL);
    is(k->release(s.lock), 0);
    is(k->mark(s.lock), -EPERM);
    is(k->take(s.lock, 0), 0);
    is(k->mark(s.lock), k->take == rwlock_acquire_read ? -EPERM : -EINVAL);
    is(k->release(s.lock), 0);
    free_scene(&s);
}
END_TEST

struct attempt {
    const kind *kind;
    void *lock;
    int limit;
};

static void *try_it(void *argument)
{
    const struct attempt *a = argument;
    return (void *)(intptr_t)a->kind->take(a->lock, a->limit);
}

/* The recursive lock belongs to its thread: who else comes is another one. */
static int try_in_a_thread(const kind *k, void *lock, int limit)
{
    struct attempt a = {k, lock, limit};
    pthread_t thread;
    void *r;
    ck_assert_int_eq(pthread_create(&thread, NULL, try_it, &a), 0);
    ck_assert_int_eq(pthread_join(thread, &r), 0);
    return (int)(intptr_t)r;
}

START_TEST(told_once_and_marked_it_is_as_before)
{
    struct scene s = new_scene(_i);
    const kind *k = &kinds[_i];
    for (int round = 0; round < 3; round++) {
        leave_a_dead_owner(&s);
        is(k->take(s.lock, YUNTA_FOREVER), -EOWNERDEAD);
        is(try_in_a_thread(k, s.lock, 0), -ETIMEDOUT); /* alone, until it is decided, and after */
        is(try_in_a_thread(k, s.lock, 10), -ETIMEDOUT);
        is(k->mark(s.lock), 0);
        is(k->mark(s.lock), -EINVAL);
        is(try_in_a_thread(k, s.lock, 0), -ETIMEDOUT);
        is(k->release(s.lock), 0);
        is(k->release(s.lock), -EPERM);
        is(k->take(s.lock, 0), 0);
        is(k->release(s.lock), 0);
        is(k->own(s.lock, 0), 0);
        is(k->mark(s.lock), -EINVAL);
        is(k->release(s.lock), 0);
    }
    free_scene(&s);
}
END_TEST

/* However many die over it, one after the other, before it is marked. */
START_TEST(who_was_told_dies_and_the_next_one_is_told)
{
    struct scene s = new_scene(_i);
    const kind *k = &kinds[_i];
    for (int i = 0; i < 4; i++)
        leave_a_dead_owner(&s);
    ck_assert_int_eq(atomic_load(s.told), 3);
    is(k->take(s.lock, YUNTA_FOREVER), -EOWNERDEAD);
    is(k->mark(s.lock), 0);
    is(k->release(s.lock), 0);
    is(k->own(s.lock, 0), 0);
    is(k->release(s.lock), 0);
    free_scene(&s);
}
END_TEST

static int wait_for_it(const struct scene *s)
{
    expect(kinds[s->kind].take(s->lock, YUNTA_FOREVER) == YUNTA_EBROKEN);
    atomic_fetch_add(s->broken, 1);
    return 0;
}
YUNTA_ENTRY(wait_for_it, struct scene);

/* Who sleeps is told, who comes is told, and nobody has it any more. */
START_TEST(let_go_unmarked_it_is_broken_for_all)
{
    struct scene s = new_scene(_i);
    const kind *k = &kinds[_i];
    yunta_process *waiter[waiters];
    leave_a_dead_owner(&s);
    is(k->take(s.lock, YUNTA_FOREVER), -EOWNERDEAD);
    for (int i = 0; i < waiters; i++)
        start_by(YUNTA_FORK, &waiter[i], wait_for_it, &s);
    for (int i = 0; i < waiters; i++)
        test_wait_until(is_waiting(waiter[i]), 20000);
    is(k->release(s.lock), 0);
    for (int i = 0; i < waiters; i++)
        end_is(waiter[i], 0);
    ck_assert_int_eq(atomic_load(s.broken), waiters);
    for (int limit = -1; limit <= 1; limit++) {
        is(k->take(s.lock, limit), YUNTA_EBROKEN);
        is(k->own(s.lock, limit), YUNTA_EBROKEN);
    }
    is(k->mark(s.lock), -EPERM);
    is(k->release(s.lock), -EPERM);
    free_scene(&s);
}
END_TEST

/* Taken several times over by one thread, it is in question until the last is let go. */
START_TEST(a_recursive_lock_may_be_marked_at_any_depth)
{
    struct scene s = new_scene(1);
    const kind *k = &kinds[1];
    for (int marked_at = 0; marked_at <= 3; marked_at++) { /* 3: not at all */
        leave_a_dead_owner(&s);
        ck_assert_int_eq(k->take(s.lock, YUNTA_FOREVER), -EOWNERDEAD);
        ck_assert_int_eq(k->take(s.lock, 0), 0);
        ck_assert_int_eq(k->take(s.lock, 0), 0);
        for (int depth = 0; depth < 3; depth++) {
            ck_assert_int_eq(try_in_a_thread(k, s.lock, 0), -ETIMEDOUT);
            if (depth == marked_at)
                ck_assert_int_eq(k->mark(s.lock), 0);
            ck_assert_int_eq(k->release(s.lock), 0);
        }
        ck_assert_int_eq(k->release(s.lock), -EPERM);
        ck_assert_int_eq(k->take(s.lock, 0), marked_at == 3 ? YUNTA_EBROKEN : 0);
        ck_assert_int_eq(k->release(s.lock), marked_at == 3 ? -EPERM : 0);
    }
    free_scene(&s);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("owner died");
    TCase *cases = test_case(suite, "owner died");
    tcase_add_loop_test(cases, only_who_was_told_can_mark_it, 0, YN_COUNT(kinds));
    tcase_add_loop_test(cases, told_once_and_marked_it_is_as_before, 0, YN_COUNT(kinds));
    tcase_add_loop_test(cases, who_was_told_dies_and_the_next_one_is_told, 0, YN_COUNT(kinds));
    tcase_add_loop_test(cases, let_go_unmarked_it_is_broken_for_all, 0, YN_COUNT(kinds));
    tcase_add_test(cases, a_recursive_lock_may_be_marked_at_any_depth);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
