/* Where the arena is full, what makes something says so and leaves nothing; and what is destroyed gives back all that
 * it had. Must not need another process.
 * Read next: ../shm/test_shared_limits.c. */
#include "test.h"

#include "shm/arena.h"

#include <errno.h>

/* Down to the smallest, so that nothing of any size can be had. */
static void fill_the_arena(void)
{
    ck_assert_int_eq(yunta_set_arena_limit(YN_ARENA_LEAST), 0);
    for (size_t size = 1 << 20; size >= 16; size /= 2)
        while (yunta_heap_alloc(size))
            ;
}

#define MUST_LACK_MEMORY(type, call)                                                                                   \
    do {                                                                                                               \
        type *made = (type *)&made_of;                                                                                 \
        ck_assert_int_eq(call, -ENOMEM);                                                                               \
        ck_assert_ptr_eq(made, (type *)&made_of);                                                                      \
    } while (0)
static char made_of;

START_TEST(nothing_can_be_made_without_memory)
{
    fill_the_arena();
    MUST_LACK_MEMORY(yunta_lock, yunta_lock_create(&made));
    MUST_LACK_MEMORY(yunta_recursive_lock, yunta_recursive_lock_create(&made));
    MUST_LACK_MEMORY(yunta_rwlock, yunta_rwlock_create(&made));
    MUST_LACK_MEMORY(yunta_semaphore,
                     yunta_semaphore_create(&made, &(yunta_semaphore_options){.initial = 1, .unowned = true}));
    MUST_LACK_MEMORY(yunta_semaphore, yunta_semaphore_create(&made, NULL));
    MUST_LACK_MEMORY(yunta_condition, yunta_condition_create(&made));
    MUST_LACK_MEMORY(yunta_event, yunta_event_create(&made));
    MUST_LACK_MEMORY(yunta_barrier, yunta_barrier_create(&made, 2));
    MUST_LACK_MEMORY(yunta_once, yunta_once_create(&made));
    MUST_LACK_MEMORY(yunta_latch, yunta_latch_create(&made, 1));
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
    tcase_add_test(cases, what_is_destroyed_gives_back_all_it_had);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
