/* Whoever is killed at a system call, before it or after it, while it uses a queue: in batches, by loans, with a store,
 * or among the many that are waited for. The others come to their end, and nothing of the dead is left in the team. It
 * must not kill between two system calls: that are the tests by steps. Read next: syscall_story.h;
 * test_syscall_objects.c, further things.
 *
 * labels: ptrace */
#include "syscall_story.h"

#include <poll.h>

/* Queues of numbers. */
static void make_queue(scene *s, yunta_queue_options o)
{
    ck_assert_int_eq(yunta_queue_create(&s->of.queue, &o), 0);
}

static void a_queue(scene *s)
{
    make_queue(s, (yunta_queue_options){.item_size = sizeof(int), .capacity = MANY});
    let_peer_sleep(s);
}

static void a_full_queue(scene *s)
{
    static const int items[MANY] = {1, 2, 3};
    make_queue(s, (yunta_queue_options){.item_size = sizeof(int), .capacity = MANY});
    ck_assert_int_eq(yunta_queue_put_many(s->of.queue, items, MANY, 0), MANY);
    let_peer_sleep(s);
}

static int put_many(scene *s)
{
    static const int items[MANY] = {1, 2, 3};
    int r = yunta_queue_put_many(s->of.queue, items, MANY, YUNTA_FOREVER);
    return r == MANY ? 0 : 1;
}

static int get_some(scene *s)
{
    int items[MANY];
    return yunta_queue_get_many(s->of.queue, items, MANY, YUNTA_FOREVER) >= 1 ? 0 : 1;
}

static void put(scene *s)
{
    yunta_queue_put_bytes(s->of.queue, large, sizeof(int), 0);
}

static int put_one(scene *s)
{
    return yunta_queue_put_bytes(s->of.queue, large, sizeof(int), YUNTA_FOREVER);
}

static int get_one(scene *s)
{
    size_t size;
    return yunta_queue_get_bytes(s->of.queue, large, LARGE, &size, YUNTA_FOREVER);
}

static void drain(scene *s)
{
    yunta_queue_drain(s->of.queue);
}

/* It still does what a new one does. */
static void end_queue(scene *s)
{
    size_t size;
    let_peer_end(s);
    while (yunta_queue_get_bytes(s->of.queue, large, LARGE, &size, 0) == 0) {
    }
    ck_assert_uint_eq(yunta_queue_size(s->of.queue), 0);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(yunta_queue_put_bytes(s->of.queue, large, sizeof(int), 0), 0);
    s->of.queue = yunta_queue_destroy(s->of.queue);
}

/* Loans, of large messages. */
static void a_queue_of_bytes(scene *s)
{
    make_queue(s, (yunta_queue_options){.capacity = MANY});
    let_peer_sleep(s);
}

static void a_full_queue_of_bytes(scene *s)
{
    make_queue(s, (yunta_queue_options){.capacity = MANY});
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(yunta_queue_put_bytes(s->of.queue, large, LARGE, 0), 0);
    let_peer_sleep(s);
}

static int lend(scene *s)
{
    yunta_loan loan;
    int r = yunta_queue_reserve(s->of.queue, LARGE, &loan);
    return r == 0 ? yunta_queue_commit(&loan, LARGE, YUNTA_FOREVER) : r;
}

static int receive(scene *s)
{
    yunta_loan loan;
    int r = yunta_queue_receive(s->of.queue, &loan, YUNTA_FOREVER);
    return r == 0 ? yunta_queue_release(&loan) : r;
}

/* Stores. */
static void a_store(scene *s)
{
    make_queue(s, (yunta_queue_options){.capacity = MANY, .order = YUNTA_PRIORITY});
    let_peer_sleep(s);
}

static void a_full_store(scene *s)
{
    make_queue(s, (yunta_queue_options){.capacity = MANY, .order = YUNTA_PRIORITY});
    for (int i = 0; i < MANY; i++)
        put(s);
    let_peer_sleep(s);
}

static void a_task(scene *s)
{
    make_queue(s, (yunta_queue_options){.capacity = MANY, .joinable = true});
    put(s);
    let_peer_sleep(s);
}

static int join(scene *s)
{
    return yunta_queue_join(s->of.queue, YUNTA_FOREVER);
}

static int do_task(scene *s)
{
    int r = get_one(s);
    return r == 0 ? yunta_queue_task_done(s->of.queue) : r;
}

static void do_what_is_left(scene *s)
{
    size_t size;
    while (yunta_queue_get_bytes(s->of.queue, large, LARGE, &size, 0) == 0)
        ck_assert_int_eq(yunta_queue_task_done(s->of.queue), 0);
}

/* Waiting for many. */
static int wait_for_item(scene *s, int descriptor)
{
    yunta_wait_item items[] = {{.kind = YUNTA_WAIT_GET, .object = s->of.queue},
                               {.kind = descriptor < 0 ? YUNTA_WAIT_NOTHING : YUNTA_WAIT_DESCRIPTOR,
                                .descriptor = descriptor,
                                .events = POLLIN}};
    return yunta_wait_many(items, 2, YUNTA_FOREVER) == 1 ? 0 : 1;
}

static int wait_by_word(scene *s)
{
    return wait_for_item(s, -1);
}

static int wait_by_doorbell(scene *s)
{
    int ends[2];
    if (pipe(ends) != 0)
        return 1;
    int r = wait_for_item(s, ends[0]);
    close(ends[0]);
    close(ends[1]);
    return r;
}

/* Told without a sleep of the library's to be seen: the one that waits by a doorbell sleeps in poll. */
static int wait_by_descriptor(scene *s)
{
    int d = yunta_queue_descriptor(s->of.queue);
    struct pollfd p = {.fd = d, .events = POLLIN};
    if (d < 0 || poll(&p, 1, 0) < 0)
        return 1;
    return yunta_queue_close_descriptor(s->of.queue);
}

static const story stories[] = {
    {{"put_many, with one asleep", put_many, a_queue, .judge = end_queue, MEMBER}, get_some, .settle = put},
    {{"put_many, asleep", put_many, a_full_queue, .judge = end_queue, MEMBER}, get_some, LATER, put},
    {{"get_many, with one asleep", get_some, a_full_queue, .judge = end_queue, MEMBER}, put_one, .settle = drain},
    {{"get_many, asleep", get_some, a_queue, .judge = end_queue, MEMBER}, put_many, LATER, drain},
    {{"lend, with one asleep", lend, a_queue_of_bytes, .judge = end_queue, MEMBER}, receive, .settle = put},
    {{"receive, with one asleep", receive, a_full_queue_of_bytes, .judge = end_queue, MEMBER}, lend, .settle = drain},
    {{"put in a store, with one asleep", put_one, a_store, .judge = end_queue, MEMBER}, get_one, .settle = put},
    {{"get from a store, with one asleep", get_one, a_full_store, .judge = end_queue, MEMBER},
     put_one,
     .settle = drain},
    {{"get from a store, asleep", get_one, a_store, .judge = end_queue, MEMBER}, put_one, LATER, drain},
    {{"task_done, with a joiner", do_task, a_task, .judge = end_queue, MEMBER}, join, .settle = do_what_is_left},
    {{"wait by a word", wait_by_word, a_queue, .judge = end_queue, MEMBER}, put_one, LATER, NULL},
    {{"wait by a doorbell", wait_by_doorbell, a_queue, .judge = end_queue, MEMBER}, put_one, LATER_IN_KERNEL, NULL},
    {{"a descriptor", wait_by_descriptor, a_queue, .judge = end_queue, MEMBER}, NULL, FIRST, NULL},
    {{"put, with one that waits", put_one, a_queue, .judge = end_queue, MEMBER}, wait_by_word, .settle = put},
};

START_TEST(the_others_go_on)
{
    run_story(&stories[_i]);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("syscall_queues");
    TCase *cases = test_case(suite, "system calls");
    tcase_set_timeout(cases, 60);
    if (syskill_is_possible())
        tcase_add_loop_test(cases, the_others_go_on, 0, sizeof stories / sizeof *stories);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
