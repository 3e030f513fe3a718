/* The descriptor of a queue, in a poll of the program's own: readable when there is something, told by whomever, and
 * nothing missed in a crowd.
 * It must not count on time-outs: sleeps without a limit have none here, so who is not told is a failure.
 * Read next: test_wait_many.c. */
#include "wait_scene.h"

#include <sys/epoll.h>

START_TEST(no_descriptor_is_left)
{
    yunta_queue *q = new_queue(0);
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    struct rlimit limit, low = {3, 0};
    getrlimit(RLIMIT_NOFILE, &limit);
    low.rlim_max = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &low);
    yunta_wait_item items[] = {item(YUNTA_WAIT_GET, q), input(ends[0])};
    ck_assert_int_eq(yunta_queue_descriptor(q), -EMFILE);
    ck_assert_int_eq(yunta_wait_many(items, 2, 5), -EMFILE);
    ck_assert_int_eq(yunta_wait_many(items, 1, 5), -ETIMEDOUT);
    setrlimit(RLIMIT_NOFILE, &limit);
    /* The one who puts is the one who polls: it needs no other descriptor. */
    int d = yunta_queue_descriptor(q);
    ck_assert_int_ge(d, 3);
    setrlimit(RLIMIT_NOFILE, &low);
    ck_assert_int_eq(yunta_queue_put(q, &(int){1}, 0), 0);
    ck_assert(is_readable(d, 0));
    setrlimit(RLIMIT_NOFILE, &limit);
    yunta_queue_destroy(q);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(a_descriptor_says_when_to_get)
{
    yunta_queue *q = new_queue(0);
    int value, d = yunta_queue_descriptor(q);
    ck_assert_int_ge(d, 3);
    ck_assert_int_eq(yunta_queue_descriptor(q), d);
    ck_assert(!is_readable(d, 0));
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(yunta_queue_put(q, &i, 0), 0);
        ck_assert(is_readable(d, 0));
    }
    for (int i = 0; i < 100; i++) {
        ck_assert(is_readable(d, 0));
        ck_assert_int_eq(yunta_queue_get(q, &value, 0), 0);
    }
    ck_assert_int_eq(yunta_queue_get(q, &value, 0), -ETIMEDOUT);
    ck_assert(!is_readable(d, 0));
    ck_assert_int_eq(yunta_queue_get(q, &value, 1), -ETIMEDOUT);
    ck_assert_int_eq(yunta_queue_close(q), 0);
    ck_assert(is_readable(d, 0));
    ck_assert_int_eq(yunta_queue_get(q, &value, 0), YUNTA_ECLOSED);
    ck_assert(is_readable(d, 0));
    ck_assert_int_eq(yunta_queue_close_descriptor(q), 0);
    d = yunta_queue_descriptor(q);
    ck_assert(is_readable(d, 0));
    yunta_queue_destroy(q);
    q = new_queue(2);
    ck_assert_int_eq(yunta_queue_put(q, &value, 0), 0);
    ck_assert(is_readable(yunta_queue_descriptor(q), 0));
    yunta_queue_destroy(q);
}
END_TEST

/* It may be told for nothing: that some child has died, say. */
static int get_when_told(yunta_queue *q, int descriptor)
{
    for (int value;;) {
        ck_assert(is_readable(descriptor, -1));
        int r = yunta_queue_get(q, &value, 0);
        if (r != -ETIMEDOUT)
            return r;
    }
}

/* From other processes, also when they die and a message comes back, or have no descriptor left. */
START_TEST(a_descriptor_is_told_by_others)
{
    static const enum deed deeds[] = {PUT, CLOSE, PUT_WITHOUT_DESCRIPTORS, TAKE};
    for (size_t i = 0; i < YN_COUNT(deeds); i++) {
        struct task t = {.deed = deeds[i], .sleeper = getpid(), .object = new_object(deeds[i]), .stage = new_word()};
        yunta_process *child;
        int value;
        start_by(TEST_METHOD, &child, act, &t);
        ck_assert(await_word(t.stage, 1));
        int d = yunta_queue_descriptor(t.object);
        while (yunta_queue_get(t.object, &value, 0) == 0) {
        }
        if (deeds[i] == TAKE)
            ck_assert_int_eq(yunta_queue_put(t.object, &value, 0), 0);
        atomic_store(t.stage, 2);
        if (deeds[i] == TAKE) {
            if (!await_word(t.stage, 4))
                ck_abort_msg("it has not taken it: stage %d, status %d, state %c", atomic_load(t.stage),
                             yunta_process_status(child), test_state(yunta_process_pid(child)));
            ck_assert_int_eq(yunta_queue_get(t.object, &value, 0), -ETIMEDOUT);
            yunta_process_kill(child);
        }
        ck_assert_int_eq(get_when_told(t.object, d), deeds[i] == CLOSE ? YUNTA_ECLOSED : 0);
        atomic_store(t.stage, 3);
        ck_assert_int_eq(yunta_process_join(child, 20000), deeds[i] == TAKE ? YUNTA_ECRASHED : 0);
        yunta_process_destroy(child);
        yunta_queue_destroy(t.object);
        yunta_shared_free(t.stage);
    }
}
END_TEST

static int count_by_descriptor(const struct task *t)
{
    yunta_queue *q = t->object;
    int value, count = 0, d = yunta_queue_descriptor(q);
    expect(d >= 0);
    for (;;) {
        int r = yunta_queue_get(q, &value, 0);
        if (r == YUNTA_ECLOSED)
            break;
        expect(r == 0 || r == -ETIMEDOUT);
        count += r == 0;
        expect(r == 0 || is_readable(d, -1));
    }
    atomic_fetch_add(t->stage, count);
    return yunta_queue_close_descriptor(q);
}
YUNTA_ENTRY(count_by_descriptor, struct task);

static int count_by_waiting(const struct task *t)
{
    int value, count = 0;
    yunta_wait_item it = item(YUNTA_WAIT_GET, t->object);
    for (int r = 0; r != YUNTA_ECLOSED;) {
        expect(yunta_wait_many(&it, 1, FOREVER) == 1);
        r = yunta_queue_get(t->object, &value, 0);
        count += r == 0;
        expect(r == 0 || r == -ETIMEDOUT || r == YUNTA_ECLOSED);
    }
    atomic_fetch_add(t->stage, count);
    return 0;
}
YUNTA_ENTRY(count_by_waiting, struct task);

static int put_many(const struct task *t)
{
    for (int i = 0; i < t->descriptor; i++) {
        yunta_wait_item it = item(YUNTA_WAIT_PUT, t->object);
        while (yunta_queue_put(t->object, &i, 0) != 0)
            expect(yunta_wait_many(&it, 1, FOREVER) == 1);
    }
    return 0;
}
YUNTA_ENTRY(put_many, struct task);

/* An event loop of the program's: two queues, a pipe and a process, by epoll. */
START_TEST(in_an_event_loop)
{
    enum { EACH = 200, PIPE = 2, CHILD = 3 };
    struct task t[2];
    yunta_process *child[2], *writer;
    int ends[2], value, loop = epoll_create1(EPOLL_CLOEXEC), got[2] = {0, 0}, seen = 0;
    ck_assert_int_eq(pipe(ends), 0);
    for (int i = 0; i < 2; i++) {
        t[i] = (struct task){.object = new_queue(i ? 4 : 0), .descriptor = EACH};
        int d = yunta_queue_descriptor(t[i].object);
        struct epoll_event e = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        ck_assert_int_eq(epoll_ctl(loop, EPOLL_CTL_ADD, d, &e), 0);
    }
    start_with(TEST_METHOD, &writer, write_one, &(struct task){.sleeper = getpid()},
               .out = {.to = YUNTA_DESCRIPTOR, .descriptor = ends[1]});
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = PIPE};
    ck_assert_int_eq(epoll_ctl(loop, EPOLL_CTL_ADD, ends[0], &e), 0);
    for (int i = 0; i < 2; i++)
        start_by(TEST_METHOD, &child[i], put_many, &t[i]);
    while (got[0] + got[1] < 2 * EACH || seen == 0) {
        if (epoll_wait(loop, &e, 1, 20000) != 1)
            ck_abort_msg(
                "nothing is told: got %d and %d (%zu and %zu left), status %d and %d; of the writer %d, seen %d",
                got[0], got[1], yunta_queue_size(t[0].object), yunta_queue_size(t[1].object),
                yunta_process_status(child[0]), yunta_process_status(child[1]), yunta_process_status(writer), seen);
        if (e.data.u32 == PIPE)
            seen += (int)read(ends[0], &value, 1);
        else if (yunta_queue_get(t[e.data.u32].object, &value, 0) == 0)
            ck_assert_int_eq(value, got[e.data.u32]++);
    }
    end_is(writer, 0);
    for (int i = 0; i < 2; i++) {
        end_is(child[i], 0);
        yunta_queue_destroy(t[i].object);
    }
    close(ends[0]);
    close(ends[1]);
    close(loop);
}
END_TEST

/* Nothing is missed in a crowd: who waits by a descriptor, in many, or for room. */
START_TEST(nothing_is_missed)
{
    enum { EACH = 3000 };
    struct task t = {.object = new_queue(2), .descriptor = EACH, .stage = new_word()};
    yunta_process *getter[4], *putter[2];
    for (int i = 0; i < 2; i++) {
        start_by(TEST_METHOD, &getter[i], count_by_descriptor, &t);
        start_by(TEST_METHOD, &getter[2 + i], count_by_waiting, &t);
        start_by(TEST_METHOD, &putter[i], put_many, &t);
    }
    end_is(putter[0], 0);
    end_is(putter[1], 0);
    ck_assert_int_eq(yunta_queue_close(t.object), 0);
    for (int i = 0; i < 4; i++)
        end_is(getter[i], 0);
    ck_assert_int_eq(atomic_load(t.stage), 2 * EACH);
    yunta_queue_destroy(t.object);
    yunta_shared_free(t.stage);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("queue_wait");
    TCase *cases = test_case(suite, "descriptor");
    tcase_add_test(cases, no_descriptor_is_left);
    tcase_add_test(cases, a_descriptor_says_when_to_get);
    TEST_FOR_EACH_METHOD(cases, a_descriptor_is_told_by_others);
    TEST_FOR_EACH_METHOD(cases, in_an_event_loop);
    TEST_FOR_EACH_METHOD(cases, nothing_is_missed);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
