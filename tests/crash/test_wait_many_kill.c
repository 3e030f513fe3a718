/* Who tells others is killed at every step that they can tell from the one before, with one asleep in yunta_wait_many
 * (by a word, or by a doorbell) and with a descriptor to be made readable; and who waits, at every step of taking its
 * places. It must not count on time-outs: sleeps without a limit have none here, so who is not told is a failure.
 * Read next: src/sync/README.md, what a death leaves; ../comm/test_wait_many.c.
 *
 * labels: ptrace
 * timeout: 300 */
#include "../proc/helpers.h"
#include "../sync/endless.h"
#include "comm/pipe.h"
#include "comm/queue.h"
#include "comm/topic.h"
#include "sync/lock.h"

#include <poll.h>
#include <stepkill.h>
#include <sys/prctl.h>

static int endless_poll(struct pollfd *fds, nfds_t count, int milliseconds)
{
    return poll(fds, count, milliseconds > 900 && milliseconds <= 1000 ? -1 : milliseconds);
}
#define poll endless_poll
#include "comm/wait_many.c"
#undef poll

enum { PIECE = 40 }; /* more than half of the pipe's ring, less than half of the topic's */

typedef struct scene scene;

/* What the victim does, and who waits for it. */
typedef struct deed {
    yunta_wait_kind kind;
    void (*begin)(scene *s); /* in the test's process, before the other one sleeps; may be NULL, as may the next two */
    void (*enter)(scene *s); /* in the victim, before it is stepped and before the other one waits */
    void (*redo)(scene *s);  /* what a death before any change has left undone */
    void (*act)(scene *s);
    int (*describe)(scene *s); /* a descriptor for the test itself; may be NULL */
} deed;

struct scene {
    const deed *deed;
    bool by_doorbell;
    yunta_queue *q;
    yunta_lock *lock;
    yunta_pipe *near, *far; /* the waiter's end, and that of the victim */
    yunta_topic *topic;
    yunta_subscription *own; /* of the waiter, or of the victim */
    char piece[PIECE];
    int ends[2], descriptor;
    pid_t waiter, holder;
    _Atomic yn_claim waiter_claim, victim, holder_claim;
    _Atomic bool may_wait;
    step_range memory[STEP_RANGES];
};

static yn_self *self(void)
{
    return yn_self_get(&(int){0});
}

static void put(scene *s)
{
    yunta_queue_put(s->q, &(int){1}, 0);
}

static void get(scene *s)
{
    yunta_queue_get(s->q, &(int){0}, 0);
}

static void redo_put(scene *s)
{
    if (yunta_queue_size(s->q) == 0)
        put(s);
}

static void redo_get(scene *s)
{
    if (yunta_queue_size(s->q) != 0)
        get(s);
}

static void close_queue(scene *s)
{
    yunta_queue_close(s->q);
}

static int describe_queue(scene *s)
{
    return yunta_queue_descriptor(s->q);
}

static void lock_it(scene *s)
{
    if (yunta_lock_acquire(s->lock, 0) != 0)
        _exit(1);
}

static void release(scene *s)
{
    yunta_lock_release(s->lock);
}

static void send_piece(scene *s)
{
    yunta_pipe_send(s->far, s->piece, PIECE, 0);
}

static void redo_send(scene *s)
{
    if (yunta_pipe_poll(s->near, 0) != 0)
        send_piece(s);
}

static int describe_pipe(scene *s)
{
    return yunta_pipe_descriptor(s->near);
}

static void fill_pipe(scene *s)
{
    yunta_pipe_send(s->near, s->piece, PIECE, 0);
}

static void receive_piece(scene *s)
{
    char piece[PIECE];
    size_t size;
    yunta_pipe_receive(s->far, piece, PIECE, &size, 0);
}

/* The far end is to be the victim's alone: another one holds it until it is there. */
static void let_hold(scene *s)
{
    atomic_store(&s->holder_claim, 0);
    pid_t pid = test_fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        yunta_pipe_open(s->far);
        atomic_store(&s->holder_claim, self()->claim);
        sleep_for_ever();
    }
    s->holder = pid;
    test_wait_until(atomic_load(&s->holder_claim) != 0, 20000);
    ck_assert_int_eq(yunta_pipe_close(s->far), 0);
}

static void hold(scene *s)
{
    yunta_pipe_open(s->far);
    kill(s->holder, SIGKILL);
    while (yn_claim_is_alive(&self()->arena->slots, atomic_load(&s->holder_claim)))
        test_nap();
}

static void close_end(scene *s)
{
    yunta_pipe_close(s->far);
}

static void publish(scene *s)
{
    yunta_topic_publish(s->topic, s->piece, PIECE, 0);
}

static void redo_publish(scene *s)
{
    yunta_topic_stats stats = {0};
    if (yunta_topic_read_stats(s->topic, &stats) == 0 && stats.published == 0)
        publish(s);
}

static int describe_topic(scene *s)
{
    yunta_subscription *mine;
    ck_assert_int_eq(yunta_topic_subscribe(s->topic, &mine), 0);
    return yunta_topic_descriptor(mine);
}

static void close_topic(scene *s)
{
    yunta_topic_close(s->topic);
}

static void subscribe_and_fill(scene *s)
{
    if (yunta_topic_subscribe(s->topic, &s->own) != 0)
        _exit(1);
    publish(s);
    publish(s);
}

static void receive_published(scene *s)
{
    char piece[PIECE];
    size_t size;
    yunta_topic_receive(s->own, piece, PIECE, &size, NULL, 0);
}

static void unsubscribe(scene *s)
{
    yunta_topic_unsubscribe(s->own);
}

static int wait_for_it(scene *s, int milliseconds);
static void wait_a_little(scene *s)
{
    wait_for_it(s, 1);
}

/* The last ones wait themselves, and are killed over that. */
static const deed deeds[] = {
    {.kind = YUNTA_WAIT_GET, .act = put, .redo = redo_put, .describe = describe_queue},
    {.kind = YUNTA_WAIT_GET, .act = close_queue, .redo = close_queue, .describe = describe_queue},
    {.kind = YUNTA_WAIT_PUT, .begin = put, .act = get, .redo = redo_get},
    {.kind = YUNTA_WAIT_LOCK, .enter = lock_it, .act = release},
    {.kind = YUNTA_WAIT_RECEIVE, .act = send_piece, .redo = redo_send, .describe = describe_pipe},
    {.kind = YUNTA_WAIT_SEND, .begin = fill_pipe, .act = receive_piece, .redo = receive_piece},
    {.kind = YUNTA_WAIT_RECEIVE, .begin = let_hold, .enter = hold, .act = close_end, .describe = describe_pipe},
    {.kind = YUNTA_WAIT_SUBSCRIPTION, .act = publish, .redo = redo_publish, .describe = describe_topic},
    {.kind = YUNTA_WAIT_SUBSCRIPTION, .act = close_topic, .redo = close_topic, .describe = describe_topic},
    {.kind = YUNTA_WAIT_PUBLISH, .enter = subscribe_and_fill, .act = receive_published},
    {.kind = YUNTA_WAIT_PUBLISH, .enter = subscribe_and_fill, .act = unsubscribe},
    {.kind = YUNTA_WAIT_GET, .act = wait_a_little, .redo = put},
    {.kind = YUNTA_WAIT_RECEIVE, .act = wait_a_little, .redo = send_piece},
};

static void *awaited(const scene *s)
{
    switch (s->deed->kind) {
    case YUNTA_WAIT_LOCK:
        return s->lock;
    case YUNTA_WAIT_RECEIVE:
    case YUNTA_WAIT_SEND:
        return s->near;
    case YUNTA_WAIT_SUBSCRIPTION:
        return s->own;
    case YUNTA_WAIT_PUBLISH:
        return s->topic;
    default:
        return s->q;
    }
}

/* By the one who sleeps, and by the one who is killed over it. */
static int wait_for_it(scene *s, int milliseconds)
{
    if (s->deed->kind == YUNTA_WAIT_SUBSCRIPTION && yunta_topic_subscribe(s->topic, &s->own) != 0)
        return -1;
    yunta_wait_item items[] = {{.kind = s->deed->kind, .object = awaited(s)},
                               {.kind = s->by_doorbell ? YUNTA_WAIT_DESCRIPTOR : YUNTA_WAIT_NOTHING,
                                .descriptor = s->ends[0],
                                .events = POLLIN}};
    return yunta_wait_many(items, 2, milliseconds);
}

static pid_t fork_waiter(scene *s)
{
    pid_t pid = test_fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (!atomic_load(&s->may_wait))
            test_nap();
        atomic_store(&s->waiter_claim, self()->claim);
        _exit(wait_for_it(s, YUNTA_FOREVER) == 1 ? 0 : 1);
    }
    return pid;
}

/* It has looked with all its places taken. */
static bool is_waiter_asleep(const scene *s)
{
    yn_arena_shared *arena = self()->arena;
    yn_claim who = atomic_load(&s->waiter_claim);
    size_t living = 0;
    if (who == 0 || test_state(s->waiter) != 'S')
        return false;
    if (s->by_doorbell)
        return yn_listen_is_sound(arena, &living) && living >= (s->descriptor >= 0 ? 5 : 3);
    return atomic_load(&yn_slot_at(&arena->slots, yn_claim_slot(who))->seat.word) != NULL;
}

/* Listeners, as many as there is room for. */
static void watch_listeners(scene *s)
{
    yn_arena_shared *arena = self()->arena;
    size_t found = 4;
    for (size_t n = 0; n < YN_LISTENER_BUCKETS && found < STEP_RANGES; n++) {
        yn_listeners_shared *b = atomic_load(&arena->listeners[n]);
        if (b)
            s->memory[found++] = (step_range){b, sizeof *b + b->count * sizeof b->listener[0]};
    }
}

static void watch_objects(scene *s)
{
    yn_link_shared *link = atomic_load(&s->q->first);
    memset(s->memory, 0, sizeof s->memory);
    s->memory[0] = (step_range){self()->arena->listeners, sizeof self()->arena->listeners};
    if (s->deed->kind == YUNTA_WAIT_LOCK) {
        s->memory[1] = (step_range){s->lock, sizeof *s->lock};
    } else if (s->deed->kind == YUNTA_WAIT_RECEIVE || s->deed->kind == YUNTA_WAIT_SEND) {
        s->memory[1] = (step_range){s->near->pipe, sizeof *s->near->pipe};
    } else if (s->deed->kind == YUNTA_WAIT_SUBSCRIPTION || s->deed->kind == YUNTA_WAIT_PUBLISH) {
        s->memory[1] = (step_range){s->topic, sizeof *s->topic};
    } else {
        s->memory[1] = (step_range){s->q, sizeof *s->q};
        s->memory[2] = (step_range){link, offsetof(yn_link_shared, ring) + yn_ring_bytes(1, link->ring.room)};
    }
}

static bool is_wait(const deed *d)
{
    return d->act == wait_a_little;
}

static void set_up(void *context)
{
    scene *s = context;
    ck_assert_int_eq(yunta_queue_create(&s->q, &(yunta_queue_options){.item_size = sizeof(int), .capacity = 1}), 0);
    ck_assert_int_eq(yunta_lock_create(&s->lock), 0);
    ck_assert_int_eq(yunta_pipe_create(&s->near, &s->far, &(yunta_pipe_options){.capacity = 64}), 0);
    ck_assert_int_eq(yunta_topic_create(&s->topic, &(yunta_topic_options){.capacity = 128, .lossless = true}), 0);
    atomic_store(&s->waiter_claim, 0);
    atomic_store(&s->victim, 0);
    atomic_store(&s->may_wait, s->deed->enter == NULL);
    s->waiter = s->holder = 0;
    if (s->deed->begin)
        s->deed->begin(s);
    s->descriptor = s->deed->describe ? s->deed->describe(s) : -1;
    watch_objects(s);
    if (!is_wait(s->deed))
        s->waiter = fork_waiter(s);
    if (!is_wait(s->deed) && !s->deed->enter)
        test_wait_until(is_waiter_asleep(s), 20000);
    watch_listeners(s);
}

static void prepare(void *context)
{
    scene *s = context;
    yn_spin_ns();
    atomic_store(&s->victim, self()->claim);
    if (!s->deed->enter)
        return;
    s->deed->enter(s);
    atomic_store(&s->may_wait, true);
    while (!is_waiter_asleep(s)) /* without Check's assertions, which are the test's own */
        test_nap();
}

static void victim(void *context)
{
    scene *s = context;
    s->deed->act(s);
}

static int status_of(pid_t pid)
{
    int status = 0;
    pid_t r;
    do                                /* the stepper's clock may still tick */
        r = waitpid(pid, &status, 0); /* or the test's time is over */
    while (r < 0 && errno == EINTR);
    ck_assert_int_eq(r, pid);
    return status;
}

static void check_after(void *context, long point)
{
    scene *s = context;
    yn_self *me = self();
    (void)point;
    test_wait_until(!yn_claim_is_alive(&me->arena->slots, atomic_load(&s->victim)), 20000);
    if (is_wait(s->deed)) {
        size_t living;
        ck_assert(yn_listen_is_sound(me->arena, &living));
        ck_assert_uint_eq(living, 0);
        s->waiter = fork_waiter(s);
        test_wait_until(is_waiter_asleep(s), 20000);
    }
    if (s->deed->redo)
        s->deed->redo(s);
    ck_assert_int_eq(status_of(s->waiter), 0);
    if (s->holder)
        status_of(s->holder);
    if (s->descriptor >= 0) {
        int readable;
        struct pollfd p = {.fd = s->descriptor, .events = POLLIN};
        do
            readable = poll(&p, 1, -1);
        while (readable < 0 && errno == EINTR);
        ck_assert_int_eq(readable, 1);
    }
    ck_assert(yn_listen_is_sound(me->arena, NULL));
    yunta_queue_destroy(s->q);
    yunta_lock_destroy(s->lock);
    yunta_pipe_destroy(s->near);
    yunta_topic_destroy(s->topic);
}

START_TEST(killed_at_every_step)
{
    scene *s = step_shared(sizeof *s);
    s->deed = &deeds[_i / 2];
    s->by_doorbell = _i % 2;
    ck_assert_int_eq(pipe(s->ends), 0);
    step_plan plan = {
        .setup = set_up, .prepare = prepare, .victim = victim, .check = check_after, .context = s, .memory = s->memory};
    long points = step_kill_sweep(&plan);
    check_after(s, 0); /* of the last run, which came to its end */
    ck_assert_int_gt(points, is_wait(s->deed) ? 8 : 2);
    close(s->ends[0]);
    close(s->ends[1]);
    step_unshare(s, sizeof *s);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("wait_many_kill");
    TCase *cases = test_case(suite, "steps");
    tcase_set_timeout(cases, 120);
    if (step_is_possible())
        tcase_add_loop_test(cases, killed_at_every_step, 0, 2 * (int)YN_COUNT(deeds));
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
