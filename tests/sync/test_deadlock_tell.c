/* How deadlocks are told: for pictures that are drawn here, the edges and their order, names and numbers, and the text.
 * It must not need anybody who really waits.
 * Read next: test_waits.c. */
#include "test.h"

#include "sync/deadlock.h"
#include "sync/waits.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int draw_picture(yn_self *self, yn_waits_seen *seen);
static int32_t pid_of(yn_claim claim);
static ssize_t write_slowly(int descriptor, const char *bytes, size_t size);
static void *get_zeroed(size_t count, size_t size);
static void give_back(void *block);
static int pictures; /* that have not been freed */
#define yn_waits_free(seen) (pictures--, (yn_waits_free)(seen))
#define yn_waits_read draw_picture
#define yn_slot_pid(slot, claim) pid_of(claim)
#define write write_slowly
#define calloc get_zeroed
#define free give_back
#include "sync/deadlock.c"
#undef yn_waits_read
#undef write
#undef calloc
#undef free

enum { PEOPLE = 6 };

static yn_self me;
static yn_self person[PEOPLE];
static yn_seat_shared seat;

/* Who waits: which person, as which thread, for what, and for whom. */
static struct wait {
    int who, thread;
    yn_waits kind;
    int whom[3]; /* + 1; of those who wait, or negative: of the people */
} picture[16];
static int limited = -1; /* which of them has a time limit */
static int waits, more_each_time;
static int looks, blocks, failing_block;
static char text[4096];
static size_t length;
static int writes, write_error;

static int32_t pid_of(yn_claim claim)
{
    for (int i = 0; i < PEOPLE; i++)
        if (person[i].claim == claim)
            return 100 + i;
    return 0;
}

static void *get_zeroed(size_t count, size_t size)
{
    if (failing_block > 0 && --failing_block == 0)
        return NULL;
    blocks++;
    return calloc(count, size);
}

static void give_back(void *block)
{
    blocks -= block != NULL;
    free(block);
}

/* A few bytes at a time, and sometimes none, since a signal has come. */
static ssize_t write_slowly(int descriptor, const char *bytes, size_t size)
{
    ck_assert(descriptor == 7 || descriptor == STDERR_FILENO);
    writes++;
    errno = writes % 3 == 0 ? EINTR : write_error;
    if (errno != 0)
        return -1;
    errno = EIO; /* which says nothing when nothing was wrong */
    if (writes % 10 == 2)
        return 0;
    size_t n = writes % 3 == 1 || size < 10 ? 1 : 9;
    ck_assert_uint_lt(length + n, sizeof text);
    memcpy(text + length, bytes, n);
    length += n;
    text[length] = '\0';
    return (ssize_t)n;
}

static yn_claim claim_at(int whom)
{
    return person[whom < 0 ? -whom - 1 : picture[whom - 1].who].claim;
}

/* By person, as the real one does it. Threads of one process stand together. */
static int draw_picture(yn_self *self, yn_waits_seen *seen)
{
    ck_assert_ptr_nonnull(self);
    int later = looks < 2 ? looks : 2, now = waits + later * (later + 1) / 2 * more_each_time;
    looks++;
    pictures++;
    seen->waiter = calloc(sizeof picture / sizeof *picture + 1, sizeof *seen->waiter);
    seen->holder = calloc(3 * sizeof picture / sizeof *picture, sizeof *seen->holder);
    seen->process = calloc(PEOPLE, sizeof *seen->process);
    for (int i = 0; i < now; i++) {
        struct wait *w = &picture[i];
        yn_waiter *waiter = &seen->waiter[seen->waiters++];
        *waiter = (yn_waiter){.seat = &seat,
                              .process = person[w->who].claim,
                              .thread = (uint32_t)w->thread,
                              .object = &picture[i],
                              .kind = w->kind,
                              .is_limited = i == limited,
                              .first_holder = seen->holders};
        for (int h = 0; h < 3 && w->whom[h] != 0; h++, waiter->holders++)
            seen->holder[seen->holders++] =
                (yn_holder){.process = claim_at(w->whom[h]),
                            .thread = w->whom[h] < 0 ? 0 : (uint64_t)picture[w->whom[h] - 1].thread};
        yn_waiting_process *p = seen->processes ? &seen->process[seen->processes - 1] : NULL;
        if (!p || p->process != waiter->process) {
            p = &seen->process[seen->processes++];
            *p = (yn_waiting_process){.process = waiter->process, .first = seen->waiters - 1};
        }
        p->threads = ++p->waiters;
    }
    seen->waiter[now] = seen->waiter[0]; /* what lies behind the last one is none */
    seen->waiter[now].is_in = true;
    return 0;
}

static void set_scene(const struct wait *waiting, int count)
{
    int error;
    me = *yn_self_get(&error);
    me.seat = &seat;
    for (int i = 0; i < PEOPLE; i++) {
        person[i] = me;
        person[i].claim = yn_slot_take(me.arena, me.arena_fd, 0, &error);
        ck_assert_uint_ne(person[i].claim, 0);
        ck_assert(yn_slot_go_live(&me.arena->slots, person[i].claim));
    }
    memcpy(picture, waiting, (size_t)count * sizeof *waiting);
    waits = count;
}

#define SET_SCENE(...)                                                                                                 \
    set_scene((struct wait[]){__VA_ARGS__}, (int)(sizeof((struct wait[]){__VA_ARGS__}) / sizeof(struct wait)))

static void is_edge(const yunta_deadlock_edge *edge, int waiter, int holder, int thread)
{
    ck_assert_ptr_eq(edge->object, &picture[waiter]);
    ck_assert_int_eq(edge->waiter_pid, 100 + picture[waiter].who);
    ck_assert_int_eq(edge->waiter_thread, picture[waiter].thread);
    ck_assert_int_eq(edge->is_limited, waiter == limited);
    ck_assert_int_eq(edge->holder_pid, 100 + holder);
    ck_assert_int_eq(edge->holder_thread, thread);
}

/* The first waits behind a circle of three; the last one for somebody who does not wait. */
START_TEST(circles_are_told_in_their_order)
{
    yunta_deadlock_edge edges[9];
    SET_SCENE({0, 20, YN_WAITS_LOCK, {3}}, {1, 21, YN_WAITS_READ, {4}}, {2, 22, YN_WAITS_WRITE, {2}},
              {3, 23, YN_WAITS_READERS, {-6, 3}}, {4, 24, YN_WAITS_ONCE, {-6}});
    memset(edges, 1, sizeof edges);
    limited = 2;
    ck_assert_int_eq(yunta_deadlock_find(edges, 9), 3);
    is_edge(&edges[0], 1, 3, 23);
    is_edge(&edges[1], 3, 2, 22);
    is_edge(&edges[2], 2, 1, 21);
    ck_assert_int_eq(edges[0].kind, YUNTA_DEADLOCK_READ);
    ck_assert_int_eq(edges[1].kind, YUNTA_DEADLOCK_WRITE);
    ck_assert_int_eq(edges[2].kind, YUNTA_DEADLOCK_WRITE);
    ck_assert_str_eq(edges[0].waiter_name, "");
    ck_assert_uint_eq(edges[0].reserved[0], 0);
    ck_assert_int_eq(yunta_deadlock_find(NULL, 0), 3);
    ck_assert_int_eq(edges[3].waiter_pid, 0x01010101); /* nothing more was written */
    ck_assert_int_eq(yunta_deadlock_find(edges, 1), 3);
    ck_assert_int_eq(yunta_deadlock_read_waits(edges, 9), 6);
    is_edge(&edges[0], 0, 2, 22);
    is_edge(&edges[1], 2, 1, 21);
    is_edge(&edges[2], 1, 3, 23);
    is_edge(&edges[3], 3, 5, 0);
    is_edge(&edges[4], 3, 2, 22);
    is_edge(&edges[5], 4, 5, 0);
    ck_assert_int_eq(blocks, 0);
}
END_TEST

/* It is told if it is sure: known, or the only one there is. */
START_TEST(the_holders_thread_is_told_if_it_is_sure)
{
    yunta_deadlock_edge edges[9];
    SET_SCENE({0, 20, YN_WAITS_LOCK, {-2}}, {1, 21, YN_WAITS_LOCK, {-3}}, {2, 22, YN_WAITS_LOCK, {-1}},
              {2, 23, YN_WAITS_LOCK, {-1}});
    ck_assert_int_eq(yunta_deadlock_find(edges, 9), 4);
    is_edge(&edges[0], 0, 1, 21);
    is_edge(&edges[1], 1, 2, 0);
    is_edge(&edges[2], 2, 0, 20);
    is_edge(&edges[3], 3, 0, 20);
    yn_waits_seen seen = {0};
    draw_picture(&me, &seen);
    telling t = {.seen = &seen};
    seen.waiter[3].self = 9;
    ck_assert_int_eq(thread_of(&t, &(yn_holder){.process = person[2].claim, .self = 9}), 23);
    ck_assert_int_eq(thread_of(&t, &(yn_holder){.process = person[2].claim, .self = 8}), 0);
    ck_assert_int_eq(thread_of(&t, &(yn_holder){.process = person[2].claim, .thread = 77}), 77);
    ck_assert_int_eq(thread_of(&t, &(yn_holder){.process = person[5].claim}), 0);
    seen.process[0].threads = 2; /* another one, which does not wait */
    ck_assert_int_eq(thread_of(&t, &(yn_holder){.process = person[0].claim}), 0);
    yn_waits_free(&seen);
}
END_TEST

static const char *name_of(const void *record)
{
    return record;
}

START_TEST(a_name_is_that_of_who_lives)
{
    char name[YUNTA_FAILURE_NAME] = "";
    SET_SCENE({0, 20, YN_WAITS_LOCK, {1}});
    char *record = yunta_shared(char, 256);
    strcpy(record, "0123456789012345678901234567890123456789");
    yn_slot_shared *slot = yn_slot_at(&me.arena->slots, yn_claim_slot(person[1].claim));
    atomic_store(&slot->record, record);
    const char *(*usual)(const void *) = yn_wait_up.name_of;
    yn_wait_up.name_of = NULL;
    ck_assert_int_eq(describe(&me, person[1].claim, name), 101);
    ck_assert_str_eq(name, "");
    yn_wait_up.name_of = name_of;
    ck_assert_int_eq(describe(&me, person[1].claim, name), 101);
    ck_assert_str_eq(name, "0123456789012345678901234567890");
    memset(name, 0, sizeof name);
    ck_assert_int_eq(describe(&me, person[2].claim, name), 102); /* it has none */
    ck_assert_str_eq(name, "");
    atomic_store(&slot->record, text); /* not of the arena: what it points to may be no memory */
    ck_assert_int_eq(describe(&me, person[1].claim, name), 101);
    ck_assert_str_eq(name, "");
    char as_it_was[8], *last = (char *)me.arena + atomic_load(&me.arena->end) - 256; /* as much of it is read */
    memcpy(as_it_was, last, sizeof as_it_was);
    strcpy(last, "last");
    atomic_store(&slot->record, last);
    describe(&me, person[1].claim, name);
    memcpy(last, as_it_was, sizeof as_it_was);
    ck_assert_mem_eq(name, "last", 4);
    atomic_store(&slot->record, last + 8);
    memset(name, 0, sizeof name);
    describe(&me, person[1].claim, name);
    ck_assert_str_eq(name, "");
    atomic_store(&slot->record, record);
    ck_assert(yn_slot_declare_dead(&me.arena->slots, person[1].claim));
    describe(&me, person[1].claim, name);
    ck_assert_str_eq(name, "");
    atomic_store(&slot->record, NULL);
    yn_wait_up.name_of = usual;
    yunta_shared_free(record);
}
END_TEST

/* One of each, with and without names and threads. */
START_TEST(all_of_it_is_written)
{
    char wanted[4096];
    SET_SCENE({0, 100, YN_WAITS_LOCK, {2}}, {1, 101, YN_WAITS_RECURSIVE_LOCK, {3}}, {2, 102, YN_WAITS_READ, {4}},
              {2, 52, YN_WAITS_WRITE, {5}}, {3, 103, YN_WAITS_READERS, {6}}, {4, 104, YN_WAITS_SEMAPHORE, {7}},
              {5, 105, YN_WAITS_ONCE, {8}}, {5, 55, YN_WAITS_PROCESS, {1}});
    limited = 1;
    char *record = yunta_shared(char, 256);
    strcpy(record, "ana");
    yn_slot_shared *slot = yn_slot_at(&me.arena->slots, yn_claim_slot(person[0].claim));
    atomic_store(&slot->record, record);
    const char *(*usual)(const void *) = yn_wait_up.name_of;
    yn_wait_up.name_of = name_of;
    snprintf(wanted, sizeof wanted,
             "yunta: deadlock: each waits for the next\n"
             "yunta:   process 'ana' (pid 100) waits for the lock %p of process 101\n"
             "yunta:   process 101 waits, not for ever, for the recursive lock %p of process 102\n"
             "yunta:   process 102 waits for the read-write lock, to read, %p of process 102, thread 52\n"
             "yunta:   process 102, thread 52 waits for the read-write lock, to write, %p of process 103\n"
             "yunta:   process 103 waits for the read-write lock, to write, %p of process 104\n"
             "yunta:   process 104 waits for a unit of the semaphore %p of process 105\n"
             "yunta:   process 105 waits for the once %p of process 105, thread 55\n"
             "yunta:   process 105, thread 55 waits for the end of process 'ana' (pid 100)\n",
             (void *)&picture[0], (void *)&picture[1], (void *)&picture[2], (void *)&picture[3], (void *)&picture[4],
             (void *)&picture[5], (void *)&picture[6]);
    int r = yunta_deadlock_print(7);
    ck_assert_str_eq(text, wanted);
    ck_assert_int_eq(r, 8);
    ck_assert_int_eq(looks, 2);
    ck_assert_int_eq(blocks, 0);
    atomic_store(&slot->record, NULL);
    yn_wait_up.name_of = usual;
    yunta_shared_free(record);
    for (write_error = EIO; length > 0; length = 0)
        ck_assert_int_eq(yunta_deadlock_print(7), -EIO);
}
END_TEST

/* One of those that somebody waits for is in no circle, whoever stands behind it in the list. */
START_TEST(who_is_in_no_circle_is_not_told)
{
    yunta_deadlock_edge edges[9];
    SET_SCENE({0, 20, YN_WAITS_READERS, {2, 3}}, {1, 21, YN_WAITS_LOCK, {-6}}, {2, 22, YN_WAITS_LOCK, {1}});
    ck_assert_int_eq(yunta_deadlock_find(edges, 9), 2);
    is_edge(&edges[0], 0, 2, 22);
    is_edge(&edges[1], 2, 0, 20);
}
END_TEST

START_TEST(a_thread_that_is_not_known_is_not_named)
{
    char wanted[512];
    SET_SCENE({0, 100, YN_WAITS_LOCK, {-2}}, {1, 101, YN_WAITS_LOCK, {-1}}, {1, 51, YN_WAITS_LOCK, {-1}});
    snprintf(wanted, sizeof wanted,
             "yunta: deadlock: each waits for the next\n"
             "yunta:   process 100 waits for the lock %p of process 101\n"
             "yunta:   process 101 waits for the lock %p of process 100\n"
             "yunta:   process 101, thread 51 waits for the lock %p of process 100\n",
             (void *)&picture[0], (void *)&picture[1], (void *)&picture[2]);
    ck_assert_int_eq(yunta_deadlock_print(7), 3);
    ck_assert_str_eq(text, wanted);
}
END_TEST

START_TEST(who_waits_for_itself_is_told)
{
    char wanted[256];
    SET_SCENE({0, 100, YN_WAITS_LOCK, {1}});
    char *record = yunta_shared(char, 256);
    strcpy(record, "a");
    yn_slot_shared *slot = yn_slot_at(&me.arena->slots, yn_claim_slot(person[0].claim));
    atomic_store(&slot->record, record);
    const char *(*usual)(const void *) = yn_wait_up.name_of;
    yn_wait_up.name_of = name_of;
    snprintf(wanted, sizeof wanted,
             "yunta: deadlock: each waits for the next\n"
             "yunta:   process 'a' (pid 100) waits for the lock %p of process 'a' (pid 100)\n",
             (void *)&picture[0]);
    ck_assert_int_eq(yunta_deadlock_print(7), 1);
    ck_assert_str_eq(text, wanted);
    atomic_store(&slot->record, NULL);
    yn_wait_up.name_of = usual;
    yunta_shared_free(record);
}
END_TEST

START_TEST(nothing_is_written_where_there_is_none)
{
    SET_SCENE({0, 20, YN_WAITS_LOCK, {-3}});
    ck_assert_int_eq(yunta_deadlock_print(7), 0);
    ck_assert_int_eq(writes, 0);
    ck_assert_int_eq(looks, 1);
}
END_TEST

/* While it is looked, there are more each time. */
START_TEST(there_is_room_for_however_many)
{
    yunta_deadlock_edge *edges;
    SET_SCENE({0, 20, YN_WAITS_LOCK, {1}}, {1, 21, YN_WAITS_LOCK, {2}}, {1, 22, YN_WAITS_LOCK, {3}},
              {2, 23, YN_WAITS_LOCK, {4}}, {3, 24, YN_WAITS_LOCK, {5}}, {3, 25, YN_WAITS_LOCK, {6}},
              {3, 26, YN_WAITS_LOCK, {7}}, {4, 27, YN_WAITS_LOCK, {8}}, {5, 28, YN_WAITS_LOCK, {9}},
              {5, 29, YN_WAITS_LOCK, {10}});
    waits = 1;
    more_each_time = 3;
    ck_assert_int_eq(find_all(&me, &edges), 10);
    for (int i = 0; i < 10; i++)
        is_edge(&edges[i], i, picture[i].who, picture[i].thread);
    give_back(edges);
    ck_assert_int_eq(blocks, 0);
    for (int block = 1; block <= 2; block++) {
        looks = blocks = 0;
        failing_block = block;
        ck_assert_int_eq(yunta_deadlock_print(7), -ENOMEM);
        ck_assert_int_eq(writes, 0);
        ck_assert_int_eq(blocks, 0);
    }
}
END_TEST

/* By the first in its circle; the others know that it will. */
START_TEST(who_has_waited_for_long_tells_if_it_is_the_first)
{
    SET_SCENE({0, 20, YN_WAITS_LOCK, {2}}, {1, 21, YN_WAITS_LOCK, {1}}, {1, 20, YN_WAITS_LOCK, {-5}},
              {2, 21, YN_WAITS_LOCK, {1}});
    static const struct {
        int who, thread;
        bool is_in, prints;
    } asks[] = {{0, 20, true, true}, {1, 21, true, false}, {1, 20, false, false}, {2, 21, false, false}};
    for (size_t i = 0; i < YN_COUNT(asks); i++) {
        length = 0;
        looks = blocks = 0;
        me.claim = person[asks[i].who].claim;
        atomic_store(&seat.thread, (uint32_t)asks[i].thread);
        ck_assert_int_eq(yn_deadlock_overdue(&me), asks[i].is_in);
        ck_assert_int_eq(length > 0, asks[i].prints);
        ck_assert_int_eq(blocks, 0);
    }
    me.claim = person[0].claim;
    atomic_store(&seat.thread, 20);
    length = 0;
    failing_block = 1;
    ck_assert(!yn_deadlock_overdue(&me));
    waits = 1;
    picture[0].whom[0] = -5;
    ck_assert(!yn_deadlock_overdue(&me));
    waits = 1;
    picture[0].whom[0] = 1; /* alone in its circle */
    ck_assert_uint_eq(length, 0);
    ck_assert(yn_deadlock_overdue(&me));
    ck_assert_uint_gt(length, 0);
}
END_TEST

static void all_pictures_are_freed(void)
{
    ck_assert_int_eq(pictures, 0);
}

static Suite *make(void)
{
    Suite *suite = suite_create("deadlock, telling");
    TCase *cases = test_case(suite, "telling");
    tcase_add_checked_fixture(cases, NULL, all_pictures_are_freed);
    tcase_add_test(cases, circles_are_told_in_their_order);
    tcase_add_test(cases, the_holders_thread_is_told_if_it_is_sure);
    tcase_add_test(cases, a_name_is_that_of_who_lives);
    tcase_add_test(cases, all_of_it_is_written);
    tcase_add_test(cases, who_is_in_no_circle_is_not_told);
    tcase_add_test(cases, a_thread_that_is_not_known_is_not_named);
    tcase_add_test(cases, who_waits_for_itself_is_told);
    tcase_add_test(cases, nothing_is_written_where_there_is_none);
    tcase_add_test(cases, there_is_room_for_however_many);
    tcase_add_test(cases, who_has_waited_for_long_tells_if_it_is_the_first);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
