/* The watch itself is killed: that costs a moment, and nothing else.
 * It must not look into the watch; what it does is seen from outside.
 * Read next: test_lock_kill.c. */
#include "../proc/helpers.h"

#include "shm/self.h"

#include <sched.h>

/* How long a sleeper may need to find out: without ties it looks once in a second. */
enum { seconds_ms = 5000 };

/* Whoever noticed first has started it, perhaps a child that is gone by now. */
static pid_t await_watch(void)
{
    int error;
    yn_self *me = yn_self_get(&error);
    ck_assert_ptr_nonnull(me);
    test_wait_until(test_is_running(atomic_load(&me->arena->watch_pid)), 20000);
    return atomic_load(&me->arena->watch_pid);
}

static void runs_one(yunta_start_method method)
{
    yunta_process *child;
    start_by(method, &child, return_value, &(int){11});
    end_is(child, 11);
}

/* Of the watches that the test has made, and nobody waits for, none is left as a zombie. */
static void one_watch_is_left(void)
{
    pid_t found[16];
    runs_one(YUNTA_FORK);
    pid_t watch = await_watch();
    size_t count = test_children(getpid(), found, 16);
    ck_assert_uint_le(count, 1);
    ck_assert(count == 0 || found[0] == watch);
}

START_TEST(the_next_start_makes_another)
{
    runs_one(TEST_METHOD);
    for (int i = 0; i < 20; i++) {
        pid_t watch = await_watch();
        test_kill(watch);
        runs_one(TEST_METHOD);
        ck_assert_int_ne(await_watch(), watch);
    }
    one_watch_is_left();
}
END_TEST

struct holding {
    yunta_lock *lock;
    shared_word *word;
};

static int hold(const struct holding *h)
{
    expect(yunta_lock_acquire(h->lock, 20000) == 0);
    atomic_store(h->word, 1);
    return sleep_for_ever();
}
YUNTA_ENTRY(hold, struct holding);

static struct holding new_holding(void)
{
    struct holding h = {.word = new_word()};
    ck_assert_int_eq(yunta_lock_create(&h.lock), 0);
    return h;
}

static void free_holding(struct holding *h)
{
    yunta_lock_destroy(h->lock);
    yunta_shared_free(h->word);
}

/* Who was a member of the last one is a member of the next one. */
START_TEST(the_next_one_finds_the_members)
{
    struct holding h = new_holding();
    yunta_process *owner;
    start_by(TEST_METHOD, &owner, hold, &h);
    ck_assert(await_word(h.word, 1));
    test_kill(await_watch());
    runs_one(TEST_METHOD);
    uint64_t begin = test_now_ms();
    yunta_process_kill(owner);
    ck_assert_int_eq(yunta_lock_acquire(h.lock, 20000), -EOWNERDEAD);
    ck_assert_uint_lt(test_now_ms() - begin, 900); /* told by the watch, not by looking once in a second */
    yunta_process_destroy(owner);
    free_holding(&h);
    one_watch_is_left();
}
END_TEST

/* The sleeper sleeps already; then the watch dies, then the owner. */
static void sleeper_finds_out(yunta_start_method method)
{
    struct holding h = new_holding();
    yunta_process *owner;
    start_by(method, &owner, hold, &h);
    ck_assert(await_word(h.word, 1));
    pid_t watch = await_watch(), killer = fork();
    if (killer == 0) {
        while (test_state(getppid()) != 'S') /* in the lock: there is nothing else that it sleeps in */
            sched_yield();
        kill(watch, SIGKILL);
        kill(yunta_process_pid(owner), SIGKILL);
        _exit(0);
    }
    uint64_t begin = test_now_ms();
    ck_assert_int_eq(yunta_lock_acquire(h.lock, 20000), -EOWNERDEAD);
    ck_assert_uint_lt(test_now_ms() - begin, seconds_ms);
    ck_assert_int_eq(waitpid(killer, NULL, 0), killer);
    yunta_process_destroy(owner);
    free_holding(&h);
    one_watch_is_left();
}

START_TEST(a_sleeper_finds_out)
{
    sleeper_finds_out(TEST_METHOD);
}
END_TEST

/* Where nobody can be told of the watch's end. */
START_TEST(by_the_clock_a_sleeper_finds_out_within_seconds)
{
    atomic_store(&yn_tie_unknown, true);
    sleeper_finds_out(YUNTA_FORK);
}
END_TEST

START_TEST(what_was_started_before_is_still_ended_with_its_starter)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t root = fork();
    if (root == 0) {
        yunta_process *child;
        yunta_process_options options = {.start_method = TEST_METHOD, .out = {YUNTA_DESCRIPTOR, ends[1]}};
        close(ends[0]);
        if (yunta_start(&child, sleep_for_ever, NULL, &options) != 0)
            _exit(1);
        test_kill(await_watch());
        if (yunta_start(&child, sleep_for_ever, NULL, &options) != 0)
            _exit(1);
        if (write(ends[1], "x", 1) != 1)
            _exit(1);
        _exit(sleep_for_ever());
    }
    close(ends[1]);
    char byte;
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    kill(root, SIGKILL);
    uint64_t begin = test_now_ms();
    ck_assert_int_eq(read(ends[0], &byte, 1), 0); /* until nobody has the other end */
    ck_assert_uint_lt(test_now_ms() - begin, 1000);
    close(ends[0]);
    ck_assert_int_eq(waitpid(root, NULL, 0), root);
}
END_TEST

/* One after the other is killed at moments that nobody chose, while processes start, hold a lock, and die. */
START_TEST(kills_at_random_lose_nobody)
{
    int rounds = test_is_valgrind() ? 3 : 12;
    struct holding h = new_holding();
    for (int i = 0; i < rounds; i++) {
        runs_one(TEST_METHOD); /* with which there is one */
        pid_t watch = await_watch(), killer = fork();
        if (killer == 0) {
            for (int spins = i * 7919 % 40 * 50; spins > 0; spins--)
                sched_yield();
            kill(watch, SIGKILL);
            _exit(0);
        }
        yunta_process *owner;
        atomic_store(h.word, 0);
        uint64_t begin = test_now_ms();
        start_by(TEST_METHOD, &owner, hold, &h);
        ck_assert_uint_lt(test_now_ms() - begin, seconds_ms);
        test_wait_until(atomic_load(h.word) == 1, seconds_ms);
        yunta_process_kill(owner);
        int r = yunta_lock_acquire(h.lock, seconds_ms);
        ck_assert_msg(r == -EOWNERDEAD, "round %d: %s", i, yunta_error_name(r));
        ck_assert_int_eq(yunta_lock_mark_consistent(h.lock), 0);
        ck_assert_int_eq(yunta_lock_release(h.lock), 0);
        r = yunta_process_join(owner, seconds_ms);
        bool lost = r == YUNTA_ELOST && TEST_METHOD == YUNTA_FORKSERVER; /* the server dies with the watch */
        ck_assert_msg(r == YUNTA_ECRASHED || lost, "round %d: %s", i, yunta_error_name(r));
        yunta_process_destroy(owner);
        ck_assert_int_eq(waitpid(killer, NULL, 0), killer);
        test_wait_until(!test_is_running(watch), 20000);
    }
    runs_one(TEST_METHOD);
    yunta_arena_stats stats;
    test_wait_until(yunta_arena_read_stats(&stats) == 0 && stats.processes <= 2, 20000); /* this one, the forkserver */
    free_holding(&h);
    one_watch_is_left();
}
END_TEST

/* Its starts fail, and the others' watch is left alone. */
START_TEST(who_closes_all_descriptors_can_start_nothing)
{
    runs_one(YUNTA_FORK);
    pid_t watch = await_watch(), root = fork();
    if (root == 0) {
        yunta_process *child;
        runs_one(YUNTA_FORK); /* with which it sees the watch, by a descriptor */
        for (int fd = 3; fd < 1024; fd++)
            close(fd);
        _exit(yunta_start(&child, sleep_for_ever, NULL, NULL) == YUNTA_ENOWATCH ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(root, &status, 0), root);
    ck_assert_int_eq(status, 0);
    runs_one(YUNTA_FORK);
    ck_assert_int_eq(await_watch(), watch);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("watch");
    TCase *cases = test_case(suite, "watch");
    TEST_FOR_EACH_METHOD(cases, the_next_start_makes_another);
    TEST_FOR_EACH_METHOD(cases, the_next_one_finds_the_members);
    TEST_FOR_EACH_METHOD(cases, a_sleeper_finds_out);
    tcase_add_test(cases, by_the_clock_a_sleeper_finds_out_within_seconds);
    TEST_FOR_EACH_METHOD(cases, what_was_started_before_is_still_ended_with_its_starter);
    tcase_add_test(cases, who_closes_all_descriptors_can_start_nothing);
    TEST_FOR_EACH_METHOD(cases, kills_at_random_lose_nobody);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
