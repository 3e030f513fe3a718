/* A guest led step by step: one instruction at a time under ptrace, to be killed after any of them. The way of one that
 * has been stepped can be noted; others that go the same way are led along it by breakpoints, which is many times
 * faster. */
#ifndef YUNTA_TEST_QUEUE_STEP_H
#define YUNTA_TEST_QUEUE_STEP_H

#include "test_queue_guest.h"

#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/user.h>

/* Where a guest was after each step, from its first on. */
typedef struct walker_path {
    uint64_t *place;
    long steps, room;
} walker_path;

typedef struct walker {
    guest guest;
    long steps;
    bool ended;
    unsigned char *shadow; /* the arena as it was after the last step */
    size_t shadow_size;
    uint64_t places[512]; /* of the changes so far */
    int place_count;
    walker_path *notes; /* its way, as it goes; NULL: not noted */
    bool strayed;       /* it has gone another way than the path that it was to be led along, and has ended */
} walker;

/* Single steps are several times faster when tracer and tracee share a processor and, where that is allowed, run before
 * all others: else each step would wait for the end of somebody's time slice. */
static inline void walker_pin(void)
{
    const struct sched_param first = {.sched_priority = 1};
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)sched_getcpu(), &set);
    sched_setaffinity(0, sizeof set, &set);
    sched_setscheduler(0, SCHED_FIFO, &first);
}

/* In the guest: from here on it is led. False where nobody may be traced. */
static inline bool walker_begin(void)
{
    return ptrace(PTRACE_TRACEME, 0, 0, 0) == 0 && kill(getpid(), SIGSTOP) == 0;
}

/* The guest has come to walker_begin, and goes on from there by steps. */
static inline walker walker_take(guest g)
{
    walker w = {.guest = g};
    int status;
    ck_assert_int_eq(waitpid(g.pid, &status, 0), g.pid);
    ck_assert_msg(WIFSTOPPED(status), "the guest ended before its first step: %x", status);
    return w;
}

#if defined(__x86_64__)
#define WALKER_PLACE rip
#define WALKER_TRAP 0xccL
#define WALKER_TRAP_MASK 0xffL
#define WALKER_TRAP_LENGTH 1
#else
#define WALKER_PLACE pc
#define WALKER_TRAP 0xd4200000L
#define WALKER_TRAP_MASK 0xffffffffL
#define WALKER_TRAP_LENGTH 0
#endif

/* Where it is in its program. */
static inline uint64_t walker_place(const walker *w)
{
    struct user_regs_struct registers;
    struct iovec v = {&registers, sizeof registers};
    if (ptrace(PTRACE_GETREGSET, w->guest.pid, (void *)NT_PRSTATUS, &v) != 0)
        ck_abort_msg("where the guest is cannot be told");
    return registers.WALKER_PLACE;
}

static inline void walker_note(const walker *w)
{
    walker_path *path = w->notes;
    if (w->steps >= path->room) {
        path->room = path->room ? 2 * path->room : 4096;
        path->place = realloc(path->place, sizeof *path->place * (size_t)path->room);
    }
    path->place[w->steps] = walker_place(w);
    path->steps = w->steps;
}

static inline void walker_forget(walker_path *path)
{
    free(path->place);
    *path = (walker_path){0};
}

/* Without ck_assert, which notes each assertion in a file: this runs for every instruction. */
static inline bool walker_step(walker *w)
{
    int status;
    if (w->ended)
        return false;
    if (ptrace(PTRACE_SINGLESTEP, w->guest.pid, 0, 0) != 0 || waitpid(w->guest.pid, &status, 0) != w->guest.pid)
        ck_abort_msg("the guest cannot be stepped");
    w->steps++;
    w->ended = !WIFSTOPPED(status);
    if (!w->ended && WSTOPSIG(status) != SIGTRAP)
        ck_abort_msg("the guest got signal %d", WSTOPSIG(status));
    if (!w->ended && w->notes)
        walker_note(w);
    return !w->ended;
}

/* Lets it go on to its end by itself. */
static inline void walker_run_out(walker *w)
{
    int status;
    if (w->ended)
        return;
    if (ptrace(PTRACE_CONT, w->guest.pid, 0, 0) != 0 || waitpid(w->guest.pid, &status, 0) != w->guest.pid)
        ck_abort_msg("the guest cannot go on");
    if (!WIFEXITED(status))
        ck_abort_msg("the guest did not end: %x", (unsigned)status);
    w->ended = true;
}

/* Lets it run until it comes to that place, where it is not yet. False: it has ended before. */
static inline bool walker_run_on(walker *w, uint64_t place)
{
    struct user_regs_struct registers;
    struct iovec v = {&registers, sizeof registers};
    int status;
    pid_t pid = w->guest.pid;
    void *at = (void *)(uintptr_t)place;
    errno = 0;
    long text = ptrace(PTRACE_PEEKTEXT, pid, at, 0);
    if (errno != 0 || ptrace(PTRACE_POKETEXT, pid, at, (text & ~WALKER_TRAP_MASK) | WALKER_TRAP) != 0 ||
        ptrace(PTRACE_CONT, pid, 0, 0) != 0 || waitpid(pid, &status, 0) != pid)
        ck_abort_msg("the guest cannot be led");
    w->ended = !WIFSTOPPED(status);
    if (w->ended)
        return false;
    if (WSTOPSIG(status) != SIGTRAP || ptrace(PTRACE_POKETEXT, pid, at, text) != 0 ||
        ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &v) != 0)
        ck_abort_msg("the guest got signal %d", WSTOPSIG(status));
    registers.WALKER_PLACE -= WALKER_TRAP_LENGTH;
    if (ptrace(PTRACE_SETREGSET, pid, (void *)NT_PRSTATUS, &v) != 0)
        ck_abort_msg("the guest cannot be led");
    return true;
}

/* Lets it run to the beginning of a function (which stands at the same address in us). */
static inline void walker_run_to(walker *w, void (*function)(void))
{
    if (!walker_run_on(w, (uint64_t)(uintptr_t)function))
        ck_abort_msg("it never came to the function");
}

/* So many steps, counted from its first one; along a path that others have gone, if that is as long, by breakpoints. */
static inline void walker_to(walker *w, long steps, const walker_path *path)
{
    long visits = 0;
    bool known = path && steps <= path->steps;
    for (long i = w->steps + 1; known && i <= steps; i++)
        visits += path->place[i] == path->place[steps];
    if (!known || 4 * visits >= steps - w->steps) { /* each visit costs as much as some steps */
        while (w->steps < steps && walker_step(w)) {
        }
        return;
    }
    for (uint64_t place = path->place[steps]; visits > 0; visits--) {
        bool here = walker_place(w) == place && walker_step(w) && walker_place(w) == place;
        if (w->ended || (!here && !walker_run_on(w, place))) {
            w->strayed = true;
            return;
        }
    }
    w->steps = steps;
}

static inline size_t walker_arena_size(void)
{
    struct stat s;
    size_t end = (size_t)atomic_load(&guest_self()->arena->end);
    if (fstat(guest_self()->arena_fd, &s) != 0)
        ck_abort_msg("the arena's file is gone");
    return end < (size_t)s.st_size ? end : (size_t)s.st_size;
}

/* Steps on until the arena has changed: what lies between differs in private memory alone, which dies with the process.
 * Of a loop (that clears memory, say) the first few rounds count. False: ended. */
static inline bool walker_to_change(walker *w)
{
    enum { rounds = 3 };
    for (;;) {
        size_t size = walker_arena_size();
        if (!w->shadow || size != w->shadow_size)
            w->shadow = realloc(w->shadow, size);
        w->shadow_size = size;
        memcpy(w->shadow, guest_self()->arena, size);
        while (walker_step(w) && walker_arena_size() == size && memcmp(w->shadow, guest_self()->arena, size) == 0) {
        }
        if (w->ended)
            return false;
        uint64_t place = walker_place(w);
        int seen = 0;
        for (int i = 0; i < w->place_count && i < (int)YN_COUNT(w->places); i++)
            seen += w->places[i] == place;
        if (seen >= rounds)
            continue;
        w->places[w->place_count++ % (int)YN_COUNT(w->places)] = place;
        return true;
    }
}

/* Kills it where it stands. */
static inline void walker_kill(walker *w)
{
    if (w->ended)
        guest_bury(atomic_load(w->guest.claim));
    else
        guest_kill(&w->guest);
    free(w->shadow);
    w->shadow = NULL;
    w->ended = true;
}

#endif
