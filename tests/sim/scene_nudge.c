/* A death and those who wait for what the dead one has, in the simulator: little else, so that all ways in which they
 * can meet come about.
 * Whoever is asleep when it is told, or about to be, must look again. Next: scene_rwlock.c. */
#include "scenes.h"

#include <yunta/condition.h>

enum { holder, wants_lock, wants_unit, has_other, everybody };

static yunta_lock *lock, *other; /* `other` is the lock of one who lives */
static yunta_semaphore *semaphore;
static yunta_condition *condition;
static yunta_lock *inner; /* the condition's */
static bool is_over[everybody];
static unsigned holds; /* bits: what the one who dies has taken before */
static bool has_given_up;

static void set_up(void)
{
    sim_check(yunta_lock_create(&lock) == 0);
    sim_check(yunta_lock_create(&other) == 0);
    sim_check(yunta_lock_create(&inner) == 0);
    sim_check(yunta_semaphore_create(&semaphore, NULL) == 0);
    sim_check(yunta_condition_create(&condition) == 0);
}

static void begin(void)
{
    memset(is_over, 0, sizeof is_over);
    holds = sim_below(4);
    has_given_up = sim_one_in(2);
}

static void die(void)
{
    if (holds & 1)
        sim_check(yunta_lock_acquire(lock, 0) != YUNTA_EBROKEN);
    if (holds & 2)
        sim_check(yunta_semaphore_acquire(semaphore, 0) <= 0);
    sim_points(20);
    sim_die();
}

static bool has_been_told(void *unused)
{
    (void)unused;
    return sim_was_declared(1) || !yn_claim_is_alive(&sim_me()->arena->slots, sim_self_of(holder)->claim);
}

/* By a condition that nobody notifies but a death. */
static void await_death(void)
{
    sim_check(yunta_lock_acquire(inner, YUNTA_FOREVER) == 0);
    sim_check(yunta_condition_wait_for(condition, inner, has_been_told, NULL, YUNTA_FOREVER) == 0);
    sim_check(yunta_lock_release(inner) == 0);
}

/* A lock that its owner lets go; some stop waiting for it before, and wait for something else. */
static void pass_other(int limit)
{
    int r = yunta_lock_acquire(other, limit);
    sim_check(r == 0 || (r == -ETIMEDOUT && limit != YUNTA_FOREVER));
    if (r == 0) {
        sim_points(20);
        sim_check(yunta_lock_release(other) == 0);
    }
}

static void run(int who)
{
    int r = 0;
    if (has_given_up && who != holder)
        pass_other(who == wants_lock ? (int)sim_below(2) : YUNTA_FOREVER);
    if (who == holder) {
        die();
    } else if (who == wants_lock && (holds & 1)) {
        r = yunta_lock_acquire(lock, YUNTA_FOREVER);
    } else if (who == wants_unit && (holds & 2)) {
        r = yunta_semaphore_acquire(semaphore, YUNTA_FOREVER);
    } else {
        await_death();
    }
    sim_check(r == 0 || r == -EOWNERDEAD);
    is_over[who] = true;
}

static void check(void)
{
    for (int who = wants_lock; who < everybody; who++)
        sim_check(is_over[who] || sim_is_dead(who + 1));
}

const sim_scene scene_nudge = {.name = "nudge",
                               .setup = set_up,
                               .begin = begin,
                               .body = run,
                               .check = check,
                               .processes = everybody,
                               .threads = 1,
                               .deaths = 0,
                               .share = 60};
