/* The shared heap, whose users are killed thousands of times at moments that nobody chose, while they allocate, resize
 * and free blocks of each other's. It must not miss a loss: at the end every page and block is accounted for.
 * YUNTA_KILLS says how many kills, of which it does half (1,000). Read next: test_heap_kill.c, the same step by step.
 *
 * timeout: 300 */
#include "../proc/helpers.h"

#include "../shm/heap_accounts.h"
#include "../sync/endless.h"

enum { places = 64 };

typedef struct held {
    uint64_t size, check;
} held;

/* What the workers share. */
typedef struct table {
    _Atomic(held *) place[places];
    _Atomic uint64_t dead_moves; /* deaths in which a block may have been there twice */
    _Atomic long moving;         /* pid of who resizes a block; others meanwhile leave that alone */
    _Atomic long done;           /* turns, by all */
    _Atomic int stop;
    _Atomic int wrong; /* a line */
} table;

#include "random_kills.h"

static uint64_t check_of(const held *block)
{
    return (uint64_t)(uintptr_t)block ^ block->size << 1 ^ 0x5a5a;
}

static void mark(held *block, uint64_t size)
{
    block->size = size;
    block->check = check_of(block);
}

static bool is_marked(const held *block)
{
    return block->check == check_of(block);
}

/* As a program that has somebody else's block in hand; if it dies, that one is lost. */
static void give_back(long me, held *block)
{
    long nobody = 0;
    expect_in_worker(is_marked(block) && yunta_heap_usable_size(block) >= block->size);
    if (some(4) == 0 && atomic_compare_exchange_strong(&t->moving, &nobody, me)) {
        uint64_t size = block->size, wanted = sizeof *block + some(some(4) ? 2000 : 100000);
        held *moved = yunta_heap_realloc(block, wanted);
        expect_in_worker(moved != NULL && moved->size == size);
        block = moved;
        atomic_store(&t->moving, 0);
    }
    expect_in_worker(yunta_heap_free(block) == 0);
    if (some(64) == 0)
        expect_in_worker(yunta_heap_trim() == 0);
}

static void turn(long me)
{
    size_t size = sizeof(held) + some(some(8) ? 1500 : 120000);
    held *mine = some(4) ? yunta_heap_alloc(size) : yunta_heap_alloc_aligned(size, (size_t)16 << some(9));
    expect_in_worker(mine != NULL);
    mark(mine, size);
    held *other = atomic_exchange(&t->place[some(places)], mine);
    if (other)
        give_back(me, other);
    dawdle(30);
}

static void kill_one(pid_t *pid)
{
    long moving = *pid;
    replace(pid, turn);
    /* Whoever was killed while it moved a block leaves it there twice, at most. */
    if (atomic_compare_exchange_strong(&t->moving, &moving, 0))
        atomic_fetch_add(&t->dead_moves, 1);
}

START_TEST(no_block_is_lost_but_those_in_hand)
{
    int error;
    make_table();
    yn_self *me = yn_self_get(&error);
    uint64_t kills = (uint64_t)kills_wanted() / 2;
    pid_t pid[workers];
    for (int i = 0; i < workers; i++)
        pid[i] = start_worker(turn);
    for (uint64_t i = 0; i < kills; i++) {
        /* Some turns later, or in the middle of the first ones. */
        long turns = atomic_load(&t->done) + some(12);
        while (atomic_load(&t->done) < turns && atomic_load(&t->wrong) == 0)
            sched_yield();
        for (uint32_t spins = some(300); spins > 0; spins--)
            yn_pause();
        kill_one(&pid[some(workers)]);
    }
    long done = atomic_load(&t->done);
    test_wait_until(atomic_load(&t->done) > done + 100, 10000);
    atomic_store(&t->stop, 1);
    for (int i = 0; i < workers; i++)
        await_end(pid[i]);
    /* A worker killed before its first call was no member yet. */
    test_wait_until(atomic_load(&me->arena->slots.alive) <= 1, 10000);

    uint64_t there = 0;
    for (int i = 0; i < places; i++) {
        held *block = atomic_load(&t->place[i]);
        there += block != NULL;
        ck_assert(!block || (is_marked(block) && yunta_heap_usable_size(block) >= block->size));
    }
    yunta_heap_stats stats;
    ck_assert_int_eq(yunta_heap_read_stats(&stats), 0);
    uint64_t lost_most = kills + t->dead_moves;
    printf("%llu kills, %llu blocks lost\n", (unsigned long long)kills, (unsigned long long)(stats.blocks - there - 1));
    heap_check(me, stats.own_blocks + there + 1, lost_most, kills << 10);
    for (int i = 0; i < places; i++)
        ck_assert_int_eq(yunta_heap_free(atomic_load(&t->place[i])), 0);
    yunta_shared_free(t);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("heap, killed at random");
    TCase *cases = test_case(suite, "heap");
    tcase_set_timeout(cases, 200);
    tcase_add_test(cases, no_block_is_lost_but_those_in_hand);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
