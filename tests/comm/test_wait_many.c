/* Waiting for many: what is ready is told, by a word or by a doorbell, of every kind, however the others were started.
 * It must not count on time-outs: sleeps without a limit have none here, so who is not told is a failure.
 * Read next: test_queue_wait.c, for descriptors; ../crash/test_wait_many_kill.c, where those who wait and those who
 * tell are killed. */
#include "wait_scene.h"

#include <pthread.h>

/* One of each kind comes to be ready by a child's doing, among others that do not. */
START_TEST(each_kind_wakes)
{
    static const yunta_wait_kind kinds[DEEDS] = {
        [PUT] = YUNTA_WAIT_GET,      [GET] = YUNTA_WAIT_PUT,          [CLOSE] = YUNTA_WAIT_GET,
        [RELEASE] = YUNTA_WAIT_LOCK, [DIE_HOLDING] = YUNTA_WAIT_LOCK, [POST] = YUNTA_WAIT_SEMAPHORE,
        [SET] = YUNTA_WAIT_EVENT,    [END] = YUNTA_WAIT_PROCESS};
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    yunta_queue *idle = new_queue(0);
    for (int turn = 0; turn < 2 * DEEDS; turn++) {
        enum deed deed = (enum deed)(turn / 2);
        bool by_doorbell = turn % 2;
        if (kinds[deed] == YUNTA_WAIT_NOTHING)
            continue;
        struct task t = {.deed = deed, .sleeper = getpid(), .object = new_object(deed), .stage = new_word()};
        yunta_process *child;
        start_by(TEST_METHOD, &child, act, &t);
        yunta_wait_item items[] = {item(YUNTA_WAIT_GET, idle), item(kinds[deed], deed == END ? child : t.object),
                                   by_doorbell ? input(ends[0]) : item(YUNTA_WAIT_NOTHING, NULL)};
        ck_assert(await_word(t.stage, 1));
        if (deed == RELEASE || deed == DIE_HOLDING)
            ck_assert_int_eq(yunta_wait_many(items, 3, 1), -ETIMEDOUT);
        lead(&t);
        ck_assert_int_eq(yunta_wait_many(items, 3, FOREVER), 1);
        ck_assert(items[0].ready == 0 && items[1].ready == 1 && items[2].ready == 0);
        ck_assert_int_eq(yunta_wait_many(items, 3, FOREVER), 1);
        atomic_store(t.stage, 3);
        ck_assert_int_eq(yunta_process_join(child, 20000), deed == DIE_HOLDING ? YUNTA_ECRASHED : 0);
        yunta_process_destroy(child);
        free_object(deed, t.object);
        yunta_shared_free(t.stage);
    }
    yunta_queue_destroy(idle);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(descriptors_too)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    yunta_queue *q = new_queue(0);
    yunta_process *child;
    start_with(TEST_METHOD, &child, write_one, &(struct task){.sleeper = getpid()},
               .out = {.to = YUNTA_DESCRIPTOR, .descriptor = ends[1]});
    yunta_wait_item items[] = {item(YUNTA_WAIT_GET, q), input(ends[0])};
    ck_assert_int_eq(yunta_wait_many(items, 2, FOREVER), 1);
    ck_assert_int_eq(items[1].ready, POLLIN);
    ck_assert_int_eq(yunta_queue_put(q, &(int){1}, 0), 0);
    ck_assert_int_eq(yunta_wait_many(items, 2, FOREVER), 2);
    end_is(child, 0);
    close(ends[1]);
    char byte;
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    ck_assert_int_eq(yunta_wait_many(items + 1, 1, FOREVER), 1);
    ck_assert_int_eq(items[1].ready, POLLHUP);
    close(ends[0]);
    yunta_queue_destroy(q);
}
END_TEST

static int double_it(const int *in, int *out)
{
    *out = 2 * *in;
    return 0;
}
YUNTA_TASK(double_it, int, int);

static int for_ever(const int *in, int *out)
{
    *out = *in;
    return sleep_for_ever();
}
YUNTA_TASK(for_ever, int, int);

static void *terminate(void *pool)
{
    yunta_pool_terminate(pool);
    return NULL;
}

START_TEST(futures)
{
    enum { COUNT = 50 };
    yunta_pool *pool;
    yunta_future *future[COUNT];
    ck_assert_int_eq(yunta_pool_create(&pool, &(yunta_pool_options){.workers = 2, .start_method = TEST_METHOD}), 0);
    yunta_wait_item items[COUNT];
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(yunta_submit(pool, double_it, &i, &future[i]), 0);
        items[i] = item(YUNTA_WAIT_FUTURE, future[i]);
    }
    for (int left = COUNT; left > 0;) {
        ck_assert_int_ge(yunta_wait_many(items, COUNT, FOREVER), 1);
        for (int i = 0; i < COUNT; i++) {
            int out = 0;
            if (!items[i].ready)
                continue;
            ck_assert_int_eq(yunta_await(future[i], &out, 0), 0);
            ck_assert_int_eq(out, 2 * i);
            items[i] = item(YUNTA_WAIT_NOTHING, NULL);
            yunta_future_destroy(future[i]);
            left--;
        }
    }
    yunta_future *last;
    ck_assert_int_eq(yunta_submit(pool, for_ever, &(int){1}, &last), 0);
    items[0] = item(YUNTA_WAIT_FUTURE, last);
    ck_assert_int_eq(yunta_wait_many(items, 1, 5), -ETIMEDOUT);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, terminate, pool), 0);
    ck_assert_int_eq(yunta_wait_many(items, 1, FOREVER), 1);
    pthread_join(thread, NULL);
    ck_assert_int_ne(yunta_await(last, NULL, 0), 0);
    yunta_future_destroy(last);
    yunta_pool_destroy(pool);
}
END_TEST

static int put_soon(const struct task *t)
{
    expect(await_asleep(t->sleeper));
    expect(yunta_queue_put(t->object, &(int){1}, 0) == 0);
    expect(await_word(t->stage, 1));
    return 0;
}
YUNTA_ENTRY(put_soon, struct task);

START_TEST(there_is_no_limit)
{
    enum { COUNT = 1000 };
    static yunta_wait_item items[2 * COUNT];
    for (int i = 0; i < COUNT; i++)
        items[i] = items[COUNT + i] = item(YUNTA_WAIT_GET, new_queue(2));
    for (int i = 0; i < 3; i++) {
        struct task t = {.sleeper = getpid(), .object = items[i * 400].object, .stage = new_word()};
        yunta_process *child;
        start_by(YUNTA_FORK, &child, put_soon, &t);
        ck_assert_int_eq(yunta_wait_many(items, 2 * COUNT, FOREVER), 2);
        ck_assert(items[i * 400].ready == 1 && items[COUNT + i * 400].ready == 1);
        ck_assert_int_eq(yunta_queue_get(t.object, &(int){0}, 0), 0);
        atomic_store(t.stage, 1);
        end_is(child, 0);
        yunta_shared_free(t.stage);
    }
    for (int i = 0; i < COUNT; i++)
        yunta_queue_destroy(items[i].object);
}
END_TEST

START_TEST(what_is_wrong_is_said)
{
    yunta_queue *q = new_queue(1);
    yunta_wait_item items[2] = {item(YUNTA_WAIT_GET, q), item(YUNTA_WAIT_NOTHING, NULL)};
    ck_assert_int_eq(yunta_wait_many(NULL, 1, 0), -EINVAL);
    ck_assert_int_eq(yunta_wait_many(items, (size_t)INT_MAX + 1, 0), -EINVAL);
    ck_assert_int_eq(yunta_wait_many(NULL, 0, 0), -ETIMEDOUT);
    ck_assert_int_eq(yunta_wait_many(NULL, 0, 5), -ETIMEDOUT);
    ck_assert_int_eq(yunta_wait_many(items + 1, 1, 5), -ETIMEDOUT);
    ck_assert_int_eq(yunta_wait_many(items, 2, 5), -ETIMEDOUT);
    ck_assert(items[0].ready == 0 && items[1].ready == 0);
    for (int kind = -1; kind <= 100; kind++) {
        bool known = kind >= YUNTA_WAIT_NOTHING && kind <= YUNTA_WAIT_PUBLISH;
        items[0] = item((yunta_wait_kind)kind, known ? NULL : q);
        items[0].descriptor = -1;
        int wanted = kind == YUNTA_WAIT_NOTHING ? -ETIMEDOUT : kind == YUNTA_WAIT_DESCRIPTOR ? -EBADF : -EINVAL;
        ck_assert_int_eq(yunta_wait_many(items, 1, 0), wanted);
    }
    items[0] = input(999);
    ck_assert_int_eq(yunta_wait_many(items, 1, 5), -EBADF);
    items[0] = item(YUNTA_WAIT_PROCESS, yunta_process_current());
    ck_assert_int_eq(yunta_wait_many(items, 1, 5), -EDEADLK);
    ck_assert_int_eq(yunta_queue_descriptor(NULL), -EINVAL);
    ck_assert_int_eq(yunta_queue_close_descriptor(NULL), -EINVAL);
    ck_assert_int_eq(yunta_queue_close_descriptor(q), 0);
    yunta_queue_destroy(q);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("wait_many");
    TCase *cases = test_case(suite, "many");
    TEST_FOR_EACH_METHOD(cases, each_kind_wakes);
    TEST_FOR_EACH_METHOD(cases, descriptors_too);
    TEST_FOR_EACH_METHOD(cases, futures);
    tcase_add_test(cases, there_is_no_limit);
    tcase_add_test(cases, what_is_wrong_is_said);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
