/* Deadlocks of threads: found if it is known which of them has what, and not if another thread might let it go.
 * It must not sleep to wait: it looks until what is to be seen is there.
 * Read next: test_deadlock.c.
 *
 * labels: threads */
#include "deadlock_scene.h"

#include "sync/lock.h"

#include <pthread.h>

enum { COUNT = 3 };

struct thread {
    pthread_t id;
    struct party party;
};

/* A process whose threads go round in a circle, while its first one waits for them outside of the library. */
struct threads {
    struct object object[COUNT];
    struct party party;
    yunta_once *once[COUNT];
};

static void *run(void *argument)
{
    struct thread *t = argument;
    take_part(&t->party);
    return NULL;
}

static int be_threads(const struct threads *s)
{
    struct thread threads[COUNT];
    for (int i = 0; i < COUNT; i++) {
        threads[i].party = s->party;
        threads[i].party.first = s->object[i];
        threads[i].party.second = s->object[(i + 1) % COUNT];
        expect(pthread_create(&threads[i].id, NULL, run, &threads[i]) == 0);
    }
    for (int i = 0; i < COUNT; i++)
        pthread_join(threads[i].id, NULL);
    return 0;
}
YUNTA_ENTRY(be_threads, struct threads);

static struct threads new_threads(enum thing kind)
{
    struct threads s = {.party = {.limit = YUNTA_FOREVER, .wanted = COUNT}};
    s.party.taken = new_word();
    s.party.ended = new_word();
    for (int i = 0; i < COUNT; i++) {
        s.object[i] = new_object(kind);
        ck_assert_int_eq(yunta_once_create(&s.once[i]), 0);
    }
    return s;
}

static void free_threads(struct threads *s)
{
    for (int i = 0; i < COUNT; i++) {
        free_object(&s->object[i]);
        yunta_once_destroy(s->once[i]);
    }
    yunta_shared_free(s->party.taken);
    yunta_shared_free(s->party.ended);
}

static void check_threads(yunta_process *process, const yunta_deadlock_edge *edges, yunta_deadlock_kind kind)
{
    check_circle(edges, COUNT);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(edges[i].kind, kind);
        ck_assert_int_eq(edges[i].waiter_pid, yunta_process_pid(process));
        ck_assert_int_ne(edges[i].waiter_thread, edges[i].waiter_pid);
        ck_assert_int_ne(edges[i].waiter_thread, edges[i].holder_thread);
    }
}

static void find_circle(yunta_start_method method, enum thing kind, yunta_deadlock_kind told)
{
    yunta_deadlock_edge edges[EDGES];
    yunta_process *process;
    struct threads s = new_threads(kind);
    start_by(method, &process, be_threads, &s);
    await_edges(edges, COUNT);
    check_threads(process, edges, told);
    yunta_process_destroy(process);
    ck_assert_int_eq(yunta_deadlock_find(NULL, 0), 0);
    free_threads(&s);
}

START_TEST(recursive_locks)
{
    find_circle(TEST_METHOD, RECURSIVE, YUNTA_DEADLOCK_RECURSIVE_LOCK);
}
END_TEST

START_TEST(locks_that_note_their_thread)
{
    ck_assert_int_eq(yunta_deadlock_trace(), 0);
    find_circle(TEST_METHOD, LOCK, YUNTA_DEADLOCK_LOCK);
}
END_TEST

/* The first thread might let it go. */
START_TEST(locks_of_which_only_the_process_is_known)
{
    yunta_deadlock_edge edges[EDGES];
    yunta_process *process;
    struct threads s = new_threads(LOCK);
    start_by(YUNTA_FORK, &process, be_threads, &s);
    test_wait_until(count_waits() == COUNT, 20000);
    for (int i = 0; i < 300; i++)
        ck_assert_int_eq(yunta_deadlock_find(edges, EDGES), 0);
    ck_assert_int_eq(yunta_deadlock_read_waits(edges, EDGES), COUNT);
    ck_assert_int_eq(edges[0].holder_pid, yunta_process_pid(process));
    ck_assert_int_eq(edges[0].holder_thread, 0);
    yunta_process_destroy(process);
    free_threads(&s);
}
END_TEST

/* Taken and let go by the same threads again and again, and back from a condition: the note is always the owner's. */
struct turns {
    yunta_lock *lock;
    yunta_condition *condition;
    int turn; /* under the lock */
};

static void *take_turns(void *argument)
{
    struct turns *t = argument;
    for (int i = 0; i < 500; i++) {
        ck_assert_int_eq(yunta_lock_acquire(t->lock, YUNTA_FOREVER), 0);
        t->turn++;
        ck_assert_int_eq(yunta_condition_notify_all(t->condition), 0);
        for (int before = t->turn; t->turn == before && before < 1000;)
            ck_assert_int_eq(yunta_condition_wait(t->condition, t->lock, YUNTA_FOREVER), 0);
        ck_assert_int_eq(yunta_lock_release(t->lock), 0);
    }
    return NULL;
}

START_TEST(threads_that_take_turns_are_in_no_circle)
{
    pthread_t id[2];
    struct turns t = {.turn = 0};
    ck_assert_int_eq(yunta_deadlock_trace(), 0);
    ck_assert_int_eq(yunta_lock_create(&t.lock), 0);
    ck_assert_int_eq(yunta_condition_create(&t.condition), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&id[i], NULL, take_turns, &t), 0);
    for (int i = 0; i < 2000; i++)
        ck_assert_int_eq(yunta_deadlock_find(NULL, 0), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(id[i], NULL);
    ck_assert_int_eq(t.turn, 1000);
    yunta_condition_destroy(t.condition);
    yunta_lock_destroy(t.lock);
}
END_TEST

/* While it waits for a condition the lock is nobody's, and afterwards its own again. */
static _Atomic bool is_looked_at;

static void *look_at_note(void *argument)
{
    struct turns *t = argument;
    yn_noted_lock_shared *noted = (yn_noted_lock_shared *)(void *)t->lock;
    uint64_t note = 1;
    while (yunta_lock_is_held(t->lock) || (note = atomic_load(&noted->thread), yunta_lock_is_held(t->lock)))
        test_nap();
    ck_assert_uint_eq(note, 0);
    atomic_store(&is_looked_at, true);
    ck_assert_int_eq(yunta_condition_notify_all(t->condition), 0);
    return NULL;
}

START_TEST(a_note_is_taken_away_over_a_condition)
{
    pthread_t id;
    struct turns t = {.turn = 0};
    ck_assert_int_eq(yunta_deadlock_trace(), 0);
    ck_assert_int_eq(yunta_lock_create(&t.lock), 0);
    ck_assert_int_eq(yunta_condition_create(&t.condition), 0);
    ck_assert_int_eq(yunta_lock_acquire(t.lock, 0), 0);
    yn_noted_lock_shared *noted = (yn_noted_lock_shared *)(void *)t.lock;
    uint64_t mine = atomic_load(&noted->thread);
    ck_assert_uint_ne(mine, 0);
    ck_assert_int_eq(pthread_create(&id, NULL, look_at_note, &t), 0);
    while (!atomic_load(&is_looked_at)) {
        ck_assert_int_eq(yunta_condition_wait(t.condition, t.lock, 20000), 0);
        ck_assert_uint_eq(atomic_load(&noted->thread), mine);
    }
    pthread_join(id, NULL);
    ck_assert_int_eq(yunta_lock_release(t.lock), 0);
    yunta_condition_destroy(t.condition);
    yunta_lock_destroy(t.lock);
}
END_TEST

/* Each is at one, and wants the next one done. */
struct at_once {
    const struct threads *s;
    int number;
    pthread_t id;
};

static int nothing(void *argument, bool again)
{
    (void)argument;
    (void)again;
    return 0;
}

static int want_next(void *argument, bool again)
{
    const struct at_once *a = argument;
    (void)again;
    atomic_fetch_add(a->s->party.taken, 1);
    while (atomic_load(a->s->party.taken) < COUNT)
        test_nap();
    return yunta_once_run(a->s->once[(a->number + 1) % COUNT], nothing, NULL, YUNTA_FOREVER);
}

static void *run_once(void *argument)
{
    const struct at_once *a = argument;
    yunta_once_run(a->s->once[a->number], want_next, argument, YUNTA_FOREVER);
    return NULL;
}

static int be_at_once(const struct threads *s)
{
    struct at_once a[COUNT];
    for (int i = 0; i < COUNT; i++) {
        a[i] = (struct at_once){.s = s, .number = i};
        expect(pthread_create(&a[i].id, NULL, run_once, &a[i]) == 0);
    }
    for (int i = 0; i < COUNT; i++)
        pthread_join(a[i].id, NULL);
    return 0;
}
YUNTA_ENTRY(be_at_once, struct threads);

START_TEST(things_done_once)
{
    yunta_deadlock_edge edges[EDGES];
    yunta_process *process;
    struct threads s = new_threads(LOCK);
    start_by(YUNTA_FORK, &process, be_at_once, &s);
    await_edges(edges, COUNT);
    check_threads(process, edges, YUNTA_DEADLOCK_ONCE);
    yunta_process_destroy(process);
    free_threads(&s);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("deadlock of threads");
    TCase *cases = test_case(suite, "threads");
    TEST_FOR_EACH_METHOD(cases, recursive_locks);
    TEST_FOR_EACH_METHOD(cases, locks_that_note_their_thread);
    tcase_add_test(cases, things_done_once);
    cases = test_case(suite, "none");
    tcase_add_test(cases, locks_of_which_only_the_process_is_known);
    tcase_add_test(cases, threads_that_take_turns_are_in_no_circle);
    tcase_add_test(cases, a_note_is_taken_away_over_a_condition);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
