/* Locks in the simulator: the plain one, by processes, by threads and by newcomers in the slots of the dead, and the
 * recursive one.
 * Two at a time must never be inside, whoever died must be told of, and nobody may be left asleep.
 * Next: scene_rwlock.c. */
#include "scenes.h"

static yunta_lock *lock;
static yunta_recursive_lock *recursive;
static int inside;    /* the thread that is, + 1; it may be dead */
static bool in_doubt; /* somebody was told, and has not yet said that all is well */
static int breaker;   /* … and never will: the process that lets it go all the same */
static bool broken;   /* … and has */
static bool may_break;
static int process_of[SIM_THREADS];
static sim_datum guarded;

static void set_up(void)
{
    sim_check(yunta_lock_create(&lock) == 0);
    sim_check(yunta_recursive_lock_create(&recursive) == 0);
}

static void begin(void)
{
    inside = 0;
    in_doubt = broken = false;
    guarded = (sim_datum){0};
    breaker = 0;
    may_break = sim_one_in(8);
}

/* We have it, and were told `r`. */
static void come_in(int who, int r)
{
    bool left_by_dead = inside != 0 && sim_is_dead(process_of[inside - 1]);
    sim_check(inside == 0 || left_by_dead);
    sim_check(r == 0 || r == -EOWNERDEAD);
    sim_check(!broken && (breaker == 0 || sim_is_dead(breaker)));
    if (left_by_dead || in_doubt)
        sim_check(r == -EOWNERDEAD);
    if (r == -EOWNERDEAD)
        sim_check(sim_deaths() > 0);
    process_of[who] = sim_process();
    inside = who + 1;
    in_doubt = r == -EOWNERDEAD;
    sim_datum_write(&guarded);
    sim_points(4);
    sim_datum_write(&guarded);
    sim_check(inside == who + 1);
}

static int some_limit(void)
{
    return sim_one_in(4) ? (int)sim_below(3) : YUNTA_FOREVER;
}

static void take_turns(int who)
{
    for (int round = 0; round < 3; round++) {
        int limit = some_limit(), r = yunta_lock_acquire(lock, limit);
        if (r == -ETIMEDOUT) {
            sim_check(limit != YUNTA_FOREVER);
            continue;
        }
        if (r == YUNTA_EBROKEN) {
            sim_check(may_break && breaker != 0);
            return;
        }
        come_in(who, r);
        if (r == -EOWNERDEAD) {
            if (may_break && sim_one_in(2)) {
                breaker = sim_process();
                inside = 0;
                sim_check(yunta_lock_release(lock) == 0);
                broken = true;
                return;
            }
            sim_check(yunta_lock_mark_consistent(lock) == 0);
            in_doubt = false;
        } else {
            sim_check(yunta_lock_mark_consistent(lock) == -EINVAL);
        }
        inside = 0;
        sim_check(yunta_lock_release(lock) == 0);
    }
}

static void check(void)
{
    int r = yunta_lock_acquire(lock, 0);
    sim_check(!broken || r == YUNTA_EBROKEN);
    if (breaker != 0 && r == YUNTA_EBROKEN)
        return;
    sim_check(r == 0 || r == -EOWNERDEAD);
    sim_check(r == -EOWNERDEAD || inside == 0);
    sim_check(yunta_lock_acquire(lock, 0) == -ETIMEDOUT);
    if (r == -EOWNERDEAD)
        sim_check(yunta_lock_mark_consistent(lock) == 0);
    sim_check(yunta_lock_release(lock) == 0);
    sim_check(!yunta_lock_is_held(lock));
}

static void take_turns_deeply(int who)
{
    for (int round = 0; round < 2; round++) {
        int depth = 1 + (int)sim_below(3), limit = some_limit(), r = yunta_recursive_lock_acquire(recursive, limit);
        if (r == -ETIMEDOUT) {
            sim_check(limit != YUNTA_FOREVER);
            continue;
        }
        come_in(who, r);
        for (int i = 1; i < depth; i++)
            sim_check(yunta_recursive_lock_acquire(recursive, (int)sim_below(2)) == 0);
        if (r == -EOWNERDEAD) {
            sim_check(yunta_recursive_lock_mark_consistent(recursive) == 0);
            in_doubt = false;
        }
        for (int i = 1; i < depth; i++) {
            sim_check(yunta_recursive_lock_release(recursive) == 0);
            sim_point();
            sim_check(inside == who + 1);
        }
        inside = 0;
        sim_check(yunta_recursive_lock_release(recursive) == 0);
        sim_check(yunta_recursive_lock_release(recursive) == -EPERM);
    }
}

static void check_recursive(void)
{
    int r = yunta_recursive_lock_acquire(recursive, 0);
    sim_check(r == 0 || r == -EOWNERDEAD);
    sim_check(r == -EOWNERDEAD || inside == 0);
}

const sim_scene scene_lock = {.name = "lock",
                              .setup = set_up,
                              .begin = begin,
                              .body = take_turns,
                              .check = check,
                              .processes = 3,
                              .threads = 1,
                              .deaths = 2,
                              .share = 120};
const sim_scene scene_lock_threads = {.name = "lock_threads",
                                      .setup = set_up,
                                      .begin = begin,
                                      .body = take_turns,
                                      .check = check,
                                      .processes = 2,
                                      .threads = 2,
                                      .deaths = 2,
                                      .share = 60};
const sim_scene scene_lock_newcomers = {.name = "lock_newcomers",
                                        .setup = set_up,
                                        .begin = begin,
                                        .body = take_turns,
                                        .check = check,
                                        .processes = 2,
                                        .threads = 1,
                                        .newcomers = 2,
                                        .deaths = 3,
                                        .share = 60};
const sim_scene scene_recursive_lock = {.name = "recursive_lock",
                                        .setup = set_up,
                                        .begin = begin,
                                        .body = take_turns_deeply,
                                        .check = check_recursive,
                                        .processes = 2,
                                        .threads = 2,
                                        .deaths = 2,
                                        .share = 50};
