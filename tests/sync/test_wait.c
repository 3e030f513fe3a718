/* Sleeping with a seat, and nudging, word by word: what stands where after each step. Must not need a death that takes
 * its time. Read next: src/sync/wait.h; test_wait_look.c, how long; test_nudge.c. */
#include "../shm/bare_team.h"

#include "os/cpu.h"
#include "sync/wait.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static bare_team team;
static yn_self me, other;

static void set_scene(void)
{
    ck_assert_int_gt(yn_cpu_count_known() + 1, 0);
    bare_team_make(&team, 64 << 20);
    me = bare_team_join(&team);
    other = bare_team_join(&team);
    ck_assert_ptr_nonnull(yn_seat_get(&me));
    ck_assert_ptr_nonnull(yn_seat_get(&other));
}

static void drop_scene(void)
{
    bare_team_drop(&team);
}

static _Atomic uint32_t *new_word(uint32_t value)
{
    void *p;
    ck_assert_int_eq(yn_heap_alloc_zeroed(&me, &p, 64, 64), 0);
    _Atomic uint32_t *word = p;
    atomic_store(word, value);
    return word;
}

static void count_death(void)
{
    atomic_fetch_add(&team.arena->deaths, 1);
}

START_TEST(a_seat_says_what_is_slept_on)
{
    _Atomic uint32_t *word = new_word(7);
    yn_seat_shared *seat = other.seat;
    atomic_store(&team.arena->deaths, 5);
    for (uint32_t turn = 0; turn < 6; turn += 2) {
        ck_assert_uint_eq(atomic_load(&seat->turn), turn);
        yn_nudge kind = turn == 2 ? YN_NUDGE_CLAIM : YN_NUDGE_COUNT;
        ck_assert_int_eq(yn_wait_prepare(&other, word, 7 + turn, kind), 0);
        ck_assert_ptr_eq(atomic_load(&seat->word), word);
        ck_assert_uint_eq(atomic_load(&seat->expected), 7 + turn);
        ck_assert_uint_eq(atomic_load(&seat->nudge), (uint32_t)kind);
        ck_assert_uint_eq(atomic_load(&seat->deaths), 5);
        yn_wait_cancel(&other);
        ck_assert_ptr_null(atomic_load(&seat->word));
    }
}
END_TEST

/* What for is said for one sleep, and what it says is gone with it. */
START_TEST(a_seat_says_what_for)
{
    _Atomic uint32_t *word = new_word(1);
    uint64_t object = (uintptr_t)word;
    yn_wait_for(&other, word, YN_WAITS_READ, YN_NEVER);
    ck_assert_int_eq(yn_wait_prepare(&other, word, 1, YN_NUDGE_COUNT), 0);
    ck_assert_uint_eq(atomic_load(&other.seat->waits), object | YN_WAITS_READ);
    yn_wait_cancel(&other);
    yn_wait_for(&other, word, YN_WAITS_SEMAPHORE, yn_deadline_in(1));
    ck_assert_int_eq(yn_wait_on(&other, word, 2, YN_NEVER), 0);
    ck_assert_uint_eq(atomic_load(&other.seat->waits), object | YN_WAITS_SEMAPHORE | YN_WAITS_LIMITED);
    ck_assert_int_eq(yn_wait_on(&other, word, 2, YN_NEVER), 0);
    ck_assert_uint_eq(atomic_load(&other.seat->waits), 0);
}
END_TEST

START_TEST(a_nudge_changes_what_is_slept_on)
{
    _Atomic uint32_t *word = new_word(32);
    ck_assert_uint_eq(yn_wait_nudge_all(team.arena), 0);
    ck_assert_int_eq(yn_wait_prepare(&other, word, 32, YN_NUDGE_COUNT), 0);
    ck_assert_uint_eq(yn_wait_nudge_all(team.arena), 0); /* it knows of all deaths */
    ck_assert_uint_eq(atomic_load(word), 32);
    count_death();
    ck_assert_uint_eq(yn_wait_nudge_all(team.arena), 1);
    ck_assert_uint_eq(atomic_load(word), 33);
    ck_assert_uint_eq(yn_wait_nudge_all(team.arena), 1); /* it has not looked */
    ck_assert_uint_eq(atomic_load(word), 33);            /* but is awake */
    ck_assert_int_eq(yn_wait_commit(&other, yn_deadline_in(20000)), 0);
    ck_assert_ptr_null(atomic_load(&other.seat->word));
    ck_assert_uint_eq(yn_wait_nudge_all(team.arena), 0);

    atomic_store(word, 32);
    ck_assert_int_eq(yn_wait_prepare(&other, word, 32, YN_NUDGE_CLAIM), 0);
    ck_assert_int_eq(yn_wait_prepare(&me, word, 32, YN_NUDGE_CLAIM), 0);
    count_death();
    ck_assert_uint_eq(yn_wait_nudge_all(team.arena), 2);
    ck_assert_uint_eq(atomic_load(word), 32 | (uint32_t)YN_CLAIM_NUDGED);
}
END_TEST

START_TEST(who_is_writing_its_seat_is_passed_over)
{
    _Atomic uint32_t *word = new_word(1);
    ck_assert_int_eq(yn_wait_prepare(&other, word, 1, YN_NUDGE_COUNT), 0);
    count_death();
    atomic_fetch_add(&other.seat->turn, 1);
    ck_assert_uint_eq(yn_wait_nudge_all(team.arena), 0);
    ck_assert_uint_eq(atomic_load(word), 1);
}
END_TEST

START_TEST(the_dead_are_passed_over)
{
    _Atomic uint32_t *word = new_word(1);
    ck_assert_int_eq(yn_wait_prepare(&other, word, 1, YN_NUDGE_COUNT), 0);
    ck_assert(yn_slot_declare_dead(&team.arena->slots, other.claim));
    count_death();
    ck_assert_uint_eq(yn_wait_nudge_all(team.arena), 0);
    ck_assert_uint_eq(atomic_load(word), 1);
}
END_TEST

/* All of a segment of slots, to its last: nobody looks beyond, where there is none. */
START_TEST(the_last_of_a_full_segment_is_nudged)
{
    _Atomic uint32_t *word = new_word(1);
    yn_self last = other;
    while (yn_claim_slot(last.claim) < 63)
        last = bare_team_join(&team);
    ck_assert_int_eq(yn_wait_prepare(&last, word, 1, YN_NUDGE_COUNT), 0);
    count_death();
    ck_assert_uint_eq(yn_wait_nudge_all(team.arena), 1);
    ck_assert_uint_eq(atomic_load(word), 2);
}
END_TEST

START_TEST(who_has_not_looked_since_a_death_does_not_sleep)
{
    _Atomic uint32_t *word = new_word(1);
    count_death();
    ck_assert_int_eq(yn_wait_on(&me, word, 1, yn_deadline_in(20000)), 0);
    ck_assert_ptr_null(atomic_load(&me.seat->word));
    ck_assert_uint_eq(me.deaths, 1);
    ck_assert_int_eq(yn_wait_on(&me, word, 1, yn_deadline_in(1)), -ETIMEDOUT);
    ck_assert_int_eq(yn_wait_on(&me, word, 1, 0), -ETIMEDOUT);
    ck_assert_ptr_null(atomic_load(&me.seat->word));
    ck_assert_int_eq(yn_wait_on(&me, word, 2, yn_deadline_in(20000)), 0);
}
END_TEST

static int looks;
static void look(yn_self *who)
{
    ck_assert_ptr_eq(who, &me);
    looks++;
}

static _Atomic uint32_t *my_tie(void)
{
    return &team.arena->ties.tie[yn_claim_slot(me.claim)].word;
}

/* Where nobody holds the tie. The first look at the clock is only noted; the watch is looked for once the last one is a
 * second ago. */
START_TEST(the_watch_is_looked_after_once_a_second)
{
    _Atomic uint32_t *word = new_word(1);
    yn_wait_upcalls before = yn_wait_up;
    yn_wait_up.check_watch = look;
    const uint64_t belt = 1000000000;
    atomic_store(my_tie(), YN_TIE_AWAITED);
    me.looked_ns = 0;
    yn_wait_on(&me, word, 2, yn_deadline_in(20000));
    ck_assert_uint_ne(me.looked_ns, 0);
    ck_assert_int_eq(looks, 0);
    uint64_t noted = me.looked_ns = yn_now_ns();
    yn_wait_on(&me, word, 2, yn_deadline_in(20000));
    ck_assert(me.looked_ns == noted ? looks == 0 : me.looked_ns >= noted + belt);
    looks = 0;
    me.looked_ns = yn_now_ns() - belt;
    yn_wait_on(&me, word, 2, yn_deadline_in(20000));
    ck_assert_int_eq(looks, 1);
    ck_assert_uint_ge(me.looked_ns, noted);
    yn_wait_up.check_watch = NULL;
    me.looked_ns = yn_now_ns() - belt;
    yn_wait_on(&me, word, 2, yn_deadline_in(20000));
    yn_wait_up = before;
}
END_TEST

/* Also if the tie is held, where nobody can sleep on it. */
START_TEST(without_ties_a_long_sleep_is_cut_too)
{
    _Atomic uint32_t *word = new_word(1);
    yn_wait_upcalls before = yn_wait_up;
    yn_wait_up.check_watch = look;
    atomic_store(&yn_tie_unknown, true);
    atomic_store(my_tie(), (uint32_t)getpid() | FUTEX_WAITERS);
    me.looked_ns = yn_now_ns() - 2000000000;
    ck_assert_int_eq(yn_wait_on(&me, word, 2, yn_deadline_in(YUNTA_FOREVER)), 0);
    ck_assert_int_eq(looks, 0); /* it lives, as the tie says */
    ck_assert_int_eq(yn_wait_on(&me, word, 1, yn_deadline_in(YUNTA_FOREVER)), 0);
    ck_assert_int_eq(looks, 1);
    yn_wait_up = before;
}
END_TEST

/* The first time that it is seen cut, before the sleep: for each watch once, then once in a second. */
START_TEST(a_cut_tie_is_looked_after_at_once)
{
    _Atomic uint32_t *word = new_word(1);
    yn_wait_upcalls before = yn_wait_up;
    yn_wait_up.check_watch = look;
    atomic_store(my_tie(), FUTEX_WAITERS | FUTEX_OWNER_DIED);
    for (uint32_t generation = 1; generation < 4; generation++) {
        atomic_store(&team.arena->watch_generation, generation);
        ck_assert_int_eq(yn_wait_on(&me, word, 1, yn_deadline_in(YUNTA_FOREVER)), 0);
        ck_assert_ptr_null(atomic_load(&me.seat->word));
        ck_assert_int_eq(looks, (int)generation);
        ck_assert_uint_eq(me.mourned, generation);
        ck_assert_int_eq(yn_wait_on(&me, word, 2, yn_deadline_in(YUNTA_FOREVER)), 0);
        ck_assert_int_eq(looks, (int)generation);
    }
    ck_assert_int_eq(yn_wait_on(&me, word, 1, yn_deadline_in(YUNTA_FOREVER)), 0); /* for a second */
    ck_assert_int_eq(looks, 4);
    yn_wait_up = before;
}
END_TEST

typedef struct sleeper {
    yn_self *who;
    _Atomic uint32_t *word;
    _Atomic int32_t thread;
    pthread_t handle;
    int result;
} sleeper;

static void *sleep_for_ever(void *of)
{
    sleeper *s = of;
    atomic_store(&s->thread, (int32_t)yn_raw0(SYS_gettid));
    s->result = yn_wait_on(s->who, s->word, 1, yn_deadline_in(YUNTA_FOREVER));
    return NULL;
}

static void begin_sleep(sleeper *s, yn_self *who)
{
    *s = (sleeper){.who = who, .word = new_word(1), .result = 1};
    ck_assert_int_eq(pthread_create(&s->handle, NULL, sleep_for_ever, s), 0);
    test_wait_until(atomic_load(&who->seat->word) == s->word && test_state(atomic_load(&s->thread)) == 'S', 20000);
}

static pid_t new_holder(void)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t holder = fork();
    if (holder == 0) {
        char byte = yn_tie_hold(&team.arena->ties, getpid()) == 0;
        _exit(write(ends[1], &byte, 1) == 1 && pause());
    }
    char byte = 0;
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    ck_assert_int_eq(byte, 1);
    ck_assert_uint_eq(atomic_load(my_tie()), (uint32_t)holder | FUTEX_WAITERS);
    close(ends[0]);
    close(ends[1]);
    return holder;
}

/* Two sleep on one tie, and the kernel wakes one of them. Of the end of the first holder also those are told who fell
 * asleep when there had been none. */
START_TEST(the_end_of_the_holder_wakes_all)
{
    yn_wait_upcalls before = yn_wait_up;
    yn_wait_up.check_watch = NULL;
    other.claim = me.claim; /* the same tie; the seat is its own */
    if (atomic_load(my_tie()) != 0 || yn_tie_sleep(new_word(0), 1, team.arena->ties.tie, 0, YN_NEVER) == -ENOSYS)
        return; /* there are none here */
    for (uint32_t round = 0; round < 2; round++) {
        sleeper one, two;
        pid_t holder = round > 0 ? new_holder() : 0;
        begin_sleep(&one, &me);
        begin_sleep(&two, &other);
        if (round == 0)
            holder = new_holder();
        atomic_store(&team.arena->watch_generation, round + 1);
        test_kill(holder);
        ck_assert_int_eq(pthread_join(one.handle, NULL), 0);
        ck_assert_int_eq(pthread_join(two.handle, NULL), 0);
        ck_assert_int_eq(one.result, 0);
        ck_assert_int_eq(two.result, 0);
        ck_assert(yn_tie_is_cut(atomic_load(my_tie())));
        ck_assert_uint_eq(one.who->mourned, round + 1);
        ck_assert_uint_eq(two.who->mourned, round + 1);
        waitpid(holder, NULL, 0);
    }
    yn_wait_up = before;
}
END_TEST

START_TEST(a_notification_takes_the_hint_and_moves_the_sequence)
{
    yn_event_shared *event = (yn_event_shared *)(void *)new_word(9);
    yn_event_notify_one(event);
    ck_assert_uint_eq(atomic_load(&event->sequence), 9); /* nobody there */
    yn_event_announce(event);
    yn_event_notify_one(event);
    ck_assert_uint_eq(atomic_load(&event->sequence), 10);
    ck_assert_uint_eq(atomic_load(&event->waiters), 0);
    ck_assert_int_eq(yn_event_wait(&me, event, 9, yn_deadline_in(20000)), 0);
    ck_assert_uint_eq(atomic_load(&event->waiters), YN_EVENT_SLEEPS);
}
END_TEST

/* Kept on one processor, so that it knows what yn_processor says. */
START_TEST(patience_follows_what_has_paid)
{
    yn_patience_shared *p = (yn_patience_shared *)(void *)new_word(0);
    uint32_t most = (uint32_t)yn_spin_ns();
    ck_assert_uint_eq(most, yn_cpu_count_known() > 1 ? 3000 : 0);
    ck_assert_uint_eq(yn_patience_ns(p), most);
    if (most == 0)
        return;
    yn_patience_note(p, true);
    ck_assert_uint_eq(yn_patience_ns(p), most);
    uint32_t expected[] = {most / 2, most / 4, most / 8, most / 8};
    for (uint32_t i = 0; i < 4; i++) {
        yn_patience_note(p, false);
        ck_assert_uint_eq(yn_patience_ns(p), expected[i]);
        ck_assert_uint_eq(atomic_load(&p->misses), i + 1);
    }
    atomic_store(&p->misses, 1);
    yn_patience_note(p, true);
    ck_assert_uint_eq(atomic_load(&p->misses), 0);
    atomic_store(&p->ns, 800);
    yn_patience_note(p, false);
    ck_assert_uint_eq(yn_patience_ns(p), 400);
    atomic_store(&p->ns, most + 1); /* whoever wrote that */
    ck_assert_uint_eq(yn_patience_ns(p), most);
    for (uint32_t misses = 30; misses < 70; misses++) {
        atomic_store(&p->misses, misses);
        ck_assert_uint_eq(yn_patience_ns(p), misses == 32 || misses == 64 ? 40000 : most);
    }
    yn_patience_note(p, true);
    ck_assert_uint_eq(atomic_load(&p->misses), 0);

    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET((size_t)sched_getcpu(), &here);
    ck_assert_int_eq(sched_setaffinity(0, sizeof here, &here), 0);
    yn_event_shared *event = (yn_event_shared *)(void *)new_word(0);
    yn_patience_notify_one(p, event);
    ck_assert_uint_eq(atomic_load(&p->waker), 0);
    yn_event_announce(event);
    yn_patience_notify_one(p, event);
    ck_assert_uint_eq(atomic_load(&p->waker), yn_processor());
    ck_assert_uint_eq(atomic_load(&event->sequence), 1);
    ck_assert_uint_eq(yn_patience_ns(p), 0); /* the other one could not run */
    atomic_store(&p->waker, yn_processor() + 1);
    ck_assert_uint_eq(yn_patience_ns(p), most);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("wait");
    TCase *cases = test_case(suite, "wait");
    tcase_add_checked_fixture(cases, set_scene, drop_scene);
    tcase_add_test(cases, a_seat_says_what_is_slept_on);
    tcase_add_test(cases, a_seat_says_what_for);
    tcase_add_test(cases, a_nudge_changes_what_is_slept_on);
    tcase_add_test(cases, who_is_writing_its_seat_is_passed_over);
    tcase_add_test(cases, the_dead_are_passed_over);
    tcase_add_test(cases, the_last_of_a_full_segment_is_nudged);
    tcase_add_test(cases, who_has_not_looked_since_a_death_does_not_sleep);
    tcase_add_test(cases, the_watch_is_looked_after_once_a_second);
    tcase_add_test(cases, without_ties_a_long_sleep_is_cut_too);
    tcase_add_test(cases, a_cut_tie_is_looked_after_at_once);
    tcase_add_test(cases, the_end_of_the_holder_wakes_all);
    tcase_add_test(cases, a_notification_takes_the_hint_and_moves_the_sequence);
    tcase_add_test(cases, patience_follows_what_has_paid);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
