/* Deadlocks across processes: found in each kind of thing that has a holder, and never where there is none.
 * It must not sleep to wait: it looks until what is to be seen is there.
 * Read next: test_deadlock_threads.c; test_deadlock_moves.c, where nothing may be found.
 *
 * timeout: 300 */
#include "deadlock_scene.h"

static struct party new_party(int wanted)
{
    return (struct party){.limit = YUNTA_FOREVER, .taken = new_word(), .ended = new_word(), .wanted = wanted};
}

/* Starts `count` parties, of which each holds one thing and wants the next one's. */
static void start_circle(yunta_start_method method, yunta_process **process, struct object *object, int count,
                         struct party party)
{
    for (int i = 0; i < count; i++) {
        party.first = object[i];
        party.second = object[(i + 1) % count];
        start_by(method, &process[i], take_part, &party);
    }
}

static void free_party(struct party *p)
{
    yunta_shared_free(p->taken);
    yunta_shared_free(p->ended);
}

/* One of them is killed: then the others get what they want, one after the other. */
static void break_circle(yunta_process **process, int count, struct party *p)
{
    ck_assert_int_eq(yunta_process_kill(process[0]), 0);
    end_is(process[0], YUNTA_ECRASHED);
    ck_assert(await_word(p->ended, count - 1));
    for (int i = 1; i < count; i++)
        end_is(process[i], i == count - 1 ? 100 : 0); /* the last one inherits from the dead */
    ck_assert_int_eq(yunta_deadlock_find(NULL, 0), 0);
}

static void find_circle_of(yunta_start_method method, enum thing kind, yunta_deadlock_kind told, int count)
{
    yunta_deadlock_edge edges[EDGES];
    yunta_process *process[MOST];
    struct object object[MOST];
    struct party p = new_party(count);
    for (int i = 0; i < count; i++)
        object[i] = new_object(kind);
    start_circle(method, process, object, count, p);
    await_edges(edges, count);
    check_circle(edges, count);
    for (int i = 0; i < count; i++) {
        int who = 0;
        while (yunta_process_pid(process[who]) != edges[i].waiter_pid)
            ck_assert_int_lt(++who, count);
        ck_assert_ptr_eq(edges[i].object, address_of(&object[(who + 1) % count]));
        ck_assert_int_eq(edges[i].kind, told);
        ck_assert_int_eq(edges[i].waiter_thread, edges[i].waiter_pid);
        ck_assert(!edges[i].is_limited);
        ck_assert_str_eq(edges[i].waiter_name, "take_part");
        ck_assert_str_eq(edges[i].holder_name, "take_part");
    }
    break_circle(process, count, &p);
    for (int i = 0; i < count; i++)
        free_object(&object[i]);
    free_party(&p);
}

START_TEST(two_that_hold_and_want_a_lock)
{
    find_circle_of(TEST_METHOD, LOCK, YUNTA_DEADLOCK_LOCK, 2);
}
END_TEST

START_TEST(three_in_a_circle)
{
    find_circle_of(YUNTA_FORK, LOCK, YUNTA_DEADLOCK_LOCK, 3);
}
END_TEST

START_TEST(recursive_locks)
{
    find_circle_of(YUNTA_FORK, RECURSIVE, YUNTA_DEADLOCK_RECURSIVE_LOCK, 2);
}
END_TEST

START_TEST(units_of_semaphores)
{
    find_circle_of(YUNTA_FORK, SEMAPHORE, YUNTA_DEADLOCK_SEMAPHORE, 3);
}
END_TEST

START_TEST(locks_for_writing)
{
    find_circle_of(YUNTA_FORK, WRITE, YUNTA_DEADLOCK_WRITE, 2);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("deadlock");
    TCase *cases = test_case(suite, "circles");
    TEST_FOR_EACH_METHOD(cases, two_that_hold_and_want_a_lock);
    tcase_add_test(cases, three_in_a_circle);
    tcase_add_test(cases, recursive_locks);
    tcase_add_test(cases, units_of_semaphores);
    tcase_add_test(cases, locks_for_writing);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
