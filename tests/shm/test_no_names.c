/* The team's memory has no name: nothing is left in the file system, nobody's exit takes it away, nothing is said at
 * the end. It must not look at what others have in /dev/shm.
 * Read next: test_no_dev_shm.c. */
#include "../proc/helpers.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>

#define BYTES ((size_t)3 << 20)

static void *make_memory(void)
{
    char *p = yunta_shared(char, BYTES);
    ck_assert_ptr_nonnull(p);
    memset(p, 0x2a, BYTES);
    return p;
}

static void check_memory(const char *p)
{
    for (size_t i = 0; i < BYTES; i++)
        if (p[i] != 0x2a)
            ck_abort_msg("byte %zu is lost", i);
}

struct visit {
    const char *memory;
    bool dies;
};

static int visit(const struct visit *v)
{
    expect(v->memory[0] == 0x2a && v->memory[BYTES - 1] == 0x2a);
    expect(yunta_shared(int, 100) != NULL); /* which it does not give back */
    if (v->dies)
        raise(SIGKILL);
    return 0;
}
YUNTA_ENTRY(visit, struct visit);

/* Whoever maps the memory, and whoever only has heard of it. */
START_TEST(pain_14_an_unrelated_exit_takes_no_memory_away)
{
    yunta_process *child;
    char *p = make_memory();
    for (int dies = 0; dies < 2; dies++) {
        start_by(TEST_METHOD, &child, visit, &(struct visit){p, dies});
        end_is(child, dies ? YUNTA_ECRASHED : 0);
        check_memory(p);
    }
    for (int how = 0; how < 3; how++) { /* a process of the program's own: joins the team, or does not, or execs */
        pid_t pid = fork();
        if (pid == 0 && how == 2)
            execl("/bin/true", "true", (char *)NULL);
        if (pid == 0)
            _exit(how == 0 || yunta_shared(int, 1) ? 0 : 1);
        int status;
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
        check_memory(p);
    }
    start_by(TEST_METHOD, &child, visit, &(struct visit){p, false}); /* who comes later finds it too */
    end_is(child, 0);
    ck_assert_int_eq(yunta_shared_free(p), 0);
}
END_TEST

/* Looks through /dev/shm and the mappings of this process for files that the library could have made. */
static void check_no_names(const char *memory)
{
    char line[512], found[512] = "";
    unsigned long from, to;
    FILE *maps = fopen("/proc/self/maps", "re");
    ck_assert_ptr_nonnull(maps);
    while (fgets(line, sizeof line, maps)) {
        ck_assert_msg(!strstr(line, "/dev/shm"), "mapped: %s", line);
        if (sscanf(line, "%lx-%lx", &from, &to) == 2 && (uintptr_t)memory >= from && (uintptr_t)memory < to)
            memcpy(found, line, sizeof found);
    }
    fclose(maps);
    ck_assert_msg(strstr(found, "/memfd:yunta (deleted)"), "the memory is mapped as %s", found);
    DIR *folder = opendir("/dev/shm");
    for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL;)
        ck_assert_msg(!strstr(entry->d_name, "yunta"), "/dev/shm/%s", entry->d_name);
    if (folder)
        closedir(folder);
}

static int look_at_own(const struct visit *v)
{
    check_no_names(v->memory);
    return 0;
}
YUNTA_ENTRY(look_at_own, struct visit);

/* A program that uses the memory, with children, and is then killed. It writes a byte before. */
static void be_killed(int end, yunta_start_method method)
{
    yunta_process *child[2];
    void *p = make_memory();
    for (int i = 0; i < 2; i++)
        start_by(method, &child[i], sleep_for_ever, NULL);
    check_no_names(p);
    if (write(end, "x", 1) == 1)
        raise(SIGKILL);
}

START_TEST(pain_15_nothing_is_left_after_crashes)
{
    int ends[2];
    char byte;
    yunta_process *child;
    char *p = make_memory();
    start_by(YUNTA_FORK, &child, look_at_own, &(struct visit){p, false});
    end_is(child, 0);
    ck_assert_int_eq(yunta_shared_free(p), 0);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        be_killed(ends[1], TEST_METHOD);
        _exit(1);
    }
    close(ends[1]);
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(WTERMSIG(status), SIGKILL);
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    /* Its children are gone with it: they had the other end too, and the memory. */
    struct pollfd poll_end = {.fd = ends[0], .events = POLLIN};
    ck_assert_int_eq(poll(&poll_end, 1, 10000), 1);
    ck_assert_int_eq(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    check_no_names(make_memory());
}
END_TEST

/* What a program of this name does that ends in good order, and leaves things to the library. */
static int leave_quietly(yunta_start_method method)
{
    yunta_process *child;
    yunta_queue *queue;
    yunta_lock *lock;
    int *p = yunta_shared(int, 1000);
    if (!p || yunta_lock_create(&lock) != 0 || yunta_queue_create(&queue, NULL) != 0 ||
        yunta_queue_put_bytes(queue, "left", 4, 0) != 0 || yunta_lock_acquire(lock, 0) != 0)
        return 1;
    yunta_process_options options = {.start_method = method};
    if (yunta_start(&child, return_value, &(int){0}, &options) != 0)
        return 2;
    options.daemon = true;
    return yunta_start(&child, sleep_for_ever, NULL, &options) == 0 ? 0 : 3;
}

START_TEST(pain_16_nothing_is_said_at_a_clean_exit)
{
    int ends[2], status;
    char said[4096], method[] = {(char)('0' + TEST_METHOD), '\0'};
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        execl("/proc/self/exe", "quiet", "leave", method, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    ssize_t n = read(ends[0], said, sizeof said - 1); /* until the last of its processes has ended */
    close(ends[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(n == 0, "it said: %.*s", (int)n, said);
    ck_assert_int_eq(status, 0);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("no_names");
    TCase *cases = test_case(suite, "no names");
    TEST_FOR_EACH_METHOD(cases, pain_14_an_unrelated_exit_takes_no_memory_away);
    TEST_FOR_EACH_METHOD(cases, pain_15_nothing_is_left_after_crashes);
    TEST_FOR_EACH_METHOD(cases, pain_16_nothing_is_said_at_a_clean_exit);
    return suite;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "leave") == 0)
        return yunta_init(argc, argv) < 0 ? 9 : leave_quietly((yunta_start_method)(argv[2][0] - '0'));
    return test_main(argc, argv, make);
}
