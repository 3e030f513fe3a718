/* The latch in the simulator: counts are taken and counted down, others counted that nobody has taken, and all wait.
 * It may open only when all has been counted, must break when one dies that owes, and nobody may be left behind.
 * Next: scene_queue.c. */
#include "scenes.h"

#include <yunta/latch.h>

enum { counts = 6 };

static yunta_latch *latch;
static int begun, counted;         /* by anybody; the first also what one is at, or died over */
static int owed[SIM_PROCESSES];    /* taken, and not begun to be counted */
static bool amidst[SIM_PROCESSES]; /* of taking or counting */
static bool is_open, is_broken, aborts;
static sim_datum brought[SIM_THREADS][2]; /* by who owed a count then */

static void set_up(void)
{
    sim_check(yunta_latch_create(&latch, counts) == 0);
}

static void begin(void)
{
    begun = counted = 0;
    memset(owed, 0, sizeof owed);
    memset(amidst, 0, sizeof amidst);
    is_open = is_broken = false;
    memset(brought, 0, sizeof brought);
    aborts = sim_one_in(16);
}

static bool has_died(bool over_it)
{
    for (int p = 1; p < SIM_PROCESSES; p++)
        if (sim_is_dead(p) && (owed[p] > 0 || (over_it && amidst[p])))
            return true;
    return false;
}

/* What one was told, for good. */
static void note(int r)
{
    if (r == 0) {
        is_open = true;
        sim_check(begun >= counts && !has_died(false));
    } else if (r == YUNTA_EBROKEN) {
        is_broken = true;
        sim_check(aborts || has_died(true));
    }
    sim_check(!is_open || !is_broken);
}

static int take(int n)
{
    int p = sim_process();
    amidst[p] = true;
    int r = yunta_latch_take(latch, (uint32_t)n);
    amidst[p] = false;
    sim_check(r == 0 || r == -EOVERFLOW || r == YUNTA_EBROKEN);
    if (r == 0)
        owed[p] += n;
    else if (r == YUNTA_EBROKEN)
        note(r);
    return r;
}

/* First what is owed, as the latch does. */
static int count(int n)
{
    int p = sim_process(), own = owed[p] < n ? owed[p] : n;
    owed[p] -= own;
    amidst[p] = true;
    begun += n;
    int r = yunta_latch_count_down(latch, (uint32_t)n);
    amidst[p] = false;
    sim_check(r == 0 || r == -EOVERFLOW || r == YUNTA_EBROKEN);
    if (r == 0) {
        counted += n;
        sim_check(counted <= counts);
        return 0;
    }
    begun -= n;
    owed[p] += own;
    if (r == YUNTA_EBROKEN)
        note(r);
    return r;
}

static void wait_for_all(void)
{
    int r, limit = sim_one_in(4) ? (int)sim_below(3) : YUNTA_FOREVER;
    while ((r = yunta_latch_wait(latch, limit)) == -ETIMEDOUT) {
        sim_check(limit != YUNTA_FOREVER);
        limit = YUNTA_FOREVER;
    }
    sim_check(r == 0 || r == YUNTA_EBROKEN);
    note(r);
    for (int i = 0; r == 0 && i < 2 * SIM_THREADS; i++)
        sim_datum_read(&brought[i / 2][i % 2]);
}

/* At the end nobody alive owes anything, and nothing is left that nobody has taken. */
static void count_to_the_last(int who)
{
    int own = 0, r = 0;
    for (int i = 0; i < 2 && r != YUNTA_EBROKEN; i++) {
        int n = 1 + (int)sim_below(2);
        if (sim_one_in(2) && (r = take(n)) == 0) {
            own += n;
            sim_datum_write(&brought[who][i]);
        }
        sim_points(4);
        if (own > 0 && r != YUNTA_EBROKEN && sim_one_in(2)) {
            r = count(1 + (int)sim_below((unsigned)own));
            sim_check(r != -EOVERFLOW);
            own = owed[sim_process()];
        }
    }
    if (aborts && sim_one_in(4))
        sim_check(yunta_latch_abort(latch) == 0);
    if (own > 0 && r != YUNTA_EBROKEN && (r = count(own)) != YUNTA_EBROKEN)
        sim_check(r == 0);
    while (r != YUNTA_EBROKEN && (r = count(1 + (int)sim_below(2))) != -EOVERFLOW) {
    }
    while (r != YUNTA_EBROKEN && (r = count(1)) != -EOVERFLOW) {
    }
    wait_for_all();
}

/* Threads count what others of their process have taken. One at a time: more might be counted in part. */
static void count_in_threads(int who)
{
    (void)who;
    int r = 0;
    for (int i = 0; i < 2 && r != YUNTA_EBROKEN; i++) {
        r = yunta_latch_take(latch, 1 + sim_below(2));
        sim_check(r == 0 || r == -EOVERFLOW || (r == YUNTA_EBROKEN && sim_deaths() > 0));
    }
    for (r = r == YUNTA_EBROKEN ? r : 0; r == 0;) {
        begun++;
        r = yunta_latch_count_down(latch, 1);
        sim_check(r == 0 || r == -EOVERFLOW || (r == YUNTA_EBROKEN && sim_deaths() > 0));
        counted += r == 0;
        begun -= r != 0;
        sim_check(counted <= counts);
    }
    r = yunta_latch_wait(latch, YUNTA_FOREVER);
    sim_check(r == YUNTA_EBROKEN ? sim_deaths() > 0 && !is_open : r == 0 && !is_broken && begun >= counts);
    is_open = is_open || r == 0;
    is_broken = is_broken || r != 0;
}

/* Whoever has died, what is left can be counted, and then it is decided. */
static void check(void)
{
    while (yunta_latch_count_down(latch, 1) == 0)
        begun++;
    int r = yunta_latch_wait(latch, 0);
    sim_check(r == 0 || r == YUNTA_EBROKEN);
    sim_check(r != 0 || (!is_broken && begun >= counts && !has_died(false)));
    sim_check(r == 0 || (!is_open && (aborts || sim_deaths() > 0)));
    sim_check(yunta_latch_is_broken(latch) == (r != 0));
    sim_check(r != 0 || yunta_latch_pending(latch) == 0);
}

const sim_scene scene_latch = {.name = "latch",
                               .setup = set_up,
                               .begin = begin,
                               .body = count_to_the_last,
                               .check = check,
                               .processes = 4,
                               .threads = 1,
                               .newcomers = 1,
                               .deaths = 2,
                               .share = 60};
const sim_scene scene_latch_threads = {.name = "latch_threads",
                                       .setup = set_up,
                                       .begin = begin,
                                       .body = count_in_threads,
                                       .check = check,
                                       .processes = 2,
                                       .threads = 2,
                                       .deaths = 1,
                                       .share = 40};
