/* A pipe in both directions in the simulator: who asks has made it and gives one end to who answers, who may give it
 * on. Every answer must come, once and whole, or at once the news that nobody is left; an end that is being given is
 * always held by somebody, and nobody helps those who wait. Next: sim.h. */
#include "scenes.h"

#include "comm/pipe.h"
#include "proc/record.h"

enum { asker, first_answerer, second_answerer, all, messages = 4, size_most = 40, answer = 100 };

static yunta_pipe *mine, *theirs;
static yunta_process process[all]; /* as far as a pipe asks who that is */
static bool closes[all], is_giving, has_given;
static int give_after, answered;

static void set_up(void)
{
    sim_check(yunta_pipe_create(&mine, &theirs, &(yunta_pipe_options){.capacity = 64}) == 0);
}

static void begin(void)
{
    memset(closes, 0, sizeof closes);
    is_giving = has_given = false;
    give_after = (int)sim_below(messages + 2);
    answered = 0;
    yunta_pipe *end[] = {mine, theirs};
    for (int i = 0; i < all; i++)
        atomic_store(&process[i].who, sim_self_of(i)->claim);
    for (int i = 0; i < 2; i++) { /* as if the asker had made it */
        sim_fill(&end[i]->first[2], 0, sizeof end[i]->first[2]);
        atomic_store(&end[i]->first[2].who, sim_self_of(asker)->claim);
        sim_check(yunta_pipe_close(end[i]) == 0);
    }
}

static bool is_over(int who)
{
    return closes[who] || sim_is_dead(who + 1);
}

static bool may_be_gone(yunta_pipe *end)
{
    if (end == mine)
        return is_over(asker);
    bool second_has_it = has_given || (is_giving && !is_over(first_answerer));
    return (is_giving || is_over(first_answerer)) && (!second_has_it || is_over(second_answerer));
}

static size_t write_message(unsigned char *to, int id)
{
    static const size_t sizes[] = {1, size_most, 21, 33};
    size_t size = sizes[id % 4];
    for (size_t k = 0; k < size; k++)
        to[k] = (unsigned char)(id + 31 * (int)k);
    return size;
}

/* Whether it was sent, or the other end is gone. */
static bool sends(yunta_pipe *end, int id)
{
    unsigned char bytes[size_most];
    int r = yunta_pipe_send(end, bytes, write_message(bytes, id), YUNTA_FOREVER);
    sim_check(r == 0 || (r == -EPIPE && may_be_gone(end == mine ? theirs : mine)));
    return r == 0;
}

/* Its id, or that there is none any more. */
static int receive(yunta_pipe *end)
{
    unsigned char bytes[size_most], whole[size_most];
    size_t size;
    int r = yunta_pipe_receive(end, bytes, sizeof bytes, &size, YUNTA_FOREVER);
    if (r == 0) {
        sim_check(size == write_message(whole, bytes[0]) && memcmp(bytes, whole, size) == 0);
        return bytes[0];
    }
    /* Who is to hold it, but had not yet when the last holder died, comes too late. */
    sim_check((r == YUNTA_ECLOSED && may_be_gone(end == mine ? theirs : mine)) || (r == -EBADF && sim_deaths() > 0));
    sim_check(r != -EBADF || end == theirs);
    return -1;
}

static void let_go(int who, yunta_pipe *end)
{
    closes[who] = true;
    int r = yunta_pipe_close(end);
    sim_check(r == 0 || (r == -EBADF && end == theirs && sim_deaths() > 0));
    sim_check(yunta_pipe_close(end) == -EBADF);
}

static void ask(void)
{
    sim_check(yunta_pipe_give(theirs, &process[first_answerer]) == 0);
    sim_check(yunta_pipe_poll(theirs, 0) == -EBADF);
    for (int i = 0; i < messages && sends(mine, i); i++) {
        int id = receive(mine);
        if (id < 0)
            break;
        sim_check(id == answer + i);
        answered++;
    }
    let_go(asker, mine);
}

static void answer_some(int who)
{
    for (int i = 0, id; who != first_answerer || i < give_after; i++)
        if ((id = receive(theirs)) < 0 || !sends(theirs, answer + id)) {
            let_go(who, theirs);
            return;
        }
    is_giving = true;
    int r = yunta_pipe_give(theirs, &process[second_answerer]);
    sim_check(r == 0 || (r == -EBADF && sim_is_dead(asker + 1)));
    has_given = r == 0;
    closes[who] = r != 0;
    sim_check(yunta_pipe_poll(theirs, 0) == -EBADF);
}

static bool may_go_on(void)
{
    return has_given || sim_thread_is_over(first_answerer);
}

static void talk(int who)
{
    if (who == asker) {
        ask();
        return;
    }
    if (who == second_answerer) {
        sim_await(may_go_on);
        if (!is_giving)
            return;
    }
    answer_some(who);
}

static void check(void)
{
    sim_check(sim_deaths() > 0 || answered == messages);
    sim_check(yn_pipe_is_sound(sim_me(), mine));
    sim_check(yunta_pipe_open(mine) == -EBADF && yunta_pipe_open(theirs) == -EBADF);
}

const sim_scene scene_pipe_ways = {.name = "pipe_ways",
                                   .setup = set_up,
                                   .begin = begin,
                                   .body = talk,
                                   .check = check,
                                   .processes = all,
                                   .threads = 1,
                                   .deaths = 2,
                                   .share = 30};
