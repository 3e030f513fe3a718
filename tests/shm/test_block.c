/* Blocks by descriptor: sealed, read only, frozen, sent to a program that knows nothing of the team.
 * It must not leave a descriptor open, nor rely on where a block stands.
 * Read next: test_block_named.c. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <test.h>
#include <unistd.h>

#define SIZE ((size_t)12345)

static yunta_block *make_block(const yunta_block_options *options)
{
    yunta_block *block = NULL;
    ck_assert_int_eq(yunta_block_create(&block, SIZE, options), 0);
    ck_assert_uint_eq(yunta_block_size(block), SIZE);
    return block;
}

static void fill(yunta_block *block)
{
    unsigned char *bytes = yunta_block_address(block);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (unsigned char)(i * 7);
}

static bool is_filled(const yunta_block *block)
{
    const unsigned char *bytes = yunta_block_address(block);
    for (size_t i = 0; i < SIZE; i++)
        if (bytes[i] != (unsigned char)(i * 7))
            return false;
    return true;
}

static sigjmp_buf faulted;

static void on_fault(int number)
{
    siglongjmp(faulted, number);
}

/* Whether a store there is refused by the machine. */
static bool is_store_refused(void *address)
{
    struct sigaction act = {.sa_handler = on_fault}, old;
    sigaction(SIGSEGV, &act, &old);
    volatile bool refused = true;
    if (sigsetjmp(faulted, 1) == 0) {
        *(volatile char *)address = 1;
        refused = false;
    }
    sigaction(SIGSEGV, &old, NULL);
    return refused;
}

START_TEST(a_new_block_is_zeroed_and_of_one_size_for_ever)
{
    yunta_block *block = make_block(NULL);
    const char *bytes = yunta_block_address(block);
    for (size_t i = 0; i < SIZE; i++)
        ck_assert_int_eq(bytes[i], 0);
    fill(block);
    int fd = yunta_block_descriptor(block);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(ftruncate(fd, 1), -1);
    ck_assert_int_eq(errno, EPERM);
    ck_assert_int_eq(ftruncate(fd, 1 << 20), -1);
    ck_assert_int_eq(errno, EPERM);
    ck_assert(!yunta_block_is_frozen(block));
    ck_assert(is_filled(block));
    ck_assert_ptr_null(yunta_block_destroy(block));
}
END_TEST

START_TEST(nobody_but_this_user_can_open_it_anew)
{
    yunta_block *block = make_block(NULL);
    struct stat s;
    ck_assert_int_eq(fstat(yunta_block_descriptor(block), &s), 0);
    ck_assert_uint_eq(s.st_mode & 0777, 0600);
    yunta_block_destroy(block);
}
END_TEST

START_TEST(its_memory_is_there_from_the_beginning)
{
    yunta_block *block = NULL;
    ck_assert_int_eq(yunta_block_create(&block, 1 << 20, NULL), 0);
    struct stat s;
    ck_assert_int_eq(fstat(yunta_block_descriptor(block), &s), 0);
    ck_assert_int_ge(s.st_blocks * 512, 1 << 20);
    yunta_block_destroy(block);
}
END_TEST

START_TEST(opened_twice_it_is_the_same_memory)
{
    yunta_block *block = make_block(NULL), *again = NULL;
    ck_assert_int_eq(yunta_block_open(&again, yunta_block_descriptor(block), NULL), 0);
    ck_assert_ptr_ne(yunta_block_address(block), yunta_block_address(again));
    ck_assert_uint_eq(yunta_block_size(again), SIZE);
    fill(block);
    yunta_block_destroy(block);
    ck_assert(is_filled(again));
    yunta_block_destroy(again);
}
END_TEST

START_TEST(a_read_only_descriptor_gives_no_right_to_write)
{
    yunta_block *block = make_block(NULL), *reader = NULL;
    fill(block);
    int fd = yunta_block_read_only_descriptor(block);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_ptr_eq(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    ck_assert_int_eq(yunta_block_open(&reader, fd, NULL), -EACCES);
    ck_assert_int_eq(yunta_block_open(&reader, fd, &(yunta_block_options){.read_only = true}), 0);
    close(fd);
    ck_assert(is_filled(reader));
    ck_assert(is_store_refused(yunta_block_address(reader)));
    ck_assert_int_ne(mprotect(yunta_block_address(reader), SIZE, PROT_READ | PROT_WRITE), 0);
    ck_assert_int_eq(yunta_block_freeze(reader), -EPERM);
    yunta_block_destroy(reader);
    /* Asked for reading only, by a descriptor that could write: what one hands on is for reading, too. */
    ck_assert_int_eq(
        yunta_block_open(&reader, yunta_block_descriptor(block), &(yunta_block_options){.read_only = true}), 0);
    ck_assert_int_eq(fcntl(yunta_block_descriptor(reader), F_GETFL) & O_ACCMODE, O_RDONLY);
    yunta_block_destroy(reader);
    yunta_block_destroy(block);
}
END_TEST

START_TEST(a_frozen_block_changes_no_more)
{
    yunta_block *block = make_block(NULL), *reader = NULL;
    const yunta_block_options only_frozen = {.read_only = true, .only_frozen = true};
    ck_assert_int_eq(yunta_block_open(&reader, yunta_block_descriptor(block), &only_frozen), -EPERM);
    fill(block);
    void *address = yunta_block_address(block);
    ck_assert_int_eq(yunta_block_freeze(block), 0);
    ck_assert_int_eq(yunta_block_freeze(block), 0);
    ck_assert(yunta_block_is_frozen(block));
    ck_assert_ptr_eq(yunta_block_address(block), address);
    ck_assert(is_store_refused(address));
    ck_assert_int_eq(pwrite(yunta_block_descriptor(block), "x", 1, 0), -1);
    ck_assert_int_eq(yunta_block_open(&reader, yunta_block_descriptor(block), NULL), -EPERM);
    ck_assert_int_eq(yunta_block_open(&reader, yunta_block_descriptor(block), &only_frozen), 0);
    ck_assert(yunta_block_is_frozen(reader));
    ck_assert_int_eq(yunta_block_freeze(reader), 0);
    yunta_block_destroy(block);
    ck_assert(is_filled(reader));
    yunta_block_destroy(reader);
}
END_TEST

START_TEST(what_another_can_write_cannot_be_frozen)
{
    yunta_block *block = make_block(NULL), *writer = NULL;
    ck_assert_int_eq(yunta_block_open(&writer, yunta_block_descriptor(block), NULL), 0);
    ck_assert_int_eq(yunta_block_freeze(block), -EBUSY);
    ck_assert(!yunta_block_is_frozen(block));
    ck_assert(!is_store_refused(yunta_block_address(block)));
    fill(writer);
    yunta_block_destroy(writer);
    ck_assert_int_eq(yunta_block_freeze(block), 0);
    ck_assert(is_filled(block));
    yunta_block_destroy(block);
}
END_TEST

START_TEST(a_sole_writer_is_the_only_one)
{
    yunta_block *block = make_block(&(yunta_block_options){.sole_writer = true, .label = "mine"}), *other = NULL;
    int fd = yunta_block_descriptor(block);
    ck_assert_int_eq(yunta_block_open(&other, fd, NULL), -EPERM);
    ck_assert_int_eq(pwrite(fd, "x", 1, 0), -1);
    ck_assert_int_eq(yunta_block_open(&other, fd, &(yunta_block_options){.read_only = true}), 0);
    fill(block);
    ck_assert(is_filled(other));
    ck_assert_int_eq(yunta_block_freeze(block), 0);
    ck_assert(yunta_block_is_frozen(other));
    ck_assert(is_store_refused(yunta_block_address(block)));
    yunta_block_destroy(other);
    yunta_block_destroy(block);
}
END_TEST

START_TEST(what_could_be_shrunk_is_refused)
{
    int fd = memfd_create("loose", MFD_CLOEXEC | MFD_ALLOW_SEALING), none = memfd_create("none", MFD_CLOEXEC);
    ck_assert(fd >= 0 && none >= 0);
    yunta_block *block = NULL;
    const yunta_block_options loose = {.accept_unsealed = true};
    ck_assert_int_eq(yunta_block_open(&block, fd, &loose), -ENODATA);
    ck_assert_int_eq(ftruncate(fd, 5000), 0);
    ck_assert_int_eq(ftruncate(none, 5000), 0);
    ck_assert_int_eq(yunta_block_open(&block, fd, NULL), -EPERM);
    ck_assert_int_eq(yunta_block_open(&block, none, NULL), -EPERM);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0); /* its content stands, its size does not */
    ck_assert_int_eq(yunta_block_open(&block, fd, &(yunta_block_options){.accept_unsealed = true, .only_frozen = true}),
                     -EPERM);
    ck_assert_ptr_null(block);
    ck_assert_int_eq(yunta_block_open(&block, none, &loose), 0);
    ck_assert_uint_eq(yunta_block_size(block), 5000);
    ck_assert_int_eq(yunta_block_freeze(block), -EPERM);
    yunta_block_destroy(block);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    ck_assert_int_eq(yunta_block_open(&block, fd, &(yunta_block_options){.read_only = true}), 0);
    yunta_block_destroy(block);
    close(fd);
    close(none);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
    yunta_block *block = NULL;
    char long_label[300];
    memset(long_label, 'x', sizeof long_label);
    long_label[sizeof long_label - 1] = 0;
    ck_assert_int_eq(yunta_block_create(NULL, SIZE, NULL), -EINVAL);
    ck_assert_int_eq(yunta_block_create(&block, 0, NULL), -EINVAL);
    ck_assert_int_eq(yunta_block_create(&block, SIZE_MAX, NULL), -EOVERFLOW);
    ck_assert_int_eq(yunta_block_create(&block, (size_t)1 << 60, NULL), -ENOMEM);
    ck_assert_int_eq(yunta_block_create(&block, SIZE, &(yunta_block_options){.label = long_label}), -EINVAL);
    ck_assert_int_eq(yunta_block_create(&block, SIZE, &(yunta_block_options){.read_only = true}), -EINVAL);
    ck_assert_int_eq(yunta_block_create(&block, SIZE, &(yunta_block_options){.reserved = {1}}), -EINVAL);
    ck_assert_int_eq(yunta_block_open(NULL, 0, NULL), -EINVAL);
    ck_assert_int_eq(yunta_block_open(&block, -1, NULL), -EBADF);
    ck_assert_int_eq(yunta_block_open(&block, 1000000, NULL), -EBADF);
    ck_assert_int_eq(yunta_block_open(&block, 0, &(yunta_block_options){.sole_writer = true}), -EINVAL);
    ck_assert_int_eq(yunta_block_open(&block, 0, &(yunta_block_options){.reserved = {0, 0, 0, 1}}), -EINVAL);
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(yunta_block_open(&block, ends[0], NULL), -EBADF);
    close(ends[0]);
    close(ends[1]);
    ck_assert_ptr_null(block);
    ck_assert_ptr_null(yunta_block_destroy(NULL));
    ck_assert_ptr_null(yunta_block_address(NULL));
    ck_assert_uint_eq(yunta_block_size(NULL), 0);
    ck_assert_int_eq(yunta_block_descriptor(NULL), -EINVAL);
    ck_assert_int_eq(yunta_block_read_only_descriptor(NULL), -EINVAL);
    ck_assert_int_eq(yunta_block_freeze(NULL), -EINVAL);
    ck_assert(!yunta_block_is_frozen(NULL));
}
END_TEST

/* The other program: this one executed anew without its first name's suite; it knows the socket, and nothing else. */
static int receive_descriptor(int socket)
{
    char byte;
    struct iovec part = {&byte, 1};
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&message))
        return -1;
    int fd;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return fd;
}

static void send_descriptor(int socket, int fd)
{
    char byte = 1;
    struct iovec part = {&byte, 1};
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(head), &fd, sizeof fd);
    ck_assert_int_eq(sendmsg(socket, &message, 0), 1);
}

#define GUEST "--a-program-of-its-own"

/* Gets a block to write into, then one to read. */
static int be_guest(int socket)
{
    yunta_block *block, *readable;
    int fd = receive_descriptor(socket);
    if (fd < 0 || yunta_block_open(&block, fd, NULL) != 0 || yunta_block_size(block) != SIZE || !is_filled(block))
        return 1;
    close(fd);
    if (ftruncate(yunta_block_descriptor(block), 1) == 0)
        return 2;
    strcpy(yunta_block_address(block), "been here");
    yunta_block_destroy(block);
    fd = receive_descriptor(socket);
    if (fd < 0 || yunta_block_open(&readable, fd, NULL) != -EACCES)
        return 3;
    if (yunta_block_open(&readable, fd, &(yunta_block_options){.read_only = true, .only_frozen = true}) != 0)
        return 4;
    bool filled = is_filled(readable);
    yunta_block_destroy(readable);
    return filled ? 0 : 5;
}

START_TEST(a_program_of_its_own_is_sent_blocks)
{
    yunta_block *block = make_block(NULL), *frozen = make_block(NULL);
    fill(block);
    fill(frozen);
    ck_assert_int_eq(yunta_block_freeze(frozen), 0);
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    pid_t guest = test_fork();
    if (guest == 0) {
        dup2(ends[1], 0);
        execl("/proc/self/exe", "guest", GUEST, (char *)NULL);
        _exit(99);
    }
    close(ends[1]);
    send_descriptor(ends[0], yunta_block_descriptor(block));
    int fd = yunta_block_read_only_descriptor(frozen), status = -1;
    ck_assert_int_ge(fd, 0);
    send_descriptor(ends[0], fd);
    ck_assert_int_eq(waitpid(guest, &status, 0), guest);
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(yunta_block_address(block), "been here");
    close(fd);
    close(ends[0]);
    yunta_block_destroy(frozen);
    yunta_block_destroy(block);
}
END_TEST

START_TEST(a_killed_user_leaves_the_block_to_the_others)
{
    yunta_block *block = make_block(NULL);
    fill(block);
    pid_t child = fork();
    if (child == 0) {
        yunta_block *mine;
        if (yunta_block_open(&mine, yunta_block_descriptor(block), NULL) == 0)
            raise(SIGKILL);
        _exit(1);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    ck_assert(is_filled(block));
    ck_assert_int_eq(yunta_block_freeze(block), 0); /* the dead one's mapping is no hindrance */
    yunta_block_destroy(block);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("block");
    TCase *cases = test_case(suite, "descriptors");
    tcase_add_test(cases, a_new_block_is_zeroed_and_of_one_size_for_ever);
    tcase_add_test(cases, nobody_but_this_user_can_open_it_anew);
    tcase_add_test(cases, its_memory_is_there_from_the_beginning);
    tcase_add_test(cases, opened_twice_it_is_the_same_memory);
    tcase_add_test(cases, a_read_only_descriptor_gives_no_right_to_write);
    tcase_add_test(cases, a_frozen_block_changes_no_more);
    tcase_add_test(cases, what_another_can_write_cannot_be_frozen);
    tcase_add_test(cases, a_sole_writer_is_the_only_one);
    tcase_add_test(cases, what_could_be_shrunk_is_refused);
    tcase_add_test(cases, what_makes_no_sense_is_refused);
    tcase_add_test(cases, a_program_of_its_own_is_sent_blocks);
    tcase_add_test(cases, a_killed_user_leaves_the_block_to_the_others);
    return suite;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], GUEST) == 0)
        return be_guest(0);
    return test_main(argc, argv, make);
}
