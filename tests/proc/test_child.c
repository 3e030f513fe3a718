/* The child's side of a start: each option arrives, and what cannot be done comes back to the caller with nothing left
 * behind. It must not rely on being root, but uses it where it is. Read next: test_streams.c for what is written and
 * read, test_child_limits.c for limits.
 *
 * labels: valgrind */
#include "failed_starts.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

extern char **environ;

enum { nobody = 65534 };

struct text {
    char text[64];
};

static int stands_in(const struct text *folder)
{
    char here[256];
    expect(getcwd(here, sizeof here) != NULL);
    return strcmp(here, folder->text) == 0 ? 0 : 1;
}
YUNTA_ENTRY(stands_in, struct text);

START_TEST(the_directory_is_the_one_asked_for_or_the_callers)
{
    yunta_process *child;
    start_with(TEST_METHOD, &child, stands_in, &(struct text){"/"}, .directory = "/");
    end_is(child, 0);
    ck_assert_int_eq(chdir("/proc"), 0);
    start_by(TEST_METHOD, &child, stands_in, &(struct text){"/proc"});
    end_is(child, 0);
    start_with(TEST_METHOD, &child, stands_in, &(struct text){"/proc/sys"}, .directory = "sys");
    end_is(child, 0);
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

/* Valgrind gives each program that is executed two variables of its own. */
static bool is_valgrinds(const char *variable)
{
    return test_is_valgrind() &&
           (strncmp(variable, "LD_PRELOAD=", 11) == 0 || strncmp(variable, "VALGRIND_LIB=", 13) == 0);
}

static int has_environment(const int *count)
{
    int found = 0;
    for (char **e = environ; *e; e++)
        found += !is_valgrinds(*e);
    expect(found == *count);
    expect(*count == 0 || strcmp(getenv("COLOUR"), "blue") == 0);
    expect(setenv("ANOTHER", "one", 1) == 0 && strcmp(getenv("ANOTHER"), "one") == 0);
    return 0;
}
YUNTA_ENTRY(has_environment, int);

START_TEST(the_environment_is_replaced)
{
    const char *const two[] = {"COLOUR=blue", "EMPTY=", NULL}, *const none[] = {NULL};
    yunta_process *child;
    start_with(TEST_METHOD, &child, has_environment, &(int){2}, .environment = two);
    end_is(child, 0);
    start_with(TEST_METHOD, &child, has_environment, &(int){0}, .environment = none);
    end_is(child, 0);
}
END_TEST

START_TEST(the_environment_is_the_callers_of_that_moment)
{
    yunta_process *child;
    start_by(TEST_METHOD, &child, return_value, &(int){1}); /* a server stands already */
    end_is(child, 1);
    clearenv();
    setenv("COLOUR", "blue", 1);
    start_by(TEST_METHOD, &child, has_environment, &(int){1});
    end_is(child, 0);
}
END_TEST

/* A process that the child leaves behind, when nobody knows the child any more. */
static int leave_a_guest(shared_word *const *word)
{
    shared_word *w = *word;
    if (fork() != 0)
        return 0;
    if (!await_word(w, 1))
        _exit(1);
    const char *colour = getenv("COLOUR");
    atomic_store(w, colour && strcmp(colour, "blue") == 0 ? 2 : 3);
    _exit(0);
}
typedef shared_word *word_pointer;
YUNTA_ENTRY(leave_a_guest, word_pointer);

START_TEST(a_given_environment_outlives_the_record)
{
    const char *const one[] = {"COLOUR=blue", NULL};
    yunta_process *child;
    shared_word *word = new_word();
    void *blocks[64];
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    start_with(TEST_METHOD, &child, leave_a_guest, &word, .environment = one);
    end_is(child, 0);
    for (size_t i = 0; i < 64; i++) { /* over what was freed */
        blocks[i] = yunta_shared_alloc(1, 1, (size_t)16 << (i % 8));
        memset(blocks[i], 'x', (size_t)16 << (i % 8));
    }
    atomic_store(word, 1);
    test_wait_until(atomic_load(word) > 1, 20000);
    ck_assert_int_eq(atomic_load(word), 2);
    for (size_t i = 0; i < 64; i++)
        yunta_shared_free(blocks[i]);
    yunta_shared_free(word);
    while (wait(NULL) > 0) {
    }
}
END_TEST

struct standing {
    pid_t starter, group;
    bool own_group;
};

static int is_in_group(const struct standing *s)
{
    expect(getpgrp() == (s->own_group ? getpid() : s->group));
    expect(getsid(0) == getsid(s->starter));
    return 0;
}
YUNTA_ENTRY(is_in_group, struct standing);

START_TEST(the_process_group_is_the_callers_a_new_one_or_anothers)
{
    yunta_process *leader, *child;
    start_by(TEST_METHOD, &child, is_in_group, &(struct standing){getpid(), getpgrp(), false});
    end_is(child, 0);
    start_with(TEST_METHOD, &child, is_in_group, (&(struct standing){getpid(), 0, true}),
               .process_group = YUNTA_NEW_GROUP);
    end_is(child, 0);
    start_with(TEST_METHOD, &leader, sleep_for_ever, NULL, .process_group = YUNTA_NEW_GROUP);
    pid_t group = yunta_process_pid(leader);
    start_with(TEST_METHOD, &child, is_in_group, (&(struct standing){getpid(), group, false}), .process_group = group);
    end_is(child, 0);
    yunta_process_destroy(leader);
}
END_TEST

static int is_nobody(const int *with_group)
{
    uid_t r, e, s;
    gid_t rg, eg, sg;
    expect(getresuid(&r, &e, &s) == 0 && r == nobody && e == nobody && s == nobody);
    expect(getresgid(&rg, &eg, &sg) == 0);
    expect(!*with_group || (rg == nobody && eg == nobody && sg == nobody && getgroups(0, NULL) == 0));
    expect(setuid(0) != 0);
    int *still_shared = yunta_shared(int, 1); /* the team is still ours */
    expect(still_shared != NULL && yunta_shared_free(still_shared) == 0);
    return 0;
}
YUNTA_ENTRY(is_nobody, int);

START_TEST(user_and_group_are_set)
{
    if (geteuid() != 0)
        return;
    yunta_process *child;
    start_with(TEST_METHOD, &child, is_nobody, &(int){0}, .user = &(uid_t){nobody});
    end_is(child, 0);
    start_with(TEST_METHOD, &child, is_nobody, &(int){1}, .user = &(uid_t){nobody}, .group = &(gid_t){nobody});
    end_is(child, 0);
}
END_TEST

static void on_signal(int signal)
{
    (void)signal;
}

struct dispositions {
    bool inherited, handler;
};

static int has_dispositions(const struct dispositions *d)
{
    struct sigaction now;
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    expect(sigismember(&mask, SIGUSR2) == d->inherited);
    expect(sigaction(SIGHUP, NULL, &now) == 0 && now.sa_handler == (d->inherited ? SIG_IGN : SIG_DFL));
    expect(sigaction(SIGTERM, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
    expect(sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
    expect(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == (d->handler ? on_signal : SIG_DFL));
    for (int s = 1; !d->inherited && s <= SIGRTMAX; s++)
        expect(sigaction(s, NULL, &now) != 0 || (now.sa_handler == SIG_DFL && !sigismember(&mask, s)));
    return 0;
}
YUNTA_ENTRY(has_dispositions, struct dispositions);

START_TEST(signals_are_reset_unless_they_are_inherited)
{
    yunta_process *child;
    start_by(TEST_METHOD, &child, return_value, &(int){1}); /* a server stands already */
    end_is(child, 1);
    signal(SIGTERM, SIG_DFL); /* Check has handlers for these */
    signal(SIGINT, SIG_DFL);
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR2);
    sigprocmask(SIG_BLOCK, &one, NULL);
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR1, on_signal);
    start_by(TEST_METHOD, &child, has_dispositions, &(struct dispositions){false, false});
    end_is(child, 0);
    /* Handlers are functions of the caller's memory: only a fork can inherit them. */
    start_with(TEST_METHOD, &child, has_dispositions, (&(struct dispositions){true, TEST_METHOD == YUNTA_FORK}),
               .inherit_signals = true);
    end_is(child, 0);
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    ck_assert_int_eq(sigismember(&mask, SIGUSR1), 0); /* ours are as they were */
}
END_TEST

static int runs_on(const int *processor)
{
    cpu_set_t set;
    expect(sched_getaffinity(0, sizeof set, &set) == 0);
    expect(CPU_COUNT(&set) == 1 && CPU_ISSET((size_t)*processor, &set));
    expect(yunta_cpu_count() == 1);
    return 0;
}
YUNTA_ENTRY(runs_on, int);

START_TEST(affinity_is_set)
{
    cpu_set_t set;
    ck_assert_int_eq(sched_getaffinity(0, sizeof set, &set), 0);
    int processor = 0;
    while (!CPU_ISSET((size_t)processor, &set))
        processor++;
    yunta_process *child;
    start_with(TEST_METHOD, &child, runs_on, &processor, .processors = &processor, .processor_count = 1);
    end_is(child, 0);
}
END_TEST

static int has_mask(const mode_t *mask)
{
    return umask(0) == *mask ? 0 : 1;
}
YUNTA_ENTRY(has_mask, mode_t);

START_TEST(umask_is_the_callers)
{
    yunta_process *child;
    start_by(TEST_METHOD, &child, return_value, &(int){1});
    end_is(child, 1);
    umask(0137);
    start_by(TEST_METHOD, &child, has_mask, &(mode_t){0137});
    end_is(child, 0);
}
END_TEST

static int is_named(const struct text *name)
{
    char found[16];
    expect(prctl(PR_GET_NAME, found) == 0);
    return strcmp(found, name->text) == 0 ? 0 : 1;
}
YUNTA_ENTRY(is_named, struct text);

START_TEST(the_system_shows_the_name)
{
    yunta_process *child;
    start_with(TEST_METHOD, &child, is_named, &(struct text){"weaver"}, .name = "weaver");
    end_is(child, 0);
}
END_TEST

START_TEST(what_the_child_cannot_do_comes_back)
{
    const int absurd[] = {-1}, absent[] = {1023};
    const yunta_resource_limit crossed[] = {{RLIMIT_NOFILE, 2, 1}}, unknown[] = {{999, 1, 1}};
    fails_with(-ENOENT, (yunta_process_options){.start_method = TEST_METHOD, .directory = "/no/such/directory"});
    fails_with(-ENOTDIR, (yunta_process_options){.start_method = TEST_METHOD, .directory = "/proc/self/status"});
    char endless[5000];
    memset(endless, 'x', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    fails_with(-ENAMETOOLONG, (yunta_process_options){.start_method = TEST_METHOD, .directory = endless});
    fails_with(-EINVAL,
               (yunta_process_options){.start_method = TEST_METHOD, .processors = absurd, .processor_count = 1});
    fails_with(-EINVAL,
               (yunta_process_options){.start_method = TEST_METHOD, .processors = absent, .processor_count = 1});
    fails_with(-EINVAL, (yunta_process_options){.start_method = TEST_METHOD, .limits = crossed, .limit_count = 1});
    fails_with(-EINVAL, (yunta_process_options){.start_method = TEST_METHOD, .limits = unknown, .limit_count = 1});
    fails_with(-EPERM, (yunta_process_options){.start_method = TEST_METHOD, .process_group = 1});
}
END_TEST

START_TEST(what_needs_root_comes_back_to_others)
{
    if (geteuid() != 0)
        return;
    ck_assert_int_eq(setresgid(nobody, nobody, nobody), 0);
    ck_assert_int_eq(setresuid(nobody, nobody, nobody), 0);
    prctl(PR_SET_DUMPABLE, 1); /* what /proc tells of itself is nobody's again */
    const yunta_resource_limit more[] = {{RLIMIT_NOFILE, RLIM_INFINITY, RLIM_INFINITY}};
    fails_with(-EPERM, (yunta_process_options){.start_method = TEST_METHOD, .user = &(uid_t){0}});
    fails_with(-EPERM, (yunta_process_options){.start_method = TEST_METHOD, .group = &(gid_t){0}});
    fails_with(-EPERM, (yunta_process_options){.start_method = TEST_METHOD, .limits = more, .limit_count = 1});
}
END_TEST

/* Every handle of a failed start is gone, and its slot too: this many would not fit otherwise. */
START_TEST(failed_starts_leave_nothing)
{
    for (int i = 0; i < 2; i++) /* what is made once is there */
        fails_with(-ENOENT, (yunta_process_options){.start_method = TEST_METHOD, .directory = "/no/such/directory"});
    yunta_arena_stats before, after;
    ck_assert_int_eq(yunta_arena_read_stats(&before), 0);
    size_t descriptors = test_descriptor_count();
    for (int i = 0; i < 50; i++)
        fails_with(-ENOENT, (yunta_process_options){.start_method = TEST_METHOD, .directory = "/no/such/directory"});
    ck_assert_uint_eq(test_descriptor_count(), descriptors);
    test_wait_until(yunta_arena_read_stats(&after) == 0 && after.processes <= before.processes &&
                        after.blocks <= before.blocks + 4,
                    20000);
}
END_TEST

START_TEST(without_a_process_left_a_start_says_so)
{
    if (geteuid() != 0)
        return; /* as somebody who has other processes we cannot count them */
    enum { lonely = 54321 };
    ck_assert_int_eq(setresgid(lonely, lonely, lonely), 0);
    ck_assert_int_eq(setresuid(lonely, lonely, lonely), 0);
    prctl(PR_SET_DUMPABLE, 1);
    yunta_process *child;
    start_by(TEST_METHOD, &child, return_value, &(int){1});
    end_is(child, 1);
    struct rlimit none = {1, 100};
    pid_t found[16];
    size_t count = test_children(getpid(), found, 16); /* the watch, whose child is the server */
    for (size_t i = 0; i < count; i++) {
        pid_t below[16];
        for (size_t n = test_children(found[i], below, 16); n > 0; n--)
            ck_assert_int_eq(prlimit(below[n - 1], RLIMIT_NPROC, &none, NULL), 0);
    }
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &none), 0);
    fails_with(-EAGAIN, (yunta_process_options){.start_method = TEST_METHOD});
    none.rlim_cur = none.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &none), 0);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("child");
    TCase *cases = test_case(suite, "options");
    TEST_FOR_EACH_METHOD(cases, the_directory_is_the_one_asked_for_or_the_callers);
    TEST_FOR_EACH_METHOD(cases, the_environment_is_replaced);
    TEST_FOR_EACH_METHOD(cases, the_environment_is_the_callers_of_that_moment);
    TEST_FOR_EACH_METHOD(cases, a_given_environment_outlives_the_record);
    TEST_FOR_EACH_METHOD(cases, the_process_group_is_the_callers_a_new_one_or_anothers);
    TEST_FOR_EACH_METHOD(cases, user_and_group_are_set);
    TEST_FOR_EACH_METHOD(cases, signals_are_reset_unless_they_are_inherited);
    TEST_FOR_EACH_METHOD(cases, affinity_is_set);
    TEST_FOR_EACH_METHOD(cases, umask_is_the_callers);
    TEST_FOR_EACH_METHOD(cases, the_system_shows_the_name);
    cases = test_case(suite, "failed starts");
    TEST_FOR_EACH_METHOD(cases, what_the_child_cannot_do_comes_back);
    TEST_FOR_EACH_METHOD(cases, what_needs_root_comes_back_to_others);
    TEST_FOR_EACH_METHOD(cases, failed_starts_leave_nothing);
    TEST_FOR_EACH_METHOD(cases, without_a_process_left_a_start_says_so);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
