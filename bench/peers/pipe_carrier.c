/* Messages through a pipe.
 * Must never send several by one call: the others do not either.
 * Read next: ../lib/traffic.c. */
#include "pipe_carrier.h"

#include <fcntl.h>
#include <unistd.h>

#include "../lib/bench.h"

static int ends[2];
static size_t size;

static void open_pipe(const struct bench_traffic *traffic)
{
    size = traffic->size;
    if (pipe2(ends, O_CLOEXEC) != 0)
        bench_wrong("no pipe");
}

static void close_pipe(void)
{
    close(ends[0]);
    close(ends[1]);
}

static void put(const void *message)
{
    if (write(ends[1], message, size) != (ssize_t)size)
        bench_wrong("the pipe took no whole message");
}

static void get(void *message)
{
    if (read(ends[0], message, size) != (ssize_t)size)
        bench_wrong("the pipe gave no whole message");
}

const struct bench_carrier pipe_carrier = {.open = open_pipe, .close = close_pipe, .put = put, .get = get};
