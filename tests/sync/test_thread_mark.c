/* The thread that has a recursive lock, or is at a once, when a dead one has left its mark: the same address, which is
 * another thread's in our process.
 * It must not need chance to have the addresses alike: the mark is written by hand.
 * Read next: src/sync/thread.h; test_rwlock.c and test_barrier.c for the rest. */
#include "../proc/helpers.h"

#include "sync/once.c"
#include "sync/recursive_lock.c"

#include <pthread.h>

static yn_self *self(void)
{
    int error;
    return yn_self_get(&error);
}

/* One that had its life in a process of which nothing but the name is left. */
static yn_claim dead_claim(void)
{
    int error;
    yn_claim claim = yn_slot_take(self()->arena, self()->arena_fd, 0, &error);
    ck_assert_uint_ne(claim, 0);
    ck_assert(yn_slot_declare_dead(&self()->arena->slots, claim));
    return claim;
}

static int nothing(void *argument, bool again)
{
    (void)argument;
    (void)again;
    return 0;
}

struct scene {
    yunta_recursive_lock *lock;
    yunta_once *once;
    yn_thread_shared mark; /* as a dead one has left it: with the second thread's address */
    pthread_barrier_t *turn;
    int taken, released, run;
};

static void *be_second(void *argument)
{
    struct scene *s = argument;
    atomic_store(&s->mark.thread, (uint64_t)(uintptr_t)self());
    pthread_barrier_wait(s->turn); /* the first takes over */
    pthread_barrier_wait(s->turn);
    s->taken = yunta_recursive_lock_acquire(s->lock, 0);
    s->released = yunta_recursive_lock_release(s->lock);
    s->run = yunta_once_run(s->once, nothing, NULL, 0);
    return NULL;
}

/* The first thread has taken over from the dead, and has yet to write that it is the one. */
START_TEST(a_dead_ones_mark_is_not_a_living_thread)
{
    pthread_barrier_t turn;
    struct scene s = {.turn = &turn};
    pthread_t second;
    ck_assert_int_eq(yunta_recursive_lock_create(&s.lock), 0);
    ck_assert_int_eq(yunta_once_create(&s.once), 0);
    ck_assert_int_eq(pthread_barrier_init(&turn, NULL, 2), 0);
    atomic_store(&s.mark.process, dead_claim());
    atomic_store(&s.lock->lock.word, atomic_load(&s.mark.process));
    atomic_store(&s.once->word, atomic_load(&s.mark.process));
    ck_assert_int_eq(pthread_create(&second, NULL, be_second, &s), 0);
    pthread_barrier_wait(&turn);
    s.lock->owner = s.mark;
    s.once->doer = s.mark;
    ck_assert_int_eq(yn_lock_acquire(self(), &s.lock->lock, YN_NEVER), -EOWNERDEAD);
    ck_assert_int_eq(look(self(), s.once), 2);
    pthread_barrier_wait(&turn);
    ck_assert_int_eq(pthread_join(second, NULL), 0);
    ck_assert_int_eq(s.taken, -ETIMEDOUT);
    ck_assert_int_eq(s.released, -EPERM);
    ck_assert_int_eq(s.run, -ETIMEDOUT); /* and not -EDEADLK */
    pthread_barrier_destroy(&turn);
    yunta_recursive_lock_destroy(s.lock);
    yunta_once_destroy(s.once);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("thread mark");
    TCase *cases = test_case(suite, "mark");
    tcase_add_test(cases, a_dead_ones_mark_is_not_a_living_thread);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
