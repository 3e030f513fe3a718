/* Waiting for many at once in the simulator: queues, both ways, a semaphore, an event and a lock.
 * Nobody may sleep while one of the things that it waits for is ready, whoever died when; and no listener of the living
 * may be left over. Next: scene_pipe.c. */
#include "scenes.h"

#include "sync/listen.h"

#include <yunta/condition.h>
#include <yunta/wait.h>

enum { makers = 2, waiters = 2, newcomers = 1, all_of_them = makers + waiters + newcomers, rounds = 3 };
enum { GET_A = 0, GET_B, PUT_A, SIGNAL, EVENT, LOCK, things };

static yunta_queue *bounded, *unbounded;
static yunta_semaphore *signal_of;
static yunta_event *event;
static yunta_lock *lock;
static unsigned waits_for[all_of_them]; /* bits */
static bool flooded;

static void set_up(void)
{
    sim_check(yunta_queue_create(&bounded, &(yunta_queue_options){.item_size = 4, .capacity = 2}) == 0);
    sim_check(yunta_queue_create(&unbounded, &(yunta_queue_options){.item_size = 4, .order = YUNTA_LIFO}) == 0);
    sim_check(yunta_semaphore_create(&signal_of, &(yunta_semaphore_options){.unowned = true}) == 0);
    sim_check(yunta_event_create(&event) == 0);
    sim_check(yunta_lock_create(&lock) == 0);
}

static void begin(void)
{
    memset(waits_for, 0, sizeof waits_for);
    flooded = false;
}

static void pass_lock(int limit)
{
    int r = yunta_lock_acquire(lock, limit);
    sim_check(r == 0 || r == -EOWNERDEAD || (r == -ETIMEDOUT && limit != YUNTA_FOREVER));
    if (r == -ETIMEDOUT)
        return;
    if (r == -EOWNERDEAD)
        sim_check(yunta_lock_mark_consistent(lock) == 0);
    sim_points(10);
    sim_check(yunta_lock_release(lock) == 0);
}

static void make(void)
{
    int item = 7, r = 0;
    switch (sim_below(things)) {
    case GET_A:
        r = yunta_queue_put(bounded, &item, 0);
        break;
    case GET_B:
        r = yunta_queue_put(unbounded, &item, YUNTA_FOREVER);
        break;
    case PUT_A:
        r = yunta_queue_get(bounded, &item, 0);
        break;
    case SIGNAL:
        r = yunta_semaphore_release(signal_of);
        break;
    case EVENT:
        r = yunta_event_set(event);
        break;
    default:
        pass_lock(YUNTA_FOREVER);
    }
    sim_check(r == 0 || r == -ETIMEDOUT || (r == YUNTA_ECLOSED && flooded));
}

static void take(unsigned thing)
{
    int item = 7, r = 0;
    switch (thing) {
    case GET_A:
        r = yunta_queue_get(bounded, &item, 0);
        break;
    case GET_B:
        r = yunta_queue_get(unbounded, &item, 0);
        break;
    case PUT_A:
        r = yunta_queue_put(bounded, &item, 0);
        break;
    case SIGNAL:
        r = yunta_semaphore_acquire(signal_of, 0);
        break;
    case EVENT:
        r = yunta_event_clear(event);
        break;
    default:
        pass_lock(0);
    }
    sim_check((r == 0 && item == 7) || r == -ETIMEDOUT || (r == YUNTA_ECLOSED && flooded));
}

static void wait_and_take(int who)
{
    const yunta_wait_item all[things] = {
        {.kind = YUNTA_WAIT_GET, .object = bounded}, {.kind = YUNTA_WAIT_GET, .object = unbounded},
        {.kind = YUNTA_WAIT_PUT, .object = bounded}, {.kind = YUNTA_WAIT_SEMAPHORE, .object = signal_of},
        {.kind = YUNTA_WAIT_EVENT, .object = event}, {.kind = YUNTA_WAIT_LOCK, .object = lock}};
    for (int round = 0; round < rounds; round++) {
        yunta_wait_item items[things];
        unsigned some = sim_one_in(2) ? ~(1u << PUT_A | 1u << LOCK) : ~0u,
                 which = (1 + sim_below((1u << things) - 1)) & some;
        int limit = sim_one_in(5) ? (int)sim_below(3) : YUNTA_FOREVER, ready = 0;
        which = which ? which : 1u << GET_A;
        for (unsigned i = 0; i < things; i++)
            items[i] = which & 1u << i ? all[i] : (yunta_wait_item){.kind = YUNTA_WAIT_NOTHING};
        waits_for[who] = which;
        int r = yunta_wait_many(items, things, limit);
        waits_for[who] = 0;
        sim_check(r > 0 || (r == -ETIMEDOUT && limit != YUNTA_FOREVER));
        for (unsigned i = 0; r > 0 && i < things; i++) {
            sim_check(!items[i].ready || which & 1u << i);
            ready += items[i].ready != 0;
            if (items[i].ready)
                take(i);
        }
        sim_check(r < 0 || ready == r);
    }
}

static void make_or_wait(int who)
{
    for (int i = 0; who < makers && i < 4; i++)
        make();
    if (who >= makers)
        wait_and_take(who);
}

static bool is_ready(unsigned thing)
{
    switch (thing) {
    case GET_A:
        return yunta_queue_size(bounded) > 0 || flooded;
    case GET_B:
        return yunta_queue_size(unbounded) > 0 || flooded;
    case PUT_A:
        return !yunta_queue_is_full(bounded) || flooded;
    case SIGNAL:
        return yunta_semaphore_value(signal_of) > 0;
    case EVENT:
        return yunta_event_is_set(event);
    default:
        return true;
    }
}

/* Who waits for what is not ready waits rightly: until everything is made so. */
static bool flood(void)
{
    for (int who = 0; who < all_of_them; who++)
        for (unsigned i = 0; i < things; i++)
            if (!sim_thread_is_over(who) && (who < makers || (waits_for[who] & 1u << i && is_ready(i))))
                return false;
    flooded = true;
    for (int i = 0; i < (waiters + newcomers) * rounds; i++)
        sim_check(yunta_semaphore_release(signal_of) == 0);
    return yunta_queue_close(bounded) == 0 && yunta_queue_close(unbounded) == 0 && yunta_event_set(event) == 0;
}

static void check(void)
{
    size_t living;
    sim_check(yn_listen_is_sound(sim_me()->arena, &living));
    sim_check(living == 0);
}

const sim_scene scene_wait_many = {.name = "wait_many",
                                   .setup = set_up,
                                   .begin = begin,
                                   .body = make_or_wait,
                                   .rescue = flood,
                                   .check = check,
                                   .processes = makers + waiters,
                                   .threads = 1,
                                   .newcomers = newcomers,
                                   .deaths = 2,
                                   .share = 60};
