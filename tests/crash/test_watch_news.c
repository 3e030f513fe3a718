/* The watch is killed with messages in its socket: nobody waits for it in vain.
 * It must not look into the watch: a stopped one stands for one that is killed at just the wrong moment.
 * Read next: test_watch.c. */
#include "../proc/helpers.h"

#include "os/fdpass.h"
#include "proc/news.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

enum { seconds_ms = 5000 };

static yn_arena_shared *arena(void)
{
    int error;
    yn_self *me = yn_self_get(&error);
    ck_assert_ptr_nonnull(me);
    return me->arena;
}

static void runs_one(yunta_start_method method)
{
    yunta_process *child;
    start_by(method, &child, return_value, &(int){11});
    end_is(child, 11);
}

static pid_t stopped_watch(void)
{
    pid_t watch = atomic_load(&arena()->watch_pid);
    ck_assert_int_eq(kill(watch, SIGSTOP), 0);
    test_wait_until(test_state(watch) == 'T', seconds_ms);
    return watch;
}

/* The pid of a process that is being started and cannot go on, or 0. */
static pid_t stuck(yn_slot_table_shared *table)
{
    for (uint32_t i = 0; i < atomic_load(&table->used); i++) {
        yn_slot_shared *slot = yn_slot_at(table, i);
        uint64_t word = atomic_load(&slot->word);
        pid_t pid = yn_slot_pid(slot, yn_claim_make(i, word >> 24));
        if (yn_slot_state_of(word) == YN_SLOT_STARTING && pid != 0 && test_state(pid) == 'S')
            return pid;
    }
    return 0;
}

/* A process of its own kills the watch when the new one waits for it to read. */
START_TEST(a_full_socket_is_emptied_by_the_next_watch)
{
    runs_one(TEST_METHOD);
    pid_t watch = stopped_watch();
    yn_news nothing = {0};
    int r;
    do
        r = yn_fdpass_send(yn_team.news[0], &nothing, sizeof nothing, NULL, 0, false);
    while (r == 0);
    ck_assert_int_eq(r, -EAGAIN);
    yn_slot_table_shared *table = &arena()->slots;
    pid_t killer = fork();
    if (killer == 0) {
        uint64_t end = test_now_ms() + seconds_ms;
        while (stuck(table) == 0 && test_now_ms() < end)
            sched_yield();
        kill(watch, SIGKILL);
        _exit(test_now_ms() < end ? 0 : 1);
    }
    uint64_t begin = test_now_ms();
    runs_one(TEST_METHOD);
    ck_assert_uint_lt(test_now_ms() - begin, seconds_ms);
    int status;
    ck_assert_int_eq(waitpid(killer, &status, 0), killer);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* A watch that was poked, and killed before it read what for. */
START_TEST(the_next_watch_reads_what_the_last_one_was_poked_for)
{
    runs_one(YUNTA_FORK);
    pid_t watch = stopped_watch(), killer = fork();
    if (killer == 0) {
        int bytes = 0;
        struct epoll_event event = {.data.u64 = 1};
        while (ioctl(yn_team.news[1], FIONREAD, &bytes) == 0 && bytes == 0)
            sched_yield();
        while (event.data.u64 != 0)
            epoll_wait(yn_team.epoll, &event, 1, seconds_ms);
        kill(watch, SIGKILL);
        _exit(0);
    }
    uint64_t begin = test_now_ms();
    runs_one(YUNTA_FORKSERVER); /* which is started now */
    ck_assert_uint_lt(test_now_ms() - begin, seconds_ms);
    ck_assert_int_eq(waitpid(killer, NULL, 0), killer);
}
END_TEST

/* The server dies with the watch, and who would have told how its children ended. */
START_TEST(what_nobody_will_tell_is_not_waited_for)
{
    enum { count = 8 };
    yunta_process *child[count];
    for (int i = 0; i < count; i++)
        start_by(YUNTA_FORKSERVER, &child[i], sleep_for_ever, NULL);
    yn_claim server = atomic_load(&arena()->server);
    test_kill(atomic_load(&arena()->watch_pid));
    runs_one(YUNTA_FORK); /* with which there is another, that finds the server dead */
    test_wait_until(!yn_claim_is_alive(&arena()->slots, server), seconds_ms);
    uint64_t begin = test_now_ms();
    for (int i = 0; i < count; i++)
        yunta_process_destroy(child[i]);
    ck_assert_uint_lt(test_now_ms() - begin, 1500); /* not 2 s for each of them */
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("watch_news");
    TCase *cases = test_case(suite, "news");
    TEST_FOR_EACH_METHOD(cases, a_full_socket_is_emptied_by_the_next_watch);
    tcase_add_test(cases, the_next_watch_reads_what_the_last_one_was_poked_for);
    tcase_add_test(cases, what_nobody_will_tell_is_not_waited_for);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
