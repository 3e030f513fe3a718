/* The tracer: steps a child, looks after each step what has changed, and kills or stops it there.
 * It must not know what it steps through, nor run anything of the library in the victim itself.
 * Read next: stepkill.h; a test that uses it, as tests/crash/test_heap_kill.c. */
#include "stepkill.h"

#include "test.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKED_MS 500 /* a step that takes so long is a system call that waits */
#define END_MS 10000

/* As ck_assert_msg, for what is looked at after each step: Check notes each of its own assertions in a file. */
#define step_must(condition, ...)                                                                                      \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            ck_abort_msg(__VA_ARGS__);                                                                                 \
    } while (0)

/* Between the child and its tracer. */
typedef struct marks {
    _Atomic int begun, ended;
} marks;

typedef enum outcome { AT_POINT, ENDED, BLOCKED } outcome;

/* Where a point is: the instruction that comes next, and how often the child has come to it by then. */
typedef struct place {
    unsigned long at, visits;
} place;

/* How often the child has come to each instruction, by its address. */
#define VISITS 65536u

typedef struct tracer {
    const step_plan *plan;
    marks *marks;
    pid_t pid;
    unsigned char *copy[STEP_RANGES];
    size_t copied[STEP_RANGES];
    cpu_set_t processors; /* that it may use when it does not step */
    place *visits;        /* VISITS of them, while the points are looked for */
    place *points;
    long count;
} tracer;

void *step_shared(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_msg(p != MAP_FAILED, "no shared memory for the test");
    return p;
}

void step_unshare(void *memory, size_t size)
{
    munmap(memory, size);
}

/* Looks at the memory; true if it differs from the last look. */
static bool has_changed(tracer *t)
{
    bool changed = false;
    for (int i = 0; t->plan->memory && i < STEP_RANGES; i++) {
        const step_range *range = &t->plan->memory[i];
        if (range->size > t->copied[i]) {
            t->copy[i] = realloc(t->copy[i], range->size);
            ck_assert_ptr_nonnull(t->copy[i]);
            t->copied[i] = range->size;
            memset(t->copy[i], 0, range->size);
        }
        if (range->size > 0 && memcmp(t->copy[i], range->start, range->size) != 0) {
            memcpy(t->copy[i], range->start, range->size);
            changed = true;
        }
    }
    return changed;
}

/* Whether the next instruction is a system call. The child is our copy: its code is where ours is. */
static bool is_at_syscall(pid_t pid)
{
#if defined(__x86_64__)
    long at = ptrace(PTRACE_PEEKUSER, pid, (void *)offsetof(struct user, regs.rip), NULL);
    const unsigned char *code = (const unsigned char *)at;
    return code[0] == 0x0f && code[1] == 0x05;
#else
    (void)pid;
    return false;
#endif
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

/* Waits for the child's next stop or end: its status, or -1 if it takes longer than that. */
static int await_child(pid_t pid, uint64_t milliseconds)
{
    uint64_t end = test_now_ms() + milliseconds;
    int status;
    for (;;) {
        pid_t r = waitpid(pid, &status, 0);
        if (r == pid)
            return status;
        step_must(r < 0 && errno == EINTR, "waitpid: %s", strerror(errno));
        if (test_now_ms() >= end)
            return -1;
    }
}

/* A function of its own, to be stopped at. */
__attribute__((noinline)) static void come_to_end(marks *m)
{
    atomic_store(&m->ended, 1);
}

static void run_child(const step_plan *plan, marks *m)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(98);
    if (plan->prepare)
        plan->prepare(plan->context);
    raise(SIGSTOP);
    atomic_store(&m->begun, 1);
    plan->victim(plan->context);
    come_to_end(m);
    _exit(0);
}

static void start_child(tracer *t)
{
    if (t->plan->setup)
        t->plan->setup(t->plan->context);
    atomic_store(&t->marks->begun, 0);
    atomic_store(&t->marks->ended, 0);
    t->pid = test_fork();
    if (t->pid == 0)
        run_child(t->plan, t->marks);
    int status = await_child(t->pid, END_MS);
    ck_assert_msg(status != -1 && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP,
                  "the victim did not come to its beginning: status %#x", (unsigned)status);
    ck_assert_int_eq(ptrace(PTRACE_SETOPTIONS, t->pid, NULL, (void *)(long)PTRACE_O_EXITKILL), 0);
    has_changed(t);
}

static unsigned long where(const tracer *t)
{
#if defined(__x86_64__)
    return (unsigned long)ptrace(PTRACE_PEEKUSER, t->pid, (void *)offsetof(struct user, regs.rip), NULL);
#else
    (void)t;
    return 0;
#endif
}

/* Counts where it has come to, and notes the place as the next point if it is one. */
static void note_visit(tracer *t, bool is_point)
{
    unsigned long at = where(t);
    size_t i = at % VISITS;
    while (t->visits[i].at != 0 && t->visits[i].at != at)
        i = (i + 1) % VISITS;
    t->visits[i].at = at;
    t->visits[i].visits++;
    if (!is_point)
        return;
    t->points = realloc(t->points, sizeof(place) * (size_t)(t->count + 1));
    step_must(t->points != NULL, "no memory");
    t->points[t->count++] = t->visits[i];
}

/* Steps on to the point of this number; -1: as far as it goes, noting all points. */
static outcome step_to(tracer *t, long number)
{
    if (number < 0)
        note_visit(t, false);
    for (long point = 0; !atomic_load(&t->marks->ended);) {
        bool call = atomic_load(&t->marks->begun) && is_at_syscall(t->pid);
        step_must(ptrace(PTRACE_SINGLESTEP, t->pid, NULL, NULL) == 0, "the victim cannot be stepped: %s",
                  strerror(errno));
        int status = await_child(t->pid, BLOCKED_MS);
        if (status == -1)
            return point + 1 == number ? AT_POINT : BLOCKED;
        step_must(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP, "the victim ended by itself: status %#x",
                  (unsigned)status);
        bool is_point = (has_changed(t) || call) && atomic_load(&t->marks->begun);
        if (number < 0)
            note_visit(t, is_point);
        else if (is_point && ++point == number)
            return AT_POINT;
    }
    return ENDED;
}

/* Puts a trap instruction there: what was there before. */
static long set_trap(const tracer *t, unsigned long at)
{
    errno = 0;
    long was = ptrace(PTRACE_PEEKTEXT, t->pid, (void *)at, NULL);
    step_must(errno == 0 && ptrace(PTRACE_POKETEXT, t->pid, (void *)at, (was & ~0xffL) | 0xcc) == 0,
              "no breakpoint can be set: %s", strerror(errno));
    return was;
}

/* Lets it run until it comes to the place (0: none) or to its end. False: that, or it blocks. */
static bool run_on(const tracer *t, unsigned long at)
{
    unsigned long end = (unsigned long)(uintptr_t)come_to_end;
    at = at ? at : end;
    long at_end = set_trap(t, end), there = set_trap(t, at);
    step_must(ptrace(PTRACE_CONT, t->pid, NULL, NULL) == 0, "the victim cannot go on: %s", strerror(errno));
    int status = await_child(t->pid, BLOCKED_MS);
    if (status == -1)
        return false;
    step_must(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP, "the victim ended by itself: status %#x",
              (unsigned)status);
    ptrace(PTRACE_POKETEXT, t->pid, (void *)at, there);
    ptrace(PTRACE_POKETEXT, t->pid, (void *)end, at_end);
    unsigned long now = where(t) - 1;
#if defined(__x86_64__)
    ptrace(PTRACE_POKEUSER, t->pid, (void *)offsetof(struct user, regs.rip), now);
#endif
    return now == at;
}

/* False: it did not come there, as it may where it does not do the same in every run. */
static bool run_to(const tracer *t, const place *p)
{
    for (unsigned long visits = 0;;) {
        bool here = where(t) == p->at;
        if (here && ++visits == p->visits)
            return true;
        if (!here && !run_on(t, p->at))
            return false;
        if (!here)
            continue;
        step_must(ptrace(PTRACE_SINGLESTEP, t->pid, NULL, NULL) == 0, "the victim cannot be stepped");
        int status = await_child(t->pid, BLOCKED_MS);
        if (status == -1 || !WIFSTOPPED(status) || atomic_load(&t->marks->ended))
            return false;
    }
}

static void kill_child(tracer *t)
{
    kill(t->pid, SIGKILL);
    int status = await_child(t->pid, END_MS);
    ck_assert_msg(status != -1 && WIFSIGNALED(status), "the victim could not be killed: status %#x", (unsigned)status);
}

static void let_child_end(tracer *t)
{
    ptrace(PTRACE_CONT, t->pid, NULL, NULL); /* one that blocks is not stopped, and goes on by itself */
    int status = await_child(t->pid, END_MS);
    if (status != -1 && WIFSTOPPED(status)) {
        ptrace(PTRACE_CONT, t->pid, NULL, NULL);
        status = await_child(t->pid, END_MS);
    }
    ck_assert_msg(status == 0, "the victim did not come to its end: status %#x", (unsigned)status);
}

/* While it is stepped, the victim shares a processor with its tracer, which is several times faster, and where that is
 * allowed both run before all others: else each step would wait for the end of somebody's time slice. */
static void set_haste(const tracer *t, bool on)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    const struct sched_param first = {.sched_priority = 1}, normal = {.sched_priority = 0};
    const pid_t both[] = {t->pid, 0};
    for (int i = 0; i < 2; i++) {
        sched_setaffinity(both[i], sizeof one, on ? &one : &t->processors);
        sched_setscheduler(both[i], on ? SCHED_FIFO : SCHED_OTHER, on ? &first : &normal);
    }
}

/* Leads a child to the point, and does there what is to be done. False: it did not come there, but to its end, which
 * is how the last run goes. `known`: by breakpoints. */
static bool run_once(tracer *t, long number, bool known, bool stop)
{
    bool there = false;
    start_child(t);
    set_haste(t, true);
    if (!known)
        there = step_to(t, number) == AT_POINT;
    else if (number <= t->count)
        there = run_to(t, &t->points[number - 1]);
    else
        run_on(t, 0);
    set_haste(t, false);
    if (there && stop) {
        t->plan->meanwhile(t->plan->context, number);
        let_child_end(t);
    } else {
        kill_child(t);
    }
    if (there && t->plan->check)
        t->plan->check(t->plan->context, number);
    return there;
}

/* One run from beginning to end: where the points are. True if it came to its end. */
static bool find_points(tracer *t)
{
    t->visits = calloc(VISITS, sizeof(place));
    ck_assert_ptr_nonnull(t->visits);
    start_child(t);
    set_haste(t, true);
    bool ended = step_to(t, -1) == ENDED;
    set_haste(t, false);
    kill_child(t);
    free(t->visits);
    return ended;
}

/* By breakpoints if it can be; by steps where it may do something else each time. */
static bool run_one(tracer *t, long number, bool all_known, bool stop)
{
    bool known = number <= t->count;
    if (known || all_known) {
        if (run_once(t, number, true, stop))
            return true;
        if (!known)
            return false;
    }
    return run_once(t, number, false, stop);
}

static long sweep(const step_plan *plan, bool stop)
{
    tracer t = {.plan = plan, .marks = step_shared(sizeof(marks))};
    long number = plan->first > 0 ? plan->first : 1, points = 0;
    ck_assert_int_eq(sched_getaffinity(0, sizeof t.processors, &t.processors), 0);
    set_alarm(true);
    bool ended = plan->steady && find_points(&t);
    while (run_one(&t, number, ended, stop)) {
        number += plan->every > 0 ? plan->every : 1;
        points++;
    }
    set_alarm(false);
    for (int i = 0; i < STEP_RANGES; i++)
        free(t.copy[i]);
    free(t.points);
    step_unshare(t.marks, sizeof(marks));
    return points;
}

long step_kill_sweep(const step_plan *plan)
{
    return sweep(plan, false);
}

long step_stop_sweep(const step_plan *plan)
{
    return sweep(plan, true);
}

bool step_is_possible(void)
{
#if defined(__x86_64__)
    int status = 0;
    pid_t pid = test_is_valgrind() ? -1 : fork();
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
            raise(SIGSTOP);
        _exit(1);
    }
    bool possible = pid > 0 && waitpid(pid, &status, 0) == pid && WIFSTOPPED(status) &&
                    ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0 && waitpid(pid, &status, 0) == pid &&
                    WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP;
    if (pid > 0 && !WIFEXITED(status)) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    return possible;
#else
    return false;
#endif
}
