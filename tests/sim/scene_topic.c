/* Topics in the simulator, lossy and lossless.
 * Each subscriber must receive all from its subscription on, in one order, or be told how many it has missed; nobody
 * may wait for the dead. Next: sim.h. */
#include "scenes.h"

#include "comm/topic.h"

enum { publishers = 2, subscribers = 2, messages = 5, size_most = 20 };

static yunta_topic *kind[2], *topic;
static yunta_subscription *subscription[publishers + subscribers];
static bool begun[publishers][messages], refused[publishers][messages];
static int log_of[subscribers][publishers * messages], logged[subscribers];
static int most;
static bool is_shut;

static void set_up(void)
{
    for (int k = 0; k < 2; k++)
        sim_check(yunta_topic_create(&kind[k], &(yunta_topic_options){.capacity = 128, .lossless = k == 1}) == 0);
}

static void begin(void)
{
    topic = kind[sim_below(2)];
    memset(subscription, 0, sizeof subscription);
    memset(begun, 0, sizeof begun);
    memset(refused, 0, sizeof refused);
    memset(logged, 0, sizeof logged);
    most = sim_one_in(2) ? 1 + (int)sim_below(3) : publishers * messages;
    is_shut = false;
}

static void write_message(unsigned char *to, int id)
{
    memcpy(to, &id, 4);
    for (int k = 4; k < size_most; k++)
        to[k] = (unsigned char)(id * 31 + k);
}

static size_t size_of(int id)
{
    return id % 2 ? size_most : 4;
}

static int some_limit(void)
{
    return sim_one_in(5) ? (int)sim_below(3) : YUNTA_FOREVER;
}

static void publish_some(int who)
{
    unsigned char bytes[size_most];
    for (int i = 0; i < messages; i++) {
        int limit = some_limit(), id = who * 100 + i;
        write_message(bytes, id);
        begun[who][i] = true;
        int r = yunta_topic_publish(topic, bytes, size_of(id), limit);
        sim_check(r == 0 || (r == YUNTA_ECLOSED && is_shut) || (r == -ETIMEDOUT && limit != YUNTA_FOREVER));
        refused[who][i] = r != 0;
    }
}

static void note(int who, const unsigned char *bytes, size_t size)
{
    unsigned char whole[size_most];
    int id;
    memcpy(&id, bytes, 4);
    sim_check(id >= 0 && id / 100 < publishers && id % 100 < messages && size == size_of(id));
    write_message(whole, id);
    sim_check(memcmp(bytes, whole, size) == 0);
    sim_check(begun[id / 100][id % 100] && !refused[id / 100][id % 100]);
    log_of[who - publishers][logged[who - publishers]++] = id;
}

static void receive_some(int who)
{
    yunta_subscription *s;
    int r = yunta_topic_subscribe(topic, &s);
    if (r == YUNTA_ECLOSED)
        return;
    sim_check(r == 0);
    uint64_t number = s->number, missed;
    subscription[who] = s;
    while (logged[who - publishers] < most) {
        unsigned char bytes[size_most];
        size_t size;
        int limit = some_limit();
        r = yunta_topic_receive(s, bytes, sim_one_in(4) ? 4 : sizeof bytes, &size, &missed, limit);
        if (r == -EMSGSIZE)
            continue;
        sim_check(r == 0 || (r == YUNTA_ECLOSED && is_shut) || (r == -ETIMEDOUT && limit != YUNTA_FOREVER));
        if (r == YUNTA_ECLOSED) {
            yunta_topic_stats stats;
            sim_check(yunta_topic_read_stats(topic, &stats) == 0 && number == stats.published);
            break;
        }
        if (r != 0)
            continue;
        number += 1 + missed;
        sim_check(s->number == number && (missed == 0 || !topic->lossless));
        note(who, bytes, size);
    }
    subscription[who] = NULL;
    sim_check(yunta_topic_unsubscribe(s) == 0);
}

static void publish_or_receive(int who)
{
    if (who < publishers)
        publish_some(who);
    else
        receive_some(who);
}

/* Who has received all waits rightly, for more: until it is closed. */
static bool close_it(void)
{
    for (int who = 0; who < publishers + subscribers; who++) {
        if (sim_thread_is_over(who))
            continue;
        if (who < publishers || is_shut || yn_topic_next(subscription[who]) < atomic_load(&topic->tail))
            return false;
    }
    is_shut = true;
    return yunta_topic_close(topic) == 0;
}

static int place(int s, int id)
{
    for (int i = 0; i < logged[s]; i++)
        if (log_of[s][i] == id)
            return i;
    return -1;
}

/* What both have received, they have received in the same order, and once. */
static void check(void)
{
    int last = -1;
    for (int i = 0; i < logged[0]; i++) {
        int p = place(1, log_of[0][i]);
        sim_check(place(0, log_of[0][i]) == i && (p < 0 || p > last));
        last = p < 0 ? last : p;
    }
    sim_check(yn_topic_is_sound(sim_me(), topic));
    sim_check(yunta_topic_close(topic) == 0);
}

const sim_scene scene_topic = {.name = "topic",
                               .setup = set_up,
                               .begin = begin,
                               .body = publish_or_receive,
                               .rescue = close_it,
                               .check = check,
                               .processes = publishers + subscribers,
                               .threads = 1,
                               .deaths = 2,
                               .share = 60};
