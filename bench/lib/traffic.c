/* The processes that send and receive, what they send, and when that is over.
 * Must never count the start of a process, nor let a lost, doubled or torn message pass.
 * Read next: ../bench_queue.c, and ../peers for other carriers. */
#include "traffic.h"
#include "bench.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

const struct bench_traffic bench_traffics[] = {
    {"1-1 8", 8, 1, 0, false, false, 200000},        {"1-1 64", 64, 1, 0, false, false, 200000},
    {"1-1 8 by 64", 8, 1, 64, false, false, 640000}, {"1-1 64 by 64", 64, 1, 64, false, false, 320000},
    {"2-2 8", 8, 2, 0, false, false, 100000},        {"2-2 64", 64, 2, 0, false, false, 100000},
    {"2-2 1024", 1024, 2, 0, false, false, 30000},   {"8-8 64", 64, 8, 0, false, false, 25000},
    {"in place 64K", 65536, 1, 0, true, true, 2000}, {"in place 1M", 1 << 20, 1, 0, true, true, 120},
    {"loan 64K", 65536, 1, 0, true, false, 20000},   {"loan 1M", 1 << 20, 1, 0, true, false, 20000},
};
const size_t bench_traffic_count = BENCH_COUNT(bench_traffics);

static struct {
    _Atomic int ready;
    _Atomic int64_t begin[BENCH_SIDE_MOST], end[BENCH_SIDE_MOST];
    _Atomic int64_t sum[BENCH_SIDE_MOST];
} * board;

void *bench_shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        bench_wrong("no shared memory of %zu bytes", size);
    return memory;
}

static void fill(const struct bench_traffic *t, unsigned char *message, int64_t number)
{
    if (t->whole)
        memset(message, (int)(number & 127), t->size);
    memcpy(message + t->size - 8, &number, 8);
    memcpy(message, &number, 8);
}

/* A word of each cache line of a message that was written whole. */
static bool is_whole(const struct bench_traffic *t, const unsigned char *message, int64_t number)
{
    unsigned wrong = 0;
    for (size_t i = 64; i < t->size - 8; i += 64)
        wrong |= message[i] ^ (unsigned)(number & 127);
    return wrong == 0;
}

/* Each consumer sees the numbers of one producer grow. */
static int64_t check(const struct bench_traffic *t, const unsigned char *message, int64_t last[])
{
    int64_t number, again;
    memcpy(&number, message, 8);
    memcpy(&again, message + t->size - 8, 8);
    int64_t who = number >> 40, count = number & ((INT64_C(1) << 40) - 1);
    if (number != again || who < 0 || who >= t->side || count >= t->count || count < last[who] ||
        (t->whole && !is_whole(t, message, number)))
        bench_wrong("%s: a message %lld … %lld after %lld", t->name, (long long)number, (long long)again,
                    (long long)last[who]);
    last[who] = count + 1;
    return number;
}

static void begin_together(int all)
{
    atomic_fetch_add(&board->ready, 1);
    for (int i = 1; atomic_load(&board->ready) < all; i++)
        if (i % 1024 == 0)
            bench_pause(10000);
}

static void produce(const struct bench_carrier *c, const struct bench_traffic *t, int id)
{
    unsigned char *messages = bench_alloc(t->size * (t->batch ? (size_t)t->batch : 1));
    int64_t number = (int64_t)id << 40, end = number + t->count;
    memset(messages, 0, t->size);
    begin_together(2 * t->side);
    atomic_store(&board->begin[id], bench_now());
    while (number < end) {
        if (t->in_place) {
            fill(t, c->reserve(), number++);
            c->commit();
        } else if (t->batch) {
            for (int i = 0; i < t->batch; i++)
                fill(t, messages + (size_t)i * t->size, number++);
            c->put_many(messages, t->batch);
        } else {
            fill(t, messages, number++);
            c->put(messages);
        }
    }
    free(messages);
}

static void consume(const struct bench_carrier *c, const struct bench_traffic *t, int id)
{
    unsigned char *messages = bench_alloc(t->size * (t->batch ? (size_t)t->batch : 1));
    int64_t last[BENCH_SIDE_MOST] = {0}, sum = 0, left = t->count;
    begin_together(2 * t->side);
    while (left > 0) {
        int got = 1;
        if (t->in_place) {
            sum += check(t, c->receive(), last);
            c->release();
        } else if (t->batch) {
            got = c->get_many(messages, t->batch);
            for (int i = 0; i < got; i++)
                sum += check(t, messages + (size_t)i * t->size, last);
        } else {
            c->get(messages);
            sum += check(t, messages, last);
        }
        left -= got;
    }
    atomic_store(&board->end[id], bench_now());
    atomic_store(&board->sum[id], sum);
    free(messages);
}

static pid_t start(const struct bench_carrier *c, const struct bench_traffic *t, int id, bool produces)
{
    pid_t pid = fork();
    if (pid < 0)
        bench_wrong("no process for %s", t->name);
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bench_place(bench_processor((id + !produces) % 2));
    if (c->join)
        c->join(produces);
    if (produces)
        produce(c, t, id);
    else
        consume(c, t, id);
    if (c->leave)
        c->leave();
    _exit(0);
}

/* ns a message; the sums must be those of all numbers sent. */
static double sum_up(const struct bench_traffic *t)
{
    int64_t begin = INT64_MAX, end = 0, sum = 0, due = 0;
    for (int i = 0; i < t->side; i++) {
        int64_t b = atomic_load(&board->begin[i]), e = atomic_load(&board->end[i]);
        begin = b < begin ? b : begin;
        end = e > end ? e : end;
        sum += atomic_load(&board->sum[i]);
        due += ((int64_t)i << 40) * t->count + t->count * (t->count - 1) / 2;
    }
    if (sum != due)
        bench_wrong("%s: messages were lost, or came twice", t->name);
    return (double)(end - begin) / (double)(t->count * t->side);
}

double bench_traffic_run(const struct bench_carrier *carrier, const struct bench_traffic *traffic)
{
    if (!board)
        board = bench_shared(sizeof *board);
    memset(board, 0, sizeof *board);
    carrier->open(traffic);
    pid_t pids[2 * BENCH_SIDE_MOST];
    for (int i = 0; i < 2 * traffic->side; i++)
        pids[i] = start(carrier, traffic, i / 2, i % 2 == 0);
    for (int i = 0; i < 2 * traffic->side; i++) {
        int status;
        if (waitpid(pids[i], &status, 0) != pids[i] || status != 0)
            bench_wrong("%s: a process ended with status %x", traffic->name, (unsigned)status);
    }
    carrier->close();
    return sum_up(traffic);
}

enum { LINE_TURNS = 100000 };

static void bounce(_Atomic int *line, int mine)
{
    for (int i = 0; i < LINE_TURNS; i++) {
        while (atomic_load_explicit(line, memory_order_acquire) != 2 * i + mine) {
        }
        atomic_store_explicit(line, 2 * i + mine + 1, memory_order_release);
    }
}

double bench_line_ns(void)
{
    _Atomic int *line = bench_shared(4096);
    int status;
    pid_t pid = fork();
    if (pid < 0)
        bench_wrong("no process for the cache line");
    bench_place(bench_processor(pid == 0 ? 1 : 0));
    if (pid == 0) {
        bounce(line, 1);
        _exit(0);
    }
    int64_t begin = bench_now();
    bounce(line, 0);
    if (waitpid(pid, &status, 0) != pid || status != 0)
        bench_wrong("the other end of the cache line ended");
    double ns = (double)(bench_now() - begin) / (2.0 * LINE_TURNS);
    bench_place(-1);
    munmap(line, 4096);
    return ns;
}
