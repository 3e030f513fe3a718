/* Peer: glibc's mutex between processes, plain, or robust, which tells of a dead owner as yunta's does. */
#ifndef BENCH_PEERS_MUTEX_H
#define BENCH_PEERS_MUTEX_H

#include <stdbool.h>

#include "../lib/contest.h"

/* ns for lock and unlock, by one process. */
double mutex_uncontended(bool robust);

/* By two. */
void mutex_contended(bool robust, struct bench_load load, double figures[BENCH_CONTEST_FIGURES]);

#endif
