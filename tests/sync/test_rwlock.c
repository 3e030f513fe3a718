/* Recursive and read–write lock: what they promise while all live, and when readers and writers are killed.
 * It must not count on time-outs: sleeps without a limit have none here (endless.h).
 * Read next: src/sync/rwlock.c, src/sync/recursive_lock.c. */
#include "../proc/helpers.h"

#include "endless.h"

#include <pthread.h>
#include <yunta/rwlock.h>

enum { readers = 4, writes = 2000, parties = 3 };

struct scene {
    yunta_rwlock *lock;
    bool writes;
    shared_word *inside, *stage, *result;
    int *pair; /* written one after the other, under the lock */
};

static struct scene new_scene(void)
{
    struct scene s = {.inside = new_word(), .stage = new_word(), .result = new_word(), .pair = yunta_shared(int, 2)};
    ck_assert_ptr_nonnull(s.pair);
    ck_assert_int_eq(yunta_rwlock_create(&s.lock), 0);
    return s;
}

static void free_scene(struct scene *s)
{
    yunta_rwlock_destroy(s->lock);
    yunta_shared_free(s->inside);
    yunta_shared_free(s->stage);
    yunta_shared_free(s->result);
    yunta_shared_free(s->pair);
}

static void end_by_kill(yunta_process *process)
{
    ck_assert_int_eq(yunta_process_kill(process), 0);
    end_is(process, YUNTA_ECRASHED);
}

static int take(const struct scene *s, int milliseconds)
{
    return s->writes ? yunta_rwlock_acquire_write(s->lock, milliseconds)
                     : yunta_rwlock_acquire_read(s->lock, milliseconds);
}

static int hold(const struct scene *s)
{
    expect(take(s, YUNTA_FOREVER) == 0);
    atomic_fetch_add(s->inside, 1);
    expect(await_word(s->stage, 1));
    atomic_fetch_sub(s->inside, 1);
    expect(yunta_rwlock_release(s->lock) == 0);
    return 0;
}
YUNTA_ENTRY(hold, struct scene);

START_TEST(bad_input_is_refused)
{
    struct scene s = new_scene();
    yunta_recursive_lock *lock;
    ck_assert_int_eq(yunta_rwlock_create(NULL), -EINVAL);
    ck_assert_ptr_null(yunta_rwlock_destroy(NULL));
    ck_assert_int_eq(yunta_rwlock_acquire_read(NULL, 0), -EINVAL);
    ck_assert_int_eq(yunta_rwlock_acquire_write(NULL, 0), -EINVAL);
    ck_assert_int_eq(yunta_rwlock_mark_consistent(NULL), -EINVAL);
    ck_assert_int_eq(yunta_rwlock_mark_consistent(s.lock), -EPERM);
    ck_assert_int_eq(yunta_rwlock_release(NULL), -EINVAL);
    ck_assert_int_eq(yunta_rwlock_release(s.lock), -EPERM);
    ck_assert_int_eq(yunta_recursive_lock_create(NULL), -EINVAL);
    ck_assert_ptr_null(yunta_recursive_lock_destroy(NULL));
    ck_assert_int_eq(yunta_recursive_lock_acquire(NULL, 0), -EINVAL);
    ck_assert_int_eq(yunta_recursive_lock_release(NULL), -EINVAL);
    ck_assert_int_eq(yunta_recursive_lock_mark_consistent(NULL), -EINVAL);
    ck_assert_int_eq(yunta_recursive_lock_create(&lock), 0);
    ck_assert_int_eq(yunta_recursive_lock_release(lock), -EPERM);
    ck_assert_int_eq(yunta_recursive_lock_mark_consistent(lock), -EPERM);
    yunta_recursive_lock_destroy(lock);
    free_scene(&s);
}
END_TEST

START_TEST(readers_are_many_and_a_writer_is_alone)
{
    struct scene s = new_scene();
    yunta_process *reader[readers];
    for (int i = 0; i < readers; i++)
        start_by(TEST_METHOD, &reader[i], hold, &s);
    ck_assert(await_word(s.inside, readers));
    ck_assert_int_eq(yunta_rwlock_acquire_read(s.lock, 0), 0);
    ck_assert_int_eq(yunta_rwlock_release(s.lock), 0);
    ck_assert_int_eq(yunta_rwlock_acquire_write(s.lock, 0), -ETIMEDOUT);
    ck_assert_int_eq(yunta_rwlock_acquire_write(s.lock, 20), -ETIMEDOUT);
    ck_assert_int_eq(yunta_rwlock_acquire_read(s.lock, 0), 0); /* who gave up stands in nobody's way */
    ck_assert_int_eq(yunta_rwlock_release(s.lock), 0);
    atomic_store(s.stage, 1);
    ck_assert_int_eq(yunta_rwlock_acquire_write(s.lock, YUNTA_FOREVER), 0);
    ck_assert_int_eq(atomic_load(s.inside), 0);
    for (int i = 0; i < readers; i++)
        end_is(reader[i], 0);
    yunta_process *late;
    struct scene trying = s;
    start_by(TEST_METHOD, &late, hold, &trying);
    test_wait_until(test_state(yunta_process_pid(late)) == 'S', 20000);
    ck_assert_int_eq(atomic_load(s.inside), 0);
    ck_assert_int_eq(yunta_rwlock_release(s.lock), 0);
    end_is(late, 0);
    free_scene(&s);
}
END_TEST

static int write_pairs(const struct scene *s)
{
    for (int i = 0; i < writes; i++) {
        expect(yunta_rwlock_acquire_write(s->lock, YUNTA_FOREVER) == 0);
        *(volatile int *)&s->pair[0] += 1;
        *(volatile int *)&s->pair[1] += 1;
        expect(yunta_rwlock_release(s->lock) == 0);
        expect(yunta_rwlock_acquire_read(s->lock, YUNTA_FOREVER) == 0);
        expect(*(volatile int *)&s->pair[0] == *(volatile int *)&s->pair[1]);
        expect(yunta_rwlock_release(s->lock) == 0);
    }
    return 0;
}
YUNTA_ENTRY(write_pairs, struct scene);

START_TEST(no_write_is_lost_and_none_is_seen_half)
{
    struct scene s = new_scene();
    yunta_process *writer[parties];
    for (int i = 0; i < parties; i++)
        start_by(TEST_METHOD, &writer[i], write_pairs, &s);
    for (int i = 0; i < parties; i++)
        end_is(writer[i], 0);
    ck_assert_int_eq(s.pair[0], parties * writes);
    ck_assert_int_eq(s.pair[1], parties * writes);
    free_scene(&s);
}
END_TEST

START_TEST(pain_08_killed_readers_leave_no_trace)
{
    struct scene s = new_scene();
    for (int i = 0; i < 40; i++) { /* more than there are cells to begin with */
        yunta_process *reader;
        start_by(TEST_METHOD, &reader, hold, &s);
        ck_assert(await_word(s.inside, i + 1));
        end_by_kill(reader);
    }
    ck_assert_int_eq(yunta_rwlock_acquire_write(s.lock, YUNTA_FOREVER), 0);
    ck_assert_int_eq(yunta_rwlock_release(s.lock), 0);
    free_scene(&s);
}
END_TEST

START_TEST(a_writer_sleeps_until_the_last_reader_is_dead)
{
    struct scene s = new_scene();
    yunta_process *reader, *writer;
    start_by(TEST_METHOD, &reader, hold, &s);
    ck_assert(await_word(s.inside, 1));
    struct scene writing = s;
    writing.writes = true;
    start_by(TEST_METHOD, &writer, hold, &writing);
    test_wait_until(test_state(yunta_process_pid(writer)) == 'S', 20000);
    ck_assert_int_eq(yunta_rwlock_acquire_read(s.lock, 0), -ETIMEDOUT); /* the writer goes first */
    end_by_kill(reader);
    ck_assert(await_word(s.inside, 2));
    atomic_store(s.stage, 1);
    end_is(writer, 0);
    free_scene(&s);
}
END_TEST

/* By a reader, and by a writer; with the state repaired, and without. */
START_TEST(a_dead_writer_is_told_to_the_next_one)
{
    struct scene s = new_scene();
    s.writes = true;
    for (int next_writes = 0; next_writes <= 1; next_writes++) {
        yunta_process *writer;
        atomic_store(s.inside, 0);
        start_by(TEST_METHOD, &writer, hold, &s);
        ck_assert(await_word(s.inside, 1));
        end_by_kill(writer);
        struct scene next = s;
        next.writes = next_writes;
        ck_assert_int_eq(take(&next, YUNTA_FOREVER), -EOWNERDEAD);
        ck_assert_int_eq(yunta_rwlock_acquire_read(s.lock, 0), -ETIMEDOUT); /* it is for writing, in either case */
        ck_assert_int_eq(yunta_rwlock_mark_consistent(s.lock), 0);
        ck_assert_int_eq(yunta_rwlock_mark_consistent(s.lock), -EINVAL);
        ck_assert_int_eq(yunta_rwlock_release(s.lock), 0);
        ck_assert_int_eq(yunta_rwlock_acquire_read(s.lock, 0), 0);
        ck_assert_int_eq(yunta_rwlock_release(s.lock), 0);
    }
    yunta_process *writer;
    atomic_store(s.inside, 0);
    start_by(TEST_METHOD, &writer, hold, &s);
    ck_assert(await_word(s.inside, 1));
    end_by_kill(writer);
    ck_assert_int_eq(yunta_rwlock_acquire_write(s.lock, YUNTA_FOREVER), -EOWNERDEAD);
    ck_assert_int_eq(yunta_rwlock_release(s.lock), 0); /* without a word: broken */
    ck_assert_int_eq(yunta_rwlock_acquire_read(s.lock, YUNTA_FOREVER), YUNTA_EBROKEN);
    ck_assert_int_eq(yunta_rwlock_acquire_write(s.lock, YUNTA_FOREVER), YUNTA_EBROKEN);
    free_scene(&s);
}
END_TEST

/* It had asked, and waited for a reader to go: nothing is in question. */
START_TEST(a_writer_that_dies_waiting_is_not_told)
{
    struct scene s = new_scene();
    yunta_process *writer;
    ck_assert_int_eq(yunta_rwlock_acquire_read(s.lock, 0), 0);
    struct scene writing = s;
    writing.writes = true;
    start_by(TEST_METHOD, &writer, hold, &writing);
    test_wait_until(test_state(yunta_process_pid(writer)) == 'S', 20000);
    end_by_kill(writer);
    yunta_process *reader;
    start_by(TEST_METHOD, &reader, hold, &s);
    ck_assert(await_word(s.inside, 1));
    atomic_store(s.stage, 1);
    end_is(reader, 0);
    ck_assert_int_eq(yunta_rwlock_release(s.lock), 0);
    ck_assert_int_eq(yunta_rwlock_acquire_write(s.lock, YUNTA_FOREVER), 0);
    ck_assert_int_eq(yunta_rwlock_release(s.lock), 0);
    free_scene(&s);
}
END_TEST

static void *take_recursive(void *lock)
{
    int r = yunta_recursive_lock_acquire(lock, 0);
    if (r == 0)
        yunta_recursive_lock_release(lock);
    else if (yunta_recursive_lock_release(lock) != -EPERM)
        r = 1;
    return (void *)(intptr_t)r;
}

static int result_in_a_thread(yunta_recursive_lock *lock)
{
    pthread_t thread;
    void *r;
    ck_assert_int_eq(pthread_create(&thread, NULL, take_recursive, lock), 0);
    ck_assert_int_eq(pthread_join(thread, &r), 0);
    return (int)(intptr_t)r;
}

struct recursive {
    yunta_recursive_lock *lock;
    shared_word *depth;
};

static int hold_twice(const struct recursive *s)
{
    expect(yunta_recursive_lock_acquire(s->lock, 0) == 0);
    expect(yunta_recursive_lock_acquire(s->lock, 0) == 0);
    atomic_store(s->depth, 2);
    return sleep_for_ever();
}
YUNTA_ENTRY(hold_twice, struct recursive);

START_TEST(a_recursive_lock_is_its_threads_own)
{
    struct recursive s = {.depth = new_word()};
    ck_assert_int_eq(yunta_recursive_lock_create(&s.lock), 0);
    for (int depth = 1; depth <= 3; depth++)
        ck_assert_int_eq(yunta_recursive_lock_acquire(s.lock, 0), 0);
    for (int depth = 3; depth >= 1; depth--) {
        ck_assert_int_eq(result_in_a_thread(s.lock), -ETIMEDOUT);
        ck_assert_int_eq(yunta_recursive_lock_release(s.lock), 0);
    }
    ck_assert_int_eq(yunta_recursive_lock_release(s.lock), -EPERM);
    ck_assert_int_eq(result_in_a_thread(s.lock), 0);
    yunta_process *owner;
    start_by(TEST_METHOD, &owner, hold_twice, &s);
    ck_assert(await_word(s.depth, 2));
    ck_assert_int_eq(yunta_recursive_lock_acquire(s.lock, 0), -ETIMEDOUT);
    end_by_kill(owner);
    ck_assert_int_eq(yunta_recursive_lock_acquire(s.lock, YUNTA_FOREVER), -EOWNERDEAD);
    ck_assert_int_eq(yunta_recursive_lock_acquire(s.lock, 0), 0); /* told once */
    ck_assert_int_eq(yunta_recursive_lock_mark_consistent(s.lock), 0);
    ck_assert_int_eq(yunta_recursive_lock_release(s.lock), 0);
    ck_assert_int_eq(result_in_a_thread(s.lock), -ETIMEDOUT);
    ck_assert_int_eq(yunta_recursive_lock_release(s.lock), 0);
    ck_assert_int_eq(result_in_a_thread(s.lock), 0);
    yunta_recursive_lock_destroy(s.lock);
    yunta_shared_free(s.depth);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("rwlock");
    TCase *cases = test_case(suite, "rwlock");
    tcase_add_test(cases, bad_input_is_refused);
    TEST_FOR_EACH_METHOD(cases, readers_are_many_and_a_writer_is_alone);
    TEST_FOR_EACH_METHOD(cases, no_write_is_lost_and_none_is_seen_half);
    TEST_FOR_EACH_METHOD(cases, pain_08_killed_readers_leave_no_trace);
    TEST_FOR_EACH_METHOD(cases, a_writer_sleeps_until_the_last_reader_is_dead);
    TEST_FOR_EACH_METHOD(cases, a_dead_writer_is_told_to_the_next_one);
    TEST_FOR_EACH_METHOD(cases, a_writer_that_dies_waiting_is_not_told);
    TEST_FOR_EACH_METHOD(cases, a_recursive_lock_is_its_threads_own);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
