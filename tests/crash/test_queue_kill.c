/* put and get killed at every instruction that makes a difference to others; alone, with a rival's whole call in
 * between, and once more while the wreck is being repaired. Then the survivor counts. It must not rely on chance or on
 * time: each run is led step by step.
 * Read next: tests/comm/test_queue_step.h; src/comm/README.md, which says what each death leaves behind.
 * YUNTA_KILLS: if it is set, rivals come at every instruction, and no point is left out where there are many.
 * labels: ptrace
 * timeout: 300 */
#include "../comm/test_queue_step.h"
#include "comm/queue.h"
#include "os/rawsys.h"
#include "shm/heap.h"

#include <limits.h>

enum { NONE, PUT, GET, SIZE };
static const char *const names[] = {"nothing", "put", "get", "size"};

typedef struct scene {
    size_t capacity;
    size_t size; /* of messages */
    bool lose;
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
    _Atomic int result, value;
} told;

enum { VICTIM = 1000, RIVAL = 2000, LATER = 3000 };
static told *tell;
static const scene *now;
static yunta_queue *q;
static unsigned char buffer[4096];

/* For what is asked very often: ck_assert notes each assertion in a file. */
static void must(bool condition, const char *else_say)
{
    if (!condition)
        ck_abort_msg("%s", else_say);
}

static int put_one(int value, int ms)
{
    for (size_t i = 0; i + sizeof value <= now->size; i += sizeof value)
        memcpy(buffer + i, &value, sizeof value);
    return yunta_queue_put_bytes(q, buffer, now->size, ms);
}

static int get_one(int *value)
{
    size_t size;
    int r = yunta_queue_get_bytes(q, buffer, sizeof buffer, &size, 0);
    if (r != 0)
        return r;
    memcpy(value, buffer, sizeof *value);
    for (size_t i = 0; i + sizeof *value <= now->size; i += sizeof *value)
        if (memcmp(buffer + i, value, sizeof *value) != 0)
            return -EBADMSG;
    return size == now->size ? 0 : -EBADMSG;
}

static int act(int what, int id, int *value)
{
    *value = 0;
    if (what == PUT)
        return put_one(*value = id, 0);
    if (what == GET)
        return get_one(value);
    return what == SIZE ? (int)yunta_queue_size(q) * 0 : 0;
}

typedef struct role {
    int what, id;
    told *told;
} role;

static int play(void *context)
{
    role *r = context;
    int value;
    yunta_queue_is_closed(q);
    if (!walker_begin())
        return 1;
    int result = act(r->what, r->id, &value);
    atomic_store(&r->told->value, value);
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
    ck_assert_int_eq(
        yunta_queue_create(&q, &(yunta_queue_options){.capacity = now->capacity, .lose_on_death = now->lose}), 0);
    for (int i = 0; i < now->passed; i++) {
        must(put_one(-1, 0) == 0 && get_one(&value) == 0, "it does not work");
    }
    for (int i = 0; i < now->filled; i++)
        must(put_one(i + 1, 0) == 0, "no room");
}

/* The accounts: what must come out, what may, and what did. */
typedef struct books {
    int must[64], musts, may[4], mays; /* ids put for sure; those of which nobody knows */
    int got[80], gots;
    int unaccounted; /* gets that were killed before they told */
} books;

static void note_act(books *b, int what, int result, int value)
{
    if (what == PUT && result == 0)
        b->must[b->musts++] = value;
    else if (what == GET && result == 0)
        b->got[b->gots++] = value;
    else
        ck_assert_msg(result == 0 || result == -ETIMEDOUT, "%s says %d", names[what], result);
}

static void note_victim(books *b, int what, int number)
{
    told *t = &tell[number];
    if (atomic_load(&t->done))
        note_act(b, what, atomic_load(&t->result), atomic_load(&t->value));
    else if (what == PUT)
        b->may[b->mays++] = VICTIM + number;
    else if (what == GET)
        b->unaccounted++;
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
    ck_assert_int_eq(yunta_queue_read_stats(q, &stats), 0);
    ck_assert_msg((int)stats.lost <= missing && (stats.lost == 0 || now->lose), "%d lost", (int)stats.lost);
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
} points;

/* Leads a victim: to step `rival_at`, the rival's call, then to step `kill_at` and its death. With `find` instead to
 * its end, noting its points. */
typedef struct lead {
    long rival_at, kill_at;
    bool live; /* after the rival's call it goes on to its end */
    points *find;
    void (*from)(void);
} lead;

static void lead_victim(int what, int number, const lead *l, books *b)
{
    walker w = start(what, number);
    if (l->from)
        walker_run_to(&w, l->from);
    if (l->rival_at >= 0) {
        int value;
        walker_to(&w, l->rival_at);
        int r = act(now->rival, RIVAL, &value);
        note_act(b, now->rival, r, value);
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
    walker_to(&w, l->find ? LONG_MAX : l->kill_at);
    if (l->find)
        l->find->last = w.steps;
    walker_kill(&w);
    note_victim(b, what, number);
}

/* One queue, from its making to its end, with one or two deaths in it. */
static void live(const lead *first, const lead *second)
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
    uint64_t most = before.blocks + (second ? 2 : 1);
    ck_assert_msg(after.blocks <= most, "%d blocks leaked", (int)(after.blocks - before.blocks));
}

static void begin(const scene *s)
{
    now = s;
    walker_pin();
    guest_self();
    tell = guest_memory(2 * sizeof *tell);
}

#define ENTER ((void (*)(void))yn_chain_enter)
#define RESERVE ((void (*)(void))yn_ring_reserve)
#define TAKE ((void (*)(void))yn_ring_take)
static const scene scenes[] = {
    {.capacity = 3, .size = 8, .passed = 7, .filled = 0, .first = PUT, .second = PUT, .rival = PUT},
    {.capacity = 3, .size = 8, .passed = 7, .filled = 0, .first = PUT, .second = GET, .rival = GET},
    {.capacity = 3, .size = 200, .passed = 8, .filled = 1, .first = PUT, .second = GET, .rival = PUT},
    {.capacity = 3, .size = 8, .passed = 9, .filled = 2, .first = PUT, .second = PUT, .rival = GET},
    {.capacity = 1, .size = 8, .passed = 3, .filled = 0, .first = PUT, .second = PUT, .rival = PUT},
    {.capacity = 3, .size = 8, .passed = 7, .filled = 3, .first = PUT, .second = GET, .rival = GET},
    {.capacity = 3, .size = 8, .passed = 7, .filled = 1, .first = GET, .second = GET, .rival = GET},
    {.capacity = 3, .size = 200, .passed = 7, .filled = 2, .first = GET, .second = GET, .rival = PUT},
    {.capacity = 3, .size = 8, .passed = 8, .filled = 3, .first = GET, .second = PUT, .rival = PUT},
    {.capacity = 1, .size = 8, .passed = 2, .filled = 1, .first = GET, .second = PUT, .rival = PUT},
    {.capacity = 3, .size = 200, .passed = 8, .filled = 3, .first = GET, .second = PUT, .rival = PUT, .lose = true},
    {.capacity = 2, .size = 8, .passed = 5, .filled = 1, .first = GET, .second = SIZE, .rival = SIZE, .lose = true},
    {.capacity = 2, .size = 8, .passed = 5, .filled = 1, .first = GET, .second = SIZE, .rival = SIZE},
    {.size = 8, .filled = 2, .first = PUT, .second = GET, .rival = GET},
    {.size = 8, .filled = 32, .first = PUT, .second = GET, .rival = PUT, .from = ENTER}, /* a new link */
    {.size = 8, .passed = 5, .filled = 32, .first = PUT, .second = GET, .rival = GET, .from = ENTER},
    {.size = 8, .filled = 2, .first = GET, .second = GET, .rival = PUT},
    {.size = 8, .passed = 31, .filled = 33, .first = GET, .second = GET, .rival = GET}, /* on to the next link */
    {.size = 8, .passed = 31, .filled = 33, .first = GET, .second = SIZE, .rival = PUT},
};

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

START_TEST(killed_alone)
{
    points p;
    begin(&scenes[_i]);
    void (*from)(void) = now->passed || !is_thorough() ? now->from : NULL; /* the heap's part once is enough */
    live(&(lead){.rival_at = -1, .find = &p, .from = from}, NULL);
    for (int j = 0; j < p.count; j++)
        live(&(lead){.rival_at = -1, .kill_at = p.at[j], .from = from}, NULL);
}
END_TEST

static void (*function_of(int what))(void)
{
    return what == PUT   ? (void (*)(void))yunta_queue_put_bytes
           : what == GET ? (void (*)(void))yunta_queue_get_bytes
                         : (void (*)(void))yunta_queue_size;
}

/* The rival comes at any instruction, also between a look and what is done upon it. */
START_TEST(killed_with_a_rival_in_between)
{
    points p;
    begin(&scenes[_i]);
    lead l = {.from = now->from ? now->from : function_of(now->first)};
    for (l.rival_at = _i % stride(41);; l.rival_at += stride(41)) {
        l.find = &p;
        live(&l, NULL);
        if (l.rival_at > p.last)
            break;
        l.find = NULL;
        for (int j = 0; j < p.count; j++) {
            l.kill_at = p.at[j];
            live(&l, NULL);
        }
    }
}
END_TEST

/* Nobody dies. Between two looks of one call, another one's whole call changes what they see. */
START_TEST(a_rival_at_each_instruction)
{
    static const scene around[] = {
        {.capacity = 3, .size = 8, .passed = 7, .filled = 3, .first = PUT, .rival = GET},
        {.capacity = 1, .size = 8, .passed = 2, .filled = 1, .first = PUT, .rival = GET},
        {.capacity = 3, .size = 8, .passed = 8, .filled = 0, .first = GET, .rival = PUT},
        {.capacity = 1, .size = 8, .passed = 2, .filled = 0, .first = GET, .rival = PUT},
        {.size = 8, .passed = 31, .filled = 0, .first = GET, .rival = PUT},
    };
    points p;
    begin(&around[_i]);
    lead l = {.rival_at = -1, .find = &p, .from = now->first == PUT ? RESERVE : TAKE};
    live(&l, NULL);
    l = (lead){.live = true, .from = l.from};
    for (; l.rival_at <= p.last; l.rival_at += stride(SANITIZED ? 8 : 1))
        live(&l, NULL);
}
END_TEST

START_TEST(killed_while_repairing)
{
    points alone, p;
    begin(&scenes[_i]);
    live(&(lead){.rival_at = -1, .find = &alone, .from = now->from}, NULL);
    int step = stride(1 + alone.count / 5);
    for (int i = _i % step; i < alone.count; i += step) {
        lead first = {.rival_at = -1, .kill_at = alone.at[i], .from = now->from};
        live(&first, &(lead){.rival_at = -1, .find = &p});
        for (int j = 0; j < p.count; j++)
            live(&first, &(lead){.rival_at = -1, .kill_at = p.at[j]});
    }
}
END_TEST

/* Another process sleeps until the victim's message, or room, comes. */
typedef struct sleeper {
    int what;
    told *told;
} sleeper;

static int sleep_in_call(void *context)
{
    sleeper *s = context;
    int value = RIVAL;
    size_t size;
    int r = s->what == PUT ? put_one(value, YUNTA_FOREVER)
                           : yunta_queue_get_bytes(q, &value, sizeof value, &size, YUNTA_FOREVER);
    atomic_store(&s->told->value, value);
    atomic_store(&s->told->done, true);
    return r != 0;
}

/* It must not sleep on beside what it waits for. */
static void check_sleeper(guest *g, told *t, int what)
{
    test_wait_until(atomic_load(&t->done) || (what == GET ? yunta_queue_size(q) == 0 : yunta_queue_is_full(q)), 10000);
    if (!atomic_load(&t->done)) {
        int value;
        if (what == GET)
            ck_assert_int_eq(put_one(LATER, 0), 0);
        else
            ck_assert_int_eq(get_one(&value), 0);
        test_wait_until(atomic_load(&t->done), 10000);
    }
    ck_assert_int_eq(guest_join(g), 0);
}

static void live_beside_sleeper(const scene *s, lead *l)
{
    books b = {0};
    told *other = &tell[1];
    atomic_store(&other->done, false);
    set_up();
    sleeper context = {s->first == PUT ? GET : PUT, other};
    guest g = guest_start(&other->claim, sleep_in_call, &context);
    guest_wait_asleep(&g);
    lead_victim(s->first, 0, l, &b);
    check_sleeper(&g, other, context.what);
    yunta_queue_destroy(q);
}

START_TEST(killed_beside_a_sleeper)
{
    static const scene around[] = {
        {.capacity = 2, .size = sizeof(int), .passed = 3, .filled = 0, .first = PUT},
        {.size = sizeof(int), .filled = 0, .first = PUT},
        {.capacity = 2, .size = sizeof(int), .passed = 3, .filled = 2, .first = GET},
        {.capacity = 1, .size = sizeof(int), .passed = 3, .filled = 1, .first = GET, .lose = true},
    };
    points p;
    begin(&around[_i]);
    lead l = {.rival_at = -1, .find = &p};
    live_beside_sleeper(now, &l);
    l.find = NULL;
    for (int j = 0; j < p.count; j++) {
        l.kill_at = p.at[j];
        live_beside_sleeper(now, &l);
    }
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("queue_kill");
    TCase *cases = test_case(suite, "steps");
    tcase_set_timeout(cases, 250);
    tcase_add_loop_test(cases, killed_alone, 0, (int)YN_COUNT(scenes));
    tcase_add_loop_test(cases, a_rival_at_each_instruction, 0, 5);
    tcase_add_loop_test(cases, killed_beside_a_sleeper, 0, 4);
    if (SANITIZED && !is_thorough()) /* it takes minutes to step through what a sanitizer adds */
        return suite;
    tcase_add_loop_test(cases, killed_with_a_rival_in_between, 0, (int)YN_COUNT(scenes));
    tcase_add_loop_test(cases, killed_while_repairing, 0, (int)YN_COUNT(scenes));
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
