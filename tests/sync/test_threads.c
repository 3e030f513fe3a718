/* Each primitive between the threads of one process, over data that nothing else protects: ThreadSanitizer sees there
 * whether what one has written is published to the next. It must not need another process.
 * Read next: test_thread_mark.c; ../pool/test_threads.c.
 *
 * labels: threads */
#include "test.h"

#include <pthread.h>

enum { rounds = 2000 };

static struct scene {
    yunta_lock *lock;
    yunta_recursive_lock *recursive;
    yunta_rwlock *rwlock;
    yunta_semaphore *semaphore;
    yunta_condition *condition;
    yunta_event *event;
    yunta_barrier *barrier;
    yunta_once *once;
    long value, seen; /* plain */
    int turn;
} scene;

static void must(bool holds)
{
    if (!holds)
        ck_abort_msg("a call has failed");
}

/* Two threads run it, with 0 and 1. */
static void with_two_threads(void *(*run)(void *))
{
    pthread_t thread[2];
    static int number[2] = {0, 1};
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, run, &number[i]), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
}

static void *under_locks(void *number)
{
    (void)number;
    for (int i = 0; i < rounds; i++) {
        must(yunta_lock_acquire(scene.lock, YUNTA_FOREVER) == 0);
        scene.value++;
        must(yunta_lock_release(scene.lock) == 0);
        must(yunta_recursive_lock_acquire(scene.recursive, YUNTA_FOREVER) == 0);
        must(yunta_recursive_lock_acquire(scene.recursive, YUNTA_FOREVER) == 0);
        scene.seen++;
        must(yunta_recursive_lock_release(scene.recursive) == 0);
        must(yunta_recursive_lock_release(scene.recursive) == 0);
    }
    return NULL;
}

START_TEST(locks_publish_what_was_written)
{
    ck_assert_int_eq(yunta_lock_create(&scene.lock), 0);
    ck_assert_int_eq(yunta_recursive_lock_create(&scene.recursive), 0);
    with_two_threads(under_locks);
    ck_assert_int_eq(scene.value, 2 * rounds);
    ck_assert_int_eq(scene.seen, 2 * rounds);
    yunta_lock_destroy(scene.lock);
    yunta_recursive_lock_destroy(scene.recursive);
}
END_TEST

static void *read_and_write(void *number)
{
    for (int i = 0; i < rounds; i++) {
        if (*(int *)number == 0) {
            must(yunta_rwlock_acquire_write(scene.rwlock, YUNTA_FOREVER) == 0);
            scene.value++;
            scene.seen++;
        } else {
            must(yunta_rwlock_acquire_read(scene.rwlock, YUNTA_FOREVER) == 0);
            must(scene.value == scene.seen);
        }
        must(yunta_rwlock_release(scene.rwlock) == 0);
    }
    return NULL;
}

START_TEST(a_reader_sees_what_the_writer_has_written)
{
    ck_assert_int_eq(yunta_rwlock_create(&scene.rwlock), 0);
    with_two_threads(read_and_write);
    ck_assert_int_eq(scene.value, rounds);
    yunta_rwlock_destroy(scene.rwlock);
}
END_TEST

static void *with_units(void *number)
{
    (void)number;
    for (int i = 0; i < rounds; i++) {
        must(yunta_semaphore_acquire(scene.semaphore, YUNTA_FOREVER) == 0);
        scene.value++;
        must(yunta_semaphore_release(scene.semaphore) == 0);
    }
    return NULL;
}

START_TEST(a_unit_publishes_what_was_written)
{
    ck_assert_int_eq(yunta_semaphore_create(&scene.semaphore, &(yunta_semaphore_options){.initial = 1, .unowned = _i}),
                     0);
    with_two_threads(with_units);
    ck_assert_int_eq(scene.value, 2 * rounds);
    yunta_semaphore_destroy(scene.semaphore);
}
END_TEST

static void *in_turn(void *number)
{
    int mine = *(int *)number;
    must(yunta_lock_acquire(scene.lock, YUNTA_FOREVER) == 0);
    for (int i = 0; i < rounds; i++) {
        while (scene.turn != mine)
            must(yunta_condition_wait(scene.condition, scene.lock, YUNTA_FOREVER) == 0);
        scene.value++;
        scene.turn = 1 - mine;
        must(yunta_condition_notify(scene.condition) == 0);
    }
    must(yunta_lock_release(scene.lock) == 0);
    return NULL;
}

START_TEST(a_condition_hands_on_what_was_written)
{
    ck_assert_int_eq(yunta_lock_create(&scene.lock), 0);
    ck_assert_int_eq(yunta_condition_create(&scene.condition), 0);
    with_two_threads(in_turn);
    ck_assert_int_eq(scene.value, 2 * rounds);
    yunta_condition_destroy(scene.condition);
    yunta_lock_destroy(scene.lock);
}
END_TEST

/* The plain value is written by the one before the event, or the barrier, and read by the other one behind it. */
static void *one_after_the_other(void *number)
{
    for (int i = 0; i < rounds / 10; i++) {
        if (*(int *)number == 0) {
            scene.value = i;
            must(yunta_event_set(scene.event) == 0);
        } else {
            must(yunta_event_wait(scene.event, YUNTA_FOREVER) == 0);
            must(scene.value == i);
            must(yunta_event_clear(scene.event) == 0);
        }
        must(yunta_barrier_wait(scene.barrier, YUNTA_FOREVER) >= 0);
    }
    return NULL;
}

START_TEST(an_event_and_a_barrier_publish_what_was_written)
{
    ck_assert_int_eq(yunta_event_create(&scene.event), 0);
    ck_assert_int_eq(yunta_barrier_create(&scene.barrier, 2), 0);
    with_two_threads(one_after_the_other);
    yunta_barrier_destroy(scene.barrier);
    yunta_event_destroy(scene.event);
}
END_TEST

static int write_it(void *argument, bool again)
{
    (void)argument, (void)again;
    scene.value = 42;
    return 0;
}

static void *once_each(void *number)
{
    (void)number;
    must(yunta_once_run(scene.once, write_it, NULL, YUNTA_FOREVER) >= 0);
    must(scene.value == 42);
    return NULL;
}

START_TEST(what_once_has_written_is_seen_by_all)
{
    for (int i = 0; i < 100; i++) {
        scene.value = 0;
        ck_assert_int_eq(yunta_once_create(&scene.once), 0);
        with_two_threads(once_each);
        yunta_once_destroy(scene.once);
    }
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("threads");
    TCase *cases = test_case(suite, "threads");
    tcase_add_test(cases, locks_publish_what_was_written);
    tcase_add_test(cases, a_reader_sees_what_the_writer_has_written);
    tcase_add_loop_test(cases, a_unit_publishes_what_was_written, 0, 2);
    tcase_add_test(cases, a_condition_hands_on_what_was_written);
    tcase_add_test(cases, an_event_and_a_barrier_publish_what_was_written);
    tcase_add_test(cases, what_once_has_written_is_seen_by_all);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
