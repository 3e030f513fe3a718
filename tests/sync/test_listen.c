/* The table of listeners: places are taken, told, given back, and its checker sees what is broken. Must not need
 * queues. Read next: src/sync/listen.h; ../comm/test_wait_many.c. */
#include "test.h"

#include "os/doorbell.h"
#include "sync/listen.h"
#include "sync/wait.h"

#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static yn_self *self(void)
{
    int error;
    yn_self *me = yn_self_get(&error);
    ck_assert_ptr_nonnull(me);
    return me;
}

static size_t living(void)
{
    size_t count = 12345;
    ck_assert(yn_listen_is_sound(self()->arena, &count));
    ck_assert(yn_listen_is_sound(self()->arena, NULL));
    return count;
}

static yn_listeners_shared *chain_of(const void *object)
{
    for (size_t n = 0; n < YN_LISTENER_BUCKETS; n++)
        for (yn_listeners_shared *b = atomic_load(&self()->arena->listeners[n]); b; b = b->next)
            for (uint32_t i = 0; i < b->count; i++)
                if (atomic_load(&b->listener[i].object) == (uintptr_t)object)
                    return atomic_load(&self()->arena->listeners[n]);
    return NULL;
}

static yn_listener_shared *by_word(const void *object)
{
    yn_listener_shared *l = yn_listen(self(), object, YN_LISTEN_BY_WORD, 0, -1);
    ck_assert_ptr_nonnull(l);
    return l;
}

START_TEST(places_are_taken_and_given_back)
{
    enum { many = 28 }; /* 4, 8 and 16 */
    char *object = yunta_heap_alloc(64);
    yn_listener_shared *place[many];
    size_t before = living();
    for (size_t i = 0; i < many; i++) {
        place[i] = by_word(object);
        ck_assert_uint_eq(living(), before + i + 1);
        ck_assert_uint_eq(atomic_load(&place[i]->target), (uintptr_t)&place[i]->bell);
        for (size_t k = 0; k < i; k++)
            ck_assert_ptr_ne(place[i], place[k]);
    }
    yn_listeners_shared *chain = chain_of(object);
    for (uint32_t count = 16; count >= 4; count /= 2, chain = chain->next)
        ck_assert_uint_eq(chain->count, count);
    ck_assert_ptr_null(chain);
    for (size_t i = 0; i < many; i++) {
        yn_unlisten(place[i]);
        ck_assert_uint_eq(atomic_load(&place[i]->who), 0);
    }
    yn_unlisten(NULL);
    ck_assert_uint_eq(living(), before);
    chain = chain_of(object);
    for (int i = 0; i < 3 * many; i++) {
        yn_listener_shared *l = by_word(object);
        yn_unlisten(l);
    }
    ck_assert_ptr_eq(chain_of(object), chain); /* nothing new was needed */
    yunta_heap_free(object);
}
END_TEST

/* Whatever the hint says: the one that is free is found, and no more are made. */
START_TEST(the_last_free_place_is_found)
{
    char *object = yunta_heap_alloc(64);
    yn_listener_shared *place[4];
    for (int i = 0; i < 4; i++)
        place[i] = by_word(object);
    yn_listeners_shared *chain = chain_of(object);
    ck_assert_uint_eq(chain->count, 4);
    for (uint32_t i = 0; i < 4 * 4; i++) {
        yn_unlisten(place[i / 4]);
        atomic_store(&chain->vacant, i % 4);
        ck_assert_ptr_eq(by_word(object), place[i / 4]);
        ck_assert_ptr_eq(chain_of(object), chain);
    }
    for (int i = 0; i < 4; i++)
        yn_unlisten(place[i]);
    yunta_heap_free(object);
}
END_TEST

/* What lies in memory behind the last place is none. */
START_TEST(nobody_stands_beyond_the_last_place)
{
    char *object = yunta_heap_alloc(64);
    yn_listener_shared *l = by_word(object);
    yn_listeners_shared *chain = chain_of(object);
    yn_listener_shared *beyond = &chain->listener[chain->count];
    yn_unlisten(l);
    atomic_store(&beyond->who, self()->claim | YN_LISTEN_BY_WORD);
    atomic_store(&beyond->object, (uintptr_t)object);
    atomic_store(&beyond->target, (uintptr_t)&beyond->bell);
    yn_listen_tell(self()->arena, object, true);
    ck_assert_uint_eq(atomic_load(&beyond->bell), 0);
    ck_assert_uint_eq(living(), 0);
    atomic_store(&beyond->who, self()->claim | YN_LISTEN_DESCRIPTOR);
    ck_assert_ptr_null(yn_listener_find(self(), object, 0));
    atomic_store(&beyond->who, YN_LISTENER_WRITES | YN_LISTEN_BY_WORD);
    ck_assert(yn_listen_is_sound(self()->arena, NULL));
    *beyond = (yn_listener_shared){0};
    yunta_heap_free(object);
}
END_TEST

START_TEST(objects_are_spread_over_the_table)
{
    enum { many = 256 };
    char *objects = yunta_heap_alloc((size_t)many * 64);
    yn_listener_shared *place[many];
    for (size_t i = 0; i < many; i++)
        place[i] = by_word(objects + 64 * i);
    size_t used = 0;
    for (size_t n = 0; n < YN_LISTENER_BUCKETS; n++)
        used += atomic_load(&self()->arena->listeners[n]) != NULL;
    ck_assert_uint_ge(used, (YN_LISTENER_BUCKETS < many ? YN_LISTENER_BUCKETS : many) / 4);
    for (size_t i = 0; i < many; i++)
        yn_unlisten(place[i]);
    /* Its checker looks at all of it. */
    _Atomic(yn_listeners_shared *) *table = self()->arena->listeners;
    for (size_t i = 0; !atomic_load(&table[0]) || !atomic_load(&table[YN_LISTENER_BUCKETS - 1]); i++) {
        ck_assert_uint_lt(i, (size_t)many * 8);
        yn_unlisten(by_word(objects + 8 * i));
    }
    for (size_t n = 0; n < YN_LISTENER_BUCKETS; n++) {
        yn_listeners_shared *block = atomic_load(&table[n]);
        if (!block)
            continue;
        for (uint32_t i = 0; i < block->count; i++) {
            atomic_store(&block->listener[i].who, YN_LISTENER_WRITES | YN_LISTEN_BY_WORD);
            ck_assert(!yn_listen_is_sound(self()->arena, NULL));
            atomic_store(&block->listener[i].who, 0);
        }
    }
    ck_assert(yn_listen_is_sound(self()->arena, NULL));
    yunta_heap_free(objects);
}
END_TEST

START_TEST(only_who_listens_to_the_object_is_told)
{
    char *object = yunta_heap_alloc(64);
    yn_arena_shared *arena = self()->arena;
    yn_listener_shared *here = by_word(object), *too = by_word(object), *other = by_word(object + 8),
                       *gone = by_word(object);
    yn_unlisten(gone);
    yn_listen_tell(arena, object, false);
    ck_assert_uint_eq(atomic_load(&here->bell), 1);
    ck_assert_uint_eq(atomic_load(&too->bell), 1);
    ck_assert_uint_eq(atomic_load(&other->bell), 0);
    ck_assert_uint_eq(atomic_load(&gone->bell), 0);
    /* One that is being written, and one of the dead. */
    uint64_t who = atomic_load(&too->who);
    atomic_store(&too->who, yn_claim_who(who) | YN_LISTENER_WRITES);
    atomic_store(&here->who, who + (UINT64_C(1) << 40));
    yn_listen_tell(arena, object, true);
    ck_assert_uint_eq(atomic_load(&too->bell), 1);
    ck_assert_uint_eq(atomic_load(&here->bell), 1);
    /* There are four places: the dead one's is anybody's, that of the living is not. */
    yn_listener_shared *taken[3] = {by_word(object), by_word(object), by_word(object)};
    ck_assert_uint_eq(chain_of(object)->count, 4);
    for (int i = 0; i < 3; i++)
        ck_assert_ptr_ne(taken[i], too);
    atomic_store(&too->who, 0);
    for (int i = 0; i < 3; i++)
        yn_unlisten(taken[i]);
    yn_unlisten(other);
    yunta_heap_free(object);
}
END_TEST

static bool is_rung(int door)
{
    bool is = poll(&(struct pollfd){.fd = door, .events = POLLIN}, 1, 0) == 1;
    yn_doorbell_quiet(door);
    return is;
}

static int asked;
static uint64_t asked_for;
static void ask(uint64_t number)
{
    asked++;
    asked_for = number;
}

START_TEST(a_doorbell_is_rung)
{
    char *object = yunta_heap_alloc(64);
    yn_arena_shared *arena = self()->arena;
    uint64_t number, second;
    int door = yn_doorbell_open(&number), more = yn_doorbell_open(&second);
    yn_wait_upcalls before = yn_wait_up;
    yn_wait_up.ring = ask;
    yn_listener_shared *l = yn_listen(self(), object, YN_LISTEN_BY_DOOR, number, -1);
    ck_assert_ptr_null(yn_listener_find(self(), object, 0)); /* by a descriptor: not that */
    for (int alone = 0; alone < 2; alone++) {
        yn_listen_tell(arena, object, alone);
        ck_assert(is_rung(door));
        ck_assert(!is_rung(more));
    }
    yn_unlisten(l);
    l = yn_listen(self(), object, YN_LISTEN_DESCRIPTOR, second, more);
    ck_assert_ptr_eq(yn_listener_find(self(), object, 0), l);
    ck_assert_ptr_eq(yn_listener_find(self(), object, second), l);
    ck_assert_ptr_null(yn_listener_find(self(), object, number));
    ck_assert_ptr_null(yn_listener_find(self(), object + 8, 0));
    yn_listener_ring(l);
    ck_assert(is_rung(more));
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, limit.rlim_max}), 0);
    yn_listen_tell(arena, object, false); /* it needs no further descriptor */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert(is_rung(more));
    ck_assert(!is_rung(door));
    ck_assert_int_eq(asked, 0);
    yn_unlisten(l);
    int input = dup(0); /* a program may have closed it */
    ck_assert_int_eq(dup2(more, 0), 0);
    l = yn_listen(self(), object, YN_LISTEN_DESCRIPTOR, second, 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, limit.rlim_max}), 0);
    yn_listen_tell(arena, object, false);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert(is_rung(0));
    ck_assert_int_eq(asked, 0);
    yn_unlisten(l);
    dup2(input, 0), close(input);
    yn_doorbell_close(door), yn_doorbell_close(more);
    yn_wait_up = before;
    yunta_heap_free(object);
}
END_TEST

START_TEST(the_watch_is_asked_where_one_cannot_ring)
{
    char *object = yunta_heap_alloc(64);
    yn_arena_shared *arena = self()->arena;
    yn_wait_upcalls before = yn_wait_up;
    yn_wait_up.ring = ask;
    enum { nobodys = 4711 };
    yn_listener_shared *l = yn_listen(self(), object, YN_LISTEN_BY_DOOR, nobodys, -1);
    yn_listen_tell(arena, object, true);
    ck_assert_int_eq(asked, 0);
    yn_listen_tell(arena, object, false);
    ck_assert_int_eq(asked, 1);
    ck_assert_uint_eq(asked_for, nobodys);
    yn_wait_up.ring = NULL;
    yn_listen_tell(arena, object, false);
    yn_wait_up = before;
    yn_unlisten(l);
    yunta_heap_free(object);
}
END_TEST

/* What one listener's words may not be. */
START_TEST(the_checker_sees_what_is_broken)
{
    char *object = yunta_heap_alloc(64);
    yn_arena_shared *arena = self()->arena;
    yn_claim me = self()->claim;
    yn_listener_shared *l = by_word(object);
    uint64_t target = atomic_load(&l->target);
    atomic_store(&l->target, target + 1);
    ck_assert(!yn_listen_is_sound(arena, NULL)); /* no word stands there */
    atomic_store(&l->target, (uintptr_t)&target & ~UINT64_C(7));
    ck_assert(!yn_listen_is_sound(arena, NULL)); /* not in the arena */
    atomic_store(&l->who, me | YN_LISTENER_WRITES);
    ck_assert(yn_listen_is_sound(arena, NULL)); /* it may be anything then */
    atomic_store(&l->who, 0);
    ck_assert(yn_listen_is_sound(arena, NULL));
    for (unsigned how = YN_LISTEN_BY_DOOR; how <= YN_LISTEN_DESCRIPTOR; how += 2) {
        atomic_store(&l->who, me | how);
        atomic_store(&l->target, 7);
        atomic_store(&l->descriptor, 0);
        ck_assert(yn_listen_is_sound(arena, NULL));
        atomic_store(&l->descriptor, -1);
        ck_assert(!yn_listen_is_sound(arena, NULL));
        atomic_store(&l->descriptor, 1);
        atomic_store(&l->target, 0);
        ck_assert(!yn_listen_is_sound(arena, NULL));
        atomic_store(&l->target, 7);
        atomic_store(&l->object, 0);
        ck_assert(!yn_listen_is_sound(arena, NULL));
        atomic_store(&l->object, (uintptr_t)object);
        ck_assert(yn_listen_is_sound(arena, NULL));
    }
    atomic_store(&l->who, me | YN_LISTEN_BY_DOOR | YN_LISTENER_WRITES);
    ck_assert(!yn_listen_is_sound(arena, NULL)); /* no such way */
    yn_unlisten(l);
    yn_listeners_shared *first = chain_of(object);
    first->count = 3;
    ck_assert(!yn_listen_is_sound(arena, NULL));
    first->count = 4;
    for (int i = 0; i < 5; i++)
        by_word(object);
    ck_assert_uint_eq(chain_of(object)->count, 8);
    ck_assert(yn_listen_is_sound(arena, NULL));
    chain_of(object)->count = 7;
    ck_assert(!yn_listen_is_sound(arena, NULL));
    chain_of(object)->count = 8;
    ck_assert(yn_listen_is_sound(arena, NULL));
}
END_TEST

START_TEST(without_memory_there_is_no_place)
{
    ck_assert_int_eq(yunta_set_arena_limit(YN_ARENA_LEAST), 0);
    char *object = yunta_heap_alloc(64);
    yn_listener_shared *l;
    while (yunta_heap_alloc(4096))
        ;
    for (int i = 0; (l = yn_listen(self(), object, YN_LISTEN_BY_WORD, 0, -1)) != NULL; i++)
        ck_assert_int_lt(i, 100000);
    ck_assert(yn_listen_is_sound(self()->arena, NULL));
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("listen");
    TCase *cases = test_case(suite, "listen");
    tcase_add_test(cases, places_are_taken_and_given_back);
    tcase_add_test(cases, the_last_free_place_is_found);
    tcase_add_test(cases, nobody_stands_beyond_the_last_place);
    tcase_add_test(cases, objects_are_spread_over_the_table);
    tcase_add_test(cases, only_who_listens_to_the_object_is_told);
    tcase_add_test(cases, a_doorbell_is_rung);
    tcase_add_test(cases, the_watch_is_asked_where_one_cannot_ring);
    tcase_add_test(cases, the_checker_sees_what_is_broken);
    tcase_add_test(cases, without_memory_there_is_no_place);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
