/* A queue, a victim that is killed at some step of a call, a rival's whole call in between, and the accounts after it:
 * for the tests of the queue's deaths. Next: queue_steps.h. */
#ifndef YUNTA_TEST_QUEUE_SCENE_H
#define YUNTA_TEST_QUEUE_SCENE_H

#include "../comm/test_queue_step.h"
#include "comm/store.h"
#include "os/rawsys.h"
#include "shm/heap.h"

#include <limits.h>
#include <yunta/queue_loan.h>
#include <yunta/queue_many.h>

enum { NONE, PUT, GET, SIZE, PUT_MANY, GET_MANY, PUT_BYTES, GET_BYTES, LEND, RECEIVE, PEEK };
static const char *const names[] = {
    "nothing",        "put",  "get",     "size", "put_many", "get_many", "put_many_bytes",
    "get_many_bytes", "lend", "receive", "peek"};
enum { BATCH = 3, SHORTER = 8 };

typedef struct scene {
    size_t capacity;
    size_t size; /* of messages */
    bool any;    /* the queue takes messages of any size, so that long ones have blocks */
    bool mixed;  /* so it does, and some have SHORTER bytes */
    bool lose, joinable;
    yunta_queue_order order;
    int leaks;          /* blocks that a death may cost at most, if more than one */
    int passed, filled; /* messages that have gone through, that are in it */
    int first;          /* the one killed; another one may have to repair what it left, and be killed too */
    int second;
    int rival;          /* a whole call of the survivor's, while the victim stands still */
    void (*from)(void); /* with two deaths or a rival: from here on; what comes before has been seen to with one */
} scene;

/* What a victim has to tell, in memory that it shares with the test. */
typedef struct told {
    _Atomic yn_claim claim;
    _Atomic bool done;
    _Atomic int result; /* how many, or an error */
    int values[BATCH];
} told;

enum { VICTIM = 1000, RIVAL = 2000, LATER = 3000 };
static told *tell;
static const scene *now;
static yunta_queue *q;
static long lives;   /* of queues, so far */
static bool strayed; /* somebody has gone another way than the one before, so that it must be stepped */
static unsigned char buffer[4096];

/* For what is asked very often: ck_assert notes each assertion in a file. */
static void must(bool condition, const char *else_say)
{
    if (!condition)
        ck_abort_msg("%s", else_say);
}

static size_t size_of(int value)
{
    return now->mixed && (value + value / 10) % 2 == 0 ? SHORTER : now->size;
}

static yunta_bytes write_message(unsigned char *to, int value)
{
    for (size_t i = 0; i + sizeof value <= size_of(value); i += sizeof value)
        memcpy(to + i, &value, sizeof value);
    return (yunta_bytes){to, size_of(value)};
}

static int read_message(int *value, const unsigned char *from, size_t size)
{
    memcpy(value, from, sizeof *value);
    for (size_t i = 0; i + sizeof *value <= size; i += sizeof *value)
        if (memcmp(from + i, value, sizeof *value) != 0)
            return -EBADMSG;
    return size == size_of(*value) ? 0 : -EBADMSG;
}

static int put_one(int value, int ms)
{
    return yunta_queue_put_bytes(q, buffer, write_message(buffer, value).size, ms);
}

static int get_one(int *value)
{
    size_t size;
    int r = yunta_queue_get_bytes(q, buffer, sizeof buffer, &size, 0);
    if (r != 0)
        return r;
    if (now->joinable && yunta_queue_task_done(q) != 0)
        return -EBADMSG;
    return read_message(value, buffer, size);
}

static int lend_one(int value)
{
    yunta_loan loan;
    int r = yunta_queue_reserve(q, now->size, &loan);
    if (r != 0)
        return r;
    write_message(loan.data, value);
    r = yunta_queue_commit(&loan, now->size, 0);
    if (r != 0)
        yunta_queue_abandon(&loan);
    return r;
}

static int receive_one(int *value)
{
    yunta_loan loan;
    int r = yunta_queue_receive(q, &loan, 0);
    if (r != 0)
        return r;
    memcpy(value, loan.data, sizeof *value);
    return yunta_queue_release(&loan);
}

static int peek_one(void)
{
    size_t size;
    int r = yunta_queue_peek(q, buffer, sizeof buffer, &size);
    return r == -ETIMEDOUT || (r == 0 && size == now->size) ? 0 : -EBADMSG;
}

static int put_several(int id, int *values)
{
    for (int i = 0; i < BATCH; i++) {
        values[i] = id + 10 * i;
        write_message(buffer + (size_t)i * now->size, values[i]);
    }
    return yunta_queue_put_many(q, buffer, BATCH, 0);
}

static int get_several(int *values)
{
    int r = yunta_queue_get_many(q, buffer, BATCH, 0);
    for (int i = 0; i < r; i++)
        memcpy(&values[i], buffer + (size_t)i * now->size, sizeof(int));
    return r;
}

static int put_several_bytes(int id, int *values)
{
    yunta_bytes messages[BATCH];
    for (int i = 0; i < BATCH; i++) {
        values[i] = id + 10 * i;
        messages[i] = write_message(buffer + (size_t)i * now->size, values[i]);
    }
    return yunta_queue_put_many_bytes(q, messages, BATCH, 0);
}

static int get_several_bytes(int *values)
{
    size_t sizes[BATCH], from = 0;
    int r = yunta_queue_get_many_bytes(q, buffer, sizeof buffer, sizes, BATCH, 0);
    for (int i = 0; i < r; from += sizes[i++])
        if (read_message(&values[i], buffer + from, sizes[i]) != 0)
            return -EBADMSG;
    return r;
}

/* How many messages were put or got, or an error. */
static int act(int what, int id, int *values)
{
    int r = 0;
    values[0] = id;
    switch (what) {
    case PUT:
        r = put_one(id, 0);
        break;
    case GET:
        r = get_one(values);
        break;
    case PUT_MANY:
        return put_several(id, values);
    case GET_MANY:
        return get_several(values);
    case PUT_BYTES:
        return put_several_bytes(id, values);
    case GET_BYTES:
        return get_several_bytes(values);
    case LEND:
        r = lend_one(id);
        break;
    case RECEIVE:
        r = receive_one(values);
        break;
    case PEEK:
        return peek_one();
    default:
        yunta_queue_size(q);
        return 0;
    }
    return r == 0 ? 1 : r;
}

static bool is_put(int what)
{
    return what == PUT || what == PUT_MANY || what == PUT_BYTES || what == LEND;
}

static bool is_get(int what)
{
    return what == GET || what == GET_MANY || what == GET_BYTES || what == RECEIVE;
}

typedef struct role {
    int what, id;
    told *told;
} role;

static int play(void *context)
{
    role *r = context;
    int values[BATCH];
    yunta_queue_is_closed(q);
    yunta_heap_free(yunta_heap_alloc(200)); /* a process's first block takes thousands of steps, which heap_kill has */
    if (!walker_begin())
        return 1;
    int result = act(r->what, r->id, values);
    memcpy(r->told->values, values, sizeof values);
    atomic_store(&r->told->result, result);
    atomic_store(&r->told->done, true);
    yn_raw1(SYS_exit_group, 0); /* _exit may be a sanitizer's, and is bound at its first call: many steps */
    return 0;
}

static walker start(int what, int number)
{
    told *t = &tell[number];
    atomic_store(&t->done, false);
    return walker_take(guest_start(&t->claim, play, &(role){what, VICTIM + number, t}));
}

static void set_up(void)
{
    int value;
    ck_assert_int_eq(yunta_queue_create(&q, &(yunta_queue_options){.item_size = now->any || now->mixed ? 0 : now->size,
                                                                   .capacity = now->capacity,
                                                                   .lose_on_death = now->lose,
                                                                   .joinable = now->joinable,
                                                                   .order = now->order}),
                     0);
    for (int i = 0; i < now->passed; i++) {
        must(put_one(-1, 0) == 0 && get_one(&value) == 0, "it does not work");
    }
    for (int i = 0; i < now->filled; i++)
        must(put_one(i + 1, 0) == 0, "no room");
}

/* The accounts: what must come out, what may, and what did. */
typedef struct books {
    int must[64], musts, may[8], mays; /* ids put for sure; those of which nobody knows */
    int got[80], gots;
    int unaccounted; /* messages that gets may have had which were killed before they told */
    int killed;      /* calls that were not over */
} books;

static void note_act(books *b, int what, int result, const int *values)
{
    ck_assert_msg(result >= 0 || result == -ETIMEDOUT, "%s says %d", names[what], result);
    for (int i = 0; i < result; i++)
        if (is_put(what))
            b->must[b->musts++] = values[i];
        else
            b->got[b->gots++] = values[i];
}

static void note_victim(books *b, int what, int number)
{
    told *t = &tell[number];
    int count = what >= PUT_MANY && what <= GET_BYTES ? BATCH : 1;
    b->killed += !atomic_load(&t->done);
    if (atomic_load(&t->done))
        note_act(b, what, atomic_load(&t->result), t->values);
    else if (is_put(what))
        for (int i = 0; i < count; i++)
            b->may[b->mays++] = VICTIM + number + 10 * i;
    else if (is_get(what))
        b->unaccounted += count;
}

static int times_in(const int *list, int count, int id)
{
    int times = 0;
    for (int i = 0; i < count; i++)
        times += list[i] == id;
    return times;
}

static void drain(books *b)
{
    size_t size = yunta_queue_size(q), n = 0;
    int value, last = 0;
    while (!yunta_queue_is_empty(q)) {
        ck_assert_uint_eq(yunta_queue_size(q), size - n);
        ck_assert_int_eq(get_one(&value), 0);
        ck_assert_msg(value >= RIVAL || last >= VICTIM || value > last, "%d came after %d", value, last);
        last = value;
        b->got[b->gots++] = value;
        n++;
        ck_assert_int_lt(b->gots, 80);
    }
    ck_assert_uint_eq(n, size);
    ck_assert_int_eq(get_one(&value), -ETIMEDOUT);
    ck_assert_uint_eq(yunta_queue_size(q), 0);
}

static void balance(const books *b)
{
    int missing = 0;
    for (int i = 0; i < b->gots; i++) {
        int id = b->got[i];
        ck_assert_msg(times_in(b->must, b->musts, id) + times_in(b->may, b->mays, id) == 1, "%d was never put", id);
        ck_assert_msg(times_in(b->got, b->gots, id) == 1, "%d came twice", id);
    }
    for (int i = 0; i < b->musts; i++)
        missing += times_in(b->got, b->gots, b->must[i]) == 0;
    ck_assert_msg(missing <= b->unaccounted, "%d messages are missing, %d gets were killed", missing, b->unaccounted);
    yunta_queue_stats stats;
    if (q->store)
        yn_store_check(q->store);
    if (now->joinable)
        ck_assert_int_eq(yunta_queue_join(q, 0), 0);
    ck_assert_int_eq(yunta_queue_read_stats(q, &stats), 0);
    /* Who is killed while it counts what another one lost leaves one too many. */
    int twice = b->killed > 1 ? b->killed - 1 : 0;
    ck_assert_msg((int)stats.lost <= missing + twice && (stats.lost == 0 || now->lose), "%d lost", (int)stats.lost);
    ck_assert_msg((int)stats.redelivered <= b->unaccounted && (stats.redelivered == 0 || !now->lose), "redelivered");
    ck_assert_int_le((int)stats.abandoned, b->mays);
}

/* It still does all that a new one does. */
static void try_out(void)
{
    int value;
    size_t capacity = now->capacity ? now->capacity : 70;
    for (size_t lap = 0; lap < 3; lap++) {
        for (size_t i = 0; i < capacity; i++)
            must(put_one(LATER + (int)i, 0) == 0, "no more room");
        ck_assert_uint_eq(yunta_queue_size(q), capacity);
        ck_assert(yunta_queue_is_full(q) == (now->capacity != 0));
        if (now->capacity)
            ck_assert_int_eq(put_one(1, 0), -ETIMEDOUT);
        for (size_t i = 0; i < capacity; i++) {
            must(get_one(&value) == 0 && value == LATER + (int)i, "a wrong message");
        }
    }
    ck_assert_int_eq(yunta_queue_close(q), 0);
    ck_assert_int_eq(get_one(&value), YUNTA_ECLOSED);
}

/* Steps after which a victim has changed something that others see. */
typedef struct points {
    long at[200];
    int count;
    long last; /* the step at which it ended */
    walker_path path;
} points;

/* Leads a victim: to step `rival_at`, the rival's call, then to step `kill_at` and its death. With `find` instead to
 * its end, noting its points and the way to them; `path` is such a way. */
typedef struct lead {
    long rival_at, kill_at;
    bool live; /* after the rival's call it goes on to its end */
    points *find;
    const walker_path *path;
    void (*from)(void);
} lead;

static void lead_victim(int what, int number, const lead *l, books *b)
{
    walker w = start(what, number);
    if (l->from)
        walker_run_to(&w, l->from);
    w.notes = l->find ? &l->find->path : NULL;
    if (l->rival_at >= 0) {
        int values[BATCH];
        walker_to(&w, l->rival_at, l->path);
        int r = act(now->rival, RIVAL, values);
        note_act(b, now->rival, r, values);
    }
    if (l->find) {
        l->find->count = 0;
        do {
            ck_assert_int_lt(l->find->count, (int)YN_COUNT(l->find->at));
            l->find->at[l->find->count++] = w.steps;
        } while (walker_to_change(&w));
    }
    if (l->live)
        walker_run_out(&w);
    walker_to(&w, l->find ? LONG_MAX : l->kill_at, l->path);
    if (l->find)
        l->find->last = w.steps;
    strayed = strayed || w.strayed;
    walker_kill(&w);
    note_victim(b, what, number);
}

/* One queue, from its making to its end, with one or two deaths in it. */
static void live_as_led(const lead *first, const lead *second)
{
    books b = {.musts = now->filled};
    yn_heap_figures before, after;
    for (int i = 0; i < now->filled; i++)
        b.must[i] = i + 1;
    yn_heap_read(guest_self(), &before);
    set_up();
    lead_victim(now->first, 0, first, &b);
    if (second)
        lead_victim(now->second, 1, second, &b);
    drain(&b);
    balance(&b);
    try_out();
    yunta_queue_destroy(q);
    yn_heap_read(guest_self(), &after);
    uint64_t most = before.blocks + (uint64_t)((second ? 2 : 1) * (now->leaks ? now->leaks : 1));
    ck_assert_msg(after.blocks <= most, "%d blocks leaked", (int)(after.blocks - before.blocks));
}

/* The same; where the heap, say, makes one go another way, by steps. */
static void live(const lead *first, const lead *second)
{
    lives++;
    strayed = false;
    live_as_led(first, second);
    if (!strayed)
        return;
    lead by_steps[2] = {*first, second ? *second : *first};
    by_steps[0].path = by_steps[1].path = NULL;
    live_as_led(&by_steps[0], second ? &by_steps[1] : NULL);
}

static void begin(const scene *s)
{
    now = s;
    walker_pin();
    guest_self();
    tell = guest_memory(2 * sizeof *tell);
}

static bool is_thorough(void)
{
    return getenv("YUNTA_KILLS") != NULL;
}

/* Every how manieth point is taken, `usual` or all. */
static int stride(int usual)
{
    return is_thorough() ? 1 : usual;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = true };
#else
enum { SANITIZED = false };
#endif

#endif
