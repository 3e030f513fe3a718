/* The loop of a reference program.
 * Must never have anything of yunta linked to it, nor more libraries than its measures need: each weighs on fork.
 * Read next: reference_plain.c, reference_openmp.c, the measures. */
#include "reference.h"

#include <string.h>
#include <unistd.h>

#include "../lib/bench.h"

static const struct reference_measure *find(const char *name, const struct reference_measure *measures, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(measures[i].name, name) == 0)
            return &measures[i];
    bench_wrong("there is no reference \"%s\" in this program", name);
}

int reference_serve(const struct reference_measure *measures, size_t count)
{
    char order[BENCH_NAME];
    while (read(STDIN_FILENO, order, sizeof order) == (ssize_t)sizeof order) {
        struct bench_figures figures = {{0}};
        order[sizeof order - 1] = '\0';
        find(order, measures, count)->run(&figures);
        if (write(STDOUT_FILENO, &figures, sizeof figures) != (ssize_t)sizeof figures)
            return 1;
    }
    return 0;
}
