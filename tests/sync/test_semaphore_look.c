/* Who looks for a unit looks at one cell after the other, and units move meanwhile: into where it has looked already.
 * The moves are made at the very look, so that each run meets them; and what is released while it sleeps, where it
 * would fall asleep.
 * Read next: test_semaphore.c. */
#include "../proc/helpers.h"

#include "heap_moments.h"
#include "sync/lock.h"
#include "sync/waits.h"

static int (*sleep_through)(void); /* in the place of sleep: what happens meanwhile */
static int batons;                 /* how often another one was to be woken by who has just slept */
#define yn_event_wait(...) (sleep_through ? sleep_through() : (yn_event_wait)(__VA_ARGS__))
static bool lacks_memory;
#define yn_waits_add_holder(...) (lacks_memory ? -ENOMEM : (yn_waits_add_holder)(__VA_ARGS__))
#define yn_event_notify_one(event) (batons++, (yn_event_notify_one)(event))

static void about_to_look(const volatile void *word);
#undef atomic_load
#define atomic_load(word) (about_to_look(word), atomic_load_explicit((word), memory_order_seq_cst))
#include "sync/semaphore.c"

/* A member of the team without a process. */
static yn_self join_by_hand(void)
{
    int error;
    yn_self me = *yn_self_get(&error);
    me.claim = yn_slot_take(me.arena, me.arena_fd, 0, &error);
    ck_assert_uint_ne(me.claim, 0);
    me.slot = yn_slot_at(&me.arena->slots, yn_claim_slot(me.claim));
    me.seat = NULL;
    ck_assert(yn_slot_go_live(&me.arena->slots, me.claim));
    return me;
}

static yunta_semaphore *semaphore;
static yn_self holder[2];              /* the first has the unit of `held`; the other unit is free */
static _Atomic uint64_t *held, *spare; /* the two cells */
static int moves;                      /* that are still to come */

static _Atomic uint64_t *moment; /* when this cell is looked at, `meanwhile` is called, once */
static void (*meanwhile)(void);

/* Somebody is about to look at the free one: it is taken, and the held one given back. So one is free at any time. */
static void about_to_look(const volatile void *word)
{
    void (*call)(void) = word == moment ? meanwhile : NULL;
    if (call) {
        meanwhile = NULL;
        call();
    }
    if (moves == 0 || word != spare)
        return;
    int left = moves - 1;
    moves = 0; /* these do not count as looks */
    ck_assert_int_eq(acquire(&holder[1], semaphore, 0), 0);
    ck_assert_uint_eq(*spare, holder[1].claim);
    ck_assert_int_eq(release(&holder[0], semaphore), 0);
    ck_assert_uint_eq(*held, 0);
    _Atomic uint64_t *cell = held;
    held = spare;
    spare = cell;
    yn_self me = holder[0];
    holder[0] = holder[1];
    holder[1] = me;
    /* The next one starts looking at the held one again. */
    atomic_store(&semaphore->last, (uint32_t)(held - (spare < held ? spare : held)));
    moves = left;
}

START_TEST(a_unit_that_moves_is_found_as_long_as_one_is_free)
{
    holder[0] = join_by_hand();
    holder[1] = join_by_hand();
    ck_assert_int_eq(yunta_semaphore_create(&semaphore, &(yunta_semaphore_options){.initial = 2}), 0);
    ck_assert_int_eq(acquire(&holder[0], semaphore, 0), 0);
    held = cell_at(semaphore, 0);
    spare = cell_at(semaphore, 1);
    ck_assert_uint_eq(*held, holder[0].claim);
    static const int times[] = {1, 2, 3, 10};
    static const int limits[] = {0, 20, YUNTA_FOREVER};
    for (size_t i = 0; i < YN_COUNT(times) * YN_COUNT(limits); i++) {
        moves = times[i % YN_COUNT(times)];
        ck_assert_int_eq(yunta_semaphore_acquire(semaphore, limits[i / YN_COUNT(times)]), 0);
        ck_assert_int_eq(moves, 0);
        ck_assert_int_eq(yunta_semaphore_release(semaphore), 0);
        atomic_store(&semaphore->last, (uint32_t)(held - (spare < held ? spare : held)));
    }
    yunta_semaphore_destroy(semaphore);
}
END_TEST

static unsigned released; /* a bit for each unit */

static int release_some(void)
{
    if (semaphore->unowned)
        atomic_store(&semaphore->units, (uint64_t)__builtin_popcount(released));
    for (uint32_t i = 0; i < 3 && !semaphore->unowned; i++)
        if (released >> i & 1)
            atomic_store(cell_at(semaphore, i), 0);
    return 0;
}

static int find_no_seat(void)
{
    return -ENOMEM;
}

/* One wake may have stood for several releases: who has slept wakes another one if there is a unit left, and none else.
 */
START_TEST(who_has_slept_passes_on_what_is_left)
{
    holder[0] = join_by_hand();
    holder[1] = join_by_hand();
    for (unsigned i = 0; i < 2 * 8; i++) {
        yunta_semaphore_options options = {.initial = 3, .unowned = i & 1};
        ck_assert_int_eq(yunta_semaphore_create(&semaphore, &options), 0);
        for (int n = 0; n < 3; n++)
            ck_assert_int_eq(acquire(&holder[0], semaphore, 0), 0);
        released = i >> 1;
        sleep_through = released == 0 ? find_no_seat : release_some;
        batons = 0;
        ck_assert_int_eq(acquire(&holder[1], semaphore, yn_deadline_in(YUNTA_FOREVER)), released == 0 ? -ENOMEM : 0);
        ck_assert_int_eq(batons, __builtin_popcount(released) > 1);
        sleep_through = NULL;
        yunta_semaphore_destroy(semaphore);
    }
}
END_TEST

START_TEST(who_reads_the_holders_may_lack_memory)
{
    yn_waiter waiter = {.object = NULL};
    yn_waits_seen seen = {.waiter = &waiter, .waiters = 1};
    int error;
    ck_assert_int_eq(yunta_semaphore_create(&semaphore, &(yunta_semaphore_options){.initial = 20}), 0);
    ck_assert_int_eq(yunta_semaphore_acquire(semaphore, 0), 0);
    for (int i = 0; i < 2; i++) {
        lacks_memory = i == 0;
        ck_assert_int_eq(yn_semaphore_read_holders(yn_self_get(&error), semaphore, &seen), i == 0 ? -ENOMEM : 0);
        ck_assert_uint_eq(seen.holders, (size_t)i);
    }
    seen.waiter = NULL;
    yn_waits_free(&seen);
    yunta_semaphore_destroy(semaphore);
}
END_TEST

/* Of its blocks: itself, and two segments of cells. */
START_TEST(who_gets_no_block_leaves_nothing)
{
    yunta_semaphore_options options = {.initial = 20};
    ck_assert_int_eq(yunta_semaphore_create(&semaphore, &options), 0);
    uint64_t before = blocks_there_are();
    for (int block = 0; block < 3; block++) {
        yunta_semaphore *made = semaphore;
        blocks_to_come = block;
        ck_assert_int_eq(yunta_semaphore_create(&made, &options), -ENOMEM);
        ck_assert_ptr_eq(made, semaphore);
        ck_assert_uint_eq(blocks_there_are(), before);
    }
    yunta_semaphore_destroy(semaphore);
    ck_assert_uint_eq(blocks_there_are(), before - 3);
}
END_TEST

static void add_units(void)
{
    int error;
    ck_assert_int_eq(add_segment(yn_self_get(&error), semaphore, 1), 0);
}

START_TEST(of_two_who_add_units_one_gives_them_back)
{
    ck_assert_int_eq(yunta_semaphore_create(&semaphore, &(yunta_semaphore_options){.initial = 16}), 0);
    uint64_t before = blocks_there_are();
    while_one_is_got = add_units;
    ck_assert_int_eq(yunta_semaphore_release(semaphore), 0);
    ck_assert_int_eq(yunta_semaphore_value(semaphore), 17);
    ck_assert_uint_eq(blocks_there_are(), before + 1);
    yunta_semaphore_destroy(semaphore);
    ck_assert_uint_eq(blocks_there_are(), before - 2);
}
END_TEST

/* Two threads of one process: the other one gives back the unit that stands in our cell, for the one that it has taken
 * in a new one. */
static void give_ours_back(void)
{
    add_units();
    atomic_store(cell_at(semaphore, 15), 0);
    atomic_store(cell_at(semaphore, 16), holder[0].claim);
}

START_TEST(who_releases_finds_a_unit_in_cells_that_were_added_meanwhile)
{
    holder[0] = join_by_hand();
    ck_assert_int_eq(yunta_semaphore_create(&semaphore, &(yunta_semaphore_options){.initial = 16}), 0);
    moment = cell_at(semaphore, 15);
    atomic_store(moment, holder[0].claim);
    meanwhile = give_ours_back;
    ck_assert_int_eq(release(&holder[0], semaphore), 0);
    ck_assert(meanwhile == NULL);
    ck_assert_int_eq(yunta_semaphore_value(semaphore), 17);
    ck_assert_uint_eq(*cell_at(semaphore, 16), 0);
    yunta_semaphore_destroy(semaphore);
}
END_TEST

/* All of the new cells but the first ten. */
static void add_units_of_others(void)
{
    add_units();
    for (uint32_t i = 26; i < 48; i++)
        atomic_store(cell_at(semaphore, i), 0);
}

START_TEST(room_in_cells_that_were_added_meanwhile_is_found_from_any_hint)
{
    yunta_semaphore_options options = {.initial = 16, .maximum = 48};
    holder[0] = join_by_hand();
    ck_assert_int_eq(yunta_semaphore_create(&semaphore, &options), 0);
    atomic_store(&semaphore->last, 10);
    moment = cell_at(semaphore, 9); /* the last one */
    meanwhile = add_units_of_others;
    ck_assert_int_eq(add_unit(&holder[0], semaphore), 0);
    ck_assert(meanwhile == NULL);
    ck_assert_uint_eq(*cell_at(semaphore, 16), 0);
    yunta_semaphore_destroy(semaphore);
}
END_TEST

/* No segment is made that could have no unit. */
START_TEST(beyond_the_maximum_nothing_is_made)
{
    yunta_semaphore_options options = {.initial = 16, .maximum = 16};
    ck_assert_int_eq(yunta_semaphore_create(&semaphore, &options), 0);
    uint64_t before = blocks_there_are();
    ck_assert_int_eq(yunta_semaphore_release(semaphore), -EOVERFLOW);
    ck_assert_uint_eq(blocks_there_are(), before);
    yunta_semaphore_destroy(semaphore);
}
END_TEST

/* What lies behind the last segment is none. */
START_TEST(there_is_a_most_of_segments)
{
    int error;
    void *block;
    size_t size = sizeof *semaphore + sizeof semaphore->segment[0];
    yn_self *me = yn_self_get(&error);
    ck_assert_int_eq((yn_heap_alloc_zeroed)(me, &block, size, YN_CACHE_LINE), 0);
    semaphore = block;
    for (unsigned k = 0; k <= SEGMENTS; k++) {
        ck_assert_uint_eq(segment_count(semaphore), k);
        void *some = semaphore;
        memcpy((char *)block + offsetof(yunta_semaphore, segment) + k * sizeof some, &some, sizeof some);
    }
    ck_assert_uint_eq(segment_count(semaphore), SEGMENTS);
    ck_assert_int_eq((yn_heap_free)(me, block), 0);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("semaphore, looking");
    TCase *cases = test_case(suite, "looking");
    tcase_add_test(cases, a_unit_that_moves_is_found_as_long_as_one_is_free);
    tcase_add_test(cases, who_has_slept_passes_on_what_is_left);
    tcase_add_test(cases, who_reads_the_holders_may_lack_memory);
    tcase_add_test(cases, who_gets_no_block_leaves_nothing);
    tcase_add_test(cases, of_two_who_add_units_one_gives_them_back);
    tcase_add_test(cases, who_releases_finds_a_unit_in_cells_that_were_added_meanwhile);
    tcase_add_test(cases, room_in_cells_that_were_added_meanwhile_is_found_from_any_hint);
    tcase_add_test(cases, beyond_the_maximum_nothing_is_made);
    tcase_add_test(cases, there_is_a_most_of_segments);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
