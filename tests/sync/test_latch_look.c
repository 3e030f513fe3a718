/* Who looks at a latch reads one word after the other, and others take, count and die meanwhile. They do it at the very
 * look here, so that each run meets it. It must not need any of them to be a process.
 * Read next: test_latch.c. */
#include "../proc/helpers.h"

#include "heap_moments.h"
#include "sync/wait.h"

static void about_to_look(const volatile void *word);
#undef atomic_load
#define atomic_load(word) (about_to_look(word), atomic_load_explicit((word), memory_order_seq_cst))
#define wait wait_at
#include "sync/latch.c"
#undef wait

static yunta_latch *latch;
static yn_self me, other, third;
static const volatile void *moment; /* when this is looked at, `meanwhile` is called, once */
static int earlier;                 /* looks before that one */
static void (*meanwhile)(void);

static void about_to_look(const volatile void *word)
{
    if (!meanwhile || word != moment || earlier-- > 0)
        return;
    void (*call)(void) = meanwhile;
    meanwhile = NULL;
    call();
}

/* A member of the team without a process. */
static yn_self join_by_hand(void)
{
    int error;
    yn_self self = *yn_self_get(&error);
    self.claim = yn_slot_take(self.arena, self.arena_fd, 0, &error);
    ck_assert_uint_ne(self.claim, 0);
    self.slot = yn_slot_at(&self.arena->slots, yn_claim_slot(self.claim));
    self.seat = NULL;
    ck_assert(yn_slot_go_live(&self.arena->slots, self.claim));
    return self;
}

static void set_scene(uint32_t count)
{
    int error;
    me = *yn_self_get(&error);
    other = join_by_hand();
    third = join_by_hand();
    meanwhile = NULL;
    earlier = 0;
    ck_assert_int_eq(yunta_latch_create(&latch, count), 0);
}

static void unset_scene(void)
{
    ck_assert(meanwhile == NULL);
    yunta_latch_destroy(latch);
}

static void die(yn_self *who)
{
    ck_assert(yn_slot_declare_dead(&me.arena->slots, who->claim));
    yn_slot_free(&me.arena->slots, who->claim);
}

static debt_shared *first_debt(void)
{
    return &atomic_load(&latch->debts)->debt[0];
}

/* Its name has been read, and that it is dead; then its row is another one's, who owes something and lives. */
static void take_the_row(void)
{
    ck_assert_int_eq(take(&third, latch, 1), 0);
    ck_assert_uint_eq(atomic_load(&first_debt()->who), third.claim);
}

START_TEST(a_dead_ones_row_may_be_anothers_by_now)
{
    set_scene(2);
    ck_assert_int_eq(take(&other, latch, 0), 0);
    debt_shared *debt = first_debt();
    die(&other);
    moment = &debt->taking;
    meanwhile = take_the_row;
    ck_assert_uint_eq(look(&me, latch), 0);
    ck_assert_int_eq(count_down(&third, latch, 2), 0);
    ck_assert_uint_eq(look(&me, latch), OPEN);
    unset_scene();
}
END_TEST

/* All but the one that is taken has been looked at: the sum must not be found 0 between here and there. */
static void take_the_last(void)
{
    ck_assert_int_eq(take(&other, latch, 1), 0);
}

START_TEST(what_is_taken_meanwhile_is_not_missed)
{
    set_scene(1);
    ck_assert_int_eq(take(&other, latch, 0), 0);
    debt_shared *debt = first_debt();
    const volatile void *moments[] = {&latch->untaken, &latch->debts, &debt->taking, &debt->owed, &debt->who};
    for (size_t i = 0; i < YN_COUNT(moments); i++) {
        moment = moments[i];
        meanwhile = take_the_last;
        ck_assert_uint_eq(look(&me, latch), 0);
        ck_assert_uint_eq(atomic_load(&debt->owed), 1);
        atomic_store(&debt->owed, 0); /* as it was */
        atomic_store(&latch->untaken, 1);
    }
    ck_assert_int_eq(count_down(&me, latch, 1), 0);
    ck_assert_uint_eq(look(&me, latch), OPEN);
    unset_scene();
}
END_TEST

/* Between its look at what there is and its taking, somebody else counts the last one: it finds none, and who was told
 * nothing, since it seemed to be taking it, is told now. */
static void count_the_last(void)
{
    ck_assert_int_eq(count_down(&third, latch, 1), 0);
}

START_TEST(who_comes_too_late_leaves_nothing)
{
    set_scene(1);
    ck_assert_int_eq(take(&other, latch, 0), 0);
    moment = &latch->debts;
    meanwhile = count_the_last;
    uint32_t key = yn_event_key(&latch->changed);
    yn_event_announce(&latch->changed);
    ck_assert_int_eq(take(&other, latch, 1), -EOVERFLOW);
    ck_assert_uint_eq(look(&me, latch), OPEN);
    ck_assert_uint_ne(yn_event_key(&latch->changed), key);
    unset_scene();
}
END_TEST

/* Its own process's other thread pays what it has seen. */
static void pay_what_is_owed(void)
{
    ck_assert_int_eq(count_down(&other, latch, 1), 0);
}

START_TEST(threads_of_one_process_pay_each_others_debts)
{
    set_scene(3);
    ck_assert_int_eq(take(&other, latch, 1), 0);
    moment = &latch->untaken; /* when what is owed has been looked at, after a look at the sum */
    earlier = 1;
    meanwhile = pay_what_is_owed;
    ck_assert_int_eq(count_down(&other, latch, 2), 0);
    ck_assert_uint_eq(pending(latch), 0);
    ck_assert_uint_eq(look(&me, latch), OPEN);
    unset_scene();
}
END_TEST

/* As many as live at once, and more: each has a row, and what the dead owned is had again. */
START_TEST(rows_are_added_and_used_again)
{
    enum { members = 40 };
    static yn_self member[members];
    set_scene(2 * members);
    for (int again = 0; again < 2; again++) {
        for (int i = 0; i < members; i++) {
            member[i] = join_by_hand();
            ck_assert_int_eq(take(&member[i], latch, 1), 0);
            ck_assert_int_eq(yunta_latch_pending(latch), 2 * members - again * members - i);
            ck_assert_int_eq(count_down(&member[i], latch, 1), 0);
        }
        for (int i = 0; i < members; i++)
            die(&member[i]);
    }
    uint32_t rows = 0;
    for (debts_shared *some = atomic_load(&latch->debts); some; some = some->next)
        rows += some->count;
    ck_assert_uint_le(rows, 2 * members);
    ck_assert_uint_eq(look(&me, latch), OPEN);
    unset_scene();
}
END_TEST

static void add_rows(void)
{
    ck_assert(grow(&me, latch, NULL));
}

START_TEST(of_two_who_add_rows_one_gives_them_back)
{
    set_scene(2);
    uint64_t before = blocks_there_are();
    while_one_is_got = add_rows;
    ck_assert_int_eq(take(&other, latch, 1), 0);
    ck_assert_ptr_null(atomic_load(&latch->debts)->next);
    ck_assert_uint_eq(blocks_there_are(), before + 1);
    ck_assert(grow(&me, latch, atomic_load(&latch->debts)));
    ck_assert_uint_eq(atomic_load(&latch->debts)->count, 2 * FIRST_DEBTS);
    unset_scene();
    ck_assert_uint_eq(blocks_there_are(), before - 1);
}
END_TEST

/* In rows that were added while others owed: all of them count, whoever pays first. */
START_TEST(many_owe_at_once)
{
    enum { members = 40 };
    static yn_self member[members];
    set_scene(2 * members);
    for (int i = 0; i < members; i++) {
        member[i] = join_by_hand();
        ck_assert_int_eq(take(&member[i], latch, 1 + (uint64_t)(i % 2)), 0);
        ck_assert_int_eq(yunta_latch_pending(latch), 2 * members);
    }
    for (int i = 0; i < members; i++)
        ck_assert_uint_eq(owed_by_us(&member[i], latch), 1 + (uint64_t)(i % 2));
    ck_assert_uint_eq(atomic_load(&latch->untaken), members / 2);
    for (int i = 1; i < members; i++)
        ck_assert_int_eq(count_down(&member[i], latch, 1 + (uint64_t)(i % 2)), 0);
    ck_assert_int_eq(yunta_latch_pending(latch), members / 2 + 1);
    die(&member[1]);
    ck_assert_uint_eq(look(&me, latch), 0);
    die(&member[0]);
    ck_assert_uint_eq(look(&me, latch), BROKEN);
    ck_assert_int_eq(take(&me, latch, 1), YUNTA_EBROKEN);
    ck_assert_int_eq(count_down(&me, latch, 1), YUNTA_EBROKEN);
    unset_scene();
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("latch, looking");
    TCase *cases = test_case(suite, "looking");
    tcase_add_test(cases, a_dead_ones_row_may_be_anothers_by_now);
    tcase_add_test(cases, what_is_taken_meanwhile_is_not_missed);
    tcase_add_test(cases, who_comes_too_late_leaves_nothing);
    tcase_add_test(cases, threads_of_one_process_pay_each_others_debts);
    tcase_add_test(cases, rows_are_added_and_used_again);
    tcase_add_test(cases, of_two_who_add_rows_one_gives_them_back);
    tcase_add_test(cases, many_owe_at_once);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
