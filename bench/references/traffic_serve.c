/* Answers a benchmark that asks for traffics by their names.
 * Must never have anything of yunta linked to it.
 * Read next: ../lib/traffic.c. */
#include "traffic_serve.h"

#include <string.h>
#include <unistd.h>

#include "../lib/aside.h"
#include "../lib/bench.h"

static const struct bench_traffic *find(const char *name)
{
    for (size_t i = 0; i < bench_traffic_count; i++)
        if (strcmp(bench_traffics[i].name, name) == 0)
            return &bench_traffics[i];
    bench_wrong("there is no traffic \"%s\"", name);
}

int traffic_serve(const struct bench_carrier *carrier)
{
    char order[BENCH_NAME];
    while (read(STDIN_FILENO, order, sizeof order) == (ssize_t)sizeof order) {
        order[sizeof order - 1] = '\0';
        struct bench_figures figures = {{carrier ? bench_traffic_run(carrier, find(order)) : -1}};
        if (write(STDOUT_FILENO, &figures, sizeof figures) != (ssize_t)sizeof figures)
            return 1;
    }
    return 0;
}
