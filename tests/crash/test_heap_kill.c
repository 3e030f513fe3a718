/* The heap, whose user is killed or stopped at every instruction that the others can tell from the one before.
 * It must not miss a loss: after each run the whole map is accounted for, page by page and block by block.
 * Read next: src/shm/README.md, what a death at each step leaves.
 * YUNTA_KILLS: if it is set, all points are taken, else some of those of the longer acts.
 * timeout: 300 */
#include "../shm/heap_accounts.h"
#include "stepkill.h"

#include <stdio.h>

#define LIMIT ((uint64_t)32 << 20)
#define BLOCKS 4000

/* Shared with the victim. */
typedef struct scene {
    bare_team team;
    yn_self me, other;         /* the tester, and who is going to be killed */
    known_blocks known;        /* what is allocated for sure, whatever the victim does */
    void *given[BLOCKS];       /* to the victim, which frees them, … */
    size_t given_count, freed; /* … and has freed or begun to free so many */
    void *got;                 /* by the victim */
    size_t got_size;
    step_range memory[STEP_RANGES];
    const struct act *act;
    uint64_t end_before; /* the arena's end when the victim began */
} scene;

/* What is done, and from where. */
typedef struct act {
    const char *name;
    void (*before)(scene *s); /* by the tester, with both selves */
    void (*run)(scene *s);    /* by the victim */
    bool grows;               /* the arena grows: a death in there may lose the range that it was about to get */
    long every, usual;        /* point, if all are wanted, and by default */
} act;

static void *take(scene *s, yn_self *self, size_t size)
{
    void *block = yn_heap_alloc(self, size, 0);
    must(block != NULL);
    known_add(&s->known, block, size);
    return block;
}

/* A block for the victim to free. */
static void give(scene *s, size_t size)
{
    void *block = yn_heap_alloc(&s->other, size, 0);
    ck_assert_ptr_nonnull(block);
    memset(block, 0xee, size);
    s->given[s->given_count++] = block;
}

static void alloc_as_victim(scene *s, size_t size)
{
    s->got_size = size;
    s->got = yn_heap_alloc(&s->other, size, 0);
}

static void free_as_victim(scene *s)
{
    while (s->freed < s->given_count) {
        void *block = s->given[s->freed++];
        if (yn_heap_free(&s->other, block) != 0)
            _exit(1);
    }
}

/* Takes all free pages, one by one: what is asked for next makes the arena grow. */
static void use_up_pages(scene *s)
{
    for (yn_page page; (page = yn_map_find(s->team.arena, 1)) != YN_NO_PAGE;) {
        yn_run run;
        must(yn_pages_take_at(&s->me, page, 1, &run) == 1);
        yn_pages_make(&s->me, page, 1, yn_large_entry(yn_stamp_of(s->me.claim) | YN_HEAP_OWN, 1));
        known_add(&s->known, yn_page_address(s->team.arena, page), YN_PAGE_BYTES);
    }
}

/* The acts. Of 4096 bytes the first span holds 4 blocks, the others 16; of 32 KiB the first holds one, the others 2. */

static void nothing(scene *s)
{
    (void)s;
}

static void alloc_64(scene *s)
{
    alloc_as_victim(s, 64);
}

static void alloc_4096(scene *s)
{
    alloc_as_victim(s, 4096);
}

static void alloc_32768(scene *s)
{
    alloc_as_victim(s, 32768);
}

static void alloc_large(scene *s)
{
    alloc_as_victim(s, 40960);
}

static void alloc_300k(scene *s)
{
    alloc_as_victim(s, 300 << 10);
}

static void alloc_1m(scene *s)
{
    alloc_as_victim(s, 1 << 20);
}

static void alloc_large_zeroed(scene *s)
{
    s->got_size = 40960;
    if (yn_heap_alloc_zeroed(&s->other, &s->got, s->got_size, 0) != 0)
        _exit(1);
}

static void after_one(scene *s)
{
    ck_assert_int_eq(yn_heap_free(&s->other, yn_heap_alloc(&s->other, 64, 0)), 0);
}

static void current_is_used_up(scene *s)
{
    for (int i = 0; i < 4; i++)
        take(s, &s->other, 4096);
}

static void another_is_handy(scene *s)
{
    void *first = yn_heap_alloc(&s->other, 4096, 0);
    for (int i = 0; i < 19; i++)
        take(s, &s->other, 4096);
    ck_assert_int_eq(yn_heap_free(&s->me, first), 0);
}

static void shelf_is_used_up(scene *s)
{
    for (int i = 0; i < 1 + 62 * 2; i++)
        take(s, &s->other, 32768);
}

static void no_page_is_free(scene *s)
{
    current_is_used_up(s);
    use_up_pages(s);
}

static void leaf_is_used_up(scene *s)
{
    uint64_t size = (YN_LEAF_PAGES << YN_PAGE_SHIFT) - atomic_load(&s->team.arena->end) - (512 << 10);
    take(s, &s->me, size);
    use_up_pages(s);
}

static void some_to_free(scene *s)
{
    for (int i = 0; i < 3; i++)
        give(s, 64);
}

/* Many spans with one block left in each, and that is the victim's to free: they become empty one by one, and some are
 * given up. */
static void last_ones_to_free(scene *s)
{
    void *block[4 + 16 * 12];
    for (size_t i = 0; i < YN_COUNT(block); i++)
        block[i] = yn_heap_alloc(&s->other, 4096, 0);
    for (size_t i = 0; i < YN_COUNT(block); i++) {
        if (i >= 4 && i % 16 == 4)
            s->given[s->given_count++] = block[i];
        else
            ck_assert_int_eq(yn_heap_free(&s->me, block[i]), 0);
    }
}

static void large_to_free(scene *s)
{
    take(s, &s->me, 40960);
    give(s, 50000);
    take(s, &s->me, 40960);
}

/* One is enough: clearing is stepped through byte by byte. */
static void one_dirty_page(scene *s)
{
    yn_run run;
    yn_page page = yn_map_find(s->team.arena, 1);
    must(yn_pages_take_at(&s->me, page, 1, &run) == 1);
    memset(yn_page_address(s->team.arena, page), 0xdd, YN_PAGE_BYTES);
    atomic_store(yn_map_entry(s->team.arena, page), s->me.claim | YN_PAGE_TAKEN | YN_PAGE_DIRTY);
    yn_pages_give_back(&s->me, &run);
}

/* A program's block whose end is moved: the pages behind it are free. */
static void resizable(scene *s, size_t size)
{
    must((s->given[s->given_count++] = yn_heap_alloc_as(&s->other, YN_HEAP_PLAIN, size, 0)) != NULL);
}

static void small_enough_to_grow(scene *s)
{
    resizable(s, 40960);
}

static void large_enough_to_shrink(scene *s)
{
    resizable(s, 100000);
    take(s, &s->me, 40960);
}

/* While it stands still, others may take the pages behind its block: then it cannot grow, and is as it was. */
static void resize_to(scene *s, size_t size)
{
    size_t before = yn_heap_usable(&s->other, s->given[0]);
    int r = yn_heap_resize_in_place(&s->other, YN_HEAP_PLAIN, s->given[0], size, false);
    size_t after = yn_heap_usable(&s->other, s->given[0]);
    if (r == 0 ? after < size : r != -ENOMEM || size < before || after != before)
        _exit(1);
}

static void grow_it(scene *s)
{
    resize_to(s, 100000);
}

static void shrink_it(scene *s)
{
    resize_to(s, 40960);
}

/* A block that has to be copied, because there is no room where it stands. */
static void to_be_moved(scene *s)
{
    give(s, 100);
}

static void move_it(scene *s)
{
    s->got_size = 300;
    s->got = yn_heap_realloc(&s->other, YN_HEAP_OWN, s->given[0], s->got_size);
    for (size_t i = 0; i < 100; i++)
        if (!s->got || ((unsigned char *)s->got)[i] != 0xee)
            _exit(1);
    s->freed = 1;
}

/* If the old block is there still, it holds what it held. */
static void check_not_moved(scene *s)
{
    const unsigned char *old = s->given[0];
    size_t usable = yn_heap_usable(&s->me, old);
    for (size_t i = 0; i < 100 && usable > 0; i++)
        must(old[i] == 0xee);
}

static void much_is_idle(scene *s)
{
    void *block = yn_heap_alloc(&s->me, 1200 << 10, 0);
    memset(block, 0xdd, 1200 << 10);
    ck_assert_int_eq(yn_heap_free(&s->me, block), 0);
}

static void trim(scene *s)
{
    yn_heap_trim(&s->other, 0);
}

static void much_is_gone(scene *s)
{
    much_is_idle(s);
    yn_heap_trim(&s->me, 0);
}

/* Somebody else has died before, with all kinds of things in hand. */
static void a_death_before(scene *s)
{
    yn_self ghost = bare_team_join(&s->team);
    yn_page page;
    take(s, &ghost, 64);
    ck_assert_int_eq(yn_pages_take(&ghost, 3, &page), 0); /* taken */
    ck_assert_int_eq(yn_pages_take(&ghost, 4, &page), 0); /* half made into a block */
    yn_pages_make(&ghost, page, 3, ghost.claim | YN_PAGE_TAKEN | YN_PAGE_DIRTY);
    ck_assert_int_eq(yn_pages_take(&ghost, 4, &page), 0); /* half freed */
    yn_pages_make(&ghost, page, 4, ghost.claim | YN_PAGE_FREEING);
    ck_assert_int_eq(yn_pages_take(&ghost, 2, &page), 0); /* a shelf that stands in no list */
    yn_pages_make(&ghost, page, 2, ghost.claim | YN_PAGE_SHELVING);
    yn_heap_span_shared *span =
        yn_shelf_vacancy(&ghost, yn_bin_of(64), ghost.claim | YN_LANE_NONE); /* a span half set up */
    ck_assert_ptr_nonnull(span);
    ck_assert_int_eq(yn_pages_take(&ghost, 2, &page), 0);
    atomic_store(&span->base, (uint64_t)(uintptr_t)yn_page_address(s->team.arena, page));
    atomic_store(&span->planned, 60);
    atomic_store(yn_map_entry(s->team.arena, page), (uint64_t)(uintptr_t)span | YN_PAGE_SPAN);
    bare_team_bury(&s->team, &ghost);
}

static void look_over(scene *s)
{
    if (yn_heap_look_over(&s->other))
        _exit(1);
}

static const act acts[] = {
    {"the first block of a slot and a bin", nothing, alloc_64, false, 17, 51},
    {"a block of the current span", after_one, alloc_64, false, 1, 1},
    {"a block of another span", another_is_handy, alloc_4096, false, 1, 1},
    {"a block of a new span", current_is_used_up, alloc_4096, false, 1, 3},
    {"a block that needs a new shelf", shelf_is_used_up, alloc_32768, true, 13, 52},
    {"a block when no page is free", no_page_is_free, alloc_4096, true, 3, 9},
    {"freeing small blocks", some_to_free, free_as_victim, false, 1, 1},
    {"freeing blocks of spans that get empty", last_ones_to_free, free_as_victim, false, 2, 8},
    {"a large block", nothing, alloc_large, false, 1, 2},
    {"a large block, zeroed", one_dirty_page, alloc_large_zeroed, false, 1, 4},
    {"freeing a large block", large_to_free, free_as_victim, false, 1, 2},
    {"a large block that grows where it stands", small_enough_to_grow, grow_it, false, 1, 3},
    {"a large block that shrinks", large_enough_to_shrink, shrink_it, false, 1, 3},
    {"a block that moves", to_be_moved, move_it, false, 1, 2},
    {"giving memory back", much_is_idle, trim, false, 61, 244},
    {"a large block of memory given back", much_is_gone, alloc_300k, false, 7, 21},
    {"a large block that needs a new leaf", leaf_is_used_up, alloc_1m, true, 37, 111},
    {"repairing what a dead process left", a_death_before, look_over, false, 1, 6},
};

/* Nothing is in anybody's hands, every page is in its place, and no block is lost but up to `lost`. */
static void check_accounts(scene *s, uint64_t lost)
{
    uint64_t grown = atomic_load(&s->team.arena->end) - s->end_before;
    heap_check(&s->me, s->known.count + s->given_count - s->freed, lost,
               s->act->grows && lost > 0 ? grown >> YN_PAGE_SHIFT : 0);
}

/* The survivor goes on: hundreds of blocks, none of them anybody else's. */
static void go_on(scene *s, uint64_t seed)
{
    uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    size_t before = s->known.count;
    for (int i = 0; i < 400; i++) {
        size_t count = s->known.count - before;
        if (count > 0 && (count >= 60 || test_random(&random) % 2))
            must(yn_heap_free(&s->me, known_remove(&s->known, before + test_random(&random) % count)) == 0);
        else
            take(s, &s->me, heap_some_size(&random));
    }
    known_check_all(&s->known);
}

static void free_all(scene *s)
{
    while (s->known.count > 0)
        must(yn_heap_free(&s->me, known_remove(&s->known, s->known.count - 1)) == 0);
}

static void set_scene(void *context)
{
    scene *s = context;
    bare_team_drop(&s->team);
    bare_team_make(&s->team, LIMIT);
    s->me = bare_team_join(&s->team);
    s->other = bare_team_join(&s->team);
    s->known.count = s->given_count = s->freed = 0;
    s->got = NULL;
    /* Some free pages, so that the arena grows only where that is the point. */
    ck_assert_int_eq(yn_heap_free(&s->me, yn_heap_alloc(&s->me, 256 << 10, 0)), 0);
    s->act->before(s);
    s->end_before = atomic_load(&s->team.arena->end);
    /* The heads with the first leaf; the first pages, where shelves are; and where the next ones will be. Not what is
     * cleared. */
    char *base = (char *)s->team.arena;
    size_t heads = heap_head_pages(s->team.arena) << YN_PAGE_SHIFT;
    yn_page next = yn_map_find(s->team.arena, 1);
    memset(s->memory, 0, sizeof s->memory);
    s->memory[0] = (step_range){base, heads};
    if (s->act->run == alloc_large_zeroed)
        return;
    s->memory[1] = (step_range){base + heads, (256 << 10) - heads};
    if (next != YN_NO_PAGE)
        s->memory[2] = (step_range){yn_page_address(s->team.arena, next), 16384};
}

static void run_victim(void *context)
{
    scene *s = context;
    s->act->run(s);
}

static void check_killed(void *context, long point)
{
    scene *s = context;
    bare_team_bury(&s->team, &s->other);
    if (s->act->run == move_it)
        check_not_moved(s);
    known_check_all(&s->known);
    check_accounts(s, 1);
    go_on(s, (uint64_t)point);
    known_check_all(&s->known);
    check_accounts(s, 1);
    free_all(s);
    check_accounts(s, 1);
}

/* While the victim stands still in the middle of it, everybody else goes on. */
static void go_on_beside(void *context, long point)
{
    scene *s = context;
    go_on(s, (uint64_t)point);
}

static void check_ended(void *context, long point)
{
    scene *s = context;
    (void)point;
    for (size_t i = 0; s->act->run == alloc_large_zeroed && i < s->got_size; i++)
        must(((char *)s->got)[i] == 0);
    if (s->got)
        known_add(&s->known, s->got, s->got_size);
    known_check_all(&s->known);
    check_accounts(s, 0);
    go_on(s, (uint64_t)point);
    free_all(s);
    check_accounts(s, 0);
}

static long sweep(int number, bool stop)
{
    scene *s = step_shared(sizeof *s);
    s->act = &acts[number];
    s->known.capacity = BLOCKS;
    s->known.block = step_shared(sizeof(known_block) * BLOCKS);
    long every = getenv("YUNTA_KILLS") ? s->act->every : s->act->usual;
    step_plan plan = {.setup = set_scene,
                      .victim = run_victim,
                      .meanwhile = go_on_beside,
                      .check = stop ? check_ended : check_killed,
                      .context = s,
                      .memory = s->memory,
                      .first = every > s->act->every ? 1 + (number + 2 * stop) * s->act->every % every : 1,
                      .every = every,
                      .steady = true};
    long points = stop ? step_stop_sweep(&plan) : step_kill_sweep(&plan);
    printf("%s, %s at %ld points\n", s->act->name, stop ? "stopped" : "killed", points);
    bare_team_drop(&s->team);
    step_unshare(s->known.block, sizeof(known_block) * BLOCKS);
    step_unshare(s, sizeof *s);
    return points;
}

START_TEST(killed_at_every_instruction)
{
    ck_assert_int_ge(sweep(_i, false), 1);
}
END_TEST

START_TEST(stopped_at_every_instruction)
{
    ck_assert_int_ge(sweep(_i, true), 1);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("heap, killed");
    TCase *cases = test_case(suite, "step by step");
    tcase_set_timeout(cases, 120);
    if (!step_is_possible())
        return suite;
    tcase_add_loop_test(cases, killed_at_every_instruction, 0, YN_COUNT(acts));
    tcase_add_loop_test(cases, stopped_at_every_instruction, 0, YN_COUNT(acts));
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
