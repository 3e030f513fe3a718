/* Blocks with a name: as Python's SharedMemory has them, both ways, and with nothing left in /dev/shm.
 * It must not touch a name that is not its own.
 * Read next: src/shm/block_named.c.
 *
 * labels: stepped */
#include "../lib/syskill.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <test.h>
#include <unistd.h>

#define SIZE ((size_t)12345)

static char name[64];

static void name_anew(void)
{
    static int count;
    snprintf(name, sizeof name, "block-test-%d-%d", (int)getpid(), count++);
}

/* How many names in /dev/shm are this test's. */
static int count_names(void)
{
    int count = 0;
    DIR *folder = opendir("/dev/shm");
    ck_assert_ptr_nonnull(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        count += strncmp(entry->d_name, name, strlen(name)) == 0;
    closedir(folder);
    return count;
}

START_TEST(a_named_block_is_found_by_its_name)
{
    name_anew();
    yunta_block *block = NULL, *again = NULL, *reader = NULL;
    ck_assert_int_eq(yunta_block_open_named(&again, name, NULL), -ENOENT);
    ck_assert_int_eq(yunta_block_create_named(&block, name, SIZE), 0);
    ck_assert_int_eq(yunta_block_create_named(&again, name, SIZE), -EEXIST);
    char slashed[80];
    snprintf(slashed, sizeof slashed, "/%s", name);
    ck_assert_int_eq(yunta_block_open_named(&again, slashed, NULL), 0);
    ck_assert_int_eq(yunta_block_open_named(&reader, name, &(yunta_block_options){.read_only = true}), 0);
    ck_assert_uint_eq(yunta_block_size(again), SIZE);
    strcpy(yunta_block_address(block), "written");
    ck_assert_str_eq(yunta_block_address(again), "written");
    ck_assert_str_eq(yunta_block_address(reader), "written");
    struct stat s;
    ck_assert_int_eq(fstat(yunta_block_descriptor(block), &s), 0);
    ck_assert_uint_eq(s.st_mode & 0777, 0600);
    ck_assert_int_eq(yunta_block_freeze(block), -EPERM);
    ck_assert(!yunta_block_is_frozen(block));
    ck_assert_int_eq(count_names(), 1);
    ck_assert_int_eq(yunta_block_unlink(name), 0);
    ck_assert_int_eq(yunta_block_unlink(name), -ENOENT);
    ck_assert_int_eq(count_names(), 0);
    strcpy(yunta_block_address(again), "still here");
    ck_assert_str_eq(yunta_block_address(block), "still here");
    yunta_block_destroy(block);
    yunta_block_destroy(again);
    yunta_block_destroy(reader);
}
END_TEST

START_TEST(what_can_be_no_name_is_refused)
{
    yunta_block *block = NULL;
    char too_long[257];
    memset(too_long, 'x', sizeof too_long);
    too_long[255] = 0;
    const char *bad[] = {NULL, "", "/", "a/b", "//a", "/a/", ".", "..", "/..", "../tmp/x", too_long};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(yunta_block_create_named(&block, bad[i], SIZE), -EINVAL);
        ck_assert_int_eq(yunta_block_open_named(&block, bad[i], NULL), -EINVAL);
        ck_assert_int_eq(yunta_block_unlink(bad[i]), -EINVAL);
    }
    name_anew();
    ck_assert_int_eq(yunta_block_create_named(NULL, name, SIZE), -EINVAL);
    ck_assert_int_eq(yunta_block_create_named(&block, name, 0), -EINVAL);
    ck_assert_int_eq(yunta_block_create_named(&block, name, SIZE_MAX), -EOVERFLOW);
    ck_assert_int_eq(yunta_block_create_named(&block, name, (size_t)1 << 60), -ENOMEM);
    ck_assert_int_eq(yunta_block_open_named(NULL, name, NULL), -EINVAL);
    ck_assert_int_eq(yunta_block_open_named(&block, name, &(yunta_block_options){.only_frozen = true}), -EINVAL);
    ck_assert_ptr_null(block);
    ck_assert_int_eq(count_names(), 0);
}
END_TEST

START_TEST(what_is_no_block_is_refused)
{
    name_anew();
    char path[128];
    yunta_block *block = NULL;
    snprintf(path, sizeof path, "/dev/shm/%s", name);
    int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(yunta_block_open_named(&block, name, NULL), -ENODATA); /* another is just making it */
    close(fd);
    ck_assert_int_eq(yunta_block_unlink(name), 0);
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    ck_assert_int_eq(yunta_block_open_named(&block, name, NULL), -EACCES);
    ck_assert_int_eq(yunta_block_create_named(&block, name, SIZE), -EEXIST);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(yunta_block_open_named(&block, name, NULL), -EACCES);
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(yunta_block_open_named(&block, name, NULL), -EBADF);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_ptr_null(block);
}
END_TEST

static int create_one(void *context)
{
    (void)context;
    yunta_block *block;
    if (yunta_block_create_named(&block, name, SIZE) != 0)
        return 1;
    memset(yunta_block_address(block), 1, SIZE);
    return 0;
}

/* Nothing there, or all of it. */
static void check_whole(void *context, long point)
{
    (void)context;
    yunta_block *block;
    int r = yunta_block_open_named(&block, name, NULL);
    ck_assert_msg(r == 0 || r == -ENOENT, "killed at point %ld: %d", point, r);
    ck_assert_int_eq(count_names(), r == 0 ? 1 : 0);
    if (r == 0) {
        ck_assert_uint_eq(yunta_block_size(block), SIZE);
        yunta_block_destroy(block);
        ck_assert_int_eq(yunta_block_unlink(name), 0);
    }
}

START_TEST(a_maker_killed_at_any_system_call_leaves_no_half_block)
{
    name_anew();
    const syskill_plan plan = {.run = create_one, .check = check_whole};
    ck_assert_int_gt(syskill_sweep(&plan), 10);
    yunta_block_unlink(name);
}
END_TEST

/* Runs Python on a program; its exit status, 127 where there is none with SharedMemory. */
static int run_python(const char *program)
{
    pid_t child = test_fork();
    if (child == 0) {
        execlp("python3", "python3", "-c", program, name, (char *)NULL);
        _exit(127);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool has_python(void)
{
    if (run_python("import multiprocessing.shared_memory") == 0)
        return true;
    fprintf(stderr, "skipped: there is no python3 here that has multiprocessing.shared_memory\n");
    return false;
}

/* What keeps Python before 3.13 from unlinking what it has attached. */
#define ATTACH                                                                                                         \
    "import sys, inspect\n"                                                                                            \
    "from multiprocessing import resource_tracker\n"                                                                   \
    "from multiprocessing.shared_memory import SharedMemory\n"                                                         \
    "def attach(name):\n"                                                                                              \
    "    if 'track' in inspect.signature(SharedMemory.__init__).parameters:\n"                                         \
    "        return SharedMemory(name, track=False)\n"                                                                 \
    "    m = SharedMemory(name)\n"                                                                                     \
    "    resource_tracker.unregister('/' + name, 'shared_memory')\n"                                                   \
    "    return m\n"

START_TEST(python_attaches_a_block_of_ours)
{
    name_anew();
    if (!has_python())
        return;
    yunta_block *block = NULL;
    ck_assert_int_eq(yunta_block_create_named(&block, name, SIZE), 0);
    strcpy(yunta_block_address(block), "from C");
    ck_assert_int_eq(run_python(ATTACH "m = attach(sys.argv[1])\n"
                                       "assert m.size == 12345, m.size\n"
                                       "assert bytes(m.buf[:7]) == b'from C\\0'\n"
                                       "m.buf[:12] = b'from Python\\0'\n"
                                       "m.close()\n"),
                     0);
    ck_assert_str_eq(yunta_block_address(block), "from Python");
    ck_assert_int_eq(count_names(), 1); /* Python has not taken it for its own */
    ck_assert_int_eq(yunta_block_unlink(name), 0);
    yunta_block_destroy(block);
}
END_TEST

START_TEST(a_block_of_pythons_is_attached)
{
    name_anew();
    if (!has_python())
        return;
    /* It keeps the name, as Python itself would while it runs. */
    ck_assert_int_eq(run_python(ATTACH "m = SharedMemory(sys.argv[1], create=True, size=5000)\n"
                                       "resource_tracker.unregister('/' + sys.argv[1], 'shared_memory')\n"
                                       "m.buf[:12] = b'from Python\\0'\n"
                                       "m.close()\n"),
                     0);
    yunta_block *block = NULL;
    ck_assert_int_eq(yunta_block_open_named(&block, name, NULL), 0);
    ck_assert_uint_eq(yunta_block_size(block), 5000);
    ck_assert_str_eq(yunta_block_address(block), "from Python");
    strcpy(yunta_block_address(block), "from C");
    ck_assert_int_eq(run_python(ATTACH "m = attach(sys.argv[1])\n"
                                       "assert bytes(m.buf[:7]) == b'from C\\0'\n"
                                       "m.close()\n"),
                     0);
    ck_assert_int_eq(yunta_block_unlink(name), 0);
    ck_assert_int_eq(count_names(), 0);
    yunta_block_destroy(block);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("named blocks");
    TCase *cases = test_case(suite, "names");
    tcase_add_test(cases, a_named_block_is_found_by_its_name);
    tcase_add_test(cases, what_can_be_no_name_is_refused);
    tcase_add_test(cases, what_is_no_block_is_refused);
    tcase_add_test(cases, python_attaches_a_block_of_ours);
    tcase_add_test(cases, a_block_of_pythons_is_attached);
    TCase *kills = test_case(suite, "kills");
    tcase_set_timeout(kills, 60);
    if (syskill_is_possible())
        tcase_add_test(kills, a_maker_killed_at_any_system_call_leaves_no_half_block);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
