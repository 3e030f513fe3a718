/* Who takes a read–write lock over from a dead writer, while a reader that came too late stands still before it goes.
 * It must not need the reader to be a process.
 * Read next: test_rwlock.c. */
#include "../proc/helpers.h"

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

static Suite *make(void)
{
    Suite *suite = suite_create("read-write lock, looking");
    TCase *cases = test_case(suite, "limits");
    tcase_add_test(cases, the_limit_holds_and_the_next_one_is_told);
    tcase_add_test(cases, who_gives_up_wakes_those_who_wait_for_ever);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
