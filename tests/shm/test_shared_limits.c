/* Memory that runs out: by the arena's limit, by that on file sizes, by a memory cgroup. It is always an error, never a
 * signal; and a core dump holds nothing of the arena.
 * It must not use up the machine's memory.
 * Read next: test_arena.c; src/os/memfd.c, which asks before it takes. */
#include "../proc/helpers.h"

#include "os/memfd.h"
#include "os/text.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define MIB ((size_t)1 << 20)

/* Allocates until there is no more: how many blocks, chained by their first words and marked by their last bytes. */
static size_t use_up(size_t size, char **chain)
{
    size_t count = 0;
    *chain = NULL;
    for (void *p; yunta_shared_create(&p, size, 16, 1) == 0; count++) {
        memcpy(p, chain, sizeof *chain);
        ((char *)p)[size - 1] = (char)count;
        *chain = p;
    }
    return count;
}

static void free_chain(char *chain, size_t size, size_t count)
{
    while (count-- > 0) {
        char *next;
        memcpy(&next, chain, sizeof next);
        ck_assert_int_eq(chain[size - 1], (char)count); /* nobody else has it */
        ck_assert_int_eq(yunta_shared_free(chain), 0);
        chain = next;
    }
    ck_assert_ptr_null(chain);
}

START_TEST(the_arena_is_full)
{
    static const size_t sizes[] = {64, 1000, 32768, 50000, 1 << 20};
    ck_assert_int_eq(yunta_set_arena_limit(32 * MIB), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *chain;
        void *p = NULL;
        size_t count = use_up(sizes[i], &chain);
        ck_assert_msg(count * sizes[i] > 32 * MIB / 3, "only %zu blocks of %zu bytes", count, sizes[i]);
        ck_assert_int_eq(yunta_shared_create(&p, sizes[i], 16, 1), -ENOMEM);
        ck_assert_ptr_null(p);
        ck_assert_ptr_null(yunta_shared_alloc(sizes[i], 16, 1));
        free_chain(chain, sizes[i], count);
    }
    void *large;
    yunta_arena_stats stats;
    ck_assert_int_eq(yunta_arena_read_stats(&stats), 0);
    ck_assert_uint_le(stats.blocks, 1); /* the cache of this process */
    ck_assert_int_eq(yunta_shared_create(&large, 8 * MIB, 16, 1), 0);
    ck_assert_int_eq(yunta_shared_free(large), 0);
}
END_TEST

static char buffer[90000];

START_TEST(all_else_says_so_too_when_the_arena_is_full)
{
    enum { MANY = 5000 };
    static yunta_lock *lock[MANY];
    static yunta_queue *queue[MANY];
    char *chain;
    yunta_process *child;
    int locks = 0, queues = 0, r;
    ck_assert_int_eq(yunta_set_arena_limit(16 * MIB), 0);
    ck_assert_int_eq(yunta_queue_create(&queue[queues++], NULL), 0);
    size_t count = use_up(16, &chain);
    while ((r = yunta_queue_create(&queue[queues], NULL)) == 0)
        queues++;
    ck_assert_int_eq(r, -ENOMEM);
    while ((r = yunta_lock_create(&lock[locks])) == 0)
        locks++;
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert_int_eq(yunta_queue_put_bytes(queue[0], buffer, sizeof buffer, 0), -ENOMEM);
    ck_assert_int_eq(yunta_start(&child, return_value, &(int){3}, NULL), -ENOMEM);
    while (locks > 0)
        yunta_lock_destroy(lock[--locks]);
    free_chain(chain, 16, count);
    start_by(YUNTA_FORK, &child, return_value, &(int){3});
    end_is(child, 3);
    ck_assert_int_eq(yunta_queue_put_bytes(queue[0], buffer, sizeof buffer, 0), 0);
    while (queues > 0)
        yunta_queue_destroy(queue[--queues]);
}
END_TEST

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit = {bytes, RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        abort();
}

START_TEST(a_limit_on_file_sizes)
{
    void *p = NULL;
    int *before = yunta_shared(int, 1);
    ck_assert_ptr_nonnull(before);
    limit_file_size(4 * MIB);
    ck_assert_int_eq(yunta_shared_create(&p, 8 * MIB, 16, 1), -ENOMEM);
    ck_assert_ptr_null(p);
    char *chain;
    size_t count = use_up(10000, &chain);
    ck_assert_uint_le(count, 4 * MIB / 10000);
    free_chain(chain, 10000, count);
    limit_file_size(RLIM_INFINITY);
    ck_assert_int_eq(yunta_shared_create(&p, 8 * MIB, 16, 1), 0);
    ck_assert_int_eq(yunta_shared_free(p) | yunta_shared_free(before), 0);
}
END_TEST

START_TEST(a_limit_on_file_sizes_from_the_beginning)
{
    /* Nothing else in between: Check notes its assertions in a file. */
    void *p = NULL;
    limit_file_size(0);
    int r = yunta_shared_create(&p, 1, 16, 1);
    int *none = yunta_shared(int, 1);
    limit_file_size(RLIM_INFINITY);
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert(!p && !none);
    ck_assert_int_eq(yunta_shared_create(&p, 1, 16, 1), 0); /* it is not for ever */
    ck_assert_int_eq(yunta_shared_free(p), 0);
}
END_TEST

/* Core dumps. */

static int crash(const size_t *size)
{
    char *p = yunta_shared(char, *size);
    expect(p != NULL);
    memset(p, 1, *size);
    abort();
}
YUNTA_ENTRY(crash, size_t);

/* Whether a crash leaves a file in the working directory here. */
static bool dumps_here(void)
{
    char pattern[256] = "";
    FILE *file = fopen("/proc/sys/kernel/core_pattern", "re");
    if (file && !fgets(pattern, sizeof pattern, file))
        pattern[0] = '\0';
    if (file)
        fclose(file);
    struct rlimit limit;
    return pattern[0] != '\0' && pattern[0] != '|' && !strchr(pattern, '/') && getrlimit(RLIMIT_CORE, &limit) == 0 &&
           limit.rlim_max == RLIM_INFINITY;
}

/* The bytes of all files in a folder, which are deleted, and it. */
static size_t remove_folder(const char *path, int *files)
{
    size_t bytes = 0;
    DIR *folder = opendir(path);
    ck_assert_ptr_nonnull(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        struct stat s;
        if (entry->d_name[0] == '.' || fstatat(dirfd(folder), entry->d_name, &s, 0) != 0)
            continue;
        bytes += (size_t)s.st_size;
        ++*files;
        unlinkat(dirfd(folder), entry->d_name, 0);
    }
    closedir(folder);
    rmdir(path);
    return bytes;
}

/* The bytes of the dump of a process that has used so much of the arena. */
static size_t dump(yunta_start_method method, size_t size)
{
    char folder[] = "/tmp/yunta-core-XXXXXX";
    int files = 0;
    yunta_process *child;
    yunta_failure why;
    yunta_resource_limit limit = {RLIMIT_CORE, RLIM_INFINITY, RLIM_INFINITY};
    ck_assert_ptr_nonnull(mkdtemp(folder));
    start_with(method, &child, crash, &size, .directory = folder, .limits = &limit, .limit_count = 1);
    join_is(child, YUNTA_ECRASHED);
    ck_assert_int_eq(yunta_process_failure(child, &why), 0);
    ck_assert_int_eq(why.signal, SIGABRT);
    yunta_process_destroy(child);
    size_t bytes = remove_folder(folder, &files);
    ck_assert_int_eq(files, why.core_dumped);
    return bytes;
}

/* A sanitizer's own memory may be in it, that of the arena is not. */
START_TEST(a_core_dump_stays_small)
{
    size_t with_little = dump(TEST_METHOD, 1), with_much = dump(TEST_METHOD, 96 * MIB);
    ck_assert_msg(with_much < with_little + 32 * MIB, "the dump has %zu bytes, without the memory %zu", with_much,
                  with_little);
}
END_TEST

/* A memory cgroup of our own, below the one that we are in. */

static char cgroup[512];

static bool write_to(const char *name, const char *text)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", cgroup, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return good;
}

static bool make_cgroup(void)
{
    char folder[384];
    if (test_is_valgrind() || !yn_cgroup_folder("memory", 0, folder, sizeof folder))
        return false;
    snprintf(cgroup, sizeof cgroup, "%s/yunta-test-%d", folder, (int)getpid());
    if (mkdir(cgroup, 0755) != 0)
        return false;
    if (write_to("memory.max", "67108864") || write_to("memory.limit_in_bytes", "67108864"))
        return true;
    rmdir(cgroup);
    return false;
}

/* In it: as much as there is, and no more. */
static int fill_cgroup(size_t size)
{
    char *chain;
    size_t bytes = use_up(size, &chain) * size;
    return bytes > 16 * MIB && bytes < 64 * MIB ? 0 : (int)(bytes / MIB) + 1;
}

START_TEST(a_cgroup_is_full)
{
    static const size_t sizes[] = {100, 5000, 1 << 20, 20 << 20};
    if (!make_cgroup()) { /* the count itself has a test in test_memfd.c */
        printf("no memory cgroup can be made here: nothing was filled\n");
        return;
    }
    pid_t child = fork();
    if (child == 0)
        _exit(write_to("cgroup.procs", "0") ? fill_cgroup(sizes[_i]) : 255);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    test_wait_until(rmdir(cgroup) == 0, 10000);
    ck_assert_msg(!WIFSIGNALED(status), "killed by signal %d", WTERMSIG(status));
    ck_assert_msg(status == 0, "it could have %d MiB", WEXITSTATUS(status) - 1);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("shared_limits");
    TCase *cases = test_case(suite, "limits");
    tcase_add_test(cases, the_arena_is_full);
    tcase_add_test(cases, all_else_says_so_too_when_the_arena_is_full);
    tcase_add_test(cases, a_limit_on_file_sizes);
    tcase_add_test(cases, a_limit_on_file_sizes_from_the_beginning);
    if (dumps_here())
        TEST_FOR_EACH_METHOD(cases, a_core_dump_stays_small);
    tcase_add_loop_test(cases, a_cgroup_is_full, 0, 4);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
