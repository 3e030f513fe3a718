/* The heap, by those who are not killed: blocks of every size, one's own, others' and many at once; and what is given
 * back. After each test the whole map is accounted for.
 * It must not go through the public functions.
 * Read next: tests/crash/test_heap_kill.c; test_shared.c, the same as programs see it. */
#include "heap_accounts.h"

#include <sys/stat.h>
#include <sys/wait.h>

#define MIB ((size_t)1 << 20)
#define BLOCKS 3000

static void make(bare_team *team, yn_self *me, uint64_t limit)
{
    bare_team_make(team, limit);
    *me = bare_team_join(team);
}

static known_blocks room_for(size_t capacity)
{
    known_blocks known = {0, capacity, calloc(capacity, sizeof(known_block))};
    ck_assert_ptr_nonnull(known.block);
    return known;
}

static void take(yn_self *me, known_blocks *known, size_t size, size_t alignment)
{
    void *block = yn_heap_alloc(me, size, alignment);
    must(block != NULL);
    must((uintptr_t)block % (alignment ? alignment : 16) == 0);
    must(yn_heap_usable(me, block) >= size);
    known_add(known, block, size);
}

static void free_all(yn_self *me, known_blocks *known)
{
    known_check_all(known);
    while (known->count > 0)
        must(yn_heap_free(me, known_remove(known, known->count - 1)) == 0);
    free(known->block);
}

START_TEST(bins_cover_all_sizes)
{
    for (size_t size = 0; size <= YN_SMALL_MOST; size++) {
        uint32_t bin = yn_bin_of(size);
        must(bin < YN_HEAP_SMALL_BINS && yn_bin_size(bin) >= size && yn_bin_size(bin) % YN_SMALL_UNIT == 0);
        must(bin == 0 || yn_bin_size(bin - 1) < size); /* and none smaller would do */
    }
}
END_TEST

START_TEST(blocks_of_all_sizes_lie_apart)
{
    bare_team team;
    yn_self me;
    known_blocks known = room_for(BLOCKS);
    make(&team, &me, 512 * MIB);
    for (size_t size = 1; size < 200000; size += 1 + size / 20)
        for (size_t alignment = 0; alignment <= 4096; alignment = alignment ? alignment * 16 : 1)
            take(&me, &known, size, alignment);
    heap_check(&me, known.count, 0, 0);
    free_all(&me, &known);
    heap_check(&me, 0, 0, 0);
    bare_team_drop(&team);
}
END_TEST

START_TEST(any_address_finds_its_block)
{
    static const size_t sizes[] = {1, 64, 700, 5000, 32768, 50000, 200000};
    bare_team team;
    yn_self me;
    make(&team, &me, 64 * MIB);
    for (size_t i = 0; i < YN_COUNT(sizes); i++) {
        size_t usable = 0;
        char *block = yn_heap_alloc(&me, sizes[i], 0);
        for (size_t at = 0; at < sizes[i]; at += 61) {
            must(yn_heap_find(&me, block + at, &usable) == block && usable >= sizes[i]);
            must(yn_heap_usable(&me, block + at) == (at == 0 ? usable : 0));
            must(at == 0 || yn_heap_free(&me, block + at) == -EINVAL);
        }
        must(yn_heap_find(&me, block + usable, &usable) != block);
        must(yn_heap_free(&me, block) == 0 && yn_heap_free(&me, block) == -EINVAL);
        must(yn_heap_find(&me, block, &usable) == NULL);
    }
    must(yn_heap_free(&me, NULL) == 0 && yn_heap_free(&me, &me) == -EINVAL);
    must(yn_heap_free(&me, team.arena) == -EINVAL && yn_heap_free(&me, team.arena->heap) == -EINVAL);
    heap_check(&me, 0, 0, 0);
    bare_team_drop(&team);
}
END_TEST

START_TEST(zeroed_whatever_was_there)
{
    bare_team team;
    yn_self me;
    uint64_t random = 1;
    make(&team, &me, 64 * MIB);
    for (int i = 0; i < 2000; i++) {
        size_t size = heap_some_size(&random);
        void *block;
        must(yn_heap_alloc_zeroed(&me, &block, size, 0) == 0);
        for (size_t at = 0; at < size; at++)
            if (((unsigned char *)block)[at] != 0)
                ck_abort_msg("byte %zu of %zu is not zero", at, size);
        memset(block, 0xff, yn_heap_usable(&me, block));
        must(yn_heap_free(&me, block) == 0);
    }
    heap_check(&me, 0, 0, 0);
    bare_team_drop(&team);
}
END_TEST

/* Two members in one process, each freeing what the other took. */
START_TEST(freed_by_another)
{
    bare_team team;
    yn_self me, other;
    uint64_t random = 2;
    known_blocks known = room_for(BLOCKS);
    make(&team, &me, 256 * MIB);
    other = bare_team_join(&team);
    for (int i = 0; i < 30000; i++) {
        yn_self *who = test_random(&random) % 2 ? &me : &other;
        if (known.count > 0 && (known.count >= 300 || test_random(&random) % 2))
            must(yn_heap_free(who, known_remove(&known, test_random(&random) % known.count)) == 0);
        else
            take(who, &known, heap_some_size(&random), 0);
    }
    heap_check(&me, known.count, 0, 0);
    free_all(&other, &known);
    heap_check(&me, 0, 0, 0);
    bare_team_drop(&team);
}
END_TEST

START_TEST(the_same_memory_serves_again)
{
    static const size_t sizes[] = {64, 1000, 30000, 50000, 3 * MIB};
    bare_team team;
    yn_self me;
    make(&team, &me, 256 * MIB);
    for (size_t i = 0; i < YN_COUNT(sizes); i++) {
        must(yn_heap_free(&me, yn_heap_alloc(&me, sizes[i], 0)) == 0);
        uint64_t end = team.arena->end;
        for (int k = 0; k < 5000; k++)
            must(yn_heap_free(&me, yn_heap_alloc(&me, sizes[i], 0)) == 0);
        ck_assert_uint_eq(team.arena->end, end);
    }
    bare_team_drop(&team);
}
END_TEST

static uint64_t memory_of(const bare_team *team)
{
    struct stat s;
    must(fstat(team->fd, &s) == 0);
    return (uint64_t)s.st_blocks * 512;
}

/* A hint that says too much: there is nothing to be had, and it stays nobody's, so that what is freed there is found.
 */
START_TEST(a_full_span_stays_nobodys)
{
    bare_team team;
    yn_self me;
    known_blocks known = room_for(YN_SPAN_BLOCKS);
    make(&team, &me, 64 * MIB);
    take(&me, &known, 4096, 0);
    uint64_t entry = yn_map_read(team.arena, yn_page_of(team.arena, known.block[0].start));
    yn_heap_span_shared *span = (yn_heap_span_shared *)(uintptr_t)(entry & ~(uint64_t)YN_PAGE_SPAN);
    while (known.count < atomic_load(&span->blocks))
        take(&me, &known, 4096, 0);
    yn_lanes_release(&me);
    ck_assert_uint_eq(atomic_load(&span->owner), 0);
    atomic_fetch_or(yn_shelf_handy(span->shelf, span->place / 64), UINT64_C(1) << span->place % 64);
    ck_assert_ptr_null(yn_shelf_adopt(team.arena, span->bin, me.claim | YN_LANE_NONE));
    ck_assert_uint_eq(atomic_load(&span->owner), 0);
    free_all(&me, &known);
    heap_check(&me, 0, 0, 0);
    bare_team_drop(&team);
}
END_TEST

START_TEST(much_memory_goes_back_to_the_system)
{
    bare_team team;
    yn_self me;
    void *block[6];
    make(&team, &me, 1024 * MIB);
    for (size_t i = 0; i < YN_COUNT(block); i++)
        must((block[i] = yn_heap_alloc(&me, 50 * MIB, 0)) != NULL);
    ck_assert_uint_ge(memory_of(&team), 300 * MIB);
    for (size_t i = 0; i < YN_COUNT(block); i++)
        must(yn_heap_free(&me, block[i]) == 0);
    ck_assert_uint_le(memory_of(&team), 100 * MIB);
    uint64_t end = team.arena->end;
    for (size_t i = 0; i < YN_COUNT(block); i++) { /* the addresses are kept, and get memory again */
        must((block[i] = yn_heap_alloc(&me, 50 * MIB, 0)) != NULL);
        memset(block[i], 1, 50 * MIB);
    }
    ck_assert_uint_eq(team.arena->end, end);
    for (size_t i = 0; i < YN_COUNT(block); i++)
        must(yn_heap_free(&me, block[i]) == 0);
    heap_check(&me, 0, 0, 0);
    bare_team_drop(&team);
}
END_TEST

/* Processes that throw blocks to each other, each with its length in its first word. */
#define PLACES 128

static int throw_blocks(yn_self me, _Atomic(size_t *) *place, uint64_t seed)
{
    uint64_t random = seed;
    for (int i = 0; i < 20000; i++) {
        size_t size = sizeof(size_t) + heap_some_size(&random);
        size_t *mine = yn_heap_alloc(&me, size, 0);
        if (!mine)
            return 1;
        *mine = size;
        ((unsigned char *)mine)[size - 1] = 0x5a;
        size_t *other = atomic_exchange(&place[test_random(&random) % PLACES], mine);
        if (other && (yn_heap_usable(&me, other) < *other || ((unsigned char *)other)[*other - 1] != 0x5a ||
                      yn_heap_free(&me, other) != 0))
            return 2;
    }
    return 0;
}

START_TEST(many_processes_at_once)
{
    bare_team team;
    yn_self me, member[4];
    make(&team, &me, 256 * MIB);
    void *memory;
    must(yn_heap_alloc_zeroed(&me, &memory, sizeof(_Atomic(size_t *)) * PLACES, 0) == 0);
    _Atomic(size_t *) *place = memory;
    pid_t pid[4];
    for (size_t i = 0; i < 4; i++) {
        member[i] = bare_team_join(&team);
        pid[i] = fork();
        if (pid[i] == 0)
            _exit(throw_blocks(member[i], place, i + 1));
    }
    for (size_t i = 0; i < 4; i++) {
        int status;
        ck_assert_int_eq(waitpid(pid[i], &status, 0), pid[i]);
        ck_assert_int_eq(status, 0);
        bare_team_bury(&team, &member[i]);
    }
    uint64_t left = 0;
    for (size_t i = 0; i < PLACES; i++)
        left += atomic_load(&place[i]) != NULL;
    heap_check(&me, left + 1, 0, 0);
    for (size_t i = 0; i < PLACES; i++)
        must(yn_heap_free(&me, atomic_load(&place[i])) == 0);
    must(yn_heap_free(&me, memory) == 0);
    heap_check(&me, 0, 0, 0);
    bare_team_drop(&team);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("heap");
    TCase *cases = test_case(suite, "heap");
    tcase_add_test(cases, bins_cover_all_sizes);
    tcase_add_test(cases, blocks_of_all_sizes_lie_apart);
    tcase_add_test(cases, any_address_finds_its_block);
    tcase_add_test(cases, zeroed_whatever_was_there);
    tcase_add_test(cases, freed_by_another);
    tcase_add_test(cases, the_same_memory_serves_again);
    tcase_add_test(cases, a_full_span_stays_nobodys);
    tcase_add_test(cases, much_memory_goes_back_to_the_system);
    tcase_add_test(cases, many_processes_at_once);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make_suite);
}
