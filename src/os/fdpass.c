/* Messages with descriptors over SOCK_SEQPACKET, by raw calls so that a forked child may use them too.
 * Never leaves a received descriptor open that its caller does not know of.
 * Next: proc/news.h, which says what is sent to the watch. */
#include "os/fdpass.h"
#include "os/rawsys.h"

#include <sched.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

union control {
    char bytes[CMSG_SPACE(sizeof(int) * YN_FDPASS_MOST)];
    struct cmsghdr align;
};

int yn_fdpass_pair(int ends[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0 ? 0 : -errno;
}

YN_IN_CHILD int yn_fdpass_send(int socket, const void *message, size_t size, const int *fds, int count, bool wait)
{
    yn_assert(count <= YN_FDPASS_MOST);
    union control control;
    memset(&control, 0, sizeof control);
    struct iovec data = {.iov_base = (void *)(uintptr_t)message, .iov_len = size};
    struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1};
    if (count > 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)count);
    }
    for (;;) {
        long n = yn_raw3(SYS_sendmsg, socket, &header, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
        if (n >= 0)
            return 0;
        if (n == -ETOOMANYREFS && wait)
            sched_yield(); /* until the receiver has taken some of those under way */
        else if (n != -EINTR)
            return (int)n;
    }
}

static int take_fds(struct msghdr *header, int *fds, int most)
{
    int count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        int n = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + sizeof(int) * (size_t)i, sizeof fd);
            if (count < most)
                fds[count++] = fd;
            else
                close(fd);
        }
    }
    return count;
}

int yn_fdpass_receive(int socket, void *message, size_t size, int *fds, int most, int *count, bool wait)
{
    union control control;
    struct iovec data = {.iov_base = message, .iov_len = size};
    struct msghdr header = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control};
    ssize_t n;
    do
        n = recvmsg(socket, &header, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n < 0 ? -errno : 0;
    *count = take_fds(&header, fds, most);
    return (size_t)n == size ? 1 : -EBADMSG;
}
