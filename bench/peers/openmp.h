/* Peer: OpenMP's loop over two threads, schedule(dynamic). Tasks come through a pointer: they are not inlined into the
 * loop. */
#ifndef BENCH_PEERS_OPENMP_H
#define BENCH_PEERS_OPENMP_H

#include <stddef.h>
#include <stdint.h>

/* out[i] of call(in + i), `chunk` at a time. Gives how many tasks failed. */
size_t openmp_map(int (*call)(const void *, void *), const int64_t *in, int64_t *out, size_t count, int chunk);

/* Ends its threads, which otherwise go on spinning for a while; the next map starts them again. */
void openmp_rest(void);

#endif
