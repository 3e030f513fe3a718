/* Aside: a process of its own in which references are measured, while this one sleeps, and the other way round.
 *
 * It is another program, which has nothing of yunta in it: neither the library's mappings nor its fork handlers weigh
 * on what is measured there. Reached through two pipes; see ../references/reference.h for the other side. */
#ifndef BENCH_ASIDE_H
#define BENCH_ASIDE_H

#include <sys/types.h>

enum { BENCH_FIGURES = 4, BENCH_NAME = 32 };

/* The figures of one measurement; each measure says which it fills. */
struct bench_figures {
    double value[BENCH_FIGURES];
};

struct bench_aside {
    pid_t pid;
    int orders, answers; /* names of measures; what came out */
};

/* Starts `program`, which stands beside this one. To be called before there is a team. */
void bench_aside_start(struct bench_aside *aside, const char *program);

/* Has it run the measure of that name (less than BENCH_NAME bytes) and gives the figures; ends this program if it died
 * of it. */
struct bench_figures bench_aside_run(struct bench_aside *aside, const char *measure);

void bench_aside_stop(struct bench_aside *aside);

#endif
