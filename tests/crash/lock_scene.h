/* Who takes part in test_lock_kill.c: the victim, a rival asleep behind it, a holder before it, and one who is dead. */
#ifndef YUNTA_LOCK_SCENE_H
#define YUNTA_LOCK_SCENE_H

#include "actors.h"

#include "sync/lock.c"
#include "sync/semaphore.c"

enum { NO_BARGER, BARGED, TOO_LATE, RIVAL_WOKEN, RIVAL_LOST };

/* In memory that all see: the test, the victim, a rival asleep behind it, a holder before it, and one who is dead. */
struct scene {
    const struct act *act;
    yunta_lock *lock; /* one of the two */
    yunta_semaphore *semaphore;
    int units;
    _Atomic pid_t victim_pid, rival_pid, holder_pid, barger_pid;
    _Atomic yn_claim victim, rival, holder, dead, other;
    _Atomic int stage;                     /* of the victim */
    _Atomic int go, over;                  /* the rival may begin; the holder must let go, whatever the victim does */
    _Atomic int rival_result, rival_ended; /* what it was told */
    _Atomic int victim_result;
    _Atomic int barger; /* one who takes it before the victim can, and how far it is */
    step_range memory[STEP_RANGES];
};

typedef struct act {
    const char *name;
    int semaphore;    /* 0: a lock; else one with owned (1) or unowned units (2) */
    int units;        /* that it has */
    bool after_death; /* somebody has died with the lock, or with a unit */
    int holder;       /* there is one before the victim: lets go when the victim sleeps (1), or in the end (2) */
    bool rival;       /* there is one asleep behind it */
    void (*before)(scene *s);                     /* by the victim, not stepped */
    void (*run)(scene *s);                        /* by the victim */
    void (*meanwhile)(void *context, long point); /* by us, while the victim stands still */
    void (*judge)(scene *s);                      /* when all is over */
} act;

#define must(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            ck_abort_msg("%s, %s:%d: %s", s->act->name, __FILE__, __LINE__, #condition);                               \
    } while (0)

static int take(scene *s, int milliseconds)
{
    return s->lock ? yunta_lock_acquire(s->lock, milliseconds) : yunta_semaphore_acquire(s->semaphore, milliseconds);
}

static int give(scene *s)
{
    return s->lock ? yunta_lock_release(s->lock) : yunta_semaphore_release(s->semaphore);
}

static void be_dead(scene *s)
{
    int r = take(s, 0);
    _exit(r == 0 ? 0 : 1);
}

static void be_holder(scene *s)
{
    if (take(s, 0) != 0)
        _exit(1);
    atomic_store(&s->go, 1);
    while (!atomic_load(&s->over) &&
           (s->act->holder == 2 || !is_asleep(atomic_load(&s->victim_pid), atomic_load(&s->victim))))
        test_nap();
    if (give(s) != 0)
        _exit(1);
    await(&s->over); /* its own death would wake the rival */
}

static void be_rival(scene *s)
{
    await(&s->go);
    int r = take(s, YUNTA_FOREVER);
    if (r == -EOWNERDEAD && s->lock)
        yunta_lock_mark_consistent(s->lock);
    if (r != YUNTA_EBROKEN && give(s) != 0)
        _exit(1);
    atomic_store(&s->rival_result, r);
    atomic_store(&s->rival_ended, 1);
}

/* Takes what the victim has been woken for, lets it go when the victim has given up, and looks whether the rival gets
 * it while all are alive. */
static void be_barger(scene *s)
{
    bool taken = take(s, 0) == 0;
    atomic_store(&s->barger, taken ? BARGED : TOO_LATE);
    if (!taken)
        return;
    while (atomic_load(&s->victim_result) > 0)
        test_nap();
    give(s);
    for (uint64_t end = test_now_ms() + 5000; !atomic_load(&s->rival_ended) && test_now_ms() < end;)
        test_nap();
    atomic_store(&s->barger, atomic_load(&s->rival_ended) ? RIVAL_WOKEN : RIVAL_LOST);
}

static void await_rival_asleep(scene *s)
{
    while (s->act->rival && !is_asleep(atomic_load(&s->rival_pid), atomic_load(&s->rival)))
        test_nap();
}

static void must_be_declared_dead(scene *s, _Atomic yn_claim *who)
{
    must(is_soon_declared_dead(atomic_load(who)));
}

static void leave_a_dead_one(scene *s)
{
    pid_t pid = fork_member(s, &s->dead, be_dead);
    must(ended_well(pid));
    must_be_declared_dead(s, &s->dead);
}

static void make_thing(scene *s)
{
    s->lock = NULL;
    s->semaphore = NULL;
    yunta_semaphore_options options = {.initial = (uint32_t)s->act->units, .unowned = s->act->semaphore == 2};
    if (s->act->semaphore)
        must(yunta_semaphore_create(&s->semaphore, &options) == 0);
    else
        must(yunta_lock_create(&s->lock) == 0);
}

#endif
