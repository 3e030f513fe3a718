/* The process-shared mutex of the C library.
 * Must never be anything but what a program gets that asks for one.
 * Read next: ../bench_lock.c, the same with yunta's lock. */
#include "mutex.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/bench.h"

struct shared {
    _Alignas(64) pthread_mutex_t mutex;
    struct bench_contest contest;
};

static void check(int error, const char *what)
{
    if (error != 0)
        bench_wrong("%s gave %d", what, error);
}

static struct shared *make(bool robust)
{
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attributes;
    if (shared == MAP_FAILED)
        bench_wrong("no shared memory for the mutex");
    check(pthread_mutexattr_init(&attributes), "pthread_mutexattr_init");
    check(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED), "pthread_mutexattr_setpshared");
    if (robust)
        check(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST), "pthread_mutexattr_setrobust");
    check(pthread_mutex_init(&shared->mutex, &attributes), "pthread_mutex_init");
    pthread_mutexattr_destroy(&attributes);
    return shared;
}

static void unmake(struct shared *shared)
{
    check(pthread_mutex_destroy(&shared->mutex), "pthread_mutex_destroy");
    munmap(shared, sizeof *shared);
}

double mutex_uncontended(bool robust)
{
    struct shared *shared = make(robust);
    double each[BENCH_BATCHES];
    for (int i = 0; i < BENCH_BATCHES; i++) {
        int64_t begin = bench_now();
        for (int k = 0; k < BENCH_PAIRS; k++) {
            check(pthread_mutex_lock(&shared->mutex), "pthread_mutex_lock");
            check(pthread_mutex_unlock(&shared->mutex), "pthread_mutex_unlock");
        }
        each[i] = (double)(bench_now() - begin) / BENCH_PAIRS;
    }
    unmake(shared);
    return bench_median(each, BENCH_BATCHES);
}

static void acquire(void *lock)
{
    check(pthread_mutex_lock(lock), "pthread_mutex_lock");
}

static void release(void *lock)
{
    check(pthread_mutex_unlock(lock), "pthread_mutex_unlock");
}

void mutex_contended(bool robust, struct bench_load load, double figures[BENCH_CONTEST_FIGURES])
{
    struct shared *shared = make(robust);
    int status;
    shared->contest.load = load;
    pid_t other = fork();
    if (other == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        bench_contest_take_turns(&shared->contest, 1, acquire, release, &shared->mutex);
        _exit(0);
    }
    if (other < 0)
        bench_wrong("no process for the mutex");
    bench_contest_take_turns(&shared->contest, 0, acquire, release, &shared->mutex);
    if (waitpid(other, &status, 0) != other || status != 0)
        bench_wrong("the other one at the mutex ended with status %d", status);
    bench_contest_sum_up(&shared->contest, figures);
    unmake(shared);
}
