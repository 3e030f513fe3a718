/* The shared heap as programs use it: every size, realloc, other processes and threads, what is no block, figures.
 * It must not know how the heap is built.
 * Read next: test_heap.c, the same from inside.
 * labels: threads valgrind */
#include "../proc/helpers.h"

#include "base/base.h"

#include <pthread.h>

#define MIB ((size_t)1 << 20)

static yunta_heap_stats stats(void)
{
    yunta_heap_stats s;
    ck_assert_int_eq(yunta_heap_read_stats(&s), 0);
    return s;
}

static void fill(unsigned char *p, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i += 1 + i / 64)
        p[i] = (unsigned char)(i * 7 + seed);
}

static bool is_filled(const unsigned char *p, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i += 1 + i / 64)
        if (p[i] != (unsigned char)(i * 7 + seed))
            return false;
    return true;
}

START_TEST(of_every_size)
{
    static const size_t sizes[] = {0, 1, 16, 64, 65, 1000, 32768, 32769, 100000, 3 * MIB};
    for (size_t i = 0; i < YN_COUNT(sizes); i++) {
        for (size_t alignment = 0; alignment <= 4096; alignment = alignment ? alignment * 2 : 1) {
            void *p = yunta_heap_alloc_aligned(sizes[i], alignment);
            ck_assert_ptr_nonnull(p);
            ck_assert_uint_eq((uintptr_t)p % (alignment > 16 ? alignment : 16), 0);
            ck_assert_uint_ge(yunta_heap_usable_size(p), sizes[i]);
            memset(p, 0xa5, yunta_heap_usable_size(p));
            ck_assert_int_eq(yunta_heap_free(p), 0);
        }
        unsigned char *zeroed = yunta_heap_alloc_zeroed(sizes[i], 1);
        for (size_t k = 0; k < sizes[i]; k++)
            if (zeroed[k] != 0)
                ck_abort_msg("byte %zu of %zu is not zero", k, sizes[i]);
        ck_assert_int_eq(yunta_heap_free(zeroed), 0);
    }
}
END_TEST

START_TEST(what_is_no_block_is_refused)
{
    int own = 0;
    char *p = yunta_heap_alloc(100), *large = yunta_heap_alloc(100000);
    int *shared = yunta_shared(int, 1);
    yunta_lock *lock;
    ck_assert_int_eq(yunta_lock_create(&lock), 0);
    void *wrong[] = {&own,
                     p + 1,
                     p + 16,
                     p + 64,
                     large + 1,
                     large + 4096,
                     shared,
                     (char *)shared - 64,
                     lock,
                     (void *)16,
                     (void *)(uintptr_t)-64};
    yunta_heap_stats before = stats();
    for (size_t i = 0; i < YN_COUNT(wrong); i++) {
        ck_assert_msg(yunta_heap_free(wrong[i]) == -EINVAL, "number %zu is freed", i);
        ck_assert_ptr_null(yunta_heap_realloc(wrong[i], 10));
        ck_assert_uint_eq(yunta_heap_usable_size(wrong[i]), 0);
    }
    ck_assert_uint_eq(stats().blocks, before.blocks);
    ck_assert_int_eq(yunta_shared_free(p), -EINVAL);
    ck_assert_int_eq(yunta_shared_free(shared), 0);
    ck_assert_int_eq(yunta_heap_free(p), 0);
    ck_assert_int_eq(yunta_heap_free(p), -EINVAL);
    ck_assert_ptr_null(yunta_heap_realloc(p, 10));
    ck_assert_int_eq(yunta_heap_free(large), 0);
    ck_assert_int_eq(yunta_heap_free(large), -EINVAL);
    ck_assert_int_eq(yunta_heap_free(NULL), 0);
    ck_assert_uint_eq(yunta_heap_usable_size(NULL), 0);
    ck_assert_ptr_null(yunta_heap_alloc_aligned(8, 3));
    ck_assert_ptr_null(yunta_heap_alloc_aligned(8, 8192));
    ck_assert_ptr_null(yunta_heap_alloc_zeroed(SIZE_MAX / 2, 3));
    ck_assert_ptr_null(yunta_heap_alloc(SIZE_MAX));
    ck_assert_int_eq(yunta_heap_read_stats(NULL), -EINVAL);
    ck_assert_int_eq(yunta_heap_read_holders(NULL, 1), -EINVAL);
    yunta_lock_destroy(lock);
}
END_TEST

START_TEST(realloc_keeps_what_there_was)
{
    static const size_t sizes[] = {1,     64,    65,      40,    5000,  32768, 32769, 200000,
                                   90000, 40000, 3 * MIB, 40000, 20000, 100,   0,     70};
    uint64_t before = stats().blocks;
    size_t size = 10;
    unsigned char *p = yunta_heap_realloc(NULL, size);
    for (size_t i = 0; i < YN_COUNT(sizes); i++) {
        fill(p, size, (unsigned)i);
        size_t kept = sizes[i] < size ? sizes[i] : size;
        p = yunta_heap_realloc(p, size = sizes[i]);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_ge(yunta_heap_usable_size(p), size);
        ck_assert_msg(is_filled(p, kept, (unsigned)i), "%zu bytes of %zu are others", kept, size);
    }
    ck_assert_uint_eq(stats().blocks, before + 1);
    fill(p, size, 1);
    ck_assert_ptr_null(yunta_heap_realloc(p, (size_t)1 << 60)); /* it is as it was */
    ck_assert(is_filled(p, size, 1));
    ck_assert_int_eq(yunta_heap_free(p), 0);
}
END_TEST

START_TEST(a_large_block_grows_where_it_stands)
{
    unsigned char *p = yunta_heap_alloc(MIB), *q;
    fill(p, MIB, 3);
    ck_assert_ptr_eq(q = yunta_heap_realloc(p, MIB / 2), p);
    ck_assert_uint_eq(yunta_heap_usable_size(q), MIB / 2);
    ck_assert_ptr_eq(yunta_heap_realloc(p, MIB), p);
    ck_assert(is_filled(p, MIB / 2, 3));
    ck_assert_int_eq(yunta_heap_free(p), 0);
}
END_TEST

struct handover {
    unsigned char *block[300];
};

static int change_all(struct handover *const *argument)
{
    for (size_t i = 0; i < 300; i++) {
        unsigned char **block = &(*argument)->block[i];
        expect(is_filled(*block, i * 13, (unsigned)i));
        if (i % 3 == 0)
            expect(yunta_heap_free(*block) == 0);
        else if (i % 3 == 1)
            expect((*block = yunta_heap_realloc(*block, i * 200)) != NULL);
        if (i % 3 == 0)
            *block = NULL;
    }
    return 0;
}
YUNTA_ENTRY(change_all, struct handover *);

START_TEST(by_another_process)
{
    yunta_process *child;
    struct handover *all = yunta_shared(struct handover, 1);
    uint64_t before = stats().blocks;
    for (size_t i = 0; i < 300; i++)
        fill(all->block[i] = yunta_heap_alloc(i * 13), i * 13, (unsigned)i);
    start_by((yunta_start_method)_i, &child, change_all, &all);
    end_is(child, 0);
    for (size_t i = 0; i < 300; i++) {
        ck_assert(!all->block[i] || is_filled(all->block[i], i * 13, (unsigned)i));
        ck_assert_int_eq(yunta_heap_free(all->block[i]), 0);
    }
    ck_assert_uint_eq(stats().blocks, before);
    ck_assert_int_eq(yunta_shared_free(all), 0);
}
END_TEST

/* Threads throw blocks to each other; more of them than a process has lanes. */
enum { THREADS = 18, PLACES = 64, THROWS = 4000 };
static _Atomic(size_t *) place[PLACES];

static void *throw(void *argument)
{
    uint64_t random = (uint64_t)(uintptr_t)argument;
    for (int i = 0; i < THROWS; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        size_t size = 2 * sizeof(size_t) + (random >> 40) % ((random >> 33) % 8 ? 600 : 60000);
        size_t *mine = yunta_heap_alloc(size);
        if (!mine)
            return argument;
        *mine = size;
        ((unsigned char *)mine)[size - 1] = (unsigned char)size;
        size_t *other = atomic_exchange(&place[(random >> 20) % PLACES], mine);
        if (other && (other = yunta_heap_realloc(other, *other + (random >> 50))) == NULL)
            return argument;
        if (other && yunta_heap_free(other) != 0)
            return argument;
    }
    return NULL;
}

START_TEST(by_threads)
{
    pthread_t thread[THREADS];
    uint64_t before = stats().blocks;
    for (uintptr_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, throw, (void *)(i + 1)), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *bad;
        pthread_join(thread[i], &bad);
        ck_assert_ptr_null(bad);
    }
    for (size_t i = 0; i < PLACES; i++)
        ck_assert_int_eq(yunta_heap_free(atomic_exchange(&place[i], NULL)), 0);
    ck_assert_uint_eq(stats().blocks, before);
}
END_TEST

static int hold_and_die(const int *how_many)
{
    for (int i = 0; i < *how_many; i++)
        expect(yunta_heap_alloc(1000) != NULL);
    expect(yunta_heap_alloc(50000) != NULL);
    raise(SIGKILL);
    return 0;
}
YUNTA_ENTRY(hold_and_die, int);

static const yunta_heap_holder *holder_of(const yunta_heap_holder *holders, int count, int pid)
{
    for (int i = 0; i < count; i++)
        if (holders[i].pid == pid)
            return &holders[i];
    return NULL;
}

static uint64_t deaths(void)
{
    yunta_arena_stats s;
    ck_assert_int_eq(yunta_arena_read_stats(&s), 0);
    return s.deaths;
}

START_TEST(who_holds_what)
{
    yunta_heap_holder holders[8];
    yunta_process *child;
    ck_assert_int_eq(yunta_heap_read_holders(NULL, 0), 0);
    void *mine[2] = {yunta_heap_alloc(200), yunta_heap_alloc(8192 * 8)};
    start_by(YUNTA_FORK, &child, hold_and_die, &(int){5});
    join_is(child, YUNTA_ECRASHED);
    yunta_process_destroy(child);
    test_wait_until(deaths() > 0, 10000); /* its parent may hear of it before the watch does */
    int count = yunta_heap_read_holders(holders, YN_COUNT(holders));
    ck_assert_int_eq(count, 2);
    ck_assert_int_eq(yunta_heap_read_holders(holders, 1), 2);
    count = yunta_heap_read_holders(holders, YN_COUNT(holders));
    const yunta_heap_holder *own = holder_of(holders, count, (int)getpid()), *dead = holder_of(holders, count, 0);
    ck_assert(own && dead);
    ck_assert_uint_eq(own->blocks, 2);
    ck_assert_uint_eq(own->in_use, yunta_heap_usable_size(mine[0]) + yunta_heap_usable_size(mine[1]));
    ck_assert_uint_eq(dead->blocks, 6);
    ck_assert_uint_ge(dead->in_use, 5 * 1000 + 50000);
    ck_assert_uint_eq(stats().in_use, own->in_use + dead->in_use);
    ck_assert_int_eq(yunta_heap_free(mine[0]) | yunta_heap_free(mine[1]), 0);
}
END_TEST

START_TEST(memory_goes_back)
{
    enum { MANY = 20000 };
    static void *block[MANY];
    for (size_t i = 0; i < MANY; i++)
        ck_assert_ptr_nonnull(block[i] = yunta_heap_alloc(1000));
    uint64_t full = stats().file;
    for (size_t i = 0; i < MANY; i++)
        ck_assert_int_eq(yunta_heap_free(block[i]), 0);
    ck_assert_int_eq(yunta_heap_trim(), 0);
    ck_assert_uint_lt(stats().file, full / 4);
    ck_assert_ptr_nonnull(block[0] = yunta_heap_alloc(1000)); /* and it is had again */
    ck_assert_int_eq(yunta_heap_free(block[0]), 0);
}
END_TEST

START_TEST(no_more_than_the_limit_that_the_user_sets)
{
    enum { LIMIT = 32 << 20 };
    static void *block[64];
    size_t count = 0;
    ck_assert_int_eq(yunta_set_arena_limit(LIMIT), 0);
    while (count < YN_COUNT(block) && (block[count] = yunta_heap_alloc(MIB)) != NULL)
        memset(block[count++], 1, MIB);
    ck_assert_uint_ge(count, 24);
    ck_assert_uint_lt(count, LIMIT / MIB);
    ck_assert_uint_eq(stats().limit, LIMIT);
    ck_assert_uint_le(stats().file, LIMIT);
    ck_assert_ptr_null(yunta_heap_realloc(block[0], 4 * MIB)); /* and what there was is as it was */
    ck_assert_uint_eq(yunta_heap_usable_size(block[0]), MIB);
    while (count > 0)
        ck_assert_int_eq(yunta_heap_free(block[--count]), 0);
    ck_assert_ptr_nonnull(block[0] = yunta_heap_alloc(8 * MIB));
    ck_assert_int_eq(yunta_heap_free(block[0]), 0);
}
END_TEST

static int free_it_too(void *const *block)
{
    return yunta_heap_free(*block) == -EINVAL ? 0 : 1;
}
YUNTA_ENTRY(free_it_too, void *);

START_TEST(freed_once_whoever_does_it)
{
    void *block[] = {yunta_heap_alloc(100), yunta_heap_alloc(100000)};
    for (size_t i = 0; i < YN_COUNT(block); i++) {
        yunta_process *child;
        ck_assert_int_eq(yunta_heap_free(block[i]), 0);
        start_by(TEST_METHOD, &child, free_it_too, &block[i]);
        end_is(child, 0);
    }
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("heap, as programs use it");
    TCase *cases = test_case(suite, "heap");
    tcase_add_test(cases, of_every_size);
    tcase_add_test(cases, what_is_no_block_is_refused);
    tcase_add_test(cases, realloc_keeps_what_there_was);
    tcase_add_test(cases, a_large_block_grows_where_it_stands);
    tcase_add_loop_test(cases, by_another_process, YUNTA_FORK, YUNTA_SPAWN + 1);
    tcase_add_test(cases, by_threads);
    tcase_add_test(cases, who_holds_what);
    tcase_add_test(cases, memory_goes_back);
    tcase_add_test(cases, no_more_than_the_limit_that_the_user_sets);
    TEST_FOR_EACH_METHOD(cases, freed_once_whoever_does_it);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
