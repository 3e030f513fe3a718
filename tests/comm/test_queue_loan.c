/* Loans: reserved, committed, received, released; by whom not; what a death with one leaves.
 * It must not need a process of the library's: guests die here, and the test plays the watch.
 * Read next: include/yunta/queue_loan.h; tests/crash/test_queue_kill.c.
 * labels: valgrind */
#include "shm/heap.h"
#include "test_queue_guest.h"

#include <errno.h>
#include <string.h>
#include <yunta/yunta.h>

static yunta_queue *q;

static void make_queue(const yunta_queue_options *options)
{
    ck_assert_int_eq(yunta_queue_create(&q, options), 0);
}

START_TEST(bad_input_is_told)
{
    yunta_loan loan = {0}, other;
    make_queue(&(yunta_queue_options){.item_size = 200});
    ck_assert_int_eq(yunta_queue_reserve(NULL, 200, &loan), -EINVAL);
    ck_assert_int_eq(yunta_queue_reserve(q, 200, NULL), -EINVAL);
    ck_assert_int_eq(yunta_queue_reserve(q, 199, &loan), -EMSGSIZE);
    ck_assert_int_eq(yunta_queue_receive(NULL, &loan, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_receive(q, NULL, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_receive(q, &loan, 0), -ETIMEDOUT);
    ck_assert_int_eq(yunta_queue_commit(NULL, 0, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_commit(&loan, 0, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_release(NULL), -EINVAL);
    ck_assert_int_eq(yunta_queue_release(&loan), -EINVAL);
    ck_assert_int_eq(yunta_queue_abandon(NULL), -EINVAL);
    ck_assert_int_eq(yunta_queue_abandon(&loan), -EINVAL);
    ck_assert_ptr_null(loan.data);
    ck_assert_int_eq(yunta_queue_reserve(q, 200, &loan), 0);
    ck_assert_int_eq(yunta_queue_release(&loan), -EINVAL);
    ck_assert_int_eq(yunta_queue_commit(&loan, 201, 0), -EMSGSIZE);
    ck_assert_int_eq(yunta_queue_commit(&loan, 100, 0), -EMSGSIZE);
    ck_assert_int_eq(yunta_queue_commit(&loan, 200, 0), 0);
    ck_assert_int_eq(yunta_queue_commit(&loan, 200, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_receive(q, &loan, 0), 0);
    ck_assert_int_eq(yunta_queue_commit(&loan, 200, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_abandon(&loan), -EINVAL);
    other = loan;
    ck_assert_int_eq(yunta_queue_release(&loan), 0);
    ck_assert_int_eq(yunta_queue_release(&loan), -EINVAL);
    ck_assert_int_eq(yunta_queue_release(&other), -EPERM);
    ck_assert_int_eq(yunta_queue_reserve(q, 200, &loan), 0);
    yunta_queue_close(q);
    ck_assert_int_eq(yunta_queue_commit(&loan, 200, 0), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_queue_abandon(&loan), 0);
    ck_assert_int_eq(yunta_queue_reserve(q, 200, &loan), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_queue_receive(q, &loan, 0), YUNTA_ECLOSED);
    yunta_queue_destroy(q);
}
END_TEST

/* Also those that lie in their cells. */
START_TEST(items_lie_aligned)
{
    yunta_loan loan;
    for (size_t size = 120; size <= 1100; size += 140) {
        unsigned char item[1100] = {1};
        make_queue(&(yunta_queue_options){.item_size = size, .capacity = 3});
        for (int i = 0; i < 3; i++)
            ck_assert_int_eq(yunta_queue_put(q, item, 0), 0);
        for (int i = 0; i < 3; i++) {
            ck_assert_int_eq(yunta_queue_receive(q, &loan, 0), 0);
            ck_assert_uint_eq((uintptr_t)loan.data % 16, 0);
            ck_assert_mem_eq(loan.data, item, size);
            ck_assert_int_eq(yunta_queue_release(&loan), 0);
        }
        yunta_queue_destroy(q);
    }
}
END_TEST

START_TEST(memory_running_out_is_told)
{
    yunta_loan loan = {0};
    ck_assert_int_eq(yunta_set_arena_limit(16 << 20), 0);
    make_queue(NULL);
    ck_assert_int_eq(yunta_queue_reserve(q, (size_t)1 << 45, &loan), -ENOMEM);
    ck_assert_int_eq(yunta_queue_reserve(q, 32 << 20, &loan), -ENOMEM);
    ck_assert_ptr_null(loan.data);
    yunta_queue_destroy(q);
}
END_TEST

/* Loans and copies understand each other, whatever the size; nothing leaks. */
START_TEST(loans_beside_copies)
{
    static const size_t sizes[] = {0, 1, 8, 112, 113, 4096, 1 << 20};
    size_t size = sizes[_i], told;
    unsigned char *message = malloc(size + 1), *back = malloc(size + 1);
    yn_heap_figures before, after;
    yunta_loan loan;
    make_queue(&(yunta_queue_options){.capacity = 2});
    yn_heap_read(guest_self(), &before);
    for (int lap = 0; lap < 5; lap++) {
        memset(message, lap + 1, size);
        ck_assert_int_eq(yunta_queue_reserve(q, size, &loan), 0);
        ck_assert_uint_eq(loan.size, size);
        ck_assert_uint_eq((uintptr_t)loan.data % 16, 0);
        memcpy(loan.data, message, size);
        ck_assert_uint_eq(yunta_queue_size(q), 0);
        ck_assert_int_eq(yunta_queue_commit(&loan, size, 0), 0);
        ck_assert_int_eq(yunta_queue_get_bytes(q, back, size, &told, 0), 0);
        ck_assert(told == size && memcmp(message, back, size) == 0);
        ck_assert_int_eq(yunta_queue_put_bytes(q, message, size, 0), 0);
        ck_assert_int_eq(yunta_queue_receive(q, &loan, 0), 0);
        ck_assert(loan.size == size && memcmp(message, loan.data, size) == 0);
        ck_assert_uint_eq(yunta_queue_size(q), 0);
        ck_assert_int_eq(yunta_queue_release(&loan), 0);
        ck_assert_int_eq(yunta_queue_reserve(q, size, &loan), 0);
        ck_assert_int_eq(yunta_queue_abandon(&loan), 0);
    }
    ck_assert_int_eq(yunta_queue_drain(q), 0); /* what was kept for further loans */
    yn_heap_read(guest_self(), &after);
    ck_assert_uint_eq(after.blocks, before.blocks);
    yunta_queue_destroy(q);
    free(message);
    free(back);
}
END_TEST

/* Large blocks are used again, a few are kept, not those of another size; and none stands in the way of memory. */
START_TEST(large_blocks_are_kept)
{
    enum { MANY = 20, SIZE = 100000 };
    yunta_loan loans[MANY], other;
    yn_heap_figures before, after;
    ck_assert_int_eq(yunta_set_arena_limit(16 << 20), 0);
    make_queue(NULL);
    yn_heap_read(guest_self(), &before);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(yunta_queue_reserve(q, SIZE, &loans[i]), 0);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(yunta_queue_abandon(&loans[i]), 0);
    yn_heap_read(guest_self(), &after);
    ck_assert_uint_gt(after.blocks, before.blocks);
    ck_assert_uint_le(after.blocks, before.blocks + MANY / 2);
    ck_assert_int_eq(yunta_queue_reserve(q, SIZE, &other), 0);
    ck_assert_int_eq(yunta_queue_abandon(&other), 0);
    ck_assert_int_eq(yunta_queue_reserve(q, 12 << 20, &other), 0);
    ck_assert_int_eq(yunta_queue_abandon(&other), 0);
    ck_assert_int_eq(yunta_queue_reserve(q, 1 << 20, &other), 0);
    ck_assert_int_eq(yunta_queue_abandon(&other), 0);
    ck_assert_int_eq(yunta_queue_drain(q), 0);
    yn_heap_read(guest_self(), &after);
    ck_assert_uint_eq(after.blocks, before.blocks);
    yunta_queue_destroy(q);
}
END_TEST

/* Less may be committed than was reserved; a long reservation may end as a short message. */
START_TEST(less_than_reserved)
{
    yunta_loan loan;
    char buffer[300];
    size_t size;
    make_queue(NULL);
    for (size_t n = 0; n <= 300; n += 100) {
        ck_assert_int_eq(yunta_queue_reserve(q, 300, &loan), 0);
        memset(loan.data, 'a', 300);
        ck_assert_int_eq(yunta_queue_commit(&loan, n, 0), 0);
        ck_assert_int_eq(yunta_queue_get_bytes(q, buffer, sizeof buffer, &size, 0), 0);
        ck_assert_uint_eq(size, n);
    }
    yunta_queue_destroy(q);
}
END_TEST

START_TEST(a_message_held_keeps_its_place)
{
    yunta_loan loan;
    int value = 0;
    make_queue(&(yunta_queue_options){.item_size = sizeof value, .capacity = 2});
    ck_assert_int_eq(yunta_queue_put(q, &value, 0), 0);
    ck_assert_int_eq(yunta_queue_receive(q, &loan, 0), 0);
    ck_assert_int_eq(yunta_queue_put(q, &value, 0), 0);
    ck_assert_int_eq(yunta_queue_put(q, &value, 0), -ETIMEDOUT);
    yunta_loan own;
    ck_assert_int_eq(yunta_queue_reserve(q, sizeof value, &own), 0);
    ck_assert_int_eq(yunta_queue_commit(&own, sizeof value, 5), -ETIMEDOUT);
    ck_assert_int_eq(yunta_queue_release(&loan), 0);
    ck_assert_int_eq(yunta_queue_commit(&own, sizeof value, 0), 0);
    ck_assert_uint_eq(yunta_queue_size(q), 2);
    yunta_queue_destroy(q);
}
END_TEST

/* Unbounded: the links after the one with the message held come and go. */
START_TEST(a_message_held_for_long)
{
    yunta_loan loan;
    make_queue(&(yunta_queue_options){.item_size = sizeof(int)});
    for (int i = 0; i < 5000; i++)
        ck_assert_int_eq(yunta_queue_put(q, &i, 0), 0);
    ck_assert_int_eq(yunta_queue_receive(q, &loan, 0), 0);
    ck_assert_int_eq(yunta_queue_drain(q), 4999);
    for (int i = 0; i < 5000; i++)
        ck_assert_int_eq(yunta_queue_put(q, &i, 0), 0);
    ck_assert_int_eq(yunta_queue_drain(q), 5000);
    ck_assert_int_eq(*(int *)loan.data, 0);
    ck_assert_int_eq(yunta_queue_release(&loan), 0);
    yunta_queue_destroy(q);
}
END_TEST

static int hold_one(void *context)
{
    yunta_loan loan, unfinished;
    if (yunta_queue_receive(q, &loan, 0) != 0 || yunta_queue_reserve(q, loan.size, &unfinished) != 0)
        return 1;
    *(yunta_loan *)context = loan;
    return 0;
}

/* A holder that has ended: its message comes again, as it left it, or is counted lost; nobody else can release it. */
START_TEST(a_dead_holders_message)
{
    bool lose = _i % 2;
    size_t size = _i / 2 ? 5000 : 8;
    struct {
        _Atomic yn_claim claim;
        yunta_loan loan;
    } *tell = guest_memory(sizeof *tell);
    yunta_loan loan;
    yunta_queue_stats stats;
    make_queue(&(yunta_queue_options){.item_size = size, .capacity = 3, .lose_on_death = lose});
    for (int i = 1; i <= 2; i++) {
        ck_assert_int_eq(yunta_queue_reserve(q, size, &loan), 0);
        memset(loan.data, i, size);
        ck_assert_int_eq(yunta_queue_commit(&loan, size, 0), 0);
    }
    guest g = guest_start(&tell->claim, hold_one, &tell->loan);
    ck_assert_int_eq(guest_join(&g), 0);
    ck_assert_int_eq(yunta_queue_release(&tell->loan), -EPERM);
    ck_assert_uint_eq(yunta_queue_size(q), lose ? 1 : 2);
    unsigned char seen[5000];
    ck_assert_int_eq(yunta_queue_peek(q, seen, sizeof seen, NULL), 0);
    ck_assert_int_eq(seen[size - 1], lose ? 2 : 1);
    ck_assert_int_eq(yunta_queue_receive(q, &loan, 0), 0);
    ck_assert_int_eq(((unsigned char *)loan.data)[size - 1], lose ? 2 : 1);
    ck_assert_int_eq(yunta_queue_release(&loan), 0);
    ck_assert_int_eq(yunta_queue_read_stats(q, &stats), 0);
    ck_assert_uint_eq(stats.lost, lose ? 1 : 0);
    ck_assert_uint_eq(stats.redelivered, lose ? 0 : 1);
    yunta_queue_destroy(q);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("queue_loan");
    TCase *cases = test_case(suite, "loans");
    tcase_add_test(cases, bad_input_is_told);
    tcase_add_test(cases, items_lie_aligned);
    tcase_add_test(cases, memory_running_out_is_told);
    tcase_add_loop_test(cases, loans_beside_copies, 0, 7);
    tcase_add_test(cases, large_blocks_are_kept);
    tcase_add_test(cases, less_than_reserved);
    tcase_add_test(cases, a_message_held_keeps_its_place);
    tcase_add_test(cases, a_message_held_for_long);
    tcase_add_loop_test(cases, a_dead_holders_message, 0, 4);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
