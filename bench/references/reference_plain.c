/* References in plain C: fork, pipes, futexes, a serial loop.
 * Must never do more than its peer does: each measure is the least that gets the same result.
 * Read next: ../peers/fork_pool.c, ../peers/mutex.c, ../peers/ping_pong.c, ../peers/pipe_stream.c. */
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reference.h"

#include "../lib/bench.h"
#include "../lib/calls.h"
#include "../lib/contest.h"
#include "../lib/lives.h"
#include "../lib/meeting.h"
#include "../lib/procs.h"
#include "../lib/rounds.h"
#include "../peers/fork_pool.h"
#include "../peers/mutex.h"
#include "../peers/ping_pong.h"
#include "../peers/pipe_stream.h"
#include "../tasks.h"

static int call_nothing(const void *in, void *out)
{
    return nothing(in, out);
}

static int call_count_primes(const void *in, void *out)
{
    return count_primes(in, out);
}

static int call_meet(const void *in, void *out)
{
    return bench_meet(in, out);
}

static void fork_and_wait(struct bench_figures *figures)
{
    double each[BENCH_STARTS];
    for (int i = 0; i < BENCH_STARTS; i++) {
        int status;
        int64_t begin = bench_now();
        pid_t pid = fork();
        if (pid == 0)
            _exit(BENCH_STATUS);
        pid_t ended = waitpid(pid, &status, 0);
        each[i] = (double)(bench_now() - begin) / 1e3;
        if (pid < 0 || ended != pid || !WIFEXITED(status) || WEXITSTATUS(status) != BENCH_STATUS)
            bench_wrong("fork + waitpid gave status %d", status);
    }
    figures->value[0] = bench_median(each, BENCH_STARTS);
}

static struct bench_meeting *shared_meeting(void)
{
    static struct bench_meeting *meeting;
    if (!meeting)
        meeting = mmap(NULL, sizeof *meeting, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (meeting == MAP_FAILED)
        bench_wrong("no shared memory for the meeting");
    return meeting;
}

static void meet_in(struct fork_pool *pool, struct bench_seat seats[BENCH_PARTIES], pid_t pids[BENCH_PARTIES])
{
    fork_pool_start(pool);
    fork_pool_map(pool, call_meet, seats, sizeof *seats, pids, sizeof *pids, BENCH_PARTIES);
}

static void fork_pools(struct bench_figures *figures)
{
    struct bench_lives lives;
    for (int i = 0; i < BENCH_LIVES; i++) {
        struct fork_pool pool;
        struct bench_seat seats[BENCH_PARTIES];
        pid_t pids[BENCH_PARTIES];
        bench_meeting_open(shared_meeting(), seats);
        int64_t begin = bench_now();
        meet_in(&pool, seats, pids);
        int64_t ready = bench_now();
        fork_pool_stop(&pool);
        bench_lives_note(&lives, i, ready - begin, bench_now() - ready, pids);
    }
    *figures = bench_lives_sum_up(&lives);
}

/* The mean PSS of four workers that have run a task and wait, KiB. */
static void idle_fork_pool(struct bench_figures *figures)
{
    struct fork_pool pool;
    struct bench_seat seats[BENCH_PARTIES];
    pid_t pids[BENCH_PARTIES];
    bench_meeting_open(shared_meeting(), seats);
    meet_in(&pool, seats, pids);
    bench_meeting_check(pids);
    bench_pause(BENCH_SETTLE_NS);
    figures->value[0] = bench_procs_mean_pss_kib(pids, BENCH_PARTIES);
    fork_pool_stop(&pool);
}

static int64_t by_ping_pong(void *by, int64_t in)
{
    return ping_pong_call(by, call_nothing, in);
}

static void hot_by_futex(struct bench_figures *figures)
{
    struct ping_pong pair;
    ping_pong_start(&pair, PING_PONG_FUTEX, -1);
    figures->value[0] = bench_calls_hot(by_ping_pong, &pair);
    ping_pong_stop(&pair);
}

/* A figure for each place. */
static void asleep_by(enum ping_pong_by by, struct bench_figures *figures)
{
    for (enum bench_place place = 0; place < BENCH_PLACES; place++) {
        struct ping_pong pair;
        ping_pong_start(&pair, by, bench_place_of_other(place));
        bench_place(bench_place_of_caller(place));
        figures->value[place] = bench_calls_asleep(by_ping_pong, &pair);
        bench_place(-1);
        ping_pong_stop(&pair);
    }
}

static void asleep_by_pipes(struct bench_figures *figures)
{
    asleep_by(PING_PONG_PIPES, figures);
}

static void asleep_by_futex(struct bench_figures *figures)
{
    asleep_by(PING_PONG_FUTEX, figures);
}

static void asleep_by_bare_futex(struct bench_figures *figures)
{
    asleep_by(PING_PONG_SLEEP, figures);
}

static void mutex_alone(struct bench_figures *figures)
{
    figures->value[0] = mutex_uncontended(false);
    figures->value[1] = mutex_uncontended(true);
}

/* The cost of a turn by the plain mutex and by the robust one. */
static void turns_by_two(struct bench_figures *figures, uint32_t work)
{
    for (int robust = 0; robust < 2; robust++) {
        double by_two[BENCH_CONTEST_FIGURES];
        mutex_contended(robust, (struct bench_load){.work = work}, by_two);
        figures->value[robust] = by_two[BENCH_TURN];
    }
}

static void mutex_by_two(struct bench_figures *figures)
{
    turns_by_two(figures, 0);
}

static void mutex_by_two_that_work(struct bench_figures *figures)
{
    turns_by_two(figures, BENCH_WORK);
}

static void mutex_waits(struct bench_figures *figures)
{
    mutex_contended(false, (struct bench_load){.is_timed = true}, figures->value);
}

static void robust_waits(struct bench_figures *figures)
{
    mutex_contended(true, (struct bench_load){.is_timed = true}, figures->value);
}

static void mutex_waits_of_two_that_work(struct bench_figures *figures)
{
    mutex_contended(false, (struct bench_load){.is_timed = true, .work = BENCH_WORK}, figures->value);
}

static void robust_waits_of_two_that_work(struct bench_figures *figures)
{
    mutex_contended(true, (struct bench_load){.is_timed = true, .work = BENCH_WORK}, figures->value);
}

static void pipe_8(struct bench_figures *figures)
{
    figures->value[0] = pipe_stream(8);
}

static void pipe_64(struct bench_figures *figures)
{
    figures->value[0] = pipe_stream(64);
}

/* ms. */
static void serial_primes(struct bench_figures *figures)
{
    static int64_t tasks[PRIME_TASKS], counts[PRIME_TASKS];
    int (*volatile call)(const void *, void *) = call_count_primes; /* not inlined here either */
    primes_prepare(tasks, counts);
    int64_t begin = bench_now();
    for (int i = 0; i < PRIME_TASKS; i++)
        call(&tasks[i], &counts[i]);
    figures->value[0] = (double)(bench_now() - begin) / 1e6;
    primes_check(counts, "the serial loop");
}

int main(void)
{
    static const struct reference_measure measures[] = {
        {"fork+waitpid", fork_and_wait},
        {"fork pools", fork_pools},
        {"idle fork pool", idle_fork_pool},
        {"hot by futex", hot_by_futex},
        {"asleep by pipes", asleep_by_pipes},
        {"asleep by futex", asleep_by_futex},
        {"asleep by bare futex", asleep_by_bare_futex},
        {"mutex alone", mutex_alone},
        {"mutex by two", mutex_by_two},
        {"mutex by two that work", mutex_by_two_that_work},
        {"mutex waits", mutex_waits},
        {"robust waits", robust_waits},
        {"mutex waits of two that work", mutex_waits_of_two_that_work},
        {"robust waits of two that work", robust_waits_of_two_that_work},
        {"serial primes", serial_primes},
        {"pipe 8", pipe_8},
        {"pipe 64", pipe_64},
    };
    return reference_serve(measures, BENCH_COUNT(measures));
}
