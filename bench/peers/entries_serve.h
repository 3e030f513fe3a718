/* The measures of lib/entries.h for a hash map of one process. Who includes this defines `map`, a static const struct
 * bench_map, and calls entries_serve in its main. */
#ifndef BENCH_PEERS_ENTRIES_SERVE_H
#define BENCH_PEERS_ENTRIES_SERVE_H

#include "../lib/aside.h"
#include "../lib/entries.h"
#include "../references/reference.h"

static void entries_by_int(struct bench_figures *figures)
{
    bench_entries(&map, BENCH_KEYS_INT, figures->value);
}

static void entries_by_text(struct bench_figures *figures)
{
    bench_entries(&map, BENCH_KEYS_TEXT, figures->value);
}

static int entries_serve(void)
{
    static const struct reference_measure measures[] = {{"entries int", entries_by_int},
                                                        {"entries text", entries_by_text}};
    bench_keys_prepare();
    return reference_serve(measures, BENCH_COUNT(measures));
}

#endif
