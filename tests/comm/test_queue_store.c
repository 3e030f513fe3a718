/* Queues by priority, last first, bounded in bytes, joinable: their order, their limits, their accounts; a store that
 * grows and gives memory back; what the dead had open. It must not rely on who is faster.
 * Read next: include/yunta/queue.h; tests/crash/test_queue_store_kill.c.
 * labels: valgrind */
#include "comm/store.h"
#include "shm/heap.h"
#include "test_queue_guest.h"

#include <errno.h>
#include <string.h>
#include <yunta/yunta.h>

static yunta_queue *q;

static void make_queue(const yunta_queue_options *options)
{
    ck_assert_int_eq(yunta_queue_create(&q, options), 0);
}

static void check_and_destroy(void)
{
    if (q->store)
        yn_store_check(q->store);
    q = yunta_queue_destroy(q);
}

static void put_int(int value)
{
    ck_assert_int_eq(yunta_queue_put(q, &value, 0), 0);
}

static void expect_int(int expected)
{
    int value = -1;
    ck_assert_int_eq(yunta_queue_get(q, &value, 0), 0);
    ck_assert_int_eq(value, expected);
}

START_TEST(bad_input_is_told)
{
    int value = 1;
    size_t size;
    yunta_queue *none = NULL;
    ck_assert_int_eq(yunta_queue_create(&none, &(yunta_queue_options){.order = (yunta_queue_order)3}), -EINVAL);
    ck_assert_int_eq(yunta_queue_create(&none, &(yunta_queue_options){.item_size = 9, .capacity_bytes = 8}), -EINVAL);
    ck_assert_ptr_null(none);
    make_queue(&(yunta_queue_options){.item_size = sizeof value, .order = YUNTA_PRIORITY});
    ck_assert_int_eq(yunta_queue_put_priority(NULL, &value, 4, 0, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_put_priority(q, NULL, 4, 0, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_put_priority(q, &value, 3, 0, 0), -EMSGSIZE);
    ck_assert_int_eq(yunta_queue_task_done(q), -EINVAL);
    ck_assert_int_eq(yunta_queue_join(q, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_get(q, &value, 0), -ETIMEDOUT);
    ck_assert_int_eq(yunta_queue_get(q, &value, 5), -ETIMEDOUT);
    ck_assert_int_eq(yunta_queue_peek(q, &value, sizeof value, NULL), -ETIMEDOUT);
    put_int(7);
    ck_assert_int_eq(yunta_queue_get_bytes(q, &value, 3, &size, 0), -EMSGSIZE);
    ck_assert_uint_eq(size, sizeof value);
    ck_assert_int_eq(yunta_queue_peek(q, &value, 3, &size), -EMSGSIZE);
    ck_assert_int_eq(yunta_queue_close(q), 0);
    ck_assert_int_eq(yunta_queue_put(q, &value, 0), YUNTA_ECLOSED);
    expect_int(7);
    ck_assert_int_eq(yunta_queue_get(q, &value, YUNTA_FOREVER), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_queue_peek(q, &value, sizeof value, NULL), YUNTA_ECLOSED);
    check_and_destroy();
    make_queue(&(yunta_queue_options){.item_size = sizeof value});
    ck_assert_int_eq(yunta_queue_put_priority(q, &value, 4, 0, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_task_done(q), -EINVAL);
    ck_assert_int_eq(yunta_queue_join(q, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_task_done(NULL), -EINVAL);
    ck_assert_int_eq(yunta_queue_join(NULL, 0), -EINVAL);
    check_and_destroy();
}
END_TEST

/* Against a model that looks through all: random puts and gets, with memory given back at the end. */
START_TEST(as_a_model_has_it)
{
    enum { ROUNDS = 3000, MOST = 1000 };
    static struct {
        int64_t priority;
        int value;
    } model[MOST];
    size_t count = 0;
    unsigned seed = 7;
    yn_heap_figures before, after;
    make_queue(&(yunta_queue_options){
        .item_size = sizeof(int), .order = (yunta_queue_order)_i, .capacity = MOST, .joinable = _i == YUNTA_FIFO});
    yn_heap_read(guest_self(), &before);
    for (int i = 0; i < ROUNDS; i++) {
        bool filling = i / 750 % 2 == 0;
        seed = seed * 1103515245 + 12345;
        if (count < MOST && (seed >> 16) % 4 < (filling ? 3u : 1u)) {
            int64_t priority = _i == YUNTA_PRIORITY ? (int64_t)((seed >> 20) % 9) - 4 : 0;
            ck_assert_int_eq(
                priority ? yunta_queue_put_priority(q, &i, sizeof i, priority, 0) : yunta_queue_put(q, &i, 0), 0);
            model[count].priority = priority;
            model[count++].value = i;
        } else if (count > 0) {
            size_t best = _i == YUNTA_LIFO ? count - 1 : 0;
            for (size_t j = 0; _i == YUNTA_PRIORITY && j < count; j++)
                if (model[j].priority < model[best].priority)
                    best = j;
            int seen;
            ck_assert_int_eq(yunta_queue_peek(q, &seen, sizeof seen, NULL), 0);
            ck_assert_int_eq(seen, model[best].value);
            expect_int(model[best].value);
            memmove(&model[best], &model[best + 1], (count - best - 1) * sizeof model[0]);
            count--;
            if (_i == YUNTA_FIFO)
                ck_assert_int_eq(yunta_queue_task_done(q), 0);
        }
        if (i % 97 == 0)
            yn_store_check(q->store);
        ck_assert(yunta_queue_is_empty(q) == (count == 0));
    }
    ck_assert_uint_eq(yunta_queue_size(q), count);
    ck_assert_int_eq(yunta_queue_drain(q), (int)count);
    yn_heap_read(guest_self(), &after);
    ck_assert_uint_eq(after.blocks, before.blocks);
    ck_assert_uint_le(after.in_use, before.in_use);
    check_and_destroy();
}
END_TEST

/* Every kind of queue gives its memory back after a burst. */
START_TEST(memory_comes_back_after_a_burst)
{
    enum { BURST = 20000 };
    static int items[BURST];
    yn_heap_figures before, after;
    make_queue(&(yunta_queue_options){.item_size = sizeof(int), .order = (yunta_queue_order)_i});
    yn_heap_read(guest_self(), &before);
    ck_assert_int_eq(yunta_queue_put_many(q, items, BURST, 0), BURST);
    ck_assert_int_eq(yunta_queue_get_many(q, items, BURST, 0), BURST);
    put_int(1);
    expect_int(1);
    yn_heap_read(guest_self(), &after);
    ck_assert_msg(after.in_use < before.in_use + 300000, "%d bytes stay", (int)(after.in_use - before.in_use));
    check_and_destroy();
}
END_TEST

START_TEST(bounded_in_bytes)
{
    char text[100] = "", back[100];
    size_t size;
    make_queue(&(yunta_queue_options){.capacity_bytes = 100, .capacity = 5});
    ck_assert_int_eq(yunta_queue_put_bytes(q, text, 101, 0), -EMSGSIZE);
    ck_assert_int_eq(yunta_queue_put_bytes(q, text, 60, 0), 0);
    ck_assert_int_eq(yunta_queue_put_bytes(q, text, 41, 0), -ETIMEDOUT);
    ck_assert_int_eq(yunta_queue_put_bytes(q, text, 41, 5), -ETIMEDOUT);
    ck_assert(!yunta_queue_is_full(q));
    ck_assert_int_eq(yunta_queue_put_bytes(q, text, 40, 0), 0);
    ck_assert(yunta_queue_is_full(q));
    ck_assert_int_eq(yunta_queue_put_bytes(q, text, 0, 0), 0);
    yunta_loan loan;
    ck_assert_int_eq(yunta_queue_reserve(q, 60, &loan), 0);
    ck_assert_int_eq(yunta_queue_commit(&loan, 60, 0), -ETIMEDOUT);
    ck_assert_int_eq(yunta_queue_get_bytes(q, back, sizeof back, &size, 0), 0);
    ck_assert_uint_eq(size, 60);
    ck_assert_int_eq(yunta_queue_commit(&loan, 60, 0), 0);
    ck_assert_int_eq(yunta_queue_receive(q, &loan, 0), 0);
    ck_assert_uint_eq(loan.size, 40);
    yunta_loan copy = loan;
    ck_assert_int_eq(yunta_queue_release(&loan), 0);
    ck_assert_int_eq(yunta_queue_release(&copy), -EPERM);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(yunta_queue_put_bytes(q, text, 1, 0), 0);
    ck_assert_int_eq(yunta_queue_put_bytes(q, text, 1, 0), -ETIMEDOUT); /* five messages */
    check_and_destroy();
}
END_TEST

START_TEST(tasks_are_counted)
{
    int value = 3;
    yunta_queue_stats stats;
    make_queue(&(yunta_queue_options){.item_size = sizeof value, .joinable = true});
    ck_assert_int_eq(yunta_queue_join(q, 0), 0);
    ck_assert_int_eq(yunta_queue_task_done(q), -EINVAL);
    put_int(1);
    put_int(2);
    ck_assert_int_eq(yunta_queue_join(q, 0), -ETIMEDOUT);
    expect_int(1);
    expect_int(2);
    ck_assert_int_eq(yunta_queue_join(q, 5), -ETIMEDOUT);
    ck_assert_int_eq(yunta_queue_read_stats(q, &stats), 0);
    ck_assert(stats.open == 2 && stats.puts == 2 && stats.gets == 2 && stats.size == 0 && stats.high_water == 2);
    ck_assert_int_eq(yunta_queue_task_done(q), 0);
    ck_assert_int_eq(yunta_queue_join(q, 0), -ETIMEDOUT);
    ck_assert_int_eq(yunta_queue_task_done(q), 0);
    ck_assert_int_eq(yunta_queue_join(q, YUNTA_FOREVER), 0);
    ck_assert_int_eq(yunta_queue_task_done(q), -EINVAL);
    yunta_loan loan;
    put_int(3);
    ck_assert_int_eq(yunta_queue_receive(q, &loan, 0), 0);
    ck_assert_int_eq(yunta_queue_join(q, 0), -ETIMEDOUT);
    ck_assert_int_eq(yunta_queue_release(&loan), 0); /* a message that was lent is done with when it is released */
    ck_assert_int_eq(yunta_queue_join(q, 0), 0);
    ck_assert_int_eq(yunta_queue_task_done(q), -EINVAL);
    put_int(3);
    ck_assert_int_eq(yunta_queue_drain(q), 1); /* what is thrown away is done with */
    ck_assert_int_eq(yunta_queue_join(q, 0), 0);
    check_and_destroy();
}
END_TEST

static int take_two(void *context)
{
    int value;
    (void)context;
    return yunta_queue_get(q, &value, 0) | yunta_queue_get(q, &value, 0) | yunta_queue_task_done(q);
}

static int join_it(void *context)
{
    (void)context;
    return yunta_queue_join(q, YUNTA_FOREVER);
}

/* One who waits for the end sleeps on while a dead consumer's open task comes again, and is woken when it is lost. */
START_TEST(the_open_tasks_of_the_dead)
{
    bool lose = _i;
    _Atomic yn_claim *claim = guest_memory(2 * sizeof *claim);
    make_queue(&(yunta_queue_options){.item_size = sizeof(int), .joinable = true, .lose_on_death = lose});
    put_int(1);
    put_int(2);
    guest joiner = guest_start(&claim[0], join_it, NULL);
    guest_wait_asleep(&joiner);
    guest worker = guest_start(&claim[1], take_two, NULL);
    ck_assert_int_eq(guest_join(&worker), 0);
    if (!lose) {
        ck_assert_uint_eq(yunta_queue_size(q), 1);
        expect_int(2);
        ck_assert_int_eq(yunta_queue_task_done(q), 0);
    }
    ck_assert_int_eq(guest_join(&joiner), 0);
    yunta_queue_stats stats;
    ck_assert_int_eq(yunta_queue_read_stats(q, &stats), 0);
    ck_assert(stats.lost == (lose ? 1 : 0) && stats.redelivered == (lose ? 0 : 1) && stats.open == 0);
    check_and_destroy();
}
END_TEST

static int get_seven(void *context)
{
    int value;
    (void)context;
    return yunta_queue_get(q, &value, YUNTA_FOREVER) != 0 || value != 7;
}

/* What a plain queue tells of itself. */
START_TEST(statistics_of_a_plain_queue)
{
    enum { MANY = 1000 };
    yunta_queue_stats stats;
    make_queue(&(yunta_queue_options){.item_size = sizeof(int), .capacity = _i ? MANY : 0});
    for (int i = 0; i < MANY; i++)
        put_int(i);
    for (int i = 0; i < 300; i++)
        expect_int(i);
    ck_assert_int_eq(yunta_queue_read_stats(q, &stats), 0);
    ck_assert_uint_eq(stats.puts, MANY);
    ck_assert_uint_eq(stats.gets, 300);
    ck_assert_uint_eq(stats.size, MANY - 300);
    ck_assert_uint_ge(stats.high_water, MANY - 64);
    ck_assert_uint_le(stats.high_water, MANY);
    ck_assert_uint_eq(stats.get_waits, 0);
    ck_assert_int_eq(yunta_queue_drain(q), MANY - 300);
    _Atomic yn_claim *claim = guest_memory(sizeof *claim);
    guest g = guest_start(claim, get_seven, NULL);
    do
        ck_assert_int_eq(yunta_queue_read_stats(q, &stats), 0);
    while (stats.get_waits == 0);
    put_int(7);
    ck_assert_int_eq(guest_join(&g), 0);
    ck_assert_int_eq(yunta_queue_read_stats(q, &stats), 0);
    ck_assert_uint_ge(stats.get_waits, 1);
    ck_assert_uint_eq(stats.put_waits, 0);
    check_and_destroy();
}
END_TEST

enum { EACH = 3000 };

static int produce(void *context)
{
    int64_t base = (int64_t)(intptr_t)context * EACH;
    for (int64_t i = base; i < base + EACH; i++)
        if (yunta_queue_put(q, &i, YUNTA_FOREVER) != 0)
            return 1;
    return 0;
}

static int consume(void *context)
{
    _Atomic int64_t *sum = context;
    int64_t value;
    int r;
    while ((r = yunta_queue_get(q, &value, YUNTA_FOREVER)) == 0) {
        atomic_fetch_add(sum, value);
        if (q->store->joinable && yunta_queue_task_done(q) != 0)
            return 2;
    }
    return r == YUNTA_ECLOSED ? 0 : 1;
}

START_TEST(between_processes)
{
    static const yunta_queue_options kinds[] = {
        {.item_size = 8, .order = YUNTA_PRIORITY},
        {.item_size = 8, .order = YUNTA_LIFO, .capacity = 3},
        {.item_size = 8, .joinable = true, .capacity = 50},
        {.item_size = 8, .capacity_bytes = 80},
    };
    struct {
        _Atomic yn_claim claim[4];
        _Atomic int64_t sum;
    } *tell = guest_memory(sizeof *tell);
    guest g[4];
    make_queue(&kinds[_i]);
    for (int i = 0; i < 4; i++)
        g[i] =
            guest_start(&tell->claim[i], i < 2 ? produce : consume, i < 2 ? (void *)(intptr_t)i : (void *)&tell->sum);
    int status = guest_join(&g[0]) | guest_join(&g[1]);
    if (kinds[_i].joinable)
        ck_assert_int_eq(yunta_queue_join(q, YUNTA_FOREVER), 0);
    yunta_queue_close(q);
    status |= guest_join(&g[2]) | guest_join(&g[3]);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(tell->sum, (int64_t)EACH * 2 * (EACH * 2 - 1) / 2);
    check_and_destroy();
}
END_TEST

START_TEST(memory_running_out_is_told)
{
    static char message[1 << 20];
    size_t size;
    int n = 0, r;
    ck_assert_int_eq(yunta_set_arena_limit(16 << 20), 0);
    make_queue(&(yunta_queue_options){.order = YUNTA_LIFO});
    while ((r = yunta_queue_put_bytes(q, message, sizeof message, 0)) == 0)
        n++;
    ck_assert_int_eq(r, -ENOMEM);
    while ((r = yunta_queue_put_bytes(q, message, 1, 0)) == 0)
        n++;
    ck_assert_int_eq(r, -ENOMEM);
    yn_store_check(q->store);
    for (; n > 0; n--)
        ck_assert_int_eq(yunta_queue_get_bytes(q, message, sizeof message, &size, 0), 0);
    ck_assert(yunta_queue_is_empty(q));
    check_and_destroy();
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("queue_store");
    TCase *cases = test_case(suite, "store");
    tcase_add_test(cases, bad_input_is_told);
    tcase_add_loop_test(cases, as_a_model_has_it, 0, 3);
    tcase_add_loop_test(cases, memory_comes_back_after_a_burst, 0, 3);
    tcase_add_test(cases, bounded_in_bytes);
    tcase_add_test(cases, tasks_are_counted);
    tcase_add_loop_test(cases, the_open_tasks_of_the_dead, 0, 2);
    tcase_add_loop_test(cases, statistics_of_a_plain_queue, 0, 2);
    tcase_add_loop_test(cases, between_processes, 0, 4);
    tcase_add_test(cases, memory_running_out_is_told);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
