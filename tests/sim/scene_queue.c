/* Queues in the simulator: a bounded one, a ring, and an unbounded one, a chain of rings.
 * No message may come twice or out of order, none be lost but with the death of who was getting it, and the size must
 * be what can be got. Next: sim.h. */
#include "scenes.h"

#include <yunta/queue.h>

enum { putters = 2, getters = 2, messages = 5 };

static yunta_queue *bounded, *unbounded, *queue;
static bool begun[putters][messages], refused[putters][messages], put[putters][messages], got[putters][messages];
static int last[getters][putters];
static sim_datum told_of[putters][messages]; /* what a message is about */
static int most;                             /* that each getter takes */

static void set_up(void)
{
    sim_check(yunta_queue_create(&bounded, &(yunta_queue_options){.item_size = 4, .capacity = 2}) == 0);
    sim_check(yunta_queue_create(&unbounded, &(yunta_queue_options){.item_size = 4}) == 0);
}

static void begin(yunta_queue *which)
{
    queue = which;
    memset(begun, 0, sizeof begun);
    memset(refused, 0, sizeof refused);
    memset(put, 0, sizeof put);
    memset(got, 0, sizeof got);
    memset(told_of, 0, sizeof told_of);
    for (int i = 0; i < getters; i++)
        for (int p = 0; p < putters; p++)
            last[i][p] = -1;
    most = sim_one_in(2) ? 1 + (int)sim_below(3) : putters * messages;
}

static void begin_bounded(void)
{
    begin(bounded);
}

static void begin_unbounded(void)
{
    begin(unbounded);
}

static void note(uint32_t item)
{
    uint32_t p = item / 100, i = item % 100;
    sim_check(p < putters && i < messages);
    sim_check(begun[p][i] && !refused[p][i] && !got[p][i]);
    got[p][i] = true;
    sim_datum_read(&told_of[p][i]);
}

static int some_limit(void)
{
    return sim_one_in(5) ? (int)sim_below(3) : YUNTA_FOREVER;
}

static void put_some(int who)
{
    for (int i = 0; i < messages; i++) {
        uint32_t item = (uint32_t)(who * 100 + i);
        int limit = some_limit();
        begun[who][i] = true;
        sim_datum_write(&told_of[who][i]);
        int r = yunta_queue_put(queue, &item, limit);
        sim_check(r == 0 || r == YUNTA_ECLOSED || (r == -ETIMEDOUT && limit != YUNTA_FOREVER));
        put[who][i] = r == 0;
        refused[who][i] = r != 0;
    }
}

static void get_some(int who)
{
    for (int n = 0; n < most;) {
        uint32_t item = UINT32_MAX;
        int limit = some_limit(), r = yunta_queue_get(queue, &item, limit);
        if (r == YUNTA_ECLOSED)
            return;
        if (r == -ETIMEDOUT) {
            sim_check(limit != YUNTA_FOREVER);
            continue;
        }
        sim_check(r == 0);
        note(item);
        n++;
        int *before = &last[who - putters][item / 100];
        sim_check(sim_deaths() > 0 || *before < (int)(item % 100));
        *before = (int)(item % 100);
        if (sim_one_in(4))
            sim_check(yunta_queue_size(queue) <= putters * messages);
    }
}

static void put_or_get(int who)
{
    if (who < putters)
        put_some(who);
    else
        get_some(who);
}

/* Who waits for messages waits rightly while nobody is left to put one and nothing is there, and so does who waits for
 * room in a full one that nobody gets from: until it is closed. */
static bool close_it(void)
{
    bool may_put = false, may_get = false;
    if (yunta_queue_is_closed(queue))
        return false;
    for (int who = 0; who < putters; who++)
        may_put |= !sim_thread_is_over(who);
    for (int who = putters; who < putters + getters; who++)
        may_get |= !sim_thread_is_over(who);
    if ((may_get && yunta_queue_size(queue) != 0) || (may_put && !yunta_queue_is_full(queue)))
        return false;
    return yunta_queue_close(queue) == 0;
}

static void check(void)
{
    size_t size = yunta_queue_size(queue), left = 0;
    uint32_t item;
    int r;
    while ((r = yunta_queue_get(queue, &item, 0)) == 0) {
        note(item);
        left++;
    }
    if (size != left || yunta_queue_size(queue) != 0)
        sim_fail(__FILE__, __LINE__, "size %zu, then %zu got, then %d and size %zu", size, left, r,
                 yunta_queue_size(queue));
    int lost = 0, dead = 0;
    for (int p = 0; p < putters; p++)
        for (int i = 0; i < messages; i++)
            lost += put[p][i] && !got[p][i];
    for (int p = putters + 1; p <= putters + getters; p++)
        dead += sim_is_dead(p);
    sim_check(lost <= dead);
}

const sim_scene scene_queue_bounded = {.name = "queue_bounded",
                                       .setup = set_up,
                                       .begin = begin_bounded,
                                       .body = put_or_get,
                                       .rescue = close_it,
                                       .check = check,
                                       .processes = putters + getters,
                                       .threads = 1,
                                       .deaths = 2,
                                       .share = 90};
const sim_scene scene_queue_unbounded = {.name = "queue_unbounded",
                                         .setup = set_up,
                                         .begin = begin_unbounded,
                                         .body = put_or_get,
                                         .rescue = close_it,
                                         .check = check,
                                         .processes = putters + getters,
                                         .threads = 1,
                                         .deaths = 2,
                                         .share = 90};
