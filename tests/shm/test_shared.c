/* Value and Array: zeroed, aligned, of every size; given to processes that were there before; what is no block refused.
 * It must not know how the heap is built.
 * Read next: test_heap.c; test_shared_limits.c, for memory that runs out.
 * labels: valgrind
 * timeout: 300 */
#include "../proc/helpers.h"

#include <stdalign.h>

#define BIG ((size_t)10 << 20)

static bool is_zero(const unsigned char *p, size_t size)
{
    return size == 0 || (p[0] == 0 && memcmp(p, p + 1, size - 1) == 0);
}

static uint64_t blocks(void)
{
    yunta_arena_stats stats;
    ck_assert_int_eq(yunta_arena_read_stats(&stats), 0);
    return stats.blocks;
}

static void make_and_free(size_t size, size_t alignment)
{
    void *p;
    ck_assert_int_eq(yunta_shared_create(&p, size, alignment, 1), 0);
    ck_assert_msg((uintptr_t)p % (alignment ? alignment : 16) == 0, "%zu bytes are not aligned to %zu", size,
                  alignment);
    ck_assert_msg(is_zero(p, size), "%zu bytes are not zero", size);
    ck_assert_uint_eq(yunta_shared_size(p), size);
    memset(p, 0xa5, size); /* the next ones to have it must not see it */
    ck_assert_int_eq(yunta_shared_free(p), 0);
}

START_TEST(of_every_size_zeroed_and_aligned)
{
    static const size_t sizes[] = {1,      2,    7,     16,    63,    64,    65,    100,    1000,    4095,
                                   4096,   4097, 32703, 32704, 32768, 32769, 65536, 100000, 1 << 20, (1 << 20) + 1,
                                   BIG + 1};
    uint64_t before = blocks();
    for (size_t alignment = 0; alignment <= 4096; alignment = alignment ? alignment * 2 : 1)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            if (sizes[i] < BIG || alignment % 64 == 0)
                make_and_free(sizes[i], alignment);
    ck_assert_uint_eq(blocks(), before);
}
END_TEST

START_TEST(hundreds_of_megabytes)
{
    static const size_t sizes[] = {(size_t)100 << 20, ((size_t)333 << 20) + 5, (size_t)2 << 30};
    yunta_arena_stats stats;
    ck_assert_int_eq(yunta_arena_read_stats(&stats), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *p = yunta_shared(char, sizes[i]);
        if (!p && sizes[i] > (size_t)1 << 30)
            continue; /* a machine may not have that much */
        ck_assert_ptr_nonnull(p);
        for (size_t at = 0; at < sizes[i]; at += ((size_t)1 << 20) - 1) {
            ck_assert_msg(p[at] == 0, "not zero at %zu", at);
            p[at] = 1;
        }
        p[sizes[i] - 1] = 1;
        ck_assert_uint_eq(yunta_shared_size(p), sizes[i]);
        ck_assert_int_eq(yunta_shared_free(p), 0);
    }
}
END_TEST

START_TEST(typed_pointers)
{
    struct aligned {
        alignas(256) char byte;
    };
    int *value = yunta_shared(int, 1);
    double *array = yunta_shared(double, 1000);
    struct aligned *wide = yunta_shared(struct aligned, 3);
    ck_assert(value && array && wide);
    ck_assert_uint_eq(yunta_shared_size(value), sizeof(int));
    ck_assert_uint_eq(yunta_shared_size(array), 1000 * sizeof(double));
    ck_assert_uint_eq((uintptr_t)wide % 256, 0);
    ck_assert_uint_eq((uintptr_t)&wide[1] % 256, 0);
    ck_assert_int_eq(yunta_shared_free(value) | yunta_shared_free(array) | yunta_shared_free(wide), 0);
}
END_TEST

START_TEST(arguments_that_are_none)
{
    void *p = &p;
    ck_assert_int_eq(yunta_shared_create(NULL, 1, 1, 1), -EINVAL);
    ck_assert_int_eq(yunta_shared_create(&p, 0, 1, 1), -EINVAL);
    ck_assert_int_eq(yunta_shared_create(&p, 1, 1, 0), -EINVAL);
    ck_assert_int_eq(yunta_shared_create(&p, 1, 3, 1), -EINVAL);
    ck_assert_int_eq(yunta_shared_create(&p, 1, 8192, 1), -EINVAL);
    ck_assert_int_eq(yunta_shared_create(&p, 2, 1, SIZE_MAX / 2 + 1), -EOVERFLOW);
    ck_assert_int_eq(yunta_shared_create(&p, SIZE_MAX, 1, SIZE_MAX), -EOVERFLOW);
    ck_assert_int_eq(yunta_shared_create(&p, SIZE_MAX, 1, 1), -EOVERFLOW);
    ck_assert_int_eq(yunta_shared_create(&p, (size_t)PTRDIFF_MAX, 1, 1), -EOVERFLOW);
    ck_assert_int_eq(yunta_shared_create(&p, (size_t)1 << 50, 1, 1), -ENOMEM);
    ck_assert_int_eq(yunta_shared_create(&p, (size_t)1 << 31, 1, (size_t)1 << 20), -ENOMEM);
    ck_assert_ptr_eq(p, &p); /* written on success alone */
    ck_assert_ptr_null(yunta_shared(int, 0));
    ck_assert_ptr_null(yunta_shared(int, (size_t)-1));
    ck_assert_int_eq(yunta_arena_read_stats(NULL), -EINVAL);
    ck_assert_int_eq(yunta_shared_free(NULL), 0);
    ck_assert_uint_eq(yunta_shared_size(NULL), 0);
    ck_assert_ptr_null(yunta_shared_lock(NULL));
}
END_TEST

/* It must be refused, and change nothing. */
static void refuse(const void *p, const char *what)
{
    uint64_t before = blocks();
    ck_assert_msg(yunta_shared_free((void *)(uintptr_t)p) == -EINVAL, "%s was freed", what);
    ck_assert_msg(yunta_shared_size(p) == 0, "%s has a size", what);
    ck_assert_msg(yunta_shared_lock(p) == NULL, "%s has a lock", what);
    ck_assert_uint_eq(blocks(), before);
}

START_TEST(freed_once)
{
    static const size_t sizes[] = {1, 64, 1000, 32768, 40000, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *p = yunta_shared(char, sizes[i]), *beside = yunta_shared(char, sizes[i]);
        ck_assert(p && beside);
        memset(beside, 7, sizes[i]);
        ck_assert_int_eq(yunta_shared_free(p), 0);
        refuse(p, "a block freed before");
        ck_assert(beside[0] == 7 && beside[sizes[i] - 1] == 7);
        ck_assert_int_eq(yunta_shared_free(beside), 0);
        refuse(beside, "the other one");
    }
}
END_TEST

START_TEST(the_inside_of_a_block_is_no_block)
{
    static const size_t sizes[] = {200, 5000, 32768, 300000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *p = yunta_shared(char, sizes[i]);
        ck_assert_ptr_nonnull(p);
        memset(p, 0x79, sizes[i]);
        for (size_t at = 1; at < sizes[i]; at += at < 300 ? 1 : 4097)
            refuse(p + at, "the inside of a block");
        for (size_t before = 1; before <= 128; before++)
            refuse(p - before, "what comes before a block");
        refuse(p + sizes[i], "the end of a block");
        /* The head copied into it, as a program that copies too much may. */
        memcpy(p + 64, p - 64, 64);
        refuse(p + 128, "a copied head");
        ck_assert_uint_eq(yunta_shared_size(p), sizes[i]);
        ck_assert_int_eq(yunta_shared_free(p), 0);
    }
}
END_TEST

START_TEST(foreign_memory_is_no_block)
{
    static char still[256];
    char local[256] = {0}, *own = malloc(256);
    int *p = yunta_shared(int, 1);
    ck_assert(own && p);
    for (size_t at = 0; at < 256; at += 16) {
        refuse(still + at, "static memory");
        refuse(local + at, "the stack");
        refuse(own + at, "malloc's");
    }
    refuse((void *)1, "address 1");
    refuse((void *)UINTPTR_MAX, "the last address");
    refuse((void *)(uintptr_t)0x5500000000, "nobody's memory");
    uintptr_t arena = (uintptr_t)p >> 30 << 30; /* its head, and pages that nobody has yet */
    for (uintptr_t at = arena; at < arena + (64 << 10); at += 64)
        refuse((void *)at, "the arena's own");
    refuse((char *)p + (512 << 20), "the arena's, not handed out");
    refuse(yunta_process_current(), "a block of the library's");
    free(own);
    ck_assert_int_eq(yunta_shared_free(p), 0);
}
END_TEST

START_TEST(without_a_team_there_is_none)
{
    int local;
    ck_assert_int_eq(yunta_shared_free(&local), -EINVAL);
    ck_assert_int_eq(yunta_shared_free(NULL), 0);
    ck_assert_uint_eq(yunta_shared_size(&local), 0);
    ck_assert_ptr_null(yunta_shared_lock(&local));
}
END_TEST

/* Processes and blocks. */

struct mailbox {
    _Atomic(int *) to_child, from_child;
    shared_word done;
};

struct mailbox_argument {
    struct mailbox *box;
};

static int take_and_answer(const struct mailbox_argument *a)
{
    int *block;
    while (!(block = atomic_load(&a->box->to_child)))
        test_nap();
    for (int i = 0; i < 100000; i++)
        expect(block[i] == i);
    expect(yunta_shared_size(block) == 100000 * sizeof(int));
    int *answer = yunta_shared(int, 500);
    expect(answer != NULL);
    for (int i = 0; i < 500; i++)
        answer[i] = -i;
    expect(yunta_shared_free(block) == 0); /* another process's */
    expect(yunta_shared_free(block) == -EINVAL);
    atomic_store(&a->box->from_child, answer);
    return 0;
}
YUNTA_ENTRY(take_and_answer, struct mailbox_argument);

static void exchange(yunta_start_method method)
{
    yunta_process *child;
    struct mailbox *box = yunta_shared(struct mailbox, 1);
    ck_assert_ptr_nonnull(box);
    start_by(method, &child, take_and_answer, &(struct mailbox_argument){box});
    int *block = yunta_shared(int, 100000);
    ck_assert_ptr_nonnull(block);
    for (int i = 0; i < 100000; i++)
        block[i] = i;
    atomic_store(&box->to_child, block);
    end_is(child, 0);
    ck_assert_int_eq(yunta_shared_free(block), -EINVAL);
    int *answer = atomic_load(&box->from_child); /* it outlives who allocated it */
    for (int i = 0; i < 500; i++)
        ck_assert_int_eq(answer[i], -i);
    ck_assert_int_eq(yunta_shared_free(answer), 0);
    ck_assert_int_eq(yunta_shared_free(box), 0);
}

START_TEST(allocated_after_the_child_started_and_freed_by_another)
{
    exchange(TEST_METHOD); /* with what the library keeps from the first start on */
    uint64_t before = blocks();
    for (int i = 0; i < 3; i++)
        exchange(TEST_METHOD);
    test_wait_until(blocks() <= before, 20000); /* the forkserver lets go of a record after the joiner knows */
}
END_TEST

/* Blocks thrown from hand to hand: whoever finds one looks at it, frees it, and leaves another one there. */
#define PLACES 64
struct ring_argument {
    _Atomic(unsigned char *) *place;
    uint64_t seed;
};

static size_t size_from(uint64_t random)
{
    return 1 + (random >> 40) % (random % 16 == 0 ? 200000 : 3000);
}

static int throw_blocks(const struct ring_argument *a)
{
    uint64_t random = a->seed;
    int rounds = test_is_valgrind() ? 400 : 4000;
    for (int i = 0; i < rounds; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        size_t size = size_from(random);
        unsigned char *mine = yunta_shared(unsigned char, size), mark = (unsigned char)(random >> 33);
        expect(mine && is_zero(mine, size));
        memset(mine, mark, size);
        unsigned char *other = atomic_exchange(&a->place[random >> 20 & (PLACES - 1)], mine);
        if (!other)
            continue;
        size_t length = yunta_shared_size(other);
        expect(length > 0 && (length == 1 || memcmp(other, other + 1, length - 1) == 0));
        expect(yunta_shared_free(other) == 0);
    }
    return 0;
}
YUNTA_ENTRY(throw_blocks, struct ring_argument);

START_TEST(thrown_from_process_to_process)
{
    yunta_process *child[4];
    struct ring_argument a = {.place = yunta_shared_alloc(sizeof *a.place, 0, PLACES)};
    ck_assert_ptr_nonnull(a.place);
    for (int i = 0; i < 4; i++) {
        a.seed = (uint64_t)i + 1;
        start_by(TEST_METHOD, &child[i], throw_blocks, &a);
    }
    for (int i = 0; i < 4; i++)
        join_is(child[i], 0);
    uint64_t before = blocks(), left = 0;
    for (int i = 0; i < PLACES; i++) {
        left += a.place[i] != NULL;
        ck_assert_int_eq(yunta_shared_free(a.place[i]), 0);
    }
    ck_assert_uint_eq(blocks(), before - left);
    for (int i = 0; i < 4; i++)
        yunta_process_destroy(child[i]);
    ck_assert_int_eq(yunta_shared_free(a.place), 0);
}
END_TEST

/* Python's get_lock, and atomics. */

struct counters {
    int plain;
    _Atomic int atomic;
};

struct counter_argument {
    struct counters *counters;
};

static int count_up(const struct counter_argument *a)
{
    yunta_lock *lock = yunta_shared_lock(a->counters);
    expect(lock != NULL);
    for (int i = 0; i < 5000; i++) {
        expect(yunta_lock_acquire(lock, YUNTA_FOREVER) == 0);
        a->counters->plain += 1;
        expect(yunta_lock_release(lock) == 0);
        atomic_fetch_add(&a->counters->atomic, 1);
    }
    return 0;
}
YUNTA_ENTRY(count_up, struct counter_argument);

START_TEST(its_lock_and_atomics_count_right)
{
    yunta_process *child[4];
    struct counters *counters = yunta_shared(struct counters, 1), *other = yunta_shared(struct counters, 1);
    ck_assert(counters && other);
    ck_assert_ptr_eq(yunta_shared_lock(counters), yunta_shared_lock(counters));
    ck_assert_ptr_ne(yunta_shared_lock(counters), yunta_shared_lock(other));
    for (int i = 0; i < 4; i++)
        start_by(TEST_METHOD, &child[i], count_up, &(struct counter_argument){counters});
    for (int i = 0; i < 4; i++)
        end_is(child[i], 0);
    ck_assert_int_eq(counters->plain, 4 * 5000);
    ck_assert_int_eq(atomic_load(&counters->atomic), 4 * 5000);
    ck_assert_int_eq(yunta_shared_free(counters) | yunta_shared_free(other), 0);
}
END_TEST

static int die_with_the_lock(const struct counter_argument *a)
{
    expect(yunta_lock_acquire(yunta_shared_lock(a->counters), YUNTA_FOREVER) == 0);
    raise(SIGKILL);
    return 1;
}
YUNTA_ENTRY(die_with_the_lock, struct counter_argument);

START_TEST(its_lock_survives_its_owner)
{
    yunta_process *child;
    struct counters *counters = yunta_shared(struct counters, 1);
    ck_assert_ptr_nonnull(counters);
    yunta_lock *lock = yunta_shared_lock(counters);
    start_by(TEST_METHOD, &child, die_with_the_lock, &(struct counter_argument){counters});
    end_is(child, YUNTA_ECRASHED);
    ck_assert_int_eq(yunta_lock_acquire(lock, 20000), -EOWNERDEAD);
    ck_assert_int_eq(yunta_lock_mark_consistent(lock), 0);
    ck_assert_int_eq(yunta_lock_release(lock), 0);
    ck_assert_int_eq(yunta_shared_free(counters), 0);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("shared");
    TCase *cases = test_case(suite, "one process");
    tcase_add_test(cases, of_every_size_zeroed_and_aligned);
    if (!test_is_valgrind())
        tcase_add_test(cases, hundreds_of_megabytes);
    tcase_add_test(cases, typed_pointers);
    tcase_add_test(cases, arguments_that_are_none);
    tcase_add_test(cases, freed_once);
    tcase_add_test(cases, the_inside_of_a_block_is_no_block);
    tcase_add_test(cases, foreign_memory_is_no_block);
    tcase_add_test(cases, without_a_team_there_is_none);
    cases = test_case(suite, "several processes");
    TEST_FOR_EACH_METHOD(cases, allocated_after_the_child_started_and_freed_by_another);
    TEST_FOR_EACH_METHOD(cases, thrown_from_process_to_process);
    TEST_FOR_EACH_METHOD(cases, its_lock_and_atomics_count_right);
    TEST_FOR_EACH_METHOD(cases, its_lock_survives_its_owner);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
