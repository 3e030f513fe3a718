/* The read–write lock in the simulator.
 * A writer must be alone, a writer that dies inside must be told of, a reader's death must not matter.
 * Next: scene_semaphore.c. */
#include "scenes.h"

#include <yunta/rwlock.h>

static yunta_rwlock *lock;
static bool reads[SIM_PROCESSES], writes[SIM_PROCESSES];
static sim_datum guarded;
static bool left_in_doubt; /* a writer has died inside since it was last marked consistent */

static void set_up(void)
{
    sim_check(yunta_rwlock_create(&lock) == 0);
}

static void begin(void)
{
    memset(reads, 0, sizeof reads);
    memset(writes, 0, sizeof writes);
    left_in_doubt = false;
    guarded = (sim_datum){0};
}

/* The living; who died writing puts all in doubt, who died reading is forgotten. */
static void count(int *readers, int *writers)
{
    *readers = *writers = 0;
    for (int p = 1; p < SIM_PROCESSES; p++) {
        if (sim_is_dead(p)) {
            left_in_doubt |= writes[p];
            reads[p] = writes[p] = false;
        }
        *readers += reads[p];
        *writers += writes[p];
    }
}

static void stay(int r, bool to_write)
{
    int readers, writers, me = sim_process();
    count(&readers, &writers);
    sim_check(writers == 0 && (readers == 0 || !to_write));
    sim_check(!left_in_doubt || r == -EOWNERDEAD);
    if (to_write)
        writes[me] = true;
    else
        reads[me] = true;
    if (to_write)
        sim_datum_write(&guarded);
    else
        sim_datum_read(&guarded);
    sim_points(5);
    count(&readers, &writers);
    sim_check(to_write ? writers == 1 && readers == 0 : writers == 0);
}

static int acquire(bool to_write, int limit)
{
    return to_write ? yunta_rwlock_acquire_write(lock, limit) : yunta_rwlock_acquire_read(lock, limit);
}

static void read_and_write(int who)
{
    (void)who;
    for (int round = 0; round < 3; round++) {
        bool to_write = sim_one_in(3);
        int limit = sim_one_in(4) ? (int)sim_below(3) : YUNTA_FOREVER, r = acquire(to_write, limit);
        if (r == -ETIMEDOUT) {
            sim_check(limit != YUNTA_FOREVER);
            continue;
        }
        sim_check(r == 0 || (r == -EOWNERDEAD && sim_deaths() > 0));
        to_write |= r == -EOWNERDEAD;
        stay(r, to_write);
        if (r == -EOWNERDEAD) {
            sim_check(yunta_rwlock_mark_consistent(lock) == 0);
            left_in_doubt = false;
        }
        reads[sim_process()] = writes[sim_process()] = false;
        sim_check(yunta_rwlock_release(lock) == 0);
    }
}

static void check(void)
{
    int readers, writers, r = yunta_rwlock_acquire_write(lock, 0);
    count(&readers, &writers);
    sim_check(readers == 0 && writers == 0);
    sim_check(r == -EOWNERDEAD || (r == 0 && !left_in_doubt));
    if (r == -EOWNERDEAD)
        sim_check(yunta_rwlock_mark_consistent(lock) == 0);
    sim_check(yunta_rwlock_acquire_read(lock, 0) == -ETIMEDOUT);
    sim_check(yunta_rwlock_release(lock) == 0);
    sim_check(yunta_rwlock_acquire_read(lock, 0) == 0);
    sim_check(yunta_rwlock_release(lock) == 0);
    sim_check(yunta_rwlock_release(lock) == -EPERM);
}

const sim_scene scene_rwlock = {.name = "rwlock",
                                .setup = set_up,
                                .begin = begin,
                                .body = read_and_write,
                                .check = check,
                                .processes = 4,
                                .threads = 1,
                                .newcomers = 1,
                                .deaths = 2,
                                .share = 60};
