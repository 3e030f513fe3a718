/* Descriptors posted to a process that need not be listening just then.
 * Never waits for a stranger, and never hands a descriptor to one.
 * Next: os/fdpass.c, how a descriptor goes over a socket; comm/pipe_post.c, who posts to whom. */
#include "os/mailbox.h"
#include "os/fdpass.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

uint64_t yn_random(void)
{
    uint64_t number = 0;
    while (number == 0)
        if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
            number = 0;
    return number;
}

static int new_socket(void)
{
    int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return s >= 0 ? s : -errno;
}

static socklen_t name_of(uint64_t door, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "yunta/%016llx",
                          (unsigned long long)door); /* the byte before it, 0, makes it abstract */
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

int yn_mailbox_open(uint64_t *door)
{
    struct sockaddr_un address;
    uint64_t wanted = yn_random();
    socklen_t size = name_of(wanted, &address);
    int s = new_socket();
    if (s < 0)
        return s;
    if (bind(s, (struct sockaddr *)&address, size) != 0 || listen(s, SOMAXCONN) != 0) {
        int r = -errno;
        close(s);
        return r;
    }
    *door = wanted;
    return s;
}

static pid_t peer_of(int s)
{
    struct ucred who = {0, 0, 0};
    socklen_t size = sizeof who;
    return getsockopt(s, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 ? who.pid : 0;
}

static int deliver(int s, uint64_t door, pid_t owner, uint64_t secret, int fd)
{
    struct sockaddr_un address;
    socklen_t size = name_of(door, &address);
    int r;
    do
        r = connect(s, (struct sockaddr *)&address, size);
    while (r != 0 && errno == EINTR);
    if (r != 0)
        return -errno;
    if (peer_of(s) != owner) /* whoever listens there now: the process that we mean is dead, or not to be seen */
        return -EPERM;
    return yn_fdpass_send(s, &secret, sizeof secret, &fd, 1, false);
}

int yn_mailbox_post(uint64_t door, pid_t owner, uint64_t secret, int fd)
{
    int s = new_socket();
    if (s < 0)
        return s;
    int r = deliver(s, door, owner, secret, fd);
    close(s); /* what was sent stays with the other half, which waits to be accepted */
    return r == -EPIPE || r == -ECONNRESET ? -ECONNREFUSED : r;
}

int yn_mailbox_accept(int mailbox, pid_t *sender)
{
    int s;
    do
        s = accept4(mailbox, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    while (s < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (s < 0)
        return -errno;
    *sender = peer_of(s);
    return s;
}

int yn_mailbox_take(int visitor, uint64_t secret, int *fd)
{
    /* The kernel drops a descriptor for which the receiver has no place. */
    int place = fcntl(visitor, F_DUPFD_CLOEXEC, 0);
    if (place < 0)
        return -errno;
    close(place);
    uint64_t told = 0;
    int count = 0, r = yn_fdpass_receive(visitor, &told, sizeof told, fd, 1, &count, false);
    if (r == -EAGAIN)
        return r;
    if (r == 1 && count == 1 && told == secret)
        return 1;
    if (count == 1)
        close(*fd);
    return 0;
}

void yn_mailbox_await(int visitor, yn_deadline deadline)
{
    struct pollfd p = {.fd = visitor, .events = POLLIN};
    poll(&p, 1, yn_deadline_poll_ms(deadline));
}
