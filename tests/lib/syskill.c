/* The tracer: lets a family of processes go from system call to system call, and strikes at the chosen one: kills who
 * makes it, or lets it fail. It must not know what they do, nor hold anybody once it has struck.
 * Read next: syskill.h; tests/crash/test_syscall_kill.c. */
#include "syskill.h"

#include "stepkill.h"
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_MS 10000
#define MOST 64

typedef enum standing { FOLLOWED, LET_GO, GONE } standing;

typedef struct tracee {
    pid_t pid;
    standing standing;
    long stops;
    int error; /* the call that it is in is to give this */
} tracee;

/* All that were made in one run, in order of their appearance. */
typedef struct family {
    const syskill_plan *plan;
    tracee members[MOST];
    int count;
    long point;  /* at which it strikes */
    long calls;  /* of those that are to fail, so far */
    bool struck; /* it has */
    int status;  /* of the first one, once it is gone */
} family;

bool syskill_is_possible(void)
{
    return step_is_possible();
}

static void on_alarm(int signal)
{
    (void)signal;
}

/* While it runs, waitpid returns now and then. */
static void set_alarm(bool on)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval timer = {{0, on ? 100000 : 0}, {0, on ? 100000 : 0}};
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static tracee *find(family *f, pid_t pid)
{
    for (int i = 0; i < f->count; i++)
        if (f->members[i].pid == pid)
            return &f->members[i];
    return NULL;
}

static tracee *note(family *f, pid_t pid)
{
    tracee *t = find(f, pid);
    if (t)
        return t;
    ck_assert_int_lt(f->count, MOST);
    f->members[f->count] = (tracee){.pid = pid};
    return &f->members[f->count++];
}

/* Its parent's stop may be heard of after its own first one, but not after a later one. */
static void note_born(family *f, pid_t parent)
{
    unsigned long pid = 0;
    if (ptrace(PTRACE_GETEVENTMSG, parent, NULL, &pid) == 0 && pid > 0)
        note(f, (pid_t)pid);
}

static void go_on(const family *f, tracee *t, int signal)
{
    if (ptrace(f->struck ? PTRACE_DETACH : PTRACE_SYSCALL, t->pid, NULL, (void *)(long)signal) == 0 && f->struck)
        t->standing = LET_GO;
}

#if defined(__x86_64__)
#define CALL offsetof(struct user, regs.orig_rax)
#define RESULT offsetof(struct user, regs.rax)
#define SECOND offsetof(struct user, regs.rsi)

static bool is_fault(const syskill_fault *fault, long call, long second)
{
    return fault->call == call && (fault->second == 0 || fault->second == second);
}

/* A call begins: it will be none if it is the one that is to fail. */
static void enter(family *f, tracee *t)
{
    long call = ptrace(PTRACE_PEEKUSER, t->pid, (void *)CALL, NULL);
    long second = ptrace(PTRACE_PEEKUSER, t->pid, (void *)SECOND, NULL);
    for (int i = 0; i < f->plan->fault_count; i++)
        if (is_fault(&f->plan->faults[i], call, second) && ++f->calls == f->point) {
            t->error = f->plan->faults[i].error;
            ptrace(PTRACE_POKEUSER, t->pid, (void *)CALL, -1L);
        }
}

static void leave(family *f, tracee *t)
{
    if (t->error == 0)
        return;
    ptrace(PTRACE_POKEUSER, t->pid, (void *)RESULT, (long)-t->error);
    f->struck = true;
}
#else
static void enter(family *f, tracee *t)
{
    (void)f, (void)t;
}
static void leave(family *f, tracee *t)
{
    (void)f, (void)t;
}
#endif

/* At the beginning of a call, or at its end. True: that was it, and the process is dead. */
static bool strike(family *f, tracee *t)
{
    struct __ptrace_syscall_info info = {0};
    t->stops++;
    if (f->plan->fault_count == 0) {
        f->struck = t->stops == f->point && t == &f->members[f->plan->victim];
        if (f->struck)
            kill(t->pid, SIGKILL);
        return f->struck;
    }
    ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, (void *)sizeof info, &info);
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
        enter(f, t);
    else
        leave(f, t);
    return false;
}

static void stopped(family *f, pid_t pid, int status)
{
    tracee *t = note(f, pid);
    int event = status >> 16, signal = WSTOPSIG(status);
    if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE)
        note_born(f, pid);
    if (signal == (SIGTRAP | 0x80)) {
        signal = 0;
        if (!f->struck && strike(f, t))
            return;
    } else if (event || signal == SIGSTOP) { /* an event, or how a new one begins */
        signal = 0;
    }
    go_on(f, t, signal);
}

/* One piece of news from anybody; others than the family may be among the test's children. */
static void hear(family *f)
{
    int status;
    pid_t pid = waitpid(-1, &status, __WALL);
    if (pid < 0)
        return; /* the alarm */
    if (WIFSTOPPED(status)) {
        stopped(f, pid, status);
        return;
    }
    tracee *t = find(f, pid);
    if (t)
        t->standing = GONE;
    if (t == &f->members[0])
        f->status = status;
}

static bool is_anybody_followed(const family *f)
{
    for (int i = 0; i < f->count; i++)
        if (f->members[i].standing == FOLLOWED)
            return true;
    return false;
}

/* All that the first one has started must go with it; they are not the test's children. */
static void all_must_be_gone(const family *f)
{
    for (int i = 0; i < f->count; i++)
        test_wait_until(!test_is_running(f->members[i].pid), END_MS);
}

static void begin(family *f)
{
    const syskill_plan *plan = f->plan;
    if (plan->setup)
        plan->setup(plan->context);
    pid_t pid = test_fork();
    if (pid == 0) {
        if (plan->prepare)
            plan->prepare(plan->context);
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(98);
        raise(SIGSTOP);
        _exit(plan->run(plan->context));
    }
    int status;
    while (waitpid(pid, &status, 0) < 0)
        ck_assert_int_eq(errno, EINTR);
    ck_assert_msg(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP, "the first one did not begin: status %#x",
                  (unsigned)status);
    long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                   PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
    ck_assert_int_eq(ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)options), 0);
    go_on(f, note(f, pid), 0);
}

/* False: the victim came to its end, or was never there, before this point. */
static bool run_once(family *f)
{
    begin(f);
    uint64_t end = test_now_ms() + END_MS;
    while (f->members[0].standing != GONE || is_anybody_followed(f)) {
        ck_assert_msg(test_now_ms() < end, "point %ld of process %d, %s: the others do not come to their end", f->point,
                      f->plan->victim, f->struck ? "struck" : "not struck");
        hear(f);
    }
    bool first = f->struck && f->plan->victim == 0 && f->plan->fault_count == 0;
    ck_assert_msg(first || f->status == 0, "point %ld of process %d: the first one ended with status %#x", f->point,
                  f->plan->victim, (unsigned)f->status);
    all_must_be_gone(f);
    if (f->plan->check)
        f->plan->check(f->plan->context, f->point);
    return f->struck;
}

long syskill_sweep(const syskill_plan *plan)
{
    family *f = malloc(sizeof *f);
    ck_assert_ptr_nonnull(f);
    long point = 0;
    bool struck;
    set_alarm(true);
    do {
        *f = (family){.plan = plan, .point = ++point};
        struck = run_once(f);
    } while (struck);
    set_alarm(false);
    free(f);
    return point - 1;
}
