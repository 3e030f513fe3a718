/* The two worst moments for a death. A sleeper has looked at the owner, who lives. The owner dies, is declared dead,
 * every sleeper is nudged; only now does the sleeper write its seat; or it has written it, and only now falls asleep.
 *
 * This file brings its own copy of sync/wait.c, which stands still at exactly those points until the watch is through
 * with the death, and sleeps by the clock, whose limit ends what nothing else does: whoever then sleeps until his time
 * is over is lost, however fast or slow the machine is. With NUDGE_WAKE_ONLY defined before it, nudging wakes sleepers
 * without changing the word that they sleep on. The watch is a copy of this program, so it nudges by the same code. */
#ifndef YUNTA_NUDGE_SCENE_H
#define YUNTA_NUDGE_SCENE_H

#include "../proc/helpers.h"

#include "os/futex.h"
#include "proc/record.h"
#include "sync/wait.h"

#include <sched.h>

static int fall_asleep(_Atomic uint32_t *word, uint32_t expected, uint64_t ns);
static void before_seat(void);
#define yn_futex_wait(word, expected, ns) fall_asleep((word), (expected), (ns))
#define yn_tie_sleep(word, expected, tie, seen, deadline)                                                              \
    ((void)(word), (void)(expected), (void)(tie), (void)(seen), (void)(deadline), -ENOSYS)
#define yn_seat_get(me) (before_seat(), yn_seat_get(me))

#ifdef NUDGE_WAKE_ONLY /* nudge() has the one compare-and-swap of that file */
#undef atomic_compare_exchange_strong
#define atomic_compare_exchange_strong(word, expected, changed) ((void)(expected), (void)(changed))
#include "sync/wait.c"
#undef atomic_compare_exchange_strong
#define atomic_compare_exchange_strong(word, expected, changed)                                                        \
    atomic_compare_exchange_strong_explicit((word), (expected), (changed), memory_order_seq_cst, memory_order_seq_cst)
#else
#include "sync/wait.c"
#endif
#undef yn_futex_wait
#undef yn_tie_sleep
#undef yn_seat_get

enum moment { BEFORE_THE_SEAT, BEFORE_THE_SLEEP, BEFORE_THE_SECOND_SLEEP };

static yunta_process *doomed;    /* who is to die at the worst moment; NULL: sleep as ever */
static yunta_process *bystander; /* who dies at the first, when the owner dies at the second sleep */
static enum moment moment;       /* which one */
static bool is_told;             /* that was just now: the sleep that follows, if any, must end */
static int moments, lost;        /* how often that was, and how often nothing ended the sleep that followed */

/* Its slot is free again: declaring, nudging and clearing away are over. */
static bool is_cleared_away(yn_claim who)
{
    int error;
    yn_slot_shared *slot = yn_slot_at(&yn_self_get(&error)->arena->slots, yn_claim_slot(who));
    uint64_t word = atomic_load(&slot->word);
    return word >> 24 != who >> 24 || yn_slot_state_of(word) == YN_SLOT_FREE;
}

static void let_die(yunta_process **who)
{
    yunta_process *victim = *who;
    *who = NULL;
    moments++;
    kill(atomic_load(&victim->pid), SIGKILL);
    while (!is_cleared_away(atomic_load(&victim->who)))
        sched_yield();
    is_told = true;
}

static void before_seat(void)
{
    if (doomed && moment == BEFORE_THE_SEAT)
        let_die(&doomed);
}

static int fall_asleep(_Atomic uint32_t *word, uint32_t expected, uint64_t ns)
{
    if (bystander)
        let_die(&bystander);
    else if (doomed && moment != BEFORE_THE_SEAT)
        let_die(&doomed);
    int r = yn_futex_wait(word, expected, ns);
    lost += is_told && r == -ETIMEDOUT;
    is_told = false;
    return r;
}

/* Something that one process has and another one waits for. */
struct thing {
    yunta_lock *lock; /* one of the two */
    yunta_semaphore *semaphore;
    shared_word *taken;
};

static int take(const struct thing *thing, int milliseconds)
{
    return thing->lock ? yunta_lock_acquire(thing->lock, milliseconds)
                       : yunta_semaphore_acquire(thing->semaphore, milliseconds);
}

static int own(const struct thing *thing)
{
    expect(take(thing, 20000) == 0);
    atomic_store(thing->taken, 1);
    return sleep_for_ever();
}
YUNTA_ENTRY(own, struct thing);

static void owner_dies_at_the_worst_moment(const struct thing *thing)
{
    yunta_process *owner, *other = NULL;
    atomic_store(thing->taken, 0);
    start_by(YUNTA_FORK, &owner, own, thing);
    while (atomic_load(thing->taken) == 0)
        sched_yield();
    if (moment == BEFORE_THE_SECOND_SLEEP)
        start_by(YUNTA_FORK, &other, sleep_for_ever, NULL);
    int before = moments;
    doomed = owner;
    bystander = other;
    is_told = false;
    ck_assert_int_eq(take(thing, YUNTA_FOREVER), -EOWNERDEAD);
    ck_assert_int_eq(moments, before + (other ? 2 : 1));
    if (thing->lock) {
        ck_assert_int_eq(yunta_lock_mark_consistent(thing->lock), 0);
        ck_assert_int_eq(yunta_lock_release(thing->lock), 0);
    } else {
        ck_assert_int_eq(yunta_semaphore_release(thing->semaphore), 0);
    }
    yunta_process_destroy(owner);
    yunta_process_destroy(other);
}

/* In how many rounds the sleeper was left asleep. */
static int play(bool lock, enum moment when, int rounds)
{
    moment = when;
    struct thing thing = {.taken = new_word()};
    if (lock)
        ck_assert_int_eq(yunta_lock_create(&thing.lock), 0);
    else
        ck_assert_int_eq(yunta_semaphore_create(&thing.semaphore, NULL), 0);
    for (int i = 0; i < rounds; i++)
        owner_dies_at_the_worst_moment(&thing);
    yunta_lock_destroy(thing.lock);
    yunta_semaphore_destroy(thing.semaphore);
    yunta_shared_free(thing.taken);
    return lost;
}

#endif
