/* The lock's word after each step, by itself: who is woken, and which flags are kept. It must not need a second
 * process. Read next: test_lock_death.c; src/sync/lock.h. */
#include "test.h"

#include "os/futex.h"
#include "sync/waits.h"

#include <unistd.h>

static int wakes, woken; /* how often somebody was to be woken, and how many */
#define yn_futex_wake(word, sleepers) (wakes++, woken = (sleepers))

/* A swap may fail for no reason. */
static int failures; /* that are still to come */
static bool fails(uint64_t *found, uint64_t word)
{
    if (failures == 0)
        return false;
    failures--;
    *found = word;
    return true;
}
#undef atomic_compare_exchange_weak
#define atomic_compare_exchange_weak(word, found, to)                                                                  \
    (!fails((found), atomic_load(word)) && atomic_compare_exchange_strong((word), (found), (to)))
#undef atomic_compare_exchange_weak_explicit
#define atomic_compare_exchange_weak_explicit(word, found, to, won, lost)                                              \
    (!fails((found), atomic_load(word)) && atomic_compare_exchange_strong_explicit((word), (found), (to), won, lost))
#include "sync/lock.c"

static yn_self *self(void)
{
    int error;
    yn_self *me = yn_self_get(&error);
    ck_assert_ptr_nonnull(me);
    return me;
}

/* Of nobody, since no slot has come to that. */
static const yn_claim dead = UINT64_C(4711) << 24;

static uint64_t word_of(yunta_lock *lock)
{
    return atomic_load(&lock->word);
}

START_TEST(an_open_lock_is_all_zero)
{
    yunta_lock *lock;
    ck_assert_int_eq(yunta_lock_create(&lock), 0);
    ck_assert_int_eq(yunta_lock_acquire(lock, 0), 0);
    ck_assert_uint_eq(word_of(lock), self()->claim);
    ck_assert_int_eq(yunta_lock_release(lock), 0);
    ck_assert_uint_eq(word_of(lock), 0);
    ck_assert_int_eq(yn_lock_acquire(self(), lock, 0), 0);
    ck_assert_uint_eq(word_of(lock), self()->claim);
    ck_assert_int_eq(yn_lock_release(self(), lock), 0);
    ck_assert_uint_eq(word_of(lock), 0);
    ck_assert_int_eq(wakes, 0);
    yunta_lock_destroy(lock);
}
END_TEST

START_TEST(who_releases_wakes_one_or_leaves_it_broken_to_all)
{
    yunta_lock *lock;
    ck_assert_int_eq(yunta_lock_create(&lock), 0);
    for (int internal = 0; internal < 2; internal++) {
        atomic_store(&lock->word, self()->claim | YN_LOCK_WAITERS);
        ck_assert_int_eq(internal ? yn_lock_release(self(), lock) : yunta_lock_release(lock), 0);
        ck_assert_uint_eq(word_of(lock), 0);
        ck_assert_int_eq(wakes, 2 * internal + 1);
        ck_assert_int_eq(woken, 1);
        atomic_store(&lock->word, self()->claim | YN_LOCK_WAITERS | YN_LOCK_DIED);
        ck_assert_int_eq(internal ? yn_lock_release(self(), lock) : yunta_lock_release(lock), 0);
        ck_assert_uint_eq(word_of(lock), YN_LOCK_DIED);
        ck_assert_int_eq(wakes, 2 * internal + 2);
        ck_assert_int_eq(woken, YN_WAKE_ALL);
    }
    yunta_lock_destroy(lock);
}
END_TEST

/* Sleepers and listeners of the dead one's time are kept in mind. */
START_TEST(who_takes_it_from_the_dead_keeps_the_flags)
{
    yunta_lock *lock;
    ck_assert_int_eq(yunta_lock_create(&lock), 0);
    for (uint64_t listens = 0; listens <= YN_LOCK_LISTENS; listens += YN_LOCK_LISTENS) {
        atomic_store(&lock->word, dead | listens | YN_CLAIM_NUDGED);
        ck_assert_int_eq(yunta_lock_acquire(lock, 0), -EOWNERDEAD);
        ck_assert_uint_eq(word_of(lock), self()->claim | YN_LOCK_DIED | YN_LOCK_WAITERS | listens);
        failures = 2;
        ck_assert_int_eq(yunta_lock_mark_consistent(lock), 0);
        ck_assert_int_eq(failures, 0);
        ck_assert_uint_eq(word_of(lock), self()->claim | YN_LOCK_WAITERS | listens);
    }
    yunta_lock_destroy(lock);
}
END_TEST

/* The wake that who gives up may have had goes on: to a sleeper, if it is open; else by who releases. */
START_TEST(who_gives_up_passes_its_wake_on)
{
    yunta_lock *lock;
    ck_assert_int_eq(yunta_lock_create(&lock), 0);
    pass_on(lock);
    ck_assert_int_eq(wakes, 1);
    ck_assert_int_eq(woken, 1);
    ck_assert_uint_eq(word_of(lock), 0);
    for (uint64_t had = 0; had <= YN_LOCK_WAITERS; had += YN_LOCK_WAITERS) {
        atomic_store(&lock->word, self()->claim | had);
        failures = had ? 0 : 2;
        pass_on(lock);
        ck_assert_int_eq(failures, 0);
        ck_assert_int_eq(wakes, 1);
        ck_assert_uint_eq(word_of(lock), self()->claim | YN_LOCK_WAITERS);
    }
    yunta_lock_destroy(lock);
}
END_TEST

START_TEST(an_open_lock_is_had_by_who_only_tries)
{
    yunta_lock *lock;
    ck_assert_int_eq(yunta_lock_create(&lock), 0);
    failures = 3;
    ck_assert_int_eq(acquire_slow(self(), lock, 0, YN_WAITS_NOBODY), 0);
    ck_assert_int_eq(failures, 0);
    ck_assert_uint_eq(word_of(lock), self()->claim);
    yunta_lock_destroy(lock);
}
END_TEST

START_TEST(who_gives_it_back_to_the_dead_wakes_all)
{
    yunta_lock *lock;
    ck_assert_int_eq(yunta_lock_create(&lock), 0);
    atomic_store(&lock->word, self()->claim);
    yn_lock_give_back(lock, dead);
    ck_assert_uint_eq(word_of(lock), dead);
    ck_assert_int_eq(wakes, 0);
    atomic_store(&lock->word, self()->claim | YN_LOCK_WAITERS);
    yn_lock_give_back(lock, dead);
    ck_assert_uint_eq(word_of(lock), dead);
    ck_assert_int_eq(wakes, 1);
    ck_assert_int_eq(woken, YN_WAKE_ALL);
    yunta_lock_destroy(lock);
}
END_TEST

START_TEST(a_listener_is_announced_to_an_owner_only)
{
    yunta_lock *lock;
    ck_assert_int_eq(yunta_lock_create(&lock), 0);
    yn_lock_announce_listener(lock);
    ck_assert_uint_eq(word_of(lock), 0);
    atomic_store(&lock->word, self()->claim);
    for (int i = 0; i < 2; i++) {
        failures = i == 0 ? 2 : 0;
        yn_lock_announce_listener(lock);
        ck_assert_int_eq(failures, 0);
        ck_assert_uint_eq(word_of(lock), self()->claim | YN_LOCK_LISTENS);
    }
    yunta_lock_destroy(lock);
}
END_TEST

/* Which thread the owner is, as far as that was noted by this very owner. */
START_TEST(what_the_dead_had_noted_says_nothing)
{
    yunta_lock *lock;
    ck_assert_int_eq(yunta_lock_create(&lock), 0);
    yn_claim me = self()->claim, later = me + (UINT64_C(1) << 24);
    const uint64_t notes[] = {0, yn_lock_thread(me, 4711), yn_lock_thread(later, 4711), yn_lock_thread(me, 1)};
    static const uint64_t threads[] = {0, 4711, 0, 1};
    atomic_store(&lock->word, me | YN_LOCK_WAITERS);
    for (size_t i = 0; i < YN_COUNT(notes); i++) {
        yn_waiter waiter = {.object = lock};
        yn_waits_seen seen = {.waiter = &waiter, .waiters = 1};
        atomic_store(noted_thread(lock), notes[i]);
        ck_assert_int_eq(yn_lock_read_holder(self(), lock, &seen), 0);
        ck_assert_uint_eq(seen.holders, 1);
        ck_assert_uint_eq(seen.holder[0].process, me);
        ck_assert_uint_eq(seen.holder[0].thread, threads[i]);
        ck_assert_uint_eq(seen.holder[0].self, 0);
        seen.waiter = NULL;
        yn_waits_free(&seen);
    }
    yunta_lock_destroy(lock);
}
END_TEST

/* Noted by who has it, and gone before it is let go: by nobody else. */
START_TEST(who_takes_it_notes_its_thread)
{
    yunta_lock *lock;
    ck_assert_int_eq(yunta_lock_create(&lock), 0);
    _Atomic uint64_t *noted = noted_thread(lock);
    uint64_t mine = yn_lock_thread(self()->claim, (uint32_t)gettid());
    yn_lock_note_taken(self(), lock, -ETIMEDOUT);
    ck_assert_uint_eq(atomic_load(noted), 0);
    static const int had[] = {0, -EOWNERDEAD};
    for (size_t i = 0; i < YN_COUNT(had); i++) {
        ck_assert_int_eq(yn_lock_acquire(self(), lock, 0), 0);
        yn_lock_note_taken(self(), lock, had[i]);
        ck_assert_uint_eq(atomic_load(noted), mine);
        yn_lock_note_release(self(), lock);
        ck_assert_uint_eq(atomic_load(noted), 0);
        ck_assert_int_eq(yn_lock_release(self(), lock), 0);
    }
    atomic_store(noted, 5);
    yn_lock_note_release(self(), lock); /* it has it no more */
    ck_assert_uint_eq(atomic_load(noted), 5);
    atomic_store(noted, 0);
    ck_assert_int_eq(yunta_deadlock_trace(), 0);
    ck_assert_int_eq(yunta_lock_acquire(lock, 0), 0);
    ck_assert_uint_eq(atomic_load(noted), mine);
    ck_assert_int_eq(yunta_lock_release(lock), 0);
    ck_assert_uint_eq(atomic_load(noted), 0);
    ck_assert_int_eq(yunta_lock_release(lock), -EPERM);
    yunta_lock_destroy(lock);
}
END_TEST

/* Its owner has died before the seat said what is slept on: who sees that does not seem to sleep. */
START_TEST(who_does_not_fall_asleep_leaves_its_seat)
{
    yunta_lock *lock;
    ck_assert_int_eq(yunta_lock_create(&lock), 0);
    ck_assert_ptr_nonnull(yn_seat_get(self()));
    atomic_store(&lock->word, dead | YN_LOCK_WAITERS);
    ck_assert_int_eq(sleep_on(self(), lock, dead | YN_LOCK_WAITERS, YN_NEVER, YN_WAITS_LOCK), 0);
    ck_assert_ptr_null((void *)atomic_load(&self()->seat->word));
    yunta_lock_destroy(lock);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("lock, looking");
    TCase *cases = test_case(suite, "looking");
    tcase_add_test(cases, an_open_lock_is_all_zero);
    tcase_add_test(cases, who_releases_wakes_one_or_leaves_it_broken_to_all);
    tcase_add_test(cases, who_takes_it_from_the_dead_keeps_the_flags);
    tcase_add_test(cases, who_gives_up_passes_its_wake_on);
    tcase_add_test(cases, an_open_lock_is_had_by_who_only_tries);
    tcase_add_test(cases, who_gives_it_back_to_the_dead_wakes_all);
    tcase_add_test(cases, a_listener_is_announced_to_an_owner_only);
    tcase_add_test(cases, what_the_dead_had_noted_says_nothing);
    tcase_add_test(cases, who_takes_it_notes_its_thread);
    tcase_add_test(cases, who_does_not_fall_asleep_leaves_its_seat);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
