/* No orphans: whoever dies, and of whatever, takes along what it started, directly or not, within a second.
 * It must not be of the team itself: the trees grow from processes that the test forks.
 * Read next: test_start_kill.c for deaths in the middle of a start. */
#include "../proc/helpers.h"

#include <poll.h>
#include <pthread.h>

/* A tree of processes: each says its pid and its depth on stdout, a pipe, starts `width` others, and sleeps. */
struct tree {
    int depth, width;
    yunta_start_method method;
    bool from_thread; /* that ends then */
};

struct leaf {
    pid_t pid;
    int depth;
};

static int grow(const struct tree *tree);
YUNTA_ENTRY(grow, struct tree);

static void *start_branches(void *argument)
{
    const struct tree *tree = argument;
    struct tree branch = *tree;
    branch.depth++;
    for (int i = 0; i < tree->width; i++) {
        yunta_process *child;
        if (yunta_start(&child, grow, &branch, &(yunta_process_options){.start_method = tree->method}) != 0)
            abort();
    }
    return NULL;
}

static int grow(const struct tree *tree)
{
    struct leaf leaf = {getpid(), tree->depth};
    struct tree copy = *tree;
    pthread_t thread;
    expect(write(1, &leaf, sizeof leaf) == (ssize_t)sizeof leaf);
    if (tree->depth < 3 && tree->from_thread) {
        expect(pthread_create(&thread, NULL, start_branches, &copy) == 0);
        pthread_join(thread, NULL);
    } else if (tree->depth < 3) {
        start_branches(&copy);
    }
    return sleep_for_ever();
}

#if defined(__SANITIZE_ADDRESS__) /* which makes every process large, and slow to die */
enum { most = 32, soon_ms = 10000 };
#else
enum { most = 32, soon_ms = 1000 };
#endif

/* Plants one whose root is a process that was only forked; its pid comes first. */
static int plant(struct tree tree, struct leaf leaves[most])
{
    int ends[2], count = 0, wanted = 0;
    ck_assert_int_eq(pipe(ends), 0);
    fflush(stdout);
    pid_t root = fork();
    if (root == 0) {
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        _exit(grow(&tree));
    }
    close(ends[1]);
    for (int depth = 0, n = 1; depth <= 3; depth++, n *= tree.width)
        wanted += n;
    struct pollfd p = {.fd = ends[0], .events = POLLIN};
    while (count < wanted && poll(&p, 1, 20000) == 1 && read(ends[0], &leaves[count], sizeof *leaves) == sizeof *leaves)
        count++;
    close(ends[0]);
    ck_assert_int_eq(count, wanted);
    ck_assert_int_eq(leaves[0].pid, root);
    return count;
}

static bool is_anybody_left(const struct leaf *leaves, int count)
{
    for (int i = 0; i < count; i++)
        if (test_is_running(leaves[i].pid))
            return true;
    return false;
}

static void reap(pid_t pid)
{
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

START_TEST(pain_17_orphans_after_the_parent_is_killed)
{
    struct leaf leaves[most];
    static const int signals[] = {SIGKILL, SIGSEGV, SIGTERM};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        int count = plant((struct tree){0, 2, TEST_METHOD, false}, leaves);
        signal(SIGTERM, SIG_DFL);
        kill(leaves[0].pid, signals[i]);
        test_wait_until(!is_anybody_left(leaves, count), soon_ms);
        reap(leaves[0].pid);
    }
}
END_TEST

/* Whose threads have ended is not orphaned by that: it runs on, and is still found when its process dies. */
START_TEST(pain_18_children_of_ended_threads_live_on_and_are_found)
{
    struct leaf leaves[most];
    int count = plant((struct tree){0, 2, TEST_METHOD, true}, leaves);
    for (int i = 0; i < 50; i++)
        test_nap();
    for (int i = 0; i < count; i++)
        ck_assert(test_is_running(leaves[i].pid));
    kill(leaves[0].pid, SIGKILL);
    test_wait_until(!is_anybody_left(leaves, count), soon_ms);
    reap(leaves[0].pid);
}
END_TEST

START_TEST(a_middle_one_takes_its_branch_along_and_no_other)
{
    struct leaf leaves[most];
    int count = plant((struct tree){0, 1, TEST_METHOD, false}, leaves); /* a chain: 0 started 1 started 2 started 3 */
    kill(leaves[1].pid, SIGKILL);
    test_wait_until(!is_anybody_left(leaves + 1, count - 1), soon_ms);
    ck_assert(test_is_running(leaves[0].pid));
    kill(leaves[0].pid, SIGKILL);
    reap(leaves[0].pid);
}
END_TEST

static int leave_at_once(const int *way)
{
    yunta_process *child;
    struct tree tree = {3, 0, (yunta_start_method)(*way / 10), false};
    expect(yunta_start(&child, grow, &tree, &(yunta_process_options){.start_method = tree.method}) == 0);
    if (*way % 10 == 1)
        execl("/bin/true", "true", NULL);
    _exit(0);
}

/* _exit runs nothing of ours: it is a death like any other. So is the end of another program in the same process. */
START_TEST(leaving_by_exit_or_exec_counts_as_death)
{
    for (int way = 0; way < 2; way++) {
        int ends[2];
        struct leaf leaf;
        ck_assert_int_eq(pipe(ends), 0);
        pid_t root = fork();
        if (root == 0) {
            dup2(ends[1], 1);
            _exit(leave_at_once(&(int){10 * (int)TEST_METHOD + way}));
        }
        close(ends[1]);
        reap(root);
        struct pollfd p = {.fd = ends[0], .events = POLLIN};
        /* Either it came to say something, or it was gone before. */
        ck_assert_int_eq(poll(&p, 1, soon_ms), 1);
        if (read(ends[0], &leaf, sizeof leaf) == sizeof leaf) {
            ck_assert_int_eq(poll(&p, 1, soon_ms), 1);
            ck_assert_int_eq(read(ends[0], &leaf, sizeof leaf), 0);
        }
        close(ends[0]);
    }
}
END_TEST

/* A process that blocks every signal, and one that is stopped, go as well. */
static int deaf(void)
{
    struct leaf leaf = {getpid(), 1};
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    expect(setsid() > 0 || errno == EPERM);
    expect(write(1, &leaf, sizeof leaf) == (ssize_t)sizeof leaf);
    return sleep_for_ever();
}
YUNTA_ENTRY_VOID(deaf);

START_TEST(deaf_and_stopped_processes_go_too)
{
    int ends[2];
    struct leaf leaf[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t root = fork();
    if (root == 0) {
        dup2(ends[1], 1);
        yunta_process *child[2];
        for (int i = 0; i < 2; i++)
            if (yunta_start(&child[i], deaf, NULL, &(yunta_process_options){.start_method = TEST_METHOD}) != 0)
                _exit(1);
        _exit(sleep_for_ever());
    }
    close(ends[1]);
    ck_assert_int_eq(read(ends[0], &leaf[0], sizeof *leaf), (ssize_t)sizeof *leaf);
    ck_assert_int_eq(read(ends[0], &leaf[1], sizeof *leaf), (ssize_t)sizeof *leaf);
    close(ends[0]);
    kill(leaf[1].pid, SIGSTOP);
    test_wait_until(test_state(leaf[1].pid) == 'T', 20000);
    kill(root, SIGKILL);
    test_wait_until(!is_anybody_left(leaf, 2), soon_ms);
    reap(root);
}
END_TEST

/* All that Ctrl-C on a terminal signals goes by itself; who watches is not among them. */
START_TEST(pain_19_the_whole_group_may_be_killed)
{
    struct leaf leaves[most];
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    int count = 0;
    pid_t root = fork();
    if (root == 0) {
        setpgid(0, 0);
        signal(SIGINT, SIG_DFL); /* Check has a handler for it */
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        _exit(grow(&(struct tree){0, 2, TEST_METHOD, false}));
    }
    close(ends[1]);
    while (count < 15 && read(ends[0], &leaves[count], sizeof *leaves) == sizeof *leaves)
        count++;
    close(ends[0]);
    ck_assert_int_eq(count, 15);
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(getpgid(leaves[i].pid), root);
    ck_assert_int_eq(kill(-root, SIGINT), 0);
    test_wait_until(!is_anybody_left(leaves, count), soon_ms);
    reap(root);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("orphans");
    TCase *cases = test_case(suite, "orphans");
    TEST_FOR_EACH_METHOD(cases, pain_17_orphans_after_the_parent_is_killed);
    TEST_FOR_EACH_METHOD(cases, pain_18_children_of_ended_threads_live_on_and_are_found);
    TEST_FOR_EACH_METHOD(cases, a_middle_one_takes_its_branch_along_and_no_other);
    TEST_FOR_EACH_METHOD(cases, leaving_by_exit_or_exec_counts_as_death);
    TEST_FOR_EACH_METHOD(cases, deaf_and_stopped_processes_go_too);
    TEST_FOR_EACH_METHOD(cases, pain_19_the_whole_group_may_be_killed);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
