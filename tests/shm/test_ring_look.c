/* Who looks at a ring looks at one word after the other, and others go on meanwhile. What they do is done at the very
 * look, so that each run meets it. Read next: test_ring.c. */
#include "bare_team.h"

#include <string.h>

static void about_to_look(const volatile void *word);
static void about_to_add(const volatile void *word);
#include "shm/ring.h"
#undef atomic_load
#define atomic_load(word) (about_to_look(word), atomic_load_explicit((word), memory_order_seq_cst))
#undef atomic_fetch_add
#define atomic_fetch_add(word, n) (about_to_add(word), atomic_fetch_add_explicit((word), (n), memory_order_seq_cst))
#include "shm/ring.c"

static bare_team team;
static yn_self me, other, dead;
static yn_ring_tally_shared *tally;
static yn_ring_shared *ring;
static yn_turn mine, others, gone;

/* What happens at a look at this word, the next time but so many. */
static const volatile void *place;
static int looks;
static void (*happens)(void);
static bool has_happened;

static void about_to_look(const volatile void *word)
{
    if (word != place || !happens || looks-- > 0)
        return;
    void (*what)(void) = happens;
    happens = NULL;
    has_happened = true;
    what();
}

static void about_to_add(const volatile void *word)
{
    about_to_look(word);
}

static void at_look(const volatile void *word, int earlier, void (*what)(void))
{
    place = word;
    looks = earlier;
    happens = what;
    has_happened = false;
}

static void *zeroed(size_t size)
{
    void *p;
    ck_assert_int_eq(yn_heap_alloc_zeroed(&me, &p, size, 128), 0);
    return p;
}

static void make_ring(uint64_t count, bool lose)
{
    bare_team_make(&team, 64 << 20);
    me = bare_team_join(&team);
    other = bare_team_join(&team);
    dead = bare_team_join(&team);
    tally = zeroed(sizeof *tally);
    ring = zeroed(yn_ring_bytes(count, 8));
    yn_ring_init(ring, count, 8, lose, tally);
    mine = (yn_turn){.me = &me, .limit = YN_MESSAGE_MOST};
    others = (yn_turn){.me = &other, .limit = YN_MESSAGE_MOST};
    gone = (yn_turn){.me = &dead, .limit = YN_MESSAGE_MOST};
}

static void drop_scene(void)
{
    happens = NULL;
    bare_team_drop(&team);
}

static void put_one(void)
{
    ck_assert_int_eq(yn_ring_reserve(&others, ring), YN_RING_DONE);
    yn_ring_publish(&others.hold, 8);
}

static void get_one(void)
{
    ck_assert_int_eq(yn_ring_take(&others, ring), YN_RING_DONE);
    yn_ring_release(&others.hold);
}

static void put_and_get(void)
{
    put_one();
    get_one();
}

static void look_all_over(void)
{
    ck_assert_uint_eq(yn_ring_count_orphans(&others, ring), 0);
}

/* At each look at a cell, the message that was there, or is about to be, has gone, or come. */
START_TEST(the_front_is_what_it_was_at_one_moment)
{
    uint64_t position = 0;
    bool went_on = true;
    for (int look = 0; went_on; look++) {
        for (int kind = 0; kind < 6; kind++) {
            make_ring(2, false);
            for (int i = 0; i < 6 && kind >= 3; i++) /* also when some laps are over */
                put_and_get();
            if (kind % 3 == 0)
                put_one();
            at_look(&yn_ring_cell(ring, 0)->word, look,
                    kind % 3 == 0   ? get_one
                    : kind % 3 == 1 ? put_one
                                    : put_and_get);
            yn_ring_result r = yn_ring_front(&mine, ring, &position);
            happens = NULL; /* ours do not count */
            went_on = has_happened;
            uint64_t head = atomic_load(&ring->head), ready = yn_ring_lap(ring, head) << 4 | YN_CELL_READY;
            if (has_happened && kind % 3 == 0)
                ck_assert(r == YN_RING_WAIT && position == (kind == 0 ? 1 : 7));
            else if (has_happened)
                ck_assert(r == (kind % 3 == 1 ? YN_RING_DONE : YN_RING_WAIT));
            ck_assert((r == YN_RING_DONE) == (atomic_load(&yn_ring_cell(ring, head)->word) == ready));
            ck_assert(!mine.repaired);
            drop_scene();
        }
    }
}
END_TEST

/* The same at the back: the room that was there, or is about to be, is taken, or made. */
START_TEST(the_back_is_what_it_was_at_one_moment)
{
    uint64_t position = 0;
    bool went_on = true;
    for (int look = 0; went_on; look++) {
        for (int kind = 0; kind < 3; kind++) {
            make_ring(2, false);
            put_one();
            if (kind == 1)
                put_one();
            at_look(&yn_ring_cell(ring, kind == 1 ? 0 : 1)->word, look, kind == 0 ? put_one : get_one);
            yn_ring_result r = yn_ring_back(&mine, ring, &position);
            happens = NULL;
            went_on = has_happened;
            uint64_t tail = atomic_load(&ring->tail) >> 1, room = yn_ring_lap(ring, tail) << 4 | YN_CELL_FREE;
            if (r == YN_RING_DONE)
                ck_assert(position == tail && atomic_load(&yn_ring_cell(ring, tail)->word) == room);
            else if (has_happened)
                ck_assert(kind == 0);
            drop_scene();
        }
    }
}
END_TEST

/* The one that is too large has gone when it would be refused: the next one is taken. */
START_TEST(what_is_too_large_and_gone_is_not_refused)
{
    make_ring(2, false);
    put_one();
    ck_assert_int_eq(yn_ring_reserve(&others, ring), YN_RING_DONE);
    yn_ring_publish(&others.hold, 2);
    mine.limit = 4;
    at_look(&yn_ring_cell(ring, 0)->info, 0, get_one);
    ck_assert_int_eq(yn_ring_take(&mine, ring), YN_RING_DONE);
    ck_assert(has_happened);
    ck_assert_uint_eq(mine.size, 2);
    yn_ring_release(&mine.hold);
}
END_TEST

/* Two come upon what a dead one had taken: it is lost once. */
START_TEST(what_two_lose_is_lost_once)
{
    for (int at_cell = 0; at_cell < 2; at_cell++) {
        make_ring(2, true);
        put_one();
        ck_assert_int_eq(yn_ring_take(&gone, ring), YN_RING_DONE);
        bare_team_bury(&team, &dead);
        if (at_cell)
            at_look(&yn_ring_cell(ring, 0)->info, 0, look_all_over);
        else
            at_look(&tally->lost, 0, look_all_over);
        ck_assert_uint_eq(yn_ring_count_orphans(&mine, ring), 0);
        ck_assert(has_happened);
        ck_assert(others.repaired && !mine.repaired);
        ck_assert_uint_eq(atomic_load(&tally->lost), 1);
        drop_scene();
    }
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("ring, looking");
    TCase *cases = test_case(suite, "looking");
    tcase_add_checked_fixture(cases, NULL, drop_scene);
    tcase_add_test(cases, the_front_is_what_it_was_at_one_moment);
    tcase_add_test(cases, the_back_is_what_it_was_at_one_moment);
    tcase_add_test(cases, what_is_too_large_and_gone_is_not_refused);
    tcase_add_test(cases, what_two_lose_is_lost_once);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
