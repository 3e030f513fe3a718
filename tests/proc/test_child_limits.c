/* Limits of resources: given to a child, or reached by a start, which says so and leaves nothing behind.
 * Valgrind keeps limits of descriptors of its own, and gives up where an exec fails: it must not be asked to run this.
 * Read next: test_child.c. */
#include "failed_starts.h"

#include "shm/self.h"

#include <sys/prctl.h>
#include <sys/resource.h>

static int has_limits(const rlim_t *files)
{
    struct rlimit limit;
    expect(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == *files);
    expect(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0 && limit.rlim_max == 0);
    return 0;
}
YUNTA_ENTRY(has_limits, rlim_t);

START_TEST(limits_are_set_and_otherwise_the_callers)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_cur > 999 ? 999 : limit.rlim_cur;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    yunta_process *child;
    const yunta_resource_limit core[] = {{RLIMIT_CORE, 0, 0}}, both[] = {{RLIMIT_CORE, 0, 0}, {RLIMIT_NOFILE, 77, 99}};
    start_with(TEST_METHOD, &child, has_limits, &limit.rlim_cur, .limits = core, .limit_count = 1);
    end_is(child, 0);
    start_with(TEST_METHOD, &child, has_limits, &(rlim_t){77}, .limits = both, .limit_count = 2);
    end_is(child, 0);
}
END_TEST

START_TEST(an_environment_too_large_for_exec_comes_back)
{
    if (TEST_METHOD == YUNTA_FORK)
        return; /* no exec, no limit */
    enum { size = 4 << 20 };
    char *large = malloc(size);
    memset(large, 'x', size - 1);
    large[size - 1] = '\0';
    large[1] = '=';
    const char *const list[] = {large, NULL};
    yunta_process *child;
    yunta_process_options options = {.start_method = TEST_METHOD, .environment = list};
    if (TEST_METHOD == YUNTA_SPAWN) {
        fails_with(-E2BIG, options);
    } else { /* carried through memory */
        ck_assert_int_eq(yunta_start(&child, return_value, &(int){0}, &options), 0);
        end_is(child, 0);
    }
    free(large);
}
END_TEST

static uint64_t own_blocks(void)
{
    yunta_heap_stats stats;
    ck_assert_int_eq(yunta_heap_read_stats(&stats), 0);
    return stats.own_blocks;
}

/* The environment goes through shared memory once for the child, and once more for the server's exec. */
START_TEST(a_server_for_which_there_is_no_memory_leaves_nothing)
{
    enum { limit = 16 << 20, size = limit / 5 * 3 };
    char *large = malloc(size);
    memset(large, 'x', size - 1);
    large[size - 1] = '\0';
    ck_assert_int_eq(yunta_set_arena_limit(limit), 0);
    ck_assert_int_eq(setenv("LARGE", large, 1), 0);
    yunta_process_options options = {.start_method = YUNTA_FORKSERVER};
    fails_with(-ENOMEM, options);
    uint64_t before = own_blocks();
    for (int i = 0; i < 3; i++)
        fails_with(-ENOMEM, options);
    ck_assert_uint_eq(own_blocks(), before);
    unsetenv("LARGE");
    free(large);
    yunta_process *child;
    start_by(YUNTA_FORKSERVER, &child, return_value, &(int){1});
    end_is(child, 1);
}
END_TEST

static void limit_descriptors(rlim_t most)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = most;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

START_TEST(pain_38_without_a_descriptor_left_a_start_says_so)
{
    enum { most = 40 };
    yunta_process *child;
    start_by(TEST_METHOD, &child, return_value, &(int){1});
    end_is(child, 1);
    limit_descriptors(most);
    int taken[most], count = 0;
    while ((taken[count] = dup(0)) >= 0)
        count++;
    ck_assert_int_eq(errno, EMFILE);
    for (int i = 0; i < 10; i++) {
        yunta_process_options options = {.start_method = TEST_METHOD};
        int r = yunta_start(&child, return_value, &(int){1}, &options);
        if (r == 0) { /* the forkserver has descriptors of its own */
            ck_assert_int_eq(TEST_METHOD, YUNTA_FORKSERVER);
            end_is(child, 1);
        } else {
            ck_assert_int_eq(r, -EMFILE);
        }
    }
    while (count > 0)
        close(taken[--count]);
    pid_t children[8]; /* the watch alone: no second one was made */
    test_wait_until(test_children(getpid(), children, 8) == 1, 20000);
    start_by(TEST_METHOD, &child, return_value, &(int){1});
    end_is(child, 1);
}
END_TEST

static pid_t fork_guest(yn_arena_shared *arena)
{
    uint32_t before = atomic_load(&arena->slots.alive);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(yn_self_get(&(int){0}) ? sleep_for_ever() : 1);
    }
    test_wait_until(atomic_load(&arena->slots.alive) > before, 20000);
    return pid;
}

/* As many members as the watch has descriptors for, all but one of them guests, which need none of ours. The one is
 * dead, and the watch has not let go of it yet: it is stopped until the next start sleeps. */
START_TEST(who_is_dead_makes_room_for_the_next)
{
    enum { most = 40, capacity = most - 16 };
    pid_t guest[capacity], self = getpid();
    yunta_process *child;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){most, most}), 0);
    start_by(YUNTA_FORK, &child, sleep_for_ever, NULL);
    yn_arena_shared *arena = yn_self_get(&(int){0})->arena;
    ck_assert_uint_eq(atomic_load(&arena->watch_capacity), capacity);
    int guests = 0;
    while (atomic_load(&arena->slots.alive) < capacity)
        guest[guests++] = fork_guest(arena);
    yunta_process *none;
    ck_assert_int_eq(yunta_start(&none, return_value, &(int){1}, NULL), -EMFILE);
    pid_t watch = atomic_load(&arena->watch_pid);
    kill(watch, SIGSTOP);
    test_wait_until(test_state(watch) == 'T', 20000);
    yunta_process_destroy(child);
    pid_t helper = fork();
    if (helper == 0) {
        while (test_state(self) != 'S')
            test_nap();
        _exit(kill(watch, SIGCONT));
    }
    start_by(YUNTA_FORK, &child, return_value, &(int){1});
    end_is(child, 1);
    ck_assert_int_eq(waitpid(helper, NULL, 0), helper);
    while (guests-- > 0) {
        kill(guest[guests], SIGKILL);
        ck_assert_int_eq(waitpid(guest[guests], NULL, 0), guest[guests]);
    }
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("child limits");
    TCase *cases = test_case(suite, "limits");
    TEST_FOR_EACH_METHOD(cases, limits_are_set_and_otherwise_the_callers);
    TEST_FOR_EACH_METHOD(cases, an_environment_too_large_for_exec_comes_back);
    tcase_add_test(cases, a_server_for_which_there_is_no_memory_leaves_nothing);
    TEST_FOR_EACH_METHOD(cases, pain_38_without_a_descriptor_left_a_start_says_so);
    tcase_add_test(cases, who_is_dead_makes_room_for_the_next);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
