/* Aside: a small process of its own in which references are measured.
 *
 * It is forked before yunta is first used, so that nothing of yunta (the arena's mapping, fork handlers, grown memory)
 * weighs on the reference; and it sleeps while yunta is measured. */
#ifndef BENCH_ASIDE_H
#define BENCH_ASIDE_H

#include <sys/types.h>

/* The figures of one measurement; each measure says which it fills. */
struct bench_figures {
    double value[4];
};

typedef void bench_measure(struct bench_figures *figures);

struct bench_aside {
    pid_t pid;
    int orders, answers; /* pipes: which measure to run; what came out */
};

/* To be called before yunta is first used (after yunta_init, which may not return). */
void bench_aside_start(struct bench_aside *aside);

/* Runs `measure` in it and gives its figures; ends the program if it died of it. */
struct bench_figures bench_aside_run(struct bench_aside *aside, bench_measure *measure);

void bench_aside_stop(struct bench_aside *aside);

#endif
