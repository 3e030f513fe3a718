/* Without /dev/shm, or with one that is full at once, as in containers: everything works as anywhere.
 * It must not change the mounts of anybody else.
 * Read next: src/os/memfd.c, where the memory comes from. Skipped where no process may have mounts of its own. */
#include "../proc/helpers.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#define MIB ((size_t)1 << 20)

/* Mounts of our own from here on. */
static bool leave_mounts(void)
{
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return false;
    return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static bool is_possible(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(leave_mounts() && mount("none", "/dev", "tmpfs", 0, "size=64k") == 0 ? 0 : 1);
    int status = 1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

struct kit {
    unsigned char *memory;
    yunta_lock *lock;
    yunta_queue *queue;
    shared_word *word;
};

static int use_kit(const struct kit *kit)
{
    for (size_t at = 0; at < 32 * MIB; at += 4096)
        expect(kit->memory[at] == (unsigned char)(at >> 12));
    memset(kit->memory, 1, 32 * MIB);
    expect(yunta_lock_acquire(kit->lock, YUNTA_FOREVER) == 0);
    atomic_fetch_add(kit->word, 1);
    expect(yunta_lock_release(kit->lock) == 0);
    for (int i = 0; i < 3000; i++)
        expect(yunta_queue_put(kit->queue, &i, YUNTA_FOREVER) == 0);
    return 0;
}
YUNTA_ENTRY(use_kit, struct kit);

static int square(const int *x, int *y)
{
    *y = *x * *x;
    return 0;
}
YUNTA_TASK(square, int, int);

static void check_pool(yunta_start_method method)
{
    yunta_pool *pool;
    int in[100], out[100];
    for (int i = 0; i < 100; i++)
        in[i] = i;
    ck_assert_int_eq(yunta_pool_create(&pool, &(yunta_pool_options){.workers = 2, .start_method = method}), 0);
    ck_assert_int_eq(yunta_map(pool, square, in, out, 100), 0);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(out[i], i * i);
    ck_assert_ptr_null(yunta_pool_destroy(pool));
}

static void check_kit(yunta_start_method method)
{
    yunta_process *child;
    struct kit kit = {yunta_shared(unsigned char, 32 * MIB), NULL, NULL, new_word()};
    ck_assert_ptr_nonnull(kit.memory);
    ck_assert_int_eq(yunta_lock_create(&kit.lock), 0);
    ck_assert_int_eq(yunta_queue_create(&kit.queue, &(yunta_queue_options){.item_size = sizeof(int)}), 0);
    for (size_t at = 0; at < 32 * MIB; at += 4096)
        kit.memory[at] = (unsigned char)(at >> 12);
    start_by(method, &child, use_kit, &kit);
    end_is(child, 0);
    for (size_t at = 0; at < 32 * MIB; at += 4096)
        ck_assert_msg(kit.memory[at] == 1, "at %zu", at);
    ck_assert_int_eq(atomic_load(kit.word), 1);
    for (int i = 0, got; i < 3000; i++) {
        ck_assert_int_eq(yunta_queue_get(kit.queue, &got, 0), 0);
        ck_assert_int_eq(got, i);
    }
    ck_assert_ptr_null(yunta_queue_destroy(kit.queue));
    ck_assert_ptr_null(yunta_lock_destroy(kit.lock));
    ck_assert_int_eq(yunta_shared_free(kit.memory) | yunta_shared_free(kit.word), 0);
}

START_TEST(pain_12_dev_shm_of_64_kilobytes)
{
    struct statvfs s;
    ck_assert(leave_mounts());
    ck_assert_int_eq(mount("none", "/dev/shm", "tmpfs", 0, "size=64k"), 0);
    ck_assert(statvfs("/dev/shm", &s) == 0 && s.f_blocks * s.f_frsize <= 65536);
    check_kit(TEST_METHOD);
    check_pool(TEST_METHOD);
}
END_TEST

/* Nor anything else in /dev. */
START_TEST(pain_13_no_dev_shm_at_all)
{
    ck_assert(leave_mounts());
    ck_assert_int_eq(mount("none", "/dev", "tmpfs", 0, "size=64k"), 0);
    ck_assert(access("/dev/shm", F_OK) != 0);
    check_kit(TEST_METHOD);
    check_pool(TEST_METHOD);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("no_dev_shm");
    TCase *cases = test_case(suite, "no /dev/shm");
    TEST_FOR_EACH_METHOD(cases, pain_12_dev_shm_of_64_kilobytes);
    TEST_FOR_EACH_METHOD(cases, pain_13_no_dev_shm_at_all);
    return suite;
}

int main(int argc, char **argv)
{
    if (argc == 1 && !is_possible()) {
        puts("skipped: no mounts of one's own here");
        return 77;
    }
    return test_main(argc, argv, make);
}
