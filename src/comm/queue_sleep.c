/* How those who put, get or join wait: they spin while that pays, then sleep.
 * Never sleeps but by an eventcount of the queue's; a wake that came to the wrong one is passed on.
 * Next: sync/wait.h, eventcounts; comm/queue.c and comm/queue_store.c, what is tried. */
#include "comm/queue.h"
#include "shm/heap.h"
#include "sync/listen.h"

#define AWAY_RUN UINT64_C(4)        /* so many messages without a wait, and it is worth staying away */
#define AWAY_CELL_NS UINT64_C(8)    /* less than what a message takes */
#define AWAY_TRIAL_NS UINT64_C(400) /* in which several come from who sends as fast as it can */

static yn_event_shared *event_of(const yn_side *s, yunta_queue *q)
{
    return (yn_event_shared *)(void *)((char *)q + s->event);
}

static yn_pace_shared *pace_of(const yn_side *s, yunta_queue *q)
{
    return (yn_pace_shared *)(void *)((char *)q + s->pace);
}

/* Who has come up with those at the other end, or has met a rival, and looks again at once, takes from them the very
 * lines that they are about to write to, and has to give them back: each message then costs several ways of a line. So
 * it stays away for a moment, in which they get on undisturbed, and finds many cells at once; from then on both are at
 * work on lines of their own.
 *
 * Not so who waits for each message: it is an answer, or they come slowly. But that may be for having looked at once,
 * so now and then it stays away for less. Never for long enough to fill, or empty, the whole ring. */
static void stay_away(const yn_side *s, yn_turn *turn, yunta_queue *q)
{
    _Atomic uint64_t *waited = &pace_of(s, q)->waited;
    uint64_t position, most = yn_spin_ns(), now = yn_now_ns();
    yn_ring_shared *ring = s->place ? s->place(turn, q, &position) : NULL;
    if (!ring)
        return;
    uint64_t run = position - atomic_exchange_explicit(waited, position, memory_order_relaxed);
    uint64_t ns = ring->count * AWAY_CELL_NS < most ? ring->count * AWAY_CELL_NS : most;
    if (run < AWAY_RUN)
        ns = now / 64 % 16 != 0 ? 0 : ns < AWAY_TRIAL_NS ? ns : AWAY_TRIAL_NS;
    for (uint64_t end = now + ns; now < end; now = yn_now_ns())
        yn_pause();
}

/* ns that may be worth spinning. Large items take their writers and readers time, often less than a sleep would. */
static uint32_t most_patience(const yunta_queue *q)
{
    uint64_t usual = yn_spin_ns(), more = q->item_size / 4;
    return (uint32_t)(usual == 0 ? 0 : usual + (more < 9 * usual ? more : 9 * usual));
}

/* Spins for as long as that has been worth it lately. */
static bool spin(const yn_side *s, yn_turn *turn, yunta_queue *q)
{
    _Atomic uint32_t *patience = &pace_of(s, q)->patience;
    uint32_t most = most_patience(q), known = atomic_load_explicit(patience, memory_order_relaxed);
    uint32_t ns = known == 0 ? most : known, least = (uint32_t)yn_spin_ns() / 8;
    yn_spin clock = {0, 0};
    bool worth = false;
    stay_away(s, turn, q);
    while (!worth && yn_spin_more(&clock, ns))
        worth = s->is_worth_it(turn, q);
    uint32_t adapted = worth ? ns * 2 : ns / 2;
    adapted = adapted > most ? most : adapted < least ? least : adapted;
    if (adapted != known)
        atomic_store_explicit(patience, adapted, memory_order_relaxed);
    return worth;
}

void yn_queue_announce(yn_turn *turn, yunta_queue *q)
{
    if (YN_LIKELY(!turn->repaired))
        return;
    turn->repaired = false;
    yn_queue_tell_all(q);
}

static int attempt(const yn_side *s, yn_turn *turn, yunta_queue *q)
{
    int r = s->attempt(turn, q);
    yn_queue_announce(turn, q);
    return r;
}

/* We slept, and one wake may have stood for several messages (cells), or was meant for one that we have not taken, or
 * took the hint from before the eyes of who closed the queue: passes it on. */
static void pass_baton(const yn_side *s, yn_turn *turn, yunta_queue *q, int r)
{
    yn_turn look = {.me = turn->me};
    if (r != YN_RING_DONE || atomic_load(&q->closed) || s->is_more(&look, q))
        yn_event_notify_one(event_of(s, q));
    yn_queue_announce(&look, q);
}

/* No time is left, and there was nothing. */
static int give_up(const yn_side *s, yn_turn *turn, yunta_queue *q)
{
    bool described =
        s->event == offsetof(yunta_queue, filled) && atomic_load_explicit(&q->described, memory_order_relaxed);
    yn_listener_shared *descriptor = described ? yn_queue_quiet(turn->me, q) : NULL;
    int r = descriptor ? attempt(s, turn, q) : YN_RING_WAIT;
    if (r == YN_RING_WAIT) {
        (void)yn_heap_rest(turn->me); /* who only ever tries comes here */
        return -ETIMEDOUT;
    }
    yn_listener_ring(descriptor); /* there may be more */
    return r;
}

/* Who waits for long has the time to give memory back that a burst has left. */
static int sleep_on(yn_self *me, yn_event_shared *event, uint32_t key, yn_deadline deadline)
{
    for (;;) {
        yn_deadline rest = yn_heap_rest(me);
        uint64_t deaths = me->deaths;
        int r = yn_event_wait(me, event, key, rest < deadline ? rest : deadline);
        if (r != -ETIMEDOUT || rest >= deadline)
            return r;
        if (yn_event_key(event) != key || me->deaths != deaths)
            return 0; /* it is known here who has died, but not yet what that one had taken */
    }
}

int yn_queue_wait(const yn_side *s, yn_turn *turn, yunta_queue *q, yn_deadline deadline)
{
    yn_event_shared *event = event_of(s, q);
    bool slept = false;
    int r;
    for (;;) {
        bool worth = deadline != 0 && spin(s, turn, q);
        uint32_t key = yn_event_key(event);
        r = attempt(s, turn, q);
        if (r != YN_RING_WAIT)
            break;
        if (yn_deadline_left(deadline) == 0)
            return give_up(s, turn, q);
        if (worth) /* somebody else was faster */
            continue;
        yn_event_announce(event);
        yn_full_fence();
        r = attempt(s, turn, q);
        if (r != YN_RING_WAIT)
            break;
        if (atomic_load(&q->unswept))
            yn_chain_sweep(turn, q);
        atomic_fetch_add_explicit((_Atomic uint64_t *)(void *)((char *)q + s->waits), 1, memory_order_relaxed);
        r = sleep_on(turn->me, event, key, deadline);
        if (r == -ENOMEM)
            return r;
        slept = true;
    }
    if (slept)
        pass_baton(s, turn, q, r);
    return r;
}
