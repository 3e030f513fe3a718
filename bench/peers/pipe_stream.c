/* The stream through a pipe.
 * Must never send several messages by one call: the queue does not either.
 * Read next: ../bench_queue.c. */
#include "pipe_stream.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/bench.h"
#include "../lib/stream.h"

_Noreturn static void consume(struct bench_stream *stream, int end, size_t size)
{
    char message[BENCH_LARGEST];
    atomic_store(&stream->ready, 1);
    for (int64_t i = 0; i < BENCH_MESSAGES; i++) {
        if (read(end, message, size) != (ssize_t)size)
            bench_wrong("the pipe gave no whole message");
        bench_message_check(message, size, i);
    }
    atomic_store(&stream->end, bench_now());
    _exit(0);
}

double pipe_stream(size_t size)
{
    int ends[2], status;
    char message[BENCH_LARGEST];
    struct bench_stream *stream = mmap(NULL, sizeof *stream, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (stream == MAP_FAILED || pipe2(ends, O_CLOEXEC) != 0)
        bench_wrong("no pipe or memory for the stream");
    pid_t pid = fork();
    if (pid < 0)
        bench_wrong("no process for the stream");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        consume(stream, ends[0], size);
    }
    close(ends[0]);
    int64_t begin = bench_stream_begin(stream);
    for (int64_t i = 0; i < BENCH_MESSAGES; i++) {
        bench_message_fill(message, size, i);
        if (write(ends[1], message, size) != (ssize_t)size)
            bench_wrong("the pipe took no whole message");
    }
    if (waitpid(pid, &status, 0) != pid || status != 0)
        bench_wrong("the consumer ended with status %d", status);
    double cost = bench_stream_cost(stream, begin);
    close(ends[1]);
    munmap(stream, sizeof *stream);
    return cost;
}
