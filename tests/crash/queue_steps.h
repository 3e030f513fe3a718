/* The ways in which a queue's victims are killed at each of their points: alone, with a rival's whole call in between,
 * and once more while the wreck is being repaired. For the tests of each kind of queue, which say what they do there.
 * YUNTA_KILLS: if it is set, rivals come at every instruction, and no point is left out where there are many. */
#ifndef YUNTA_TEST_QUEUE_STEPS_H
#define YUNTA_TEST_QUEUE_STEPS_H

#include "queue_scene.h"

typedef void function(void);

/* Where what is of the queue begins. */
static inline function *function_of(int what)
{
    switch (what) {
    case PUT:
        return (function *)yunta_queue_put_bytes;
    case GET:
        return (function *)yunta_queue_get_bytes;
    case PUT_MANY:
        return (function *)yunta_queue_put_many;
    case GET_MANY:
        return (function *)yunta_queue_get_many;
    case PUT_BYTES:
        return (function *)yunta_queue_put_many_bytes;
    case GET_BYTES:
        return (function *)yunta_queue_get_many_bytes;
    case LEND:
        return (function *)yunta_queue_commit;
    case RECEIVE:
        return (function *)yunta_queue_receive;
    case PEEK:
        return (function *)yunta_queue_peek;
    default:
        return (function *)yunta_queue_size;
    }
}

static void live_once(const lead *before, const lead *l)
{
    if (before)
        live(before, l);
    else
        live(l, NULL);
}

/* Finds the points of the one who is led like that, the second one if another is led `before`, and kills it at each,
 * from that number on. The step at which it ended. */
static long kill_at_points(const lead *before, lead l, int first, int every)
{
    points p = {0};
    l.find = &p;
    live_once(before, &l);
    l.find = NULL;
    l.path = &p.path;
    for (int j = first; j < p.count && l.rival_at <= p.last; j += every) {
        l.kill_at = p.at[j];
        live_once(before, &l);
    }
    walker_forget(&p.path);
    return p.last;
}

static void tell_lives(const char *how)
{
    printf("%s, %s %s: %ld lives\n", names[now->first], now->order || now->joinable ? "with a store," : "", how, lives);
}

static inline void kill_alone(const scene *s)
{
    begin(s);
    function *from = now->passed || !is_thorough() ? now->from : NULL; /* the heap's part once is enough */
    kill_at_points(NULL, (lead){.rival_at = -1, .from = from}, 0, 1);
    tell_lives("killed alone");
}

/* The rival comes at any instruction, also between a look and what is done upon it. */
static inline void kill_beside_rival(const scene *s, int first, int usual)
{
    begin(s);
    lead l = {.from = now->from ? now->from : function_of(now->first)};
    l.rival_at = first % stride(usual);
    while (kill_at_points(NULL, l, 0, 1) >= l.rival_at)
        l.rival_at += stride(usual);
    tell_lives("killed beside a rival");
}

/* Of the first one's points one in so many that about `parts` are left; of the second one's, one in `usual`. */
static inline void kill_while_repairing(const scene *s, int first, int parts, int usual)
{
    points alone = {0};
    begin(s);
    live(&(lead){.rival_at = -1, .find = &alone, .from = now->from}, NULL);
    int step = stride(1 + alone.count / parts);
    for (int i = first % step; i < alone.count; i += step) {
        const lead before = {.rival_at = -1, .kill_at = alone.at[i], .from = now->from, .path = &alone.path};
        kill_at_points(&before, (lead){.rival_at = -1}, i % stride(usual), stride(usual));
    }
    walker_forget(&alone.path);
    tell_lives("killed while repairing");
}

#endif
