/* A row of the table: one figure of yunta beside that of its reference, round after round, and the target it is held
 * to. */
#ifndef BENCH_ROW_H
#define BENCH_ROW_H

#include <stddef.h>

/* What the target speaks of: the median over the rounds of what the rule makes of the two figures of a round. */
enum bench_rule {
    BENCH_RATIO_AT_MOST,  /* yunta / reference <= target: the figure is a cost, lower is better */
    BENCH_LEAD_AT_LEAST,  /* yunta - reference >= target: the figure is a speed-up, higher is better */
    BENCH_FIGURE_AT_MOST, /* yunta <= target: absolute; it has no reference */
    BENCH_NO_TARGET       /* told for comparison only */
};

struct bench_samples {
    double *values; /* one a round */
    size_t count, room;
};

struct bench_row {
    const char *workload, *metric, *unit;
    const char *reference; /* who the peer is; NULL where the target is absolute */
    enum bench_rule rule;
    double target;
    const char *absent; /* why the peer, or the whole row, could not be measured; NULL if it was */
    struct bench_samples own, peer;
};

/* A cost with its reference: the ratio is held to `target`. */
struct bench_row bench_cost(const char *workload, const char *metric, const char *unit, const char *reference,
                            double target);

/* A speed-up with its reference: yunta's may stay behind by -target. */
struct bench_row bench_lead(const char *workload, const char *metric, const char *unit, const char *reference,
                            double target);

/* A cost without reference, held to `target` itself. */
struct bench_row bench_limit(const char *workload, const char *metric, const char *unit, double target);

/* Told beside a reference for comparison, without a target. */
struct bench_row bench_told(const char *workload, const char *metric, const char *unit, const char *reference);

/* The figures of one round, in the row's unit. */
void bench_row_add(struct bench_row *row, double own, double peer);

/* The same without a peer: the target is absolute, or the peer is absent. */
void bench_row_add_own(struct bench_row *row, double own);

/* Prints the rows as a table, appends them to the file that YUNTA_BENCH_RESULTS names, and frees their samples. */
void bench_report(struct bench_row *rows, size_t count);

#endif
