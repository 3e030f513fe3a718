/* The further primitives, whose users are killed thousands of times at moments that nobody chose.
 * It must not count on time-outs: sleeps without a limit have none here, so who is not woken is a failure.
 * YUNTA_KILLS says how many kills (2,000 in all). Read next: test_rwlock_kill.c, test_condition_kill.c,
 * test_barrier_kill.c and test_latch_kill.c, the same step by step; test_lock_random.c.
 *
 * timeout: 300 */
#include "../proc/helpers.h"

#include "../sync/endless.h"

enum { kinds = 7, capacity = 3, onces = 512 };

/* What the workers share. */
typedef struct table {
    volatile long left, right; /* always equal, for who takes the lock untold */
    volatile long inside;      /* who is at it, 0: nobody */
    _Atomic long told;         /* deaths, so far */
    yunta_rwlock *rwlock;
    yunta_recursive_lock *recursive;
    yunta_lock *lock;
    yunta_condition *not_full, *not_empty;
    int items; /* under the lock */
    yunta_event *event;
    yunta_barrier *barrier;
    yunta_once *once[onces];
    volatile int begun[onces], ended[onces];
    yunta_latch *latch[onces];
    _Atomic int begun_counts[onces], verdict[onces]; /* the latter: what the first one was told */
    _Atomic uint32_t next;                           /* of the onces, or of the latches */
    _Atomic long done;                               /* turns, by all */
    _Atomic int stop;
    _Atomic int wrong; /* a line */
} table;

#include "random_kills.h"

/* Who finds it told mends it; who does not must find it whole. */
static void look_over(int r)
{
    expect_in_worker(r == 0 || r == -EOWNERDEAD);
    if (r == 0) {
        expect_in_worker(t->inside == 0);
        expect_in_worker(t->left == t->right);
        return;
    }
    atomic_fetch_add(&t->told, 1);
    t->left = t->right;
    t->inside = 0;
}

static void change(long me)
{
    t->inside = me;
    t->left = t->left + 1;
    dawdle(200);
    expect_in_worker(t->inside == me);
    t->right = t->right + 1;
    t->inside = 0;
}

/* Told, it has it for writing, whatever it asked for. */
static void turn_with_rwlock(long me)
{
    bool writes = some(3) == 0;
    int limit = some(8) == 0 ? 1 : YUNTA_FOREVER;
    int r = writes ? yunta_rwlock_acquire_write(t->rwlock, limit) : yunta_rwlock_acquire_read(t->rwlock, limit);
    if (r == -ETIMEDOUT && limit == 1)
        return;
    look_over(r);
    if (r != 0)
        expect_in_worker(yunta_rwlock_mark_consistent(t->rwlock) == 0);
    if (writes || r != 0) {
        change(me);
    } else {
        dawdle(200);
        expect_in_worker(t->inside == 0 && t->left == t->right);
    }
    expect_in_worker(yunta_rwlock_release(t->rwlock) == 0);
}

static void turn_with_recursive_lock(long me)
{
    int r = yunta_recursive_lock_acquire(t->recursive, some(8) == 0 ? 1 : YUNTA_FOREVER);
    if (r == -ETIMEDOUT)
        return;
    look_over(r);
    if (r != 0)
        expect_in_worker(yunta_recursive_lock_mark_consistent(t->recursive) == 0);
    uint32_t more = some(3);
    for (uint32_t i = 0; i < more; i++)
        expect_in_worker(yunta_recursive_lock_acquire(t->recursive, 0) == 0);
    change(me);
    for (uint32_t i = 0; i <= more; i++)
        expect_in_worker(yunta_recursive_lock_release(t->recursive) == 0);
}

static bool has_room(void *argument)
{
    (void)argument;
    return t->items < capacity || atomic_load(&t->stop);
}

static bool has_items(void *argument)
{
    (void)argument;
    return t->items > 0 || atomic_load(&t->stop);
}

/* One word is always whole. */
static int mend(int r)
{
    expect_in_worker(r == 0 || r == -EOWNERDEAD || r == -ETIMEDOUT);
    if (r == -EOWNERDEAD) {
        atomic_fetch_add(&t->told, 1);
        expect_in_worker(yunta_lock_mark_consistent(t->lock) == 0);
    }
    return r;
}

/* One is put or taken, and one of the other side is woken for it. */
static void move_item(int by, bool (*may)(void *), yunta_condition *mine, yunta_condition *theirs)
{
    int r, limit = some(8) == 0 ? 1 : YUNTA_FOREVER;
    mend(yunta_lock_acquire(t->lock, YUNTA_FOREVER));
    while ((r = mend(yunta_condition_wait_for(mine, t->lock, may, NULL, limit))) == -EOWNERDEAD) {
    }
    if (r == 0 && !atomic_load(&t->stop)) {
        t->items += by;
        expect_in_worker(t->items >= 0 && t->items <= capacity);
        if (some(2) == 0)
            expect_in_worker(yunta_condition_notify(theirs) == 0);
        else
            by = 0;
    }
    expect_in_worker(yunta_lock_release(t->lock) == 0);
    if (by == 0)
        expect_in_worker(yunta_condition_notify(theirs) == 0);
    dawdle(100);
}

static void turn_with_put(long me)
{
    (void)me;
    move_item(1, has_room, t->not_full, t->not_empty);
}

static void turn_with_take(long me)
{
    (void)me;
    move_item(-1, has_items, t->not_empty, t->not_full);
}

static void turn_with_set(long me)
{
    (void)me;
    expect_in_worker(yunta_event_set(t->event) == 0);
    dawdle(100);
    expect_in_worker(yunta_event_clear(t->event) == 0);
    sched_yield();
}

static void turn_with_event(long me)
{
    (void)me;
    expect_in_worker(yunta_event_wait(t->event, YUNTA_FOREVER) == 0);
}

static void turn_with_barrier(long me)
{
    (void)me;
    int r;
    while ((r = yunta_barrier_wait(t->barrier, YUNTA_FOREVER)) == YUNTA_EBROKEN && !atomic_load(&t->stop))
        test_nap(); /* until it is reset */
    expect_in_worker((r >= 0 && r < workers) || r == YUNTA_EBROKEN);
}

static int do_once(void *argument, bool again)
{
    uint32_t i = *(uint32_t *)argument;
    expect_in_worker(t->ended[i] == 0 || again); /* killed just after it, it is done again */
    expect_in_worker(t->begun[i] == 0 || again);
    atomic_fetch_add(&t->told, again);
    t->begun[i] = 1;
    for (int k = 0; k < 100; k++)
        dawdle(200);
    t->ended[i] = 1;
    return 0;
}

static void go_on_to_next(uint32_t i)
{
    uint32_t expected = i;
    if (i + 1 < onces)
        atomic_compare_exchange_strong(&t->next, &expected, i + 1);
    else
        sched_yield();
}

static void turn_with_once(long me)
{
    (void)me;
    uint32_t i = atomic_load(&t->next) % onces;
    expect_in_worker(yunta_once_run(t->once[i], do_once, &i, YUNTA_FOREVER) == 0);
    expect_in_worker(t->ended[i] == 1);
    go_on_to_next(i);
}

static int count_down(uint32_t i)
{
    atomic_fetch_add(&t->begun_counts[i], 1);
    int r = yunta_latch_count_down(t->latch[i], 1);
    expect_in_worker(r == 0 || r == -EOVERFLOW || r == YUNTA_EBROKEN);
    if (r != 0)
        atomic_fetch_sub(&t->begun_counts[i], 1);
    return r;
}

/* Each counts what it has taken, and then what nobody has: so nothing is left but what the dead owe. */
static void turn_with_latch(long me)
{
    (void)me;
    uint32_t i = atomic_load(&t->next) % onces;
    int verdict = 1, r = yunta_latch_take(t->latch[i], 1);
    expect_in_worker(r == 0 || r == -EOVERFLOW || r == YUNTA_EBROKEN);
    dawdle(400);
    if (r == 0)
        expect_in_worker(count_down(i) != -EOVERFLOW);
    while (count_down(i) == 0)
        dawdle(20);
    r = yunta_latch_wait(t->latch[i], YUNTA_FOREVER);
    expect_in_worker(r == YUNTA_EBROKEN || (r == 0 && atomic_load(&t->begun_counts[i]) >= workers));
    if (atomic_compare_exchange_strong(&t->verdict[i], &verdict, r))
        atomic_fetch_add(&t->told, r == YUNTA_EBROKEN);
    else
        expect_in_worker(verdict == r);
    go_on_to_next(i);
}

typedef struct kind {
    const char *name;
    void (*turn[2])(long me); /* of even and odd workers */
    int told_least;           /* of so many kills, in thousandths */
} kind;

static const kind all_kinds[kinds] = {
    {"read-write lock", {turn_with_rwlock, turn_with_rwlock}, 2},
    {"recursive lock", {turn_with_recursive_lock, turn_with_recursive_lock}, 5},
    {"condition", {turn_with_put, turn_with_take}, 0},
    {"event", {turn_with_set, turn_with_event}, 0},
    {"barrier", {turn_with_barrier, turn_with_barrier}, 0},
    {"once", {turn_with_once, turn_with_once}, 2},
    {"latch", {turn_with_latch, turn_with_latch}, 5},
};

static void make_onces(void)
{
    atomic_store(&t->next, 0);
    for (int i = 0; i < onces; i++) {
        t->begun[i] = t->ended[i] = 0;
        atomic_store(&t->begun_counts[i], 0);
        atomic_store(&t->verdict[i], 1);
        ck_assert_int_eq(yunta_once_create(&t->once[i]), 0);
        ck_assert_int_eq(yunta_latch_create(&t->latch[i], workers), 0);
    }
}

static void free_onces(void)
{
    for (int i = 0; i < onces; i++) {
        yunta_once_destroy(t->once[i]);
        yunta_latch_destroy(t->latch[i]);
    }
}

static void make_things(void)
{
    make_table();
    ck_assert_int_eq(yunta_rwlock_create(&t->rwlock), 0);
    ck_assert_int_eq(yunta_recursive_lock_create(&t->recursive), 0);
    ck_assert_int_eq(yunta_lock_create(&t->lock), 0);
    ck_assert_int_eq(yunta_condition_create(&t->not_full), 0);
    ck_assert_int_eq(yunta_condition_create(&t->not_empty), 0);
    ck_assert_int_eq(yunta_event_create(&t->event), 0);
    ck_assert_int_eq(yunta_barrier_create(&t->barrier, workers), 0);
    make_onces();
}

static void free_things(void)
{
    yunta_rwlock_destroy(t->rwlock);
    yunta_recursive_lock_destroy(t->recursive);
    yunta_lock_destroy(t->lock);
    yunta_condition_destroy(t->not_full);
    yunta_condition_destroy(t->not_empty);
    yunta_event_destroy(t->event);
    yunta_barrier_destroy(t->barrier);
    free_onces();
    yunta_shared_free(t);
}

/* The living go on by themselves, without a death that would wake them; but a barrier that a death has broken is
 * reset. */
static void must_go_on(const kind *what, long turns)
{
    long done = atomic_load(&t->done);
    uint64_t end = test_now_ms() + 10000;
    while (atomic_load(&t->done) <= done + turns) {
        ck_assert_msg(test_now_ms() < end, "%s: nothing goes on; wrong: line %d", what->name, atomic_load(&t->wrong));
        if (yunta_barrier_is_broken(t->barrier))
            ck_assert_int_eq(yunta_barrier_reset(t->barrier), 0);
        test_nap();
    }
}

/* Whoever waits for others who have stopped is let go. */
static void stop_all(void)
{
    int r = yunta_lock_acquire(t->lock, 10000);
    ck_assert(r == 0 || r == -EOWNERDEAD);
    atomic_store(&t->stop, 1);
    ck_assert(r == 0 || yunta_lock_mark_consistent(t->lock) == 0);
    ck_assert_int_eq(yunta_lock_release(t->lock), 0);
    ck_assert_int_eq(yunta_condition_notify_all(t->not_full), 0);
    ck_assert_int_eq(yunta_condition_notify_all(t->not_empty), 0);
    ck_assert_int_eq(yunta_barrier_abort(t->barrier), 0);
}

/* A round of kills; then the living go on by themselves; then they are told to stop, and do. */
static void kill_for_a_round(const kind *what, pid_t *pid, long kills)
{
    for (int i = 0; i < workers; i++)
        pid[i] = start_worker(what->turn[i % 2]);
    for (long i = 0; i < kills; i++) {
        for (uint32_t spins = some(3000); spins > 0; spins--)
            yn_pause();
        uint32_t k = some(workers);
        replace(&pid[k], what->turn[k % 2]);
        if (i % 8 == 7)
            must_go_on(what, 8);
    }
    must_go_on(what, 50);
    stop_all();
    for (int i = 0; i < workers; i += 2)
        await_end(pid[i]);
    ck_assert_int_eq(yunta_event_set(t->event), 0); /* now that nobody is left who clears it */
    for (int i = 1; i < workers; i += 2)
        await_end(pid[i]);
    atomic_store(&t->stop, 0);
    ck_assert_int_eq(yunta_event_clear(t->event), 0);
    ck_assert_int_eq(yunta_barrier_reset(t->barrier), 0);
    free_onces();
    make_onces();
}

START_TEST(goes_on_whoever_is_killed)
{
    const kind *what = &all_kinds[_i];
    long kills = (kills_wanted() + kinds * rounds - 1) / (kinds * rounds);
    make_things();
    for (int round = 1; round <= rounds; round++) {
        pid_t pid[workers];
        kill_for_a_round(what, pid, kills);
        ck_assert_int_eq(t->inside, 0);
        ck_assert_int_eq(t->left, t->right);
        ck_assert_int_le(atomic_load(&t->told), kills * round);
    }
    long told = atomic_load(&t->told);
    printf("%s: %ld kills, %ld told, %ld turns\n", what->name, kills * rounds, told, atomic_load(&t->done));
    ck_assert_int_ge(told, kills * rounds * what->told_least / 1000);
    free_things();
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("primitives, killed at random");
    TCase *cases = test_case(suite, "random");
    tcase_set_timeout(cases, 30 + (double)kills_wanted() / 50);
    tcase_add_loop_test(cases, goes_on_whoever_is_killed, 0, kinds);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
