/* Lock and semaphore, whose user is killed or stopped at every step that others can tell from the one before: alone,
 * with somebody asleep behind it, woken out of its own sleep, and while it takes over from the dead.
 * It must not count on time-outs: sleeps without a limit have none here, so who is not woken is a failure.
 * Read next: src/sync/README.md, what a death leaves; test_lock_random.c, the same at moments that nobody chose.
 *
 * labels: ptrace
 * timeout: 300 */
#include "lock_scene.h"

static void set_scene(void *context)
{
    scene *s = context;
    make_thing(s);
    s->barger = NO_BARGER;
    atomic_store(time_is_up, 0);
    s->go = s->over = s->rival_ended = s->stage = 0;
    s->rival_result = s->victim_result = 1;
    s->victim = s->rival = s->holder = 0;
    s->victim_pid = s->rival_pid = s->holder_pid = 0;
    if (s->act->after_death)
        leave_a_dead_one(s);
    if (s->act->holder)
        s->holder_pid = fork_member(s, &s->holder, be_holder);
    if (s->act->rival)
        s->rival_pid = fork_member(s, &s->rival, be_rival);
    if (s->act->holder)
        await_rival_asleep(s);
    memset(s->memory, 0, sizeof s->memory);
    yn_slot_table_shared *slots = &self()->arena->slots;
    s->memory[0] = (step_range){slots->first, sizeof slots->first};
    if (s->lock)
        s->memory[1] = (step_range){s->lock, sizeof(_Atomic uint64_t)};
    else
        s->memory[1] = (step_range){s->semaphore, sizeof *s->semaphore};
    if (s->semaphore && !s->semaphore->unowned)
        s->memory[3] = (step_range){cell_at(s->semaphore, 0), sizeof(_Atomic uint64_t) * SEGMENT_CELLS(0)};
    s->memory[2] = (step_range){&s->stage, sizeof s->stage};
}

static void prepare_victim(void *context)
{
    scene *s = context;
    atomic_store(&s->victim_pid, getpid());
    atomic_store(&s->victim, self()->claim);
    yn_spin_ns(); /* counts processors once, which is long and no affair of ours */
    if (s->act->before)
        s->act->before(s);
}

static void run_victim(void *context)
{
    scene *s = context;
    s->act->run(s);
}

/* What victims do. */

static void take_now(scene *s)
{
    int r = take(s, 0);
    if (r != 0 && r != -EOWNERDEAD)
        _exit(1);
    atomic_store(&s->stage, INSIDE);
    atomic_store(&s->go, 1);
    await_rival_asleep(s);
}

static void give_back(scene *s)
{
    atomic_store(&s->stage, LEAVING);
    atomic_store(&s->victim_result, give(s));
    atomic_store(&s->stage, AFTER);
}

static void take_and_give_within(scene *s, int milliseconds)
{
    int r = take(s, milliseconds);
    atomic_store(&s->victim_result, r);
    if (r != 0 && r != -EOWNERDEAD)
        return;
    atomic_store(&s->stage, INSIDE);
    if (r == -EOWNERDEAD && s->lock)
        yunta_lock_mark_consistent(s->lock);
    give_back(s);
}

static void take_and_give(scene *s)
{
    take_and_give_within(s, YUNTA_FOREVER);
}

static void try_and_give(scene *s)
{
    take_and_give_within(s, 0);
}

static void wait_a_moment(scene *s)
{
    take_and_give_within(s, 200);
}

static void add_one(scene *s)
{
    give_back(s);
}

/* How it must stand afterwards. */

static bool was_told(scene *s, int r)
{
    must(r == 0 || r == -EOWNERDEAD);
    return r == -EOWNERDEAD;
}

/* The victim's death is told to one, if it had the lock: to the rival, if that came after it, or to us. */
static void judge_lock(scene *s)
{
    int stage = atomic_load(&s->stage), told = s->act->rival && was_told(s, atomic_load(&s->rival_result));
    uint64_t owner = yn_claim_who(atomic_load(&s->lock->word));
    must(owner == 0 || owner == atomic_load(&s->victim) || owner == atomic_load(&s->dead));
    int r = take(s, YUNTA_FOREVER);
    must(was_told(s, r) == (owner != 0));
    must(r == 0 || yunta_lock_mark_consistent(s->lock) == 0);
    told += r != 0;
    must(told <= 1);
    must(stage != INSIDE || told == 1);
    must(stage != AFTER || told == 0);
    must(give(s) == 0);
    must(take(s, 0) == 0 && give(s) == 0);
    must(atomic_load(&s->lock->word) == 0);
}

/* It was in question, and let go without a word: each death before that is told, and nobody gets it after. */
static void judge_broken(scene *s)
{
    int stage = atomic_load(&s->stage), r = atomic_load(&s->rival_result);
    must(r == YUNTA_EBROKEN || r == -EOWNERDEAD);
    must(stage != AFTER || r == YUNTA_EBROKEN);
    must(take(s, 0) == (r == YUNTA_EBROKEN ? r : 0));
    must(r == YUNTA_EBROKEN || give(s) == 0);
}

/* As many units as ever; if the victim had one, or the dead before it, that is told. */
static void judge_semaphore(scene *s)
{
    int stage = atomic_load(&s->stage), told = 0, units = 0, r = 0;
    int value = yunta_semaphore_value(s->semaphore);
    if (s->act->rival)
        told += was_told(s, atomic_load(&s->rival_result));
    while ((r = take(s, 0)) != -ETIMEDOUT) {
        told += was_told(s, r);
        units++;
    }
    must(units == value);
    if (s->act->semaphore == 1) {
        must(units == s->act->units);
        must(told <= 1);
        must(stage != INSIDE || told == 1);
        must(stage != AFTER || told == 0);
    } else { /* what the dead had in hand is lost */
        must(told == 0);
        must(units == s->act->units || units == s->act->units - 1);
        must(stage != AFTER || units == s->act->units);
    }
}

static void judge_added(scene *s)
{
    int stage = atomic_load(&s->stage), units = 0;
    while (take(s, 0) == 0)
        units++;
    must(units == s->act->units + (stage == AFTER) || (stage == LEAVING && units == s->act->units + 1));
}

/* Stopped is not dead: whoever comes meanwhile takes and gives, or finds it taken. */
static void come_meanwhile(void *context, long point)
{
    scene *s = context;
    (void)point;
    int r = take(s, 0);
    must(r == 0 || r == -ETIMEDOUT);
    must(r != 0 || give(s) == 0);
    must(s->act->units < 2 || r == 0);
}

/* Once the victim has been woken the lock is open: somebody else takes it, and the victim's time runs out. */
static void barge_in(void *context, long point)
{
    scene *s = context;
    (void)point;
    s->barger_pid = fork_member(s, &s->other, be_barger);
    await(&s->barger);
    atomic_store(time_is_up, 1);
}

/* … and lives on, since its death would wake the rival. */
static void wait_a_moment_and_live_on(scene *s)
{
    take_and_give_within(s, 20000);
    while (atomic_load(&s->barger) == BARGED)
        test_nap();
}

static const act acts[] = {
    {.name = "lock, alone", .meanwhile = come_meanwhile, .run = take_and_give, .judge = judge_lock},
    {.name = "lock, tried", .meanwhile = come_meanwhile, .run = try_and_give, .judge = judge_lock},
    {.name = "lock, let go with one asleep", .rival = true, .before = take_now, .run = give_back, .judge = judge_lock},
    {.name = "lock, waited for, with one asleep",
     .holder = 1,
     .rival = true,
     .run = take_and_give,
     .judge = judge_lock},
    {.name = "lock, waited for in vain", .holder = 2, .rival = true, .run = wait_a_moment, .judge = judge_lock},
    {.name = "lock, waited for, woken too late",
     .holder = 1,
     .rival = true,
     .run = wait_a_moment_and_live_on,
     .meanwhile = barge_in,
     .judge = judge_lock},
    {.name = "lock, taken over from the dead", .after_death = true, .run = take_and_give, .judge = judge_lock},
    {.name = "lock, let go unmarked with one asleep",
     .after_death = true,
     .rival = true,
     .before = take_now,
     .run = give_back,
     .judge = judge_broken},
    {.name = "semaphore, alone",
     .meanwhile = come_meanwhile,
     .semaphore = 1,
     .units = 2,
     .run = take_and_give,
     .judge = judge_semaphore},
    {.name = "semaphore, given with one asleep",
     .semaphore = 1,
     .units = 1,
     .rival = true,
     .before = take_now,
     .run = give_back,
     .judge = judge_semaphore},
    {.name = "semaphore, waited for, with one asleep",
     .semaphore = 1,
     .units = 1,
     .holder = 1,
     .rival = true,
     .run = take_and_give,
     .judge = judge_semaphore},
    {.name = "semaphore, waited for in vain",
     .semaphore = 1,
     .units = 1,
     .holder = 2,
     .rival = true,
     .run = wait_a_moment,
     .judge = judge_semaphore},
    {.name = "semaphore, taken over from the dead",
     .semaphore = 1,
     .units = 1,
     .after_death = true,
     .run = take_and_give,
     .judge = judge_semaphore},
    {.name = "semaphore, one more", .semaphore = 1, .units = 16, .run = add_one, .judge = judge_added},
    {.name = "signals, alone",
     .meanwhile = come_meanwhile,
     .semaphore = 2,
     .units = 2,
     .run = take_and_give,
     .judge = judge_semaphore},
    {.name = "signals, given with one asleep",
     .semaphore = 2,
     .units = 1,
     .rival = true,
     .before = take_now,
     .run = give_back,
     .judge = judge_semaphore},
    {.name = "signals, one more", .semaphore = 2, .units = 0, .run = add_one, .judge = judge_added},
};

/* An unowned unit that the victim had in hand is lost: then the rival sleeps on, and we have to give it another. */
static void await_rival(scene *s)
{
    if (s->act->semaphore == 2 && yunta_semaphore_value(s->semaphore) == 0)
        must(give(s) == 0);
    uint64_t end = test_now_ms() + 10000;
    for (; !atomic_load(&s->rival_ended); test_nap())
        must(test_now_ms() < end); /* else nobody has woken it */
    must(ended_well(s->rival_pid));
}

static void clear_scene(scene *s)
{
    yunta_lock_destroy(s->lock);
    yunta_semaphore_destroy(s->semaphore);
}

static void check(void *context, long point)
{
    scene *s = context;
    (void)point;
    must_be_declared_dead(s, &s->victim);
    atomic_store(&s->over, 1);
    must(!s->act->holder || ended_well(s->holder_pid));
    if (s->act->rival)
        await_rival(s);
    s->act->judge(s);
    clear_scene(s);
}

static void check_stopped(void *context, long point)
{
    scene *s = context;
    must(s->act->rival || s->victim_result == 0);
    must(!s->barger || ended_well(s->barger_pid));
    must(s->barger != RIVAL_LOST);
    check(context, point);
}

/* The last run is the one that comes to its end: nothing is left to judge, but to clear away. */
static void sweep(const act *what, bool stop)
{
    scene *s = step_shared(sizeof *s);
    time_is_up = step_shared(sizeof *time_is_up);
    s->act = what;
    step_plan plan = {.setup = set_scene,
                      .prepare = prepare_victim,
                      .victim = run_victim,
                      .meanwhile = what->meanwhile,
                      .check = stop ? check_stopped : check,
                      .context = s,
                      .memory = s->memory};
    long points = stop ? step_stop_sweep(&plan) : step_kill_sweep(&plan);
    printf("%s, %s at %ld points\n", what->name, stop ? "stopped" : "killed", points);
    ck_assert_int_ge(points, what->run == wait_a_moment ? 0 : 3); /* its time may be over before it sleeps */
    check(s, points);
    step_unshare((void *)time_is_up, sizeof *time_is_up);
    step_unshare(s, sizeof *s);
}

START_TEST(killed_at_every_step)
{
    if (acts[_i].meanwhile != barge_in)
        sweep(&acts[_i], false);
}
END_TEST

START_TEST(stopped_at_every_step)
{
    if (acts[_i].meanwhile)
        sweep(&acts[_i], true);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("lock, killed");
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
