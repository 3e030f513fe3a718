/* Doorbells. Rung by the watch as well: so there nothing of libc that takes a lock or sets errno.
 * Never blocks; a bell that has been rung often enough already is not rung once more.
 * Next: sync/listen.c, who rings for whom. */
#include "os/doorbell.h"
#include "os/rawsys.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

/* "\0yunta-bell-" and the number in hexadecimal. */
static socklen_t name_of(uint64_t number, struct sockaddr_un *address)
{
    static const char prefix[] = "yunta-bell-", digits[] = "0123456789abcdef";
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    char *p = address->sun_path + 1;
    for (size_t i = 0; i + 1 < sizeof prefix; i++)
        *p++ = prefix[i];
    for (int shift = 60; shift >= 0; shift -= 4)
        *p++ = digits[number >> shift & 15];
    return (socklen_t)(p - (char *)address);
}

static int new_socket(void)
{
    return (int)yn_raw3(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Not in the place of a standard stream that happens to be closed. */
static int lift(int fd)
{
    if (fd < 0 || fd > 2)
        return fd;
    int high = (int)yn_raw3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3);
    yn_doorbell_close(fd);
    return high;
}

int yn_doorbell_open(uint64_t *number)
{
    int s = lift(new_socket());
    for (long r = -EADDRINUSE; s >= 0 && r != 0;) {
        struct sockaddr_un address;
        *number = 0;
        r = yn_raw3(SYS_getrandom, number, sizeof *number, 0);
        if (r == -EINTR || (r >= 0 && *number == 0)) {
            r = -EADDRINUSE;
            continue;
        }
        socklen_t size = name_of(*number, &address);
        r = r < 0 ? r : yn_raw3(SYS_bind, s, &address, size);
        if (r != 0 && r != -EADDRINUSE) {
            yn_doorbell_close(s);
            s = (int)r;
        }
    }
    return s;
}

int yn_doorbell_ring(int *from, uint64_t number)
{
    struct sockaddr_un address;
    socklen_t size = name_of(number, &address);
    if (*from < 0)
        *from = new_socket();
    if (*from < 0)
        return *from;
    long r;
    do
        r = yn_raw6(SYS_sendto, *from, (long)"", 1, MSG_DONTWAIT | MSG_NOSIGNAL, (long)&address, (long)size);
    while (r == -EINTR);
    return r == 1 || r == -EAGAIN ? 0 : (int)r; /* full: it is readable */
}

void yn_doorbell_quiet(int doorbell)
{
    char byte;
    while (yn_raw6(SYS_recvfrom, doorbell, (long)&byte, 1, MSG_DONTWAIT, 0, 0) != -EAGAIN) {
    }
}

static int add(int all, int one)
{
    struct epoll_event event = {.events = EPOLLIN};
    return (int)yn_raw4(SYS_epoll_ctl, all, EPOLL_CTL_ADD, one, &event);
}

int yn_doorbell_join(int one, int other)
{
    int all = lift((int)yn_raw1(SYS_epoll_create1, EPOLL_CLOEXEC));
    int r = all < 0 ? all : add(all, one);
    r = r == 0 ? add(all, other) : r;
    if (r == 0)
        return all;
    yn_doorbell_close(all);
    return r;
}

void yn_doorbell_close(int descriptor)
{
    if (descriptor >= 0)
        yn_raw1(SYS_close, descriptor);
}
