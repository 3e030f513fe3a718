/* Batches, peek and drain: what each does and says, across laps and links, closing amid them, two processes at it.
 * It must not rely on who is faster.
 * Read next: include/yunta/queue_many.h; tests/crash/test_queue_kill.c, the same under kills.
 * labels: valgrind */
#include "comm/queue.h"
#include "shm/heap.h"
#include "shm/ring_run.h"
#include "test_queue_guest.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <yunta/yunta.h>

static yunta_queue *make_queue(size_t item, size_t capacity)
{
    yunta_queue *q = NULL;
    ck_assert_int_eq(yunta_queue_create(&q, &(yunta_queue_options){.item_size = item, .capacity = capacity}), 0);
    return q;
}

START_TEST(bad_input_is_told)
{
    int value[2] = {1, 2};
    size_t size = 77;
    yunta_queue *q = make_queue(sizeof(int), 0), *bytes = make_queue(0, 0);
    ck_assert_int_eq(yunta_queue_put_many(NULL, value, 2, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_put_many(q, NULL, 2, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_put_many(bytes, value, 2, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_get_many(NULL, value, 2, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_get_many(q, NULL, 2, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_get_many(bytes, value, 2, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_peek(NULL, value, sizeof value, &size), -EINVAL);
    ck_assert_int_eq(yunta_queue_peek(q, NULL, 1, &size), -EINVAL);
    ck_assert_int_eq(yunta_queue_drain(NULL), -EINVAL);
    ck_assert_int_eq(yunta_queue_put_many(q, value, 0, 0), 0);
    ck_assert_int_eq(yunta_queue_get_many(q, value, 0, 0), 0);
    ck_assert_int_eq(yunta_queue_get_many(q, value, 2, 0), -ETIMEDOUT);
    ck_assert_int_eq(yunta_queue_get_many(q, value, 2, 5), -ETIMEDOUT);
    ck_assert_int_eq(yunta_queue_peek(q, value, sizeof value, &size), -ETIMEDOUT);
    ck_assert_uint_eq(size, 77);
    ck_assert_int_eq(yunta_queue_drain(q), 0);
    yunta_queue_close(q);
    ck_assert_int_eq(yunta_queue_put_many(q, value, 2, 0), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_queue_get_many(q, value, 2, 0), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_queue_peek(q, value, sizeof value, &size), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_queue_drain(q), 0);
    yunta_queue_destroy(q);
    yunta_queue_destroy(bytes);
}
END_TEST

/* Items of 8 and of 300 bytes (in blocks), bounded and not, in batches of many sizes: all come, in their order. */
START_TEST(batches_keep_the_order)
{
    static const size_t sizes[] = {8, 300}, capacities[] = {0, 1, 7, 64, 100};
    size_t item = sizes[_i % 2], capacity = capacities[_i / 2], put = 0, got = 0;
    yunta_queue *q = make_queue(item, capacity);
    unsigned char *buffer = calloc(700, item);
    for (size_t n = 1; n < 690; n += 1 + n / 3) {
        for (size_t i = 0; i < n; i++)
            memcpy(buffer + i * item, &(uint64_t){put + i}, 8);
        int r = yunta_queue_put_many(q, buffer, n, 0);
        size_t expected = capacity == 0 ? n : capacity - (put - got) < n ? capacity - (put - got) : n;
        ck_assert_int_eq(r, (int)expected);
        put += (size_t)r;
        ck_assert_uint_eq(yunta_queue_size(q), put - got);
        memset(buffer, 0xff, 700 * item);
        size_t part = n % 3 == 0 ? n / 2 + 1 : n;
        r = yunta_queue_get_many(q, buffer, part, 0);
        ck_assert_int_eq(r, (int)(put - got < part ? put - got : part));
        for (size_t i = 0; i < (size_t)r; i++)
            ck_assert(memcmp(buffer + i * item, &(uint64_t){got + i}, 8) == 0);
        got += (size_t)r;
    }
    ck_assert_int_eq(yunta_queue_drain(q), (int)(put - got));
    ck_assert(yunta_queue_is_empty(q));
    free(buffer);
    yunta_queue_destroy(q);
}
END_TEST

START_TEST(a_full_queue_takes_what_fits)
{
    int in[5] = {1, 2, 3, 4, 5}, out[5] = {0};
    yunta_queue *q = make_queue(sizeof(int), 3);
    ck_assert_int_eq(yunta_queue_put_many(q, in, 5, 10), 3);
    ck_assert_int_eq(yunta_queue_put_many(q, in, 5, 0), -ETIMEDOUT);
    ck_assert_int_eq(yunta_queue_get_many(q, out, 5, YUNTA_FOREVER), 3);
    ck_assert_int_eq(out[2], 3);
    yunta_queue_destroy(q);
}
END_TEST

static yunta_queue *make_bytes(const yunta_queue_options *options)
{
    yunta_queue *q = NULL;
    ck_assert_int_eq(yunta_queue_create(&q, options), 0);
    return q;
}

START_TEST(bad_input_of_bytes_is_told)
{
    char buffer[8];
    size_t sizes[2] = {77, 77};
    yunta_bytes good[2] = {{"one", 3}, {NULL, 0}}, null[2] = {{"one", 3}, {NULL, 1}},
                large[2] = {{"one", 3}, {"two", 4}};
    yunta_queue *q = make_bytes(NULL), *items = make_queue(3, 0);
    yunta_queue *small = make_bytes(&(yunta_queue_options){.capacity_bytes = 3});
    ck_assert_int_eq(yunta_queue_put_many_bytes(NULL, good, 2, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_put_many_bytes(q, NULL, 2, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_put_many_bytes(q, null, 2, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_put_many_bytes(items, large, 2, 0), -EMSGSIZE);
    ck_assert_int_eq(yunta_queue_put_many_bytes(small, large, 2, 0), -EMSGSIZE);
    ck_assert_int_eq(yunta_queue_put_many_bytes(q, null, 0, 0), 0);
    ck_assert(yunta_queue_is_empty(q) && yunta_queue_is_empty(items) && yunta_queue_is_empty(small));
    ck_assert_int_eq(yunta_queue_put_many_bytes(q, &(yunta_bytes){buffer, SIZE_MAX}, 1, 0), -ENOMEM);
    ck_assert_int_eq(yunta_queue_get_many_bytes(NULL, buffer, 8, sizes, 2, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_get_many_bytes(q, NULL, 8, sizes, 2, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_get_many_bytes(q, buffer, 8, NULL, 2, 0), -EINVAL);
    ck_assert_int_eq(yunta_queue_get_many_bytes(q, buffer, 8, sizes, 0, 0), 0);
    ck_assert_int_eq(yunta_queue_get_many_bytes(q, buffer, 8, sizes, 2, 5), -ETIMEDOUT);
    ck_assert_uint_eq(sizes[0], 77);
    ck_assert_int_eq(yunta_queue_put_many_bytes(small, good, 2, 0), 2);
    ck_assert_int_eq(yunta_queue_put_many_bytes(small, good, 2, 0), -ETIMEDOUT);
    ck_assert_int_eq(yunta_queue_put_many_bytes(items, good, 1, 0), 1);
    ck_assert_int_eq(yunta_queue_get_many_bytes(items, buffer, 8, sizes, 2, 0), 1);
    yunta_queue_close(q);
    ck_assert_int_eq(yunta_queue_put_many_bytes(q, good, 2, 0), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_queue_get_many_bytes(q, NULL, 0, sizes, 2, 0), YUNTA_ECLOSED);
    yunta_queue_destroy(q);
    yunta_queue_destroy(items);
    yunta_queue_destroy(small);
}
END_TEST

static const yunta_queue_options kinds[] = {{.capacity = 0},
                                            {.capacity = 1},
                                            {.capacity = 7},
                                            {.capacity = 100},
                                            {.capacity = 7, .order = YUNTA_PRIORITY},
                                            {.capacity_bytes = 1 << 20},
                                            {.joinable = true}};
static const size_t lengths[] = {5, 112, 113, 0, 1, 1, 300, 40, 4000, 70, 0};

static size_t length_of(size_t number)
{
    return lengths[number % YN_COUNT(lengths)];
}

/* In cells and in blocks, in batches of many sizes, into buffers of many: all come whole, in their order. */
START_TEST(batches_of_bytes_keep_the_order)
{
    enum { MOST = 200, ROOM = 3000 };
    static unsigned char out[4000], in[MOST][4000];
    yunta_bytes messages[MOST];
    size_t sizes[MOST], put = 0, got = 0, capacity = kinds[_i].capacity;
    yunta_queue *q = make_bytes(&kinds[_i]);
    for (size_t n = 1; n < MOST; n += 1 + n / 4) {
        for (size_t i = 0; i < n; i++) {
            messages[i] = (yunta_bytes){in[i], length_of(put + i)};
            memset(in[i], (int)(put + i), length_of(put + i));
        }
        int r = yunta_queue_put_many_bytes(q, messages, n, 0);
        ck_assert_int_eq(r, (int)(capacity == 0 || capacity > n ? n : capacity));
        for (put += (size_t)r; got < put;) {
            size_t room = ROOM + got % 2 * (sizeof out - ROOM), at = 0;
            r = yunta_queue_get_many_bytes(q, out, room, sizes, MOST, 0);
            if (r == -EMSGSIZE) {
                ck_assert(sizes[0] == length_of(got) && sizes[0] > room);
                r = yunta_queue_get_many_bytes(q, out, sizeof out, sizes, MOST, 0);
                room = sizeof out;
            }
            ck_assert_int_gt(r, 0);
            for (int i = 0; i < r; at += sizes[i++], got++) {
                ck_assert_uint_eq(sizes[i], length_of(got));
                for (size_t k = 0; k < sizes[i]; k++)
                    if (out[at + k] != (unsigned char)got)
                        ck_abort_msg("byte %zu of message %zu", k, got);
            }
            ck_assert_msg(got == put || at + length_of(got) > room, "room was left");
        }
        ck_assert_uint_eq(yunta_queue_size(q), 0);
    }
    yunta_queue_destroy(q);
}
END_TEST

START_TEST(peek_shows_and_leaves)
{
    char buffer[512], large[400];
    size_t size = 0;
    yunta_queue *q = make_queue(0, (size_t)_i);
    memset(large, 'l', sizeof large);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(yunta_queue_put_bytes(q, "short", 5, 0), 0);
        ck_assert_int_eq(yunta_queue_peek(q, buffer, sizeof buffer, &size), 0);
        ck_assert_uint_eq(size, 5);
        ck_assert_mem_eq(buffer, "short", 5);
        ck_assert_int_eq(yunta_queue_peek(q, buffer, 4, &size), -EMSGSIZE);
        ck_assert_int_eq(yunta_queue_peek(q, NULL, 0, NULL), -EMSGSIZE);
        ck_assert_uint_eq(yunta_queue_size(q), 1);
        ck_assert_int_eq(yunta_queue_get_bytes(q, buffer, sizeof buffer, &size, 0), 0);
        ck_assert_int_eq(yunta_queue_put_bytes(q, large, sizeof large, 0), 0);
        ck_assert_int_eq(yunta_queue_peek(q, buffer, 300, &size), -EMSGSIZE);
        ck_assert_uint_eq(size, sizeof large);
        ck_assert_int_eq(yunta_queue_peek(q, buffer, sizeof buffer, NULL), 0);
        ck_assert_mem_eq(buffer, large, sizeof large);
        ck_assert_int_eq(yunta_queue_drain(q), 1);
    }
    ck_assert_int_eq(yunta_queue_put_bytes(q, NULL, 0, 0), 0);
    ck_assert_int_eq(yunta_queue_peek(q, NULL, 0, &size), 0);
    ck_assert_uint_eq(size, 0);
    yunta_queue_destroy(q);
}
END_TEST

START_TEST(drain_frees_blocks)
{
    yn_heap_figures before, after;
    char large[4000] = "";
    yunta_queue *q = make_queue(0, 100);
    yn_heap_read(guest_self(), &before);
    for (int i = 0; i < 80; i++)
        ck_assert_int_eq(yunta_queue_put_bytes(q, large, sizeof large, 0), 0);
    ck_assert_int_eq(yunta_queue_drain(q), 80);
    yn_heap_read(guest_self(), &after);
    ck_assert_uint_eq(after.blocks, before.blocks);
    ck_assert_int_eq(yunta_queue_put_bytes(q, "x", 1, 0), 0);
    yunta_queue_close(q);
    ck_assert_int_eq(yunta_queue_drain(q), 1);
    yunta_queue_destroy(q);
}
END_TEST

static int leave_at_once(void *context)
{
    return context != NULL;
}

/* The ring is closed where the run has come to: what was reserved after it is void, for a run of the living and of the
 * dead. */
START_TEST(a_ring_closed_amid_a_run)
{
    yunta_queue *q = make_queue(8, 8);
    yn_ring_shared *ring = &atomic_load(&q->first)->ring;
    yn_self *me = guest_self();
    yn_hold first;
    ck_assert_uint_eq(yn_ring_reserve_run(me->claim, ring, 3, &first), 3);
    ck_assert_uint_eq(first.position, 0);
    for (uint64_t i = 0; i < 3; i++) {
        yn_hold hold = {ring, yn_ring_cell(ring, i), i};
        yn_ring_publish(&hold, 8);
    }
    ck_assert_uint_eq(yunta_queue_size(q), 3);
    ck_assert_uint_eq(yn_ring_take_run(me->claim, ring, 7, 3, &first), 0);
    ck_assert_uint_eq(yn_ring_take_run(me->claim, ring, 23, 3, &first), 2);
    ck_assert_uint_eq(yunta_queue_size(q), 1);
    for (uint64_t i = 0; i < 2; i++) {
        yn_hold hold = {ring, yn_ring_cell(ring, i), i};
        yn_ring_release(&hold);
    }
    /* A process that died with two cells beyond a tail that was closed before it. */
    _Atomic yn_claim *claim = guest_memory(sizeof *claim);
    guest g = guest_start(claim, leave_at_once, NULL);
    ck_assert_int_eq(waitpid(g.pid, NULL, 0), g.pid);
    yn_claim dead = atomic_load(claim);
    for (uint64_t i = 3; i < 5; i++)
        atomic_store(&yn_ring_cell(ring, i)->word, dead | YN_CELL_RESERVED);
    yunta_queue_close(q);
    guest_bury(dead);
    ck_assert_uint_eq(yn_ring_reserve_run(me->claim, ring, 3, &first), 0);
    uint64_t item;
    ck_assert_int_eq(yunta_queue_get(q, &item, 0), 0);
    yn_turn turn = {.me = me};
    ck_assert(yn_ring_is_spent(&turn, ring));
    for (uint64_t i = 3; i < 5; i++)
        ck_assert_uint_eq(atomic_load(&yn_ring_cell(ring, i)->word), YN_CELL_FREE);
    ck_assert_int_eq(yunta_queue_get(q, &item, 0), YUNTA_ECLOSED);
    yunta_queue_destroy(q);
}
END_TEST

enum { MANY = 20000 };
static yunta_queue *shared;

static int produce(void *context)
{
    uint64_t items[100], base = (uint64_t)(uintptr_t)context << 32;
    for (uint64_t n = 0; n < MANY;) {
        size_t count = 1 + n % 100;
        for (size_t i = 0; i < count; i++)
            items[i] = base | (n + i);
        if (yunta_queue_put_many(shared, items, count, YUNTA_FOREVER) != (int)count)
            return 1;
        n += count;
    }
    return 0;
}

static int consume(void *context)
{
    uint64_t items[70], next[2] = {0, 0};
    _Atomic uint64_t *total = context;
    int r;
    while ((r = yunta_queue_get_many(shared, items, 70, YUNTA_FOREVER)) > 0) {
        atomic_fetch_add(total, (uint64_t)r);
        for (int i = 0; i < r; i++) {
            uint64_t *seen = &next[items[i] >> 32];
            if ((items[i] & UINT32_MAX) < *seen)
                return 2;
            *seen = (items[i] & UINT32_MAX) + 1;
        }
    }
    return r == YUNTA_ECLOSED ? 0 : 1;
}

START_TEST(batches_between_processes)
{
    static const size_t capacities[] = {0, 1, 50, 1000};
    struct {
        _Atomic yn_claim claim[4];
        _Atomic uint64_t total;
    } *tell = guest_memory(sizeof *tell);
    guest g[4];
    shared = make_queue(8, capacities[_i]);
    for (int i = 0; i < 4; i++)
        g[i] = guest_start(&tell->claim[i], i < 2 ? produce : consume,
                           i < 2 ? (void *)(uintptr_t)i : (void *)&tell->total);
    int status = guest_join(&g[0]) | guest_join(&g[1]);
    yunta_queue_close(shared);
    status |= guest_join(&g[2]) | guest_join(&g[3]);
    ck_assert_int_eq(status, 0);
    uint64_t each = 0;
    while (each < MANY)
        each += 1 + each % 100;
    ck_assert_uint_eq(tell->total, 2 * each);
    yunta_queue_destroy(shared);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("queue_many");
    TCase *cases = test_case(suite, "many");
    tcase_add_test(cases, bad_input_is_told);
    tcase_add_loop_test(cases, batches_keep_the_order, 0, 10);
    tcase_add_test(cases, a_full_queue_takes_what_fits);
    tcase_add_test(cases, bad_input_of_bytes_is_told);
    tcase_add_loop_test(cases, batches_of_bytes_keep_the_order, 0, (int)YN_COUNT(kinds));
    tcase_add_loop_test(cases, peek_shows_and_leaves, 0, 3);
    tcase_add_test(cases, drain_frees_blocks);
    tcase_add_test(cases, a_ring_closed_amid_a_run);
    tcase_add_loop_test(cases, batches_between_processes, 0, 4);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
