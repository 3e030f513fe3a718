/* The forkserver's loop: a request comes, a child is forked; a child ends, its record is finished.
 * Never runs anything of the program's but in its children, never has a second thread: so its children inherit no
 * locks. Next: proc/launch_forkserver.c, the other side. */
#include "proc/server.h"
#include "os/fdpass.h"
#include "os/life.h"
#include "os/oom.h"
#include "os/rawsys.h"
#include "proc/child.h"
#include "proc/signals.h"
#include "proc/team.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

typedef struct server {
    yn_self *me;
    yunta_process *children;                /* with the references of their requests */
    int deaths;                             /* signalfd */
    uint64_t changed_signals;               /* what children inherit other than at the default */
    char last[sizeof(yn_image_ref_shared)]; /* the function looked up last, and where it is here */
    void (*found)(void);
} server;

static void note(int *error, long result)
{
    if (result < 0 && *error == 0)
        *error = (int)result;
}

/* In one call if their numbers follow on one another, as they mostly do. */
YN_IN_CHILD static void close_all(int first, const int *fds, int count)
{
    bool follow = true;
    for (int i = 0; i < count; i++)
        follow = follow && fds[i] == first + 1 + i;
    if (follow && yn_raw3(SYS_close_range, first, first + count, 0) == 0)
        return;
    yn_raw1(SYS_close, first);
    for (int i = 0; i < count; i++)
        yn_raw1(SYS_close, fds[i]);
}

/* In the child: the requester's streams, directory and process group in place of the server's. */
YN_IN_CHILD static void become(server *s, const yn_server_request *request, const int *fds, int count)
{
    int next = 0, error = 0;
    if (yn_raw2(SYS_setpgid, 0, request->group) != 0)
        yn_raw2(SYS_setpgid, 0,
                0);               /* the caller has made a session of its own: then rather alone than with the server */
    for (int i = 0; i < 3; i++) { /* what was passed to us is none of the three: see yn_server_main */
        if (!(request->present & (1u << i)) || next >= count)
            yn_raw1(SYS_close, i);
        else
            note(&error, yn_raw3(SYS_dup3, fds[next++], i, 0));
    }
    if (request->present & 8u && next < count)
        note(&error, yn_raw1(SYS_fchdir, fds[next]));
    close_all(s->deaths, fds, count);
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

/* Looked for once, if it is asked for again and again. */
static bool find(server *s, const yn_image_ref_shared *ref)
{
    if (memcmp(s->last, ref, sizeof s->last) == 0)
        return s->found != NULL;
    memcpy(s->last, ref, sizeof s->last);
    s->found = NULL;
    return yn_image_find(ref, &s->found) == 0;
}

/* Ours began as that of the program. */
static bool is_environment(char *const *wanted)
{
    char **own = environ;
    while (own && *own && *wanted && strcmp(*own, *wanted) == 0) {
        own++;
        wanted++;
    }
    return own && !*own && !*wanted;
}

/* What its child would else find out. A function in a library that is not loaded here it looks for itself. */
static void prepare(server *s, yunta_process *record)
{
    uint32_t helped = YN_HELPED_SIGNALS | YN_HELPED_EXIT; /* we run nothing of the program's */
    record->changed_signals = s->changed_signals;
    if (find(s, record->function)) {
        record->call = (int (*)(const void *))s->found;
        helped |= YN_HELPED_FUNCTION;
    }
    if (record->setup && record->setup->has_environment && is_environment(record->setup->environment))
        helped |= YN_HELPED_ENVIRONMENT;
    atomic_fetch_or(&record->helped, helped);
}

static void announce(server *s, yunta_process *record, pid_t pid)
{
    int seen = yn_life_open_pid(pid);
    if (seen < 0)
        return;
    if (yn_team_announce_child(s->me, atomic_load(&record->who), pid, seen))
        atomic_fetch_or(&record->helped, YN_HELPED_ANNOUNCED);
    close(seen);
}

static void serve(server *s, const yn_server_request *request, const int *fds, int count)
{
    yunta_process *record = request->record;
    yn_claim nobody = 0;
    if (!atomic_compare_exchange_strong(&record->server, &nobody, s->me->claim)) {
        yn_record_release(s->me, record); /* taken back */
        return;
    }
    prepare(s, record);
    pid_t pid = fork();
    if (pid == 0)
        become(s, request, fds, count);
    if (pid < 0) {
        refuse(record, -errno);
        yn_record_release(s->me, record);
        return;
    }
    atomic_store(&record->pid, pid);
    announce(s, record, pid);
    record->next_served = s->children;
    s->children = record;
}

static void finish(server *s, pid_t pid, int status, const struct rusage *usage)
{
    for (yunta_process **link = &s->children; *link; link = &(*link)->next_served) {
        yunta_process *child = *link;
        if (atomic_load(&child->pid) != pid)
            continue;
        *link = child->next_served;
        bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        yn_record_finish(s->me, child, true, status, usage, killed && yn_oom_rose());
        yn_record_release(s->me, child);
        return;
    }
}

static void reap(server *s)
{
    struct signalfd_siginfo info;
    struct rusage usage;
    int status;
    pid_t pid;
    ssize_t some = read(s->deaths, &info, sizeof info); /* there is never more than one of a kind */
    (void)some;
    while (s->children && (pid = wait4(-1, &status, WNOHANG, &usage)) > 0)
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
    s.changed_signals = yn_signals_changed();
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
