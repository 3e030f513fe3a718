/* The team and those who are in it without having been started by it: forked by the program, daemonised, with other
 * privileges, from other threads.
 * It must not leave a guest behind.
 * Read next: ../crash/test_watch.c for a team that loses its watch.
 *
 * labels: valgrind */
#include "helpers.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>

enum { nobody = 65534 };

/* What a forked part of a test finds wrong is its exit status: the number of the line. */
#define must(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            _exit(__LINE__ % 254 + 1);                                                                                 \
    } while (0)

static void ended_well(pid_t pid)
{
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x (line %d)", status,
                  WEXITSTATUS(status) - 1);
}

static bool runs_one(yunta_start_method method)
{
    yunta_process *child;
    if (yunta_start(&child, return_value, &(int){11}, &(yunta_process_options){.start_method = method}) != 0)
        return false;
    int status = yunta_process_join(child, 20000);
    yunta_process_destroy(child);
    return status == 11;
}

START_TEST(a_forked_process_is_a_guest_with_children_of_its_own)
{
    yunta_process *ours, *me = yunta_process_current();
    start_by(TEST_METHOD, &ours, sleep_for_ever, NULL);
    int *number = yunta_shared(int, 1);
    pid_t guest = fork();
    if (guest == 0) {
        must(yunta_process_current() != me);
        must(yunta_process_pid(yunta_process_current()) == getpid());
        must(yunta_process_parent() == NULL);
        must(yunta_process_children(NULL, 0) == 0);
        must(yunta_process_is_alive(ours) && yunta_process_is_alive(me));
        must(runs_one(TEST_METHOD));
        *number = 5;
        exit(0);
    }
    ended_well(guest);
    ck_assert_int_eq(*number, 5);
    ck_assert_int_eq(yunta_process_children(NULL, 0), 1);
    ck_assert(yunta_process_is_alive(ours));
    yunta_process_destroy(ours);
    yunta_shared_free(number);
}
END_TEST

/* No process was ever started by the library, and yet a death must be noticed. */
START_TEST(pain_06_a_killed_guest_leaves_its_lock_to_the_next)
{
    yunta_lock *lock;
    shared_word *word = new_word();
    ck_assert_int_eq(yunta_lock_create(&lock), 0);
    pid_t guest = fork();
    if (guest == 0) {
        must(yunta_lock_acquire(lock, 1000) == 0);
        atomic_store(word, 1);
        _exit(sleep_for_ever());
    }
    ck_assert(await_word(word, 1));
    ck_assert_int_eq(yunta_lock_acquire(lock, 10), -ETIMEDOUT);
    kill(guest, SIGKILL);
    ck_assert_int_eq(yunta_lock_acquire(lock, 20000), -EOWNERDEAD);
    ck_assert_int_eq(yunta_lock_mark_consistent(lock), 0);
    ck_assert_int_eq(yunta_lock_release(lock), 0);
    waitpid(guest, NULL, 0);
    yunta_lock_destroy(lock);
    yunta_shared_free(word);
}
END_TEST

/* Outside the arena, so that the test itself is not of the team. */
struct scene {
    shared_word go;
    _Atomic pid_t child, guest;
    shared_word status; /* of the guest, + 1000 */
};

static struct scene *new_scene(void)
{
    struct scene *scene = mmap(NULL, sizeof *scene, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(scene, MAP_FAILED);
    return scene;
}

static void guest_ended_well(struct scene *scene)
{
    test_wait_until(atomic_load(&scene->status) != 0, 20000);
    ck_assert_msg(atomic_load(&scene->status) == 1000, "line %d", atomic_load(&scene->status) - 1001);
    test_wait_until(!test_is_running(atomic_load(&scene->guest)), 10000);
}

static int outlive(struct scene *scene, yunta_start_method method, yunta_process *child)
{
    expect(yunta_process_current() != NULL);
    expect(await_word(&scene->go, 1)); /* the first process is dead, and its child with it */
    expect(yunta_process_join(child, 20000) == YUNTA_ECRASHED || yunta_process_join(child, 0) == YUNTA_ELOST);
    expect(runs_one(method));
    yunta_lock *lock;
    expect(yunta_lock_create(&lock) == 0 && yunta_lock_acquire(lock, 0) == 0);
    expect(runs_one(method));
    return 0;
}

START_TEST(a_guest_outlives_the_first_process_and_carries_on)
{
    struct scene *scene = new_scene();
    pid_t first = fork();
    if (first == 0) {
        yunta_process *child;
        must(runs_one(TEST_METHOD));
        must(yunta_start(&child, sleep_for_ever, NULL, &(yunta_process_options){.start_method = TEST_METHOD}) == 0);
        pid_t guest = fork();
        if (guest == 0) {
            atomic_store(&scene->status, 1000 + outlive(scene, TEST_METHOD, child));
            exit(0);
        }
        atomic_store(&scene->guest, guest);
        atomic_store(&scene->child, yunta_process_pid(child));
        _exit(sleep_for_ever());
    }
    test_wait_until(atomic_load(&scene->child) != 0, 20000);
    test_kill(first);
    ck_assert_int_eq(waitpid(first, NULL, 0), first);
    test_wait_until(!test_is_running(atomic_load(&scene->child)), 1000);
    atomic_store(&scene->go, 1);
    guest_ended_well(scene);
    munmap(scene, sizeof *scene);
}
END_TEST

static int be_a_daemon(struct scene *scene, yunta_start_method method)
{
    yunta_process *child;
    for (int i = 0; i < 3; i++)
        expect(runs_one(method));
    expect(yunta_start(&child, sleep_for_ever, NULL,
                       &(yunta_process_options){.start_method = method, .daemon = true}) == 0);
    atomic_store(&scene->child, yunta_process_pid(child));
    return 0;
}

START_TEST(a_program_may_call_daemon)
{
    struct scene *scene = new_scene();
    pid_t program = fork();
    if (program == 0) {
        must(runs_one(TEST_METHOD));
        must(daemon(1, 1) == 0);
        atomic_store(&scene->guest, getpid());
        atomic_store(&scene->status, 1000 + be_a_daemon(scene, TEST_METHOD));
        exit(0); /* terminates its child */
    }
    ended_well(program);
    guest_ended_well(scene);
    test_wait_until(!test_is_running(atomic_load(&scene->child)), 1000);
    munmap(scene, sizeof *scene);
}
END_TEST

static int holds_and_waits(yunta_lock *const *lock)
{
    expect(getuid() == nobody && geteuid() == nobody && getgid() == nobody && getegid() == nobody);
    expect(yunta_lock_acquire(*lock, 1000) == 0);
    return sleep_for_ever();
}
typedef yunta_lock *lock_pointer;
YUNTA_ENTRY(holds_and_waits, lock_pointer);

START_TEST(a_program_may_drop_its_privileges)
{
    if (geteuid() != 0)
        return;
    yunta_process *before, *after;
    yunta_lock *lock;
    ck_assert(runs_one(TEST_METHOD));
    start_by(TEST_METHOD, &before, sleep_for_ever, NULL);
    ck_assert_int_eq(yunta_lock_create(&lock), 0);
    ck_assert_int_eq(setgid(nobody), 0);
    ck_assert_int_eq(setuid(nobody), 0);
    prctl(PR_SET_DUMPABLE, 1); /* what /proc tells of itself is nobody's again */
    ck_assert(runs_one(TEST_METHOD));
    start_by(TEST_METHOD, &after, holds_and_waits, &lock);
    test_wait_until(yunta_lock_is_held(lock) || !yunta_process_is_alive(after), 20000);
    ck_assert_int_eq(yunta_process_status(after), -EAGAIN);
    ck_assert_int_eq(yunta_process_kill(after), 0);
    ck_assert_int_eq(yunta_lock_acquire(lock, 20000), -EOWNERDEAD);
    join_is(after, YUNTA_ECRASHED);
    yunta_process_destroy(after);
    yunta_lock_destroy(lock);
    /* What runs as root is not ours to kill any more; it goes with us. */
    ck_assert_int_eq(yunta_process_kill(before), -EPERM);
    ck_assert_int_eq(yunta_process_join(before, 0), -ETIMEDOUT);
    pid_t pid = yunta_process_pid(before);
    ck_assert(test_is_running(pid));
    _exit(0);
}
END_TEST

enum { threads = 8 };

static int starts(void)
{
    return test_rounds(50);
}

static void *start_many(void *method)
{
    intptr_t good = 0;
    for (int i = 0; i < starts(); i++)
        good += runs_one((yunta_start_method)(intptr_t)method);
    return (void *)good;
}

START_TEST(eight_threads_start_at_once)
{
    pthread_t thread[threads];
    for (int i = 0; i < threads; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, start_many, (void *)(intptr_t)TEST_METHOD), 0);
    for (int i = 0; i < threads; i++) {
        void *good;
        pthread_join(thread[i], &good);
        ck_assert_int_eq((intptr_t)good, starts());
    }
}
END_TEST

static int threads_in_a_child(const int *method)
{
    pthread_t thread[4];
    for (int i = 0; i < 4; i++)
        expect(pthread_create(&thread[i], NULL, start_many, (void *)(intptr_t)*method) == 0);
    for (int i = 0; i < 4; i++) {
        void *good;
        pthread_join(thread[i], &good);
        expect((intptr_t)good == starts());
    }
    return 0;
}
YUNTA_ENTRY(threads_in_a_child, int);

START_TEST(threads_of_a_child_start_too)
{
    yunta_process *child;
    start_by(TEST_METHOD, &child, threads_in_a_child, &(int){(int)TEST_METHOD});
    end_is(child, 0);
}
END_TEST

struct task {
    yunta_start_method method;
    yunta_process *process;
};

static void *start_a_sleeper(void *argument)
{
    struct task *task = argument;
    int r = yunta_start(&task->process, sleep_for_ever, NULL, &(yunta_process_options){.start_method = task->method});
    return (void *)(intptr_t)r;
}

START_TEST(pain_18_the_thread_that_started_a_process_may_end_before_it)
{
    struct task task = {.method = TEST_METHOD};
    pthread_t thread;
    void *r;
    ck_assert_int_eq(pthread_create(&thread, NULL, start_a_sleeper, &task), 0);
    pthread_join(thread, &r);
    ck_assert_int_eq((intptr_t)r, 0);
    for (int i = 0; i < 100; i++) {
        ck_assert(yunta_process_is_alive(task.process));
        test_nap();
    }
    ck_assert_int_eq(yunta_process_terminate(task.process), 0);
    join_is(task.process, YUNTA_ECRASHED);
    yunta_process_destroy(task.process);
}
END_TEST

/* The watch and the forkserver are nobody's children as far as the program can see, and nothing else comes with them.
 */
START_TEST(a_start_brings_the_watch_and_the_server_and_no_thread)
{
    pid_t found[8], below[8];
    ck_assert(runs_one(TEST_METHOD));
    test_wait_until(test_children(getpid(), found, 8) == 1, 20000);
    ck_assert_uint_eq(test_children(found[0], below, 8), TEST_METHOD == YUNTA_FORKSERVER);
    ck_assert_int_eq(access("/proc/self/task", F_OK), 0);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d", (int)getpid());
    ck_assert_int_eq(access(path, F_OK), 0);
    FILE *status = fopen("/proc/self/status", "re");
    char line[256];
    int count = 0;
    while (fgets(line, sizeof line, status))
        sscanf(line, "Threads: %d", &count);
    fclose(status);
    ck_assert_int_eq(count, 1);
    ck_assert_int_lt(waitpid(-1, NULL, WNOHANG), 0);
    test_wait_until(getpgid(found[0]) != getpgrp(), 20000); /* it leaves by itself */
}
END_TEST

START_TEST(thousands_of_starts_leave_nothing)
{
    unsigned rounds = (unsigned)test_rounds(1000);
    for (int i = 0; i < 5; i++)
        ck_assert(runs_one(TEST_METHOD));
    size_t descriptors = test_descriptor_count();
    yunta_arena_stats before, after;
    ck_assert_int_eq(yunta_arena_read_stats(&before), 0);
    for (unsigned i = 0; i < rounds; i++)
        ck_assert(runs_one(TEST_METHOD));
    ck_assert_uint_eq(test_descriptor_count(), descriptors);
    test_wait_until(yunta_arena_read_stats(&after) == 0 && after.processes <= before.processes, 20000);
    ck_assert_uint_le(after.blocks, before.blocks + 64); /* cached ones move about */
    ck_assert_uint_le(after.file, before.file + (1 << 20));
    ck_assert_uint_ge(after.deaths - before.deaths + 64, rounds);
    ck_assert_uint_le(after.deaths - before.deaths, rounds + 64);
    pid_t found[8];
    ck_assert_uint_eq(test_children(getpid(), found, 8), 1); /* no zombie: the watch alone */
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("team");
    TCase *cases = test_case(suite, "guests");
    TEST_FOR_EACH_METHOD(cases, a_forked_process_is_a_guest_with_children_of_its_own);
    tcase_add_test(cases, pain_06_a_killed_guest_leaves_its_lock_to_the_next);
    TEST_FOR_EACH_METHOD(cases, a_guest_outlives_the_first_process_and_carries_on);
    TEST_FOR_EACH_METHOD(cases, a_program_may_call_daemon);
    TEST_FOR_EACH_METHOD(cases, a_program_may_drop_its_privileges);
    cases = test_case(suite, "threads");
    TEST_FOR_EACH_METHOD(cases, eight_threads_start_at_once);
    TEST_FOR_EACH_METHOD(cases, threads_of_a_child_start_too);
    TEST_FOR_EACH_METHOD(cases, pain_18_the_thread_that_started_a_process_may_end_before_it);
    cases = test_case(suite, "traces");
    TEST_FOR_EACH_METHOD(cases, a_start_brings_the_watch_and_the_server_and_no_thread);
    TEST_FOR_EACH_METHOD(cases, thousands_of_starts_leave_nothing);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
