/* Locks that are taken in order by many, who wait for each other all the time and never in a circle: nothing may be
 * found, whatever moves while it is looked for, and whoever is killed.
 * It must not count how often anything happens but by its own rounds.
 * Read next: test_deadlock.c.
 *
 * timeout: 300 */
#include "deadlock_scene.h"

enum { WORKERS = 5, THINGS = 5, LOOKS = 2500 };

struct work {
    struct object object[THINGS];
    shared_word *over, *rounds;
    unsigned seed;
    bool trace;
};

static unsigned draw(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

static int take_for_sure(const struct object *o)
{
    int r = take(o, YUNTA_FOREVER);
    if (r != -EOWNERDEAD)
        return r;
    if (o->kind == LOCK)
        return yunta_lock_mark_consistent(o->lock);
    if (o->kind == RECURSIVE)
        return yunta_recursive_lock_mark_consistent(o->recursive);
    return o->kind == SEMAPHORE ? 0 : yunta_rwlock_mark_consistent(o->rwlock);
}

/* Some of them, always in the same order. */
static int work_a_round(const struct work *w, unsigned *seed)
{
    bool has[THINGS] = {false};
    for (int i = 0; i < THINGS; i++) {
        struct object o = w->object[i];
        if (draw(seed) % 2)
            continue;
        if (o.kind == READ && draw(seed) % 2)
            o.kind = WRITE;
        expect(take_for_sure(&o) == 0);
        has[i] = true;
    }
    for (int i = 0; i < THINGS; i++)
        expect(!has[i] || let_go(&w->object[i]) == 0);
    return 0;
}

static int work(const struct work *w)
{
    unsigned seed = w->seed;
    expect(!w->trace || yunta_deadlock_trace() == 0);
    while (!atomic_load(w->over)) {
        int r = work_a_round(w, &seed);
        if (r != 0)
            return r;
        atomic_fetch_add(w->rounds, 1);
    }
    return 0;
}
YUNTA_ENTRY(work, struct work);

static int return_at_once(void)
{
    return 0;
}
YUNTA_ENTRY_VOID(return_at_once);

static void start_worker(yunta_process **process, struct work *w)
{
    w->seed++;
    w->trace = w->seed % 3 == 0;
    start_by(YUNTA_FORK, process, work, w);
}

/* Looks, and now and then kills one or joins one. */
static void look_again_and_again(bool kills)
{
    yunta_deadlock_edge edges[EDGES];
    yunta_process *process[WORKERS], *other;
    struct work w = {.over = new_word(), .rounds = new_word(), .seed = 1};
    static const enum thing kinds[THINGS] = {LOCK, READ, SEMAPHORE, RECURSIVE, LOCK};
    int looks = test_rounds(LOOKS), waits = 0;
    for (int i = 0; i < THINGS; i++)
        w.object[i] = new_object(kinds[i]);
    for (int i = 0; i < WORKERS; i++)
        start_worker(&process[i], &w);
    for (int i = 0; i < looks; i++) {
        int found = yunta_deadlock_find(edges, EDGES);
        ck_assert_msg(found == 0, "%d edges: %d waits for %d's %p", found, edges[0].waiter_pid, edges[0].holder_pid,
                      edges[0].object);
        waits += yunta_deadlock_read_waits(NULL, 0);
        if (i % 50 != 0)
            continue;
        if (kills) {
            yunta_process_destroy(process[i / 50 % WORKERS]);
            start_worker(&process[i / 50 % WORKERS], &w);
        } else {
            start_by(YUNTA_FORK, &other, return_at_once, NULL);
            end_is(other, 0);
        }
    }
    ck_assert_int_gt(waits, 0);
    atomic_store(w.over, 1);
    for (int i = 0; i < WORKERS; i++)
        end_is(process[i], 0);
    ck_assert_int_gt(atomic_load(w.rounds), 0);
    for (int i = 0; i < THINGS; i++)
        free_object(&w.object[i]);
    yunta_shared_free(w.over);
    yunta_shared_free(w.rounds);
}

START_TEST(nothing_is_found_where_all_move)
{
    look_again_and_again(false);
}
END_TEST

START_TEST(nothing_is_found_where_some_die)
{
    look_again_and_again(true);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("no deadlock");
    TCase *cases = test_case(suite, "moves");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, nothing_is_found_where_all_move);
    tcase_add_test(cases, nothing_is_found_where_some_die);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
