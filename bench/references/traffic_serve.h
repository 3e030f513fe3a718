/* For references that do nothing but carry messages. */
#ifndef BENCH_REFERENCES_TRAFFIC_SERVE_H
#define BENCH_REFERENCES_TRAFFIC_SERVE_H

#include "../lib/traffic.h"

/* The program's main: answers the name of each traffic with its ns a message; with -1 if `carrier` is NULL, since what
 * carries could not be started. Gives the exit status. */
int traffic_serve(const struct bench_carrier *carrier);

#endif
