/* A reference program: runs the measures that a benchmark asks for by name, and answers with their figures.
 * Orders come on standard input, answers go to standard output: see ../lib/aside.h. */
#ifndef BENCH_REFERENCES_REFERENCE_H
#define BENCH_REFERENCES_REFERENCE_H

#include <stddef.h>

#include "../lib/aside.h"

struct reference_measure {
    const char *name;
    void (*run)(struct bench_figures *figures);
};

/* The program's main: until the benchmark ends. Gives the exit status. */
int reference_serve(const struct reference_measure *measures, size_t count);

#endif
