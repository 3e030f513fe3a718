/* Two who begin to listen at the same moment: the second one does it in the middle of what the first one does, so that
 * each run meets it. It must not need a second process.
 * Read next: test_listen.c. */
#include "heap_moments.h"

#include "sync/listen.h"
#include "sync/wait.h"

#include <stdlib.h>

static void about_to_write(void);
#undef atomic_store
#define atomic_store(word, value) (about_to_write(), atomic_store_explicit((word), (value), memory_order_seq_cst))
#include "sync/listen.c"

static yn_self *me;
static char *object;
static yn_listener_shared *mine, *others;
static void (*meanwhile)(void); /* what the other one does when a place is written, once */

static void about_to_write(void)
{
    void (*call)(void) = meanwhile;
    meanwhile = NULL;
    if (call)
        call();
}

static yn_listener_shared *listen_to_it(void)
{
    yn_listener_shared *l = yn_listen(me, object, YN_LISTEN_BY_WORD, 0, -1);
    ck_assert_ptr_nonnull(l);
    return l;
}

static void listen_too(void)
{
    others = listen_to_it();
}

static void set_scene(void)
{
    int error;
    me = yn_self_get(&error);
    object = yunta_heap_alloc(64);
    ck_assert_ptr_nonnull(object);
}

static void both_listen(void)
{
    ck_assert_ptr_nonnull(others);
    ck_assert_ptr_ne(mine, others);
    size_t living;
    ck_assert(yn_listen_is_sound(me->arena, &living));
    ck_assert_uint_eq(living, 2);
    yn_listen_tell(me->arena, object, false);
    ck_assert_uint_eq(atomic_load(&mine->bell), 1);
    ck_assert_uint_eq(atomic_load(&others->bell), 1);
    yn_unlisten(mine);
    yn_unlisten(others);
    yunta_heap_free(object);
}

START_TEST(a_place_that_is_being_written_is_taken)
{
    set_scene();
    yn_unlisten(listen_to_it());
    for (uint32_t vacant = 0; vacant <= FIRST_BLOCK; vacant++) { /* wherever one begins to look */
        yn_listeners_shared *block = atomic_load(bucket_of(me->arena, object));
        atomic_store(&block->vacant, vacant);
        others = NULL;
        meanwhile = listen_too;
        mine = listen_to_it();
        ck_assert_ptr_ne(mine, others);
        ck_assert(mine >= block->listener && mine < block->listener + block->count);
        yn_unlisten(mine);
        yn_unlisten(others);
    }
    meanwhile = listen_too;
    mine = listen_to_it();
    both_listen();
}
END_TEST

START_TEST(of_two_new_blocks_one_is_given_back)
{
    set_scene();
    uint64_t before = blocks_there_are();
    while_one_is_got = listen_too;
    mine = listen_to_it();
    ck_assert_uint_eq(blocks_there_are(), before + 1);
    both_listen();
}
END_TEST

/* Of an arena that nobody uses, behind whose table stands what is no block. */
START_TEST(the_checker_ends_where_the_table_does)
{
    yn_arena_shared *arena = aligned_alloc(64, yn_round_up(sizeof *arena + sizeof(void *), 64));
    ck_assert_ptr_nonnull(arena);
    memset(arena, 0, sizeof *arena);
    size_t size = yn_round_up(sizeof(yn_listeners_shared) + (FIRST_BLOCK + 1) * sizeof(yn_listener_shared), 64);
    yn_listeners_shared *no_block = aligned_alloc(64, size);
    ck_assert_ptr_nonnull(no_block);
    memset((void *)no_block, 0, size);
    no_block->count = FIRST_BLOCK + 1;
    void *p = no_block;
    memcpy((char *)arena->listeners + sizeof arena->listeners, &p, sizeof p);
    ck_assert(yn_listen_is_sound(arena, NULL));
    memcpy((char *)arena->listeners + sizeof arena->listeners - sizeof p, &p, sizeof p);
    ck_assert(!yn_listen_is_sound(arena, NULL));
    free(no_block);
    free(arena);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("listen, looking");
    TCase *cases = test_case(suite, "looking");
    tcase_add_test(cases, a_place_that_is_being_written_is_taken);
    tcase_add_test(cases, of_two_new_blocks_one_is_given_back);
    tcase_add_test(cases, the_checker_ends_where_the_table_does);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
