/* The benchmarks' clock, medians and emergency exit.
 * Must never use the library: it serves the references as well.
 * Read next: row.c, where figures become a table. */
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int64_t bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void bench_pause(int64_t ns)
{
    struct timespec left = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

void bench_wrong(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("WRONG: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    _exit(1); /* no exit handlers: they might wait for what has just gone wrong */
}

void *bench_alloc(size_t size)
{
    void *memory = malloc(size);
    if (!memory)
        bench_wrong("no memory for %zu bytes", size);
    return memory;
}

/* What the program was given, before bench_place narrowed it. */
static const cpu_set_t *all_processors(void)
{
    static cpu_set_t set;
    if (CPU_COUNT(&set) == 0 && sched_getaffinity(0, sizeof set, &set) != 0)
        bench_wrong("the processors of this program cannot be told");
    return &set;
}

int bench_processor(int k)
{
    const cpu_set_t *all = all_processors();
    for (size_t processor = 0; processor < CPU_SETSIZE; processor++)
        if (CPU_ISSET(processor, all) && k-- == 0)
            return (int)processor;
    return -1;
}

void bench_place(int processor)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    if (processor >= 0)
        CPU_SET((size_t)processor, &one);
    if (sched_setaffinity(0, sizeof one, processor >= 0 ? &one : all_processors()) != 0)
        bench_wrong("processor %d cannot be had", processor);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_value);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

size_t bench_rounds(size_t normally)
{
    const char *text = getenv("YUNTA_BENCH_ROUNDS");
    if (!text || !*text)
        return normally;
    char *end;
    long rounds = strtol(text, &end, 10);
    if (*end || rounds < 1)
        bench_wrong("YUNTA_BENCH_ROUNDS is \"%s\": a number from 1 up is meant", text);
    return (size_t)rounds;
}
