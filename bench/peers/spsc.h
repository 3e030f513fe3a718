/* Peer: a plain ring for one producer and one consumer, which copies, or hands out views. It polls. */
#ifndef BENCH_PEERS_SPSC_H
#define BENCH_PEERS_SPSC_H

#include "../lib/traffic.h"

extern const struct bench_carrier spsc_carrier;

#endif
