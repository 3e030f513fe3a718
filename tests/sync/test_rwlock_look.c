/* Who takes a read–write lock over from a dead writer, while a reader that came too late stands still before it goes.
 * It must not need the reader to be a process.
 * Read next: test_rwlock.c. */
#include "../proc/helpers.h"

#include <sys/mman.h>

#include "heap_moments.h"
#include "sync/waits.h"

static bool lacks_memory;
#define yn_waits_add_holder(...) (lacks_memory ? -ENOMEM : (yn_waits_add_holder)(__VA_ARGS__))
#include "sync/rwlock.c"

static yunta_rwlock *lock;
static yn_self me, reader, writer;

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

/* The writer has died inside; the reader, perhaps one of our own threads, has written its cell, and not yet looked at
 * the writer's word again. */
static void set_scene(bool is_ours)
{
    int error;
    me = *yn_self_get(&error);
    reader = is_ours ? me : join_by_hand();
    writer = join_by_hand();
    me.seat = reader.seat = writer.seat = yn_seat_get(&me);
    ck_assert_int_eq(yunta_rwlock_create(&lock), 0);
    ck_assert_int_eq(acquire_write(&writer, lock, 0), 0);
    ck_assert_int_eq(enter(&reader, lock), 0);
    ck_assert(yn_slot_declare_dead(&me.arena->slots, writer.claim));
}

START_TEST(the_limit_holds_and_the_next_one_is_told)
{
    set_scene(false);
    for (int milliseconds = 0; milliseconds <= 10; milliseconds += 10) {
        ck_assert_int_eq(yunta_rwlock_acquire_write(lock, milliseconds), -ETIMEDOUT);
        ck_assert_int_eq(yunta_rwlock_acquire_read(lock, milliseconds), -ETIMEDOUT);
        ck_assert_int_eq(yunta_rwlock_release(lock), -EPERM);
    }
    ck_assert(leave(&reader, lock));
    ck_assert_int_eq(yunta_rwlock_acquire_read(lock, 0), -EOWNERDEAD);
    ck_assert_int_eq(yunta_rwlock_mark_consistent(lock), 0);
    ck_assert_int_eq(yunta_rwlock_release(lock), 0);
    ck_assert_int_eq(yunta_rwlock_acquire_write(lock, 0), 0);
    ck_assert_int_eq(yunta_rwlock_release(lock), 0);
    yunta_rwlock_destroy(lock);
}
END_TEST

static int take_for_ever(yunta_rwlock *const *which)
{
    expect(yunta_rwlock_acquire_write(*which, YUNTA_FOREVER) == -EOWNERDEAD);
    expect(yunta_rwlock_mark_consistent(*which) == 0);
    expect(yunta_rwlock_release(*which) == 0);
    return 0;
}
YUNTA_ENTRY(take_for_ever, yunta_rwlock *);

/* It may sleep on our word when we give up. */
START_TEST(who_gives_up_wakes_those_who_wait_for_ever)
{
    for (int round = 0; round < test_rounds(20); round++) {
        set_scene(true);
        uint64_t word = atomic_load(&lock->writer.word);
        ck_assert_uint_eq(yn_claim_who(word), writer.claim);
        ck_assert_int_eq(yn_lock_acquire(&me, &lock->writer, 0), -EOWNERDEAD);
        yunta_process *other;
        ck_assert_int_eq(yunta_start(&other, take_for_ever, &lock, NULL), 0);
        if (round % 2 == 0)
            test_wait_until(atomic_load(&lock->writer.word) & YN_LOCK_WAITERS &&
                                test_state(yunta_process_pid(other)) == 'S',
                            10000);
        ck_assert_int_eq(go_inside(&me, lock, -EOWNERDEAD, 0), -ETIMEDOUT);
        ck_assert(leave(&reader, lock));
        ck_assert_int_eq(yunta_process_join(other, 10000), 0);
        yunta_process_destroy(other);
        yunta_rwlock_destroy(lock);
    }
}
END_TEST

static void die(yn_self *who)
{
    ck_assert(yn_slot_declare_dead(&me.arena->slots, who->claim));
}

/* Readers sleep until a writer has let go, which this one does not. */
START_TEST(who_gives_up_tells_the_readers)
{
    set_scene(false);
    uint32_t key = yn_event_key(&lock->released);
    yn_event_announce(&lock->released);
    ck_assert_int_eq(yn_lock_acquire(&me, &lock->writer, 0), -EOWNERDEAD);
    ck_assert_int_eq(go_inside(&me, lock, -EOWNERDEAD, 0), -ETIMEDOUT);
    ck_assert_uint_ne(yn_event_key(&lock->released), key);
    yunta_rwlock_destroy(lock);
}
END_TEST

START_TEST(cells_of_dead_readers_are_used_again)
{
    set_scene(true);
    ck_assert(leave(&reader, lock));
    for (uint32_t i = 0; i < SEGMENT_CELLS(0); i++) {
        yn_self dead = join_by_hand();
        ck_assert_int_eq(enter(&dead, lock), 0);
        die(&dead);
    }
    for (uint32_t i = 0; i < SEGMENT_CELLS(0); i++)
        ck_assert_int_eq(enter(&me, lock), 0);
    ck_assert_ptr_null(lock->segment[1]);
    ck_assert_int_eq(enter(&me, lock), 0);
    ck_assert_ptr_nonnull(lock->segment[1]);
    for (uint32_t i = 0; i <= SEGMENT_CELLS(0); i++) {
        ck_assert(has_readers(&me, lock));
        ck_assert(leave(&me, lock));
    }
    ck_assert(!has_readers(&me, lock));
    ck_assert(!leave(&me, lock));
    yunta_rwlock_destroy(lock);
}
END_TEST

/* Of its two blocks. */
START_TEST(who_gets_no_block_leaves_nothing)
{
    set_scene(true);
    uint64_t before = blocks_there_are();
    for (int block = 0; block < 2; block++) {
        yunta_rwlock *made = lock;
        blocks_to_come = block;
        ck_assert_int_eq(yunta_rwlock_create(&made), -ENOMEM);
        ck_assert_ptr_eq(made, lock);
        ck_assert_uint_eq(blocks_there_are(), before);
    }
    yunta_rwlock_destroy(lock);
    ck_assert_uint_eq(blocks_there_are(), before - 2);
}
END_TEST

static void add_cells(void)
{
    ck_assert_int_eq(add_segment(&me, lock, 1), 0);
}

START_TEST(of_two_who_add_cells_one_gives_them_back)
{
    set_scene(true);
    for (uint32_t i = 1; i < SEGMENT_CELLS(0); i++)
        ck_assert_int_eq(enter(&me, lock), 0);
    uint64_t before = blocks_there_are();
    while_one_is_got = add_cells;
    ck_assert_int_eq(enter(&me, lock), 0);
    ck_assert_uint_eq(blocks_there_are(), before + 1);
    ck_assert_ptr_null(lock->segment[2]);
    yunta_rwlock_destroy(lock);
    ck_assert_uint_eq(blocks_there_are(), before - 2);
}
END_TEST

/* Nothing is in question, though somebody has written before. */
START_TEST(who_dies_before_it_is_inside_is_not_told)
{
    for (int reads = 0; reads <= 1; reads++) {
        set_scene(true);
        ck_assert(leave(&reader, lock));
        ck_assert_int_eq(yunta_rwlock_acquire_write(lock, 0), -EOWNERDEAD);
        ck_assert_int_eq(yunta_rwlock_mark_consistent(lock), 0);
        ck_assert_int_eq(yunta_rwlock_release(lock), 0);
        writer = join_by_hand();
        writer.seat = me.seat;
        ck_assert_int_eq(take_writer(&writer, lock, 0), 0);
        die(&writer);
        ck_assert_int_eq(reads ? yunta_rwlock_acquire_read(lock, 0) : yunta_rwlock_acquire_write(lock, 0), 0);
        ck_assert_int_eq(yunta_rwlock_release(lock), 0);
        yunta_rwlock_destroy(lock);
    }
}
END_TEST

/* As many cells as there can be, all of them a reader's: the same memory over and over. Behind the last segment stands
 * what is another's. */
START_TEST(there_is_a_most_of_readers)
{
    enum { PIECE = 1 << 20 };
    size_t size = sizeof(uint64_t) * SEGMENT_CELLS(SEGMENTS - 1);
    void *block;
    set_scene(true);
    ck_assert_int_eq(yn_heap_alloc_zeroed(&me, &block, sizeof *lock + 64, YN_CACHE_LINE), 0);
    yunta_rwlock *full = block;
    int memory = memfd_create("cells", MFD_CLOEXEC);
    ck_assert(memory >= 0 && ftruncate(memory, PIECE) == 0);
    char *cells = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (size_t at = 0; at < size; at += PIECE)
        ck_assert_ptr_ne(mmap(cells + at, PIECE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory, 0),
                         MAP_FAILED);
    close(memory);
    for (size_t i = 0; i < PIECE / sizeof(uint64_t); i++)
        ((uint64_t *)(void *)cells)[i] = reader.claim;
    for (unsigned k = 0; k < SEGMENTS; k++)
        full->segment[k] = (_Atomic uint64_t *)(void *)cells;
    uint64_t behind[2] = {0, me.claim};
    *(void **)(void *)((char *)full->segment + sizeof full->segment) = behind;
    ck_assert_int_eq(enter(&me, full), -EAGAIN);
    ck_assert_int_eq(yunta_rwlock_acquire_read(full, 0), -EAGAIN);
    ck_assert(has_readers(&me, full));
    memset(cells, 0, PIECE);
    ck_assert(!has_readers(&me, full));
    ck_assert(!leave(&me, full));
    ck_assert_uint_eq(behind[0], 0);
    ck_assert_uint_eq(behind[1], me.claim);
    munmap(cells, size);
    for (unsigned k = 0; k < SEGMENTS; k++)
        full->segment[k] = NULL;
    yunta_heap_stats before, after;
    ck_assert_ptr_nonnull(block = yunta_heap_alloc(64));
    *(void **)(void *)((char *)full->segment + sizeof full->segment) = block;
    ck_assert_int_eq(yunta_heap_read_stats(&before), 0);
    yunta_rwlock_destroy(full);
    ck_assert_int_eq(yunta_heap_read_stats(&after), 0);
    ck_assert_uint_eq(after.own_blocks, before.own_blocks - 1);
    yunta_heap_free(block);
    yunta_rwlock_destroy(lock);
}
END_TEST

static yn_waits_seen holders_of(yn_waits_reader *read)
{
    yn_waits_seen seen = {.waiters = 1, .waiter = calloc(1, sizeof *seen.waiter)};
    ck_assert_int_eq(read(&me, lock, &seen), lacks_memory ? -ENOMEM : 0);
    return seen;
}

/* For who looks for deadlocks: each reader that lives, once, in whichever segment; and the writer. */
START_TEST(who_has_it_is_found)
{
    set_scene(true);
    ck_assert(leave(&reader, lock));
    yn_self dead = join_by_hand(), other = join_by_hand();
    ck_assert_int_eq(enter(&dead, lock), 0);
    for (uint32_t i = 1; i < SEGMENT_CELLS(0); i++)
        ck_assert_int_eq(enter(&me, lock), 0);
    ck_assert_int_eq(enter(&other, lock), 0); /* in the next segment */
    die(&dead);
    yn_waits_seen seen = holders_of(yn_rwlock_read_readers);
    ck_assert_uint_eq(seen.holders, 2);
    ck_assert_uint_eq(seen.holder[0].process, me.claim);
    ck_assert_uint_eq(seen.holder[1].process, other.claim);
    ck_assert(seen.holder[0].thread == 0 && seen.holder[0].self == 0);
    yn_waits_free(&seen);
    seen = holders_of(yn_rwlock_read_writer); /* it is dead */
    ck_assert(seen.holders == 0 && seen.waiter[0].is_open);
    yn_waits_free(&seen);
    _Atomic uint64_t *cells = lock->segment[0];
    for (uint32_t i = 0; i < SEGMENT_CELLS(0); i++)
        atomic_store(&cells[i], i == 0 ? me.claim : 0);
    seen = holders_of(yn_rwlock_read_readers);
    ck_assert_uint_eq(seen.holders, 2);
    yn_waits_free(&seen);
    _Atomic uint64_t elsewhere[64] = {me.claim};
    lock->segment[0] = elsewhere; /* what no arena has is not read */
    seen = holders_of(yn_rwlock_read_readers);
    ck_assert_uint_eq(seen.holders, 0);
    yn_waits_free(&seen);
    lock->segment[0] = cells;
    lacks_memory = true;
    seen = holders_of(yn_rwlock_read_readers);
    yn_waits_free(&seen);
    lacks_memory = false;
    yunta_rwlock_destroy(lock);
}
END_TEST

/* What lies behind the cells is none. */
START_TEST(nobody_reads_beyond_the_last_cell)
{
    void *block;
    set_scene(true);
    ck_assert(leave(&reader, lock));
    for (uint32_t i = 0; i < SEGMENT_CELLS(0); i++)
        ck_assert_uint_eq(atomic_load(&lock->segment[0][i]), 0);
    yn_self beyond = join_by_hand();
    size_t size = sizeof(uint64_t) * (SEGMENT_CELLS(0) + 1);
    ck_assert_int_eq((yn_heap_alloc_zeroed)(&me, &block, size, YN_CACHE_LINE), 0);
    _Atomic uint64_t *cells = lock->segment[0];
    lock->segment[0] = block;
    atomic_store(&lock->segment[0][SEGMENT_CELLS(0)], beyond.claim);
    yn_waits_seen seen = holders_of(yn_rwlock_read_readers);
    ck_assert_uint_eq(seen.holders, 0);
    yn_waits_free(&seen);
    ck_assert(!has_readers(&me, lock));
    ck_assert(!leave(&beyond, lock));
    lock->segment[0] = cells;
    yn_heap_free(&me, block);
    yunta_rwlock_destroy(lock);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("read-write lock, looking");
    TCase *cases = test_case(suite, "limits");
    tcase_add_test(cases, the_limit_holds_and_the_next_one_is_told);
    tcase_add_test(cases, who_gives_up_wakes_those_who_wait_for_ever);
    tcase_add_test(cases, who_gives_up_tells_the_readers);
    cases = test_case(suite, "cells");
    tcase_add_test(cases, cells_of_dead_readers_are_used_again);
    tcase_add_test(cases, who_gets_no_block_leaves_nothing);
    tcase_add_test(cases, of_two_who_add_cells_one_gives_them_back);
    tcase_add_test(cases, who_dies_before_it_is_inside_is_not_told);
    tcase_add_test(cases, there_is_a_most_of_readers);
    tcase_add_test(cases, who_has_it_is_found);
    tcase_add_test(cases, nobody_reads_beyond_the_last_cell);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
