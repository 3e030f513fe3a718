/* put and get killed at every instruction that makes a difference to others; alone, with a rival's whole call in
 * between, and once more while the wreck is being repaired. Then the survivor counts. It must not rely on chance or on
 * time: each run is led step by step.
 * Read next: queue_steps.h; src/comm/README.md, which says what each death leaves behind.
 * labels: ptrace
 * timeout: 300 */
#include "queue_steps.h"

#define ENTER ((void (*)(void))yn_chain_enter)
#define RESERVE ((void (*)(void))yn_ring_reserve)
#define TAKE ((void (*)(void))yn_ring_take)
#define PASS ((void (*)(void))yn_queue_pass_block) /* its block is filled: the heap's part has its own test */
static const scene scenes[] = {
    {.capacity = 3, .size = 8, .passed = 7, .filled = 0, .first = PUT, .second = PUT, .rival = PUT},
    {.capacity = 3, .size = 8, .passed = 7, .filled = 0, .first = PUT, .second = GET, .rival = GET},
    {.capacity = 3,
     .size = 200,
     .any = true,
     .passed = 8,
     .filled = 1,
     .first = PUT,
     .second = GET,
     .rival = PUT,
     .from = PASS},
    {.capacity = 3, .size = 8, .passed = 9, .filled = 2, .first = PUT, .second = PUT, .rival = GET},
    {.capacity = 1, .size = 8, .passed = 3, .filled = 0, .first = PUT, .second = PUT, .rival = PUT},
    {.capacity = 3, .size = 8, .passed = 7, .filled = 3, .first = PUT, .second = GET, .rival = GET},
    {.capacity = 3, .size = 8, .passed = 7, .filled = 1, .first = GET, .second = GET, .rival = GET},
    {.capacity = 3, .size = 200, .any = true, .passed = 7, .filled = 2, .first = GET, .second = GET, .rival = PUT},
    {.capacity = 3, .size = 8, .passed = 8, .filled = 3, .first = GET, .second = PUT, .rival = PUT},
    {.capacity = 1, .size = 8, .passed = 2, .filled = 1, .first = GET, .second = PUT, .rival = PUT},
    {.capacity = 3,
     .size = 200,
     .any = true,
     .passed = 8,
     .filled = 3,
     .first = GET,
     .second = PUT,
     .rival = PUT,
     .lose = true},
    {.capacity = 2, .size = 8, .passed = 5, .filled = 1, .first = GET, .second = SIZE, .rival = SIZE, .lose = true},
    {.capacity = 2, .size = 8, .passed = 5, .filled = 1, .first = GET, .second = SIZE, .rival = SIZE},
    {.size = 8, .filled = 2, .first = PUT, .second = GET, .rival = GET},
    {.size = 8, .filled = 32, .first = PUT, .second = GET, .rival = PUT, .from = ENTER}, /* a new link */
    {.size = 8, .passed = 5, .filled = 32, .first = PUT, .second = GET, .rival = GET, .from = ENTER},
    {.size = 8, .filled = 2, .first = GET, .second = GET, .rival = PUT},
    {.size = 8, .passed = 31, .filled = 33, .first = GET, .second = GET, .rival = GET}, /* on to the next link */
    {.size = 8, .passed = 31, .filled = 33, .first = GET, .second = SIZE, .rival = PUT},
};

START_TEST(killed_alone)
{
    kill_alone(&scenes[_i]);
}
END_TEST

START_TEST(killed_with_a_rival_in_between)
{
    kill_beside_rival(&scenes[_i], _i, 41);
}
END_TEST

START_TEST(killed_while_repairing)
{
    kill_while_repairing(&scenes[_i], _i, 5, 1);
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
    points p = {0};
    begin(&around[_i]);
    lead l = {.rival_at = -1, .find = &p, .from = now->first == PUT ? RESERVE : TAKE};
    live(&l, NULL);
    l = (lead){.live = true, .from = l.from, .path = &p.path};
    for (; l.rival_at <= p.last; l.rival_at += stride(SANITIZED ? 8 : 1))
        live(&l, NULL);
    walker_forget(&p.path);
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
    s->told->values[0] = value;
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
    points p = {0};
    begin(&around[_i]);
    lead l = {.rival_at = -1, .find = &p};
    live_beside_sleeper(now, &l);
    l.find = NULL;
    l.path = &p.path;
    for (int j = 0; j < p.count; j++) {
        l.kill_at = p.at[j];
        live_beside_sleeper(now, &l);
    }
    walker_forget(&p.path);
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
