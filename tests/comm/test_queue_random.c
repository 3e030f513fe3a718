/* The queue under load: several producers and consumers, every message accounted for; closed at any time; and SIGKILL
 * at any time. It must not sleep to wait, but between kills, whose moment is to be random.
 * Read next: tests/crash/test_queue_kill.c, which leaves nothing to chance.
 * YUNTA_KILLS: how many kills for each kind of queue, 300 if it is not set.
 * timeout: 300 */
#include "comm/queue.h"
#include "test_queue_guest.h"

#include <errno.h>
#include <string.h>

enum { PRODUCERS = 2, CONSUMERS = 2, WORKERS = PRODUCERS + CONSUMERS, LARGEST = 600 };

typedef struct scene {
    size_t capacity;
    bool large; /* messages of 16 … LARGEST bytes; else of 16 … 112 */
    bool lose;
} scene;

static const scene scenes[] = {{64, false, false}, {3, false, false}, {1, true, false}, {0, false, false},
                               {0, true, false},   {64, true, true},  {5, false, true}};

typedef struct worker_shared {
    _Atomic yn_claim claim;
    YN_ALIGNED(64) _Atomic uint64_t next; /* producers: the message to put next */
    _Atomic uint64_t count;               /* consumers: messages got */
    _Atomic uint64_t inversions;          /* consumers: older ones after younger ones of the same producer */
    uint64_t last[PRODUCERS];             /* consumers: the last one seen of each */
} worker_shared;

typedef struct shared {
    worker_shared worker[WORKERS];
    _Atomic uint32_t missed;                /* sleepers that found something by chance, not by being woken */
    uint64_t most;                          /* messages of a producer */
    _Atomic unsigned char *seen[PRODUCERS]; /* how often each message was got */
    unsigned char *sure[PRODUCERS];         /* whether its put has returned */
} shared;

static shared *s;
static yunta_queue *q;
static const scene *now;

static size_t size_of(uint64_t id)
{
    return 16 + (id * 2654435761u >> 7) % (now->large ? LARGEST - 15 : 112 - 15);
}

static void fill(unsigned char *message, uint64_t id, uint64_t producer)
{
    size_t size = size_of(id);
    memset(message, (int)(id * 7 + producer), size);
    memcpy(message, &id, 8);
    memcpy(message + 8, &producer, 8);
}

static uint64_t consumed(void)
{
    uint64_t n = 0;
    for (int i = PRODUCERS; i < WORKERS; i++)
        n += atomic_load(&s->worker[i].count);
    return n;
}

static uint64_t unconsumed(void)
{
    uint64_t n = consumed();
    for (int i = 0; i < PRODUCERS; i++)
        n -= atomic_load(&s->worker[i].next);
    return -n;
}

static int produce(void *context)
{
    worker_shared *w = context;
    uint64_t producer = (uint64_t)(w - s->worker);
    unsigned char message[LARGEST];
    while (atomic_load(&w->next) < s->most) {
        while (now->capacity == 0 && unconsumed() > 50000) /* memory has an end */
            test_nap();
        uint64_t id = atomic_fetch_add(&w->next, 1);
        fill(message, id, producer);
        int r = yunta_queue_put_bytes(q, message, size_of(id), YUNTA_FOREVER);
        if (r != 0) {
            if (r == YUNTA_ECLOSED) /* it was not put */
                atomic_fetch_sub(&w->next, 1);
            return r == YUNTA_ECLOSED ? 0 : 1;
        }
        s->sure[producer][id] = 1;
    }
    return 0;
}

static int consume(void *context)
{
    worker_shared *w = context;
    unsigned char message[LARGEST], expected[LARGEST];
    for (;;) {
        size_t size;
        uint64_t id, producer;
        int r = yunta_queue_get_bytes(q, message, sizeof message, &size, YUNTA_FOREVER);
        if (r != 0)
            return r == YUNTA_ECLOSED ? 0 : 2;
        memcpy(&id, message, 8);
        memcpy(&producer, message + 8, 8);
        if (size < 16 || producer >= PRODUCERS || id >= s->most || size != size_of(id))
            return 3;
        fill(expected, id, producer);
        if (memcmp(message, expected, size) != 0)
            return 4;
        if (atomic_fetch_add(&s->seen[producer][id], 1) != 0)
            return 5;
        if (id + 1 < w->last[producer])
            atomic_fetch_add(&w->inversions, 1);
        w->last[producer] = id + 1;
        atomic_fetch_add(&w->count, 1);
    }
}

/* Whether there is something to do for who sleeps on that event. */
static bool is_needed(const yn_event_shared *event)
{
    if (yunta_queue_is_closed(q))
        return true;
    return event == &q->filled ? !yunta_queue_is_empty(q) : !yunta_queue_is_full(q);
}

/* What a sleeper does when it has slept for long. If it is needed, somebody must be about to tell it so. */
static void look_round(yn_self *me)
{
    _Atomic uint32_t *word = atomic_load(&me->seat->word);
    const yn_event_shared *event = (const yn_event_shared *)(const void *)word;
    uint32_t key = atomic_load(&me->seat->expected);
    for (uint64_t end = test_now_ms() + 10000; atomic_load(word) == key && is_needed(event); test_nap())
        if (test_now_ms() >= end) {
            atomic_fetch_add(&s->missed, 1);
            return;
        }
}

static guest start(int i)
{
    return guest_start(&s->worker[i].claim, i < PRODUCERS ? produce : consume, &s->worker[i]);
}

static void begin(const scene *which, uint64_t most)
{
    now = which;
    s = guest_memory(sizeof *s);
    s->most = most;
    for (int i = 0; i < PRODUCERS; i++) {
        s->seen[i] = guest_memory(most);
        s->sure[i] = guest_memory(most);
    }
    ck_assert_int_eq(
        yunta_queue_create(&q, &(yunta_queue_options){.capacity = now->capacity, .lose_on_death = now->lose}), 0);
    yn_wait_up.check_watch = look_round;
    atomic_store(&yn_tie_unknown, true); /* so that there is a look once in a second */
}

typedef struct outcome {
    uint64_t put, missing, unsure, inversions; /* missing: although its put returned; unsure: its producer died in it */
} outcome;

static outcome account(void)
{
    outcome o = {0};
    for (int i = 0; i < PRODUCERS; i++) {
        uint64_t next = atomic_load(&s->worker[i].next);
        o.put += next;
        for (uint64_t id = 0; id < next; id++) {
            bool seen = atomic_load(&s->seen[i][id]) != 0, sure = s->sure[i][id];
            o.missing += !seen && sure;
            o.unsure += !seen && !sure;
        }
    }
    for (int i = PRODUCERS; i < WORKERS; i++)
        o.inversions += atomic_load(&s->worker[i].inversions);
    return o;
}

START_TEST(all_is_got_once_and_in_order)
{
    guest g[WORKERS];
    begin(&scenes[_i], 40000);
    for (int i = 0; i < WORKERS; i++)
        g[i] = start(i);
    for (int i = 0; i < PRODUCERS; i++)
        ck_assert_int_eq(guest_join(&g[i]), 0);
    ck_assert_int_eq(yunta_queue_close(q), 0);
    for (int i = PRODUCERS; i < WORKERS; i++)
        ck_assert_int_eq(guest_join(&g[i]), 0);
    outcome o = account();
    ck_assert_uint_eq(o.put, PRODUCERS * s->most);
    ck_assert_uint_eq(o.missing + o.unsure, 0);
    ck_assert_uint_eq(o.inversions, 0);
    ck_assert_uint_eq(consumed(), o.put);
    ck_assert_uint_eq(atomic_load(&s->missed), 0);
    yunta_queue_destroy(q);
}
END_TEST

START_TEST(closed_at_any_time)
{
    srand(1);
    for (int turn = 0; turn < 30; turn++) {
        guest g[WORKERS];
        begin(&scenes[_i], 10000000);
        for (int i = 0; i < WORKERS; i++)
            g[i] = start(i);
        usleep((useconds_t)(rand() % 4000));
        ck_assert_int_eq(yunta_queue_close(q), 0);
        for (int i = 0; i < WORKERS; i++)
            ck_assert_int_eq(guest_join(&g[i]), 0);
        outcome o = account();
        ck_assert_uint_eq(o.missing + o.unsure, 0);
        ck_assert_uint_eq(consumed(), o.put);
        ck_assert(yunta_queue_is_empty(q));
        ck_assert_uint_eq(atomic_load(&s->missed), 0);
        yunta_queue_destroy(q);
        for (int i = 0; i < PRODUCERS; i++) {
            munmap((void *)s->seen[i], s->most);
            munmap(s->sure[i], s->most);
        }
        munmap(s, sizeof *s);
    }
}
END_TEST

/* Every so often: is it still going? */
static void check_progress(void)
{
    uint64_t before = consumed();
    test_wait_until(consumed() != before, 20000);
}

START_TEST(killed_at_any_time)
{
    guest g[WORKERS];
    uint64_t killed[2] = {0, 0}; /* producers, consumers */
    long kills = guest_amount("YUNTA_KILLS", 300);
    begin(&scenes[_i], (uint64_t)kills * 200000 + 10000000);
    srand((unsigned)_i);
    for (int i = 0; i < WORKERS; i++)
        g[i] = start(i);
    for (long k = 0; k < kills; k++) {
        int victim = rand() % WORKERS;
        usleep((useconds_t)(rand() % 1000));
        guest_kill(&g[victim]);
        killed[victim >= PRODUCERS]++;
        g[victim] = start(victim);
        if (k % 100 == 99)
            check_progress();
    }
    check_progress();
    ck_assert_int_eq(yunta_queue_close(q), 0);
    for (int i = 0; i < WORKERS; i++)
        ck_assert_int_eq(guest_join(&g[i]), 0);
    outcome o = account();
    yunta_queue_stats stats;
    ck_assert_int_eq(yunta_queue_read_stats(q, &stats), 0);
    fprintf(stderr,
            "%ld kills, %llu messages: %llu missing, %llu not put, %llu lost, %llu redelivered, %llu abandoned\n",
            kills, (unsigned long long)o.put, (unsigned long long)o.missing, (unsigned long long)o.unsure,
            (unsigned long long)stats.lost, (unsigned long long)stats.redelivered, (unsigned long long)stats.abandoned);
    ck_assert_uint_eq(stats.size, 0);
    /* The one in the hand of whoever was killed, and none else. */
    ck_assert_uint_le(o.missing, killed[1]);
    ck_assert_uint_le(o.unsure, killed[0]);
    ck_assert_uint_le(stats.abandoned, killed[0]);
    ck_assert_uint_le(stats.lost + stats.redelivered, killed[1]);
    ck_assert_uint_eq(now->lose ? stats.redelivered : stats.lost, 0);
    ck_assert_uint_le(o.inversions, stats.redelivered);
    ck_assert_uint_eq(atomic_load(&s->missed), 0);
    yunta_queue_destroy(q);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("queue_random");
    TCase *cases = test_case(suite, "load");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, all_is_got_once_and_in_order, 0, (int)YN_COUNT(scenes));
    tcase_add_loop_test(cases, closed_at_any_time, 0, (int)YN_COUNT(scenes));
    cases = test_case(suite, "kills");
    tcase_set_timeout(cases, 250);
    tcase_add_loop_test(cases, killed_at_any_time, 0, (int)YN_COUNT(scenes));
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
