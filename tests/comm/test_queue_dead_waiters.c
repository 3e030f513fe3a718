/* Queues at which waiters are killed in their sleep: who puts or gets must not notice.
 * It must not count on time-outs: sleeps without a limit have none here (../sync/endless.h).
 * Read next: test_queue_random.c; ../sync/test_semaphore_death.c for the same at semaphores. */
#include "../proc/helpers.h"

#include "../sync/endless.h"

enum { waiters = 4, messages = 50 };

struct scene {
    yunta_queue *queue;
    shared_word *done; /* how many messages the waiters have got or put */
};

static struct scene new_scene(size_t capacity)
{
    struct scene s = {.done = new_word()};
    yunta_queue_options options = {.item_size = sizeof(int), .capacity = capacity};
    ck_assert_int_eq(yunta_queue_create(&s.queue, &options), 0);
    return s;
}

static void free_scene(struct scene *s)
{
    yunta_queue_destroy(s->queue);
    yunta_shared_free(s->done);
}

static int get_for_ever(const struct scene *s)
{
    for (int item;;) {
        expect(yunta_queue_get(s->queue, &item, YUNTA_FOREVER) == 0);
        atomic_fetch_add(s->done, 1);
    }
}
YUNTA_ENTRY(get_for_ever, struct scene);

static int put_for_ever(const struct scene *s)
{
    for (int item = 1;; item++) {
        expect(yunta_queue_put(s->queue, &item, YUNTA_FOREVER) == 0);
        atomic_fetch_add(s->done, 1);
    }
}
YUNTA_ENTRY(put_for_ever, struct scene);

static void kill_it(yunta_process *process)
{
    ck_assert_int_eq(yunta_process_kill(process), 0);
    end_is(process, YUNTA_ECRASHED);
}

/* Of those who sleep one is left. */
#define start_and_kill(method, waiter, entry, scene)                                                                   \
    do {                                                                                                               \
        for (int i = 0; i < waiters; i++)                                                                              \
            start_by((method), &(waiter)[i], entry, (scene));                                                          \
        for (int i = 0; i < waiters; i++)                                                                              \
            test_wait_until(is_waiting((waiter)[i]), 20000);                                                           \
        for (int i = 0; i < waiters - 1; i++)                                                                          \
            kill_it((waiter)[i]);                                                                                      \
    } while (0)

START_TEST(pain_07_putting_never_waits_for_a_killed_getter)
{
    struct scene s = new_scene(0);
    yunta_process *waiter[waiters];
    start_and_kill(TEST_METHOD, waiter, get_for_ever, &s);
    for (int item = 0; item < messages; item++)
        ck_assert_int_eq(yunta_queue_put(s.queue, &item, YUNTA_FOREVER), 0);
    ck_assert(await_word(s.done, messages));
    ck_assert_uint_eq(yunta_queue_size(s.queue), 0);
    kill_it(waiter[waiters - 1]);
    free_scene(&s);
}
END_TEST

START_TEST(pain_07_getting_never_waits_for_a_killed_putter)
{
    struct scene s = new_scene(2);
    yunta_process *waiter[waiters];
    start_and_kill(TEST_METHOD, waiter, put_for_ever, &s);
    for (int got = 0, item; got < messages; got++)
        ck_assert_int_eq(yunta_queue_get(s.queue, &item, YUNTA_FOREVER), 0);
    test_wait_until(yunta_queue_is_full(s.queue), 20000); /* the one that lives goes on */
    kill_it(waiter[waiters - 1]);
    free_scene(&s);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("queue, dead waiters");
    TCase *cases = test_case(suite, "waiters");
    TEST_FOR_EACH_METHOD(cases, pain_07_putting_never_waits_for_a_killed_getter);
    TEST_FOR_EACH_METHOD(cases, pain_07_getting_never_waits_for_a_killed_putter);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
