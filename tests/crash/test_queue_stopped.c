/* Queues with a store, in which a process is stopped (SIGSTOP) while it has the lock: whoever has a time limit is told
 * within about that, with nothing done; and when it goes on, nothing is lost. It must not judge by a clock: a call that
 * waits for the stopped one never comes back. Read next: src/comm/queue_store.c; test_queue_store_kill.c.
 * labels: ptrace */
#include "../comm/test_queue_step.h"
#include "comm/store.h"

#include <errno.h>
#include <yunta/yunta.h>

enum { PUT, GET, RELEASE, TASK_DONE };
enum { CAPACITY = 4, OWN = 100 };

typedef void function(void);
#define STORE_ADD ((function *)yn_store_add)
#define STORE_TAKE ((function *)yn_store_take)
#define STORE_VACATE ((function *)yn_store_vacate)
#define STORE_PUT_OFF ((function *)yn_store_put_off)

typedef struct told {
    _Atomic yn_claim claim;
    _Atomic int value;
} told;

static yunta_queue *q;
static told *tell;

/* How a guest ends. */
static int act(void *context)
{
    int what = (int)(intptr_t)context, value = OWN, r;
    told *t = &tell[what == PUT];
    yunta_loan loan;
    if (!walker_begin())
        return 1;
    switch (what) {
    case PUT:
        return yunta_queue_put(q, &value, 0) != 0;
    case RELEASE:
        return yunta_queue_receive(q, &loan, 0) != 0 || yunta_queue_release(&loan) != 0;
    default:
        r = yunta_queue_get(q, &value, 0);
        atomic_store(&t->value, value);
        return r != 0 || (what == TASK_DONE && yunta_queue_task_done(q) != 0);
    }
}

static walker lead(int what, function *to)
{
    walker w = walker_take(guest_start(&tell[what == PUT].claim, act, (void *)(intptr_t)what));
    walker_run_to(&w, to);
    return w;
}

/* From here on it is stopped as by anybody, and nobody traces it. */
static void stop(walker *w)
{
    int status;
    ck_assert(atomic_load(&q->store->lock.word) != 0);
    ck_assert_int_eq(ptrace(PTRACE_DETACH, w->guest.pid, 0, SIGSTOP), 0);
    ck_assert_int_eq(waitpid(w->guest.pid, &status, WUNTRACED), w->guest.pid);
    ck_assert(WIFSTOPPED(status));
}

static void go_on(walker *w)
{
    ck_assert_int_eq(kill(w->guest.pid, SIGCONT), 0);
    ck_assert_int_eq(guest_join(&w->guest), 0);
}

static void begin(bool joinable, int filled)
{
    yunta_queue_options options = {
        .item_size = sizeof(int), .capacity = CAPACITY, .order = YUNTA_PRIORITY, .joinable = joinable};
    tell = guest_memory(2 * sizeof *tell);
    ck_assert_int_eq(yunta_queue_create(&q, &options), 0);
    for (int i = 0; i < filled; i++)
        ck_assert_int_eq(yunta_queue_put(q, &i, 0), 0);
}

/* All that is left, in its order, and no more; and all has been done with. */
static void end(int first, int count)
{
    int value;
    for (int i = first; i < first + count; i++) {
        ck_assert_int_eq(yunta_queue_get(q, &value, 0), 0);
        ck_assert_int_eq(value, i);
        if (q->store->joinable)
            ck_assert_int_eq(yunta_queue_task_done(q), 0);
    }
    ck_assert_int_eq(yunta_queue_get(q, &value, 0), -ETIMEDOUT);
    ck_assert_uint_eq(atomic_load(&q->store->taken), 0);
    if (q->store->joinable)
        ck_assert_int_eq(yunta_queue_join(q, 0), 0);
    yn_store_check(q->store);
    q = yunta_queue_destroy(q);
}

#define late(call) ck_assert_int_eq(call, -ETIMEDOUT)

static void try_all(void)
{
    int value = 7, two[2] = {8, 9};
    size_t size;
    yunta_loan loan, lent;
    yunta_queue_stats stats;
    late(yunta_queue_put(q, &value, 0));
    late(yunta_queue_put(q, &value, 50));
    late(yunta_queue_put_priority(q, &value, sizeof value, 1, 0));
    late(yunta_queue_put_many(q, two, 2, 0));
    ck_assert_int_eq(yunta_queue_reserve(q, sizeof value, &loan), 0);
    late(yunta_queue_commit(&loan, sizeof value, 0));
    ck_assert_int_eq(yunta_queue_abandon(&loan), 0);
    late(yunta_queue_get(q, &value, 0));
    late(yunta_queue_get(q, &value, 50));
    late(yunta_queue_get_bytes(q, &value, sizeof value, &size, 0));
    late(yunta_queue_get_many(q, two, 2, 0));
    late(yunta_queue_receive(q, &lent, 0));
    late(yunta_queue_peek(q, &value, sizeof value, NULL));
    late(yunta_queue_drain(q));
    late(yunta_queue_read_stats(q, &stats));
    late(yunta_queue_join(q, 0));
    late(yunta_queue_join(q, 50));
}

/* Looking needs no lock. */
static void look(size_t size)
{
    yunta_wait_item items[] = {{.kind = YUNTA_WAIT_GET, .object = q}, {.kind = YUNTA_WAIT_PUT, .object = q}};
    ck_assert_uint_eq(yunta_queue_size(q), size);
    ck_assert(yunta_queue_is_empty(q) == (size == 0));
    ck_assert(yunta_queue_is_full(q) == (size == CAPACITY));
    for (int limit = 0; limit <= 50; limit += 50) {
        ck_assert_int_eq(yunta_wait_many(&items[0], 1, limit), size > 0 ? 1 : -ETIMEDOUT);
        ck_assert_int_eq(yunta_wait_many(&items[1], 1, limit), size < CAPACITY ? 1 : -ETIMEDOUT);
    }
}

START_TEST(limits_are_kept_beside_a_stopped_put)
{
    begin(true, 0);
    walker w = lead(PUT, STORE_ADD);
    stop(&w);
    look(0);
    try_all();
    look(0);
    go_on(&w);
    end(OWN, 1);
}
END_TEST

START_TEST(limits_are_kept_beside_a_stopped_get)
{
    static const struct {
        int what;
        function *at;
        int before, after; /* how many are seen meanwhile, how many are left */
    } acts[] = {{GET, STORE_TAKE, 4, 3}, {RELEASE, STORE_VACATE, 3, 3}, {TASK_DONE, STORE_VACATE, 3, 3}};
    int value = 7;
    begin(acts[_i].what == TASK_DONE, CAPACITY);
    walker w = lead(acts[_i].what, acts[_i].at);
    stop(&w);
    look((size_t)acts[_i].before);
    late(yunta_queue_put(q, &value, 0));
    late(yunta_queue_get(q, &value, 0));
    go_on(&w);
    end(CAPACITY - acts[_i].after, acts[_i].after);
}
END_TEST

/* Who has no limit waits, and goes on when the stopped one does, or is dead. */
START_TEST(who_has_no_limit_waits)
{
    bool dies = _i;
    begin(false, 1);
    walker releaser = lead(RELEASE, (function *)yunta_queue_release), putter = lead(PUT, STORE_ADD);
    stop(&putter);
    ck_assert_int_eq(ptrace(PTRACE_DETACH, releaser.guest.pid, 0, 0), 0);
    guest_wait_asleep(&releaser.guest);
    if (dies)
        guest_kill(&putter.guest);
    else
        go_on(&putter);
    ck_assert_int_eq(guest_join(&releaser.guest), 0);
    end(OWN, dies ? 0 : 1);
}
END_TEST

/* A getter that has taken its message, and copies it, while another process is stopped with the lock. */
static void take_beside_stopped(walker *getter, walker *putter)
{
    begin(false, 2);
    *getter = lead(GET, STORE_TAKE);
    while (atomic_load(&q->store->lock.word) != 0)
        ck_assert(walker_step(getter));
    *putter = lead(PUT, STORE_ADD);
    stop(putter);
}

START_TEST(a_get_ends_beside_a_stopped_one)
{
    walker getter, putter;
    take_beside_stopped(&getter, &putter);
    walker_run_out(&getter);
    ck_assert_int_eq(atomic_load(&tell->value), 0);
    guest_bury(atomic_load(&tell->claim));
    ck_assert_uint_eq(yunta_queue_size(q), 1);
    ck_assert_uint_eq(atomic_load(&q->store->taken), 1);
    go_on(&putter);
    yunta_queue_stats stats;
    ck_assert_int_eq(yunta_queue_read_stats(q, &stats), 0);
    ck_assert_uint_eq(stats.redelivered, 0);
    ck_assert_uint_eq(stats.size, 2);
    ck_assert_uint_eq(atomic_load(&q->store->taken), 0);
    int value;
    ck_assert_int_eq(yunta_queue_get(q, &value, 0), 0);
    ck_assert_int_eq(value, 1);
    end(OWN, 1);
}
END_TEST

/* Killed over leaving the rest to the next one, its message comes again, or has been got. */
START_TEST(killed_while_it_leaves_the_rest)
{
    bool again = true;
    for (long steps = 0; again; steps++) {
        walker getter, putter;
        yunta_queue_stats stats;
        int value;
        take_beside_stopped(&getter, &putter);
        walker_run_to(&getter, STORE_PUT_OFF);
        walker_to(&getter, getter.steps + steps, NULL);
        walker_kill(&getter);
        go_on(&putter);
        ck_assert_int_eq(yunta_queue_read_stats(q, &stats), 0);
        again = stats.redelivered == 1;
        ck_assert_uint_eq(stats.size, again ? 3 : 2);
        ck_assert(again || steps > 0);
        for (int i = again ? 0 : 1; i < 2; i++) {
            ck_assert_int_eq(yunta_queue_get(q, &value, 0), 0);
            ck_assert_int_eq(value, i);
        }
        end(OWN, 1);
    }
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("queue, stopped");
    TCase *cases = test_case(suite, "stops");
    tcase_add_test(cases, limits_are_kept_beside_a_stopped_put);
    tcase_add_loop_test(cases, limits_are_kept_beside_a_stopped_get, 0, 3);
    tcase_add_loop_test(cases, who_has_no_limit_waits, 0, 2);
    tcase_add_test(cases, a_get_ends_beside_a_stopped_one);
    tcase_add_test(cases, killed_while_it_leaves_the_rest);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
