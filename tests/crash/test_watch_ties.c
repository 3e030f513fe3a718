/* The watch is killed while everybody sleeps for ever: one of the sleepers finds out at once and starts another, and
 * that one hears of the next death.
 * It must not sleep in a call of the library itself, nor start anything, since that would find out as well; nor have a
 * limit by which sleepers look again.
 * Read next: test_watch.c; src/sync/wait.c. */
#include "../comm/wait_scene.h"

/* In what the one who sleeps does so. */
typedef enum bed { LOCK, SEMAPHORE, CONDITION, EVENT, QUEUE, PIPE, JOIN, MANY, BY_DESCRIPTOR, LIMITED, BEDS } bed;

typedef struct night {
    bed bed;
    shared_word *stage;
    yunta_lock *lock, *free_lock;
    yunta_semaphore *semaphore;
    yunta_condition *condition;
    yunta_event *event;
    yunta_queue *queue;
    yunta_pipe *end, *other_end;
    yunta_process *owner;
} night;

static int own(const night *n)
{
    expect(yunta_lock_acquire(n->lock, 0) == 0);
    expect(yunta_semaphore_acquire(n->semaphore, 0) == 0);
    atomic_store(n->stage, 1);
    return sleep_for_ever();
}
YUNTA_ENTRY(own, night);

static int go_to_bed(const night *n)
{
    int value;
    size_t size;
    yunta_wait_item items[] = {item(YUNTA_WAIT_LOCK, n->lock), input(-1)};
    int ends[2];
    switch (n->bed) {
    case LOCK:
        return yunta_lock_acquire(n->lock, FOREVER);
    case SEMAPHORE:
        return yunta_semaphore_acquire(n->semaphore, FOREVER);
    case CONDITION:
        expect(yunta_lock_acquire(n->free_lock, 0) == 0);
        return yunta_condition_wait(n->condition, n->free_lock, FOREVER);
    case EVENT:
        return yunta_event_wait(n->event, FOREVER);
    case QUEUE:
        return yunta_queue_get(n->queue, &value, FOREVER);
    case PIPE:
        return yunta_pipe_receive(n->end, &value, sizeof value, &size, FOREVER);
    case JOIN:
        return yunta_process_join(n->owner, FOREVER);
    case MANY:
        return yunta_wait_many(items, 1, FOREVER);
    case BY_DESCRIPTOR:
        expect(pipe(ends) == 0);
        items[1] = input(ends[0]);
        return yunta_wait_many(items, 2, FOREVER);
    default:
        return yunta_lock_acquire(n->lock, 3600 * 1000);
    }
}

static int sleep_in(const night *n)
{
    atomic_store(n->stage, 2);
    go_to_bed(n);
    atomic_store(n->stage, 3);
    return sleep_for_ever();
}
YUNTA_ENTRY(sleep_in, night);

static night new_night(bed b)
{
    night n = {.bed = b, .stage = new_word(), .queue = new_queue(1)};
    ck_assert_int_eq(yunta_lock_create(&n.lock), 0);
    ck_assert_int_eq(yunta_lock_create(&n.free_lock), 0);
    ck_assert_int_eq(yunta_semaphore_create(&n.semaphore, NULL), 0);
    ck_assert_int_eq(yunta_condition_create(&n.condition), 0);
    ck_assert_int_eq(yunta_event_create(&n.event), 0);
    ck_assert_int_eq(yunta_pipe_create(&n.end, &n.other_end, NULL), 0);
    start_by(YUNTA_FORK, &n.owner, own, &n);
    ck_assert(await_word(n.stage, 1));
    return n;
}

static void free_night(night *n)
{
    yunta_process_destroy(n->owner);
    yunta_pipe_destroy(n->end);
    yunta_event_destroy(n->event);
    yunta_condition_destroy(n->condition);
    yunta_semaphore_destroy(n->semaphore);
    yunta_lock_destroy(n->free_lock);
    yunta_lock_destroy(n->lock);
    yunta_queue_destroy(n->queue);
    yunta_shared_free(n->stage);
}

static yn_arena_shared *the_arena(void)
{
    return yn_self_get(&(int){0})->arena;
}

/* Until the watch that there is now, if it is not this one, has begun its work. */
static pid_t await_other_watch(pid_t last)
{
    yn_arena_shared *arena = the_arena();
    test_wait_until(atomic_load(&arena->watch_pid) != last && atomic_load(&arena->ties.holder) != last &&
                        atomic_load(&arena->ties.tie[YN_TIES - 1].word) ==
                            ((uint32_t)atomic_load(&arena->watch_pid) | FUTEX_WAITERS),
                    20000);
    return atomic_load(&arena->watch_pid);
}

/* The owner of what is waited for is killed when the watch has been; nobody reaps it before the watch has declared it
 * dead. */
START_TEST(the_only_sleeper_starts_another)
{
    night n = new_night((bed)_i);
    pid_t watch = await_other_watch(0);
    yunta_process *sleeper;
    start_by(YUNTA_FORK, &sleeper, sleep_in, &n);
    ck_assert(await_word(n.stage, 2));
    test_wait_until(test_state(yunta_process_pid(sleeper)) == 'S', 20000);
    test_kill(watch);
    await_other_watch(watch);
    yn_claim owner = atomic_load(&n.owner->who);
    kill(yunta_process_pid(n.owner), SIGKILL);
    test_wait_until(!yn_claim_is_alive(&the_arena()->slots, owner), 20000);
    if (_i == LOCK || _i == SEMAPHORE || _i == JOIN || _i == MANY || _i == BY_DESCRIPTOR || _i == LIMITED)
        ck_assert(await_word(n.stage, 3)); /* told of that death */
    yunta_process_kill(sleeper);
    yunta_process_join(sleeper, 20000);
    yunta_process_destroy(sleeper);
    free_night(&n);
}
END_TEST

enum { sleepers = 6, doomed = 3 };

/* One of several, each with a lock of its own. Each of the doomed sleeps for what nobody gives, each other one for the
 * lock of a doomed one. */
typedef struct bunk {
    int number;
    bool dies_woken; /* by its own hand, as soon as it is woken; else the test kills it */
    shared_word *asleep, *told;
    yunta_event *event;
    yunta_lock *lock[doomed];
} bunk;

static int sleep_among_others(const bunk *b)
{
    bool is_doomed = b->number < doomed;
    yunta_lock *lock = b->lock[b->number % doomed];
    if (is_doomed)
        expect(yunta_lock_acquire(lock, 0) == 0);
    atomic_store(&dies_with_the_watch, is_doomed && b->dies_woken);
    atomic_fetch_add(b->asleep, 1);
    int r = is_doomed ? yunta_event_wait(b->event, FOREVER) : yunta_lock_acquire(lock, FOREVER);
    expect(!is_doomed && r == -EOWNERDEAD);
    atomic_fetch_add(b->told, 1);
    return sleep_for_ever();
}
YUNTA_ENTRY(sleep_among_others, bunk);

static void put_to_bed(bunk *b, yunta_process *process[sleepers])
{
    for (b->number = 0; b->number < sleepers; b->number++) {
        start_by(YUNTA_FORK, &process[b->number], sleep_among_others, b);
        ck_assert(await_word(b->asleep, b->number + 1));
        test_wait_until(is_waiting(process[b->number]), 20000);
    }
}

/* Those whom the end of the watch has woken are killed over it, before they have woken anybody, or while they start the
 * next watch. Others do, and it finds who is dead: so what those had is told of. */
START_TEST(who_is_woken_dies_with_the_watch)
{
    bunk b = {.asleep = new_word(), .told = new_word()};
    yunta_process *first;
    start_by(YUNTA_FORK, &first, return_value, &(int){7});
    await_other_watch(0);
    end_is(first, 7);
    ck_assert_int_eq(yunta_event_create(&b.event), 0);
    for (int round = 0; round < 12; round++) {
        yunta_process *process[sleepers];
        b.dies_woken = round % 3 == 0;
        atomic_store(b.asleep, 0);
        atomic_store(b.told, 0);
        for (int i = 0; i < doomed; i++)
            ck_assert_int_eq(yunta_lock_create(&b.lock[i]), 0);
        put_to_bed(&b, process);
        pid_t watch = await_other_watch(0);
        ck_assert_int_eq(kill(watch, SIGKILL), 0);
        for (volatile int spin = 0; spin < round * 2000; spin++) {
        }
        for (int i = 0; i < doomed && !b.dies_woken; i++)
            ck_assert_int_eq(kill(yunta_process_pid(process[i]), SIGKILL), 0);
        ck_assert(await_word(b.told, sleepers - doomed)); /* we sleep in no call, and reap nobody */
        await_other_watch(watch);
        for (int i = 0; i < sleepers; i++) {
            yunta_process_kill(process[i]);
            ck_assert_int_eq(yunta_process_join(process[i], 20000), YUNTA_ECRASHED);
            yunta_process_destroy(process[i]);
        }
        for (int i = 0; i < doomed; i++)
            yunta_lock_destroy(b.lock[i]);
    }
    yunta_event_destroy(b.event);
    yunta_shared_free(b.told);
    yunta_shared_free(b.asleep);
}
END_TEST

/* Each watch is killed as soon as it is known: it holds its ties by then, so its end is told, too. */
START_TEST(one_watch_after_the_other_is_killed_at_once)
{
    night n = new_night(LOCK);
    yn_arena_shared *arena = the_arena();
    yunta_process *sleeper[3];
    pid_t watch = await_other_watch(0);
    for (int i = 0; i < 3; i++) {
        start_by(YUNTA_FORK, &sleeper[i], sleep_in, &n);
        test_wait_until(is_waiting(sleeper[i]), 20000);
    }
    for (int killed = 0; killed < 100; killed++) {
        uint64_t end = test_now_ms() + 20000;
        kill(watch, SIGKILL);
        while (atomic_load(&arena->watch_pid) == watch)
            ck_assert_msg(test_now_ms() < end, "the end of watch %d of 100 was not told", killed + 1);
        watch = atomic_load(&arena->watch_pid);
    }
    await_other_watch(0);
    kill(yunta_process_pid(n.owner), SIGKILL);
    ck_assert(await_word(n.stage, 3));
    for (int i = 0; i < 3; i++) {
        yunta_process_kill(sleeper[i]);
        ck_assert_int_eq(yunta_process_join(sleeper[i], 20000), YUNTA_ECRASHED);
        yunta_process_destroy(sleeper[i]);
    }
    free_night(&n);
}
END_TEST

static int take_one(const struct task *t)
{
    return take(t->object, t->stage);
}
YUNTA_ENTRY(take_one, struct task);

static int look_by(yunta_queue *q)
{
    int value;
    return yunta_queue_get(q, &value, 0);
}

/* The program sleeps in its own poll: the descriptor tells it of the watch's end, once, and its look starts another;
 * which rings when a consumer dies that has a message in hand. */
START_TEST(a_descriptor_tells_of_the_end_of_the_watch)
{
    yunta_queue *q = new_queue(4);
    shared_word *stage = new_word();
    struct task t = {.deed = TAKE, .object = q, .stage = stage, .sleeper = getpid()};
    for (int round = 0; round < 3; round++) {
        yunta_process *consumer;
        atomic_store(stage, 0);
        ck_assert_int_eq(yunta_queue_put(q, &(int){7}, 0), 0);
        start_by(YUNTA_FORK, &consumer, take_one, &t);
        ck_assert(await_word(stage, 4));
        int descriptor = yunta_queue_descriptor(q);
        ck_assert_int_ge(descriptor, 3);
        ck_assert_int_eq(look_by(q), -ETIMEDOUT);
        ck_assert(!is_readable(descriptor, 0));
        pid_t watch = await_other_watch(0);
        test_kill(watch);
        ck_assert(is_readable(descriptor, 20000));
        ck_assert_int_eq(look_by(q), -ETIMEDOUT);
        await_other_watch(watch);
        while (is_readable(descriptor, 0)) /* the new one may have told of something */
            ck_assert_int_eq(look_by(q), -ETIMEDOUT);
        kill(yunta_process_pid(consumer), SIGKILL);
        ck_assert(is_readable(descriptor, 20000));
        ck_assert_int_eq(look_by(q), 0);
        yunta_process_destroy(consumer);
        if (round == 1)
            ck_assert_int_eq(yunta_queue_close_descriptor(q), 0);
    }
    ck_assert_int_eq(yunta_queue_close_descriptor(q), 0);
    yunta_shared_free(stage);
    yunta_queue_destroy(q);
}
END_TEST

/* A pipe, of which another process holds the other end alone, or a topic, to which it publishes. */
typedef struct post {
    yunta_pipe *end, *other_end;
    yunta_topic *topic; /* else */
    yunta_subscription *own;
    shared_word *round;
} post;

enum { ROUNDS = 3 };

static int write_letters(const post *p)
{
    for (int round = 1; round <= ROUNDS; round++) {
        expect(await_word(p->round, round));
        expect((p->topic ? yunta_topic_publish(p->topic, &round, sizeof round, 0)
                         : yunta_pipe_send(p->other_end, &round, sizeof round, 0)) == 0);
    }
    return sleep_for_ever();
}
YUNTA_ENTRY(write_letters, post);

static int look_for_letter(const post *p, int *letter)
{
    size_t size;
    return p->topic ? yunta_topic_receive(p->own, letter, sizeof *letter, &size, NULL, 0)
                    : yunta_pipe_receive(p->end, letter, sizeof *letter, &size, 0);
}

/* The next thing that the descriptor tells, as it may wake us for nothing. */
static int await_letter(const post *p, int descriptor, int *letter)
{
    int r = -ETIMEDOUT;
    while (r == -ETIMEDOUT) {
        ck_assert(is_readable(descriptor, 20000));
        r = look_for_letter(p, letter);
    }
    return r;
}

static void make_post(post *p, bool by_topic, yunta_process **writer)
{
    *p = (post){.round = new_word()};
    if (by_topic) {
        ck_assert_int_eq(yunta_topic_create(&p->topic, NULL), 0);
        ck_assert_int_eq(yunta_topic_subscribe(p->topic, &p->own), 0);
    } else {
        ck_assert_int_eq(yunta_pipe_create(&p->end, &p->other_end, NULL), 0);
    }
    start_by(YUNTA_FORK, writer, write_letters, p);
    if (!by_topic)
        ck_assert_int_eq(yunta_pipe_give(p->other_end, *writer), 0);
}

/* The same by the descriptor of a pipe, and by that of a topic: the look after it starts another watch, and what comes
 * then is told by it. At last the writer dies, which is the end of the pipe. */
START_TEST(other_descriptors_tell_of_it_too)
{
    post p;
    yunta_process *writer;
    int letter;
    make_post(&p, _i, &writer);
    for (int round = 1; round <= ROUNDS; round++) {
        int descriptor = p.topic ? yunta_topic_descriptor(p.own) : yunta_pipe_descriptor(p.end);
        ck_assert_int_ge(descriptor, 3);
        do
            ck_assert_int_eq(look_for_letter(&p, &letter), -ETIMEDOUT);
        while (is_readable(descriptor, 0));
        pid_t watch = await_other_watch(0);
        test_kill(watch);
        ck_assert(is_readable(descriptor, 20000));
        ck_assert_int_eq(look_for_letter(&p, &letter), -ETIMEDOUT);
        await_other_watch(watch);
        atomic_store(p.round, round);
        ck_assert_int_eq(await_letter(&p, descriptor, &letter), 0);
        ck_assert_int_eq(letter, round);
        if (round == ROUNDS && !p.topic) {
            kill(yunta_process_pid(writer), SIGKILL);
            ck_assert_int_eq(await_letter(&p, descriptor, &letter), YUNTA_ECLOSED);
        } else if (round == ROUNDS - 1) {
            ck_assert_int_eq(p.topic ? yunta_topic_close_descriptor(p.own) : yunta_pipe_close_descriptor(p.end), 0);
        }
    }
    yunta_process_kill(writer);
    yunta_process_join(writer, 20000);
    yunta_process_destroy(writer);
    yunta_topic_destroy(p.topic);
    yunta_pipe_destroy(p.end);
    yunta_shared_free(p.round);
}
END_TEST

static bool are_there_ties(void)
{
    static _Atomic uint32_t word = 1; /* not what is expected: no sleep */
    static yn_tie_shared tie;
    return !test_is_valgrind() && yn_tie_sleep(&word, 0, &tie, 0, YN_NEVER) != -ENOSYS;
}

static Suite *make(void)
{
    Suite *suite = suite_create("watch_ties");
    TCase *cases = test_case(suite, "ties");
    if (!are_there_ties())
        return suite;
    tcase_add_loop_test(cases, the_only_sleeper_starts_another, 0, BEDS);
    tcase_add_test(cases, who_is_woken_dies_with_the_watch);
    tcase_add_test(cases, one_watch_after_the_other_is_killed_at_once);
    tcase_add_test(cases, a_descriptor_tells_of_the_end_of_the_watch);
    tcase_add_loop_test(cases, other_descriptors_tell_of_it_too, 0, 2); /* of a pipe, of a topic */
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
