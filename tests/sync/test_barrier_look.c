/* Who waits at a barrier looks at one word after the other, and parties come, leave and end meanwhile. They do it at
 * the very look here, so that each run meets it. It must not need any of them to be a process. Read next:
 * test_barrier.c. */
#include "../proc/helpers.h"

#include "heap_moments.h"
#include "sync/lock.h"

static void about_to_look(const volatile void *word);
static void about_to_ask(yn_claim claim);
static yn_self *acting; /* in whose name the public functions are called */
#undef atomic_load
#define atomic_load(word) (about_to_look(word), atomic_load_explicit((word), memory_order_seq_cst))
#define yn_claim_is_alive(table, claim) (about_to_ask(claim), yn_claim_is_alive((table), (claim)))
#define yn_self_get(error) (*(error) = 0, acting)
#define wait wait_at
#include "sync/barrier.c"
#undef wait
#undef yn_self_get
#undef yn_claim_is_alive

static yunta_barrier *barrier;
static yn_self me, other;
static bool leaves, meets; /* what the other one does when it is looked at */

/* A member of the team without a process. */
static yn_self join_by_hand(void)
{
    int error;
    yn_self self = *yn_self_get(&error);
    self.claim = yn_slot_take(self.arena, self.arena_fd, 0, &error);
    ck_assert_uint_ne(self.claim, 0);
    self.slot = yn_slot_at(&self.arena->slots, yn_claim_slot(self.claim));
    ck_assert(yn_slot_go_live(&self.arena->slots, self.claim));
    return self;
}

static void set_scene(void)
{
    int error;
    me = *yn_self_get(&error);
    ck_assert_ptr_nonnull(yn_seat_get(&me));
    other = join_by_hand();
    other.seat = me.seat;
    acting = &me;
    ck_assert_int_eq(yunta_barrier_create(&barrier, 2), 0);
}

/* Its name has been read, and it is about to be asked whether it lives: it leaves, and ends. */
static void about_to_ask(yn_claim claim)
{
    if (!leaves || claim != other.claim)
        return;
    leaves = false;
    acting = &other;
    ck_assert_int_eq(yunta_barrier_leave(barrier), 0);
    acting = &me;
    ck_assert(yn_slot_declare_dead(&me.arena->slots, other.claim));
}

/* The round has been read, and then it is looked whether it is broken: the other one comes, and breaks the next one. */
static void about_to_look(const volatile void *word)
{
    if (!meets || word != &barrier->broken || yunta_lock_is_held(&barrier->lock))
        return;
    meets = false;
    acting = &other;
    ck_assert_int_eq(yunta_barrier_wait(barrier, 0), 1);
    ck_assert_int_eq(yunta_barrier_abort(barrier), 0);
    acting = &me;
}

/* So it is our time that runs out, and nobody's end that breaks the round. */
START_TEST(who_leaves_and_ends_under_our_eyes_breaks_nothing)
{
    set_scene();
    ticket_shared *ticket = take_ticket(&me, barrier, 0, 0);
    atomic_store(&barrier->cell[2], me.claim);
    atomic_store(&barrier->cell[3], other.claim);
    leaves = true;
    ck_assert_int_eq(await_others(&me, barrier, ticket, yn_deadline_in(20)), -ETIMEDOUT);
    ck_assert(!leaves);
    yunta_barrier_destroy(barrier);
}
END_TEST

START_TEST(a_later_round_that_breaks_is_not_ours)
{
    set_scene();
    meets = true;
    ck_assert_int_eq(yunta_barrier_wait(barrier, YUNTA_FOREVER), 0);
    ck_assert(!meets);
    ck_assert_int_eq(yunta_barrier_wait(barrier, YUNTA_FOREVER), YUNTA_EBROKEN);
    yunta_barrier_destroy(barrier);
}
END_TEST

/* Stopped over its look, say, while the others go on for thousands of rounds of either kind. */
START_TEST(however_late_one_looks_one_learns_how_ones_own_round_ended)
{
    set_scene();
    for (int well = 0; well <= 1; well++) {
        ticket_shared *ticket = take_ticket(&me, barrier, atomic_load(&barrier->round), 0);
        ck_assert_int_eq(look(barrier, ticket), 1);
        end_round(barrier, well);
        for (int i = 0; i < 3000; i++) {
            ck_assert_int_eq(look(barrier, ticket), well ? 0 : YUNTA_EBROKEN);
            ticket_shared *theirs = take_ticket(&other, barrier, atomic_load(&barrier->round), 0);
            ck_assert_ptr_ne(theirs, ticket);
            end_round(barrier, i % 65 == 0 ? well : !well);
            if (i % 100 != 0) /* else it is late as well */
                atomic_store(&theirs->owner, 0);
        }
    }
    yunta_barrier_destroy(barrier);
}
END_TEST

/* Who ends the round dies when he has written the outcome, but not moved on. */
START_TEST(an_outcome_counts_when_the_round_has_moved_on)
{
    set_scene();
    ticket_shared *ticket = take_ticket(&me, barrier, 0, 0);
    write_outcomes(barrier, 0, WELL);
    ck_assert_int_eq(look(barrier, ticket), 1);
    atomic_store(&barrier->broken, 1);
    ck_assert_int_eq(look(barrier, ticket), YUNTA_EBROKEN);
    ck_assert_int_eq(yunta_barrier_reset(barrier), 0);
    ck_assert_int_eq(look(barrier, ticket), YUNTA_EBROKEN);
    yunta_barrier_destroy(barrier);
}
END_TEST

/* Wherever one begins to look. */
START_TEST(each_ticket_is_found)
{
    enum { three = 3 };
    set_scene();
    for (uint32_t index = 0; index < three; index++) {
        yunta_barrier_destroy(barrier);
        ck_assert_int_eq(yunta_barrier_create(&barrier, three), 0);
        for (int i = 0; i < 2 * three; i++)
            ck_assert_ptr_nonnull(take_ticket(&other, barrier, index & 1, index));
        ck_assert_ptr_null(barrier->tickets->next);
    }
    yunta_barrier_destroy(barrier);
}
END_TEST

START_TEST(tickets_of_the_dead_are_used_again)
{
    set_scene();
    for (int i = 0; i < 4; i++)
        ck_assert_ptr_nonnull(take_ticket(&other, barrier, 0, 0));
    ck_assert(yn_slot_declare_dead(&me.arena->slots, other.claim));
    for (int i = 0; i < 4; i++)
        ck_assert_ptr_nonnull(take_ticket(&me, barrier, 0, 0));
    ck_assert_ptr_null(barrier->tickets->next);
    ck_assert_ptr_nonnull(take_ticket(&me, barrier, 0, 0));
    ck_assert_ptr_nonnull(barrier->tickets->next);
    yunta_barrier_destroy(barrier);
}
END_TEST

/* It had come; or it was in the last round, and is to come. */
START_TEST(who_comes_hears_of_a_party_that_died)
{
    set_scene();
    if (_i == 0) {
        atomic_store(&barrier->cell[0], other.claim);
        atomic_store(&barrier->arrived, 1);
    } else {
        atomic_store(&barrier->cell[2], other.claim);
    }
    ck_assert(yn_slot_declare_dead(&me.arena->slots, other.claim));
    ck_assert_int_eq(yunta_barrier_wait(barrier, 0), YUNTA_EBROKEN);
    ck_assert_uint_eq(atomic_load(&barrier->broken), 1);
    ck_assert_int_eq(yunta_barrier_reset(barrier), 0);
    ck_assert_uint_eq(atomic_load(&barrier->broken), 0);
    yunta_barrier_destroy(barrier);
}
END_TEST

START_TEST(a_round_leaves_its_parties_and_no_tickets)
{
    set_scene();
    meets = true;
    ck_assert_int_eq(yunta_barrier_wait(barrier, YUNTA_FOREVER), 0);
    ck_assert_uint_eq(atomic_load(&barrier->cell[0]), 0);
    ck_assert_uint_eq(atomic_load(&barrier->cell[1]), 0);
    ck_assert_uint_eq(atomic_load(&barrier->cell[2]), me.claim);
    ck_assert_uint_eq(atomic_load(&barrier->cell[3]), other.claim);
    ck_assert_int_eq(yunta_barrier_reset(barrier), 0);
    ck_assert_int_eq(yunta_barrier_wait(barrier, 1), -ETIMEDOUT);
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(atomic_load(&barrier->tickets->ticket[i].owner), 0);
    yunta_barrier_destroy(barrier);
}
END_TEST

/* Other things stand behind its cells and its tickets, as behind those of this one, which has room for more. */
START_TEST(what_lies_behind_a_barrier_is_left_alone)
{
    enum { more = 8 };
    void *block;
    set_scene();
    yunta_barrier_destroy(barrier);
    ck_assert_int_eq(yn_heap_alloc_zeroed(&me, &block, sizeof *barrier + more * sizeof(yn_claim), YN_CACHE_LINE), 0);
    barrier = block;
    barrier->parties = 2;
    size_t size = sizeof(tickets_shared) + more * sizeof(ticket_shared);
    ck_assert_int_eq(yn_heap_alloc_zeroed(&me, &block, size, YN_CACHE_LINE), 0);
    barrier->tickets = block;
    for (int i = 4; i < more; i++)
        atomic_store(&barrier->cell[i], other.claim);
    ck_assert(yn_slot_declare_dead(&me.arena->slots, other.claim));
    ck_assert_int_eq(yunta_barrier_wait(barrier, 0), -ETIMEDOUT); /* not a party that died */
    end_round(barrier, true);
    for (int i = 4; i < more; i++) {
        ck_assert_uint_eq(atomic_load(&barrier->tickets->ticket[i].outcome), 0);
        ck_assert_uint_eq(atomic_load(&barrier->cell[i]), other.claim);
        atomic_store(&barrier->cell[i], me.claim);
    }
    ck_assert_int_eq(yunta_barrier_leave(barrier), 0);
    for (int i = 4; i < more; i++)
        ck_assert_uint_eq(atomic_load(&barrier->cell[i]), me.claim);
    yunta_barrier_destroy(barrier);
}
END_TEST

/* Its name stands there, but it has not been counted: it is to come yet, if it is expected. */
START_TEST(who_has_not_been_counted_has_not_come)
{
    set_scene();
    atomic_store(&barrier->cell[0], me.claim);
    atomic_store(&barrier->cell[1], other.claim);
    atomic_store(&barrier->arrived, 1);
    ck_assert(yn_slot_declare_dead(&me.arena->slots, other.claim));
    ck_assert(!lacks_a_party(&me, barrier));
    atomic_store(&barrier->cell[3], other.claim);
    ck_assert(lacks_a_party(&me, barrier));
    atomic_store(&barrier->arrived, 2);
    ck_assert(lacks_a_party(&me, barrier));
    yunta_barrier_destroy(barrier);
}
END_TEST

/* In the middle of a change, with the lock. */
START_TEST(who_dies_with_the_lock_breaks_the_round)
{
    set_scene();
    ck_assert_int_eq(yn_lock_acquire(&other, &barrier->lock, 0), 0);
    ck_assert(yn_slot_declare_dead(&me.arena->slots, other.claim));
    ck_assert_int_eq(yunta_barrier_leave(barrier), 0);
    ck_assert(yunta_barrier_is_broken(barrier));
    ck_assert_int_eq(yunta_barrier_leave(barrier), 0); /* the lock is as good as new */
    ck_assert_int_eq(yunta_barrier_reset(barrier), 0);
    ck_assert(!yunta_barrier_is_broken(barrier));
    ck_assert_int_eq(yunta_barrier_wait(barrier, 0), -ETIMEDOUT);
    yunta_barrier_destroy(barrier);
}
END_TEST

/* Of its two blocks. */
START_TEST(who_gets_no_block_leaves_nothing)
{
    set_scene();
    uint64_t before = blocks_there_are();
    for (int block = 0; block < 2; block++) {
        yunta_barrier *made = barrier;
        blocks_to_come = block;
        ck_assert_int_eq(yunta_barrier_create(&made, 2), -ENOMEM);
        ck_assert_ptr_eq(made, barrier);
        ck_assert_uint_eq(blocks_there_are(), before);
    }
    for (int i = 0; i < 5; i++) /* more than a block has */
        ck_assert_ptr_nonnull(take_ticket(&other, barrier, 0, 0));
    ck_assert_uint_eq(blocks_there_are(), before + 1);
    yunta_barrier_destroy(barrier);
    ck_assert_uint_eq(blocks_there_are(), before - 2);
}
END_TEST

/* For a ticket when all are taken; and for a seat, to wait for the lock. */
START_TEST(who_can_have_no_memory_is_told_so)
{
    ck_assert_int_eq(yunta_set_arena_limit(YN_ARENA_LEAST), 0);
    set_scene();
    ticket_shared *ticket = NULL;
    for (int i = 0; i < 4; i++)
        ck_assert_ptr_nonnull(ticket = take_ticket(&other, barrier, 0, 0));
    test_fill_arena();
    while (make_tickets(&me, 2, &(int){0}) || yn_heap_alloc(&me, 4096, YN_CACHE_LINE)) { /* it has a lane of its own */
    }
    ck_assert_int_eq(yunta_barrier_wait(barrier, 1), -ENOMEM);
    ck_assert_int_eq(yunta_barrier_waiting(barrier), 0);
    ck_assert(!yunta_barrier_is_broken(barrier));
    me.seat = NULL;
    ck_assert_int_eq(yn_lock_acquire(&other, &barrier->lock, 0), 0);
    ck_assert_int_eq(yunta_barrier_leave(barrier), -ENOMEM);
    ck_assert_int_eq(yunta_barrier_abort(barrier), -ENOMEM);
    ck_assert_int_eq(yunta_barrier_reset(barrier), -ENOMEM);
    ck_assert_int_eq(break_round(&me, barrier, ticket, true), -ENOMEM);
    yunta_barrier_destroy(barrier);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("barrier, looking");
    TCase *cases = test_case(suite, "looking");
    tcase_add_test(cases, who_leaves_and_ends_under_our_eyes_breaks_nothing);
    tcase_add_test(cases, a_later_round_that_breaks_is_not_ours);
    tcase_add_test(cases, however_late_one_looks_one_learns_how_ones_own_round_ended);
    tcase_add_test(cases, an_outcome_counts_when_the_round_has_moved_on);
    tcase_add_test(cases, each_ticket_is_found);
    tcase_add_test(cases, tickets_of_the_dead_are_used_again);
    tcase_add_loop_test(cases, who_comes_hears_of_a_party_that_died, 0, 2);
    tcase_add_test(cases, a_round_leaves_its_parties_and_no_tickets);
    tcase_add_test(cases, what_lies_behind_a_barrier_is_left_alone);
    tcase_add_test(cases, who_has_not_been_counted_has_not_come);
    tcase_add_test(cases, who_dies_with_the_lock_breaks_the_round);
    tcase_add_test(cases, who_gets_no_block_leaves_nothing);
    tcase_add_test(cases, who_can_have_no_memory_is_told_so);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
