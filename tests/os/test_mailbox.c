/* Mailbox: what is posted waits for its owner, whatever becomes of the sender; strangers get nothing.
 * It must not leave a socket behind.
 * Read next: src/os/mailbox.h. */
#include "os/mailbox.h"
#include "os/fdpass.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <test.h>
#include <unistd.h>

static int box;
static uint64_t door, secret;

static void open_box(void)
{
    box = yn_mailbox_open(&door);
    ck_assert_int_ge(box, 0);
    ck_assert_uint_ne(door, 0);
    secret = yn_random();
}

static void post_pipe_with(const char *text, uint64_t word)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], text, 1), 1);
    ck_assert_int_eq(yn_mailbox_post(door, getpid(), word, ends[0]), 0);
    close(ends[0]);
    close(ends[1]);
}

static int take_next(int *fd)
{
    pid_t who;
    int visitor = yn_mailbox_accept(box, &who);
    ck_assert_int_ge(visitor, 0);
    ck_assert_int_eq(who, getpid());
    int r = yn_mailbox_take(visitor, secret, fd);
    close(visitor);
    return r;
}

static void check_is(int fd, char expected)
{
    char c = 0;
    ck_assert_int_eq(read(fd, &c, 1), 1);
    ck_assert_int_eq(c, expected);
    close(fd);
}

START_TEST(what_is_posted_waits_in_order)
{
    int fd;
    pid_t who;
    open_box();
    ck_assert_int_eq(yn_mailbox_accept(box, &who), -EAGAIN);
    post_pipe_with("a", secret);
    post_pipe_with("b", secret);
    ck_assert_int_eq(take_next(&fd), 1);
    check_is(fd, 'a');
    ck_assert_int_eq(take_next(&fd), 1);
    check_is(fd, 'b');
    ck_assert_int_eq(yn_mailbox_accept(box, &who), -EAGAIN);
    close(box);
}
END_TEST

START_TEST(nothing_is_taken_without_the_secret)
{
    int fd = -1;
    open_box();
    post_pipe_with("x", secret + 1);
    size_t before = test_descriptor_count();
    ck_assert_int_eq(take_next(&fd), 0);
    ck_assert_uint_eq(test_descriptor_count(), before);
    close(box);
}
END_TEST

START_TEST(nothing_is_posted_to_another_process)
{
    open_box();
    ck_assert_int_eq(yn_mailbox_post(door, getppid(), secret, 0), -EPERM);
    close(box);
    ck_assert_int_eq(yn_mailbox_post(door, getpid(), secret, 0), -ECONNREFUSED);
}
END_TEST

START_TEST(a_visitor_that_is_gone_has_brought_nothing)
{
    int fd = -1, status;
    open_box();
    pid_t child = fork();
    if (child == 0) {
        int s = socket(AF_UNIX, SOCK_SEQPACKET, 0);
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int n = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "yunta/%016llx", (unsigned long long)door);
        _exit(connect(s, (void *)&address, (socklen_t)(sizeof(sa_family_t) + 1 + (size_t)n)) != 0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    pid_t who;
    int visitor = yn_mailbox_accept(box, &who);
    ck_assert_int_ge(visitor, 0);
    ck_assert_int_eq(who, child);
    yn_mailbox_await(visitor, yn_deadline_in(1000));
    ck_assert_int_eq(yn_mailbox_take(visitor, secret, &fd), 0);
    close(visitor);
    close(box);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("mailbox");
    TCase *cases = test_case(suite, "post");
    tcase_add_test(cases, what_is_posted_waits_in_order);
    tcase_add_test(cases, nothing_is_taken_without_the_secret);
    tcase_add_test(cases, nothing_is_posted_to_another_process);
    tcase_add_test(cases, a_visitor_that_is_gone_has_brought_nothing);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
