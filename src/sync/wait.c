/* Sleeping with a seat, so that a death reaches every sleeper; and eventcounts.
 * Never sleeps on a word that it has not written into its seat first.
 * Next: proc/watch.c, who nudges and holds the ties; sync/lock.c, the first user. */
#include "sync/wait.h"
#include "os/cpu.h"
#include "os/futex.h"
#include "sync/listen.h"

/* How often who sleeps looks whether the watch lives, where its sleep is not tied to that. */
static const uint64_t belt_ns = UINT64_C(1000000000);

YN_IN_CHILD int yn_wait_prepare(yn_self *me, _Atomic uint32_t *word, uint32_t expected, yn_nudge kind)
{
    yn_seat_shared *seat = yn_seat_get(me);
    uint64_t waits = me->waits;
    me->waits = 0;
    if (!seat)
        return -ENOMEM;
    atomic_fetch_add_explicit(&seat->turn, 1, memory_order_relaxed);
    yn_release_fence(); /* who sees any of what follows sees that it is being written */
    atomic_store_explicit(&seat->waits, waits, memory_order_relaxed);
    atomic_store_explicit(&seat->expected, expected, memory_order_relaxed);
    atomic_store_explicit(&seat->nudge, (uint32_t)kind, memory_order_relaxed);
    atomic_store_explicit(&seat->deaths, atomic_load(&me->arena->deaths), memory_order_relaxed);
    atomic_store_explicit(&seat->word, word, memory_order_relaxed);
    atomic_fetch_add(&seat->turn, 1); /* before we look: who reads the seat reads this first */
    return 0;
}

YN_IN_CHILD void yn_wait_cancel(yn_self *me)
{
    atomic_store_explicit(&me->seat->word, NULL, memory_order_relaxed);
    yn_release_fence(); /* who sees anything that we do from now on sees that we do not sleep */
}

YN_IN_CHILD static yn_tie_shared *tie_of(yn_self *me)
{
    return &me->arena->ties.tie[yn_claim_slot(me->claim) % YN_TIES];
}

/* That the tie is cut says at once that the watch was killed: once for each watch, since the next one needs a moment
 * until it holds it. Where there is no tie, a second tells. What we were about to sleep on is not in the seat any more,
 * if it says true. */
YN_IN_CHILD static bool look_after_watch(yn_self *me, uint32_t tie, bool is_due)
{
    if (me->looks || (yn_tie_holds(tie) && !is_due))
        return false;
    uint32_t generation = atomic_load(&me->arena->watch_generation);
    uint64_t now = yn_now_ns(), last = me->looked_ns;
    bool is_news = yn_tie_is_cut(tie) && me->mourned != generation;
    is_due = is_due || is_news || (last != 0 && now - last >= belt_ns);
    if (is_news)
        me->mourned = generation;
    if (is_due || last == 0)
        me->looked_ns = now;
    me->looks = true;
    if (is_due && yn_wait_up.check_watch)
        yn_wait_up.check_watch(me);
    me->looks = false;
    return is_due;
}

/* Another second has passed: perhaps nobody is left who could end it. While the seat still says what we wait for. */
static void look_for_deadlock(yn_self *me)
{
    uint32_t most = atomic_load_explicit(&me->arena->overdue_naps, memory_order_relaxed);
    if (most == 0 || me->naps == UINT32_MAX)
        return;
    me->naps++;
    if (me->naps >= most && yn_wait_up.overdue && yn_wait_up.overdue(me))
        me->naps = UINT32_MAX; /* it has been told */
}

/* No longer than a second: then it is looked whether the watch lives. */
YN_IN_CHILD static int sleep_by_the_clock(yn_self *me, _Atomic uint32_t *word, uint32_t expected, uint64_t left)
{
    uint64_t nap = left < belt_ns ? left : belt_ns;
    int r = yn_futex_wait(word, expected, nap);
    bool in_vain = r == -ETIMEDOUT && nap < left;
    look_after_watch(me, atomic_load(&tie_of(me)->word), in_vain);
    if (in_vain)
        look_for_deadlock(me);
    else
        me->naps = 0;
    return in_vain ? 0 : r;
}

/* As long as it takes: the death of the watch ends it. The kernel wakes one of those who sleep on the same tie: so the
 * others are woken first of all, since they would have nobody else if we were killed now. Then we look, since our
 * caller may have what it waited for, and never sleep again. */
YN_IN_CHILD static int sleep_tied(yn_self *me, _Atomic uint32_t *word, uint32_t expected, uint32_t seen,
                                  yn_deadline deadline)
{
    yn_tie_shared *tie = tie_of(me);
    int r = yn_tie_sleep(word, expected, tie, seen, deadline);
    uint32_t now = atomic_load(&tie->word);
    if (YN_UNLIKELY(yn_tie_is_cut(now))) {
        yn_futex_wake(&tie->word, YN_WAKE_ALL);
        look_after_watch(me, now, false);
    }
    return r;
}

YN_IN_CHILD static int sleep_in_seat(yn_self *me, yn_deadline deadline, uint64_t left)
{
    yn_seat_shared *seat = me->seat;
    _Atomic uint32_t *word = atomic_load_explicit(&seat->word, memory_order_relaxed);
    uint32_t expected = atomic_load_explicit(&seat->expected, memory_order_relaxed);
    uint32_t tie = atomic_load(&tie_of(me)->word);
    if (yn_tie_is_cut(tie) && me->mourned != atomic_load(&me->arena->watch_generation) &&
        look_after_watch(me, tie, false))
        return 0;
    bool counts_naps = atomic_load_explicit(&me->arena->overdue_naps, memory_order_relaxed) != 0;
    int r = -ENOSYS;
    if (left > belt_ns && !counts_naps && yn_tie_holds(tie)) /* a shorter one ends by itself */
        r = sleep_tied(me, word, expected, tie, deadline);
    return r == -ENOSYS ? sleep_by_the_clock(me, word, expected, left) : r;
}

YN_IN_CHILD int yn_wait_commit(yn_self *me, yn_deadline deadline)
{
    uint64_t left = yn_deadline_left(deadline);
    int r = left > 0 ? sleep_in_seat(me, deadline, left) : -ETIMEDOUT;
    yn_wait_cancel(me);
    return r;
}

/* The caller has looked before our seat was written. Who was declared dead in between has nudged nobody here, so after
 * any death since the last time he has to look once more. */
YN_IN_CHILD int yn_wait_on(yn_self *me, _Atomic uint32_t *word, uint32_t expected, yn_deadline deadline)
{
    int r = yn_wait_prepare(me, word, expected, YN_NUDGE_COUNT);
    if (r != 0)
        return r;
    uint64_t deaths = atomic_load(&me->arena->deaths);
    if (deaths == me->deaths)
        return yn_wait_commit(me, deadline);
    me->deaths = deaths;
    yn_wait_cancel(me);
    return 0;
}

void yn_wait_announce_change(_Atomic uint32_t *word)
{
    atomic_fetch_add(word, 1);
    yn_futex_wake(word, YN_WAKE_ALL);
}

/* From exactly the value slept on: a word that has changed since keeps nobody asleep, and may be somebody else's by
 * now. Who has sat down when these deaths had been counted has looked since: were it woken all the same, all who sleep
 * on one word would be woken for each of them. */
static uint32_t nudge(yn_seat_shared *seat, uint64_t deaths)
{
    uint32_t turn = atomic_load(&seat->turn);
    _Atomic uint32_t *word = atomic_load(&seat->word);
    uint32_t expected = atomic_load(&seat->expected);
    uint32_t kind = atomic_load(&seat->nudge);
    bool knows = atomic_load(&seat->deaths) >= deaths;
    if (!word || turn % 2 != 0 || atomic_load(&seat->turn) != turn || knows)
        return 0; /* its thread is awake, and will look after it has written; or it has looked */
    uint32_t changed = kind == YN_NUDGE_CLAIM ? expected | (uint32_t)YN_CLAIM_NUDGED : expected + 1;
    atomic_compare_exchange_strong(word, &expected, changed);
    yn_futex_wake(word, YN_WAKE_ALL);
    return 1;
}

uint32_t yn_wait_nudge_all(yn_arena_shared *arena)
{
    yn_slot_table_shared *table = &arena->slots;
    uint64_t deaths = atomic_load(&arena->deaths);
    uint32_t used = atomic_load(&table->used), nudged = 0;
    for (uint32_t i = 0; i < used; i++) {
        yn_slot_shared *slot = yn_slot_below_used(table, i);
        yn_slot_state state = yn_slot_state_of(atomic_load(&slot->word));
        if (state != YN_SLOT_LIVE && state != YN_SLOT_STARTING)
            continue;
        nudged += nudge(&slot->seat, deaths);
        for (yn_seat_shared *seat = atomic_load(&slot->seats); seat; seat = atomic_load(&seat->next))
            nudged += nudge(seat, deaths);
    }
    yn_full_fence(); /* no hint says that somebody listens: its place stands, or it looks later and sees the deaths */
    yn_listen_tell(arena, &arena->deaths, true);
    return nudged;
}

YN_IN_CHILD int yn_event_wait(yn_self *me, yn_event_shared *event, uint32_t key, yn_deadline deadline)
{
    int r = yn_wait_on(me, &event->sequence, key, deadline);
    /* Others may sleep still: the notifier that woke us took the hint away. */
    atomic_fetch_or(&event->waiters, YN_EVENT_SLEEPS);
    return r;
}

YN_IN_CHILD void yn_event_wake(yn_event_shared *event, int sleepers)
{
    uint32_t hint = atomic_exchange(&event->waiters, 0);
    atomic_fetch_add(&event->sequence, 1);
    yn_futex_wake(&event->sequence, sleepers);
    if (YN_UNLIKELY(hint & YN_EVENT_LISTENS))
        yn_listen_tell(yn_self_arena(), event, false);
}

uint64_t yn_spin_ns(void)
{
    return yn_cpu_count_known() > 1 ? 3000 : 0;
}

bool yn_spin_apart(yn_spin *spin, uint64_t ns)
{
    if (ns == 0)
        return false;
    uint64_t now = yn_now_ns();
    if (spin->end == 0)
        *spin = (yn_spin){now + ns, YN_SPIN_APART_NS / 4};
    if (now >= spin->end)
        return false;
    uint64_t next = now + spin->count;
    spin->count = spin->count < YN_SPIN_APART_NS ? spin->count * 2 : YN_SPIN_APART_NS;
    do {
        yn_pause();
    } while (yn_now_ns() < next);
    return true;
}

/* Longer than waking a sleeper on another processor takes. */
#define PROBE_NS 40000u

static bool is_power_of_two(uint32_t n)
{
    return (n & (n - 1)) == 0;
}

uint32_t yn_patience_ns(const yn_patience_shared *patience)
{
    uint32_t most = (uint32_t)yn_spin_ns(), ns = atomic_load_explicit(&patience->ns, memory_order_relaxed);
    uint32_t misses = atomic_load_explicit(&patience->misses, memory_order_relaxed);
    uint32_t waker = atomic_load_explicit(&patience->waker, memory_order_relaxed);
    if (most == 0 || (waker != 0 && waker == yn_processor()))
        return 0;
    if (misses >= 32 && is_power_of_two(misses))
        return PROBE_NS;
    return ns == 0 || ns > most ? most : ns;
}

void yn_patience_note(yn_patience_shared *patience, bool was_worth_it)
{
    uint32_t most = (uint32_t)yn_spin_ns(), ns = atomic_load_explicit(&patience->ns, memory_order_relaxed);
    uint32_t misses = atomic_load_explicit(&patience->misses, memory_order_relaxed);
    uint32_t adapted = was_worth_it ? most : ns / 2 > most / 8 ? ns / 2 : most / 8;
    if (adapted != ns)
        atomic_store_explicit(&patience->ns, adapted, memory_order_relaxed);
    if (!was_worth_it)
        atomic_store_explicit(&patience->misses, misses + 1, memory_order_relaxed);
    else if (misses != 0)
        atomic_store_explicit(&patience->misses, 0, memory_order_relaxed);
}

void yn_patience_wake(yn_patience_shared *patience, yn_event_shared *event)
{
    uint32_t here = yn_processor();
    if (atomic_load_explicit(&patience->waker, memory_order_relaxed) != here)
        atomic_store_explicit(&patience->waker, here, memory_order_relaxed);
    yn_event_wake(event, 1);
}
