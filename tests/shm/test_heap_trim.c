/* Memory given back by who rests: what nobody has needed for a second, and no more. That second is not waited for: it
 * is put back in the heap's own words. It must not go through the public functions. Read next: src/shm/heap_trim.c;
 * test_heap.c, what is given back at once; tests/crash/test_heap_kill.c. */
#include "heap_accounts.h"

#define MIB ((size_t)1 << 20)
enum { BLOCKS = 600, LARGE = 65536, SMALL = 36864 };

static bare_team team;
static yn_self me;
static void *block[BLOCKS];

static void begin(void)
{
    bare_team_make(&team, 512 * MIB);
    me = bare_team_join(&team);
}

static void end(void)
{
    heap_check(&me, 0, 0, 0);
    bare_team_drop(&team);
}

static void take(size_t size)
{
    for (int i = 0; i < BLOCKS; i++)
        must((block[i] = yn_heap_alloc(&me, size, 0)) != NULL);
}

static void release(int first, int every)
{
    for (int i = first; i < BLOCKS; i += every)
        must(yn_heap_free(&me, block[i]) == 0);
}

static uint64_t memory(void)
{
    return atomic_load(&team.arena->reserved);
}

/* A second passes. */
static void let_pass(void)
{
    atomic_store(&team.arena->heap->since, 0);
}

static void expect_soon(void)
{
    uint64_t now = yn_now_ns(), again = yn_heap_rest(&me);
    must(again > now && again <= yn_now_ns() + 1000000000u);
}

/* As long as there is more to do at once. When to come again. */
static yn_deadline rest(int *calls)
{
    yn_deadline again;
    for (*calls = 0; (again = yn_heap_rest(&me)) <= yn_now_ns(); (*calls)++)
        must(*calls < 100);
    return again;
}

START_TEST(what_was_idle_for_a_second_goes)
{
    int calls;
    begin();
    take(LARGE);
    must(yn_heap_rest(&me) == YN_NEVER); /* nothing is idle */
    release(0, 1);
    uint64_t before = memory();
    expect_soon();
    expect_soon();                            /* the same second */
    uint64_t later = yn_now_ns() + 500000000; /* somebody has begun it after we had looked at the clock */
    atomic_store(&team.arena->heap->since, later);
    must(yn_heap_rest(&me) == later + 1000000000);
    must(memory() == before);
    let_pass();
    must(rest(&calls) == YN_NEVER);
    must(calls > 2); /* some at a time */
    must(memory() < 12 * MIB && before > 37 * MIB);
    take(LARGE); /* and it can be had again */
    release(0, 1);
    end();
}
END_TEST

START_TEST(what_is_needed_now_and_then_stays)
{
    begin();
    for (int i = 0; i < 5; i++) {
        take(LARGE);
        release(0, 1);
        uint64_t before = memory();
        let_pass();
        expect_soon();
        must(memory() == before);
    }
    end();
}
END_TEST

START_TEST(half_of_it_is_needed)
{
    int calls;
    begin();
    take(LARGE);
    release(0, 1);
    expect_soon();
    for (int i = 0; i < BLOCKS / 2; i++)
        must((block[i] = yn_heap_alloc(&me, LARGE, 0)) != NULL);
    for (int i = 0; i < BLOCKS / 2; i++)
        must(yn_heap_free(&me, block[i]) == 0);
    let_pass();
    (void)rest(&calls);
    must(memory() > 18 * MIB && memory() < 30 * MIB);
    end();
}
END_TEST

/* Nobody comes again each second for memory that cannot be given back. */
START_TEST(pieces_that_are_too_small_are_left)
{
    int calls;
    begin();
    take(SMALL);
    release(0, 2);
    uint64_t before = memory();
    expect_soon();
    let_pass();
    must(rest(&calls) == YN_NEVER);
    must(memory() > before - 3 * MIB);
    must(yn_heap_rest(&me) == YN_NEVER);
    release(1, 2);
    must(rest(&calls) != YN_NEVER); /* some of it has been idle for long */
    let_pass();
    must(rest(&calls) == YN_NEVER);
    must(memory() < 12 * MIB);
    end();
}
END_TEST

/* Empty spans are kept for whoever wants blocks of their size, but not over a second's rest. */
START_TEST(small_blocks_are_not_forgotten)
{
    enum { MANY = 40000 };
    int calls;
    static void *small[MANY];
    begin();
    for (int i = 0; i < MANY; i++)
        must((small[i] = yn_heap_alloc(&me, 1000, 0)) != NULL);
    yn_lanes_release(&me);
    yn_self other = bare_team_join(&team);
    for (int i = 0; i < MANY; i++)
        must(yn_heap_free(&other, small[i]) == 0);
    expect_soon();
    let_pass();
    must(rest(&calls) == YN_NEVER);
    must(memory() < 12 * MIB);
    end();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("heap_trim");
    TCase *cases = test_case(suite, "rest");
    tcase_add_test(cases, what_was_idle_for_a_second_goes);
    tcase_add_test(cases, what_is_needed_now_and_then_stays);
    tcase_add_test(cases, half_of_it_is_needed);
    tcase_add_test(cases, pieces_that_are_too_small_are_left);
    tcase_add_test(cases, small_blocks_are_not_forgotten);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make_suite);
}
