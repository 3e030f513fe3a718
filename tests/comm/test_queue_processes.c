/* The queue between processes: order, waiting and waking, closing under load, and what deaths at chosen places leave
 * behind. It must not need a watch: the test plays it (test_queue_guest.h). Read next: tests/crash/test_queue_kill.c
 * for deaths at every instruction, test_queue_random.c for deaths at any time. */
#include "comm/queue.h"
#include "shm/heap.h"
#include "test_queue_guest.h"

#include <errno.h>
#include <string.h>

enum { MOST = 16 };

/* Shared by the test and its guests. */
typedef struct shared {
    _Atomic yn_claim claim[MOST];
    _Atomic long sum[MOST], count[MOST];
    _Atomic int stage;
} shared;

static shared *s;
static yunta_queue *q;

static void begin(size_t item_size, size_t capacity, bool lose)
{
    yunta_queue_options o = {.item_size = item_size, .capacity = capacity, .lose_on_death = lose};
    s = guest_memory(sizeof *s);
    ck_assert_int_eq(yunta_queue_create(&q, &o), 0);
}

static guest start(int number, int (*run)(void *))
{
    static int numbers[MOST];
    numbers[number] = number;
    return guest_start(&s->claim[number], run, &numbers[number]);
}

static void put_int(int value)
{
    ck_assert_int_eq(yunta_queue_put(q, &value, 0), 0);
}

static int get_int(void)
{
    int value = -1;
    ck_assert_int_eq(yunta_queue_get(q, &value, 0), 0);
    return value;
}

static int put_thousand(void *context)
{
    (void)context;
    for (int i = 0; i < 1000; i++)
        if (yunta_queue_put(q, &i, 0) != 0)
            return 1;
    return 0;
}

START_TEST(a_producer_may_exit_at_once)
{
    begin(sizeof(int), _i ? 1000 : 0, false);
    guest g = start(0, put_thousand);
    ck_assert_int_eq(guest_join(&g), 0);
    ck_assert_uint_eq(yunta_queue_size(q), 1000);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(get_int(), i);
    ck_assert(yunta_queue_is_empty(q));
    yunta_queue_destroy(q);
}
END_TEST

_Noreturn static void hang(yn_ring_result r)
{
    atomic_store(&s->stage, r == YN_RING_DONE ? 1 : 2);
    for (;;)
        pause();
}

static int reserve_and_hang(void *context)
{
    (void)context;
    yn_turn turn = {.me = guest_self()};
    yn_link_shared *link = yn_queue_link(turn.me, q, YN_HAZARD_PUT);
    hang(yn_ring_reserve(&turn, &link->ring));
}

static int take_and_hang(void *context)
{
    (void)context;
    yn_turn turn = {.me = guest_self(), .limit = SIZE_MAX};
    yn_link_shared *link = yn_queue_link(turn.me, q, YN_HAZARD_GET);
    hang(yn_ring_take(&turn, &link->ring));
}

static void let_one_die(int (*run)(void *))
{
    atomic_store(&s->stage, 0);
    guest g = start(15, run);
    test_wait_until(atomic_load(&s->stage) != 0, 10000);
    ck_assert_int_eq(atomic_load(&s->stage), 1);
    guest_kill(&g);
}

START_TEST(while_not_empty_get)
{
    begin(sizeof(int), _i ? 4 : 0, false);
    put_int(1);
    let_one_die(reserve_and_hang);
    put_int(2);
    ck_assert_uint_eq(yunta_queue_size(q), 2);
    int got = 0;
    while (!yunta_queue_is_empty(q))
        ck_assert_int_eq(get_int(), ++got);
    ck_assert_int_eq(got, 2);
    let_one_die(reserve_and_hang);
    ck_assert(yunta_queue_is_empty(q));
    yunta_queue_stats stats;
    ck_assert_int_eq(yunta_queue_read_stats(q, &stats), 0);
    ck_assert_uint_ge(stats.abandoned, 1);
    ck_assert_uint_eq(stats.size + stats.lost + stats.redelivered, 0);
    yunta_queue_destroy(q);
}
END_TEST

START_TEST(a_half_put_message_holds_up_only_while_its_process_lives)
{
    begin(sizeof(int), _i ? 4 : 0, false);
    guest g = start(15, reserve_and_hang);
    test_wait_until(atomic_load(&s->stage) == 1, 10000);
    put_int(2);
    int value;
    ck_assert_int_eq(yunta_queue_get(q, &value, 10), -ETIMEDOUT);
    ck_assert_msg(yunta_queue_is_empty(q) && yunta_queue_size(q) == 0, "a get would have had to wait");
    guest_kill(&g);
    ck_assert_uint_eq(yunta_queue_size(q), 1);
    ck_assert_int_eq(get_int(), 2);
    yunta_queue_destroy(q);
}
END_TEST

START_TEST(what_the_dead_had_taken_comes_first_again)
{
    begin(sizeof(int), _i ? 5 : 0, false);
    for (int i = 1; i <= 5; i++)
        put_int(i);
    let_one_die(take_and_hang);
    let_one_die(take_and_hang);
    ck_assert_uint_eq(yunta_queue_size(q), 5);
    ck_assert(_i ? yunta_queue_is_full(q) : !yunta_queue_is_full(q));
    yunta_queue_stats stats;
    for (int i = 1; i <= 5; i++) {
        ck_assert_int_eq(yunta_queue_read_stats(q, &stats), 0);
        ck_assert_int_eq((int)stats.redelivered, i <= 3 ? i - 1 : 2); /* each as soon as it has been got again */
        ck_assert_int_eq(get_int(), i);
    }
    ck_assert_int_eq(yunta_queue_read_stats(q, &stats), 0);
    ck_assert_uint_eq(stats.redelivered, 2);
    ck_assert_uint_eq(stats.size + stats.lost + stats.abandoned, 0);
    yunta_queue_destroy(q);
}
END_TEST

START_TEST(what_the_dead_had_taken_is_lost_if_wanted)
{
    begin(sizeof(int), _i ? 3 : 0, true);
    for (int i = 1; i <= 3; i++)
        put_int(i);
    let_one_die(take_and_hang);
    ck_assert_uint_eq(yunta_queue_size(q), 2);
    put_int(4); /* there is room for it */
    let_one_die(take_and_hang);
    yunta_queue_stats stats;
    ck_assert_int_eq(yunta_queue_read_stats(q, &stats), 0);
    ck_assert_uint_eq(stats.lost, 2);
    ck_assert_uint_eq(stats.size, 2);
    ck_assert_uint_eq(stats.redelivered + stats.abandoned, 0);
    ck_assert_int_eq(get_int(), 3);
    ck_assert_int_eq(get_int(), 4);
    ck_assert(yunta_queue_is_empty(q));
    yunta_queue_destroy(q);
}
END_TEST

START_TEST(a_message_left_in_an_old_link_is_found)
{
    begin(sizeof(int), 0, false);
    for (int i = 0; i < 2000; i++)
        put_int(i);
    atomic_store(&s->stage, 0);
    guest g = start(15, take_and_hang);
    test_wait_until(atomic_load(&s->stage) == 1, 10000);
    for (int i = 1; i < 2000; i++)
        ck_assert_int_eq(get_int(), i);
    ck_assert(yunta_queue_is_empty(q));
    guest_kill(&g);
    ck_assert_uint_eq(yunta_queue_size(q), 1);
    ck_assert(!yunta_queue_is_empty(q));
    put_int(2000);
    char small;
    size_t size = 0;
    ck_assert_int_eq(yunta_queue_get_bytes(q, &small, 1, &size, 0), -EMSGSIZE);
    ck_assert_uint_eq(size, sizeof(int));
    ck_assert_int_eq(get_int(), 0);
    ck_assert_int_eq(get_int(), 2000);
    yunta_queue_destroy(q);
}
END_TEST

START_TEST(the_block_of_a_half_put_message_is_freed_once)
{
    static char message[1000];
    yn_heap_figures before, after;
    begin(0, 2, _i == 1);
    ck_assert_int_eq(yunta_queue_put_bytes(q, message, sizeof message, 0), 0);
    size_t size;
    ck_assert_int_eq(yunta_queue_get_bytes(q, message, sizeof message, &size, 0), 0);
    yn_heap_read(guest_self(), &before);
    ck_assert_int_eq(yunta_queue_put_bytes(q, message, sizeof message, 0), 0);
    let_one_die(take_and_hang);
    ck_assert_uint_eq(yunta_queue_size(q), _i == 0);
    if (_i == 0)
        ck_assert_int_eq(yunta_queue_get_bytes(q, message, sizeof message, &size, 0), 0);
    yn_heap_read(guest_self(), &after);
    ck_assert_uint_eq(after.blocks, before.blocks);
    yunta_queue_destroy(q);
}
END_TEST

/* The lap in a cell's info has 24 bits: an orphan beside the place where they wrap round. */
START_TEST(laps_wrap_round)
{
    begin(sizeof(int), 3, false);
    yn_ring_shared *ring = &atomic_load(&q->first)->ring;
    uint64_t lap = ring->stride * ((UINT64_C(1) << (_i ? 24 : 54)) - 1);
    for (uint64_t i = 0; i < 3; i++)
        atomic_store(&yn_ring_cell(ring, i)->word, lap << 4 | YN_CELL_FREE);
    atomic_store(&ring->head, lap);
    atomic_store(&ring->tail, lap << 1);
    for (int turn = 0; turn < 4; turn++) {
        put_int(1);
        let_one_die(take_and_hang);
        put_int(2);
        put_int(3);
        ck_assert(yunta_queue_is_full(q));
        for (int i = 1; i <= 3; i++)
            ck_assert_int_eq(get_int(), i);
        put_int(4);
        ck_assert_int_eq(get_int(), 4);
    }
    yunta_queue_destroy(q);
}
END_TEST

static int get_one(void *context)
{
    int number = *(int *)context, value = 0;
    int r = yunta_queue_get(q, &value, YUNTA_FOREVER);
    atomic_store(&s->sum[number], value);
    return r == 0 ? 0 : r == YUNTA_ECLOSED ? 2 : 1;
}

static int put_one(void *context)
{
    int r = yunta_queue_put(q, context, YUNTA_FOREVER);
    return r == 0 ? 0 : r == YUNTA_ECLOSED ? 2 : 1;
}

START_TEST(sleepers_are_woken)
{
    guest g[6];
    long sum = 0;
    begin(sizeof(int), _i ? 2 : 0, false);
    for (int i = 0; i < 6; i++)
        g[i] = start(i, get_one);
    for (int i = 0; i < 6; i++)
        guest_wait_asleep(&g[i]);
    for (int i = 1; i <= 6; i++)
        ck_assert_int_eq(yunta_queue_put(q, &i, 10000), 0);
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(guest_join(&g[i]), 0);
        sum += atomic_load(&s->sum[i]);
    }
    ck_assert_int_eq(sum, 21);
    yunta_queue_destroy(q);
}
END_TEST

START_TEST(sleeping_putters_are_woken)
{
    guest g[6];
    int sum = 0;
    begin(sizeof(int), 2, false);
    put_int(10);
    put_int(10);
    for (int i = 0; i < 6; i++)
        g[i] = start(i, put_one);
    for (int i = 0; i < 6; i++)
        guest_wait_asleep(&g[i]);
    for (int i = 0; i < 8; i++) {
        int value;
        ck_assert_int_eq(yunta_queue_get(q, &value, 10000), 0);
        sum += value;
    }
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(guest_join(&g[i]), 0);
    ck_assert_int_eq(sum, 20 + 15);
    yunta_queue_destroy(q);
}
END_TEST

START_TEST(close_wakes_all)
{
    guest g[4];
    begin(sizeof(int), _i ? 1 : 0, false);
    if (_i == 2)
        put_int(1);
    for (int i = 0; i < 4; i++)
        g[i] = start(i, _i == 2 ? put_one : get_one);
    for (int i = 0; i < 4; i++)
        guest_wait_asleep(&g[i]);
    ck_assert_int_eq(yunta_queue_close(q), 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(WEXITSTATUS(guest_join(&g[i])), 2);
    ck_assert_uint_eq(yunta_queue_size(q), _i == 2);
    yunta_queue_destroy(q);
}
END_TEST

START_TEST(close_waits_for_puts_under_way)
{
    /* A put that has begun lands or is void; a getter is told "closed" only when that is settled. */
    guest g[3];
    begin(sizeof(int), _i ? 2 : 0, false);
    guest putter = start(15, reserve_and_hang);
    test_wait_until(atomic_load(&s->stage) == 1, 10000);
    ck_assert_int_eq(yunta_queue_close(q), 0);
    int value;
    ck_assert_int_eq(yunta_queue_get(q, &value, 0), -ETIMEDOUT);
    for (int i = 0; i < 3; i++)
        g[i] = start(i, get_one);
    for (int i = 0; i < 3; i++)
        guest_wait_asleep(&g[i]);
    guest_kill(&putter);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(WEXITSTATUS(guest_join(&g[i])), 2);
    ck_assert_int_eq(yunta_queue_get(q, &value, 0), YUNTA_ECLOSED);
    yunta_queue_destroy(q);
}
END_TEST

static int get_small(void *context)
{
    (void)context;
    char c;
    size_t size = 0;
    return yunta_queue_get_bytes(q, &c, 1, &size, YUNTA_FOREVER) == -EMSGSIZE && size == 100 ? 0 : 1;
}

static int get_large(void *context)
{
    (void)context;
    char c[100];
    size_t size = 0;
    return yunta_queue_get_bytes(q, c, sizeof c, &size, YUNTA_FOREVER) == 0 && size == 100 ? 0 : 1;
}

START_TEST(a_wake_that_was_of_no_use_is_passed_on)
{
    char message[100] = "";
    begin(0, _i ? 2 : 0, false);
    for (int turn = 0; turn < 20; turn++) {
        guest small = start(0, get_small);
        guest_wait_asleep(&small);
        guest large = start(1, get_large);
        guest_wait_asleep(&large);
        ck_assert_int_eq(yunta_queue_put_bytes(q, message, sizeof message, 0), 0);
        test_wait_until(!test_is_running(large.pid), 10000);
        ck_assert_int_eq(guest_join(&large), 0);
        if (test_is_running(small.pid)) /* the other one was faster */
            ck_assert_int_eq(yunta_queue_put_bytes(q, message, sizeof message, 0), 0);
        ck_assert_int_eq(guest_join(&small), 0);
        size_t size;
        while (yunta_queue_get_bytes(q, message, sizeof message, &size, 0) == 0) {
        }
    }
    yunta_queue_destroy(q);
}
END_TEST

START_TEST(a_sleeper_is_found_when_the_taker_dies)
{
    begin(sizeof(int), _i ? 2 : 0, false);
    put_int(7);
    atomic_store(&s->stage, 0);
    guest taker = start(15, take_and_hang);
    test_wait_until(atomic_load(&s->stage) == 1, 10000);
    guest g = start(0, get_one);
    guest_wait_asleep(&g);
    guest_kill(&taker);
    ck_assert_int_eq(guest_join(&g), 0);
    ck_assert_int_eq(atomic_load(&s->sum[0]), 7);
    yunta_queue_destroy(q);
}
END_TEST

enum { LONG = 1000, BURST = 32000 };
static int limit;

/* Up to an empty message. */
static int take_a_burst(void *context)
{
    static char message[LONG];
    size_t size = 1;
    (void)context;
    for (int r = 0; size > 0;)
        if ((r = yunta_queue_get_bytes(q, message, sizeof message, &size, limit)) != 0 && r != -ETIMEDOUT)
            return 1;
    return 0;
}

/* Memory that a burst has left goes back to the system when the queue has been empty for a while, without anybody's
 * asking: by who waits there for long, or comes to look time and again. */
START_TEST(memory_goes_back_after_a_burst)
{
    static const char message[LONG];
    yn_arena_shared *arena = guest_self()->arena;
    begin(0, 0, false);
    for (int i = 0; i < BURST; i++)
        ck_assert_int_eq(yunta_queue_put_bytes(q, message, LONG, 0), 0);
    ck_assert_uint_gt(atomic_load(&arena->reserved), LONG * BURST);
    limit = _i ? 1 : YUNTA_FOREVER;
    guest g = start(0, take_a_burst);
    test_wait_until(atomic_load(&arena->reserved) < 12 << 20, 20000);
    ck_assert_int_eq(yunta_queue_put_bytes(q, NULL, 0, 0), 0);
    ck_assert_int_eq(guest_join(&g), 0);
    yunta_queue_destroy(q);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("queue_processes");
    TCase *cases = test_case(suite, "deaths");
    tcase_add_loop_test(cases, a_producer_may_exit_at_once, 0, 2);
    tcase_add_loop_test(cases, while_not_empty_get, 0, 2);
    tcase_add_loop_test(cases, a_half_put_message_holds_up_only_while_its_process_lives, 0, 2);
    tcase_add_loop_test(cases, what_the_dead_had_taken_comes_first_again, 0, 2);
    tcase_add_loop_test(cases, what_the_dead_had_taken_is_lost_if_wanted, 0, 2);
    tcase_add_test(cases, a_message_left_in_an_old_link_is_found);
    tcase_add_loop_test(cases, the_block_of_a_half_put_message_is_freed_once, 0, 2);
    tcase_add_loop_test(cases, laps_wrap_round, 0, 2);
    cases = test_case(suite, "waiting");
    tcase_add_loop_test(cases, sleepers_are_woken, 0, 2);
    tcase_add_test(cases, sleeping_putters_are_woken);
    tcase_add_loop_test(cases, close_wakes_all, 0, 3);
    tcase_add_loop_test(cases, close_waits_for_puts_under_way, 0, 2);
    tcase_add_loop_test(cases, a_wake_that_was_of_no_use_is_passed_on, 0, 2);
    tcase_add_loop_test(cases, a_sleeper_is_found_when_the_taker_dies, 0, 2);
    tcase_add_loop_test(cases, memory_goes_back_after_a_burst, 0, 2);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
