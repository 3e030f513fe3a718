/* A pid that comes back fools nobody: somebody innocent has the pid of the dead, and is neither taken for the owner of
 * a lock, nor waited for, nor killed. It must not wait for the kernel to give a pid again: clone3 gives the wanted one,
 * which takes privileges (else the test is skipped). Read next: ../shm/test_slot.c; src/proc/README.md, how the watch
 * tells a pid's old owner from the new one. */
#include "../proc/helpers.h"

#include "proc/record.h"
#include "sync/lock.h"

#include <sched.h>
#include <sys/syscall.h>

/* As linux/sched.h has it, which not all have. */
struct clone_arguments {
    _Alignas(8) uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
        set_tid_size, cgroup;
};

/* A process with this pid that does nothing. Raw, so it may do nothing. -errno if it cannot be. */
static pid_t fork_as(pid_t wanted)
{
    struct clone_arguments arguments = {
        .exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&wanted, .set_tid_size = 1};
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    while (pid == 0)
        syscall(SYS_pause);
    return pid > 0 ? (pid_t)pid : -errno;
}

static void end_innocent(pid_t pid)
{
    int status;
    ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0); /* nobody has harmed it */
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}

static bool can_choose_pids(void)
{
    pid_t free_one = fork(), again;
    if (free_one == 0)
        _exit(0);
    waitpid(free_one, NULL, 0);
    again = fork_as(free_one);
    if (again > 0) {
        kill(again, SIGKILL);
        waitpid(again, NULL, 0);
    }
    return again == free_one;
}

struct holding {
    yunta_lock *lock;
    shared_word *held;
};

static int hold(const struct holding *h)
{
    expect(yunta_lock_acquire(h->lock, 0) == 0);
    atomic_store(h->held, 1);
    return sleep_for_ever();
}
YUNTA_ENTRY(hold, struct holding);

static yunta_process *start_holder(yunta_start_method method, struct holding *h)
{
    yunta_process *holder;
    ck_assert_int_eq(yunta_lock_create(&h->lock), 0);
    h->held = new_word();
    start_by(method, &holder, hold, h);
    ck_assert(await_word(h->held, 1));
    return holder;
}

static void lock_is_told_and_mended(struct holding *h)
{
    ck_assert_int_eq(yunta_lock_acquire(h->lock, 20000), -EOWNERDEAD);
    ck_assert_int_eq(yunta_lock_mark_consistent(h->lock), 0);
    ck_assert_int_eq(yunta_lock_release(h->lock), 0);
    yunta_lock_destroy(h->lock);
    yunta_shared_free(h->held);
}

/* The kernel tells to a hundredth of a second when a process began. */
static void let_the_clock_move_on(void)
{
    uint64_t begin = test_now_ms();
    test_wait_until(test_now_ms() > begin + 50, 10000);
}

static pid_t watch_pid(void)
{
    int error;
    return atomic_load(&yn_self_get(&error)->arena->watch_pid);
}

/* Killed, and gone without a trace, by whoever its parent is. The status may be lost. */
static void kill_and_reap(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0); /* not ours under forkserver */
    test_wait_until(test_state(pid) == 0, 10000);
}

START_TEST(an_innocent_process_is_not_the_owner)
{
    struct holding h;
    yunta_process *holder = start_holder(TEST_METHOD, &h);
    pid_t pid = yunta_process_pid(holder);
    kill(pid, SIGKILL);
    join_is(holder, YUNTA_ECRASHED);
    test_wait_until(test_state(pid) == 0, 10000);
    ck_assert_int_eq(fork_as(pid), pid);
    lock_is_told_and_mended(&h);
    yunta_process_destroy(holder);
    end_innocent(pid);
}
END_TEST

/* The watch stands still over the death and the birth, and hears of the death when the pid has another owner. */
START_TEST(nor_for_a_watch_that_looks_late)
{
    struct holding h;
    yunta_process *holder = start_holder(TEST_METHOD, &h);
    pid_t pid = yunta_process_pid(holder), watch = watch_pid();
    ck_assert_int_eq(kill(watch, SIGSTOP), 0);
    test_wait_until(test_state(watch) == 'T', 10000);
    kill_and_reap(pid);
    ck_assert_int_eq(fork_as(pid), pid);
    bool is_said = TEST_METHOD == YUNTA_FORKSERVER; /* by the forkserver, which has reaped it */
    if (is_said)
        lock_is_told_and_mended(&h);
    else
        ck_assert_int_eq(yunta_lock_acquire(h.lock, 50), -ETIMEDOUT);
    ck_assert_int_eq(kill(watch, SIGCONT), 0);
    if (!is_said)
        lock_is_told_and_mended(&h);
    yunta_process_destroy(holder);
    end_innocent(pid);
}
END_TEST

/* There is no watch at that time; the next one finds the owner's pid in its slot, and somebody who has it. */
START_TEST(nor_for_the_next_watch)
{
    struct holding h;
    yunta_process *holder = start_holder(YUNTA_FORK, &h);
    pid_t pid = yunta_process_pid(holder), watch = watch_pid();
    let_the_clock_move_on();
    test_kill(watch);
    kill_and_reap(pid);
    ck_assert_int_eq(fork_as(pid), pid);
    lock_is_told_and_mended(&h);
    ck_assert_int_ne(watch_pid(), watch);
    yunta_process_destroy(holder);
    end_innocent(pid);
}
END_TEST

START_TEST(nobody_waits_for_it_or_kills_it)
{
    struct holding h;
    yunta_process *holder = start_holder(TEST_METHOD, &h);
    pid_t pid = yunta_process_pid(holder);
    kill_and_reap(pid);
    ck_assert_int_eq(fork_as(pid), pid);
    int status = yunta_process_join(holder, 20000);
    ck_assert_msg(status == YUNTA_ECRASHED || status == YUNTA_ELOST, "%s", yunta_error_name(status));
    ck_assert(!yunta_process_is_alive(holder));
    yunta_process_kill(holder);
    yunta_process_terminate(holder);
    yunta_process_signal(holder, SIGKILL);
    yunta_process_destroy(holder);
    lock_is_told_and_mended(&h);
    end_innocent(pid);
}
END_TEST

/* Asked before anybody has joined. */
START_TEST(nobody_kills_it_who_has_not_heard_of_the_death)
{
    struct holding h;
    yunta_process *holder = start_holder(TEST_METHOD, &h);
    pid_t pid = yunta_process_pid(holder);
    kill_and_reap(pid);
    ck_assert_int_eq(fork_as(pid), pid);
    yunta_process_kill(holder);
    yunta_process_terminate(holder);
    yunta_process_destroy(holder);
    lock_is_told_and_mended(&h);
    end_innocent(pid);
}
END_TEST

/* The program has reaped the watch, by waiting for every kind of child, and the next one with its pid is its own. */
START_TEST(nobody_reaps_it_for_the_watch)
{
    yunta_process *child;
    start_by(YUNTA_FORK, &child, return_value, &(int){3});
    end_is(child, 3);
    pid_t watch = watch_pid();
    int status;
    kill(watch, SIGKILL);
    ck_assert_int_eq(waitpid(watch, &status, (int)__WALL), watch);
    ck_assert_int_eq(fork_as(watch), watch);
    kill(watch, SIGKILL);
    test_wait_until(test_state(watch) == 'Z', 10000);
    start_by(YUNTA_FORK, &child, return_value, &(int){3});
    end_is(child, 3);
    ck_assert_int_eq(waitpid(watch, &status, 0), watch);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("pid reuse");
    TCase *cases = test_case(suite, "lock");
    TEST_FOR_EACH_METHOD(cases, an_innocent_process_is_not_the_owner);
    TEST_FOR_EACH_METHOD(cases, nor_for_a_watch_that_looks_late);
    tcase_add_test(cases, nor_for_the_next_watch);
    cases = test_case(suite, "process");
    TEST_FOR_EACH_METHOD(cases, nobody_waits_for_it_or_kills_it);
    TEST_FOR_EACH_METHOD(cases, nobody_kills_it_who_has_not_heard_of_the_death);
    tcase_add_test(cases, nobody_reaps_it_for_the_watch);
    return suite;
}

int main(int argc, char **argv)
{
    if (yunta_init(argc, argv) == 0 && !can_choose_pids()) {
        puts("skipped: this process may not choose the pids of others");
        return 77;
    }
    return test_main(argc, argv, make);
}
