/* Rows: from the figures of the rounds to the printed table and the lines of results.tsv.
 * Must never turn a missed target into a failure: a timing is no verdict, only a wrong result is.
 * Read next: row.h for the rules, ../README.md for the columns. */
#include "row.h"
#include "bench.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct summary {
    double median, low, high;
};

struct bench_row bench_cost(const char *workload, const char *metric, const char *unit, const char *reference,
                            double target)
{
    return (struct bench_row){workload, metric, unit, reference, BENCH_RATIO_AT_MOST, target, NULL, {0}, {0}};
}

struct bench_row bench_lead(const char *workload, const char *metric, const char *unit, const char *reference,
                            double target)
{
    return (struct bench_row){workload, metric, unit, reference, BENCH_LEAD_AT_LEAST, target, NULL, {0}, {0}};
}

struct bench_row bench_limit(const char *workload, const char *metric, const char *unit, double target)
{
    return (struct bench_row){workload, metric, unit, NULL, BENCH_FIGURE_AT_MOST, target, NULL, {0}, {0}};
}

struct bench_row bench_told(const char *workload, const char *metric, const char *unit, const char *reference)
{
    return (struct bench_row){workload, metric, unit, reference, BENCH_NO_TARGET, 0, NULL, {0}, {0}};
}

static void keep(struct bench_samples *samples, double value)
{
    if (samples->count == samples->room) {
        samples->room = samples->room ? samples->room * 2 : 16;
        samples->values = realloc(samples->values, samples->room * sizeof *samples->values);
        if (!samples->values)
            bench_wrong("no memory for the samples");
    }
    samples->values[samples->count++] = value;
}

void bench_row_add(struct bench_row *row, double own, double peer)
{
    keep(&row->own, own);
    keep(&row->peer, peer);
}

void bench_row_add_own(struct bench_row *row, double own)
{
    keep(&row->own, own);
}

static struct summary summarise(struct bench_samples *samples)
{
    if (samples->count == 0)
        return (struct summary){0};
    double median = bench_median(samples->values, samples->count);
    return (struct summary){median, samples->values[0], samples->values[samples->count - 1]};
}

/* The medians over the rounds of ratio and lead, each taken within its round; so before the samples are sorted. */
static void compare(const struct bench_row *row, double *ratio, double *lead)
{
    size_t count = row->own.count;
    double *ratios = bench_alloc(count * sizeof *ratios), *leads = bench_alloc(count * sizeof *leads);
    for (size_t i = 0; i < count; i++) {
        ratios[i] = row->own.values[i] / row->peer.values[i];
        leads[i] = row->own.values[i] - row->peer.values[i];
    }
    *ratio = bench_median(ratios, count);
    *lead = bench_median(leads, count);
    free(ratios);
    free(leads);
}

static const char *told(bool met)
{
    return met ? "met" : "MISSED";
}

/* The last three columns: what is compared with the target, the target, and whether it is met. */
static void print_verdict(const struct bench_row *row, double own, double ratio, double lead)
{
    char measured[32], target[32];
    bool met = false;
    switch (row->rule) {
    case BENCH_RATIO_AT_MOST:
        snprintf(measured, sizeof measured, "%.2f x", ratio);
        snprintf(target, sizeof target, "<= %g x", row->target);
        met = ratio <= row->target;
        break;
    case BENCH_LEAD_AT_LEAST:
        snprintf(measured, sizeof measured, "%+.3f", lead);
        snprintf(target, sizeof target, ">= %+g", row->target);
        met = lead >= row->target;
        break;
    case BENCH_FIGURE_AT_MOST:
        snprintf(measured, sizeof measured, "%.3g %s", own, row->unit);
        snprintf(target, sizeof target, "<= %g %s", row->target, row->unit);
        met = own <= row->target;
        break;
    case BENCH_NO_TARGET:
        printf(" %8.2f x  none\n", ratio);
        return;
    }
    printf(" %10s  %-10s %s\n", measured, target, told(met));
}

/* Four significant digits, none of them an exponent's. */
static void write_figure(char text[16], double value)
{
    snprintf(text, 16, value < 10000 ? "%.4g" : "%.0f", value);
}

static void print_figure(struct summary figure)
{
    char median[16], low[16], high[16], range[40];
    write_figure(median, figure.median);
    write_figure(low, figure.low);
    write_figure(high, figure.high);
    snprintf(range, sizeof range, "%s..%s", low, high);
    printf(" %8s  %-16s", median, range);
}

static void print_heading(void)
{
    printf("%-8s %-19s %-4s %8s  %-16s %-26s %8s  %-16s %10s  %s\n", "workload", "metric", "unit", "yunta", "low..high",
           "reference", "its", "low..high", "measured", "target");
}

static void write_line(FILE *file, const struct bench_row *row, const char *who, struct summary figure,
                       const char *reference, double ratio)
{
    fprintf(file, "%s\t%s\t%s\t%.6g\t%.6g\t%.6g\t%s\t%s\t", row->workload, row->metric, who, figure.median, figure.low,
            figure.high, row->unit, reference);
    if (ratio > 0)
        fprintf(file, "%.4f\n", ratio);
    else
        fputs("-\n", file);
}

static void report_row(struct bench_row *row, FILE *file)
{
    bool paired = row->peer.count > 0;
    double ratio = 0, lead = 0;
    if (paired)
        compare(row, &ratio, &lead);
    struct summary own = summarise(&row->own), peer = summarise(&row->peer);

    printf("%-8s %-19s %-4s", row->workload, row->metric, row->unit);
    if (row->own.count == 0) {
        printf(" not measured: %s\n", row->absent);
        return;
    }
    print_figure(own);
    if (paired) {
        printf(" %-26s", row->reference);
        print_figure(peer);
    } else {
        printf(" %-26s %8s  %-16s", row->reference ? row->reference : "-", row->absent ? "absent" : "-", "");
    }
    if (row->absent)
        printf(" no reference: %s\n", row->absent);
    else
        print_verdict(row, own.median, ratio, lead);

    if (file) {
        write_line(file, row, "yunta", own, paired ? row->reference : "-", ratio);
        if (paired)
            write_line(file, row, row->reference, peer, "-", 0);
    }
}

static FILE *open_results(void)
{
    const char *path = getenv("YUNTA_BENCH_RESULTS");
    if (!path || !*path)
        return NULL;
    FILE *file = fopen(path, "a");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        bench_wrong("cannot append to %s", path);
    if (ftell(file) == 0)
        fputs("workload\tmetric\twho\tmedian\tlow\thigh\tunit\treference\tratio\n", file);
    return file;
}

void bench_report(struct bench_row *rows, size_t count)
{
    FILE *file = open_results();
    print_heading();
    for (size_t i = 0; i < count; i++) {
        report_row(&rows[i], file);
        free(rows[i].own.values);
        free(rows[i].peer.values);
    }
    fflush(stdout);
    if (file && fclose(file) != 0)
        bench_wrong("results could not be written");
}
