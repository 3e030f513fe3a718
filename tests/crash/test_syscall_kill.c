/* Whoever is killed at a system call, before it or after it: starting a process, being started, making and using a pool
 * as owner, foreman or worker, at a queue or a lock with others asleep. The others come to their end, and nothing of
 * the dead is left in the team. It must not kill between two system calls: that is test_lock_kill.c and its like. Read
 * next: syscall_scene.h; test_syscall_queues.c, further things.
 *
 * labels: ptrace */
#include <yunta/yunta.h>

typedef struct things {
    yunta_lock *lock;
    yunta_queue *queue;
} things;

#include "syscall_scene.h"

static int square(const int *x, int *y)
{
    *y = *x * *x;
    return 0;
}
YUNTA_TASK(square, int, int);

/* A pool, from beginning to end. */
static int use_pool(scene *s)
{
    enum { count = 8 };
    yunta_pool *pool;
    int in[count] = {1, 2, 3, 4, 5, 6, 7, 8}, out[count];
    int r = yunta_pool_create(&pool, &(yunta_pool_options){.workers = 2, .start_method = s->method});
    if (r != 0)
        return r == YUNTA_ESTART ? 0 : 1;
    r = yunta_map(pool, square, in, out, count);
    yunta_pool_destroy(pool);
    for (int i = 0; r == 0 && i < count; i++)
        if (out[i] != in[i] * in[i])
            return 2;
    return r == 0 || r == YUNTA_ECRASHED || r == YUNTA_EFOREMAN || r == YUNTA_ESTART ? 0 : 3;
}

/* Queues: of one place. */
enum { LAST = 99 };

static int get_until_last(scene *s)
{
    int value = 0, r = 0;
    atomic_store(&s->ready, 1);
    while (r == 0 && value != LAST)
        r = yunta_queue_get(s->of.queue, &value, YUNTA_FOREVER);
    return r;
}

static int get_until_last_later(scene *s)
{
    await_victim(s);
    return get_until_last(s);
}

static int put_two(scene *s)
{
    int r = 0;
    for (int i = 0; i < 2 && r == 0; i++)
        r = yunta_queue_put(s->of.queue, &i, YUNTA_FOREVER);
    return r;
}

static int put_two_later(scene *s)
{
    await_victim(s);
    return put_two(s);
}

static void make_queue(scene *s, bool full)
{
    ck_assert_int_eq(yunta_queue_create(&s->of.queue, &(yunta_queue_options){.item_size = sizeof(int), .capacity = 1}),
                     0);
    if (full)
        ck_assert_int_eq(yunta_queue_put(s->of.queue, &(int){50}, 0), 0);
}

static void asleep_at_empty(scene *s)
{
    make_queue(s, false);
    add_peer(s, get_until_last);
    test_wait_until(is_asleep(s->peer_pids[0], atomic_load(&s->peer_claim)), 10000);
}

static void asleep_at_full(scene *s)
{
    make_queue(s, true);
    add_peer(s, put_two);
    test_wait_until(is_asleep(s->peer_pids[0], atomic_load(&s->peer_claim)), 10000);
}

static void full_until_asleep(scene *s)
{
    make_queue(s, true);
    add_peer(s, get_until_last_later);
}

static void empty_until_asleep(scene *s)
{
    make_queue(s, false);
    add_peer(s, put_two_later);
}

static int put_one(scene *s)
{
    return yunta_queue_put(s->of.queue, &(int){1}, YUNTA_FOREVER);
}

static int get_one(scene *s)
{
    int value;
    return yunta_queue_get(s->of.queue, &value, YUNTA_FOREVER);
}

static void getter_ends(scene *s)
{
    ck_assert_int_eq(yunta_queue_put(s->of.queue, &(int){LAST}, 10000), 0);
    peers_end(s);
    ck_assert_uint_eq(yunta_queue_size(s->of.queue), 0);
    s->of.queue = yunta_queue_destroy(s->of.queue);
}

static void putter_ends(scene *s)
{
    int value;
    for (uint64_t end = test_now_ms() + 10000; atomic_load(&s->ended) == 0 && test_now_ms() < end;)
        yunta_queue_get(s->of.queue, &value, 1);
    peers_end(s);
    while (yunta_queue_get(s->of.queue, &value, 0) == 0) {
    }
    ck_assert_uint_eq(yunta_queue_size(s->of.queue), 0);
    ck_assert_int_eq(yunta_queue_put(s->of.queue, &(int){1}, 0), 0); /* the place is there still */
    s->of.queue = yunta_queue_destroy(s->of.queue);
}

/* A lock that one has until the victim sleeps, and another one behind it. */
static int hold_and_let_go(scene *s)
{
    if (yunta_lock_acquire(s->of.lock, 0) != 0)
        return 1;
    atomic_store(&s->ready, 1);
    await_victim(s);
    return yunta_lock_release(s->of.lock);
}

static int take_and_let_go(scene *s)
{
    int r = yunta_lock_acquire(s->of.lock, YUNTA_FOREVER);
    if (r == -EOWNERDEAD)
        r = yunta_lock_mark_consistent(s->of.lock);
    return r != 0 ? r : yunta_lock_release(s->of.lock);
}

static void held_with_a_rival(scene *s)
{
    ck_assert_int_eq(yunta_lock_create(&s->of.lock), 0);
    add_peer(s, hold_and_let_go);
    test_wait_until(atomic_load(&s->ready), 10000);
    add_peer(s, take_and_let_go);
    atomic_store(&s->peer_claim, 0);
}

static void lock_is_free(scene *s)
{
    peers_end(s);
    int r = yunta_lock_acquire(s->of.lock, 10000);
    ck_assert_msg(r == 0 || r == -EOWNERDEAD, "%s", yunta_error_name(r));
    s->of.lock = yunta_lock_destroy(s->of.lock);
}

static const act acts[] = {
    {"start", start_one, .victim = 0, .least = 20},
    {"being started", start_one, .victim = 1},
    {"a pool's owner", use_pool, .victim = 0, .least = 20},
    {"a pool's foreman", use_pool, .victim = 1, .least = 20},
    {"a pool's worker", use_pool, .victim = 2, .least = 10},
    {"put, with one asleep", put_one, asleep_at_empty, getter_ends, .member = true, .least = 2},
    {"put, asleep", put_one, full_until_asleep, getter_ends, .member = true, .least = 2},
    {"get, with one asleep", get_one, asleep_at_full, putter_ends, .member = true, .least = 2},
    {"get, asleep", get_one, empty_until_asleep, putter_ends, .member = true, .least = 2},
    {"lock, with a rival", take_and_let_go, held_with_a_rival, lock_is_free, .member = true, .least = 2},
};

START_TEST(starting_a_process)
{
    sweep(&acts[0], TEST_METHOD, acts[0].least);
    sweep(&acts[1], TEST_METHOD, TEST_METHOD == YUNTA_FORKSERVER ? 0 : 10); /* which makes it outside the family */
}
END_TEST

START_TEST(the_others_go_on)
{
    sweep(&acts[_i], YUNTA_FORK, acts[_i].least);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("syscall_kill");
    TCase *cases = test_case(suite, "system calls");
    tcase_set_timeout(cases, 60);
    if (!syskill_is_possible())
        return suite;
    TEST_FOR_EACH_METHOD(cases, starting_a_process);
    tcase_add_loop_test(cases, the_others_go_on, 2, sizeof acts / sizeof *acts);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
