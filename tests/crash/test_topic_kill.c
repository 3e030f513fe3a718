/* Topic: who publishes, receives, subscribes or unsubscribes is killed at every step that others can tell from the one
 * before, and at random moments; and stopped at every step: it is not taken for dead, and who reads goes on.
 * It must not rely on time: what is left is looked at when the victim is dead and that is known.
 * Read next: way_steps.h; src/comm/README.md, what a death leaves.
 *
 * labels: ptrace
 * timeout: 120 */
#include "way_steps.h"

#include "comm/topic.h"

typedef enum action { PUBLISH, PUBLISH_OVER, SUBSCRIBE, SUBSCRIBE_RECEIVE, CLOSE, ACTIONS } action;

typedef struct scene {
    stage stage;
    yunta_topic *topic;
    yunta_subscription *mine;
    action act;
    bool lossless;
    int sent;
    uint64_t heard; /* by us, received or missed */
} scene;

static int publish(scene *s, int value)
{
    return yunta_topic_publish(s->topic, &value, sizeof value, 0);
}

static void set_up(void *context)
{
    scene *s = context;
    yunta_topic_options o = {.capacity = 128, .lossless = s->lossless};
    ck_assert_int_eq(yunta_topic_create(&s->topic, &o), 0);
    memset(s->topic->tape, 0xee, 128); /* or it may hold already what is written */
    yunta_subscription *vacant;        /* what the victim takes, if it subscribes */
    ck_assert_int_eq(yunta_topic_subscribe(s->topic, &vacant), 0);
    ck_assert_int_eq(yunta_topic_subscribe(s->topic, &s->mine), 0);
    ck_assert_int_eq(yunta_topic_unsubscribe(vacant), 0);
    s->sent = s->act == PUBLISH_OVER && !s->lossless ? 5 : 2; /* five fill it */
    for (int i = 1; i <= s->sent; i++)
        ck_assert_int_eq(publish(s, i), 0);
    s->stage.memory[0] = (step_range){s->topic, sizeof *s->topic};
    s->stage.memory[1] = (step_range){s->topic->tape, 128};
    s->stage.memory[2] = (step_range){s->mine, sizeof *s->mine};
    s->stage.memory[3] = (step_range){vacant, sizeof *vacant};
    s->heard = 0;
    atomic_store(&s->stage.victim, 0);
}

static void run_victim(void *context)
{
    scene *s = context;
    yunta_subscription *own;
    int value;
    size_t size;
    if (s->act == PUBLISH || s->act == PUBLISH_OVER)
        publish(s, s->sent + 1);
    else if (s->act == CLOSE)
        yunta_topic_close(s->topic);
    else if (yunta_topic_subscribe(s->topic, &own) == 0 && s->act == SUBSCRIBE_RECEIVE) {
        publish(s, s->sent + 1);
        yunta_topic_receive(own, &value, sizeof value, &size, NULL, 0);
        yunta_topic_unsubscribe(own);
    }
}

/* All that was published comes, whole and in order, or is told as missed. */
static void check(void *context, long point)
{
    scene *s = context;
    (void)point;
    bury_victim(&s->stage);
    ck_assert(yn_topic_is_sound(guest_self(), s->topic));
    int value = 0, last = 0, r;
    size_t size;
    uint64_t missed;
    while ((r = yunta_topic_receive(s->mine, &value, sizeof value, &size, &missed, 0)) == 0) {
        ck_assert_int_eq(value, last + 1 + (int)missed);
        ck_assert(missed == 0 || (s->act == PUBLISH_OVER && !s->lossless));
        last = value;
    }
    ck_assert(r == -ETIMEDOUT || (r == YUNTA_ECLOSED && s->act == CLOSE));
    ck_assert(last == s->sent || last == s->sent + 1);
    if (r != YUNTA_ECLOSED) { /* the dead hold nobody up */
        for (int i = 1; i <= 12; i++) {
            ck_assert_int_eq(publish(s, last + i), 0);
            ck_assert_int_eq(yunta_topic_receive(s->mine, &value, sizeof value, &size, &missed, 0), 0);
            ck_assert_int_eq(value, last + i);
            ck_assert_uint_eq(missed, 0);
        }
    }
    ck_assert(yn_topic_is_sound(guest_self(), s->topic));
    yunta_topic_destroy(s->topic);
}

static int hear_one(scene *s)
{
    int value;
    size_t size;
    uint64_t missed;
    int r = yunta_topic_receive(s->mine, &value, sizeof value, &size, &missed, 0);
    if (r == 0)
        s->heard += 1 + missed;
    return r;
}

/* Who would publish waits, if it stands with the lock. */
static void go_on_beside(void *context, long point)
{
    scene *s = context;
    (void)point;
    ck_assert_int_eq(hear_one(s), 0);
    int r = publish(s, 100);
    ck_assert(r == 0 || r == -ETIMEDOUT || (r == YUNTA_ECLOSED && s->act == CLOSE));
    ck_assert_int_eq(hear_one(s), 0);
    ck_assert(is_victim_alive(&s->stage));
}

/* All that was published has been heard of. */
static void check_ended(void *context, long point)
{
    scene *s = context;
    yunta_topic_stats stats;
    int r = 0;
    (void)point;
    bury_victim(&s->stage);
    ck_assert(yn_topic_is_sound(guest_self(), s->topic));
    while (r == 0)
        r = hear_one(s);
    ck_assert_int_eq(r, s->act == CLOSE ? YUNTA_ECLOSED : -ETIMEDOUT);
    ck_assert_int_eq(yunta_topic_read_stats(s->topic, &stats), 0);
    ck_assert_uint_eq(s->heard, stats.published);
    yunta_topic_destroy(s->topic);
}

static void sweep(int number, bool stop)
{
    scene *s = step_shared(sizeof *s);
    s->act = (action)(number / 2);
    s->lossless = number % 2;
    const step_plan plan = {
        .setup = set_up, .victim = run_victim, .meanwhile = go_on_beside, .check = stop ? check_ended : check};
    long points = sweep_steps(s, plan, stop);
    ck_assert_int_ge(points, s->act == CLOSE ? 3 : 5); /* lock, closed, lock */
    step_unshare(s, sizeof *s);
}

START_TEST(killed_at_every_step)
{
    sweep(_i, false);
}
END_TEST

START_TEST(stopped_at_every_step)
{
    sweep(_i, true);
}
END_TEST

enum { WORKERS = 4, MOST = 120 };

typedef struct stress {
    crowd crowd;
    yunta_topic *topic;
} stress;

static int publish_on(void *context)
{
    stress *s = ((part *)context)->shared;
    char text[MOST];
    unsigned seed = (unsigned)getpid();
    while (atomic_load(&s->crowd.wrong) == 0) {
        seed = seed * 1664525u + 1013904223u;
        memset(text, (int)(seed >> 24), MOST);
        int r = yunta_topic_publish(s->topic, text, 1 + (seed >> 8) % MOST, 1);
        if (r != 0 && r != -ETIMEDOUT)
            atomic_store(&s->crowd.wrong, r);
        atomic_fetch_add(&s->crowd.turns, 1);
    }
    return 1;
}

static int listen_on(void *context)
{
    stress *s = ((part *)context)->shared;
    char text[MOST];
    size_t size;
    uint64_t missed;
    yunta_subscription *own;
    int r = yunta_topic_subscribe(s->topic, &own);
    while (r == 0 && atomic_load(&s->crowd.wrong) == 0) {
        r = yunta_topic_receive(own, text, sizeof text, &size, &missed, YUNTA_FOREVER);
        bool whole = size >= 1 && (!s->topic->lossless || missed == 0);
        for (size_t i = 1; r == 0 && i < size; i++)
            whole = whole && text[i] == text[0];
        if (r == 0 && !whole)
            r = 1;
        atomic_fetch_add(&s->crowd.turns, 1);
    }
    atomic_store(&s->crowd.wrong, r);
    return 1;
}

START_TEST(killed_at_random)
{
    stress *s = guest_memory(sizeof *s);
    static int (*const work[WORKERS])(void *) = {publish_on, listen_on, publish_on, listen_on};
    yunta_topic_options o = {.capacity = 1024, .lossless = _i};
    ck_assert_int_eq(yunta_topic_create(&s->topic, &o), 0);
    kill_at_random(s, work, WORKERS);
    ck_assert(yn_topic_is_sound(guest_self(), s->topic));
    yunta_topic_destroy(s->topic);
}
END_TEST

static int stop_in_the_midst(void *context)
{
    struct yunta_lock *lock = &((yunta_topic *)context)->publishing;
    return yn_lock_acquire(guest_self(), lock, 0) != 0 || kill(getpid(), SIGSTOP) != 0 ||
           yn_lock_release(guest_self(), lock) != 0;
}

START_TEST(limits_are_kept_beside_a_stopped_publisher)
{
    scene *s = guest_memory(sizeof *s);
    yunta_topic_stats stats;
    int value = 0, status;
    size_t size;
    set_up(s);
    guest g = guest_start(&s->stage.victim, stop_in_the_midst, s->topic);
    ck_assert_int_eq(waitpid(g.pid, &status, WUNTRACED), g.pid);
    ck_assert(WIFSTOPPED(status));
    ck_assert_int_eq(publish(s, 3), -ETIMEDOUT);
    ck_assert_int_eq(yunta_topic_publish(s->topic, &value, sizeof value, 50), -ETIMEDOUT);
    ck_assert_int_eq(yunta_topic_read_stats(s->topic, &stats), -ETIMEDOUT);
    for (int i = 1; i <= s->sent; i++) { /* readers go on */
        ck_assert_int_eq(yunta_topic_receive(s->mine, &value, sizeof value, &size, NULL, 0), 0);
        ck_assert_int_eq(value, i);
    }
    ck_assert_int_eq(kill(g.pid, SIGCONT), 0);
    ck_assert_int_eq(guest_join(&g), 0);
    ck_assert_int_eq(yunta_topic_read_stats(s->topic, &stats), 0);
    ck_assert_int_eq((int)stats.published, s->sent);
    yunta_topic_destroy(s->topic);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("topic, killed");
    TCase *cases = test_case(suite, "kills");
    tcase_set_timeout(cases, 100);
    tcase_add_loop_test(cases, killed_at_random, 0, 2);
    tcase_add_test(cases, limits_are_kept_beside_a_stopped_publisher);
    if (step_is_possible()) {
        tcase_add_loop_test(cases, killed_at_every_step, 0, 2 * ACTIONS);
        tcase_add_loop_test(cases, stopped_at_every_step, 0, 2 * ACTIONS);
    }
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
