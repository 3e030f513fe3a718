/* Deaths in the middle of a start: of the starter, of the child, of the forkserver; at random moments, hundreds of
 * times. It must not rely on a moment being hit, only on there being no bad one. Read next: test_watch.c,
 * test_lock_kill.c. */
#include "../proc/helpers.h"

#include <fcntl.h>
#include <poll.h>
#include <time.h>

enum { soon_ms = 1000 };

static uint32_t seed = 1;

static uint32_t random_below(uint32_t limit)
{
    seed = seed * 1664525 + 1013904223;
    return (uint32_t)(((uint64_t)seed * limit) >> 32);
}

/* The moment is chosen by counting, which is finer than any sleep. */
static void spend(uint32_t microseconds)
{
    struct timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - begin.tv_sec) * 1000000 + (now.tv_nsec - begin.tv_nsec) / 1000 < microseconds);
}

/* Starts one after the other, as fast as it can; whoever runs holds the pipe that is its stdout. */
static int start_without_end(const int *method)
{
    for (;;) {
        yunta_process *child;
        if (write(1, "s", 1) != 1 ||
            yunta_start(&child, sleep_for_ever, NULL,
                        &(yunta_process_options){.start_method = (yunta_start_method)*method}) != 0)
            return 1;
        yunta_process_kill(child);
        yunta_process_destroy(child);
    }
}
YUNTA_ENTRY(start_without_end, int);

/* Until nobody has the other end any more. */
static bool reaches_its_end(int pipe_end)
{
    char buffer[4096];
    uint64_t end = test_now_ms() + soon_ms;
    struct pollfd p = {.fd = pipe_end, .events = POLLIN};
    for (;;) {
        uint64_t now = test_now_ms();
        if (now >= end || poll(&p, 1, (int)(end - now)) == 0)
            return false;
        if (read(pipe_end, buffer, sizeof buffer) == 0)
            return true;
    }
}

static void await_bytes(int pipe_end, int count)
{
    char byte;
    while (count-- > 0)
        ck_assert_int_eq(read(pipe_end, &byte, 1), 1);
}

/* The starter is the first process of its team: nobody is left to clean up but the watch. */
START_TEST(pain_17_the_first_process_is_killed_while_it_starts)
{
    int rounds = test_is_valgrind() ? 5 : 150;
    for (int i = 0; i < rounds; i++) {
        int ends[2];
        ck_assert_int_eq(pipe(ends), 0);
        pid_t root = fork();
        if (root == 0) {
            dup2(ends[1], 1);
            close(ends[0]);
            close(ends[1]);
            _exit(start_without_end(&(int){(int)TEST_METHOD}));
        }
        close(ends[1]);
        await_bytes(ends[0], i % 3 == 0 ? 1 : 3);
        spend(random_below(1500));
        kill(root, SIGKILL);
        ck_assert_msg(reaches_its_end(ends[0]), "round %d", i);
        close(ends[0]);
        ck_assert_int_eq(waitpid(root, NULL, 0), root);
    }
}
END_TEST

/* The starter is one of the team, which goes on: its slots must come back. */
START_TEST(one_of_the_team_is_killed_while_it_starts)
{
    int rounds = test_is_valgrind() ? 5 : 150;
    yunta_arena_stats before, after;
    for (int i = 0; i < rounds; i++) {
        int ends[2];
        yunta_process *starter;
        ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
        start_with(TEST_METHOD, &starter, start_without_end, &(int){(int)TEST_METHOD},
                   .out = {YUNTA_DESCRIPTOR, ends[1]});
        close(ends[1]);
        await_bytes(ends[0], i % 3 == 0 ? 1 : 3);
        spend(random_below(1500));
        yunta_process_kill(starter);
        ck_assert_msg(reaches_its_end(ends[0]), "round %d", i);
        close(ends[0]);
        join_is(starter, YUNTA_ECRASHED);
        yunta_process_destroy(starter);
        if (i == 4)
            ck_assert_int_eq(yunta_arena_read_stats(&before), 0);
    }
    test_wait_until(yunta_arena_read_stats(&after) == 0 && after.processes <= before.processes + 2, 20000);
    ck_assert_uint_le(after.file, before.file + (4 << 20));
}
END_TEST

/* A hunter kills what a starter has started, wherever it is between its first instruction and its end, by looking at
 * /proc; the watch is left in peace (test_watch.c kills that). */
struct hunt {
    _Atomic pid_t starter;
    _Atomic pid_t spared[2];
    shared_word stop;
    _Atomic int kills;
};

/* The kernel lists them in one file, which is quicker than to look through all of /proc. */
static size_t list_children(pid_t parent, pid_t *children, size_t capacity)
{
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return test_children(parent, children, capacity);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    size_t count = 0;
    char *end = text;
    for (long pid; count < capacity && (pid = strtol(end, &end, 10)) > 0;)
        children[count++] = (pid_t)pid;
    return count;
}

static int hunt(struct hunt *const *argument)
{
    struct hunt *h = *argument;
    while (!atomic_load(&h->stop)) {
        pid_t found[8];
        size_t count = list_children(atomic_load(&h->starter), found, 8);
        for (size_t i = 0; i < count; i++)
            if (found[i] != getpid() && found[i] != h->spared[0] && found[i] != h->spared[1] &&
                kill(found[i], SIGKILL) == 0)
                atomic_fetch_add(&h->kills, 1);
    }
    return 0;
}
typedef struct hunt *hunt_pointer;
YUNTA_ENTRY(hunt, hunt_pointer);

/* The child of the watch is the forkserver, and its children are what it was asked for. */
static pid_t parent_of_starts(yunta_start_method method, pid_t watch)
{
    pid_t server = 0;
    if (method != YUNTA_FORKSERVER)
        return getpid();
    test_wait_until(test_children(watch, &server, 1) == 1, 20000);
    return server;
}

START_TEST(a_child_killed_at_any_moment_is_a_start_or_an_error)
{
    int rounds = test_is_valgrind() ? 10 : 300, killed = 0;
    struct hunt *h = yunta_shared(struct hunt, 1);
    yunta_process *hunter, *child;
    start_by(TEST_METHOD, &child, return_value, &(int){3});
    end_is(child, 3);
    pid_t watch = 0;
    test_wait_until(test_children(getpid(), &watch, 1) == 1, 20000);
    h->spared[0] = watch;
    h->starter = getpid(); /* nothing to be found there yet */
    start_by(YUNTA_FORK, &hunter, hunt, &h);
    h->spared[1] = yunta_process_pid(hunter);
    h->starter = parent_of_starts(TEST_METHOD, watch);
    for (int i = 0; i < rounds; i++) {
        int r = yunta_start(&child, return_value, &(int){3}, &(yunta_process_options){.start_method = TEST_METHOD});
        ck_assert_int_eq(r, 0);
        int status = yunta_process_join(child, 20000);
        ck_assert_msg(status == 3 || status == YUNTA_ECRASHED, "round %d: %s", i, yunta_error_name(status));
        killed += status == YUNTA_ECRASHED;
        yunta_process_destroy(child);
    }
    atomic_store(&h->stop, 1);
    end_is(hunter, 0);
    ck_assert_int_gt(killed, 0);
    yunta_arena_stats stats;
    test_wait_until(yunta_arena_read_stats(&stats) == 0 && stats.processes <= 2, 20000);
    yunta_shared_free(h);
}
END_TEST

START_TEST(a_killed_forkserver_is_replaced)
{
    int rounds = test_is_valgrind() ? 3 : 60;
    yunta_process *child, *old;
    start_by(YUNTA_FORKSERVER, &old, sleep_for_ever, NULL);
    pid_t watch = 0, server = 0;
    test_wait_until(test_children(getpid(), &watch, 1) == 1, 20000);
    for (int i = 0; i < rounds; i++) {
        start_by(YUNTA_FORKSERVER, &child, return_value, &(int){1}); /* so that there is one */
        end_is(child, 1);
        test_wait_until(test_children(watch, &server, 1) == 1, 20000);
        if (i % 2 == 0) {
            kill(server, SIGKILL); /* before the next start, or in its middle */
        } else if (fork() == 0) {
            spend(random_below(3000));
            kill(server, SIGKILL);
            _exit(0);
        }
        int r = yunta_start(&child, return_value, &i, &(yunta_process_options){.start_method = YUNTA_FORKSERVER});
        ck_assert_msg(r == 0, "round %d: %s", i, yunta_error_name(r));
        end_is(child, i);
        if (i % 2 == 1)
            wait(NULL);
    }
    ck_assert(yunta_process_is_alive(old)); /* its server's death was not its own */
    yunta_process_kill(old);
    int status = yunta_process_join(old, 20000);
    ck_assert_msg(status == YUNTA_ECRASHED || status == YUNTA_ELOST, "%s", yunta_error_name(status));
    yunta_process_destroy(old);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("start_kill");
    TCase *cases = test_case(suite, "starts");
    TEST_FOR_EACH_METHOD(cases, pain_17_the_first_process_is_killed_while_it_starts);
    TEST_FOR_EACH_METHOD(cases, one_of_the_team_is_killed_while_it_starts);
    TEST_FOR_EACH_METHOD(cases, a_child_killed_at_any_moment_is_a_start_or_an_error);
    tcase_add_test(cases, a_killed_forkserver_is_replaced);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
