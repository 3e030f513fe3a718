/* The lock, and its public face.
 * Never spins without a bound, never repairs but by one compare-and-swap from exactly the state found.
 * Next: sync/README.md for the invariants; sync/wait.c. */
#include "sync/lock.h"
#include "os/futex.h"
#include "shm/heap.h"
#include "sync/listen.h"
#include "sync/waits.h"

/* One look at the word: takes the lock if that can be. 1: not yet. */
static int try_take(yn_self *me, struct yunta_lock *lock, uint64_t *word, uint64_t extra)
{
    uint64_t owner = yn_claim_who(*word);
    if (owner == 0 && (*word & YN_LOCK_DIED))
        return YUNTA_EBROKEN;
    if (owner == 0) {
        if (atomic_compare_exchange_weak_explicit(&lock->word, word, me->claim | extra, memory_order_acquire,
                                                  memory_order_relaxed))
            return 0;
        return 1;
    }
    if (yn_claim_is_alive(&me->arena->slots, owner))
        return 1;
    /* Its owner is dead. Others may sleep: keep them in mind. */
    if (atomic_compare_exchange_strong(&lock->word, word,
                                       me->claim | YN_LOCK_DIED | YN_LOCK_WAITERS | (*word & YN_LOCK_LISTENS)))
        return -EOWNERDEAD;
    return 1;
}

/* Goes to sleep on the word as it is now, with the waiters' flag set and the nudge cleared. 0: look again. */
static int sleep_on(yn_self *me, struct yunta_lock *lock, uint64_t word, yn_deadline deadline, yn_waits kind)
{
    uint64_t asleep = (word | YN_LOCK_WAITERS) & ~YN_CLAIM_NUDGED;
    if (asleep != word && !atomic_compare_exchange_strong(&lock->word, &word, asleep))
        return 0;
    if (kind != YN_WAITS_NOBODY)
        yn_wait_for(me, lock, kind, deadline);
    int r = yn_wait_prepare(me, yn_claim_futex(&lock->word), (uint32_t)asleep, YN_NUDGE_CLAIM);
    if (r != 0)
        return r;
    /* Only now look at the owner: if it was declared dead before the seat was written, nobody will nudge us. */
    if (atomic_load(&lock->word) != asleep || !yn_claim_is_alive(&me->arena->slots, yn_claim_who(asleep))) {
        yn_wait_cancel(me);
        return 0;
    }
    return yn_wait_commit(me, deadline);
}

/* We give up after having slept: the wake that we may have eaten goes on to the next sleeper, or to whoever releases
 * next. */
static void pass_on(struct yunta_lock *lock)
{
    uint64_t word = atomic_load(&lock->word);
    while (yn_claim_who(word) != 0 && !(word & YN_LOCK_WAITERS)) {
        if (atomic_compare_exchange_weak(&lock->word, &word, word | YN_LOCK_WAITERS))
            return;
    }
    if (yn_claim_who(word) == 0)
        yn_futex_wake(yn_claim_futex(&lock->word), 1);
}

static YN_NOINLINE int acquire_slow(yn_self *me, struct yunta_lock *lock, yn_deadline deadline, yn_waits kind)
{
    yn_spin spin = {0, 0};
    uint64_t extra = 0; /* once we have slept, others may still */
    for (;;) {
        /* Acquires: else its owner's slot might be seen as it was before that one began to live. */
        uint64_t word = atomic_load_explicit(&lock->word, memory_order_acquire);
        int r = try_take(me, lock, &word, extra);
        if (r != 1)
            return r;
        if (yn_claim_who(word) == 0 || yn_spin_apart(&spin, deadline == 0 ? 0 : yn_spin_ns()))
            continue;
        if (yn_deadline_left(deadline) == 0) {
            if (extra)
                pass_on(lock);
            return -ETIMEDOUT;
        }
        r = sleep_on(me, lock, word, deadline, kind);
        if (r != 0 && r != -ETIMEDOUT)
            return r;
        extra = YN_LOCK_WAITERS;
        spin = (yn_spin){0, 0};
    }
}

int yn_lock_acquire_as(yn_self *me, struct yunta_lock *lock, yn_deadline deadline, yn_waits kind)
{
    uint64_t open = 0;
    if (YN_LIKELY(atomic_compare_exchange_strong_explicit(&lock->word, &open, me->claim, memory_order_acquire,
                                                          memory_order_relaxed)))
        return 0;
    return acquire_slow(me, lock, deadline, kind);
}

int yn_lock_acquire(yn_self *me, struct yunta_lock *lock, yn_deadline deadline)
{
    return yn_lock_acquire_as(me, lock, deadline, YN_WAITS_NOBODY);
}

int yn_lock_acquire_inside(yn_self *me, struct yunta_lock *lock, yn_deadline deadline)
{
    enum { OTHERS_MS = 200 };
    int r = yn_lock_acquire(me, lock, 0);
    if (YN_LIKELY(r != -ETIMEDOUT))
        return r;
    yn_deadline least = yn_deadline_in(OTHERS_MS);
    return yn_lock_acquire(me, lock, deadline > least ? deadline : least);
}

/* What the word said of those who wait. */
static YN_NOINLINE void tell_of_release(struct yunta_lock *lock, uint64_t word, int sleepers)
{
    if (word & YN_LOCK_WAITERS)
        yn_futex_wake(yn_claim_futex(&lock->word), sleepers);
    if (word & YN_LOCK_LISTENS) {
        yn_acquire_fence(); /* with who set it: its place was written before, and letting go only releases */
        yn_listen_tell(yn_self_arena(), lock, false);
    }
}

int yn_lock_release(yn_self *me, struct yunta_lock *lock)
{
    uint64_t word = atomic_load_explicit(&lock->word, memory_order_relaxed);
    if (YN_UNLIKELY(yn_claim_who(word) != me->claim))
        return -EPERM;
    uint64_t left = word & YN_LOCK_DIED; /* released without being marked consistent: broken */
    word = atomic_exchange_explicit(&lock->word, left, memory_order_release);
    if (YN_UNLIKELY(word & (YN_LOCK_WAITERS | YN_LOCK_LISTENS)))
        tell_of_release(lock, word, left ? YN_WAKE_ALL : 1);
    return 0;
}

/* All sleepers look again: one alone might give up instead of taking it, and nobody lives who would wake the next. */
void yn_lock_give_back(struct yunta_lock *lock, yn_claim dead)
{
    uint64_t word = atomic_exchange(&lock->word, dead);
    tell_of_release(lock, word, YN_WAKE_ALL);
}

/* By a swap even if another has set it already: a word that is only read may have been let go, and told of, before. */
void yn_lock_announce_listener(struct yunta_lock *lock)
{
    uint64_t word = atomic_load(&lock->word);
    while (yn_claim_who(word) != 0 && !atomic_compare_exchange_weak(&lock->word, &word, word | YN_LOCK_LISTENS)) {
    }
}

int yn_lock_mark_consistent(yn_self *me, struct yunta_lock *lock)
{
    uint64_t word = atomic_load(&lock->word);
    if (yn_claim_who(word) != me->claim)
        return -EPERM;
    if (!(word & YN_LOCK_DIED))
        return -EINVAL;
    while (!atomic_compare_exchange_weak(&lock->word, &word, word & ~YN_LOCK_DIED)) {
    }
    return 0;
}

static _Atomic uint64_t *noted_thread(struct yunta_lock *lock)
{
    return &((yn_noted_lock_shared *)lock)->thread;
}

void yn_lock_note_taken(yn_self *me, struct yunta_lock *lock, int r)
{
    yn_seat_shared *seat = r == 0 || r == -EOWNERDEAD ? yn_seat_get(me) : NULL;
    if (seat)
        atomic_store(noted_thread(lock), yn_lock_thread(me->claim, atomic_load(&seat->thread)));
}

void yn_lock_note_release(yn_self *me, struct yunta_lock *lock)
{
    if (yn_claim_who(atomic_load(&lock->word)) == me->claim)
        atomic_store(noted_thread(lock), 0);
}

int yn_lock_read_holder(yn_self *me, const void *object, yn_waits_seen *seen)
{
    struct yunta_lock *lock = (struct yunta_lock *)(uintptr_t)object;
    yn_claim owner = yn_claim_who(atomic_load(&lock->word));
    uint64_t noted = atomic_load(noted_thread(lock)), thread = noted & YN_LOCK_THREAD_MASK;
    if (noted != yn_lock_thread(owner, (uint32_t)thread))
        thread = 0; /* nobody has noted it, or one who is dead */
    return yn_waits_add_holder(me, seen, (yn_holder){.process = owner, .thread = thread});
}

int yunta_lock_create(yunta_lock **lock)
{
    int r = lock ? 0 : -EINVAL;
    yn_self *me = r == 0 ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    void *block;
    r = yn_heap_alloc_zeroed(me, &block, sizeof(yn_noted_lock_shared), YN_CACHE_LINE);
    if (r == 0)
        *lock = block;
    return r;
}

yunta_lock *yunta_lock_destroy(yunta_lock *lock)
{
    int r;
    yn_self *me = lock ? yn_self_get(&r) : NULL;
    if (me)
        yn_heap_free(me, lock);
    return NULL;
}

static YN_NOINLINE int acquire_as_member(yunta_lock *lock, int milliseconds)
{
    int r = -EINVAL;
    yn_self *me = lock ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    r = yn_lock_acquire_as(me, lock, yn_deadline_in(milliseconds), YN_WAITS_LOCK);
    if (yn_lock_is_to_be_noted())
        yn_lock_note_taken(me, lock, r);
    return r;
}

/* An open lock is the process's by one swap: it needs no thread's self, and no frame. Each of the two functions lies in
 * one cache line of code: two processor cycles less for a pair, of nineteen. */
YN_ALIGNED(YN_CACHE_LINE) int yunta_lock_acquire(yunta_lock *lock, int milliseconds)
{
    yn_claim me = yn_self_brief();
    uint64_t open = 0;
    if (YN_LIKELY(lock && me != 0) && YN_LIKELY(atomic_compare_exchange_strong_explicit(
                                          &lock->word, &open, me, memory_order_acquire, memory_order_relaxed)))
        return 0;
    return acquire_as_member(lock, milliseconds);
}

int yunta_lock_mark_consistent(yunta_lock *lock)
{
    int r = -EINVAL;
    yn_self *me = lock ? yn_self_get(&r) : NULL;
    return me ? yn_lock_mark_consistent(me, lock) : r;
}

static YN_NOINLINE int release_as_member(yunta_lock *lock)
{
    int r = -EINVAL;
    yn_self *me = lock ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    if (yn_lock_is_to_be_noted())
        yn_lock_note_release(me, lock);
    return yn_lock_release(me, lock);
}

YN_ALIGNED(YN_CACHE_LINE) int yunta_lock_release(yunta_lock *lock)
{
    yn_claim me = yn_self_brief();
    if (YN_UNLIKELY(!lock || me == 0 || atomic_load_explicit(&lock->word, memory_order_relaxed) != me))
        return release_as_member(lock);
    uint64_t word = atomic_exchange_explicit(&lock->word, 0, memory_order_release);
    if (YN_UNLIKELY(word & (YN_LOCK_WAITERS | YN_LOCK_LISTENS)))
        tell_of_release(lock, word, 1);
    return 0;
}

bool yunta_lock_is_held(const yunta_lock *lock)
{
    return lock && yn_claim_who(atomic_load(&lock->word)) != 0;
}
