/* Barrier and once in the simulator.
 * Nobody may leave a round before all have come; a party that is killed must break it for all, not be waited for; what
 * is done once must be done once, and be told of if it was left half done.
 * Next: scene_queue.c. */
#include "scenes.h"

#include <yunta/barrier.h>

enum { parties = 3, rounds = 3 };

static yunta_barrier *barrier;
static yunta_once *once;
static int arrived[rounds], index_taken[rounds][parties];
static bool ended_well[rounds], ended_broken[rounds]; /* as some party was told */
static int aborts_after;                              /* so many rounds one of them breaks it instead of coming */
static int doer, calls;
static bool is_done, fails_first;
static sim_datum brought[rounds][parties], done_once;

static void set_up(void)
{
    sim_check(yunta_barrier_create(&barrier, parties) == 0);
    sim_check(yunta_once_create(&once) == 0);
}

static void begin(void)
{
    memset(arrived, 0, sizeof arrived);
    memset(index_taken, 0, sizeof index_taken);
    memset(brought, 0, sizeof brought);
    memset(ended_well, 0, sizeof ended_well);
    memset(ended_broken, 0, sizeof ended_broken);
    aborts_after = sim_one_in(3) ? (int)sim_below(rounds) : rounds;
    done_once = (sim_datum){0};
    doer = calls = 0;
    is_done = false;
    fails_first = sim_one_in(4);
}

static void meet(int who)
{
    for (int round = 0; round < rounds; round++) {
        if (who == 0 && round == aborts_after) {
            sim_check(yunta_barrier_abort(barrier) == 0);
            return;
        }
        sim_datum_write(&brought[round][who]);
        arrived[round]++;
        int r = yunta_barrier_wait(barrier, YUNTA_FOREVER);
        if (r < 0) {
            sim_check(r == YUNTA_EBROKEN && (sim_deaths() > 0 || round >= aborts_after));
            ended_broken[round] = true;
            sim_check(!ended_well[round]);
            return;
        }
        sim_check(r < parties && arrived[round] == parties);
        ended_well[round] = true;
        sim_check(!ended_broken[round]);
        sim_check(index_taken[round][r]++ == 0);
        for (int i = 0; i < parties; i++)
            sim_datum_read(&brought[round][i]);
    }
    sim_check(yunta_barrier_leave(barrier) == 0);
}

/* Who dies before it ever came is not known to be a party; who has come is. */
static bool abort_for_a_stranger(void)
{
    int sleepers = 0;
    for (int who = 0; who < parties; who++)
        sleepers += !sim_thread_is_over(who);
    return arrived[1] == 0 && sim_deaths() > 0 && yunta_barrier_waiting(barrier) == sleepers &&
           yunta_barrier_abort(barrier) == 0;
}

static void check_reset(void)
{
    sim_check(yunta_barrier_reset(barrier) == 0);
    sim_check(!yunta_barrier_is_broken(barrier) && yunta_barrier_waiting(barrier) == 0);
    sim_check(yunta_barrier_wait(barrier, 0) == -ETIMEDOUT);
}

static void check_barrier(void)
{
    if (sim_deaths() == 0 && aborts_after == rounds)
        sim_check(!yunta_barrier_is_broken(barrier) && yunta_barrier_waiting(barrier) == 0);
    check_reset();
}

/* Some give up in time, some break or reset it: only that nobody is left behind, or leaves too soon. */
static void meet_in_disorder(int who)
{
    (void)who;
    for (int round = 0; round < rounds; round++) {
        int limit = sim_one_in(3) ? (int)sim_below(3) : YUNTA_FOREVER;
        int r = sim_one_in(8)   ? yunta_barrier_abort(barrier)
                : sim_one_in(6) ? yunta_barrier_reset(barrier)
                                : yunta_barrier_wait(barrier, limit);
        sim_check(r >= 0 || r == YUNTA_EBROKEN || (r == -ETIMEDOUT && limit != YUNTA_FOREVER));
    }
    sim_check(yunta_barrier_leave(barrier) == 0);
}

/* Who waits for parties that have gone for good waits rightly: until it is broken. */
static bool abort_for_the_gone(void)
{
    return yunta_barrier_waiting(barrier) < parties && !yunta_barrier_is_broken(barrier) &&
           yunta_barrier_abort(barrier) == 0;
}

static int do_it(void *unused, bool again)
{
    (void)unused;
    bool left = doer != 0 && sim_is_dead(doer);
    sim_check(!is_done && (doer == 0 || left));
    sim_check(!left || again);
    sim_check(!again || sim_deaths() > 0);
    doer = sim_process();
    sim_datum_write(&done_once);
    sim_points(6);
    doer = 0;
    if (fails_first && calls++ == 0)
        return -EIO;
    is_done = true;
    return 0;
}

/* Called again after a death between its end and the note of it: that is what `again` is for. */
static int do_it_at_last(void *unused, bool again)
{
    (void)unused;
    sim_check(!is_done || (again && sim_deaths() > 0));
    return 0;
}

static int do_it_again(void *unused, bool again)
{
    if (is_done && again && sim_deaths() > 0)
        is_done = false; /* its doer died before it could say so */
    return do_it(unused, again);
}

static void run_once(int who)
{
    (void)who;
    for (int i = 0; i < 2; i++) {
        int limit = sim_one_in(4) ? (int)sim_below(3) : YUNTA_FOREVER;
        int r = yunta_once_run(once, do_it_again, NULL, limit);
        sim_check(r == 0 || (r == -ETIMEDOUT && limit != YUNTA_FOREVER) || (r == -EIO && fails_first));
        sim_check(r != 0 || is_done);
        if (r == 0)
            sim_datum_read(&done_once);
    }
}

static void check_once(void)
{
    sim_check(yunta_once_run(once, do_it_at_last, NULL, 0) == 0);
    sim_check(yunta_once_run(once, do_it, NULL, 0) == 0); /* not called */
}

const sim_scene scene_barrier = {.name = "barrier",
                                 .setup = set_up,
                                 .begin = begin,
                                 .body = meet,
                                 .rescue = abort_for_a_stranger,
                                 .check = check_barrier,
                                 .processes = parties,
                                 .threads = 1,
                                 .deaths = 2,
                                 .share = 60};
const sim_scene scene_barrier_disorder = {.name = "barrier_disorder",
                                          .setup = set_up,
                                          .begin = begin,
                                          .body = meet_in_disorder,
                                          .rescue = abort_for_the_gone,
                                          .check = check_reset,
                                          .processes = parties + 1,
                                          .threads = 1,
                                          .deaths = 1,
                                          .share = 40};
const sim_scene scene_once = {.name = "once",
                              .setup = set_up,
                              .begin = begin,
                              .body = run_once,
                              .check = check_once,
                              .processes = 3,
                              .threads = 1,
                              .newcomers = 1,
                              .deaths = 2,
                              .share = 50};
