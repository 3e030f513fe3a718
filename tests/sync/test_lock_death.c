/* The lock when its owner dies: the next one is told, at once, and goes on; everybody else only waits his turn.
 * It must not count on time-outs: sleeps without a limit have none here (endless.h).
 * Read next: ../crash/test_lock_kill.c, where they die at every step; ../proc/test_team.c for an owner that only
 * forked. */
#include "../proc/helpers.h"

#include "endless.h"

#include "shm/heap.h"

/* An owner, and those who wait for it. They stay alive when they have had it, since a death wakes everybody. */
struct scene {
    yunta_lock *lock;
    shared_word *stage;            /* 1: held; 2: let go!; 3: and return, holding it! */
    shared_word *told, *passed;    /* how many were told, and how many got it without */
    shared_word *broken;           /* … and how many were told that it is broken */
    _Atomic uint64_t *died, *heir; /* when, in ns */
};

static struct scene new_scene(void)
{
    struct scene s = {.stage = new_word(), .told = new_word(), .passed = new_word(), .broken = new_word()};
    ck_assert_int_eq(yunta_lock_create(&s.lock), 0);
    s.died = yunta_shared(_Atomic uint64_t, 2);
    ck_assert_ptr_nonnull(s.died);
    s.heir = s.died + 1;
    return s;
}

static void free_scene(struct scene *s)
{
    yunta_lock_destroy(s->lock);
    yunta_shared_free(s->stage);
    yunta_shared_free(s->told);
    yunta_shared_free(s->passed);
    yunta_shared_free(s->broken);
    yunta_shared_free(s->died);
}

static int own(const struct scene *s)
{
    int r = yunta_lock_acquire(s->lock, 20000);
    expect(r == 0 || r == -EOWNERDEAD);
    atomic_store(s->stage, 1);
    while (atomic_load(s->stage) == 1)
        test_nap();
    expect(atomic_load(s->stage) == 3 || yunta_lock_release(s->lock) == 0);
    return 0;
}
YUNTA_ENTRY(own, struct scene);

static yunta_process *start_owner(yunta_start_method method, const struct scene *s)
{
    yunta_process *owner;
    atomic_store(s->stage, 0);
    start_by(method, &owner, own, s);
    ck_assert(await_word(s->stage, 1));
    return owner;
}

static void kill_it(yunta_process *process)
{
    ck_assert_int_eq(yunta_process_kill(process), 0);
    end_is(process, YUNTA_ECRASHED);
}

static int succeed(const struct scene *s)
{
    int r = yunta_lock_acquire(s->lock, YUNTA_FOREVER);
    atomic_store(s->heir, yn_now_ns());
    expect(r == 0 || r == -EOWNERDEAD || r == YUNTA_EBROKEN);
    expect(r != -EOWNERDEAD || yunta_lock_mark_consistent(s->lock) == 0);
    expect(r == YUNTA_EBROKEN || yunta_lock_release(s->lock) == 0);
    atomic_fetch_add(r == 0 ? s->passed : r == -EOWNERDEAD ? s->told : s->broken, 1);
    return sleep_for_ever();
}
YUNTA_ENTRY(succeed, struct scene);

static void start_asleep(yunta_start_method method, yunta_process **waiter, const struct scene *s)
{
    start_by(method, waiter, succeed, s);
    test_wait_until(is_waiting(*waiter), 20000);
}

START_TEST(the_next_owner_is_told_once)
{
    struct scene s = new_scene();
    kill_it(start_owner(TEST_METHOD, &s));
    ck_assert(yunta_lock_is_held(s.lock)); /* by the dead */
    ck_assert_int_eq(yunta_lock_mark_consistent(s.lock), -EPERM);
    ck_assert_int_eq(yunta_lock_release(s.lock), -EPERM);
    ck_assert_int_eq(yunta_lock_acquire(s.lock, YUNTA_FOREVER), -EOWNERDEAD);
    ck_assert(yunta_lock_is_held(s.lock));
    ck_assert_int_eq(yunta_lock_acquire(s.lock, 0), -ETIMEDOUT);
    ck_assert_int_eq(yunta_lock_mark_consistent(s.lock), 0);
    ck_assert_int_eq(yunta_lock_mark_consistent(s.lock), -EINVAL);
    ck_assert_int_eq(yunta_lock_release(s.lock), 0);
    ck_assert_int_eq(yunta_lock_acquire(s.lock, 0), 0);
    ck_assert_int_eq(yunta_lock_release(s.lock), 0);
    free_scene(&s);
}
END_TEST

START_TEST(pain_06_a_killed_holder_leaves_its_lock_to_who_waits)
{
    struct scene s = new_scene();
    yunta_process *owner = start_owner(TEST_METHOD, &s), *waiter;
    start_asleep(TEST_METHOD, &waiter, &s);
    kill_it(owner);
    ck_assert(await_word(s.told, 1));
    kill_it(waiter);
    ck_assert_int_eq(yunta_lock_acquire(s.lock, YUNTA_FOREVER), 0);
    ck_assert_int_eq(yunta_lock_release(s.lock), 0);
    free_scene(&s);
}
END_TEST

START_TEST(who_returns_or_exits_with_it_has_died_with_it)
{
    struct scene s = new_scene();
    yunta_process *owner = start_owner(TEST_METHOD, &s);
    atomic_store(s.stage, 3);
    end_is(owner, 0);
    ck_assert_int_eq(yunta_lock_acquire(s.lock, YUNTA_FOREVER), -EOWNERDEAD);
    ck_assert_int_eq(yunta_lock_mark_consistent(s.lock), 0);
    ck_assert_int_eq(yunta_lock_release(s.lock), 0);
    free_scene(&s);
}
END_TEST

enum { waiters = 5 };

START_TEST(of_many_who_wait_one_is_told)
{
    struct scene s = new_scene();
    yunta_process *owner = start_owner(TEST_METHOD, &s), *waiter[waiters];
    for (int i = 0; i < waiters; i++)
        start_asleep(TEST_METHOD, &waiter[i], &s);
    kill_it(owner);
    ck_assert(await_word(s.passed, waiters - 1));
    ck_assert(await_word(s.told, 1));
    for (int i = 0; i < waiters; i++)
        kill_it(waiter[i]);
    free_scene(&s);
}
END_TEST

START_TEST(who_was_told_may_die_too)
{
    struct scene s = new_scene();
    for (int i = 0; i < 5; i++)
        kill_it(start_owner(TEST_METHOD, &s)); /* all but the first are told, and mark nothing */
    ck_assert_int_eq(yunta_lock_acquire(s.lock, YUNTA_FOREVER), -EOWNERDEAD);
    ck_assert_int_eq(yunta_lock_mark_consistent(s.lock), 0);
    ck_assert_int_eq(yunta_lock_release(s.lock), 0);
    free_scene(&s);
}
END_TEST

START_TEST(let_go_without_being_marked_it_is_broken_for_all)
{
    struct scene s = new_scene();
    yunta_process *waiter[waiters];
    kill_it(start_owner(TEST_METHOD, &s));
    ck_assert_int_eq(yunta_lock_acquire(s.lock, YUNTA_FOREVER), -EOWNERDEAD);
    for (int i = 0; i < waiters; i++)
        start_asleep(TEST_METHOD, &waiter[i], &s);
    ck_assert_int_eq(yunta_lock_release(s.lock), 0);
    ck_assert(await_word(s.broken, waiters));
    for (int i = 0; i < waiters; i++)
        kill_it(waiter[i]);
    ck_assert_int_eq(yunta_lock_acquire(s.lock, 0), YUNTA_EBROKEN);
    ck_assert_int_eq(yunta_lock_acquire(s.lock, YUNTA_FOREVER), YUNTA_EBROKEN);
    ck_assert(!yunta_lock_is_held(s.lock));
    ck_assert_int_eq(yunta_lock_release(s.lock), -EPERM);
    ck_assert_int_eq(yunta_lock_mark_consistent(s.lock), -EPERM);
    free_scene(&s);
}
END_TEST

/* More than the kernel's list of robust locks would give back. */
enum { many = 3000 };

struct bunch {
    yunta_lock **lock;
};

static int take_all(const struct bunch *bunch)
{
    for (int i = 0; i < many; i++)
        expect(yunta_lock_acquire(bunch->lock[i], 0) == 0);
    raise(SIGKILL);
    return 99;
}
YUNTA_ENTRY(take_all, struct bunch);

START_TEST(thousands_of_locks_of_one_owner)
{
    yunta_lock **lock = yunta_shared(yunta_lock *, many);
    for (int i = 0; i < many; i++)
        ck_assert(yunta_lock_create(&lock[i]) == 0);
    yunta_process *owner;
    start_by(TEST_METHOD, &owner, take_all, &(struct bunch){lock});
    end_is(owner, YUNTA_ECRASHED);
    for (int i = 0; i < many; i++) {
        if (yunta_lock_acquire(lock[i], YUNTA_FOREVER) != -EOWNERDEAD)
            ck_abort_msg("lock %d", i);
        yunta_lock_destroy(lock[i]);
    }
    yunta_shared_free(lock);
}
END_TEST

/* A waiter is killed, asleep: neither the owner nor the next waiter may notice. */
START_TEST(pain_07_letting_go_never_waits_for_a_killed_waiter)
{
    struct scene s = new_scene();
    yunta_process *owner = start_owner(TEST_METHOD, &s), *waiter[waiters];
    for (int i = 0; i < waiters; i++)
        start_asleep(TEST_METHOD, &waiter[i], &s);
    for (int i = 0; i < waiters - 1; i++)
        kill_it(waiter[i]);
    atomic_store(s.stage, 2);
    ck_assert(await_word(s.passed, 1));
    ck_assert_int_eq(atomic_load(s.told), 0);
    end_is(owner, 0);
    kill_it(waiter[waiters - 1]);
    free_scene(&s);
}
END_TEST

static int die_when_one_sleeps(const struct scene *s)
{
    expect(yunta_lock_acquire(s->lock, 0) == 0);
    atomic_store(s->stage, 1);
    while (atomic_load(s->stage) != 2)
        test_nap();
    atomic_store(s->died, yn_now_ns());
    raise(SIGKILL);
    return 99;
}
YUNTA_ENTRY(die_when_one_sleeps, struct scene);

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Nobody in the program's first process lifts a finger: it computes, and does not even make a system call. */
START_TEST(it_goes_on_within_milliseconds_while_the_program_computes)
{
    enum { rounds = 11 };
    uint64_t took[rounds];
    struct scene s = new_scene();
    for (int i = 0; i < rounds; i++) {
        yunta_process *owner, *waiter;
        atomic_store(s.stage, 0);
        start_by(TEST_METHOD, &owner, die_when_one_sleeps, &s);
        ck_assert(await_word(s.stage, 1));
        start_asleep(TEST_METHOD, &waiter, &s);
        atomic_store(s.heir, 0);
        atomic_store(s.stage, 2);
        double sum = 0;
        for (double term = 1; atomic_load_explicit(s.heir, memory_order_relaxed) == 0; term++)
            sum += 1 / (term * term);
        ck_assert(sum < 1.6449341);
        took[i] = atomic_load(s.heir) - atomic_load(s.died);
        end_is(owner, YUNTA_ECRASHED);
        kill_it(waiter);
    }
    ck_assert_int_eq(atomic_load(s.told), rounds);
    qsort(took, rounds, sizeof *took, by_size);
    printf("from the owner's SIGKILL to the next owner: median %.2f ms, longest %.2f ms\n",
           (double)took[rounds / 2] / 1e6, (double)took[rounds - 1] / 1e6);
    ck_assert_uint_lt(took[rounds / 2], UINT64_C(100000000)); /* usually 0.3; a loaded machine has its time */
    free_scene(&s);
}
END_TEST

START_TEST(a_lock_of_the_dead_may_be_destroyed)
{
    struct scene s = new_scene();
    yunta_arena_stats before, after;
    kill_it(start_owner(TEST_METHOD, &s));
    ck_assert_int_eq(yunta_arena_read_stats(&before), 0);
    s.lock = yunta_lock_destroy(s.lock);
    ck_assert_int_eq(yunta_arena_read_stats(&after), 0);
    ck_assert_uint_le(after.blocks, before.blocks - 1); /* the forkserver may be late with a record */
    free_scene(&s);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("lock, death");
    TCase *cases = test_case(suite, "told");
    TEST_FOR_EACH_METHOD(cases, the_next_owner_is_told_once);
    TEST_FOR_EACH_METHOD(cases, pain_06_a_killed_holder_leaves_its_lock_to_who_waits);
    TEST_FOR_EACH_METHOD(cases, who_returns_or_exits_with_it_has_died_with_it);
    TEST_FOR_EACH_METHOD(cases, of_many_who_wait_one_is_told);
    TEST_FOR_EACH_METHOD(cases, who_was_told_may_die_too);
    TEST_FOR_EACH_METHOD(cases, let_go_without_being_marked_it_is_broken_for_all);
    TEST_FOR_EACH_METHOD(cases, thousands_of_locks_of_one_owner);
    TEST_FOR_EACH_METHOD(cases, a_lock_of_the_dead_may_be_destroyed);
    cases = test_case(suite, "going on");
    TEST_FOR_EACH_METHOD(cases, pain_07_letting_go_never_waits_for_a_killed_waiter);
    TEST_FOR_EACH_METHOD(cases, it_goes_on_within_milliseconds_while_the_program_computes);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
