/* Latch, whose users are killed or stopped at every step that others can tell from the one before: taking, counting
 * what they have taken and what nobody has, waiting, breaking it, and finding out that a dead one owed.
 * It must not count on time-outs: sleeps without a limit have none here, so who is not woken is a failure.
 * Read next: src/sync/README.md, what a death leaves; primitive_scene.h; test_primitives_random.c.
 *
 * labels: ptrace
 * timeout: 300 */
#include <yunta/latch.h>

struct things {
    yunta_latch *latch;
};

#include "primitive_scene.h"

#define wait wait_at_latch
#include "sync/latch.c"
#undef wait

enum { COUNT = 3 };

static void make_things(scene *s)
{
    must(yunta_latch_create(&s->things.latch, COUNT) == 0);
    must(grow(self(), s->things.latch, NULL)); /* now, so that its changes are points */
    debts_shared *debts = atomic_load(&s->things.latch->debts);
    s->memory[2] = (step_range){s->things.latch, sizeof *s->things.latch};
    s->memory[3] = (step_range){debts, sizeof *debts + debts->count * sizeof debts->debt[0]};
}

static void unmake_things(scene *s)
{
    yunta_latch_destroy(s->things.latch);
}

static debt_shared *debt_of(scene *s, actor *a)
{
    debts_walk walk = all_debts(s->things.latch);
    for (debt_shared *debt; (debt = next_debt(&walk));)
        if (atomic_load(&debt->who) == atomic_load(&a->who))
            return debt;
    return NULL;
}

static bool owes(scene *s, actor *a)
{
    debt_shared *debt = debt_of(s, a);
    return debt && (atomic_load(&debt->taking) != 0 || atomic_load(&debt->owed) != 0);
}

/* What the others do. */

static int wait_for_all(scene *s)
{
    return yunta_latch_wait(s->things.latch, YUNTA_FOREVER);
}

static int wait_behind(scene *s)
{
    while (!victim_rests(s))
        test_nap();
    return wait_for_all(s);
}

/* Two of what nobody has taken. */
static int count_behind(scene *s)
{
    while (!victim_rests(s))
        test_nap();
    int r = yunta_latch_count_down(s->things.latch, COUNT - 1);
    should(r == 0 || r == YUNTA_EBROKEN);
    return r == 0 ? wait_for_all(s) : r;
}

static int count_all_behind(scene *s)
{
    while (!victim_rests(s))
        test_nap();
    should(yunta_latch_count_down(s->things.latch, COUNT) == 0);
    return wait_for_all(s);
}

static int have_row(scene *s)
{
    should(yunta_latch_take(s->things.latch, 0) == 0);
    atomic_fetch_add(&s->go, 1);
    return wait_for_all(s);
}

static int die_owing(scene *s)
{
    return yunta_latch_take(s->things.latch, 1);
}

static int die_owing_nothing(scene *s)
{
    return yunta_latch_take(s->things.latch, 0);
}

static void one_asleep(scene *s)
{
    await_sleeper(s, &s->other[0]);
}

/* With ours, as many rows as there are. */
static void all_rows_taken(scene *s)
{
    must(yunta_latch_take(s->things.latch, 0) == 0);
    while (atomic_load(&s->go) < OTHERS)
        test_nap();
    for (int i = 0; i < OTHERS; i++)
        await_sleeper(s, &s->other[i]);
}

/* What victims do. */

static void take_all_and_count(scene *s)
{
    should(yunta_latch_take(s->things.latch, 1) == 0);
    should(yunta_latch_take(s->things.latch, COUNT - 1) == 0);
    should(yunta_latch_count_down(s->things.latch, 1) == 0);
    atomic_store(&s->stage, INSIDE);
    should(yunta_latch_count_down(s->things.latch, COUNT - 1) == 0);
    atomic_store(&s->stage, AFTER);
}

static void count_untaken(scene *s)
{
    for (int i = 0; i < COUNT; i++)
        should(yunta_latch_count_down(s->things.latch, 1) == 0);
    atomic_store(&s->stage, AFTER);
}

static void take_one(scene *s)
{
    should(yunta_latch_take(s->things.latch, 1) == 0);
}

static void count_both_kinds(scene *s)
{
    should(yunta_latch_count_down(s->things.latch, COUNT) == 0);
    atomic_store(&s->stage, AFTER);
}

static void take_too_many(scene *s)
{
    should(yunta_latch_take(s->things.latch, COUNT + 1) == -EOVERFLOW);
    count_untaken(s);
}

static void arrive_and_wait(scene *s)
{
    atomic_store(&s->victim.result, yunta_latch_arrive_and_wait(s->things.latch, 1, YUNTA_FOREVER));
    atomic_store(&s->stage, AFTER);
}

static void only_wait(scene *s)
{
    atomic_store(&s->victim.result, wait_for_all(s));
    atomic_store(&s->stage, AFTER);
}

static void count_in_vain(scene *s)
{
    atomic_store(&s->victim.result, yunta_latch_count_down(s->things.latch, 1));
    atomic_store(&s->stage, AFTER);
}

static void break_it(scene *s)
{
    should(yunta_latch_abort(s->things.latch) == 0);
    atomic_store(&s->stage, AFTER);
}

/* Stopped is not dead, and what it is at keeps nobody from looking. */
static void look_in(scene *s)
{
    int r = yunta_latch_wait(s->things.latch, 0);
    int64_t left = yunta_latch_pending(s->things.latch);
    must(r == 0 || r == -ETIMEDOUT);
    must(r != 0 || left == 0);
    must(left >= 0 && left <= 2 * COUNT);
    must(!yunta_latch_is_broken(s->things.latch));
}

/* How it must stand afterwards. */

/* Who died owing has broken it; else what nobody has taken is counted, and opens it. All are told the same. */
static void judge(scene *s)
{
    yunta_latch *latch = s->things.latch;
    int stage = atomic_load(&s->stage), told = atomic_load(&s->victim.result);
    bool aborts = s->act->run == break_it, debts = s->act->dead == die_owing || owes(s, &s->victim);
    bool broken = debts || (aborts && atomic_load(&latch->state) == BROKEN);
    must(stage != AFTER || broken == (aborts || s->act->dead == die_owing));
    uint64_t untaken = atomic_load(&latch->untaken);
    if (!broken && untaken > 0 && (s->act->other[0] == wait_for_all || s->act->other[0] == have_row))
        must(yunta_latch_count_down(latch, (uint32_t)untaken) == 0);
    must_all_be_through(s);
    for (int i = 0; i < OTHERS && s->act->other[i]; i++)
        must(atomic_load(&s->other[i].result) == (broken ? YUNTA_EBROKEN : 0));
    must(told == 1 || told == (broken ? YUNTA_EBROKEN : 0));
    if (!broken && !s->act->other[0] && untaken > 0)
        must(yunta_latch_count_down(latch, (uint32_t)untaken) == 0);
    must(yunta_latch_wait(latch, YUNTA_FOREVER) == (broken ? YUNTA_EBROKEN : 0));
    must(yunta_latch_is_broken(latch) == broken);
    must(broken || yunta_latch_pending(latch) == 0);
    must(atomic_load(&latch->state) == (broken ? BROKEN : OPEN));
}

/* One of the dead that owed nothing: the victim's row is that one's. */
static void judge_row(scene *s)
{
    debt_shared *own = debt_of(s, &s->victim);
    must(own == NULL || own == &atomic_load(&s->things.latch->debts)->debt[0]);
    must(own != NULL || atomic_load(&s->stage) == BEFORE);
    judge(s);
}

#define L(title, what, ...)                                                                                            \
    {                                                                                                                  \
        .name = title, .run = what, .judge = judge, __VA_ARGS__                                                        \
    }

static const act acts[] = {
    L("take all and count, alone", take_all_and_count, .meanwhile = look_in),
    L("take all and count, one asleep", take_all_and_count, .ready = one_asleep, .other = {wait_for_all},
      .meanwhile = look_in),
    L("take, with no row left", take_all_and_count, .ready = all_rows_taken, .other = {have_row, have_row, have_row}),
    L("take more than there are", take_too_many, .ready = one_asleep, .other = {wait_for_all}),
    L("count what nobody has taken, one asleep", count_untaken, .ready = one_asleep, .other = {wait_for_all},
      .meanwhile = look_in),
    L("count both kinds, one asleep", count_both_kinds, .before = take_one, .ready = one_asleep,
      .other = {wait_for_all}),
    L("arrive and wait", arrive_and_wait, .before = take_one, .other = {count_behind, wait_behind}),
    L("wait", only_wait, .other = {count_all_behind, wait_behind}, .meanwhile = look_in),
    L("wait for one that has died owing", only_wait, .dead = die_owing, .other = {wait_behind}),
    L("count, after one has died owing", count_in_vain, .dead = die_owing, .other = {wait_behind}),
    L("break, one asleep", break_it, .ready = one_asleep, .other = {wait_for_all}),
    {.name = "take, in the place of a dead one",
     .run = take_all_and_count,
     .dead = die_owing_nothing,
     .ready = one_asleep,
     .other = {wait_for_all},
     .judge = judge_row},
};

START_TEST(killed_at_every_step)
{
    sweep(&acts[_i], false, 2);
}
END_TEST

START_TEST(stopped_at_every_step)
{
    sweep(&acts[_i], true, 2);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("latch, killed");
    TCase *cases = test_case(suite, "step by step");
    tcase_set_timeout(cases, 120);
    if (!step_is_possible())
        return suite;
    tcase_add_loop_test(cases, killed_at_every_step, 0, YN_COUNT(acts));
    tcase_add_loop_test(cases, stopped_at_every_step, 0, YN_COUNT(acts));
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
