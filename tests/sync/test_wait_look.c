/* How long is slept at a time, and what is looked at in between, without sleeping. It must not need a second process.
 * Read next: test_wait.c; test_deadlock.c. */
#include "../shm/bare_team.h"

#include "os/cpu.h"
#include "os/futex.h"

static uint64_t clock_ns, clock_step; /* 0: the real one; what each look at it takes */
static uint64_t look_at_the_clock(void)
{
    if (clock_ns == 0)
        return yn_now_ns();
    return clock_ns += clock_step;
}
#define yn_now_ns() look_at_the_clock()
static int processors = 1;
#define yn_cpu_count_known() processors
static uint32_t processor; /* its number, + 1 */
#define yn_processor() processor
static int fall_asleep(uint64_t ns);
#define yn_futex_wait(word, expected, ns) ((void)(word), (void)(expected), fall_asleep(ns))
static int fall_asleep_tied(yn_deadline deadline);
#define yn_tie_sleep(word, expected, tie, seen, deadline)                                                              \
    ((void)(word), (void)(expected), (void)(tie), (void)(seen), fall_asleep_tied(deadline))
#include "sync/wait.c"

static bare_team team;
static yn_self me;
static int naps, looks, asked;
static uint64_t nap; /* the last one, in ns */
static int woken;    /* with what */
static bool found;

static int fall_asleep(uint64_t ns)
{
    naps++;
    nap = ns;
    return woken;
}

/* Where there are ties. */
static bool has_ties;
static int tied_sleeps;
static yn_deadline until;

static int fall_asleep_tied(yn_deadline deadline)
{
    if (!has_ties)
        return -ENOSYS;
    tied_sleeps++;
    until = deadline;
    return woken;
}

static int sleep_for(yn_deadline deadline, int with);
static bool sleeps_over_it;

static void look(yn_self *who)
{
    ck_assert_ptr_eq(who, &me);
    ck_assert_int_lt(looks++, 100);
    if (sleeps_over_it)
        ck_assert_int_eq(sleep_for(YN_NEVER, -ETIMEDOUT), 0);
}

static bool ask(yn_self *who)
{
    ck_assert_ptr_eq(who, &me);
    ck_assert_ptr_nonnull((void *)atomic_load(&me.seat->word)); /* it still says what is waited for */
    asked++;
    return found;
}

static void set_scene(void)
{
    bare_team_make(&team, 64 << 20);
    me = bare_team_join(&team);
    ck_assert_ptr_nonnull(yn_seat_get(&me));
    yn_wait_up.check_watch = look;
    yn_wait_up.overdue = ask;
}

static void drop_scene(void)
{
    bare_team_drop(&team);
}

/* The processes that somebody waits for are spread over the ties, however many they are. */
START_TEST(each_has_its_tie)
{
    yn_self other = me;
    const yn_tie_shared *ties = me.arena->ties.tie;
    for (uint32_t i = 0; i < 3 * YN_TIES; i++) {
        other.claim = yn_claim_make(i, 1);
        ck_assert_ptr_eq(tie_of(&other), &ties[i % YN_TIES]);
    }
}
END_TEST

static int sleep_for(yn_deadline deadline, int with)
{
    static _Atomic uint32_t word;
    woken = with;
    int r = yn_wait_on(&me, &word, 0, deadline);
    ck_assert_ptr_null((void *)atomic_load(&me.seat->word));
    return r;
}

/* Nobody notifies: so the watch is looked after when a second is over, and the sleeper is to look again. */
START_TEST(a_long_sleep_is_cut_for_the_watch)
{
    ck_assert_int_eq(sleep_for(yn_deadline_in(YUNTA_FOREVER), -ETIMEDOUT), 0);
    ck_assert_uint_eq(nap, 1000000000);
    ck_assert_int_eq(looks, 1);
    ck_assert_int_eq(sleep_for(yn_deadline_in(60000), -ETIMEDOUT), 0);
    ck_assert_uint_eq(nap, 1000000000);
    ck_assert_int_eq(looks, 2);
    ck_assert_int_eq(sleep_for(yn_deadline_in(YUNTA_FOREVER), -EINTR), -EINTR);
    me.looked_ns = yn_now_ns();
    ck_assert_int_eq(sleep_for(yn_deadline_in(500), -ETIMEDOUT), -ETIMEDOUT); /* time is up */
    ck_assert(nap > 0 && nap <= 500 * UINT64_C(1000000));
    ck_assert_int_eq(naps, 4);
    ck_assert_int_eq(sleep_for(0, 0), -ETIMEDOUT); /* without a sleep */
    ck_assert_int_eq(naps, 4);
    ck_assert_int_eq(looks, 2);
    yn_wait_up.check_watch = NULL;
    ck_assert_int_eq(sleep_for(yn_deadline_in(YUNTA_FOREVER), -ETIMEDOUT), 0);
}
END_TEST

/* Who looks may have to sleep for that, for longer than a second: it does not look once more. */
START_TEST(who_looks_after_the_watch_does_not_look_meanwhile)
{
    sleeps_over_it = true;
    for (int i = 1; i <= 2; i++) {
        ck_assert_int_eq(sleep_for(YN_NEVER, -ETIMEDOUT), 0);
        ck_assert_int_eq(looks, i);
        ck_assert_int_eq(naps, 2 * i);
    }
}
END_TEST

/* It says that the watch was killed, once for each watch: that is looked after before anything is slept for; and by who
 * does so already, for another one that was killed meanwhile, it is not. */
START_TEST(a_cut_tie_is_looked_after_at_once)
{
    atomic_store(&tie_of(&me)->word, FUTEX_OWNER_DIED);
    atomic_store(&team.arena->watch_generation, 1);
    me.mourned = 0;
    ck_assert_int_eq(sleep_for(YN_NEVER, 0), 0);
    ck_assert_int_eq(looks, 1);
    ck_assert_int_eq(naps, 0);
    ck_assert_int_eq(sleep_for(YN_NEVER, 0), 0);
    ck_assert_int_eq(looks, 1);
    ck_assert_int_eq(naps, 1);
    atomic_store(&team.arena->watch_generation, 2);
    me.looks = true;
    ck_assert_int_eq(sleep_for(YN_NEVER, 0), 0);
    ck_assert_int_eq(looks, 1);
    ck_assert_int_eq(naps, 2);
}
END_TEST

/* Where no tie would tell, also if somebody notifies all the time. */
START_TEST(the_watch_is_looked_after_once_a_second)
{
    yn_deadline minute = yn_deadline_in(60000);
    clock_ns = yn_now_ns();
    atomic_store(&tie_of(&me)->word, YN_TIE_AWAITED);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(sleep_for(minute, 0), 0);
        ck_assert_int_eq(looks, i);
        clock_ns += 999999999;
        ck_assert_int_eq(sleep_for(minute, 0), 0);
        ck_assert_int_eq(looks, i);
        clock_ns++;
    }
}
END_TEST

/* Those that sleep, in whichever seat of theirs, and no others. */
START_TEST(a_death_wakes_who_sleeps)
{
    static _Atomic uint32_t word[4];
    static yn_seat_shared further[3];
    for (int i = 0; i < 3; i++) {
        atomic_store(&further[i].word, i == 1 ? NULL : &word[i]);
        atomic_store(&further[i].next, i < 2 ? &further[i + 1] : NULL);
    }
    atomic_store(&me.slot->seats, &further[0]);
    ck_assert_uint_eq(yn_wait_nudge_all(team.arena), 0); /* nobody has died since */
    atomic_fetch_add(&team.arena->deaths, 1);
    ck_assert_uint_eq(yn_wait_nudge_all(team.arena), 2);
    ck_assert_int_eq(yn_wait_prepare(&me, &word[3], 0, YN_NUDGE_CLAIM), 0);
    atomic_fetch_add(&team.arena->deaths, 1);
    atomic_store(&further[0].turn, 1); /* it is sitting down */
    ck_assert_uint_eq(yn_wait_nudge_all(team.arena), 2);
    ck_assert_uint_eq(atomic_load(&word[0]), 1);
    ck_assert_uint_eq(atomic_load(&word[1]), 0);
    ck_assert_uint_eq(atomic_load(&word[2]), 1); /* the second time it was not what was slept on */
    ck_assert_uint_eq(atomic_load(&word[3]), YN_CLAIM_NUDGED);
    yn_wait_cancel(&me);
    atomic_store(&me.slot->seats, NULL);
}
END_TEST

/* With a tie it has no limit but the caller's, and nobody looks; unless seconds are to be counted, or it is short. */
START_TEST(a_tied_sleep_is_not_cut)
{
    has_ties = true;
    yn_deadline minute = yn_deadline_in(60000);
    ck_assert_int_eq(sleep_for(YN_NEVER, 0), 0);
    ck_assert(until == YN_NEVER);
    ck_assert_int_eq(sleep_for(minute, -ETIMEDOUT), -ETIMEDOUT);
    ck_assert(until == minute);
    ck_assert_int_eq(tied_sleeps, 2);
    ck_assert_int_eq(naps, 0);
    ck_assert_int_eq(sleep_for(yn_deadline_in(1000), 0), 0);
    ck_assert_int_eq(naps, 1);
    atomic_store(&tie_of(&me)->word, YN_TIE_AWAITED);
    ck_assert_int_eq(sleep_for(YN_NEVER, 0), 0);
    ck_assert_int_eq(naps, 2);
    atomic_store(&tie_of(&me)->word, 77 | FUTEX_WAITERS);
    ck_assert_int_eq(sleep_for(YN_NEVER, 0), 0);
    ck_assert_int_eq(tied_sleeps, 3);
    atomic_store(&team.arena->overdue_naps, 2);
    ck_assert_int_eq(sleep_for(YN_NEVER, 0), 0);
    ck_assert_int_eq(tied_sleeps, 3);
    ck_assert_int_eq(naps, 3);
    ck_assert_int_eq(looks, 0);
}
END_TEST

/* As soon as so many seconds in a row are over, each one; until it has been told. */
START_TEST(a_deadlock_is_looked_for_when_it_takes_long)
{
    for (int i = 0; i < 3; i++) /* not asked for */
        ck_assert_int_eq(sleep_for(YN_NEVER, -ETIMEDOUT), 0);
    ck_assert_uint_eq(me.naps, 0);
    atomic_store(&team.arena->overdue_naps, 2);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(sleep_for(YN_NEVER, -ETIMEDOUT), 0);
        ck_assert_uint_eq(me.naps, 1);
        ck_assert_int_eq(sleep_for(YN_NEVER, 0), 0); /* notified */
        ck_assert_uint_eq(me.naps, 0);
    }
    ck_assert_int_eq(asked, 0);
    for (int i = 1; i <= 3; i++) {
        ck_assert_int_eq(sleep_for(YN_NEVER, -ETIMEDOUT), 0);
        ck_assert_int_eq(asked, i - 1);
    }
    found = true;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(sleep_for(YN_NEVER, -ETIMEDOUT), 0);
        ck_assert_int_eq(asked, 3);
    }
    ck_assert_int_eq(sleep_for(YN_NEVER, 0), 0);
    ck_assert_uint_eq(me.naps, 0);
    yn_wait_up.overdue = NULL;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(sleep_for(YN_NEVER, -ETIMEDOUT), 0);
    ck_assert_int_eq(asked, 3);
}
END_TEST

/* 50, 100 and 200 ns, and then each time as long, until time is up. */
START_TEST(looks_stand_further_and_further_apart)
{
    static const uint64_t after[] = {51, 152, 353, 554, 755, 956, 1157};
    uint64_t begin = 1000000;
    yn_spin spin = {0, 0};
    clock_step = 1;
    clock_ns = begin;
    for (size_t i = 0; i < YN_COUNT(after); i++) {
        ck_assert(yn_spin_apart(&spin, 1000));
        ck_assert_uint_eq(clock_ns - begin, after[i]);
    }
    ck_assert(!yn_spin_apart(&spin, 1000));
    spin = (yn_spin){0, 0};
    begin = clock_ns;
    for (int i = 0; i < 3; i++)
        ck_assert(yn_spin_apart(&spin, 353));
    ck_assert(!yn_spin_apart(&spin, 353)); /* at its very end */
    ck_assert_uint_eq(clock_ns - begin, 354);
    spin = (yn_spin){0, 0};
    ck_assert(!yn_spin_apart(&spin, 0));
    ck_assert_uint_eq(clock_ns - begin, 354); /* without a look at the clock */
}
END_TEST

/* With one processor nobody spins: the other one could not run. */
START_TEST(nobody_spins_alone)
{
    static yn_patience_shared patience;
    atomic_store(&patience.misses, 32);
    for (processors = 0; processors < 2; processors++) {
        ck_assert_uint_eq(yn_spin_ns(), 0);
        ck_assert_uint_eq(yn_patience_ns(&patience), 0);
    }
    atomic_store(&patience.misses, 0);
    ck_assert_uint_eq(yn_spin_ns(), 3000);
    for (uint32_t waker = 0; waker < 3; waker++) {
        atomic_store(&patience.waker, waker);
        for (processor = 0; processor < 3; processor++)
            ck_assert_uint_eq(yn_patience_ns(&patience), processor == waker && waker != 0 ? 0 : 3000);
    }
}
END_TEST

/* From look to look it stays away for longer, and not for ever. */
START_TEST(looks_come_apart)
{
    yn_spin none = {0, 0}, spin = {0, 0};
    ck_assert(!yn_spin_apart(&none, 0));
    uint64_t begin = yn_now_ns(), last = begin, least = YN_SPIN_APART_NS / 4;
    int times = 0;
    for (; yn_spin_apart(&spin, 3000); times++) {
        uint64_t now = yn_now_ns();
        ck_assert_uint_ge(now - last, least);
        least = least < YN_SPIN_APART_NS ? 2 * least : least;
        last = now;
    }
    ck_assert_int_ge(times, 1);
    ck_assert_int_le(times, 3000 / (int)YN_SPIN_APART_NS + 3);
    ck_assert_uint_ge(yn_now_ns() - begin, 3000);
    ck_assert(!yn_spin_apart(&spin, 3000));
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("wait, looking");
    TCase *cases = test_case(suite, "looking");
    tcase_add_checked_fixture(cases, set_scene, drop_scene);
    tcase_add_test(cases, a_long_sleep_is_cut_for_the_watch);
    tcase_add_test(cases, each_has_its_tie);
    tcase_add_test(cases, who_looks_after_the_watch_does_not_look_meanwhile);
    tcase_add_test(cases, a_cut_tie_is_looked_after_at_once);
    tcase_add_test(cases, the_watch_is_looked_after_once_a_second);
    tcase_add_test(cases, a_death_wakes_who_sleeps);
    tcase_add_test(cases, a_tied_sleep_is_not_cut);
    tcase_add_test(cases, a_deadlock_is_looked_for_when_it_takes_long);
    tcase_add_test(cases, looks_stand_further_and_further_apart);
    tcase_add_test(cases, nobody_spins_alone);
    tcase_add_test(cases, looks_come_apart);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
