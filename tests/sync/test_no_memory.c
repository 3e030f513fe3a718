/* Where the arena is full, what makes something says so and leaves nothing, and so does a thread that can have no seat;
 * what is destroyed gives back all that it had. Must not need another process.
 * Read next: ../shm/test_shared_limits.c. */
#include "test.h"

#include "shm/arena.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

static char made_of;
#define MUST_FAIL(type, call)                                                                                          \
    do {                                                                                                               \
        type *made = (type *)&made_of;                                                                                 \
        ck_assert_int_eq(call, error);                                                                                 \
        ck_assert_ptr_eq(made, (type *)&made_of);                                                                      \
    } while (0)

static void fail_to_make_each(int error)
{
    MUST_FAIL(yunta_lock, yunta_lock_create(&made));
    MUST_FAIL(yunta_recursive_lock, yunta_recursive_lock_create(&made));
    MUST_FAIL(yunta_rwlock, yunta_rwlock_create(&made));
    MUST_FAIL(yunta_semaphore,
              yunta_semaphore_create(&made, &(yunta_semaphore_options){.initial = 1, .unowned = true}));
    MUST_FAIL(yunta_semaphore, yunta_semaphore_create(&made, NULL));
    MUST_FAIL(yunta_condition, yunta_condition_create(&made));
    MUST_FAIL(yunta_event, yunta_event_create(&made));
    MUST_FAIL(yunta_barrier, yunta_barrier_create(&made, 2));
    MUST_FAIL(yunta_once, yunta_once_create(&made));
    MUST_FAIL(yunta_latch, yunta_latch_create(&made, 1));
}

START_TEST(nothing_can_be_made_without_memory)
{
    ck_assert_int_eq(yunta_set_arena_limit(YN_ARENA_LEAST), 0);
    test_fill_arena();
    fail_to_make_each(-ENOMEM);
}
END_TEST

/* One of each, taken by the main thread. */
static struct {
    yunta_lock *lock;
    yunta_recursive_lock *recursive;
    yunta_rwlock *written, *read;
    yunta_semaphore *semaphore;
    yunta_barrier *barrier;
    yunta_condition *condition;
    yunta_event *event;
    yunta_latch *latch;
    yunta_once *once;
} its;

static bool is_not_yet(void *unused)
{
    (void)unused;
    return false;
}

static int is_not_called(void *unused, bool again)
{
    (void)unused;
    (void)again;
    ck_abort();
    return 0;
}

static void *wait_without_a_seat(void *unused)
{
    ck_assert_int_eq(yunta_lock_acquire(its.lock, 20), -ENOMEM);
    ck_assert_int_eq(yunta_recursive_lock_acquire(its.recursive, 20), -ENOMEM);
    ck_assert_int_eq(yunta_semaphore_acquire(its.semaphore, 20), -ENOMEM);
    ck_assert_int_eq(yunta_rwlock_acquire_read(its.written, 20), -ENOMEM);
    ck_assert_int_eq(yunta_rwlock_acquire_write(its.written, 20), -ENOMEM);
    ck_assert_int_eq(yunta_rwlock_acquire_write(its.read, 0), -ENOMEM);
    ck_assert_int_eq(yunta_rwlock_acquire_read(its.read, 0), 0);
    ck_assert_int_eq(yunta_rwlock_release(its.read), 0);
    ck_assert_int_eq(yunta_condition_wait(its.condition, its.lock, 0), -ENOMEM);
    ck_assert_int_eq(yunta_condition_wait_for(its.condition, its.lock, is_not_yet, NULL, 20), -ENOMEM);
    ck_assert(yunta_lock_is_held(its.lock));
    ck_assert_int_eq(yunta_event_wait(its.event, 20), -ENOMEM);
    ck_assert_int_eq(yunta_latch_wait(its.latch, 20), -ENOMEM);
    ck_assert_int_eq(yunta_barrier_wait(its.barrier, 0), -ENOMEM);
    ck_assert_int_eq(yunta_once_run(its.once, is_not_called, NULL, 20), -ENOMEM);
    return unused;
}

static int wait_in_a_thread(void *unused, bool again)
{
    pthread_t thread;
    (void)again;
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_without_a_seat, unused), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    return 0;
}

START_TEST(who_can_have_no_seat_or_place_is_told_so)
{
    ck_assert_int_eq(yunta_set_arena_limit(YN_ARENA_LEAST), 0);
    ck_assert_int_eq(yunta_lock_create(&its.lock), 0);
    ck_assert_int_eq(yunta_recursive_lock_create(&its.recursive), 0);
    ck_assert_int_eq(yunta_rwlock_create(&its.written), 0);
    ck_assert_int_eq(yunta_rwlock_create(&its.read), 0);
    ck_assert_int_eq(yunta_semaphore_create(&its.semaphore, &(yunta_semaphore_options){.initial = 1}), 0);
    ck_assert_int_eq(yunta_barrier_create(&its.barrier, 2), 0);
    ck_assert_int_eq(yunta_condition_create(&its.condition), 0);
    ck_assert_int_eq(yunta_event_create(&its.event), 0);
    ck_assert_int_eq(yunta_latch_create(&its.latch, 3), 0);
    ck_assert_int_eq(yunta_once_create(&its.once), 0);
    ck_assert_int_eq(yunta_event_wait(its.event, 1), -ETIMEDOUT); /* the seat that each process has is ours now */
    ck_assert_int_eq(yunta_lock_acquire(its.lock, 0), 0);
    ck_assert_int_eq(yunta_recursive_lock_acquire(its.recursive, 0), 0);
    ck_assert_int_eq(yunta_rwlock_acquire_write(its.written, 0), 0);
    ck_assert_int_eq(yunta_semaphore_acquire(its.semaphore, 0), 0);
    test_fill_arena();
    ck_assert_int_eq(yunta_once_run(its.once, wait_in_a_thread, NULL, 0), 0);
    ck_assert_int_eq(yunta_latch_take(its.latch, 1), -ENOMEM);
    ck_assert_int_eq(yunta_latch_pending(its.latch), 3);
    enum { cells = 32 };
    for (int i = 0; i < cells; i++)
        ck_assert_int_eq(yunta_rwlock_acquire_read(its.read, 0), 0);
    ck_assert_int_eq(yunta_rwlock_acquire_read(its.read, 0), -ENOMEM);
    for (int i = 0; i < cells; i++)
        ck_assert_int_eq(yunta_rwlock_release(its.read), 0);
    ck_assert_int_eq(yunta_rwlock_release(its.read), -EPERM);
    ck_assert_int_eq(yunta_rwlock_acquire_write(its.read, 0), 0);
}
END_TEST

static void call_without_a_team(void *object)
{
    yunta_deadlock_edge edge;
    ck_assert_int_eq(yunta_lock_acquire(object, 0), -EMFILE);
    ck_assert_int_eq(yunta_lock_mark_consistent(object), -EMFILE);
    ck_assert_int_eq(yunta_lock_release(object), -EMFILE);
    ck_assert_int_eq(yunta_recursive_lock_acquire(object, 0), -EMFILE);
    ck_assert_int_eq(yunta_recursive_lock_mark_consistent(object), -EMFILE);
    ck_assert_int_eq(yunta_recursive_lock_release(object), -EMFILE);
    ck_assert_int_eq(yunta_semaphore_acquire(object, 0), -EMFILE);
    ck_assert_int_eq(yunta_semaphore_release(object), -EMFILE);
    ck_assert_int_eq(yunta_semaphore_value(object), -EMFILE);
    ck_assert_int_eq(yunta_rwlock_acquire_read(object, 0), -EMFILE);
    ck_assert_int_eq(yunta_rwlock_acquire_write(object, 0), -EMFILE);
    ck_assert_int_eq(yunta_rwlock_release(object), -EMFILE);
    ck_assert_int_eq(yunta_rwlock_mark_consistent(object), -EMFILE);
    ck_assert_int_eq(yunta_condition_wait(object, object, 0), -EMFILE);
    ck_assert_int_eq(yunta_condition_wait_for(object, object, is_not_yet, NULL, 0), -EMFILE);
    ck_assert_int_eq(yunta_event_wait(object, 0), -EMFILE);
    ck_assert_int_eq(yunta_barrier_wait(object, 0), -EMFILE);
    ck_assert_int_eq(yunta_barrier_leave(object), -EMFILE);
    ck_assert_int_eq(yunta_barrier_abort(object), -EMFILE);
    ck_assert_int_eq(yunta_barrier_reset(object), -EMFILE);
    ck_assert_int_eq(yunta_once_run(object, is_not_called, NULL, 0), -EMFILE);
    ck_assert_int_eq(yunta_latch_take(object, 1), -EMFILE);
    ck_assert_int_eq(yunta_latch_count_down(object, 1), -EMFILE);
    ck_assert_int_eq(yunta_latch_arrive_and_wait(object, 1, 0), -EMFILE);
    ck_assert_int_eq(yunta_latch_wait(object, 0), -EMFILE);
    ck_assert_int_eq(yunta_latch_abort(object), -EMFILE);
    ck_assert_int_eq(yunta_latch_pending(object), -EMFILE);
    ck_assert(!yunta_latch_is_broken(object));
    ck_assert_int_eq(yunta_deadlock_find(&edge, 1), -EMFILE);
    ck_assert_int_eq(yunta_deadlock_read_waits(&edge, 1), -EMFILE);
    ck_assert_int_eq(yunta_deadlock_trace(), -EMFILE);
    ck_assert_int_eq(yunta_deadlock_print(1), -EMFILE);
    ck_assert_ptr_null(yunta_lock_destroy(object));
    ck_assert_ptr_null(yunta_recursive_lock_destroy(object));
    ck_assert_ptr_null(yunta_semaphore_destroy(object));
    ck_assert_ptr_null(yunta_rwlock_destroy(object));
    ck_assert_ptr_null(yunta_condition_destroy(object));
    ck_assert_ptr_null(yunta_event_destroy(object));
    ck_assert_ptr_null(yunta_barrier_destroy(object));
    ck_assert_ptr_null(yunta_once_destroy(object));
    ck_assert_ptr_null(yunta_latch_destroy(object));
    fail_to_make_each(-EMFILE);
}

/* No descriptor can be had, so no team can be made. What needs one says so, and touches nothing. */
START_TEST(nothing_can_be_done_without_a_team)
{
    static _Alignas(64) char object[1024], as_it_was[sizeof object];
    struct rlimit limit, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 3;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    call_without_a_team(object);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_mem_eq(object, as_it_was, sizeof object);
}
END_TEST

static uint64_t own_blocks(void)
{
    yunta_heap_stats stats;
    ck_assert_int_eq(yunta_heap_read_stats(&stats), 0);
    return stats.own_blocks;
}

static void use_each(void)
{
    yunta_rwlock *rwlock;
    ck_assert_int_eq(yunta_rwlock_create(&rwlock), 0);
    enum { many = 300 }; /* more readers than a segment has cells for */
    for (int i = 0; i < many; i++)
        ck_assert_int_eq(yunta_rwlock_acquire_read(rwlock, 0), 0);
    for (int i = 0; i < many; i++)
        ck_assert_int_eq(yunta_rwlock_release(rwlock), 0);
    yunta_rwlock_destroy(rwlock);

    yunta_semaphore *semaphore;
    ck_assert_int_eq(yunta_semaphore_create(&semaphore, &(yunta_semaphore_options){.initial = many}), 0);
    yunta_semaphore_destroy(semaphore);

    yunta_barrier *barrier;
    ck_assert_int_eq(yunta_barrier_create(&barrier, 1), 0);
    ck_assert_int_ge(yunta_barrier_wait(barrier, YUNTA_FOREVER), 0);
    ck_assert_int_ge(yunta_barrier_wait(barrier, YUNTA_FOREVER), 0);
    yunta_barrier_destroy(barrier);

    yunta_recursive_lock *recursive;
    ck_assert_int_eq(yunta_recursive_lock_create(&recursive), 0);
    yunta_recursive_lock_destroy(recursive);
    yunta_lock *lock;
    ck_assert_int_eq(yunta_lock_create(&lock), 0);
    yunta_lock_destroy(lock);
    yunta_condition *condition;
    ck_assert_int_eq(yunta_condition_create(&condition), 0);
    yunta_condition_destroy(condition);
    yunta_event *event;
    ck_assert_int_eq(yunta_event_create(&event), 0);
    yunta_event_destroy(event);
    yunta_once *once;
    ck_assert_int_eq(yunta_once_create(&once), 0);
    yunta_once_destroy(once);
    yunta_latch *latch;
    ck_assert_int_eq(yunta_latch_create(&latch, 1), 0);
    ck_assert_int_eq(yunta_latch_take(latch, 1), 0);
    yunta_latch_destroy(latch);
}

START_TEST(what_is_destroyed_gives_back_all_it_had)
{
    use_each(); /* whatever comes into being the first time */
    uint64_t before = own_blocks();
    for (int i = 0; i < 3; i++)
        use_each();
    ck_assert_uint_eq(own_blocks(), before);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("no memory");
    TCase *cases = test_case(suite, "no memory");
    tcase_add_test(cases, nothing_can_be_made_without_memory);
    tcase_add_test(cases, who_can_have_no_seat_or_place_is_told_so);
    tcase_add_test(cases, nothing_can_be_done_without_a_team);
    tcase_add_test(cases, what_is_destroyed_gives_back_all_it_had);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
