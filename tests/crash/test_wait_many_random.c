/* Many processes that wait for mixed sets of things (a queue, a pipe, a topic, a semaphore; by a word, by a doorbell,
 * or by descriptors in their own poll) while others put, send and publish; all of them are killed at moments that
 * nobody chose, and in the end one thing is closed.
 * It must not count on time-outs: sleeps without a limit have none here, so who is not told is a failure.
 * YUNTA_KILLS says how many kills (2,000 in all). Read next: test_wait_many_kill.c, the same step by step.
 *
 * timeout: 300 */
#include "../comm/wait_scene.h"

#include <yunta/pipe.h>
#include <yunta/topic.h>

typedef struct table {
    yunta_queue *queue;
    yunta_pipe *in, *out;
    yunta_topic *topic;
    yunta_semaphore *semaphore;
    _Atomic long told[4]; /* how often each was ready, for somebody */
    _Atomic long done;
    _Atomic int stop;
    _Atomic int wrong;
} table;

#include "random_kills.h"

enum { QUEUE, PIPE, TOPIC, SEMAPHORE, KINDS };

/* Of this process. */
static yunta_subscription *own;
static int ends[2];

/* Message i of thing k is k + KINDS * i, over and over. */
static void feed(int which)
{
    uint32_t message[8];
    size_t size = sizeof message[0] * (1 + some(8));
    for (size_t i = 0; i < YN_COUNT(message); i++)
        message[i] = (uint32_t)which + KINDS * some(1000);
    int r = which == QUEUE   ? yunta_queue_put_bytes(t->queue, message, size, 0)
            : which == PIPE  ? yunta_pipe_send(t->out, message, size, 0)
            : which == TOPIC ? yunta_topic_publish(t->topic, message, size, 0)
                             : yunta_semaphore_release(t->semaphore);
    expect_in_worker(r == 0 || r == -ETIMEDOUT || (r == YUNTA_ECLOSED && atomic_load(&t->stop)));
}

static void turn_of_feeder(long me)
{
    (void)me;
    yunta_wait_item items[] = {item(YUNTA_WAIT_PUT, t->queue), item(YUNTA_WAIT_SEND, t->out),
                               item(YUNTA_WAIT_PUBLISH, t->topic)};
    dawdle(2000);
    expect_in_worker(yunta_wait_many(items, KINDS - 1, YUNTA_FOREVER) >= 1);
    for (int i = 0; i < KINDS - 1; i++)
        if (items[i].ready && some(4) != 0)
            feed(i);
    if (yunta_semaphore_value(t->semaphore) < 3)
        feed(SEMAPHORE);
}

/* -ETIMEDOUT: nothing was there. */
static int take_from(int which)
{
    uint32_t message[8] = {(uint32_t)which};
    size_t size = sizeof message[0];
    int r = which == QUEUE   ? yunta_queue_get_bytes(t->queue, message, sizeof message, &size, 0)
            : which == PIPE  ? yunta_pipe_receive(t->in, message, sizeof message, &size, 0)
            : which == TOPIC ? yunta_topic_receive(own, message, sizeof message, &size, NULL, 0)
                             : yunta_semaphore_acquire(t->semaphore, 0);
    expect_in_worker(r == 0 || r == -ETIMEDOUT || (r == YUNTA_ECLOSED && atomic_load(&t->stop)));
    for (size_t i = 0; r == 0 && i < size / sizeof message[0]; i++)
        expect_in_worker(message[i] % KINDS == (uint32_t)which);
    return r;
}

static void eat(bool by_doorbell)
{
    yunta_wait_item items[] = {item(YUNTA_WAIT_GET, t->queue), item(YUNTA_WAIT_RECEIVE, t->in),
                               item(YUNTA_WAIT_SUBSCRIPTION, own), item(YUNTA_WAIT_SEMAPHORE, t->semaphore),
                               by_doorbell ? input(ends[0]) : item(YUNTA_WAIT_NOTHING, NULL)};
    expect_in_worker(yunta_wait_many(items, KINDS + 1, YUNTA_FOREVER) >= 1);
    for (int i = 0; i < KINDS; i++) {
        if (!items[i].ready)
            continue;
        atomic_fetch_add(&t->told[i], 1);
        take_from(i);
    }
}

static void eat_by_descriptors(void)
{
    static struct pollfd p[KINDS - 1];
    if (p[0].events == 0) {
        p[QUEUE] = (struct pollfd){.fd = yunta_queue_descriptor(t->queue), .events = POLLIN};
        p[PIPE] = (struct pollfd){.fd = yunta_pipe_descriptor(t->in), .events = POLLIN};
        p[TOPIC] = (struct pollfd){.fd = yunta_topic_descriptor(own), .events = POLLIN};
    }
    expect_in_worker(poll(p, KINDS - 1, -1) >= 1);
    for (int i = 0; i < KINDS - 1; i++)
        while (p[i].revents && take_from(i) == 0)
            atomic_fetch_add(&t->told[i], 1);
}

static void turn_of_eater(long me)
{
    if (!own) {
        expect_in_worker(yunta_topic_subscribe(t->topic, &own) == 0 || atomic_load(&t->stop));
        expect_in_worker(pipe(ends) == 0);
    }
    if (!own)
        return;
    if (me % 3 == 2)
        eat_by_descriptors();
    else
        eat(me % 3 == 1);
}

static void (*const turns[2])(long) = {turn_of_feeder, turn_of_eater};

static void make_things(void)
{
    ck_assert_int_eq(yunta_queue_create(&t->queue, &(yunta_queue_options){.capacity = 2}), 0);
    ck_assert_int_eq(yunta_pipe_create(&t->in, &t->out, &(yunta_pipe_options){.capacity = 128, .one_way = true}), 0);
    ck_assert_int_eq(yunta_topic_create(&t->topic, &(yunta_topic_options){.capacity = 128, .lossless = true}), 0);
    ck_assert_int_eq(yunta_semaphore_create(&t->semaphore, &(yunta_semaphore_options){.unowned = true}), 0);
}

static void free_things(void)
{
    yunta_queue_destroy(t->queue);
    yunta_pipe_destroy(t->in);
    yunta_topic_destroy(t->topic);
    yunta_semaphore_destroy(t->semaphore);
}

/* The living go on by themselves, without a death that would wake them. */
static void must_go_on(long turns_to_come)
{
    long done = atomic_load(&t->done);
    uint64_t end = test_now_ms() + 10000;
    while (atomic_load(&t->done) <= done + turns_to_come) {
        ck_assert_msg(test_now_ms() < end, "nothing goes on; wrong: line %d", atomic_load(&t->wrong));
        test_nap();
    }
}

START_TEST(goes_on_whoever_is_killed)
{
    pid_t pid[workers];
    long kills = (kills_wanted() + rounds - 1) / rounds;
    make_table();
    for (int round = 0; round < rounds; round++) {
        make_things();
        for (int i = 0; i < workers; i++)
            pid[i] = start_worker(turns[i % 2]);
        for (long i = 0; i < kills; i++) {
            for (uint32_t spins = some(30000); spins > 0; spins--)
                yn_pause();
            uint32_t k = some(workers);
            replace(&pid[k], turns[k % 2]);
            if (i % 8 == 7)
                must_go_on(20);
        }
        must_go_on(100);
        atomic_store(&t->stop, 1);
        ck_assert_int_eq(round % 2 ? yunta_queue_close(t->queue) : yunta_topic_close(t->topic), 0);
        for (int i = 0; i < workers; i++)
            await_end(pid[i]);
        atomic_store(&t->stop, 0);
        free_things();
    }
    size_t living;
    ck_assert(yn_listen_is_sound(yn_self_get(&(int){0})->arena, &living));
    test_wait_until(yn_listen_is_sound(yn_self_get(&(int){0})->arena, &living) && living == 0, 10000);
    printf("%ld kills, %ld turns\n", kills * rounds, atomic_load(&t->done));
    for (int i = 0; i < KINDS; i++)
        ck_assert_int_gt(atomic_load(&t->told[i]), 0);
    yunta_shared_free(t);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("wait_many, killed at random");
    TCase *cases = test_case(suite, "random");
    tcase_set_timeout(cases, 30 + (double)kills_wanted() / 50);
    tcase_add_test(cases, goes_on_whoever_is_killed);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
