/* The ring by itself, in a team made by hand: positions and laps, what the dead leave in its cells, and what a walk
 * over it counts. It must not need a queue. Read next: src/shm/ring.h; ../comm/test_queue_random.c. */
#include "bare_team.h"

#include "shm/ring.h"

#include <string.h>

static bare_team team;
static yn_self me, other;
static yn_ring_tally_shared *tally;
static yn_ring_shared *ring;
static yn_turn mine, others;

static void *zeroed(size_t size)
{
    void *p;
    ck_assert_int_eq(yn_heap_alloc_zeroed(&me, &p, size, 128), 0);
    return p;
}

static void set_scene(void)
{
    bare_team_make(&team, 64 << 20);
    me = bare_team_join(&team);
    other = bare_team_join(&team);
    tally = zeroed(sizeof *tally);
    mine = (yn_turn){.me = &me, .limit = YN_MESSAGE_MOST};
    others = (yn_turn){.me = &other, .limit = YN_MESSAGE_MOST};
}

static void drop_scene(void)
{
    bare_team_drop(&team);
}

static void make_ring(uint64_t count, bool lose)
{
    uint32_t room = yn_ring_room(0, 0);
    ring = zeroed(yn_ring_bytes(count + 1, room)); /* and a cell that is not the ring's */
    yn_ring_init(ring, count, room, lose, tally);
}

static uint64_t blocks(void)
{
    yn_heap_figures figures;
    yn_heap_read(&me, &figures);
    return figures.blocks;
}

static void fill(yn_turn *turn, unsigned char byte, size_t size)
{
    unsigned char *at = yn_cell_bytes(turn->hold.cell);
    if (size > YN_CELL_INLINE) {
        void *block = yn_heap_alloc(&me, size, 16);
        ck_assert_ptr_nonnull(block);
        atomic_store(yn_cell_block(turn->hold.cell), block);
        at = block;
    }
    memset(at, byte, size);
    yn_ring_publish(&turn->hold, size);
}

static void put(unsigned char byte)
{
    ck_assert_int_eq(yn_ring_reserve(&mine, ring), YN_RING_DONE);
    fill(&mine, byte, 8);
}

static void get(unsigned char byte)
{
    ck_assert_int_eq(yn_ring_take(&mine, ring), YN_RING_DONE);
    ck_assert_uint_eq(mine.size, 8);
    ck_assert_uint_eq(yn_cell_bytes(mine.hold.cell)[7], byte);
    yn_ring_release(&mine.hold);
}

/* From the start: how many are ready, and where the walk ends. */
static uint64_t run_from(uint64_t position, uint64_t *skips, yn_ring_result end)
{
    *skips = 0;
    ck_assert_int_eq(yn_ring_run(&mine, ring, &position, skips), (int)end);
    return position;
}

START_TEST(what_is_put_comes_in_order_lap_after_lap)
{
    uint64_t count = (uint64_t)_i, put_so_far = 0, got = 0;
    make_ring(count, false);
    ck_assert_uint_ge(ring->stride, count);
    ck_assert(ring->stride < 2 * count);
    ck_assert_uint_eq(ring->stride, UINT64_C(1) << ring->bits);
    for (uint64_t lap = 0; lap < 5; lap++) {
        ck_assert_int_eq(yn_ring_take(&mine, ring), YN_RING_WAIT);
        for (uint64_t i = 0; i < count; i++)
            put((unsigned char)put_so_far++);
        ck_assert_int_eq(yn_ring_reserve(&mine, ring), YN_RING_WAIT);
        uint64_t tail = atomic_load(&ring->tail) >> 1, head = atomic_load(&ring->head);
        ck_assert_uint_eq(yn_ring_distance(ring, head, tail), count);
        ck_assert_uint_eq(head, lap << ring->bits);
        uint64_t skips;
        ck_assert_uint_eq(run_from(head, &skips, YN_RING_WAIT), tail);
        ck_assert_uint_eq(skips, 0);
        ck_assert_uint_eq(atomic_load(&ring->ripe), tail);
        for (uint64_t i = 0; i < count; i++)
            get((unsigned char)got++);
    }
    put(1);
    yn_ring_close(ring);
    yn_ring_close(ring);
    ck_assert_int_eq(yn_ring_reserve(&mine, ring), YN_RING_SHUT);
    ck_assert(!yn_ring_is_spent(&mine, ring));
    get(1);
    ck_assert_int_eq(yn_ring_take(&mine, ring), YN_RING_SHUT);
    ck_assert(yn_ring_is_spent(&mine, ring));
}
END_TEST

START_TEST(who_dies_over_a_put_leaves_a_skip)
{
    make_ring(4, false);
    put(1);
    ck_assert_int_eq(yn_ring_reserve(&others, ring), YN_RING_DONE);
    put(2);
    uint64_t skips;
    ck_assert_uint_eq(run_from(0, &skips, YN_RING_WAIT), 1); /* not beyond what is not put */
    ck_assert_uint_eq(atomic_load(&ring->ripe), 1);
    get(1);
    ck_assert_int_eq(yn_ring_take(&mine, ring), YN_RING_WAIT);
    ck_assert(!mine.repaired);
    bare_team_bury(&team, &other);
    ck_assert_uint_eq(run_from(1, &skips, YN_RING_WAIT), 3);
    ck_assert_uint_eq(skips, 1);
    ck_assert(mine.repaired);
    ck_assert_uint_eq(atomic_load(&ring->flawed), 1);
    ck_assert_uint_eq(atomic_load(&tally->abandoned), 1);
    ck_assert_uint_eq(run_from(1, &skips, YN_RING_WAIT), 3); /* from the start again, since there is a flaw */
    ck_assert_uint_eq(skips, 1);
    mine.repaired = false;
    get(2);
    ck_assert(mine.repaired); /* somebody may wait for that room */
    ck_assert_int_eq(yn_ring_take(&mine, ring), YN_RING_WAIT);
    ck_assert_uint_eq(atomic_load(&tally->abandoned), 1);
    for (unsigned char i = 0; i < 4; i++)
        put(i);
    for (unsigned char i = 0; i < 4; i++)
        get(i);
}
END_TEST

/* The ring is full of what is none: who needs the cell passes it. */
START_TEST(a_skip_at_the_front_makes_room)
{
    make_ring(2, false);
    for (unsigned char lap = 0; lap < 2; lap++) {
        yn_turn turn = {.me = &other, .limit = YN_MESSAGE_MOST};
        ck_assert_int_eq(yn_ring_reserve(&turn, ring), YN_RING_DONE);
        put(lap);
        ck_assert_int_eq(yn_ring_reserve(&mine, ring), YN_RING_WAIT);
        ck_assert(!mine.repaired);
        bare_team_bury(&team, &other);
        put((unsigned char)(lap + 10));
        ck_assert(mine.repaired);
        ck_assert_int_eq(yn_ring_reserve(&mine, ring), YN_RING_WAIT);
        get(lap);
        get((unsigned char)(lap + 10));
        other = bare_team_join(&team);
        mine.repaired = false;
        put(lap); /* so that the next one is at the other cell */
        get(lap);
    }
    ck_assert_uint_eq(atomic_load(&tally->abandoned), 2);
}
END_TEST

/* The tail of another lap than the first is behind the cell: whoever meets it helps it on, though the owner lives. */
START_TEST(who_stops_between_cell_and_tail_is_helped_on)
{
    make_ring(2, false);
    for (int lap = 0; lap < 3; lap++) {
        uint64_t position, first = (uint64_t)lap << ring->bits;
        ck_assert_int_eq(yn_ring_reserve(&others, ring), YN_RING_DONE);
        ck_assert_uint_eq(others.hold.position, first);
        atomic_store(&ring->tail, first << 1);
        ck_assert_int_eq(yn_ring_back(&mine, ring, &position), YN_RING_DONE);
        ck_assert_uint_eq(position, first + 1);
        ck_assert_uint_eq(atomic_load(&ring->tail), (first + 1) << 1);
        fill(&others, 1, 8);
        atomic_store(&ring->tail, first << 1); /* when it is published, too */
        put(2);
        ck_assert_int_eq(yn_ring_back(&mine, ring, &position), YN_RING_WAIT);
        get(1);
        get(2);
    }
    ck_assert(!mine.repaired);
}
END_TEST

/* Likewise the head. */
START_TEST(who_stops_between_taking_and_head_is_helped_on)
{
    make_ring(2, false);
    for (int lap = 0; lap < 3; lap++) {
        uint64_t position, first = (uint64_t)lap << ring->bits;
        put(1);
        put(2);
        ck_assert_int_eq(yn_ring_take(&others, ring), YN_RING_DONE);
        atomic_store(&ring->head, first);
        ck_assert_int_eq(yn_ring_front(&mine, ring, &position), YN_RING_DONE);
        ck_assert_uint_eq(position, first + 1);
        ck_assert_uint_eq(atomic_load(&ring->head), first + 1);
        yn_ring_release(&others.hold);
        get(2);
    }
    ck_assert(!mine.repaired);
}
END_TEST

/* The block of a message whose putter had come to noting it is freed, whoever meets it first: a getter or a walk. What
 * lies in the cell, or was noted a lap before, is none. */
START_TEST(the_block_of_a_half_put_message_is_freed)
{
    static const size_t sizes[] = {YN_CELL_INLINE + 1, 1000, YN_CELL_INLINE, 8, 1000};
    size_t size = sizes[_i / 2];
    bool earlier = (size_t)_i / 2 == YN_COUNT(sizes) - 1;
    make_ring(2, false);
    for (unsigned char i = 0; i < 2; i++) {
        put(i);
        get(i);
    }
    uint64_t before = blocks(), skips;
    ck_assert_int_eq(yn_ring_reserve(&others, ring), YN_RING_DONE);
    void *block = yn_heap_alloc(&me, 1000, 16);
    ck_assert_ptr_nonnull(block);
    atomic_store(yn_cell_block(others.hold.cell), block);
    uint64_t mark = yn_ring_mark(ring, others.hold.position);
    atomic_store(&others.hold.cell->info, (uint64_t)size << 24 | (earlier ? mark - 1 : mark));
    ck_assert_uint_eq(blocks(), before + 1);
    bare_team_bury(&team, &other);
    if (_i % 2 == 0)
        ck_assert_int_eq(yn_ring_take(&mine, ring), YN_RING_WAIT);
    else
        ck_assert_uint_eq(run_from(2, &skips, YN_RING_WAIT), 3);
    ck_assert_uint_eq(blocks(), before + (size <= YN_CELL_INLINE || earlier));
}
END_TEST

START_TEST(what_the_dead_had_taken_comes_again)
{
    make_ring(4, false);
    put(1);
    put(2);
    put(3);
    ck_assert_uint_eq(yn_ring_count_orphans(&mine, ring), 0);
    ck_assert_int_eq(yn_ring_inherit(&mine, ring), YN_RING_WAIT);
    ck_assert_int_eq(yn_ring_take(&others, ring), YN_RING_DONE);
    ck_assert_int_eq(yn_ring_take(&others, ring), YN_RING_DONE);
    ck_assert_uint_eq(yn_ring_count_orphans(&mine, ring), 0);
    bare_team_bury(&team, &other);
    ck_assert_uint_eq(yn_ring_count_orphans(&mine, ring), 2);
    mine.looks = true;
    ck_assert_int_eq(yn_ring_inherit(&mine, ring), YN_RING_DONE);
    ck_assert_uint_eq(yn_cell_bytes(mine.hold.cell)[0], 1);
    ck_assert_uint_eq(mine.seen, other.claim | YN_CELL_TAKEN);
    ck_assert_uint_eq(atomic_load(&tally->redelivered), 0);
    mine.looks = false;
    mine.limit = 7;
    ck_assert_int_eq(yn_ring_inherit(&mine, ring), YN_RING_LARGE);
    ck_assert_uint_eq(mine.size, 8);
    mine.limit = 8;
    for (unsigned char i = 1; i <= 2; i++) {
        ck_assert_int_eq(yn_ring_inherit(&mine, ring), YN_RING_DONE);
        ck_assert_uint_eq(yn_cell_bytes(mine.hold.cell)[0], i);
        ck_assert_uint_eq(mine.hold.position, i - 1u);
        ck_assert_uint_eq(atomic_load(&tally->redelivered), i);
        yn_ring_release(&mine.hold);
    }
    ck_assert_int_eq(yn_ring_inherit(&mine, ring), YN_RING_WAIT);
    get(3);
}
END_TEST

/* The last one before the head was moved, and those of the lap before. */
START_TEST(who_dies_between_cell_and_head_is_inherited)
{
    bool lose = _i != 0;
    make_ring(2, lose);
    put(1);
    ck_assert_int_eq(yn_ring_take(&others, ring), YN_RING_DONE);
    atomic_store(&ring->head, 0);
    bare_team_bury(&team, &other);
    ck_assert_uint_eq(yn_ring_count_orphans(&mine, ring), lose ? 0 : 1);
    ck_assert_int_eq(yn_ring_inherit(&mine, ring), lose ? YN_RING_WAIT : YN_RING_DONE);
    ck_assert_uint_eq(atomic_load(&ring->head), 1);
    ck_assert_uint_eq(atomic_load(&tally->lost), lose ? 1 : 0);
    if (!lose)
        yn_ring_release(&mine.hold);
    put(2);
    get(2);
}
END_TEST

START_TEST(what_the_dead_had_taken_is_lost_where_that_is_wanted)
{
    make_ring(2, true);
    uint64_t before = blocks();
    for (unsigned char i = 0; i < 2; i++) {
        ck_assert_int_eq(yn_ring_reserve(&mine, ring), YN_RING_DONE);
        fill(&mine, i, 1000);
        ck_assert_int_eq(yn_ring_take(&others, ring), YN_RING_DONE);
    }
    ck_assert_uint_eq(blocks(), before + 2);
    ck_assert_int_eq(yn_ring_reserve(&mine, ring), YN_RING_WAIT);
    bare_team_bury(&team, &other);
    if (_i == 0) { /* met by who needs the cell */
        put(7);
        ck_assert_uint_eq(atomic_load(&tally->lost), 1);
        ck_assert_uint_eq(blocks(), before + 1);
        ck_assert(mine.repaired);
        put(8);
    } else { /* or by who looks them over */
        ck_assert_uint_eq(yn_ring_count_orphans(&mine, ring), 0);
        ck_assert(mine.repaired);
        put(7);
        put(8);
    }
    ck_assert_uint_eq(atomic_load(&tally->lost), 2);
    ck_assert_uint_eq(blocks(), before);
    get(7);
    get(8);
}
END_TEST

START_TEST(a_message_beyond_the_limit_stays)
{
    make_ring(2, false);
    put(1);
    mine.limit = 7;
    ck_assert_int_eq(yn_ring_take(&mine, ring), YN_RING_LARGE);
    ck_assert_uint_eq(mine.size, 8);
    mine.limit = 8;
    get(1);
}
END_TEST

/* A closed ring with what a reservation that came too late has left; then a life of its own again. */
START_TEST(a_spent_ring_begins_anew)
{
    make_ring(3, false);
    put(1);
    ck_assert_int_eq(yn_ring_reserve(&others, ring), YN_RING_DONE); /* a SKIP to be */
    put(3);
    get(1);
    yn_cell_shared *late = yn_ring_cell(ring, yn_ring_next(ring, 2));
    yn_ring_close(ring);
    atomic_store(&late->word, other.claim | YN_CELL_RESERVED);
    bare_team_bury(&team, &other);
    get(3);
    ck_assert_int_eq(yn_ring_take(&mine, ring), YN_RING_SHUT);
    _Atomic uint64_t *beyond = &yn_ring_cell(ring, 3)->word;
    atomic_store(beyond, me.claim | YN_CELL_TAKEN);
    for (uint64_t i = 0; i < 3; i++) { /* not while anybody has one of its cells */
        uint64_t word = atomic_load(&yn_ring_cell(ring, i)->word);
        for (uint64_t how = YN_CELL_RESERVED; how <= YN_CELL_TAKEN; how++) {
            atomic_store(&yn_ring_cell(ring, i)->word, me.claim | how);
            ck_assert(!yn_ring_is_spent(&mine, ring));
        }
        atomic_store(&yn_ring_cell(ring, i)->word, word);
    }
    ck_assert(yn_ring_is_spent(&mine, ring));
    ck_assert_uint_eq(atomic_load(&late->word), UINT64_C(4) << 4 | YN_CELL_FREE);
    ck_assert_uint_eq(atomic_load(&tally->abandoned), 1); /* the late one was none */
    /* Who passed the SKIP has died before it made it FREE. */
    ck_assert_uint_eq(atomic_load(&yn_ring_cell(ring, 1)->word), UINT64_C(4) << 4 | YN_CELL_FREE);
    atomic_store(&yn_ring_cell(ring, 1)->word, YN_CELL_SKIP);
    for (int life = 0; life < 3; life++) {
        yn_ring_renew(ring);
        ck_assert_uint_eq(ring->start, atomic_load(&ring->head));
        ck_assert_uint_eq(atomic_load(&ring->tail), atomic_load(&ring->head) << 1);
        ck_assert_uint_eq(atomic_load(&ring->ripe), ring->start);
        ck_assert_uint_eq(atomic_load(&ring->flawed), 0);
        for (unsigned char i = 0; i < 10; i++) {
            put(i);
            put((unsigned char)(i + 1));
            get(i);
            get((unsigned char)(i + 1));
        }
        ck_assert_uint_eq(atomic_load(&ring->flawed), 0);
        yn_ring_close(ring);
    }
}
END_TEST

/* It stands before the tail's own cell, so it is of the next lap. */
START_TEST(a_reservation_that_came_a_lap_late_is_taken_back)
{
    make_ring(4, false);
    for (int i = 0; i < 2; i++) {
        put(1);
        get(1);
    }
    yn_ring_close(ring);
    yn_cell_shared *late = yn_ring_cell(ring, 0);
    atomic_store(&late->word, other.claim | YN_CELL_RESERVED);
    ck_assert(!yn_ring_is_spent(&mine, ring));
    bare_team_bury(&team, &other);
    ck_assert(yn_ring_is_spent(&mine, ring));
    ck_assert_uint_eq(atomic_load(&late->word), UINT64_C(4) << 4 | YN_CELL_FREE);
}
END_TEST

START_TEST(the_end_of_a_ring_frees_what_is_in_it)
{
    make_ring(4, false);
    uint64_t before = blocks();
    for (unsigned char i = 0; i < 4; i++) {
        ck_assert_int_eq(yn_ring_reserve(&mine, ring), YN_RING_DONE);
        fill(&mine, i, 1000);
    }
    ck_assert_int_eq(yn_ring_take(&mine, ring), YN_RING_DONE); /* released, and its block kept by who had it */
    void *kept = atomic_load(yn_cell_block(mine.hold.cell));
    yn_ring_release(&mine.hold);
    ck_assert_int_eq(yn_ring_take(&others, ring), YN_RING_DONE); /* not released */
    ck_assert_uint_eq(blocks(), before + 4);
    yn_ring_drop(&me, ring);
    ck_assert_uint_eq(blocks(), before + 1);
    yn_heap_free(&me, kept);
    ck_assert_uint_eq(blocks(), before);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("ring");
    TCase *cases = test_case(suite, "ring");
    tcase_add_checked_fixture(cases, set_scene, drop_scene);
    tcase_add_loop_test(cases, what_is_put_comes_in_order_lap_after_lap, 1, 10);
    tcase_add_test(cases, who_dies_over_a_put_leaves_a_skip);
    tcase_add_test(cases, a_skip_at_the_front_makes_room);
    tcase_add_test(cases, who_stops_between_cell_and_tail_is_helped_on);
    tcase_add_test(cases, who_stops_between_taking_and_head_is_helped_on);
    tcase_add_loop_test(cases, the_block_of_a_half_put_message_is_freed, 0, 10);
    tcase_add_test(cases, what_the_dead_had_taken_comes_again);
    tcase_add_loop_test(cases, who_dies_between_cell_and_head_is_inherited, 0, 2);
    tcase_add_loop_test(cases, what_the_dead_had_taken_is_lost_where_that_is_wanted, 0, 2);
    tcase_add_test(cases, a_message_beyond_the_limit_stays);
    tcase_add_test(cases, a_spent_ring_begins_anew);
    tcase_add_test(cases, a_reservation_that_came_a_lap_late_is_taken_back);
    tcase_add_test(cases, the_end_of_a_ring_frees_what_is_in_it);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
