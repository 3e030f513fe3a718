/* Peer: messages of one size through a pipe, one write and one read each. */
#ifndef BENCH_PEERS_PIPE_STREAM_H
#define BENCH_PEERS_PIPE_STREAM_H

#include <stddef.h>

/* Sends BENCH_MESSAGES to a forked process: ns a message. The size divides a page. */
double pipe_stream(size_t size);

#endif
