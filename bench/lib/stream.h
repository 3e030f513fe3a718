/* A stream of messages from one process to another: what they hold, and when the last one has come. */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { BENCH_MESSAGES = 200000, BENCH_LARGEST = 64 };

/* Stands in memory that both share. */
struct bench_stream {
    _Atomic int ready; /* the consumer is at it */
    _Atomic int64_t end;
};

/* A message: its number at the beginning and at the end. */
void bench_message_fill(void *message, size_t size, int64_t number);

/* Ends the program unless it is that one. */
void bench_message_check(const void *message, size_t size, int64_t number);

/* Waits for the consumer, and gives the time. */
int64_t bench_stream_begin(struct bench_stream *stream);

/* When the consumer has noted the end: ns a message. */
double bench_stream_cost(const struct bench_stream *stream, int64_t begin);

#endif
