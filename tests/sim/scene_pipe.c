/* Pipes in the simulator: messages, short and long, and streams.
 * Nothing may come torn, twice or out of order, nor be lost but with who was receiving it; and all must be told at once
 * when the other end is gone: nobody helps those who wait. Next: sim.h. */
#include "scenes.h"

#include "comm/pipe.h"

enum { senders = 2, receivers = 2, all = senders + receivers, messages = 4, size_most = 40, stream_bytes = 150 };

static yunta_pipe *out_of[2], *into[2], *out, *in; /* of messages, a stream */
static bool begun[senders][messages], sent[senders][messages], refused[senders][messages], got[senders][messages];
static bool closes[all], is_stream, heard_the_end;
static size_t written, finished, read_so_far;
static int most;

static void set_up(void)
{
    for (int k = 0; k < 2; k++) {
        yunta_pipe_options o = {.capacity = 64, .one_way = k == 0, .stream = k == 1};
        sim_check(yunta_pipe_create(&into[k], &out_of[k], &o) == 0);
    }
}

/* As if it had been given the end. */
static void hold(yunta_pipe *end, int cell, int who)
{
    sim_fill(&end->first[cell], 0, sizeof end->first[cell]);
    atomic_store(&end->first[cell].who, sim_self_of(who)->claim);
}

static void begin_kind(bool stream)
{
    memset(begun, 0, sizeof begun);
    memset(sent, 0, sizeof sent);
    memset(refused, 0, sizeof refused);
    memset(got, 0, sizeof got);
    memset(closes, 0, sizeof closes);
    is_stream = stream;
    heard_the_end = false;
    written = finished = read_so_far = 0;
    out = out_of[stream];
    in = into[stream];
    most = sim_one_in(2) ? 1 + (int)sim_below(3) : senders * messages;
    for (int i = 0; i < 2; i++) {
        hold(out, 2 + i, i);
        hold(in, 2 + i, senders + i);
    }
    sim_check(yunta_pipe_close(out) == 0 && yunta_pipe_close(in) == 0); /* the checker's own */
}

static void begin_messages(void)
{
    begin_kind(false);
}

static void begin_stream(void)
{
    begin_kind(true);
}

static size_t size_of(int p, int i)
{
    static const size_t sizes[] = {4, size_most, 21, 33};
    return sizes[(p + i) % messages];
}

static void write_message(unsigned char *to, int p, int i)
{
    uint32_t id = (uint32_t)(p * 100 + i);
    memcpy(to, &id, 4);
    for (size_t k = 4; k < size_of(p, i); k++)
        to[k] = (unsigned char)(id * 31 + k);
}

static int note(const unsigned char *bytes, size_t size)
{
    uint32_t id;
    unsigned char whole[size_most];
    sim_check(size >= 4);
    memcpy(&id, bytes, 4);
    int p = (int)(id / 100), i = (int)(id % 100);
    sim_check(p < senders && i < messages && size == size_of(p, i));
    write_message(whole, p, i);
    sim_check(memcmp(whole, bytes, size) == 0);
    sim_check(begun[p][i] && !refused[p][i] && !got[p][i]);
    got[p][i] = true;
    return (int)id;
}

static bool are_gone(int from)
{
    for (int who = from; who < from + 2; who++)
        if (!closes[who] && !sim_is_dead(who + 1))
            return false;
    return true;
}

static int some_limit(void)
{
    return sim_one_in(5) ? (int)sim_below(3) : YUNTA_FOREVER;
}

static void check_answer(int r, int limit, int other)
{
    int gone = other == 0 ? YUNTA_ECLOSED : -EPIPE;
    sim_check(r == 0 || (r == gone && are_gone(other)) || (r == -ETIMEDOUT && limit != YUNTA_FOREVER));
}

static void send_some(int who)
{
    unsigned char bytes[size_most];
    for (int i = 0; i < messages; i++) {
        int limit = some_limit();
        write_message(bytes, who, i);
        begun[who][i] = true;
        int r = yunta_pipe_send(out, bytes, size_of(who, i), limit);
        check_answer(r, limit, senders);
        sent[who][i] = r == 0;
        refused[who][i] = r != 0;
    }
}

static void receive_some(void)
{
    int last[senders] = {-1, -1};
    for (int n = 0; n < most;) {
        unsigned char bytes[size_most];
        size_t size;
        int limit = some_limit();
        int r = sim_one_in(5) ? yunta_pipe_poll(in, limit) : 0;
        check_answer(r, limit, 0);
        r = yunta_pipe_receive(in, bytes, sim_one_in(4) ? 4 : sizeof bytes, &size, limit);
        if (r == -EMSGSIZE) {
            sim_check(size > 4 && size <= size_most);
            continue;
        }
        check_answer(r, limit, 0);
        if (r == YUNTA_ECLOSED) {
            heard_the_end = true;
            return;
        }
        if (r == 0) {
            int id = note(bytes, size);
            sim_check(last[id / 100] < id % 100);
            last[id / 100] = id % 100;
            n++;
        }
    }
}

/* One writes and one reads; the others only hold the ends. */
static void write_bytes(void)
{
    unsigned char bytes[stream_bytes];
    for (size_t i = 0; i < stream_bytes; i++)
        bytes[i] = (unsigned char)(i * 7);
    while (finished < stream_bytes) {
        size_t n = 1 + sim_below(60), done = 0;
        int limit = some_limit();
        n = n < stream_bytes - finished ? n : stream_bytes - finished;
        written = finished + n;
        int r = yunta_pipe_write(out, bytes + finished, n, &done, limit);
        check_answer(r, limit, senders);
        sim_check(r == 0 ? done == n : done <= n);
        finished += done;
        if (r == -EPIPE)
            return;
    }
}

static void read_bytes(void)
{
    for (;;) {
        unsigned char bytes[64];
        size_t size = 0;
        int limit = some_limit(), r = yunta_pipe_read(in, bytes, 1 + sim_below(sizeof bytes), &size, limit);
        check_answer(r, limit, 0);
        if (r == YUNTA_ECLOSED) {
            sim_check(read_so_far >= finished);
            return;
        }
        for (size_t i = 0; r == 0 && i < size; i++)
            sim_check(bytes[i] == (unsigned char)((read_so_far + i) * 7));
        read_so_far += r == 0 ? size : 0;
        sim_check(read_so_far <= written);
    }
}

static void talk(int who)
{
    if (!is_stream && who < senders)
        send_some(who);
    else if (!is_stream)
        receive_some();
    else if (who == 0)
        write_bytes();
    else if (who == senders)
        read_bytes();
    closes[who] = true;
    sim_check(yunta_pipe_close(who < senders ? out : in) == 0);
    sim_check(yunta_pipe_close(who < senders ? out : in) == -EBADF);
}

static void check(void)
{
    int lost = 0, dead = 0;
    for (int p = 0; p < senders; p++)
        for (int i = 0; i < messages; i++)
            lost += sent[p][i] && !got[p][i];
    for (int who = senders; who < all; who++)
        dead += sim_is_dead(who + 1);
    sim_check(!heard_the_end || lost <= dead);
    sim_check(yn_pipe_is_sound(sim_me(), out));
    sim_check(yunta_pipe_open(out) == -EBADF && yunta_pipe_open(in) == -EBADF);
}

const sim_scene scene_pipe = {.name = "pipe",
                              .setup = set_up,
                              .begin = begin_messages,
                              .body = talk,
                              .check = check,
                              .processes = all,
                              .threads = 1,
                              .deaths = 2,
                              .share = 60};
const sim_scene scene_pipe_stream = {.name = "pipe_stream",
                                     .setup = set_up,
                                     .begin = begin_stream,
                                     .body = talk,
                                     .check = check,
                                     .processes = all,
                                     .threads = 1,
                                     .deaths = 2,
                                     .share = 30};
