/* The bare ping-pong between two processes, by futex or by pipes.
 * Must never look after deaths, time limits or errors of tasks: it is the floor that a pool stands on.
 * Read next: ../bench_pool.c. */
#include "ping_pong.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/bench.h"

enum { POLLS = 2000 };

struct ball {
    int (*call)(const void *, void *); /* NULL ends the other side */
    int64_t value;
};

struct side { /* one direction */
    _Alignas(64) _Atomic uint32_t ready;
    _Atomic uint32_t asleep;
    struct ball ball;
};

struct ping_pong_shared {
    struct side there, back;
    int polls;
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

static void throw_ball(struct side *side, struct ball ball)
{
    side->ball = ball;
    atomic_store(&side->ready, 1);
    if (atomic_load(&side->asleep))
        syscall(SYS_futex, &side->ready, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static struct ball catch_ball(struct side *side, int polls)
{
    for (int i = 0; i < polls && !atomic_load_explicit(&side->ready, memory_order_acquire); i++)
        relax();
    if (!atomic_load_explicit(&side->ready, memory_order_acquire)) {
        atomic_store(&side->asleep, 1);
        while (!atomic_load(&side->ready))
            syscall(SYS_futex, &side->ready, FUTEX_WAIT, 0, NULL, NULL, 0);
        atomic_store(&side->asleep, 0);
    }
    struct ball ball = side->ball;
    atomic_store_explicit(&side->ready, 0, memory_order_relaxed);
    return ball;
}

_Noreturn static void answer_by_futex(struct ping_pong_shared *shared)
{
    for (;;) {
        struct ball ball = catch_ball(&shared->there, shared->polls);
        if (!ball.call)
            _exit(0);
        struct ball result = {ball.call, 0};
        ball.call(&ball.value, &result.value);
        throw_ball(&shared->back, result);
    }
}

_Noreturn static void answer_by_pipes(int there, int back)
{
    struct ball ball;
    while (read(there, &ball, sizeof ball) == (ssize_t)sizeof ball && ball.call) {
        struct ball result = {ball.call, 0};
        ball.call(&ball.value, &result.value);
        if (write(back, &result, sizeof result) != (ssize_t)sizeof result)
            break;
    }
    _exit(0);
}

void ping_pong_start(struct ping_pong *pair, enum ping_pong_by by, int place)
{
    int there[2], back[2];
    pair->by = by;
    pair->shared = mmap(NULL, sizeof *pair->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (pair->shared == MAP_FAILED || pipe2(there, O_CLOEXEC) != 0 || pipe2(back, O_CLOEXEC) != 0)
        bench_wrong("no pipes or memory for the ping-pong");
    pair->shared->polls = by == PING_PONG_FUTEX ? POLLS : 0;
    pair->pid = fork();
    if (pair->pid < 0)
        bench_wrong("no process for the ping-pong");
    if (pair->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        bench_place(place);
        if (by != PING_PONG_PIPES)
            answer_by_futex(pair->shared);
        answer_by_pipes(there[0], back[1]);
    }
    close(there[0]);
    close(back[1]);
    pair->there = there[1];
    pair->back = back[0];
}

int64_t ping_pong_call(struct ping_pong *pair, int (*call)(const void *, void *), int64_t in)
{
    struct ball ball = {call, in};
    if (pair->by != PING_PONG_PIPES) {
        throw_ball(&pair->shared->there, ball);
        return catch_ball(&pair->shared->back, pair->shared->polls).value;
    }
    if (write(pair->there, &ball, sizeof ball) != (ssize_t)sizeof ball ||
        read(pair->back, &ball, sizeof ball) != (ssize_t)sizeof ball)
        bench_wrong("the ping-pong by pipes has ended");
    return ball.value;
}

void ping_pong_stop(struct ping_pong *pair)
{
    struct ball end = {NULL, 0};
    if (pair->by != PING_PONG_PIPES)
        throw_ball(&pair->shared->there, end);
    else if (write(pair->there, &end, sizeof end) != (ssize_t)sizeof end)
        bench_wrong("the ping-pong by pipes has ended");
    waitpid(pair->pid, NULL, 0);
    close(pair->there);
    close(pair->back);
    munmap(pair->shared, sizeof *pair->shared);
}
