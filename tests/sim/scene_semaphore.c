/* Semaphores in the simulator: owned ones, whose units the dead give back, and unowned ones, for signalling.
 * No more units must be held than there are, none must vanish that a death does not explain, and nobody may sleep
 * beside a unit.
 * Next: scene_condition.c. */
#include "scenes.h"

enum { units = 2, signals = 5 };

static yunta_semaphore *owned, *signal_of;
static int held[SIM_PROCESSES];
static int sent, got, sending, getting;
static bool has_one_sender;
static sim_datum before_it; /* what the only sender did before it sent for the first time */

static void set_up(void)
{
    sim_check(yunta_semaphore_create(&owned, &(yunta_semaphore_options){.initial = units, .maximum = units}) == 0);
    sim_check(yunta_semaphore_create(&signal_of, &(yunta_semaphore_options){.unowned = true}) == 0);
}

static void begin(void)
{
    memset(held, 0, sizeof held);
    sent = got = sending = getting = 0;
    has_one_sender = sim_one_in(2);
    before_it = (sim_datum){0};
}

static int held_by_the_living(void)
{
    int n = 0;
    for (int p = 1; p < SIM_PROCESSES; p++)
        n += sim_is_dead(p) ? 0 : held[p];
    return n;
}

static void give_back(void)
{
    held[sim_process()]--;
    sim_check(yunta_semaphore_release(owned) == 0);
}

static void take_units(int who)
{
    (void)who;
    for (int round = 0; round < 3; round++) {
        int limit = sim_one_in(4) ? (int)sim_below(3) : YUNTA_FOREVER;
        int r = yunta_semaphore_acquire(owned, limit);
        if (r == -ETIMEDOUT) {
            sim_check(limit != YUNTA_FOREVER);
            continue;
        }
        sim_check(r == 0 || (r == -EOWNERDEAD && sim_deaths() > 0));
        held[sim_process()]++;
        sim_check(held_by_the_living() <= units);
        sim_points(4);
        if (sim_one_in(3) && yunta_semaphore_acquire(owned, 0) != -ETIMEDOUT) {
            held[sim_process()]++;
            sim_check(held_by_the_living() <= units);
            give_back();
        }
        give_back();
    }
}

/* All units are there again, and no more. */
static void check_units(void)
{
    sim_check(yunta_semaphore_value(owned) == units);
    for (int i = 0; i < units; i++) {
        int r = yunta_semaphore_acquire(owned, 0);
        sim_check(r == 0 || r == -EOWNERDEAD);
    }
    sim_check(yunta_semaphore_acquire(owned, 0) == -ETIMEDOUT);
    sim_check(yunta_semaphore_value(owned) == 0);
    for (int i = 0; i < units; i++)
        sim_check(yunta_semaphore_release(owned) == 0);
    sim_check(yunta_semaphore_release(owned) == -EOVERFLOW);
}

/* Threads 0 and 1 send, the others wait for as many. */
static void send_or_wait(int who)
{
    int count = who >= 2 ? signals : !has_one_sender ? signals : who == 0 ? 2 * signals : 0;
    for (int i = 0; i < count; i++) {
        if (who < 2) {
            if (has_one_sender && i == 0)
                sim_datum_write(&before_it);
            sending++;
            sim_check(yunta_semaphore_release(signal_of) == 0);
            sent++;
        } else {
            getting++;
            sim_check(yunta_semaphore_acquire(signal_of, YUNTA_FOREVER) == 0);
            got++;
            sim_check(got <= sending);
            if (has_one_sender && !sim_is_dead(1))
                sim_datum_read(&before_it);
        }
    }
}

/* If senders or receivers have died the sums do not match any more; but nobody may sleep while there is a unit. */
static bool send_for_the_dead(void)
{
    if (sim_deaths() == 0 || yunta_semaphore_value(signal_of) != 0)
        return false;
    sending++;
    return yunta_semaphore_release(signal_of) == 0;
}

static void check_signals(void)
{
    int left = yunta_semaphore_value(signal_of);
    sim_check(left <= sending - got && left >= sent - getting);
    if (sim_deaths() == 0)
        sim_check(left == 0);
}

const sim_scene scene_semaphore = {.name = "semaphore",
                                   .setup = set_up,
                                   .begin = begin,
                                   .body = take_units,
                                   .check = check_units,
                                   .processes = 4,
                                   .threads = 1,
                                   .newcomers = 1,
                                   .deaths = 2,
                                   .share = 70};
const sim_scene scene_semaphore_threads = {.name = "semaphore_threads",
                                           .setup = set_up,
                                           .begin = begin,
                                           .body = take_units,
                                           .check = check_units,
                                           .processes = 2,
                                           .threads = 2,
                                           .deaths = 2,
                                           .share = 70};
const sim_scene scene_signals = {.name = "signals",
                                 .setup = set_up,
                                 .begin = begin,
                                 .body = send_or_wait,
                                 .rescue = send_for_the_dead,
                                 .check = check_signals,
                                 .processes = 4,
                                 .threads = 1,
                                 .deaths = 1,
                                 .share = 60};
