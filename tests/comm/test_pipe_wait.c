/* Pipes and topics among the many, and by descriptors: whatever another process does or leaves undone by its death is
 * told, however it was started; and bad input.
 * It must not count on time-outs: sleeps without a limit have none here, so who is not told is a failure.
 * Read next: test_wait_many.c; test_wait_threads.c. */
#include "wait_scene.h"

#include <yunta/pipe.h>
#include <yunta/topic.h>

enum { ROOM = 64, PIECE = 40 }; /* a ring that one piece fills by more than half */

/* What the other one does when the test is asleep, and for what the test waits. */
struct part;
typedef struct play {
    const char *name;
    yunta_wait_kind kind;
    int (*act)(struct part *p);
    bool full, subscribes, dies;
} play;

typedef struct part {
    int number; /* of the play */
    pid_t sleeper;
    yunta_pipe *mine, *theirs;
    yunta_topic *topic;
    yunta_subscription *own;
    shared_word *stage;
} part;

static char piece[PIECE];

static int send_piece(part *p)
{
    return yunta_pipe_send(p->theirs, piece, PIECE, 0);
}

static int receive_piece(part *p)
{
    size_t size;
    return yunta_pipe_receive(p->theirs, piece, PIECE, &size, 0);
}

static int close_end(part *p)
{
    return yunta_pipe_close(p->theirs);
}

static int close_topic(part *p)
{
    return yunta_topic_close(p->topic);
}

static int publish_piece(part *p)
{
    return yunta_topic_publish(p->topic, piece, 8, 0);
}

static int receive_published(part *p)
{
    size_t size;
    return yunta_topic_receive(p->own, piece, PIECE, &size, NULL, 0);
}

static int unsubscribe(part *p)
{
    return yunta_topic_unsubscribe(p->own);
}

static int die(part *p)
{
    (void)p;
    return raise(SIGKILL);
}

static const play plays[] = {
    {.name = "send", .kind = YUNTA_WAIT_RECEIVE, .act = send_piece},
    {.name = "close", .kind = YUNTA_WAIT_RECEIVE, .act = close_end},
    {.name = "die", .kind = YUNTA_WAIT_RECEIVE, .act = die, .dies = true},
    {.name = "receive", .kind = YUNTA_WAIT_SEND, .act = receive_piece, .full = true},
    {.name = "close, full", .kind = YUNTA_WAIT_SEND, .act = close_end, .full = true},
    {.name = "die, full", .kind = YUNTA_WAIT_SEND, .act = die, .full = true, .dies = true},
    {.name = "publish", .kind = YUNTA_WAIT_SUBSCRIPTION, .act = publish_piece},
    {.name = "close topic", .kind = YUNTA_WAIT_SUBSCRIPTION, .act = close_topic},
    {.name = "receive what is published", .kind = YUNTA_WAIT_PUBLISH, .act = receive_published, .subscribes = true},
    {.name = "unsubscribe", .kind = YUNTA_WAIT_PUBLISH, .act = unsubscribe, .subscribes = true},
    {.name = "close full topic", .kind = YUNTA_WAIT_PUBLISH, .act = close_topic, .subscribes = true},
    {.name = "die subscribed", .kind = YUNTA_WAIT_PUBLISH, .act = die, .subscribes = true, .dies = true},
};

static int play_part(const part *given)
{
    part p = *given;
    const play *what = &plays[p.number];
    if (what->subscribes)
        expect(yunta_topic_subscribe(p.topic, &p.own) == 0);
    atomic_store(p.stage, 1);
    expect(await_word(p.stage, 2));
    expect(await_asleep(p.sleeper));
    expect(what->act(&p) == 0);
    expect(await_word(p.stage, 3)); /* its end would wake everybody */
    return 0;
}
YUNTA_ENTRY(play_part, part);

static yunta_process *begin(part *p, int number, yunta_start_method method)
{
    yunta_process *child;
    *p = (part){.number = number, .sleeper = getpid(), .stage = new_word()};
    ck_assert_int_eq(yunta_pipe_create(&p->mine, &p->theirs, &(yunta_pipe_options){.capacity = ROOM}), 0);
    ck_assert_int_eq(yunta_topic_create(&p->topic, &(yunta_topic_options){.capacity = 2 * ROOM, .lossless = true}), 0);
    start_by(method, &child, play_part, p);
    ck_assert_int_eq(yunta_pipe_give(p->theirs, child), 0);
    ck_assert(await_word(p->stage, 1));
    if (plays[number].full)
        ck_assert_int_eq(yunta_pipe_send(p->mine, piece, PIECE, 0), 0);
    for (int i = 0; plays[number].subscribes && i < 2; i++)
        ck_assert_int_eq(yunta_topic_publish(p->topic, piece, PIECE, 0), 0);
    if (plays[number].kind == YUNTA_WAIT_SUBSCRIPTION)
        ck_assert_int_eq(yunta_topic_subscribe(p->topic, &p->own), 0);
    return child;
}

static void finish(part *p, yunta_process *child)
{
    atomic_store(p->stage, 3);
    ck_assert_int_eq(yunta_process_join(child, 20000), plays[p->number].dies ? YUNTA_ECRASHED : 0);
    yunta_process_destroy(child);
    yunta_pipe_destroy(p->mine);
    yunta_topic_destroy(p->topic);
    yunta_shared_free(p->stage);
}

static void *awaited(const part *p)
{
    switch (plays[p->number].kind) {
    case YUNTA_WAIT_SUBSCRIPTION:
        return p->own;
    case YUNTA_WAIT_PUBLISH:
        return p->topic;
    default:
        return p->mine;
    }
}

/* What the wait promised: the call does not have to wait now. */
static int call(const part *p)
{
    size_t size;
    switch (plays[p->number].kind) {
    case YUNTA_WAIT_RECEIVE:
        return yunta_pipe_receive(p->mine, piece, PIECE, &size, 0);
    case YUNTA_WAIT_SEND:
        return yunta_pipe_send(p->mine, piece, PIECE, 0);
    case YUNTA_WAIT_SUBSCRIPTION:
        return yunta_topic_receive(p->own, piece, PIECE, &size, NULL, 0);
    default:
        return yunta_topic_publish(p->topic, piece, PIECE, 0);
    }
}

START_TEST(each_is_told)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    yunta_queue *idle = new_queue(0);
    for (int turn = 0; turn < 2 * (int)YN_COUNT(plays); turn++) {
        part p;
        yunta_process *child = begin(&p, turn / 2, TEST_METHOD);
        const play *what = &plays[p.number];
        yunta_wait_item items[] = {item(YUNTA_WAIT_GET, idle), item(what->kind, awaited(&p)),
                                   turn % 2 ? input(ends[0]) : item(YUNTA_WAIT_NOTHING, NULL)};
        ck_assert_msg(yunta_wait_many(items, 3, 1) == -ETIMEDOUT, "%s: it is ready before", what->name);
        lead(&(struct task){.stage = p.stage});
        ck_assert_int_eq(yunta_wait_many(items, 3, FOREVER), 1);
        ck_assert(items[0].ready == 0 && items[1].ready == 1 && items[2].ready == 0);
        int r = call(&p);
        ck_assert_msg(r == 0 || r == -EPIPE || r == YUNTA_ECLOSED, "%s: %d", what->name, r);
        finish(&p, child);
    }
    yunta_queue_destroy(idle);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

static int descriptor_of(const part *p)
{
    return p->own ? yunta_topic_descriptor(p->own) : yunta_pipe_descriptor(p->mine);
}

/* It may be told for nothing: that some child has died, say. */
START_TEST(a_descriptor_is_told)
{
    for (int number = 0; number < (int)YN_COUNT(plays); number++) {
        if (plays[number].kind != YUNTA_WAIT_RECEIVE && plays[number].kind != YUNTA_WAIT_SUBSCRIPTION)
            continue;
        part p;
        yunta_process *child = begin(&p, number, TEST_METHOD);
        int d = descriptor_of(&p), r = -ETIMEDOUT;
        ck_assert_int_ge(d, 3);
        ck_assert_int_eq(call(&p), -ETIMEDOUT); /* another one's end may have rung it */
        ck_assert(!is_readable(d, 0));
        lead(&(struct task){.stage = p.stage});
        while (r == -ETIMEDOUT) {
            ck_assert(is_readable(d, -1));
            r = call(&p);
        }
        ck_assert_int_eq(r, plays[number].act == send_piece || plays[number].act == publish_piece ? 0 : YUNTA_ECLOSED);
        finish(&p, child);
    }
}
END_TEST

START_TEST(a_descriptor_says_when_to_receive)
{
    yunta_pipe *a, *b;
    char text[8];
    size_t size;
    ck_assert_int_eq(yunta_pipe_create(&a, &b, NULL), 0);
    ck_assert_int_eq(yunta_pipe_send(b, "first", 6, 0), 0);
    int d = yunta_pipe_descriptor(a), e = yunta_pipe_descriptor(b);
    ck_assert(d >= 3 && e >= 3 && d != e);
    ck_assert_int_eq(yunta_pipe_descriptor(a), d);
    ck_assert(is_readable(d, 0) && !is_readable(e, 0));
    ck_assert_int_eq(yunta_pipe_receive_descriptor(a, &(int){0}, 0), -ETIMEDOUT); /* does not make it quiet */
    ck_assert(is_readable(d, 0));
    ck_assert_int_eq(yunta_pipe_receive(a, text, sizeof text, &size, 0), 0);
    ck_assert_int_eq(yunta_pipe_poll(a, 0), -ETIMEDOUT);
    ck_assert(!is_readable(d, 0));
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(yunta_pipe_send(b, text, sizeof text, 0), 0);
        ck_assert(is_readable(d, 0));
        ck_assert_int_eq(yunta_pipe_receive(a, text, sizeof text, &size, 0), 0);
        ck_assert_int_eq(yunta_pipe_receive(a, text, sizeof text, &size, 0), -ETIMEDOUT);
        ck_assert(!is_readable(d, 0));
    }
    ck_assert_int_eq(yunta_pipe_close_descriptor(a), 0);
    ck_assert_int_eq(yunta_pipe_close_descriptor(a), 0);
    d = yunta_pipe_descriptor(a);
    ck_assert_int_eq(yunta_pipe_close(b), 0); /* and e */
    ck_assert(is_readable(d, 0));
    ck_assert_int_eq(yunta_pipe_receive(a, text, sizeof text, &size, 0), YUNTA_ECLOSED);
    ck_assert(is_readable(d, 0));
    ck_assert_int_eq(yunta_pipe_descriptor(b), -EBADF);
    yunta_pipe_destroy(a);
}
END_TEST

START_TEST(a_stream_has_one_too)
{
    yunta_pipe *a, *b;
    char text[8];
    size_t size;
    yunta_pipe_options o = {.capacity = 128, .stream = true, .one_way = true};
    ck_assert_int_eq(yunta_pipe_create(&a, &b, &o), 0);
    int d = yunta_pipe_descriptor(a);
    ck_assert(d >= 3 && !is_readable(d, 0));
    ck_assert_int_eq(yunta_pipe_descriptor(b), -EBADF); /* nothing comes in there */
    ck_assert_int_eq(yunta_pipe_write(b, "bytes", 5, NULL, 0), 0);
    ck_assert(is_readable(d, 0));
    ck_assert_int_eq(yunta_pipe_read(a, text, sizeof text, &size, 0), 0);
    ck_assert_int_eq(yunta_pipe_read(a, text, sizeof text, &size, 0), -ETIMEDOUT);
    ck_assert(!is_readable(d, 0));
    yunta_wait_item items[] = {item(YUNTA_WAIT_SEND, b), item(YUNTA_WAIT_RECEIVE, a)};
    ck_assert_int_eq(yunta_wait_many(items, 2, FOREVER), 1);
    ck_assert(items[0].ready == 1 && items[1].ready == 0);
    yunta_pipe_destroy(a);
}
END_TEST

/* Each subscription has its own, though they are told by the same topic. */
START_TEST(each_subscription_has_its_own)
{
    yunta_topic *topic;
    yunta_subscription *s[2];
    int d[2];
    char text[8];
    size_t size;
    ck_assert_int_eq(yunta_topic_create(&topic, NULL), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(yunta_topic_subscribe(topic, &s[i]), 0);
        d[i] = yunta_topic_descriptor(s[i]);
        ck_assert_int_ge(d[i], 3);
        ck_assert_int_eq(yunta_topic_descriptor(s[i]), d[i]);
    }
    ck_assert_int_ne(d[0], d[1]);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(yunta_topic_publish(topic, "new", 4, 0), 0);
        ck_assert(is_readable(d[0], 0) && is_readable(d[1], 0));
        ck_assert_int_eq(yunta_topic_receive(s[i % 2], text, sizeof text, &size, NULL, 0), 0);
        ck_assert_int_eq(yunta_topic_receive(s[i % 2], text, sizeof text, &size, NULL, 0), -ETIMEDOUT);
        ck_assert(!is_readable(d[i % 2], 0) && is_readable(d[1 - i % 2], 0));
        while (yunta_topic_receive(s[1 - i % 2], text, sizeof text, &size, NULL, 0) == 0) {
        }
        ck_assert(!is_readable(d[0], 0) && !is_readable(d[1], 0));
    }
    ck_assert_int_eq(yunta_topic_close_descriptor(s[0]), 0);
    ck_assert_int_eq(yunta_topic_close(topic), 0);
    ck_assert(is_readable(d[1], 0));
    ck_assert_int_eq(yunta_topic_unsubscribe(s[1]), 0); /* and its descriptor */
    yunta_topic_destroy(topic);
}
END_TEST

static int use_the_parents(const part *p)
{
    yunta_wait_item it = item(YUNTA_WAIT_SUBSCRIPTION, p->own);
    expect(yunta_wait_many(&it, 1, 0) == -EPERM);
    expect(yunta_topic_descriptor(p->own) == -EPERM);
    expect(yunta_topic_close_descriptor(p->own) == -EPERM);
    it = item(YUNTA_WAIT_RECEIVE, p->mine); /* an end that nobody holds any more */
    expect(yunta_wait_many(&it, 1, 0) == -EBADF);
    return 0;
}
YUNTA_ENTRY(use_the_parents, part);

START_TEST(what_is_wrong_is_said)
{
    part p = {.stage = NULL};
    yunta_process *child;
    ck_assert_int_eq(yunta_topic_create(&p.topic, NULL), 0);
    ck_assert_int_eq(yunta_topic_subscribe(p.topic, &p.own), 0);
    ck_assert_int_eq(yunta_pipe_create(&p.mine, &p.theirs, &(yunta_pipe_options){.one_way = true}), 0);
    yunta_wait_item items[] = {item(YUNTA_WAIT_RECEIVE, p.theirs), item(YUNTA_WAIT_SEND, p.mine)};
    ck_assert_int_eq(yunta_wait_many(items, 1, 5), -EBADF);
    ck_assert_int_eq(yunta_wait_many(items + 1, 1, 5), -EBADF);
    ck_assert_int_eq(yunta_pipe_close(p.mine), 0);
    items[1] = item(YUNTA_WAIT_RECEIVE, p.mine);
    ck_assert_int_eq(yunta_wait_many(items + 1, 1, 5), -EBADF);
    items[0] = item(YUNTA_WAIT_SEND, p.theirs); /* nobody is left to receive it */
    ck_assert_int_eq(yunta_wait_many(items, 1, 5), 1);
    ck_assert_int_eq(yunta_pipe_send(p.theirs, "x", 1, 0), -EPIPE);
    start_by(YUNTA_FORK, &child, use_the_parents, &p);
    end_is(child, 0);
    ck_assert_int_eq(yunta_pipe_descriptor(NULL), -EINVAL);
    ck_assert_int_eq(yunta_pipe_close_descriptor(NULL), -EINVAL);
    ck_assert_int_eq(yunta_topic_descriptor(NULL), -EINVAL);
    ck_assert_int_eq(yunta_topic_close_descriptor(NULL), -EINVAL);
    ck_assert_int_eq(yunta_topic_close_descriptor(p.own), 0);
    struct rlimit limit, low = {3, 0};
    getrlimit(RLIMIT_NOFILE, &limit);
    low.rlim_max = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &low);
    ck_assert_int_eq(yunta_topic_descriptor(p.own), -EMFILE);
    ck_assert_int_eq(yunta_topic_close_descriptor(p.own), 0);
    setrlimit(RLIMIT_NOFILE, &limit);
    yunta_pipe_destroy(p.mine);
    yunta_topic_destroy(p.topic);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("pipe_wait");
    TCase *cases = test_case(suite, "waits");
    TEST_FOR_EACH_METHOD(cases, each_is_told);
    TEST_FOR_EACH_METHOD(cases, a_descriptor_is_told);
    tcase_add_test(cases, a_descriptor_says_when_to_receive);
    tcase_add_test(cases, a_stream_has_one_too);
    tcase_add_test(cases, each_subscription_has_its_own);
    tcase_add_test(cases, what_is_wrong_is_said);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
