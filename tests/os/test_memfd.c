/* Memory files: reserved before use, given back, refused in time.
 * It must not use up the machine's memory.
 * Read next: tests/shm/test_arena.c, tests/shm/test_shared_limits.c. */
#include "os/memfd.h"
#include "os/text.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <test.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

static uint64_t memory_of(int fd)
{
    struct stat s;
    ck_assert_int_eq(fstat(fd, &s), 0);
    return (uint64_t)s.st_blocks * 512;
}

static uint64_t length_of(int fd)
{
    struct stat s;
    ck_assert_int_eq(fstat(fd, &s), 0);
    return (uint64_t)s.st_size;
}

static int make_file(void)
{
    int fd = yn_memfd_create("yunta-test");
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    return fd;
}

START_TEST(what_is_reserved_is_there)
{
    int fd = make_file();
    ck_assert_int_eq(yn_memfd_reserve(fd, 0, MIB), 0);
    ck_assert_uint_eq(memory_of(fd), MIB);
    ck_assert_int_eq(yn_memfd_reserve(fd, 3 * MIB, MIB), 0);
    ck_assert_uint_eq(memory_of(fd), 2 * MIB);
    ck_assert_uint_eq(length_of(fd), 4 * MIB);
    ck_assert_int_eq(yn_memfd_reserve(fd, 0, MIB), 0); /* never shorter */
    ck_assert_uint_eq(length_of(fd), 4 * MIB);
    close(fd);
}
END_TEST

START_TEST(what_is_given_back_is_zero)
{
    int fd = make_file();
    char byte = 7;
    ck_assert_int_eq(yn_memfd_reserve(fd, 0, 2 * MIB), 0);
    ck_assert_int_eq(pwrite(fd, &byte, 1, 5), 1);
    ck_assert_int_eq(yn_memfd_discard(fd, 0, MIB), 0);
    ck_assert_uint_eq(memory_of(fd), MIB);
    ck_assert_uint_eq(length_of(fd), 2 * MIB);
    ck_assert_int_eq(pread(fd, &byte, 1, 5), 1);
    ck_assert_int_eq(byte, 0);
    close(fd);
}
END_TEST

START_TEST(more_than_there_is_is_refused)
{
    int fd = make_file();
    uint64_t left = yn_memory_left();
    if (left < UINT64_C(1) << 60)
        ck_assert_int_eq(yn_memfd_reserve(fd, 0, left + (left / 2) + (UINT64_C(1) << 30)), -ENOMEM);
    ck_assert_uint_eq(memory_of(fd), 0);
    ck_assert_int_eq(yn_memfd_reserve(-1, 0, 1), -EBADF);
    close(fd);
}
END_TEST

START_TEST(nothing_is_written_beyond_the_limit_on_file_sizes)
{
    int fd = make_file();
    struct rlimit limit = {8 * MIB, RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(yn_memfd_reserve(fd, 0, 8 * MIB), 0);
    ck_assert_int_eq(yn_memfd_reserve(fd, 8 * MIB, 1), -ENOMEM);
    ck_assert_int_eq(yn_memfd_reserve(fd, 0, 8 * MIB + 1), -ENOMEM);
    ck_assert_uint_eq(length_of(fd), 8 * MIB);
    close(fd);
}
END_TEST

START_TEST(what_is_left_is_no_more_than_there_is)
{
    uint64_t total = yn_text_number("/proc/meminfo", "MemTotal:"), swap = yn_text_number("/proc/meminfo", "SwapTotal:");
    ck_assert(total != UINT64_MAX && swap != UINT64_MAX);
    ck_assert_uint_le(yn_memory_left(), (total + swap) * 1024);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("memfd");
    TCase *cases = test_case(suite, "memfd");
    tcase_add_test(cases, what_is_reserved_is_there);
    tcase_add_test(cases, what_is_given_back_is_zero);
    tcase_add_test(cases, more_than_there_is_is_refused);
    tcase_add_test(cases, nothing_is_written_beyond_the_limit_on_file_sizes);
    tcase_add_test(cases, what_is_left_is_no_more_than_there_is);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
