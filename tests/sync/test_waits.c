/* Who is stuck, and who is in a circle: judged for pictures that are drawn here, and compared with what the words mean,
 * which is looked up among all subsets. It must not need anybody who really waits.
 * Read next: test_deadlock.c. */
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

static void *get_more(void *old, size_t size);
static void give_back(void *block);
#define realloc get_more
#define free give_back
#include "sync/waits.c"
#undef realloc
#undef free

static long failing_call = -1; /* which one gets no memory; -1: none */
static long blocks;

static void *get_more(void *old, size_t size)
{
    if (failing_call-- == 0)
        return NULL;
    blocks += old == NULL;
    return realloc(old, size);
}

static void give_back(void *block)
{
    blocks -= block != NULL;
    free(block);
}

enum { MOST_PROCESSES = 3, MOST_WAITERS = 5, PICTURES = 4000 };

static unsigned draw(unsigned n)
{
    static unsigned seed = 1;
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 16) % n;
}

static yn_claim claim_of(size_t process)
{
    return yn_claim_make((uint32_t)(3 * process + 1), 5);
}

/* Processes with one to three waiting threads, and perhaps another one; each thread waits for up to three, of which
 * some are threads, and some are not there. */
static void draw_picture(yn_waits_seen *seen)
{
    size_t processes = 1 + draw(MOST_PROCESSES);
    for (size_t i = 0; i < processes; i++) {
        yn_waiting_process *p = add_place(&seen->process, &seen->processes, &seen->process_room, sizeof *p);
        *p = (yn_waiting_process){.process = claim_of(i), .first = seen->waiters, .waiters = 1 + draw(3)};
        for (size_t k = 0; k < p->waiters; k++) {
            yn_waiter *waiter = add_place(&seen->waiter, &seen->waiters, &seen->waiter_room, sizeof *waiter);
            *waiter = (yn_waiter){.process = p->process,
                                  .thread = (uint32_t)seen->waiters,
                                  .self = 100 + seen->waiters,
                                  .is_open = draw(8) == 0,
                                  .is_any = draw(3) == 0,
                                  .is_wanted = draw(2)};
        }
        p->threads = p->waiters + (draw(4) == 0);
    }
    for (size_t i = 0; i < seen->waiters; i++) {
        seen->waiter[i].first_holder = seen->holders;
        seen->waiter[i].holders = 1 + draw(3);
        for (size_t h = 0; h < seen->waiter[i].holders; h++) {
            yn_holder *holder = add_place(&seen->holder, &seen->holders, &seen->holder_room, sizeof *holder);
            const yn_waiter *other = &seen->waiter[draw((unsigned)seen->waiters)];
            unsigned how = draw(8);
            *holder = (yn_holder){.process = how == 0 ? claim_of(processes + 1) : other->process,
                                  .thread = how % 3 == 1 ? other->thread : 0,
                                  .self = how % 3 == 2 ? other->self : 0};
            if (how == 6)
                holder->self = 99; /* a thread that does not wait */
        }
    }
}

/* Whether the waiter may be who the holder stands for; and whether all that it stands for are in the set. */
static bool may_be(const yn_holder *holder, const yn_waiter *w)
{
    return holder->process == w->process && (holder->thread == 0 || holder->thread == w->thread) &&
           (holder->thread != 0 || holder->self == 0 || holder->self == w->self);
}

static bool is_all_in(const yn_waits_seen *seen, const yn_holder *holder, unsigned set)
{
    size_t threads = 0, in = 0;
    for (size_t i = 0; i < seen->waiters; i++)
        in += may_be(holder, &seen->waiter[i]) && (set >> i & 1);
    for (size_t i = 0; i < seen->processes; i++)
        if (seen->process[i].process == holder->process)
            threads = holder->thread || holder->self ? 1 : (size_t)seen->process[i].threads;
    return threads > 0 && in == threads;
}

/* Everybody in the set waits for somebody in it for whom it must; none of them is open. */
static bool is_stuck_together(const yn_waits_seen *seen, unsigned set)
{
    for (size_t i = 0; i < seen->waiters; i++) {
        const yn_waiter *w = &seen->waiter[i];
        size_t in = 0;
        for (size_t h = 0; h < w->holders; h++)
            in += is_all_in(seen, &seen->holder[w->first_holder + h], set);
        if ((set >> i & 1) && (w->is_open || in < (w->is_any ? w->holders : 1)))
            return false;
    }
    return true;
}

/* Somebody in the set waits for each of them, perhaps. */
static bool is_wanted_by_itself(const yn_waits_seen *seen, unsigned set)
{
    for (size_t i = 0; i < seen->waiters; i++) {
        bool wanted = false;
        for (size_t k = 0; k < seen->waiters; k++)
            for (size_t h = 0; (set >> k & 1) && h < seen->waiter[k].holders; h++)
                wanted |= may_be(&seen->holder[seen->waiter[k].first_holder + h], &seen->waiter[i]);
        if ((set >> i & 1) && !wanted)
            return false;
    }
    return true;
}

/* Of all subsets that are so, the one that has them all in it. */
static unsigned largest(const yn_waits_seen *seen, unsigned of, bool (*is_so)(const yn_waits_seen *, unsigned))
{
    unsigned all = 0;
    for (unsigned set = 0; set < 1u << seen->waiters; set++)
        if ((set & ~of) == 0 && is_so(seen, set))
            all |= set;
    return all;
}

START_TEST(what_is_judged_is_what_the_words_mean)
{
    size_t pictures = 0, circles = 0;
    while (pictures < PICTURES) {
        yn_waits_seen seen = {0};
        draw_picture(&seen);
        if (seen.waiters <= MOST_WAITERS) {
            unsigned stuck = largest(&seen, ~0u, is_stuck_together);
            unsigned in = largest(&seen, stuck, is_wanted_by_itself);
            ck_assert_uint_eq(yn_waits_judge(&seen), (unsigned)__builtin_popcount(in));
            for (size_t i = 0; i < seen.waiters; i++) {
                ck_assert_int_eq(seen.waiter[i].is_stuck, stuck >> i & 1);
                ck_assert_int_eq(seen.waiter[i].is_in, in >> i & 1);
            }
            pictures++;
            circles += in != 0 && in != (1u << seen.waiters) - 1;
        }
        yn_waits_free(&seen);
        ck_assert_ptr_null(seen.waiter);
        ck_assert_int_eq(blocks, 0);
    }
    ck_assert_uint_gt(circles, PICTURES / 100);
}
END_TEST

START_TEST(a_process_is_found_by_its_claim_alone)
{
    yn_waits_seen seen = {0};
    ck_assert_ptr_null(yn_waits_process(&seen, claim_of(0)));
    for (size_t count = 1; count <= 40; count++) {
        yn_waiting_process *p = add_place(&seen.process, &seen.processes, &seen.process_room, sizeof *p);
        *p = (yn_waiting_process){.process = claim_of(count - 1), .waiters = count};
        for (size_t i = 0; i < count; i++) {
            ck_assert_ptr_eq(yn_waits_process(&seen, claim_of(i)), &seen.process[i]);
            ck_assert_uint_eq(seen.process[i].waiters, i + 1);
            uint32_t slot = yn_claim_slot(claim_of(i));
            ck_assert_ptr_null(yn_waits_process(&seen, yn_claim_make(slot, 6))); /* the slot's next tenant */
            ck_assert_ptr_null(yn_waits_process(&seen, yn_claim_make(slot - 1, 5)));
            ck_assert_ptr_null(yn_waits_process(&seen, yn_claim_make(slot + 1, 5)));
        }
    }
    yn_waits_free(&seen);
}
END_TEST

static yn_self *me;

/* Of this process, on the lock, as long as the seats say so. */
static void sit_down(yn_seat_shared *seat, uint32_t thread, const void *object, yn_waits kind)
{
    static _Atomic uint32_t word;
    atomic_store(&seat->turn, 2);
    atomic_store(&seat->thread, thread);
    atomic_store(&seat->self, 0);
    atomic_store(&seat->waits, (uint64_t)(uintptr_t)object | (uint64_t)kind);
    atomic_store(&seat->word, &word);
}

static yn_waits_seen look(void)
{
    yn_waits_seen seen = {0};
    ck_assert_int_eq(yn_waits_read(me, &seen), 0);
    return seen;
}

/* A lock that we have, and seats in which somebody seems to wait for it. */
static yunta_lock *set_scene(void)
{
    int error;
    yunta_lock *lock;
    me = yn_self_get(&error);
    ck_assert_ptr_nonnull(yn_seat_get(me));
    ck_assert_int_eq(yunta_lock_create(&lock), 0);
    ck_assert_int_eq(yunta_lock_acquire(lock, 0), 0);
    return lock;
}

static void end_scene(yunta_lock *lock)
{
    atomic_store(&me->seat->word, NULL);
    atomic_store(&me->slot->seats, NULL);
    yunta_lock_destroy(lock);
}

START_TEST(a_seat_counts_if_its_thread_sleeps_for_what_has_holders)
{
    yunta_lock *lock = set_scene();
    yn_seat_shared *seat = me->seat;
    sit_down(seat, 7, lock, YN_WAITS_LOCK);
    yn_waits_seen seen = look();
    ck_assert_uint_eq(seen.waiters, 1);
    ck_assert_uint_eq(seen.holders, 1);
    ck_assert_uint_eq(seen.processes, 1);
    ck_assert_uint_eq(seen.waiter[0].thread, 7);
    ck_assert_ptr_eq(seen.waiter[0].object, lock);
    ck_assert(!seen.waiter[0].is_open && !seen.waiter[0].is_limited && !seen.waiter[0].is_any);
    ck_assert_uint_eq(seen.holder[0].process, me->claim);
    ck_assert_int_eq(seen.process[0].pid, getpid());
    ck_assert_uint_eq(seen.process[0].threads, 1);
    yn_waits_free(&seen);

    static const uint64_t nothing[] = {YN_WAITS_NOBODY, YN_WAITS_KINDS, YN_WAITS_MASK};
    for (size_t i = 0; i < YN_COUNT(nothing); i++) {
        atomic_store(&seat->waits, (uint64_t)(uintptr_t)lock | nothing[i]);
        seen = look();
        ck_assert_uint_eq(seen.waiters + seen.processes, 0);
        yn_waits_free(&seen);
    }
    atomic_store(&seat->waits, (uint64_t)(uintptr_t)lock | YN_WAITS_LOCK | YN_WAITS_LIMITED);
    seen = look();
    ck_assert(seen.waiters == 1 && seen.waiter[0].is_limited);
    yn_waits_free(&seen);
    atomic_store(&seat->turn, 3); /* it is being written */
    seen = look();
    ck_assert_uint_eq(seen.waiters, 0);
    yn_waits_free(&seen);
    end_scene(lock);
}
END_TEST

START_TEST(what_is_read_is_the_arenas)
{
    yunta_lock *lock = set_scene();
    char *begin = (char *)me->arena, *end = begin + atomic_load(&me->arena->end);
    ck_assert_uint_eq((uintptr_t)begin, me->arena->base);
    ck_assert(yn_waits_can_read(me, begin, 64));
    ck_assert(yn_waits_can_read(me, begin, (size_t)(end - begin)));
    ck_assert(!yn_waits_can_read(me, begin, (size_t)(end - begin) + 1));
    ck_assert(!yn_waits_can_read(me, begin - 8, 8));
    ck_assert(yn_waits_can_read(me, end - 16, 16));
    ck_assert(!yn_waits_can_read(me, end - 16, 17));
    ck_assert(!yn_waits_can_read(me, end, 0));
    ck_assert(!yn_waits_can_read(me, begin + 12, 8));
    end_scene(lock);
}
END_TEST

/* Nobody has it, or it is nothing of the arena's: then nothing is known. */
START_TEST(who_waits_for_nobody_is_open)
{
    yunta_lock *lock = set_scene();
    _Alignas(16) static char elsewhere[64];
    const void *last = (char *)me->arena + atomic_load(&me->arena->end) - 16;
    const void *nothing[] = {elsewhere, last, (char *)lock - ((uintptr_t)lock - me->arena->base) - 64};
    sit_down(me->seat, 7, lock, YN_WAITS_LOCK);
    for (size_t i = 0; i < YN_COUNT(nothing); i++) {
        atomic_store(&me->seat->waits, (uint64_t)(uintptr_t)nothing[i] | YN_WAITS_RECURSIVE_LOCK);
        yn_waits_seen seen = look();
        ck_assert_uint_eq(seen.waiters, 1);
        ck_assert_uint_eq(seen.holders, 0);
        ck_assert(seen.waiter[0].is_open);
        yn_waits_free(&seen);
    }
    yunta_rwlock *unread;
    ck_assert_int_eq(yunta_rwlock_create(&unread), 0);
    sit_down(me->seat, 7, unread, YN_WAITS_READERS);
    yn_waits_seen seen = look();
    ck_assert(seen.waiters == 1 && seen.holders == 0 && seen.waiter[0].is_open);
    yn_waits_free(&seen);
    yunta_rwlock_destroy(unread);
    sit_down(me->seat, 7, lock, YN_WAITS_LOCK);
    ck_assert_int_eq(yunta_lock_release(lock), 0);
    seen = look();
    ck_assert(seen.waiters == 1 && seen.holders == 0 && seen.waiter[0].is_open);
    yn_waits_free(&seen);
    end_scene(lock);
}
END_TEST

/* More than the lists have room for at first, in the order in which they sit; and no memory for one of the lists. */
START_TEST(many_sit_there)
{
    enum { MANY = 100 };
    yunta_lock *lock = set_scene();
    yn_seat_shared *seats = yunta_shared(yn_seat_shared, MANY);
    ck_assert_ptr_nonnull(seats);
    sit_down(me->seat, 1000, lock, YN_WAITS_LOCK);
    for (uint32_t i = 0; i < MANY; i++) {
        sit_down(&seats[i], i + 1001, lock, YN_WAITS_LOCK);
        atomic_store(&seats[i].next, i + 1 < MANY ? &seats[i + 1] : NULL);
    }
    atomic_store(&me->slot->seats, seats);
    for (long call = 0;; call++) {
        yn_waits_seen seen = {0};
        failing_call = call;
        int r = yn_waits_read(me, &seen);
        bool failed = failing_call < 0;
        ck_assert_int_eq(r, failed ? -ENOMEM : 0);
        if (!failed) {
            ck_assert_int_gt(call, 6);
            ck_assert_uint_eq(seen.waiters, MANY + 1);
            ck_assert_uint_eq(seen.holders, MANY + 1);
            ck_assert_uint_eq(seen.process[0].waiters, MANY + 1);
            for (uint32_t i = 0; i <= MANY; i++) {
                ck_assert_uint_eq(seen.waiter[i].thread, 1000 + i);
                ck_assert_uint_eq(seen.waiter[i].first_holder, i);
                ck_assert_uint_eq(seen.waiter[i].holders, 1);
                ck_assert(!seen.waiter[i].is_open);
            }
            /* Its process has fewer threads than seem to wait. */
            ck_assert_uint_eq(yn_waits_judge(&seen), 0);
            seen.process[0].threads = MANY + 1;
            ck_assert_uint_eq(yn_waits_judge(&seen), MANY + 1);
        }
        yn_waits_free(&seen);
        if (!failed)
            break;
    }
    failing_call = -1;
    end_scene(lock);
    yunta_shared_free(seats);
}
END_TEST

/* Looked at again: a sleep that has ended meanwhile, a process that has, and a holder that is named twice. */
START_TEST(who_has_moved_is_open)
{
    yunta_lock *lock = set_scene();
    yn_seat_shared *seat = me->seat;
    for (int how = 0; how < 5; how++) {
        sit_down(seat, 7, lock, YN_WAITS_LOCK);
        yn_waits_seen seen = look();
        ck_assert(seen.waiters == 1 && !seen.waiter[0].is_open);
        yn_waiting_process *p = &seen.process[0];
        if (how == 1)
            atomic_store(&seat->turn, 4);
        else if (how == 2)
            atomic_store(&seat->word, NULL);
        else if (how == 3)
            p->process = yn_claim_make(yn_claim_slot(me->claim), 1 + (me->claim >> 24)); /* not alive */
        else if (how == 4)
            seen.waiter[0].is_open = true;
        look_at_process(me, &seen, p);
        ck_assert_int_eq(seen.waiter[0].is_open, how != 0);
        ck_assert_uint_eq(p->threads, 1);
        p->pid = 0; /* not known: it may live */
        look_at_process(me, &seen, p);
        ck_assert_int_eq(seen.waiter[0].is_open, how != 0);
        ck_assert_int_eq(yn_waits_add_holder(me, &seen, (yn_holder){.process = me->claim}), 0);
        ck_assert_uint_eq(seen.waiter[0].holders, 1);
        ck_assert_int_eq(yn_waits_add_holder(me, &seen, (yn_holder){.process = me->claim, .self = 1}), 0);
        ck_assert_uint_eq(seen.waiter[0].holders, 2);
        seen.waiter[0].is_open = false; /* of two, one is dead: what it has is to be had */
        ck_assert_int_eq(yn_waits_add_holder(me, &seen, (yn_holder){.process = me->claim + (UINT64_C(1) << 24)}), 0);
        ck_assert_uint_eq(seen.waiter[0].holders, 2);
        ck_assert(seen.waiter[0].is_open);
        yn_waits_free(&seen);
    }
    end_scene(lock);
}
END_TEST

/* Two processes' threads may have their selves at the same address. */
START_TEST(a_thread_is_one_of_its_process)
{
    yn_waiting_process process[] = {{.process = claim_of(0), .first = 0, .waiters = 1},
                                    {.process = claim_of(1), .first = 1, .waiters = 2}};
    yn_waiter waiter[] = {{.thread = 7, .self = 10}, {.thread = 8, .self = 20}, {.thread = 9, .self = 10}};
    yn_waits_seen seen = {.waiter = waiter, .waiters = 3, .process = process, .processes = 2};
    size_t first = 5;
    ck_assert_uint_eq(yn_waits_of_holder(&seen, &(yn_holder){.process = claim_of(0), .self = 20}, &first), 0);
    ck_assert_uint_eq(yn_waits_of_holder(&seen, &(yn_holder){.process = claim_of(0), .thread = 8}, &first), 0);
    ck_assert_uint_eq(yn_waits_of_holder(&seen, &(yn_holder){.process = claim_of(0), .self = 10}, &first), 1);
    ck_assert_uint_eq(first, 0);
    ck_assert_uint_eq(yn_waits_of_holder(&seen, &(yn_holder){.process = claim_of(1), .self = 10}, &first), 1);
    ck_assert_uint_eq(first, 2);
    ck_assert_uint_eq(yn_waits_of_holder(&seen, &(yn_holder){.process = claim_of(1), .thread = 8}, &first), 1);
    ck_assert_uint_eq(first, 1);
    ck_assert_uint_eq(yn_waits_of_holder(&seen, &(yn_holder){.process = claim_of(1), .thread = 7}, &first), 0);
}
END_TEST

/* What lies behind the last slot that has been used is none. */
START_TEST(nobody_sits_beyond_the_last_slot)
{
    yunta_lock *lock = set_scene();
    yn_slot_shared *beyond = yn_slot_at(&me->arena->slots, atomic_load(&me->arena->slots.used));
    uint64_t word = atomic_load(&beyond->word);
    atomic_store(&beyond->word, UINT64_C(1) << 24 | YN_SLOT_LIVE);
    sit_down(&beyond->seat, 7, lock, YN_WAITS_LOCK);
    yn_waits_seen seen = look();
    ck_assert_uint_eq(seen.waiters, 0);
    yn_waits_free(&seen);
    atomic_store(&beyond->seat.word, NULL);
    atomic_store(&beyond->word, word);
    end_scene(lock);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("waits");
    TCase *cases = test_case(suite, "judged");
    tcase_add_test(cases, what_is_judged_is_what_the_words_mean);
    tcase_add_test(cases, a_process_is_found_by_its_claim_alone);
    cases = test_case(suite, "read");
    tcase_add_test(cases, a_seat_counts_if_its_thread_sleeps_for_what_has_holders);
    tcase_add_test(cases, what_is_read_is_the_arenas);
    tcase_add_test(cases, who_waits_for_nobody_is_open);
    tcase_add_test(cases, many_sit_there);
    tcase_add_test(cases, who_has_moved_is_open);
    tcase_add_test(cases, a_thread_is_one_of_its_process);
    tcase_add_test(cases, nobody_sits_beyond_the_last_slot);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
