/* The bounded semaphore (Python's BoundedSemaphore): one with a maximum, beyond which nothing can be given back; also
 * when those who had units, or were about to give one back, have been killed.
 * It must not count on time-outs: sleeps without a limit have none here (endless.h).
 * Read next: test_semaphore.c; tests/crash/test_lock_random.c, units under random kills. */
#include "../proc/helpers.h"

#include "endless.h"

enum { bound = 3 };

struct scene {
    yunta_semaphore *semaphore;
    shared_word *held, *told;
};

static struct scene new_scene(bool unowned)
{
    struct scene s = {.held = new_word(), .told = new_word()};
    yunta_semaphore_options options = {.initial = bound, .maximum = bound, .unowned = unowned};
    ck_assert_int_eq(yunta_semaphore_create(&s.semaphore, &options), 0);
    return s;
}

static void free_scene(struct scene *s)
{
    yunta_semaphore_destroy(s->semaphore);
    yunta_shared_free(s->held);
    yunta_shared_free(s->told);
}

static void end_by_kill(yunta_process *process)
{
    ck_assert_int_eq(yunta_process_kill(process), 0);
    end_is(process, YUNTA_ECRASHED);
}

/* All units are there, and one more is refused, however often it is tried. */
static void must_be_full(const struct scene *s)
{
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(yunta_semaphore_release(s->semaphore), -EOVERFLOW);
        ck_assert_int_eq(yunta_semaphore_value(s->semaphore), bound);
    }
}

static void take_and_give_all(const struct scene *s)
{
    for (int i = 0; i < bound; i++)
        ck_assert_int_eq(yunta_semaphore_acquire(s->semaphore, YUNTA_FOREVER), 0);
    ck_assert_int_eq(yunta_semaphore_acquire(s->semaphore, 0), -ETIMEDOUT);
    for (int i = 0; i < bound; i++)
        ck_assert_int_eq(yunta_semaphore_release(s->semaphore), 0);
}

START_TEST(one_release_too_many_is_an_error)
{
    struct scene s = new_scene(_i);
    must_be_full(&s);
    take_and_give_all(&s);
    must_be_full(&s);
    free_scene(&s);
}
END_TEST

static int hold_one(const struct scene *s)
{
    expect(yunta_semaphore_acquire(s->semaphore, 0) == 0);
    atomic_fetch_add(s->held, 1);
    return sleep_for_ever();
}
YUNTA_ENTRY(hold_one, struct scene);

/* What the dead had counts still: nobody can put another one in its place, and nobody has to. */
START_TEST(the_dead_make_no_room_for_more)
{
    struct scene s = new_scene(false);
    yunta_process *holder[bound];
    for (int i = 0; i < bound; i++)
        start_by(TEST_METHOD, &holder[i], hold_one, &s);
    ck_assert(await_word(s.held, bound));
    ck_assert_int_eq(yunta_semaphore_value(s.semaphore), 0);
    ck_assert_int_eq(yunta_semaphore_release(s.semaphore), -EOVERFLOW); /* they have them */
    for (int i = 0; i < bound; i++)
        end_by_kill(holder[i]);
    test_wait_until(yunta_semaphore_value(s.semaphore) == bound, 20000);
    must_be_full(&s);
    for (int i = 0; i < bound; i++)
        ck_assert_int_eq(yunta_semaphore_acquire(s.semaphore, YUNTA_FOREVER), -EOWNERDEAD);
    ck_assert_int_eq(yunta_semaphore_acquire(s.semaphore, 0), -ETIMEDOUT);
    for (int i = 0; i < bound; i++)
        ck_assert_int_eq(yunta_semaphore_release(s.semaphore), 0);
    must_be_full(&s);
    take_and_give_all(&s);
    free_scene(&s);
}
END_TEST

static int wait_for_one(const struct scene *s)
{
    int r = yunta_semaphore_acquire(s->semaphore, YUNTA_FOREVER);
    expect(r == 0 || r == -EOWNERDEAD);
    atomic_fetch_add(s->told, r == -EOWNERDEAD);
    expect(yunta_semaphore_release(s->semaphore) == 0);
    return 0;
}
YUNTA_ENTRY(wait_for_one, struct scene);

START_TEST(who_sleeps_for_a_unit_gets_that_of_the_dead)
{
    struct scene s = new_scene(false);
    yunta_process *holder[bound], *waiter[2];
    for (int i = 0; i < bound; i++)
        start_by(TEST_METHOD, &holder[i], hold_one, &s);
    ck_assert(await_word(s.held, bound));
    for (int i = 0; i < 2; i++)
        start_by(TEST_METHOD, &waiter[i], wait_for_one, &s);
    for (int i = 0; i < 2; i++)
        test_wait_until(is_waiting(waiter[i]), 20000);
    for (int i = 0; i < bound; i++)
        end_by_kill(holder[i]);
    for (int i = 0; i < 2; i++)
        end_is(waiter[i], 0);
    ck_assert_int_ge(atomic_load(s.told), 1);
    test_wait_until(yunta_semaphore_value(s.semaphore) == bound, 20000);
    must_be_full(&s);
    free_scene(&s);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("bounded semaphore");
    TCase *cases = test_case(suite, "bounded semaphore");
    tcase_add_loop_test(cases, one_release_too_many_is_an_error, 0, 2);
    TEST_FOR_EACH_METHOD(cases, the_dead_make_no_room_for_more);
    TEST_FOR_EACH_METHOD(cases, who_sleeps_for_a_unit_gets_that_of_the_dead);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
