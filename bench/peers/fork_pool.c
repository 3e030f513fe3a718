/* The bare fork and pipe pool.
 * Must never grow features: it is what a pool costs before it can do anything.
 * Read next: ../bench_pool.c, which holds it against yunta's. */
#include "fork_pool.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/bench.h"

struct message {
    int (*call)(const void *, void *);
    size_t index;
    int status;
    _Alignas(16) unsigned char bytes[FORK_POOL_BYTES];
};

_Static_assert(sizeof(struct message) <= PIPE_BUF, "a message must be written whole");

_Noreturn static void work(int tasks, int results)
{
    struct message message, answer;
    memset(&answer, 0, sizeof answer);
    while (read(tasks, &message, sizeof message) == (ssize_t)sizeof message) {
        answer.index = message.index;
        answer.status = message.call(message.bytes, answer.bytes);
        if (write(results, &answer, sizeof answer) != (ssize_t)sizeof answer)
            break;
    }
    _exit(0);
}

void fork_pool_start(struct fork_pool *pool)
{
    int tasks[2], results[2];
    if (pipe2(tasks, O_CLOEXEC) != 0 || pipe2(results, O_CLOEXEC) != 0)
        bench_wrong("no pipes for the forked pool");
    for (int i = 0; i < FORK_POOL_WORKERS; i++) {
        pool->pids[i] = fork();
        if (pool->pids[i] < 0)
            bench_wrong("no worker for the forked pool");
        if (pool->pids[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            close(tasks[1]);
            close(results[0]);
            work(tasks[0], results[1]);
        }
    }
    close(tasks[0]);
    close(results[1]);
    pool->tasks = tasks[1];
    pool->results = results[0];
}

void fork_pool_map(struct fork_pool *pool, int (*call)(const void *, void *), const void *in, size_t in_size, void *out,
                   size_t out_size, size_t count)
{
    struct message message;
    memset(&message, 0, sizeof message);
    message.call = call;
    for (size_t i = 0; i < count; i++) {
        message.index = i;
        memcpy(message.bytes, (const char *)in + i * in_size, in_size);
        if (write(pool->tasks, &message, sizeof message) != (ssize_t)sizeof message)
            bench_wrong("the forked pool takes no task");
    }
    for (size_t i = 0; i < count; i++) {
        if (read(pool->results, &message, sizeof message) != (ssize_t)sizeof message || message.status < 0)
            bench_wrong("a task of the forked pool failed");
        memcpy((char *)out + message.index * out_size, message.bytes, out_size);
    }
}

void fork_pool_stop(struct fork_pool *pool)
{
    close(pool->tasks);
    for (int i = 0; i < FORK_POOL_WORKERS; i++) {
        int status;
        if (waitpid(pool->pids[i], &status, 0) != pool->pids[i] || status != 0)
            bench_wrong("a worker of the forked pool ended badly");
    }
    close(pool->results);
}
