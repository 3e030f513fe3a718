/* Waiting for many by threads of one process, which ThreadSanitizer can look at: queues, pipes and topics in both
 * directions, by a word, by a doorbell and by descriptors of their own; everything that is sent arrives.
 * It must not rely on who is faster.
 * Read next: test_pipe_wait.c, by processes.
 *
 * labels: threads valgrind */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <test.h>
#include <unistd.h>
#include <yunta/pipe.h>
#include <yunta/topic.h>
#include <yunta/wait.h>

enum { EACH = 300, SMALL = 64 };

typedef struct set {
    yunta_queue *queue;
    yunta_pipe *in, *out;
    yunta_topic *topic;
    yunta_subscription *own;
    int ends[2];
    bool by_doorbell, by_descriptors;
} set;

static yunta_wait_item item(yunta_wait_kind kind, void *object)
{
    return (yunta_wait_item){.kind = kind, .object = object};
}

/* Whatever has room gets the next number. */
static void *feed(void *of)
{
    set *s = of;
    yunta_wait_item items[] = {item(YUNTA_WAIT_PUT, s->queue), item(YUNTA_WAIT_SEND, s->out),
                               item(YUNTA_WAIT_PUBLISH, s->topic)};
    int next[3] = {0, 0, 0}, left = 3;
    while (left > 0) {
        ck_assert_int_ge(yunta_wait_many(items, 3, YUNTA_FOREVER), 1);
        for (int i = 0; i < 3; i++) {
            if (!items[i].ready)
                continue;
            int r = i == 0   ? yunta_queue_put(s->queue, &next[0], 0)
                    : i == 1 ? yunta_pipe_send(s->out, &next[1], sizeof(int), 0)
                             : yunta_topic_publish(s->topic, &next[2], sizeof(int), 0);
            ck_assert_msg(r == 0 || r == -ETIMEDOUT, "%d: %d", i, r);
            next[i] += r == 0;
            if (next[i] == EACH) {
                items[i].kind = YUNTA_WAIT_NOTHING;
                left--;
            }
        }
    }
    return NULL;
}

static int take(set *s, int which, int *value)
{
    size_t size;
    if (which == 0)
        return yunta_queue_get(s->queue, value, 0);
    if (which == 1)
        return yunta_pipe_receive(s->in, value, sizeof *value, &size, 0);
    return yunta_topic_receive(s->own, value, sizeof *value, &size, NULL, 0);
}

/* All that there is just now, in order. Whether it was the last. */
static bool take_all(set *s, int which, int *next)
{
    int value, r;
    while ((r = take(s, which, &value)) == 0)
        ck_assert_int_eq(value, (*next)++);
    ck_assert_int_eq(r, -ETIMEDOUT);
    return *next == EACH;
}

static void eat_by_waiting(set *s)
{
    yunta_wait_item items[] = {item(YUNTA_WAIT_GET, s->queue),
                               item(YUNTA_WAIT_RECEIVE, s->in),
                               item(YUNTA_WAIT_SUBSCRIPTION, s->own),
                               {.kind = s->by_doorbell ? YUNTA_WAIT_DESCRIPTOR : YUNTA_WAIT_NOTHING,
                                .descriptor = s->ends[0],
                                .events = POLLIN}};
    int next[3] = {0, 0, 0};
    for (int left = 3; left > 0;) {
        ck_assert_int_ge(yunta_wait_many(items, 4, YUNTA_FOREVER), 1);
        for (int i = 0; i < 3; i++)
            if (items[i].ready && take_all(s, i, &next[i])) {
                items[i].kind = YUNTA_WAIT_NOTHING;
                items[i].ready = 0;
                left--;
            }
    }
}

static void eat_by_descriptors(set *s)
{
    struct pollfd p[] = {{.fd = yunta_queue_descriptor(s->queue), .events = POLLIN},
                         {.fd = yunta_pipe_descriptor(s->in), .events = POLLIN},
                         {.fd = yunta_topic_descriptor(s->own), .events = POLLIN}};
    int next[3] = {0, 0, 0};
    for (int left = 3; left > 0;) {
        ck_assert_int_ge(poll(p, 3, -1), 1);
        for (int i = 0; i < 3; i++)
            if (p[i].fd >= 0 && p[i].revents && take_all(s, i, &next[i])) {
                p[i].fd = -1;
                left--;
            }
    }
}

START_TEST(nothing_is_missed)
{
    set s = {.by_doorbell = _i == 1, .by_descriptors = _i == 2};
    pthread_t feeder;
    ck_assert_int_eq(pipe(s.ends), 0);
    ck_assert_int_eq(yunta_queue_create(&s.queue, &(yunta_queue_options){.item_size = sizeof(int), .capacity = 2}), 0);
    ck_assert_int_eq(yunta_pipe_create(&s.in, &s.out, &(yunta_pipe_options){.capacity = SMALL, .one_way = true}), 0);
    ck_assert_int_eq(yunta_topic_create(&s.topic, &(yunta_topic_options){.capacity = SMALL, .lossless = true}), 0);
    ck_assert_int_eq(yunta_topic_subscribe(s.topic, &s.own), 0);
    ck_assert_int_eq(pthread_create(&feeder, NULL, feed, &s), 0);
    if (s.by_descriptors)
        eat_by_descriptors(&s);
    else
        eat_by_waiting(&s);
    pthread_join(feeder, NULL);
    yunta_queue_destroy(s.queue);
    yunta_pipe_destroy(s.in);
    yunta_topic_destroy(s.topic);
    close(s.ends[0]);
    close(s.ends[1]);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("wait_threads");
    TCase *cases = test_case(suite, "threads");
    tcase_add_loop_test(cases, nothing_is_missed, 0, 3);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
