/* Who we are, and where each of our threads sleeps: joining the team, seats that come and go with threads, children
 * that are somebody else. It must not start a process by the library. Read next: test_slot.c; ../proc/test_team.c for
 * guests and their processes. */
#include "test.h"

#include "shm/self.h"
#include "sync/wait.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <yunta/init.h>

static yn_self *self(void)
{
    int error;
    yn_self *me = yn_self_get(&error);
    ck_assert_msg(me != NULL, "no team: %d", error);
    return me;
}

static void ended_well(pid_t pid)
{
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(status == 0, "status %#x", (unsigned)status);
}

START_TEST(the_first_use_makes_the_team)
{
    ck_assert(!yn_self_has_team());
    yn_self *me = self();
    ck_assert(yn_self_has_team());
    ck_assert_uint_ne(me->claim, 0);
    ck_assert_ptr_eq(self(), me);
    ck_assert(yn_claim_is_alive(&me->arena->slots, me->claim));
    ck_assert_int_eq(yn_slot_pid(me->slot, me->claim), getpid());
    ck_assert_ptr_null(me->seat);
}
END_TEST

START_TEST(the_limit_is_chosen_before)
{
    ck_assert_int_eq(yunta_set_arena_limit(0), -EINVAL);
    ck_assert_int_eq(yunta_set_arena_limit(YN_ARENA_LEAST - 1), -EINVAL);
    ck_assert_int_eq(yunta_set_arena_limit(YN_ARENA_MOST + 1), -EINVAL);
    ck_assert_int_eq(yunta_set_arena_limit(UINT64_MAX), -EINVAL);
    ck_assert_int_eq(yunta_set_arena_limit((32 << 20) + 1), 0); /* rounded up */
    ck_assert_uint_eq(self()->arena->limit, (32 << 20) + YN_ARENA_GRAIN);
    ck_assert_int_eq(yunta_set_arena_limit(64 << 20), -EBUSY);
    ck_assert_uint_eq(self()->arena->limit, (32 << 20) + YN_ARENA_GRAIN);
}
END_TEST

START_TEST(or_by_the_environment)
{
    setenv("YUNTA_ARENA_BYTES", "50331648", 1);
    ck_assert_uint_eq(self()->arena->limit, 48 << 20);
}
END_TEST

START_TEST(what_the_environment_says_without_sense_is_not_heard)
{
    static const char *const senseless[] = {"", "0", "1000", "-5", "many", "99999999999999999999"};
    setenv("YUNTA_ARENA_BYTES", senseless[_i], 1);
    ck_assert_uint_ge(self()->arena->limit, YN_ARENA_LEAST * 2);
    ck_assert_uint_le(self()->arena->limit, YN_ARENA_MOST);
}
END_TEST

static void *join_here(void *claim)
{
    *(yn_claim *)claim = self()->claim;
    return NULL;
}

START_TEST(threads_that_join_at_once_are_one_member)
{
    enum { threads = 8 };
    pthread_t thread[threads];
    yn_claim claim[threads];
    for (int i = 0; i < threads; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, join_here, &claim[i]), 0);
    for (int i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < threads; i++)
        ck_assert_uint_eq(claim[i], self()->claim);
    ck_assert_uint_eq(atomic_load(&self()->arena->slots.alive), 1);
}
END_TEST

/* How many seats there are beyond the first. */
static int further_seats(void)
{
    int count = 0;
    for (yn_seat_shared *seat = atomic_load(&self()->slot->seats); seat; seat = atomic_load(&seat->next))
        count++;
    return count;
}

static void *sit_down(void *unused)
{
    (void)unused;
    return yn_seat_get(self());
}

static yn_seat_shared *seat_of_a_thread(void)
{
    pthread_t thread;
    void *seat;
    ck_assert_int_eq(pthread_create(&thread, NULL, sit_down, NULL), 0);
    pthread_join(thread, &seat);
    return seat;
}

START_TEST(a_thread_gives_its_seat_back)
{
    ck_assert_ptr_eq(yn_seat_get(self()), &self()->slot->seat);
    ck_assert_ptr_eq(yn_seat_get(self()), &self()->slot->seat);
    ck_assert_int_eq(further_seats(), 0);
    yn_seat_shared *seat = seat_of_a_thread();
    int count = further_seats();
    ck_assert_int_gt(count, 0);
    for (int i = 0; i < 200; i++) {
        ck_assert_uint_eq(atomic_load(&seat->taken), 0);
        ck_assert_ptr_eq(seat_of_a_thread(), seat);
    }
    ck_assert_int_eq(further_seats(), count);
    ck_assert_uint_eq(atomic_load(&self()->slot->seat.taken), 1);
}
END_TEST

START_TEST(the_first_seat_is_for_whoever_sleeps_first)
{
    self();
    ck_assert_ptr_eq(seat_of_a_thread(), &self()->slot->seat);
    ck_assert_ptr_eq(yn_seat_get(self()), &self()->slot->seat);
    ck_assert_int_eq(further_seats(), 0);
}
END_TEST

enum { sleepers = 50 };
static _Atomic uint32_t slept_on[sleepers];
static _Atomic int woken;

static void *sleep_once(void *word)
{
    if (yn_wait_on(self(), word, 0, YN_NEVER) == 0)
        atomic_fetch_add(&woken, 1);
    return NULL;
}

static int asleep(void)
{
    int count = atomic_load(&self()->slot->seat.word) != NULL;
    for (yn_seat_shared *seat = atomic_load(&self()->slot->seats); seat; seat = atomic_load(&seat->next))
        count += atomic_load(&seat->word) != NULL;
    return count;
}

static void nudge_after_a_death(void)
{
    atomic_fetch_add(&self()->arena->deaths, 1);
    yn_wait_nudge_all(self()->arena);
}

START_TEST(every_seat_is_nudged)
{
    pthread_t thread[sleepers];
    self();
    for (int i = 0; i < sleepers; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, sleep_once, &slept_on[i]), 0);
    test_wait_until(asleep() == sleepers, 10000);
    ck_assert_int_eq(atomic_load(&woken), 0);
    nudge_after_a_death();
    for (int i = 0; i < sleepers; i++) {
        pthread_join(thread[i], NULL);
        ck_assert_uint_eq(atomic_load(&slept_on[i]), 1);
    }
    ck_assert_int_eq(atomic_load(&woken), sleepers);
    ck_assert_int_eq(asleep(), 0);
}
END_TEST

/* Nobody sleeps: nothing is written anywhere. */
START_TEST(who_is_awake_is_not_nudged)
{
    _Atomic uint32_t *word = &slept_on[0];
    ck_assert_int_eq(yn_wait_prepare(self(), word, 0, YN_NUDGE_COUNT), 0);
    yn_wait_cancel(self());
    nudge_after_a_death();
    ck_assert_uint_eq(atomic_load(word), 0);
    ck_assert_int_eq(yn_wait_prepare(self(), word, 7, YN_NUDGE_COUNT), 0); /* has changed since */
    nudge_after_a_death();
    ck_assert_uint_eq(atomic_load(word), 0);
    yn_wait_cancel(self());
}
END_TEST

/* It has looked since: among many who sleep on one word, each would else be woken for each. */
START_TEST(who_sat_down_after_the_death_is_not_nudged)
{
    _Atomic uint32_t *word = &slept_on[0];
    uint32_t value = atomic_load(word);
    nudge_after_a_death();
    ck_assert_int_eq(yn_wait_prepare(self(), word, value, YN_NUDGE_COUNT), 0);
    yn_wait_nudge_all(self()->arena);
    ck_assert_uint_eq(atomic_load(word), value);
    nudge_after_a_death(); /* of the next one it does not know */
    ck_assert_uint_eq(atomic_load(word), value + 1);
    yn_wait_cancel(self());
}
END_TEST

static void end_at_once(void)
{
    _exit(0);
}

/* The process ends after that with its only thread; not by what looks for leaks, since no stack leads to anything now.
 */
static void end_thread(void)
{
    atexit(end_at_once);
    pthread_exit(NULL);
}

START_TEST(a_forked_child_is_somebody_else_and_keeps_off_our_seat)
{
    yn_claim mine = self()->claim;
    yn_seat_shared *seat = yn_seat_get(self());
    pid_t child = fork();
    if (child == 0) {
        if (self()->claim == mine || self()->seat == seat || yn_seat_get(self()) == seat)
            _exit(1);
        end_thread(); /* gives its seat back, not ours */
    }
    ended_well(child);
    ck_assert_uint_eq(atomic_load(&seat->taken), 1);
    ck_assert_uint_eq(self()->claim, mine);

    child = fork();
    if (child == 0)
        end_thread(); /* it never was of the team */
    ended_well(child);
    ck_assert_uint_eq(atomic_load(&seat->taken), 1);
}
END_TEST

/* Nothing of libc's runs in it: the kernel wipes the page. */
START_TEST(so_is_one_that_was_cloned_behind_our_back)
{
    yn_claim mine = self()->claim;
    ck_assert_uint_eq(atomic_load(&yn_private_page->claim), mine);
    long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0)
        syscall(SYS_exit_group, atomic_load(&yn_private_page->claim) == 0 ? 0 : 1);
    ended_well((pid_t)child);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("self");
    TCase *cases = test_case(suite, "team");
    tcase_add_test(cases, the_first_use_makes_the_team);
    tcase_add_test(cases, the_limit_is_chosen_before);
    tcase_add_test(cases, or_by_the_environment);
    tcase_add_loop_test(cases, what_the_environment_says_without_sense_is_not_heard, 0, 6);
    tcase_add_test(cases, threads_that_join_at_once_are_one_member);
    tcase_add_test(cases, a_forked_child_is_somebody_else_and_keeps_off_our_seat);
    tcase_add_test(cases, so_is_one_that_was_cloned_behind_our_back);
    cases = test_case(suite, "seats");
    tcase_add_test(cases, a_thread_gives_its_seat_back);
    tcase_add_test(cases, the_first_seat_is_for_whoever_sleeps_first);
    tcase_add_test(cases, every_seat_is_nudged);
    tcase_add_test(cases, who_is_awake_is_not_nudged);
    tcase_add_test(cases, who_sat_down_after_the_death_is_not_nudged);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
