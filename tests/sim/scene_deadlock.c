/* Who looks for deadlocks, in the simulator, among those who never make one: they take the second thing after the
 * first, never the other way round. None must be found, though each of them waits for each other one at some time.
 * Next: scene_semaphore.c. */
#include "scenes.h"

#include <yunta/deadlock.h>
#include <yunta/rwlock.h>

enum { things = 2, turns = 3, looks = 4, kinds = 5 };
enum { LOCK, RECURSIVE_LOCK, WRITE, READ, SEMAPHORE };

static yunta_lock *lock[things];
static yunta_recursive_lock *recursive[things];
static yunta_rwlock *rwlock[things];
static yunta_semaphore *semaphore[things];
static unsigned kind[things];

static void set_up(void)
{
    for (int i = 0; i < things; i++) {
        sim_check(yunta_lock_create(&lock[i]) == 0);
        sim_check(yunta_recursive_lock_create(&recursive[i]) == 0);
        sim_check(yunta_rwlock_create(&rwlock[i]) == 0);
        sim_check(yunta_semaphore_create(&semaphore[i], NULL) == 0);
    }
}

static void begin(void)
{
    sim_notes_threads = sim_one_in(2);
    for (int i = 0; i < things; i++)
        kind[i] = sim_below(kinds);
    for (int who = 0; sim_process_of(who) != 0; who++) {
        yn_self *one = sim_self_of(who);
        yn_slot_set_pid(one->slot, one->claim, sim_process_of(who)); /* its number stands for a pid */
    }
}

static int acquire(int i, int limit)
{
    switch (kind[i]) {
    case LOCK:
        return yunta_lock_acquire(lock[i], limit);
    case RECURSIVE_LOCK:
        return yunta_recursive_lock_acquire(recursive[i], limit);
    case SEMAPHORE:
        return yunta_semaphore_acquire(semaphore[i], limit);
    default:
        return kind[i] == READ && sim_one_in(2) ? yunta_rwlock_acquire_read(rwlock[i], limit)
                                                : yunta_rwlock_acquire_write(rwlock[i], limit);
    }
}

static void release(int i)
{
    int r = kind[i] == LOCK             ? yunta_lock_release(lock[i])
            : kind[i] == RECURSIVE_LOCK ? yunta_recursive_lock_release(recursive[i])
            : kind[i] == SEMAPHORE      ? yunta_semaphore_release(semaphore[i])
                                        : yunta_rwlock_release(rwlock[i]);
    sim_check(r == 0);
}

static void put_right(int i)
{
    int r = kind[i] == LOCK             ? yunta_lock_mark_consistent(lock[i])
            : kind[i] == RECURSIVE_LOCK ? yunta_recursive_lock_mark_consistent(recursive[i])
            : kind[i] == SEMAPHORE      ? 0
                                        : yunta_rwlock_mark_consistent(rwlock[i]);
    sim_check(r == 0);
}

static void take_some(void)
{
    unsigned which = 1 + sim_below((1u << things) - 1);
    for (int i = 0; i < things; i++) {
        int limit = sim_one_in(4) ? (int)sim_below(3) : YUNTA_FOREVER;
        int r = which & 1u << i ? acquire(i, limit) : -ETIMEDOUT;
        sim_check(r == 0 || r == -ETIMEDOUT || (r == -EOWNERDEAD && sim_deaths() > 0));
        if (r == -EOWNERDEAD)
            put_right(i);
        if (r == -ETIMEDOUT)
            which &= ~(1u << i);
    }
    sim_points(6);
    unsigned first = sim_below(things);
    for (unsigned n = 0; n < things; n++)
        if (which & 1u << (first + n) % things)
            release((int)((first + n) % things));
}

static void take_or_look(int who)
{
    for (int i = 0; who > 0 && i < turns; i++)
        take_some();
    for (int i = 0; who == 0 && i < looks; i++)
        sim_check(yunta_deadlock_find(NULL, 0) == 0);
}

const sim_scene scene_deadlock = {.name = "deadlock",
                                  .setup = set_up,
                                  .begin = begin,
                                  .body = take_or_look,
                                  .processes = 4,
                                  .threads = 1,
                                  .newcomers = 1,
                                  .deaths = 1,
                                  .share = 60};
const sim_scene scene_deadlock_threads = {.name = "deadlock_threads",
                                          .setup = set_up,
                                          .begin = begin,
                                          .body = take_or_look,
                                          .processes = 2,
                                          .threads = 2,
                                          .share = 60};
