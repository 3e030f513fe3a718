/* Peer: the pool that a C programmer writes in an afternoon. Workers are forked; one pipe carries tasks to all of them,
 * one the results back; messages stay below PIPE_BUF, so that each write is whole. */
#ifndef BENCH_PEERS_FORK_POOL_H
#define BENCH_PEERS_FORK_POOL_H

#include <stddef.h>
#include <sys/types.h>

enum { FORK_POOL_WORKERS = 4, FORK_POOL_BYTES = 48 };

struct fork_pool {
    int tasks, results; /* the caller's ends */
    pid_t pids[FORK_POOL_WORKERS];
};

void fork_pool_start(struct fork_pool *pool);

/* Runs `call` on `count` inputs of in_size bytes into outputs of out_size, both at most FORK_POOL_BYTES; no more of
 * them than the pipes hold. */
void fork_pool_map(struct fork_pool *pool, int (*call)(const void *, void *), const void *in, size_t in_size, void *out,
                   size_t out_size, size_t count);

/* Ends the workers and reaps them. */
void fork_pool_stop(struct fork_pool *pool);

#endif
