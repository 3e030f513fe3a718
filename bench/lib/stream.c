/* The messages of a stream, and its clock.
 * Must never call what it measures.
 * Read next: ../bench_queue.c and ../peers/pipe_stream.c, who send them. */
#include "stream.h"
#include "bench.h"

#include <string.h>

void bench_message_fill(void *message, size_t size, int64_t number)
{
    memcpy(message, &number, sizeof number);
    memcpy((char *)message + size - sizeof number, &number, sizeof number);
}

void bench_message_check(const void *message, size_t size, int64_t number)
{
    int64_t first, last;
    memcpy(&first, message, sizeof first);
    memcpy(&last, (const char *)message + size - sizeof last, sizeof last);
    if (first != number || last != number)
        bench_wrong("message %lld came as %lld … %lld", (long long)number, (long long)first, (long long)last);
}

int64_t bench_stream_begin(struct bench_stream *stream)
{
    while (!atomic_load(&stream->ready))
        bench_pause(100000);
    return bench_now();
}

double bench_stream_cost(const struct bench_stream *stream, int64_t begin)
{
    return (double)(atomic_load(&stream->end) - begin) / BENCH_MESSAGES;
}
