/* Peer: a pipe between any number of processes, one write and one read a message (at most PIPE_BUF bytes). */
#ifndef BENCH_PEERS_PIPE_CARRIER_H
#define BENCH_PEERS_PIPE_CARRIER_H

#include "../lib/traffic.h"

extern const struct bench_carrier pipe_carrier;

#endif
