/* What the kernel says of other processes: who they are, the processor time they took, the memory they hold. */
#ifndef BENCH_PROCS_H
#define BENCH_PROCS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The processes, this one excepted, that map the file that stands at `memory` here: of yunta's arena, those are its
 * team. Writes up to `capacity` pids; returns how many there are. */
size_t bench_procs_sharing(const void *memory, pid_t *pids, size_t capacity);

/* Processor time taken so far by all threads of it, ns: the counter behind getrusage, read from outside. */
int64_t bench_procs_cpu_ns(pid_t pid);

/* The mean of their proportional shares of memory (PSS), KiB. */
double bench_procs_mean_pss_kib(const pid_t *pids, size_t count);

#endif
