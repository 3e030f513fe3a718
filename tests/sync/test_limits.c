/* Every primitive, in one table: tried, waited for within a limit, and without one. What is not to be had is refused at
 * once, or when time is up; who waits for ever is woken by what it waits for, or by the death of who was to bring it.
 * It must not count on time-outs: sleeps without a limit have none here (endless.h).
 * Read next: include/yunta/error.h, what a limit is; test_owner_died.c. */
#include "../proc/helpers.h"

#include "endless.h"

#include <limits.h>

struct scene {
    const struct thing *thing;
    void *it;
    yunta_lock *lock;                        /* of the conditions */
    shared_word *ready, *go, *result, *flag; /* it is not to be had; shall be; what who waited was told; of wait_for */
    int limit;
};

typedef struct thing {
    const char *name;
    int (*make)(void **it);
    void *(*unmake)(void *it);
    int (*hold)(const struct scene *s);  /* by another process: keeps it, but for `stay`, from being had */
    int (*want)(const struct scene *s);  /* within the limit, and gives it back. 0 or more: had it */
    int after_death;                     /* what is told when who holds it has died; 1: nothing, nobody brings it */
    void (*meet)(const struct scene *s); /* what we do beside `hold`; may be NULL */
} thing;

/* By who holds it: until we say so. */
static void stay(const struct scene *s)
{
    atomic_store(s->ready, 1);
    while (atomic_load(s->go) == 0)
        test_nap();
}

/* Locks. */

static int give_back(int r, int (*mark)(void *), int (*release)(void *), void *it)
{
    if (r == -EOWNERDEAD)
        expect(mark(it) == 0);
    if (r == 0 || r == -EOWNERDEAD)
        expect(release(it) == 0);
    return r;
}

#define LOCK(name, type, acquire)                                                                                      \
    static int name##_mark(void *it)                                                                                   \
    {                                                                                                                  \
        return yunta_##type##_mark_consistent(it);                                                                     \
    }                                                                                                                  \
    static int name##_release(void *it)                                                                                \
    {                                                                                                                  \
        return yunta_##type##_release(it);                                                                             \
    }                                                                                                                  \
    static int name##_want(const struct scene *s)                                                                      \
    {                                                                                                                  \
        return give_back(yunta_##type##_##acquire(s->it, s->limit), name##_mark, name##_release, s->it);               \
    }                                                                                                                  \
    static int name##_hold(const struct scene *s)                                                                      \
    {                                                                                                                  \
        expect(yunta_##type##_##acquire(s->it, 0) == 0);                                                               \
        stay(s);                                                                                                       \
        return yunta_##type##_release(s->it);                                                                          \
    }

LOCK(lock, lock, acquire)
LOCK(recursive, recursive_lock, acquire)
LOCK(write, rwlock, acquire_write)
LOCK(read, rwlock, acquire_read)

/* Semaphores. */

static int make_bounded(void **it)
{
    return yunta_semaphore_create((yunta_semaphore **)it, &(yunta_semaphore_options){.initial = 1, .maximum = 1});
}

static int make_semaphore(void **it)
{
    return yunta_semaphore_create((yunta_semaphore **)it, NULL);
}

static int unit_hold(const struct scene *s)
{
    expect(yunta_semaphore_acquire(s->it, 0) == 0);
    stay(s);
    return yunta_semaphore_release(s->it);
}

static int unit_want(const struct scene *s)
{
    int r = yunta_semaphore_acquire(s->it, s->limit);
    if (r == 0 || r == -EOWNERDEAD)
        expect(yunta_semaphore_release(s->it) == 0);
    return r;
}

/* Condition and event: nobody has them, somebody is about to tell. */

static bool is_flagged(void *flag)
{
    return atomic_load((shared_word *)flag) != 0;
}

static int condition_hold(const struct scene *s)
{
    stay(s);
    expect(yunta_lock_acquire(s->lock, YUNTA_FOREVER) == 0);
    atomic_store(s->flag, 1);
    expect(yunta_condition_notify(s->it) == 0);
    return yunta_lock_release(s->lock);
}

/* In a loop, as it has to be: it may return after any death. */
static int condition_want(const struct scene *s)
{
    int r = 0;
    expect(yunta_lock_acquire(s->lock, YUNTA_FOREVER) == 0);
    while (r == 0 && !is_flagged((void *)s->flag))
        r = yunta_condition_wait(s->it, s->lock, s->limit);
    expect(yunta_lock_release(s->lock) == 0);
    return r;
}

static int predicate_want(const struct scene *s)
{
    expect(yunta_lock_acquire(s->lock, YUNTA_FOREVER) == 0);
    int r = yunta_condition_wait_for(s->it, s->lock, is_flagged, (void *)s->flag, s->limit);
    expect(yunta_lock_release(s->lock) == 0);
    return r;
}

static int event_hold(const struct scene *s)
{
    stay(s);
    return yunta_event_set(s->it);
}

static int event_want(const struct scene *s)
{
    return yunta_event_wait(s->it, s->limit);
}

/* Barrier, for two: who holds it has been there with us, so it is expected again. */

static int make_barrier(void **it)
{
    return yunta_barrier_create((yunta_barrier **)it, 2);
}

static int barrier_hold(const struct scene *s)
{
    expect(yunta_barrier_wait(s->it, YUNTA_FOREVER) >= 0);
    stay(s);
    expect(yunta_barrier_wait(s->it, YUNTA_FOREVER) >= 0);
    return yunta_barrier_leave(s->it);
}

static void meet_at_barrier(const struct scene *s)
{
    ck_assert_int_ge(yunta_barrier_wait(s->it, YUNTA_FOREVER), 0);
    ck_assert_int_eq(yunta_barrier_leave(s->it), 0);
}

static int barrier_want(const struct scene *s)
{
    return yunta_barrier_wait(s->it, s->limit);
}

/* Latch and once. */

static int make_latch(void **it)
{
    return yunta_latch_create((yunta_latch **)it, 1);
}

static int latch_hold(const struct scene *s)
{
    expect(yunta_latch_take(s->it, 1) == 0);
    stay(s);
    return yunta_latch_count_down(s->it, 1);
}

static int latch_want(const struct scene *s)
{
    return yunta_latch_wait(s->it, s->limit);
}

static int arrive_want(const struct scene *s)
{
    return yunta_latch_arrive_and_wait(s->it, 0, s->limit);
}

static int stay_in_call(void *argument, bool again)
{
    stay(argument);
    return again ? -EIO : 0;
}

static int once_hold(const struct scene *s)
{
    struct scene mine = *s;
    return yunta_once_run(s->it, stay_in_call, &mine, 0);
}

static int do_nothing(void *argument, bool again)
{
    *(bool *)argument = again;
    return 0;
}

static int once_want(const struct scene *s)
{
    bool again = false;
    int r = yunta_once_run(s->it, do_nothing, &again, s->limit);
    return again ? -EOWNERDEAD : r; /* so the death was told */
}

#define MAKERS(type)                                                                                                   \
    static int make_##type(void **it)                                                                                  \
    {                                                                                                                  \
        return yunta_##type##_create((yunta_##type **)it);                                                             \
    }                                                                                                                  \
    UNMAKER(type)
#define UNMAKER(type)                                                                                                  \
    static void *unmake_##type(void *it)                                                                               \
    {                                                                                                                  \
        return yunta_##type##_destroy(it);                                                                             \
    }
MAKERS(lock)
MAKERS(recursive_lock)
MAKERS(rwlock)
MAKERS(condition)
MAKERS(event)
MAKERS(once)
UNMAKER(semaphore)
UNMAKER(barrier)
UNMAKER(latch)

#define THING(name, type, hold, want, told)                                                                            \
    {                                                                                                                  \
        name, make_##type, unmake_##type, hold, want, told, NULL                                                       \
    }
static const thing things[] = {
    THING("lock", lock, lock_hold, lock_want, -EOWNERDEAD),
    THING("recursive lock", recursive_lock, recursive_hold, recursive_want, -EOWNERDEAD),
    THING("rwlock, read beside a writer", rwlock, write_hold, read_want, -EOWNERDEAD),
    THING("rwlock, write beside a writer", rwlock, write_hold, write_want, -EOWNERDEAD),
    THING("rwlock, write beside a reader", rwlock, read_hold, write_want, 0),
    THING("semaphore", semaphore, unit_hold, unit_want, -EOWNERDEAD),
    {"bounded semaphore", make_bounded, unmake_semaphore, unit_hold, unit_want, -EOWNERDEAD, NULL},
    THING("condition", condition, condition_hold, condition_want, 0),
    THING("condition, a predicate", condition, condition_hold, predicate_want, 0),
    THING("event", event, event_hold, event_want, 1),
    {"barrier", make_barrier, unmake_barrier, barrier_hold, barrier_want, YUNTA_EBROKEN, meet_at_barrier},
    THING("latch", latch, latch_hold, latch_want, YUNTA_EBROKEN),
    THING("latch, arriving", latch, latch_hold, arrive_want, YUNTA_EBROKEN),
    THING("once", once, once_hold, once_want, -EOWNERDEAD),
};

static int hold(const struct scene *s)
{
    return things[s->thing - things].hold(s);
}
YUNTA_ENTRY(hold, struct scene);

static int want(const struct scene *s)
{
    atomic_store(s->result, things[s->thing - things].want(s));
    return 0;
}
YUNTA_ENTRY(want, struct scene);

static void end_by_kill(yunta_process *process)
{
    ck_assert_int_eq(yunta_process_kill(process), 0);
    end_is(process, YUNTA_ECRASHED);
}

static yunta_process *set_scene(struct scene *s, const thing *what)
{
    *s = (struct scene){.thing = what};
    s->ready = new_word();
    s->go = new_word();
    s->result = new_word();
    s->flag = new_word();
    ck_assert_int_eq(yunta_lock_create(&s->lock), 0);
    ck_assert_int_eq(what->make(&s->it), 0);
    yunta_process *holder;
    start_by(YUNTA_FORK, &holder, hold, s);
    if (what->meet)
        what->meet(s);
    ck_assert(await_word(s->ready, 1));
    return holder;
}

static void unset_scene(struct scene *s)
{
    ck_assert_ptr_null(s->thing->unmake(s->it));
    yunta_lock_destroy(s->lock);
    yunta_shared_free(s->ready);
    yunta_shared_free(s->go);
    yunta_shared_free(s->result);
    yunta_shared_free(s->flag);
}

#define is_told(s, r, expected) ck_assert_msg((r) == (expected), "%s: %d, not %d", (s)->thing->name, (r), (expected))

static const int limits[] = {0, 1, 20};

/* Tried, it does not even go to sleep; and when it has been refused it can be had as soon as it is there. */
START_TEST(what_is_not_to_be_had_is_refused_in_time)
{
    for (size_t i = 0; i < YN_COUNT(limits); i++) {
        struct scene s;
        yunta_process *holder = set_scene(&s, &things[_i]);
        s.limit = limits[i];
        unsigned sleeps = atomic_load(&endless_sleeps);
        int r = s.thing->want(&s);
        is_told(&s, r, -ETIMEDOUT);
        ck_assert(s.limit != 0 || atomic_load(&endless_sleeps) == sleeps);
        if (s.thing->want == barrier_want && s.limit != 0)
            ck_assert_int_eq(yunta_barrier_reset(s.it), 0); /* whose time is up breaks it */
        atomic_store(s.go, 1);
        s.limit = YUNTA_FOREVER;
        r = s.thing->want(&s);
        ck_assert_msg(r >= 0, "%s: %d", s.thing->name, r);
        end_is(holder, 0);
        unset_scene(&s);
    }
}
END_TEST

/* Any negative limit is none, and the longest is not too long to be reckoned with. */
static const int endless[] = {YUNTA_FOREVER, -2, INT_MIN, INT_MAX};

static yunta_process *start_waiter(struct scene *s, int limit)
{
    yunta_process *waiter;
    s->limit = limit;
    atomic_store(s->result, 1);
    start_by(YUNTA_FORK, &waiter, want, s);
    test_wait_until(is_waiting(waiter), 20000);
    ck_assert_int_eq(atomic_load(s->result), 1);
    return waiter;
}

START_TEST(who_waits_for_ever_is_woken_by_what_it_waits_for)
{
    for (size_t i = 0; i < YN_COUNT(endless); i++) {
        struct scene s;
        yunta_process *holder = set_scene(&s, &things[_i]), *waiter = start_waiter(&s, endless[i]);
        atomic_store(s.go, 1);
        end_is(waiter, 0);
        ck_assert_msg(atomic_load(s.result) >= 0, "%s: %d", s.thing->name, atomic_load(s.result));
        end_is(holder, 0);
        unset_scene(&s);
    }
}
END_TEST

/* Or, where nobody but that one could have brought it and it cannot be known who would have, sleeps on until another
 * one does. */
START_TEST(who_waits_for_ever_is_woken_by_a_death)
{
    for (size_t i = 0; i < YN_COUNT(endless); i++) {
        struct scene s;
        yunta_process *holder = set_scene(&s, &things[_i]), *waiter = start_waiter(&s, endless[i]);
        if (s.thing->hold == condition_hold)
            atomic_store(s.flag, 1); /* as if it had been about to notify */
        end_by_kill(holder);
        int expected = s.thing->after_death;
        if (expected == 1) {
            test_wait_until(is_waiting(waiter), 20000);
            atomic_store(s.go, 1);
            ck_assert_int_eq(s.thing->hold(&s), 0);
            expected = 0;
        }
        end_is(waiter, 0);
        is_told(&s, atomic_load(s.result), expected);
        unset_scene(&s);
    }
}
END_TEST

/* As soon as the death is known, who only tries is told as well. */
START_TEST(who_only_tries_is_told_of_a_death)
{
    struct scene s;
    yunta_process *holder = set_scene(&s, &things[_i]);
    int r, expected = s.thing->after_death;
    end_by_kill(holder);
    if (s.thing->hold == condition_hold || expected == 1)
        expected = -ETIMEDOUT; /* nobody had it */
    test_wait_until((r = s.thing->want(&s)) != -ETIMEDOUT || expected == r, 20000);
    is_told(&s, r, expected);
    unset_scene(&s);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("limits");
    TCase *cases = test_case(suite, "limits");
    tcase_add_loop_test(cases, what_is_not_to_be_had_is_refused_in_time, 0, YN_COUNT(things));
    tcase_add_loop_test(cases, who_waits_for_ever_is_woken_by_what_it_waits_for, 0, YN_COUNT(things));
    tcase_add_loop_test(cases, who_waits_for_ever_is_woken_by_a_death, 0, YN_COUNT(things));
    tcase_add_loop_test(cases, who_only_tries_is_told_of_a_death, 0, YN_COUNT(things));
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
