/* What a pool is made with: hooks, the options of its workers' processes; start hooks that fail; and Ctrl-C.
 * It must not test the options of processes themselves: that is ../proc.
 * Read next: test_pool.c. */
#include "audit.h"
#include "helpers.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/wait.h>

typedef struct hooked {
    _Atomic int begun, ended, in_hook;
} hooked;

static _Atomic int has_begun; /* of this process */

static void on_start(void *argument)
{
    hooked *h = argument;
    atomic_fetch_add(&h->begun, 1);
    atomic_fetch_add(&has_begun, 1);
}

static void on_exit_of_worker(void *argument)
{
    hooked *h = argument;
    atomic_fetch_add(&h->ended, 1);
}

static int ask_begun(const int *x, int *y)
{
    (void)x;
    *y = atomic_load(&has_begun);
    return 0;
}
YUNTA_TASK(ask_begun, int, int);

START_TEST(hooks_run_first_and_last_in_each_worker)
{
    hooked *h = yunta_shared(hooked, 1);
    yunta_pool *pool = new_pool(3, .worker_start = on_start, .worker_exit = on_exit_of_worker, .hook_argument = h);
    int in[50] = {0}, out[50];
    ck_assert_int_eq(yunta_map(pool, ask_begun, in, out, 50), 0);
    for (int i = 0; i < 50; i++)
        ck_assert(TEST_METHOD == YUNTA_THREAD ? out[i] >= 1 && out[i] <= 3 : out[i] == 1);
    test_wait_until(atomic_load(&h->begun) == 3, 20000);
    ck_assert_int_eq(atomic_load(&h->ended), 0);
    yunta_pool_close(pool);
    ck_assert_int_eq(yunta_pool_join(pool, 20000), 0);
    ck_assert_int_eq(atomic_load(&h->ended), 3);
    yunta_pool_destroy(pool);
    yunta_shared_free(h);
}
END_TEST

START_TEST(a_replacement_runs_its_start_hook_and_the_dead_no_exit_hook)
{
    hooked *h = yunta_shared(hooked, 1);
    yunta_pool *pool = new_pool(1, .worker_start = on_start, .worker_exit = on_exit_of_worker, .hook_argument = h);
    act in[2] = {{KILL, 0}, {WELL, 5}};
    int out[2];
    ck_assert_int_eq(yunta_map(pool, behave, in, out, 2), YUNTA_ECRASHED);
    ck_assert_int_eq(out[1], 6);
    yunta_pool_close(pool);
    ck_assert_int_eq(yunta_pool_join(pool, 20000), 0);
    ck_assert_int_eq(atomic_load(&h->begun), 2);
    ck_assert_int_eq(atomic_load(&h->ended), 1);
    yunta_pool_destroy(pool);
    yunta_shared_free(h);
}
END_TEST

static void fail_to_start(void *argument)
{
    atomic_fetch_add((_Atomic int *)argument, 1);
    exit(1);
}

static void crash_at_start(void *argument)
{
    atomic_fetch_add((_Atomic int *)argument, 1);
    raise(SIGKILL);
}

START_TEST(a_start_hook_that_fails_is_no_endless_respawning)
{
    for (int crash = 0; crash < 2; crash++) {
        shared_word *starts = new_word();
        yunta_pool *pool = NULL;
        yunta_pool_options o = {.start_method = TEST_METHOD,
                                .workers = 2,
                                .hook_argument = starts,
                                .worker_start = crash ? crash_at_start : fail_to_start};
        int in = 3, out, r = yunta_pool_create(&pool, &o);
        ck_assert(r == 0 || r == YUNTA_ESTART);
        if (r == 0) { /* they fail later than create could see */
            yunta_future *future = NULL;
            ck_assert_int_eq(yunta_map(pool, square, &in, &out, 1), YUNTA_ESTART);
            ck_assert_int_eq(yunta_submit(pool, square, &in, &future), YUNTA_ESTART);
            ck_assert_int_eq(yunta_pool_join(pool, 20000), 0);
            yunta_pool_destroy(pool);
        }
        ck_assert_int_le(atomic_load(starts), 20);
        yunta_shared_free(starts);
    }
}
END_TEST

START_TEST(what_waits_learns_that_no_worker_comes)
{
    shared_word *starts = new_word();
    yunta_pool *pool = NULL;
    yunta_pool_options o = {
        .start_method = TEST_METHOD, .workers = 1, .hook_argument = starts, .worker_start = fail_to_start};
    int in = 3, r = yunta_pool_create(&pool, &o);
    yunta_future *future = NULL;
    if (r == 0 && yunta_submit(pool, square, &in, &future) == 0) {
        ck_assert_int_eq(yunta_await(future, NULL, 20000), YUNTA_ESTART);
        yunta_future_destroy(future);
    }
    yunta_pool_destroy(pool);
    yunta_shared_free(starts);
}
END_TEST

typedef struct place {
    char directory[PATH_MAX], variable[64];
} place;

static int tell_place(const int *x, place *p)
{
    (void)x;
    const char *variable = getenv("YUNTA_TEST_COLOUR");
    snprintf(p->variable, sizeof p->variable, "%s", variable ? variable : "none");
    printf("from a worker\n");
    fflush(stdout);
    return getcwd(p->directory, sizeof p->directory) ? 0 : -errno;
}
YUNTA_TASK(tell_place, int, place);

START_TEST(process_options_reach_the_workers)
{
    static const char *const environment[] = {"YUNTA_TEST_COLOUR=brown", NULL};
    int ends[2], in[2] = {0};
    place out[2];
    ck_assert_int_eq(pipe(ends), 0);
    yunta_process_options process = {.directory = "/",
                                     .environment = environment,
                                     .start_method = (yunta_start_method)2,
                                     .out = {YUNTA_DESCRIPTOR, ends[1]}};
    yunta_pool *pool = new_pool(2, .process = &process);
    close(ends[1]);
    ck_assert_int_eq(yunta_map(pool, tell_place, in, out, 2), 0);
    act crash = {KILL, 0}; /* a replacement has them too */
    int ignored;
    ck_assert_int_eq(yunta_map(pool, behave, &crash, &ignored, 1), YUNTA_ECRASHED);
    ck_assert_int_eq(yunta_map(pool, tell_place, in, out, 2), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_str_eq(out[i].directory, "/");
        ck_assert_str_eq(out[i].variable, "brown");
    }
    yunta_pool_destroy(pool);
    char text[256] = "";
    size_t size = 0;
    for (ssize_t n; (n = read(ends[0], text + size, sizeof text - 1 - size)) > 0;)
        size += (size_t)n;
    ck_assert_str_eq(text, "from a worker\nfrom a worker\nfrom a worker\nfrom a worker\n");
    close(ends[0]);
}
END_TEST

/* A program of its own, with its own group and stderr: maps until it is interrupted. */
static void interrupted_program(yunta_start_method method, int out, shared_word *begun)
{
    yunta_pool *pool;
    spinner in[4] = {{begun}, {begun}, {begun}, {begun}};
    int result[4];
    setpgid(0, 0);
    dup2(out, 1);
    dup2(out, 2);
    signal(SIGINT, SIG_DFL);
    if (yunta_pool_create(&pool, &(yunta_pool_options){.start_method = method, .workers = 2}) == 0)
        yunta_map(pool, spin_for_ever, in, result, 4);
    _exit(3);
}

static void count_living(pid_t pid, void *context)
{
    struct test_stat stat, *wanted = context;
    if (test_read_stat(pid, &stat) && stat.group == wanted->group && stat.state != 'Z')
        wanted->parent++;
}

static bool has_living(pid_t group)
{
    struct test_stat wanted = {.group = group};
    test_each_process(count_living, &wanted);
    return wanted.parent > 0;
}

START_TEST(pain_19_ctrl_c_is_one_line_and_a_clean_end)
{
    int ends[2], status;
    shared_word *begun = new_word();
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0)
        interrupted_program(TEST_METHOD, ends[1], begun);
    close(ends[1]);
    test_wait_until(atomic_load(begun) == 2, 20000);
    ck_assert_int_eq(kill(-pid, SIGINT), 0);
    uint64_t before = test_now_ms();
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    /* Nobody has the pipe's other end any more: all are gone. And they have said one line at most. */
    char text[1024];
    size_t size = 0, lines = 0;
    for (ssize_t n; (n = read(ends[0], text + size, sizeof text - size)) > 0;)
        size += (size_t)n;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    ck_assert_uint_le(lines, 1);
    ck_assert_uint_lt(test_now_ms() - before, 1000);
    test_wait_until(!has_living(pid), 1000);
    close(ends[0]);
    yunta_shared_free(begun);
}
END_TEST

static _Atomic int interrupts;

static void on_interrupt(int signal)
{
    (void)signal;
    atomic_fetch_add(&interrupts, 1);
}

static void handling_program(yunta_start_method method, shared_word *begun, shared_word *open)
{
    yunta_pool *pool;
    gate in[2] = {{begun, open}, {begun, open}};
    int out[2];
    setpgid(0, 0);
    signal(SIGINT, on_interrupt);
    if (yunta_pool_create(&pool, &(yunta_pool_options){.start_method = method, .workers = 2}) != 0)
        _exit(1);
    int r = yunta_map(pool, pass_gate, in, out, 2);
    yunta_pool_destroy(pool);
    _exit(r == 0 && atomic_load(&interrupts) == 1 ? 0 : 2);
}

START_TEST(pain_19_a_program_that_handles_ctrl_c_keeps_its_pool)
{
    int status;
    shared_word *begun = new_word(), *open = new_word();
    pid_t pid = fork();
    if (pid == 0)
        handling_program(TEST_METHOD, begun, open);
    test_wait_until(atomic_load(begun) == 2, 20000);
    ck_assert_int_eq(kill(-pid, SIGINT), 0);
    atomic_store(open, 1);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    yunta_shared_free(begun);
    yunta_shared_free(open);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("pool options");
    TCase *cases = test_case(suite, "hooks");
    FOR_EACH_BACK_END(cases, hooks_run_first_and_last_in_each_worker);
    TEST_FOR_EACH_METHOD(cases, a_replacement_runs_its_start_hook_and_the_dead_no_exit_hook);
    TEST_FOR_EACH_METHOD(cases, a_start_hook_that_fails_is_no_endless_respawning);
    TEST_FOR_EACH_METHOD(cases, what_waits_learns_that_no_worker_comes);
    cases = test_case(suite, "process");
    TEST_FOR_EACH_METHOD(cases, process_options_reach_the_workers);
    cases = test_case(suite, "interrupt");
    TEST_FOR_EACH_METHOD(cases, pain_19_ctrl_c_is_one_line_and_a_clean_end);
    TEST_FOR_EACH_METHOD(cases, pain_19_a_program_that_handles_ctrl_c_keeps_its_pool);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
