/* Peer: a task handed to one other process and its result back, with no pool on top. */
#ifndef BENCH_PEERS_PING_PONG_H
#define BENCH_PEERS_PING_PONG_H

#include <stdint.h>
#include <sys/types.h>

enum ping_pong_by {
    PING_PONG_FUTEX, /* each side polls a word 2,000 times with a pause between, then sleeps on it */
    PING_PONG_SLEEP, /* each side sleeps on the word at once */
    PING_PONG_PIPES  /* one pipe there, one back */
};

struct ping_pong {
    enum ping_pong_by by;
    pid_t pid;
    int there, back; /* the caller's ends of the pipes */
    struct ping_pong_shared *shared;
};

/* The other process runs on processor `place`, or, where that is negative, wherever the kernel puts it. */
void ping_pong_start(struct ping_pong *pair, enum ping_pong_by by, int place);

/* Has the other process run call(&in, &result), and gives the result. */
int64_t ping_pong_call(struct ping_pong *pair, int (*call)(const void *, void *), int64_t in);

void ping_pong_stop(struct ping_pong *pair);

#endif
