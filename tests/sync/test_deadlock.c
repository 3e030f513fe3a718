/* Deadlocks across processes: found in each kind of thing that has a holder, and never where there is none.
 * It must not sleep to wait: it looks until what is to be seen is there.
 * Read next: test_deadlock_threads.c; test_deadlock_moves.c, where nothing may be found.
 *
 * timeout: 300 */
#include "deadlock_scene.h"

#include "shm/self.h"

#include <fcntl.h>

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

/* Each reads, and wants to write. The first that wants to waits for its own reading, too, so it is in a circle alone
 * until the other comes. */
START_TEST(readers_that_want_to_write)
{
    yunta_deadlock_edge edges[EDGES];
    yunta_process *process[2];
    struct party p = new_party(2);
    struct object object = new_object(READ);
    p.first = p.second = object;
    p.second.kind = WRITE;
    for (int i = 0; i < 2; i++)
        start_by(YUNTA_FORK, &process[i], take_part, &p);
    test_wait_until(yunta_deadlock_find(edges, EDGES) == 3, 20000);
    for (int i = 0; i < 3; i++) {
        ck_assert_ptr_eq(edges[i].object, object.rwlock);
        ck_assert_int_eq(edges[i].kind, YUNTA_DEADLOCK_WRITE);
    }
    for (int i = 0; i < 2; i++)
        yunta_process_destroy(process[i]);
    ck_assert_int_eq(yunta_deadlock_find(NULL, 0), 0);
    free_object(&object);
    free_party(&p);
}
END_TEST

/* One has a lock and wants to read what the other writes, who wants the lock. */
START_TEST(a_reader_and_things_of_several_kinds)
{
    yunta_deadlock_edge edges[EDGES];
    yunta_process *process[3];
    struct object object[3] = {new_object(LOCK), new_object(WRITE), new_object(SEMAPHORE)};
    struct party p = new_party(3);
    for (int i = 0; i < 3; i++) {
        p.first = object[i];
        p.second = object[(i + 1) % 3];
        p.second.kind = p.second.kind == WRITE ? READ : p.second.kind;
        start_by(YUNTA_FORK, &process[i], take_part, &p);
    }
    await_edges(edges, 3);
    check_circle(edges, 3);
    int kinds = 0;
    for (int i = 0; i < 3; i++)
        kinds |= 1 << edges[i].kind;
    ck_assert_int_eq(kinds, 1 << YUNTA_DEADLOCK_LOCK | 1 << YUNTA_DEADLOCK_READ | 1 << YUNTA_DEADLOCK_SEMAPHORE);
    break_circle(process, 3, &p);
    for (int i = 0; i < 3; i++)
        free_object(&object[i]);
    free_party(&p);
}
END_TEST

/* A process alone, which takes the same lock twice. */
START_TEST(one_that_waits_for_itself)
{
    yunta_deadlock_edge edges[EDGES];
    yunta_process *process;
    struct object object = new_object(LOCK);
    struct party p = new_party(1);
    p.first = p.second = object;
    start_by(YUNTA_FORK, &process, take_part, &p);
    await_edges(edges, 1);
    check_circle(edges, 1);
    yunta_process_destroy(process);
    ck_assert_int_eq(yunta_deadlock_find(NULL, 0), 0);
    free_object(&object);
    free_party(&p);
}
END_TEST

/* One waits for the end of the other, which wants what the one has. */
START_TEST(one_that_joins)
{
    yunta_deadlock_edge edges[EDGES];
    yunta_process *process[2];
    struct object object[2] = {new_object(LOCK), new_object(LOCK)};
    struct party p = new_party(2);
    p.first = object[0];
    p.second = object[1];
    start_by(YUNTA_FORK, &process[0], take_part, &p);
    p.first = object[1];
    p.joined = process[0];
    start_by(YUNTA_FORK, &process[1], take_part, &p);
    await_edges(edges, 2);
    check_circle(edges, 2);
    int joining = edges[0].kind == YUNTA_DEADLOCK_PROCESS ? 0 : 1;
    ck_assert_int_eq(edges[joining].kind, YUNTA_DEADLOCK_PROCESS);
    ck_assert_ptr_eq(edges[joining].object, process[0]);
    ck_assert_int_eq(edges[joining].waiter_pid, yunta_process_pid(process[1]));
    ck_assert_int_eq(edges[1 - joining].kind, YUNTA_DEADLOCK_LOCK);
    ck_assert_int_eq(yunta_process_kill(process[0]), 0);
    end_is(process[1], 0);
    end_is(process[0], YUNTA_ECRASHED);
    for (int i = 0; i < 2; i++)
        free_object(&object[i]);
    free_party(&p);
}
END_TEST

/* It counts, and ends by itself. */
START_TEST(a_time_limit_is_told)
{
    yunta_deadlock_edge edges[EDGES];
    yunta_process *process[2];
    struct object object[2] = {new_object(LOCK), new_object(LOCK)};
    struct party p = new_party(2);
    p.limit = 3600000;
    start_circle(YUNTA_FORK, process, object, 2, p);
    await_edges(edges, 2);
    ck_assert(edges[0].is_limited && edges[1].is_limited);
    break_circle(process, 2, &p);
    for (int i = 0; i < 2; i++)
        free_object(&object[i]);
    free_party(&p);
}
END_TEST

/* A stopped process is alive, and keeps what it has; but it may be about to do something. */
START_TEST(a_stopped_process_stays_in_its_circle)
{
    yunta_deadlock_edge edges[EDGES];
    yunta_process *process[2];
    struct object object[2] = {new_object(LOCK), new_object(LOCK)};
    struct party p = new_party(2);
    start_circle(YUNTA_FORK, process, object, 2, p);
    await_edges(edges, 2);
    ck_assert_int_eq(yunta_process_signal(process[1], SIGSTOP), 0);
    test_wait_until(test_state(yunta_process_pid(process[1])) == 'T', 20000);
    await_edges(edges, 2);
    check_circle(edges, 2);
    ck_assert_int_eq(yunta_process_signal(process[1], SIGCONT), 0);
    break_circle(process, 2, &p);
    for (int i = 0; i < 2; i++)
        free_object(&object[i]);
    free_party(&p);
}
END_TEST

/* Killed, and not yet declared dead, since the watch has been stopped: its lock is to be had soon. */
START_TEST(a_dead_one_is_in_no_circle)
{
    int error;
    yunta_deadlock_edge edges[EDGES];
    yunta_process *process[2];
    struct object object[2] = {new_object(LOCK), new_object(LOCK)};
    struct party p = new_party(2);
    start_circle(YUNTA_FORK, process, object, 2, p);
    await_edges(edges, 2);
    pid_t watch = atomic_load(&yn_self_get(&error)->arena->watch_pid);
    ck_assert_int_eq(kill(watch, SIGSTOP), 0);
    test_wait_until(test_state(watch) == 'T', 20000);
    test_kill(yunta_process_pid(process[0]));
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(yunta_deadlock_find(edges, EDGES), 0);
    ck_assert_int_eq(kill(watch, SIGCONT), 0);
    end_is(process[1], 100);
    end_is(process[0], YUNTA_ECRASHED);
    for (int i = 0; i < 2; i++)
        free_object(&object[i]);
    free_party(&p);
}
END_TEST

/* Each waits for the next, and the last one, who waits for nobody, for us. One more waits behind a circle. */
START_TEST(who_waits_in_a_row_is_in_no_circle)
{
    yunta_deadlock_edge edges[EDGES];
    yunta_process *process[MOST];
    struct object object[MOST + 1];
    struct party p = new_party(MOST);
    for (int i = 0; i <= MOST; i++)
        object[i] = new_object(i % 2 ? LOCK : SEMAPHORE);
    ck_assert_int_eq(take(&object[MOST], 0), 0);
    for (int i = 0; i < MOST; i++) {
        p.first = object[i];
        p.second = object[i + 1];
        start_by(YUNTA_FORK, &process[i], take_part, &p);
    }
    test_wait_until(count_waits() == MOST, 20000);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(yunta_deadlock_find(edges, EDGES), 0);
    ck_assert_int_eq(yunta_deadlock_read_waits(edges, 2), MOST);
    ck_assert_int_eq(edges[0].holder_pid, edges[1].waiter_pid);
    ck_assert_int_eq(let_go(&object[MOST]), 0);
    for (int i = MOST; i-- > 0;)
        end_is(process[i], 0);
    for (int i = 0; i <= MOST; i++)
        free_object(&object[i]);
    free_party(&p);
}
END_TEST

START_TEST(who_waits_behind_a_circle_is_not_in_it)
{
    yunta_deadlock_edge edges[EDGES];
    yunta_process *process[3];
    struct object object[3] = {new_object(LOCK), new_object(LOCK), new_object(LOCK)};
    struct party p = new_party(3);
    start_circle(YUNTA_FORK, process, object, 2, p);
    p.first = object[2];
    p.second = object[0];
    start_by(YUNTA_FORK, &process[2], take_part, &p);
    test_wait_until(count_waits() == 3, 20000);
    await_edges(edges, 2);
    check_circle(edges, 2);
    for (int i = 0; i < 2; i++)
        ck_assert_int_ne(edges[i].waiter_pid, yunta_process_pid(process[2]));
    for (int i = 0; i < 3; i++)
        yunta_process_destroy(process[i]);
    for (int i = 0; i < 3; i++)
        free_object(&object[i]);
    free_party(&p);
}
END_TEST

/* Another unit is held by one who may give it back. */
START_TEST(a_unit_that_may_come_back_is_waited_for)
{
    yunta_deadlock_edge edges[EDGES];
    yunta_process *process[2];
    struct object object[2] = {new_object(SEMAPHORE), new_object(SEMAPHORE)};
    struct party p = new_party(2);
    ck_assert_int_eq(yunta_semaphore_release(object[0].semaphore), 0);    /* two units … */
    ck_assert_int_eq(yunta_semaphore_acquire(object[0].semaphore, 0), 0); /* … of which one is ours */
    start_circle(YUNTA_FORK, process, object, 2, p);
    test_wait_until(count_waits() == 3, 20000); /* one for two holders */
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(yunta_deadlock_find(edges, EDGES), 0);
    ck_assert_int_eq(yunta_semaphore_release(object[0].semaphore), 0);
    for (int i = 0; i < 2; i++)
        end_is(process[i], 0);
    for (int i = 0; i < 2; i++)
        free_object(&object[i]);
    free_party(&p);
}
END_TEST

/* What has been written so far: other processes have inherited the end that is written to. */
static size_t read_all(int descriptor, char *text, size_t size)
{
    size_t length = 0;
    ck_assert_int_eq(fcntl(descriptor, F_SETFL, O_NONBLOCK), 0);
    for (ssize_t n; (n = read(descriptor, text + length, size - 1 - length)) > 0;)
        length += (size_t)n;
    text[length] = '\0';
    return length;
}

START_TEST(it_is_printed_for_people)
{
    char text[2048], wanted[256];
    int ends[2];
    yunta_deadlock_edge edges[EDGES];
    yunta_process *process[2];
    struct object object[2] = {new_object(LOCK), new_object(RECURSIVE)};
    struct party p = new_party(2);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(yunta_deadlock_print(ends[1]), 0);
    start_circle(YUNTA_FORK, process, object, 2, p);
    await_edges(edges, 2);
    while (yunta_deadlock_print(ends[1]) == 0) /* one may look around just now */
        test_nap();
    close(ends[1]);
    ck_assert_uint_gt(read_all(ends[0], text, sizeof text), 0);
    close(ends[0]);
    int a = (int)edges[0].waiter_pid, b = (int)edges[0].holder_pid;
    const char *first = edges[0].kind == YUNTA_DEADLOCK_LOCK ? "the lock" : "the recursive lock";
    snprintf(wanted, sizeof wanted,
             "yunta: deadlock: each waits for the next\n"
             "yunta:   process 'take_part' (pid %d) waits for %s %p of process 'take_part' (pid %d)\n",
             a, first, edges[0].object, b);
    ck_assert_msg(strncmp(text, wanted, strlen(wanted)) == 0, "%s", text);
    ck_assert_int_eq(yunta_deadlock_print(-1), -EBADF);
    break_circle(process, 2, &p);
    for (int i = 0; i < 2; i++)
        free_object(&object[i]);
    free_party(&p);
}
END_TEST

/* By those who wait, when they have for a second. */
START_TEST(it_is_printed_by_who_has_waited_for_long)
{
    char text[2048];
    int ends[2];
    yunta_process *process[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(setenv("YUNTA_DEADLOCK", "1", 1), 0);
    struct object object[2] = {new_object(LOCK), new_object(LOCK)};
    struct party p = new_party(2);
    for (int i = 0; i < 2; i++) {
        p.first = object[i];
        p.second = object[1 - i];
        start_with(YUNTA_FORK, &process[i], take_part, &p, .err = {YUNTA_DESCRIPTOR, ends[1]});
    }
    close(ends[1]);
    ck_assert_int_eq(read(ends[0], text, 30), 30);
    text[30] = '\0';
    ck_assert_str_eq(text, "yunta: deadlock: each waits fo");
    break_circle(process, 2, &p);
    read_all(ends[0], text, sizeof text);
    close(ends[0]);
    ck_assert_ptr_null(strstr(text, "deadlock:")); /* once */
    for (int i = 0; i < 2; i++)
        free_object(&object[i]);
    free_party(&p);
}
END_TEST

START_TEST(bad_input_is_refused)
{
    yunta_deadlock_edge edge;
    ck_assert_int_eq(yunta_deadlock_find(NULL, 1), -EINVAL);
    ck_assert_int_eq(yunta_deadlock_read_waits(NULL, 1), -EINVAL);
    ck_assert_int_eq(yunta_deadlock_find(NULL, 0), 0);
    ck_assert_int_eq(yunta_deadlock_read_waits(NULL, 0), 0);
    ck_assert_int_eq(yunta_deadlock_find(&edge, 1), 0);
    ck_assert_int_eq(yunta_deadlock_print(-1), 0); /* there is nothing to write */
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
    tcase_add_test(cases, readers_that_want_to_write);
    tcase_add_test(cases, a_reader_and_things_of_several_kinds);
    tcase_add_test(cases, one_that_waits_for_itself);
    tcase_add_test(cases, one_that_joins);
    tcase_add_test(cases, a_time_limit_is_told);
    tcase_add_test(cases, a_stopped_process_stays_in_its_circle);
    cases = test_case(suite, "none");
    tcase_add_test(cases, a_dead_one_is_in_no_circle);
    tcase_add_test(cases, who_waits_in_a_row_is_in_no_circle);
    tcase_add_test(cases, who_waits_behind_a_circle_is_not_in_it);
    tcase_add_test(cases, a_unit_that_may_come_back_is_waited_for);
    cases = test_case(suite, "told");
    tcase_add_test(cases, it_is_printed_for_people);
    tcase_add_test(cases, it_is_printed_by_who_has_waited_for_long);
    tcase_add_test(cases, bad_input_is_refused);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
