/* Condition and event in the simulator.
 * A notification must reach somebody, also past waiters that are killed; a set that was cleared at once must have been
 * seen by those who waited.
 * Next: scene_barrier.c. */
#include "scenes.h"

#include <yunta/condition.h>

enum { makers = 2, tokens_each = 3 };

static yunta_lock *lock;
static yunta_condition *changed;
static yunta_event *event;
static int tokens, made, taken;
static bool is_through[SIM_THREADS];
static bool wakes_all;
static sim_datum guarded;

static void set_up(void)
{
    sim_check(yunta_lock_create(&lock) == 0);
    sim_check(yunta_condition_create(&changed) == 0);
    sim_check(yunta_event_create(&event) == 0);
}

static void begin(void)
{
    tokens = made = taken = 0;
    memset(is_through, 0, sizeof is_through);
    wakes_all = sim_one_in(3);
    guarded = (sim_datum){0};
}

/* A maker is done, or all may know that it is dead. */
static bool no_more_will_come(void)
{
    for (int who = 0; who < makers; who++)
        if (!is_through[who] && !sim_was_declared(who + 1) &&
            yn_claim_is_alive(&sim_me()->arena->slots, sim_self_of(who)->claim))
            return false;
    return true;
}

static bool there_is_something(void *unused)
{
    (void)unused;
    sim_datum_read(&guarded);
    sim_point();
    return tokens > 0 || no_more_will_come();
}

static void notify(bool all)
{
    sim_check((all ? yunta_condition_notify_all(changed) : yunta_condition_notify(changed)) == 0);
}

static void take_lock(void)
{
    int r = yunta_lock_acquire(lock, YUNTA_FOREVER);
    if (r == -EOWNERDEAD)
        r = yunta_lock_mark_consistent(lock);
    sim_check(r == 0);
}

static void make_tokens(int who)
{
    for (int i = 0; i < tokens_each; i++) {
        bool inside = sim_one_in(2);
        take_lock();
        sim_point();
        sim_datum_write(&guarded);
        tokens++;
        made++;
        if (inside)
            notify(wakes_all);
        sim_check(yunta_lock_release(lock) == 0);
        if (!inside)
            notify(wakes_all);
    }
    take_lock();
    is_through[who] = true;
    sim_check(yunta_lock_release(lock) == 0);
    notify(true);
}

static void take_tokens(int who)
{
    (void)who;
    take_lock();
    for (;;) {
        int limit = sim_one_in(5) ? (int)sim_below(3) : YUNTA_FOREVER;
        int r = yunta_condition_wait_for(changed, lock, there_is_something, NULL, limit);
        if (r == -ETIMEDOUT) {
            sim_check(limit != YUNTA_FOREVER);
            continue;
        }
        if (r == -EOWNERDEAD) {
            sim_check(sim_deaths() > 0);
            sim_check(yunta_lock_mark_consistent(lock) == 0);
            continue;
        }
        sim_check(r == 0);
        if (tokens == 0)
            break;
        sim_datum_write(&guarded);
        tokens--;
        taken++;
        sim_check(yunta_lock_release(lock) == 0);
        sim_point();
        take_lock();
    }
    sim_check(yunta_lock_release(lock) == 0);
}

static void make_or_take(int who)
{
    if (who < makers)
        make_tokens(who);
    else
        take_tokens(who);
}

static void check_tokens(void)
{
    bool some_taker = false;
    sim_check(made == taken + tokens);
    for (int p = makers + 1; p <= 4; p++)
        some_taker |= !sim_is_dead(p);
    sim_check(tokens == 0 || !some_taker);
}

/* Event: thread 0 sets, the others wait. */
static bool owed[SIM_THREADS], is_waiting[SIM_THREADS];
static bool clears;
static sim_datum before_it; /* what the setter did before it set the event for the first time */

static void begin_event(void)
{
    memset(owed, 0, sizeof owed);
    memset(is_waiting, 0, sizeof is_waiting);
    clears = sim_one_in(2);
    before_it = (sim_datum){0};
}

static void note_who_sleeps(void)
{
    for (int who = 1; who < 4; who++)
        owed[who] |= is_waiting[who] && sim_thread_is_asleep(who);
}

static void set_or_wait(int who)
{
    for (int i = 0; i < 2; i++) {
        if (who == 0) {
            if (i == 0)
                sim_datum_write(&before_it);
            note_who_sleeps();
            sim_check(yunta_event_set(event) == 0);
            if (clears)
                sim_check(yunta_event_clear(event) == 0);
            continue;
        }
        if (yunta_event_is_set(event))
            sim_datum_read(&before_it);
        int limit = sim_one_in(4) ? (int)sim_below(3) : YUNTA_FOREVER;
        is_waiting[who] = true;
        int r = yunta_event_wait(event, limit);
        sim_check(r == 0 || (r == -ETIMEDOUT && limit != YUNTA_FOREVER));
        is_waiting[who] = owed[who] = false;
        if (r == 0)
            sim_datum_read(&before_it);
    }
}

/* Who began to wait after the last clear, or after the setter's death, may wait; not so who slept when it was set. */
static bool set_again(void)
{
    if (yunta_event_is_set(event))
        return false;
    for (int who = 1; who < 4; who++)
        if (owed[who] && is_waiting[who] && !sim_thread_is_over(who) && !sim_is_dead(1))
            return false;
    return yunta_event_set(event) == 0;
}

static void check_event(void)
{
    if (!clears && !sim_is_dead(1))
        sim_check(yunta_event_is_set(event));
    sim_check(yunta_event_clear(event) == 0 && yunta_event_wait(event, 0) == -ETIMEDOUT);
}

/* Event, as a sign that there is work: who takes it clears the event before it looks, who puts it sets the event after.
 */
static _Atomic uint32_t *work; /* how much has been put */
enum { works = 3 };

uint32_t __tsan_atomic32_load(const volatile uint32_t *at, int order);
uint32_t __tsan_atomic32_fetch_add(volatile uint32_t *at, uint32_t value, int order);

static void set_up_work(void)
{
    set_up();
    work = yn_heap_alloc(sim_me(), sizeof *work, 0);
    sim_check(work != NULL);
    *work = 0;
}

static void put_or_take_work(int who)
{
    volatile uint32_t *at = (volatile uint32_t *)(uintptr_t)work;
    for (int i = 0; who > 0 && i < works; i++) {
        __tsan_atomic32_fetch_add(at, 1, __ATOMIC_SEQ_CST);
        sim_check(yunta_event_set(event) == 0);
    }
    while (who == 0 && __tsan_atomic32_load(at, __ATOMIC_SEQ_CST) < 2 * works) {
        sim_check(yunta_event_wait(event, YUNTA_FOREVER) == 0);
        sim_check(yunta_event_clear(event) == 0);
    }
}

const sim_scene scene_event_work = {
    .name = "event_work", .setup = set_up_work, .body = put_or_take_work, .processes = 3, .threads = 1, .share = 30};
const sim_scene scene_condition = {.name = "condition",
                                   .setup = set_up,
                                   .begin = begin,
                                   .body = make_or_take,
                                   .check = check_tokens,
                                   .processes = 4,
                                   .threads = 1,
                                   .deaths = 2,
                                   .share = 80};
const sim_scene scene_event = {.name = "event",
                               .setup = set_up,
                               .begin = begin_event,
                               .body = set_or_wait,
                               .rescue = set_again,
                               .check = check_event,
                               .processes = 4,
                               .threads = 1,
                               .deaths = 1,
                               .share = 50};
