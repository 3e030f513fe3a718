/* The forkserver's loop: a request comes, a child is forked; a child ends, its record is finished.
 * Never runs anything of the program's but in its children, never has a second thread: so its children inherit no
 * locks. Next: proc/launch_forkserver.c, the other side. */
#include "proc/server.h"
#include "os/fdpass.h"
#include "os/oom.h"
#include "os/rawsys.h"
#include "proc/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct served {
    struct served *next;
    pid_t pid;
    yunta_process *record; /* the request's reference */
} served;

typedef struct server {
    yn_self *me;
    served *children;
    int deaths; /* signalfd */
} server;

/* In the child: the requester's streams, directory and process group in place of the server's. */
static void become(server *s, const yn_server_request *request, const int *fds, int count)
{
    int streams[3] = {YN_STREAM_INHERIT, YN_STREAM_INHERIT, YN_STREAM_INHERIT};
    int next = 0;
    close(s->deaths);
    if (setpgid(0, request->group) != 0)
        setpgid(0, 0); /* the caller has made a session of its own: then rather alone than with the server */
    for (int i = 0; i < 3; i++) {
        if (request->present & (1u << i) && next < count)
            streams[i] = fds[next++];
        else
            close(i);
    }
    int error = yn_child_set_streams(streams);
    if (request->present & 8u && next < count && fchdir(fds[next]) != 0 && error == 0)
        error = -errno;
    for (int i = 0; i < count; i++)
        close(fds[i]);
    if (error != 0) {
        atomic_store(&request->record->start_error, error);
        yn_record_set_state(request->record, YN_PROCESS_FAILED);
        _exit(127);
    }
    struct yn_child_birth birth = {.purge = true};
    yn_child_run(request->record, &birth);
}

static void refuse(yunta_process *record, int error)
{
    atomic_store(&record->start_error, error);
    yn_record_set_state(record, YN_PROCESS_FAILED);
}

static void serve(server *s, const yn_server_request *request, const int *fds, int count)
{
    yunta_process *record = request->record;
    yn_claim nobody = 0;
    if (!atomic_compare_exchange_strong(&record->server, &nobody, s->me->claim)) {
        yn_record_release(s->me, record); /* taken back */
        return;
    }
    served *child = malloc(sizeof *child);
    pid_t pid = child ? fork() : -1;
    if (pid == 0)
        become(s, request, fds, count);
    if (pid < 0) {
        refuse(record, child ? -errno : -ENOMEM);
        free(child);
        yn_record_release(s->me, record);
        return;
    }
    atomic_store(&record->pid, pid);
    *child = (served){.next = s->children, .pid = pid, .record = record};
    s->children = child;
}

static void finish(server *s, pid_t pid, int status, const struct rusage *usage)
{
    for (served **link = &s->children; *link; link = &(*link)->next) {
        served *child = *link;
        if (child->pid != pid)
            continue;
        *link = child->next;
        bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        yn_record_finish(s->me, child->record, true, status, usage, killed && yn_oom_rose());
        yn_record_release(s->me, child->record);
        free(child);
        return;
    }
}

static void reap(server *s)
{
    struct signalfd_siginfo info;
    struct rusage usage;
    int status;
    pid_t pid;
    while (read(s->deaths, &info, sizeof info) == (ssize_t)sizeof info) {
    }
    while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0)
        finish(s, pid, status, &usage);
}

static void listen_once(server *s)
{
    yn_server_request request;
    int fds[4], count = 0;
    int r = yn_fdpass_receive(yn_team.server[1], &request, sizeof request, fds, (int)YN_COUNT(fds), &count, false);
    if (r == 1)
        serve(s, &request, fds, count);
    for (int i = 0; i < count; i++)
        close(fds[i]);
}

int yn_server_main(const void *unused)
{
    (void)unused;
    int error, filled;
    do /* so that no descriptor that is passed to us ever takes the place of a stream */
        filled = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (filled >= 0 && filled < 3);
    server s = {.me = yn_self_get(&error)};
    yn_oom_note();
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    s.deaths = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s.deaths < 0)
        return 1;
    for (;;) {
        struct pollfd p[2] = {{.fd = yn_team.server[1], .events = POLLIN}, {.fd = s.deaths, .events = POLLIN}};
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return 1; /* NOLINT(clang-analyzer-unix.Malloc): what it has allocated ends with it */
        if (p[1].revents)
            reap(&s);
        if (p[0].revents)
            listen_once(&s);
    }
}
