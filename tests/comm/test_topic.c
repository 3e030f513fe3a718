/* Topic: everybody gets everything in order, the slow are told, lossless waits, the dead hold nobody up; bad input.
 * It must not rely on who is faster.
 * Read next: tests/crash/test_topic_kill.c.
 *
 * labels: threads valgrind */
#include "comm/topic.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <test.h>
#include <unistd.h>

static yunta_topic *topic;

static void begin(size_t capacity, bool lossless)
{
    yunta_topic_options o = {.capacity = capacity, .lossless = lossless};
    ck_assert_int_eq(yunta_topic_create(&topic, &o), 0);
}

static void end(void)
{
    int r;
    ck_assert(yn_topic_is_sound(yn_self_get(&r), topic));
    ck_assert_ptr_null(yunta_topic_destroy(topic));
}

static yunta_subscription *subscribe(void)
{
    yunta_subscription *s;
    ck_assert_int_eq(yunta_topic_subscribe(topic, &s), 0);
    return s;
}

static int publish(int value)
{
    return yunta_topic_publish(topic, &value, sizeof value, 0);
}

static int receive(yunta_subscription *s, uint64_t *missed)
{
    int value = -1;
    size_t size;
    int r = yunta_topic_receive(s, &value, sizeof value, &size, missed, 0);
    return r == 0 ? value : r;
}

START_TEST(each_gets_all_from_its_subscription_on)
{
    begin(0, _i);
    yunta_subscription *a = subscribe();
    ck_assert_int_eq(publish(1), 0);
    yunta_subscription *b = subscribe();
    ck_assert_int_eq(publish(2), 0);
    uint64_t missed = 7;
    ck_assert_int_eq(receive(a, &missed), 1);
    ck_assert_uint_eq(missed, 0);
    ck_assert_int_eq(receive(a, NULL), 2);
    ck_assert_int_eq(receive(a, NULL), -ETIMEDOUT);
    ck_assert_int_eq(receive(b, &missed), 2);
    ck_assert_uint_eq(missed, 0);
    ck_assert_int_eq(yunta_topic_unsubscribe(b), 0);
    ck_assert_ptr_eq(subscribe(), b); /* used again */
    yunta_topic_stats stats;
    ck_assert_int_eq(yunta_topic_read_stats(topic, &stats), 0);
    ck_assert_uint_eq(stats.published, 2);
    ck_assert_uint_eq(stats.subscribers, 2);
    ck_assert_uint_eq(stats.missed, 0);
    ck_assert_uint_eq(stats.bytes, 48);
    end();
}
END_TEST

START_TEST(the_slow_are_told_how_many_they_missed)
{
    begin(256, false);
    yunta_subscription *s = subscribe();
    for (int i = 1; i <= 1000; i++)
        ck_assert_int_eq(publish(i), 0);
    uint64_t missed = 0;
    int first = receive(s, &missed);
    ck_assert_int_gt(first, 980);
    ck_assert_uint_eq(missed, (uint64_t)first - 1);
    for (int i = first + 1; i <= 1000; i++) {
        ck_assert_int_eq(receive(s, &missed), i);
        ck_assert_uint_eq(missed, 0);
    }
    yunta_topic_stats stats;
    ck_assert_int_eq(yunta_topic_read_stats(topic, &stats), 0);
    ck_assert_uint_eq(stats.missed, (uint64_t)first - 1);
    end();
}
END_TEST

START_TEST(lossless_waits_for_the_slowest)
{
    begin(256, true);
    int sent = 0;
    while (sent < 100 && publish(sent) == 0)
        sent++;
    ck_assert_int_eq(sent, 100); /* nobody subscribes */
    yunta_subscription *s = subscribe(), *other = subscribe();
    for (sent = 0; publish(sent) == 0;)
        sent++;
    ck_assert_int_eq(sent, 10);
    ck_assert_int_eq(yunta_topic_publish(topic, "", 1, 5), -ETIMEDOUT);
    for (int i = 0; i < sent; i++)
        ck_assert_int_eq(receive(s, NULL), i);
    ck_assert_int_eq(publish(sent), -ETIMEDOUT);
    ck_assert_int_eq(yunta_topic_unsubscribe(other), 0);
    ck_assert_int_eq(publish(sent), 0);
    ck_assert_int_eq(receive(s, NULL), sent);
    end();
}
END_TEST

START_TEST(closed_is_told_after_the_last)
{
    begin(0, _i);
    yunta_subscription *s = subscribe();
    ck_assert_int_eq(publish(1), 0);
    ck_assert(!yunta_topic_is_closed(topic));
    ck_assert_int_eq(yunta_topic_close(topic), 0);
    ck_assert_int_eq(yunta_topic_close(topic), 0);
    ck_assert(yunta_topic_is_closed(topic));
    ck_assert_int_eq(publish(2), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_topic_subscribe(topic, &(yunta_subscription *){NULL}), YUNTA_ECLOSED);
    ck_assert_int_eq(receive(s, NULL), 1);
    ck_assert_int_eq(receive(s, NULL), YUNTA_ECLOSED);
    end();
}
END_TEST

static void *publish_too(void *result)
{
    *(int *)result = publish(1);
    return NULL;
}

/* For longer than a moment, as if it did not get a processor: what is lossy is published all the same. */
START_TEST(another_publisher_is_waited_for)
{
    begin(0, false);
    int error, result = 1;
    yn_self *me = yn_self_get(&error);
    pthread_t other;
    ck_assert_int_eq(yn_lock_acquire(me, &topic->publishing, YN_NEVER), 0);
    ck_assert_int_eq(pthread_create(&other, NULL, publish_too, &result), 0);
    while (!(atomic_load(&topic->publishing.word) & YN_LOCK_WAITERS))
        sched_yield();
    for (uint64_t until = yn_now_ns() + 5000000; yn_now_ns() < until;)
        sched_yield();
    ck_assert_int_eq(yn_lock_release(me, &topic->publishing), 0);
    pthread_join(other, NULL);
    ck_assert_int_eq(result, 0);
    end();
}
END_TEST

START_TEST(nonsense_is_refused)
{
    char c = 0;
    size_t size = 0;
    yunta_subscription *s;
    ck_assert_int_eq(yunta_topic_create(NULL, NULL), -EINVAL);
    ck_assert_int_eq(yunta_topic_create(&topic, &(yunta_topic_options){.reserved = {1}}), -EINVAL);
    ck_assert_int_eq(yunta_topic_create(&topic, &(yunta_topic_options){.capacity = SIZE_MAX}), -EOVERFLOW);
    ck_assert_ptr_null(yunta_topic_destroy(NULL));
    ck_assert_int_eq(yunta_topic_publish(NULL, "", 1, 0), -EINVAL);
    ck_assert_int_eq(yunta_topic_subscribe(NULL, &s), -EINVAL);
    ck_assert_int_eq(yunta_topic_unsubscribe(NULL), -EINVAL);
    ck_assert_int_eq(yunta_topic_close(NULL), -EINVAL);
    ck_assert(!yunta_topic_is_closed(NULL));
    ck_assert_int_eq(yunta_topic_read_stats(NULL, &(yunta_topic_stats){0}), -EINVAL);
    begin(256, false);
    ck_assert_int_eq(yunta_topic_read_stats(topic, NULL), -EINVAL);
    ck_assert_int_eq(yunta_topic_subscribe(topic, NULL), -EINVAL);
    ck_assert_int_eq(yunta_topic_publish(topic, NULL, 1, 0), -EINVAL);
    ck_assert_int_eq(yunta_topic_publish(topic, &c, 113, 0), -EMSGSIZE);
    ck_assert_int_eq(yunta_topic_publish(topic, &c, SIZE_MAX, 0), -EMSGSIZE);
    s = subscribe();
    ck_assert_int_eq(yunta_topic_receive(NULL, &c, 1, &size, NULL, 0), -EINVAL);
    ck_assert_int_eq(yunta_topic_receive(s, NULL, 1, &size, NULL, 0), -EINVAL);
    ck_assert_int_eq(yunta_topic_receive(s, &c, 1, NULL, NULL, 0), -EINVAL);
    ck_assert_int_eq(yunta_topic_publish(topic, NULL, 0, 0), 0);
    ck_assert_int_eq(yunta_topic_receive(s, NULL, 0, &size, NULL, 0), 0);
    ck_assert_int_eq(yunta_topic_publish(topic, "hola", 4, 0), 0);
    ck_assert_int_eq(yunta_topic_receive(s, &c, 1, &size, NULL, 0), -EMSGSIZE);
    ck_assert_uint_eq(size, 4);
    end();
}
END_TEST

enum { READERS = 2, WRITERS = 2, EACH = 3000 };

static void *write_many(void *unused)
{
    (void)unused;
    for (int i = 0; i < EACH; i++)
        ck_assert_int_eq(yunta_topic_publish(topic, &i, sizeof i, YUNTA_FOREVER), 0);
    return NULL;
}

static void *read_many(void *of)
{
    uint64_t seen = 0, missed;
    size_t size;
    int value[32];
    while (seen < (uint64_t)WRITERS * EACH) {
        ck_assert_int_eq(yunta_topic_receive(of, value, sizeof value, &size, &missed, YUNTA_FOREVER), 0);
        ck_assert_uint_eq(size, sizeof(int));
        ck_assert(value[0] >= 0 && value[0] < EACH);
        if (topic->lossless)
            ck_assert_uint_eq(missed, 0);
        seen += 1 + missed;
    }
    return NULL;
}

START_TEST(many_threads)
{
    pthread_t t[READERS + WRITERS];
    begin(512, _i);
    for (int i = 0; i < READERS; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, read_many, subscribe()), 0);
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_create(&t[READERS + i], NULL, write_many, NULL), 0);
    for (int i = 0; i < READERS + WRITERS; i++)
        pthread_join(t[i], NULL);
    end();
}
END_TEST

struct work {
    yunta_topic *topic, *told;
    yunta_subscription *foreign;
};

/* Sees all, or says where it stood. */
static int listen_to_all(const struct work *w)
{
    yunta_subscription *s;
    int value, sum = 0, r;
    size_t size;
    if (yunta_topic_receive(w->foreign, &value, sizeof value, &size, NULL, 0) != -EPERM ||
        yunta_topic_unsubscribe(w->foreign) != -EPERM)
        return 1;
    if (yunta_topic_subscribe(w->topic, &s) != 0 || yunta_topic_publish(w->told, "", 0, 0) != 0)
        return 2;
    while ((r = yunta_topic_receive(s, &value, sizeof value, &size, NULL, YUNTA_FOREVER)) == 0)
        sum += value;
    return r == YUNTA_ECLOSED && sum == 5050 ? 0 : 3;
}
YUNTA_ENTRY(listen_to_all, struct work);

static int subscribe_and_die(const struct work *w)
{
    yunta_subscription *s;
    if (yunta_topic_subscribe(w->topic, &s) != 0 || yunta_topic_publish(w->told, "", 0, 0) != 0)
        return 2;
    while (yunta_topic_publish(w->topic, "", 0, 0) == 0) {
    }
    return raise(SIGKILL);
}
YUNTA_ENTRY(subscribe_and_die, struct work);

START_TEST(processes_of_each_method)
{
    yunta_process *child;
    yunta_subscription *ready;
    size_t size;
    begin(256, true);
    struct work w = {.topic = topic, .foreign = subscribe()};
    ck_assert_int_eq(yunta_topic_unsubscribe(w.foreign), 0);
    ck_assert_int_eq(yunta_topic_create(&w.told, NULL), 0);
    ck_assert_int_eq(yunta_topic_subscribe(w.told, &ready), 0);
    yunta_process_options o = {.start_method = TEST_METHOD};
    ck_assert_int_eq(yunta_start(&child, listen_to_all, &w, &o), 0);
    ck_assert_int_eq(yunta_topic_receive(ready, NULL, 0, &size, NULL, YUNTA_FOREVER), 0);
    for (int i = 1; i <= 100; i++)
        ck_assert_int_eq(yunta_topic_publish(topic, &i, sizeof i, YUNTA_FOREVER), 0);
    ck_assert_int_eq(yunta_topic_close(topic), 0);
    ck_assert_int_eq(yunta_process_join(child, YUNTA_FOREVER), 0);
    yunta_process_destroy(child);
    end();
    begin(256, true);
    w.topic = topic;
    ck_assert_int_eq(yunta_start(&child, subscribe_and_die, &w, &o), 0);
    ck_assert_int_eq(yunta_topic_receive(ready, NULL, 0, &size, NULL, YUNTA_FOREVER), 0);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(yunta_topic_publish(topic, &i, sizeof i, YUNTA_FOREVER), 0);
    ck_assert_int_eq(yunta_process_join(child, YUNTA_FOREVER), YUNTA_ECRASHED);
    yunta_process_destroy(child);
    yunta_topic_destroy(w.told);
    end();
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("topic");
    TCase *cases = test_case(suite, "all");
    tcase_add_loop_test(cases, each_gets_all_from_its_subscription_on, 0, 2);
    tcase_add_test(cases, the_slow_are_told_how_many_they_missed);
    tcase_add_test(cases, lossless_waits_for_the_slowest);
    tcase_add_loop_test(cases, closed_is_told_after_the_last, 0, 2);
    tcase_add_test(cases, another_publisher_is_waited_for);
    tcase_add_test(cases, nonsense_is_refused);
    tcase_add_loop_test(cases, many_threads, 0, 2);
    TEST_FOR_EACH_METHOD(cases, processes_of_each_method);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
