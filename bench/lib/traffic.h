/* Traffic: messages from some processes to others, by whatever carries them. The same for yunta and for each peer. */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BENCH_SIDE_MOST = 8, BENCH_BATCH_MOST = 64 };

struct bench_traffic {
    const char *name; /* "1-1 8", say: what a reference is asked for */
    size_t size;      /* of a message, at least 8 */
    int side;         /* so many producers, and as many consumers */
    int batch;        /* messages a call; 0: one, by the calls for one */
    bool in_place;    /* written where the consumer reads it … */
    bool whole;       /* … every byte of it; else its first and last 8 alone */
    int64_t count;    /* of messages, from each producer */
};

/* All that a round measures, and who can take part in it is told by bench_queue.c. */
extern const struct bench_traffic bench_traffics[];
extern const size_t bench_traffic_count;

/* What carries messages. Whoever cannot do a thing leaves it NULL. */
struct bench_carrier {
    void (*open)(const struct bench_traffic *traffic);
    void (*close)(void);
    void (*put)(const void *message);
    void (*get)(void *message);
    void (*put_many)(const void *messages, int count);
    int (*get_many)(void *messages, int most); /* at least one */
    void *(*reserve)(void);
    void (*commit)(void);
    const void *(*receive)(void);
    void (*release)(void);
    void (*join)(bool produces); /* in each process of the traffic, before the clock starts … */
    void (*leave)(void);         /* … and after it has stopped; may end the process, with status 0 */
};

/* Sends it all: ns a message, from the first put to the last get. Ends the program if a message is wrong or missing. */
double bench_traffic_run(const struct bench_carrier *carrier, const struct bench_traffic *traffic);

/* How many messages a bounded carrier is to hold. */
static inline size_t bench_traffic_depth(const struct bench_traffic *traffic)
{
    size_t depth = 512 * 1024 / traffic->size;
    if (traffic->in_place && !traffic->whole) /* they are compared with each other */
        return 8;
    return depth > 1024 ? 1024 : depth < 4 ? 4 : depth;
}

/* The way of a cache line from the first processor to the second: ns. */
double bench_line_ns(void);

/* Memory that forked processes share, zeroed; given back by munmap. */
void *bench_shared(size_t size);

#endif
