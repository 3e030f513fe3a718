/* Read–write lock and recursive lock, whose user is killed or stopped at every step that others can tell from the one
 * before: alone, with somebody asleep behind it, woken out of its own sleep, and while it takes over from the dead.
 * It must not count on time-outs: sleeps without a limit have none here, so who is not woken is a failure.
 * Read next: src/sync/README.md, what a death leaves; primitive_scene.h; test_primitives_random.c.
 *
 * labels: ptrace
 * timeout: 300 */
#include <yunta/rwlock.h>

struct things {
    yunta_rwlock *rwlock; /* one of the two */
    yunta_recursive_lock *recursive;
};

#include "primitive_scene.h"

#include "sync/lock.c"
#include "sync/recursive_lock.c"
#include "sync/rwlock.c"

enum mode { READ, WRITE, RECURSIVE };

static void make_things(scene *s)
{
    if (s->act->mode == RECURSIVE) {
        must(yunta_recursive_lock_create(&s->things.recursive) == 0);
        s->memory[2] = (step_range){s->things.recursive, sizeof *s->things.recursive};
        return;
    }
    must(yunta_rwlock_create(&s->things.rwlock) == 0);
    s->memory[2] = (step_range){s->things.rwlock, sizeof *s->things.rwlock};
    s->memory[3] = (step_range){(void *)s->things.rwlock->segment[0], sizeof(_Atomic uint64_t) * SEGMENT_CELLS(0)};
}

static void unmake_things(scene *s)
{
    yunta_rwlock_destroy(s->things.rwlock);
    yunta_recursive_lock_destroy(s->things.recursive);
}

static int take(scene *s, enum mode mode, int milliseconds)
{
    switch (mode) {
    case READ:
        return yunta_rwlock_acquire_read(s->things.rwlock, milliseconds);
    case WRITE:
        return yunta_rwlock_acquire_write(s->things.rwlock, milliseconds);
    default:
        return yunta_recursive_lock_acquire(s->things.recursive, milliseconds);
    }
}

static int give(scene *s)
{
    return s->things.rwlock ? yunta_rwlock_release(s->things.rwlock)
                            : yunta_recursive_lock_release(s->things.recursive);
}

static int mark(scene *s)
{
    return s->things.rwlock ? yunta_rwlock_mark_consistent(s->things.rwlock)
                            : yunta_recursive_lock_mark_consistent(s->things.recursive);
}

static bool has_taken(int r)
{
    return r == 0 || r == -EOWNERDEAD;
}

/* What the others do. */

/* Nobody has it beside the victim, unless both read. */
static int come_behind(scene *s, enum mode mode)
{
    while (!victim_rests(s))
        test_nap();
    int r = take(s, mode, YUNTA_FOREVER);
    should(has_taken(r));
    bool inside = atomic_load(&s->stage) == INSIDE && is_there(&s->victim);
    should(!inside || (mode == READ && s->act->mode == READ && r == 0));
    if (r == -EOWNERDEAD)
        should(mark(s) == 0);
    should(give(s) == 0);
    return r;
}

static int read_behind(scene *s)
{
    return come_behind(s, READ);
}

static int write_behind(scene *s)
{
    return come_behind(s, WRITE);
}

static int read_behind_a_writer(scene *s)
{
    while (!sleeps(&s->other[0]) && !atomic_load(&s->other[0].ended))
        test_nap();
    return read_behind(s);
}

static int recur_behind(scene *s)
{
    return come_behind(s, RECURSIVE);
}

/* It has it before the victim, and lets go when the victim sleeps, and who comes behind that one. */
static int come_before(scene *s, enum mode mode)
{
    int r = take(s, mode, 0);
    should(r == 0);
    atomic_store(&s->go, 1);
    while (!atomic_load(&s->over) &&
           (s->act->patient || !sleeps(&s->victim) || (s->act->other[1] && !sleeps(&s->other[1]))))
        test_nap();
    should(give(s) == 0);
    return r;
}

static int read_before(scene *s)
{
    return come_before(s, READ);
}

static int write_before(scene *s)
{
    return come_before(s, WRITE);
}

static int recur_before(scene *s)
{
    return come_before(s, RECURSIVE);
}

static void await_go(scene *s)
{
    await(&s->go);
}

/* A reader that came too late: the writer was inside, and has died there; and before it goes it stands still. */
static int stand_in_the_way(scene *s)
{
    await(&s->dead.ended);
    should(enter(self(), s->things.rwlock) == 0);
    atomic_store(&s->go, 1);
    await(&s->over);
    should(leave(self(), s->things.rwlock));
    return 0;
}

static int die_reading(scene *s)
{
    return take(s, READ, 0);
}

static int die_writing(scene *s)
{
    return take(s, WRITE, 0);
}

static int die_recursing(scene *s)
{
    should(take(s, RECURSIVE, 0) == 0);
    return take(s, RECURSIVE, 0);
}

static int die_waiting_to_write(scene *s)
{
    return take(s, WRITE, YUNTA_FOREVER);
}

/* What victims do. */

static void take_now(scene *s)
{
    int r = take(s, (enum mode)s->act->mode, 0);
    should(has_taken(r));
    atomic_store(&s->victim.result, r);
    if (s->act->mode == RECURSIVE)
        should(take(s, RECURSIVE, 0) == 0);
    atomic_store(&s->stage, INSIDE);
    await_sleeper(s, &s->other[0]);
}

static void give_back(scene *s)
{
    if (s->act->mode == RECURSIVE)
        should(give(s) == 0);
    atomic_store(&s->stage, LEAVING);
    should(give(s) == 0);
    atomic_store(&s->stage, AFTER);
}

static void take_and_give_within(scene *s, int milliseconds)
{
    int r = take(s, (enum mode)s->act->mode, milliseconds);
    atomic_store(&s->victim.result, r);
    if (!has_taken(r)) {
        should(r == -ETIMEDOUT && milliseconds != YUNTA_FOREVER);
        atomic_store(&s->stage, AFTER);
        return;
    }
    atomic_store(&s->stage, INSIDE);
    if (s->act->mode == RECURSIVE)
        should(take(s, RECURSIVE, 0) == 0);
    if (r == -EOWNERDEAD)
        should(mark(s) == 0);
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

/* Long enough for those behind to fall asleep. */
static void wait_a_moment(scene *s)
{
    take_and_give_within(s, 60);
}

/* After it was told. */
static void mark_and_give(scene *s)
{
    should(mark(s) == 0);
    give_back(s);
}

/* Stopped is not dead: who comes meanwhile takes and gives, or finds it taken. */
static void come_meanwhile(scene *s)
{
    for (enum mode mode = READ; mode <= RECURSIVE; mode++) {
        if ((mode == RECURSIVE) != (s->things.recursive != NULL))
            continue;
        int r = take(s, mode, 0);
        must(r == 0 || r == -ETIMEDOUT);
        must(atomic_load(&s->stage) != INSIDE || (r == 0) == (mode == READ && s->act->mode == READ));
        must(r != 0 || give(s) == 0);
    }
}

/* How it must stand afterwards. */

/* A death is told to one: where the victim had it to itself, its own; where somebody had before, his until the victim
 * has put it right. */
static void must_be_told_rightly(scene *s, int told)
{
    int stage = atomic_load(&s->stage);
    bool in_question = s->act->dead == die_writing || s->act->dead == die_recursing;
    bool alone = s->act->mode != READ || in_question;
    must(told <= 1);
    must(alone || told == 0);
    must(stage != AFTER || told == 0);
    must(stage != INSIDE || told == alone);
    must(stage != BEFORE || !in_question || told == 1);
    if (stage != BEFORE && s->act->dead)
        must(atomic_load(&s->victim.result) == (in_question ? -EOWNERDEAD : 0));
}

static int told_to_others(scene *s)
{
    int told = 0;
    for (int i = 0; i < OTHERS && s->act->other[i]; i++)
        told += atomic_load(&s->other[i].result) == -EOWNERDEAD;
    return told;
}

static void judge_rwlock(scene *s)
{
    yunta_rwlock *lock = s->things.rwlock;
    must_all_be_through(s);
    bool in_question = atomic_load(&lock->inside) != 0;
    int r = take(s, WRITE, WAIT_MS);
    must(r == (in_question ? -EOWNERDEAD : 0));
    must(r == 0 || mark(s) == 0);
    for (uint32_t i = 0; i < SEGMENT_CELLS(0); i++)
        must(atomic_load(&lock->segment[0][i]) == 0);
    must(give(s) == 0);
    must_be_told_rightly(s, told_to_others(s) + in_question);
    must(take(s, READ, 0) == 0 && give(s) == 0);
    must(take(s, WRITE, 0) == 0 && give(s) == 0);
    must(atomic_load(&lock->writer.word) == 0 && atomic_load(&lock->inside) == 0);
}

/* The victim found the dead one's lock, and a reader in the way until its time was over: so it was not told for good,
 * and the next one is. */
static void judge_given_back(scene *s)
{
    yunta_rwlock *lock = s->things.rwlock;
    must_all_be_through(s);
    bool in_question = atomic_load(&lock->inside) != 0;
    int r = take(s, WRITE, WAIT_MS);
    must(r == (in_question ? -EOWNERDEAD : 0));
    must(r == 0 || mark(s) == 0);
    must(give(s) == 0);
    must(told_to_others(s) + in_question == 1);
    must(atomic_load(&s->stage) == BEFORE || atomic_load(&s->victim.result) == -ETIMEDOUT);
    must(take(s, READ, 0) == 0 && give(s) == 0);
    must(atomic_load(&lock->writer.word) == 0 && atomic_load(&lock->inside) == 0);
}

static void judge_recursive(scene *s)
{
    must_all_be_through(s);
    bool in_question = yn_claim_who(atomic_load(&s->things.recursive->lock.word)) != 0;
    int r = take(s, RECURSIVE, WAIT_MS);
    must(r == (in_question ? -EOWNERDEAD : 0));
    must(r == 0 || mark(s) == 0);
    must_be_told_rightly(s, told_to_others(s) + in_question);
    must(take(s, RECURSIVE, 0) == 0 && give(s) == 0 && give(s) == 0);
    must(give(s) == -EPERM);
    must(atomic_load(&s->things.recursive->lock.word) == 0);
}

/* It had been in question, and the victim let it go without a word: all are told that it is broken, once it has. */
static void let_go_unmarked(scene *s)
{
    atomic_store(&s->stage, LEAVING);
    should(give(s) == 0);
    atomic_store(&s->stage, AFTER);
}

static int take_what_may_be_broken(scene *s)
{
    while (!victim_rests(s))
        test_nap();
    int r = take(s, WRITE, YUNTA_FOREVER);
    should(has_taken(r) || r == YUNTA_EBROKEN);
    if (r == -EOWNERDEAD)
        should(mark(s) == 0);
    if (has_taken(r))
        should(give(s) == 0);
    return r;
}

static void judge_broken(scene *s)
{
    must_all_be_through(s);
    int r = atomic_load(&s->other[0].result);
    must(r == YUNTA_EBROKEN || r == -EOWNERDEAD);
    must(atomic_load(&s->stage) != AFTER || r == YUNTA_EBROKEN);
    for (enum mode mode = READ; mode <= WRITE; mode++) {
        int again = take(s, mode, WAIT_MS);
        must(again == (r == YUNTA_EBROKEN ? r : 0));
        must(again != 0 || give(s) == 0);
    }
}

#define RW(title, how, ...)                                                                                            \
    {                                                                                                                  \
        .name = title, .mode = how, .judge = judge_rwlock, __VA_ARGS__                                                 \
    }
#define HELD .before = take_now, .run = give_back
#define AWAITED .ready = await_go, .run = take_and_give
#define GIVEN_BACK(title, how, what, ...)                                                                              \
    {                                                                                                                  \
        .name = title, .mode = how, .dead = die_writing, .before = await_go, .run = what, .judge = judge_given_back,   \
        .other = {                                                                                                     \
            stand_in_the_way,                                                                                          \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

static const act acts[] = {
    RW("read, alone", READ, .meanwhile = come_meanwhile, .run = take_and_give),
    RW("write, alone", WRITE, .meanwhile = come_meanwhile, .run = take_and_give),
    RW("read, tried", READ, .meanwhile = come_meanwhile, .run = try_and_give),
    RW("write, tried", WRITE, .meanwhile = come_meanwhile, .run = try_and_give),
    RW("read, let go with a writer asleep", READ, HELD, .other = {write_behind}),
    RW("read, let go with both asleep", READ, HELD, .other = {write_behind, read_behind_a_writer}),
    RW("write, let go with a writer asleep", WRITE, HELD, .other = {write_behind}),
    RW("write, let go with readers asleep", WRITE, HELD, .other = {read_behind, read_behind}),
    RW("write, let go with both asleep", WRITE, HELD, .other = {write_behind, read_behind}),
    RW("read, awaited, with a writer behind", READ, AWAITED, .other = {write_before, write_behind}),
    RW("write, awaited from a writer, with a reader behind", WRITE, AWAITED, .other = {write_before, read_behind}),
    RW("write, awaited from a reader, with a reader behind", WRITE, AWAITED, .other = {read_before, read_behind}),
    RW("write, awaited from a reader, with a writer behind", WRITE, AWAITED, .other = {read_before, write_behind}),
    RW("write, awaited in vain, with a reader behind", WRITE, .ready = await_go, .run = wait_a_moment, .patient = true,
       .other = {read_before, read_behind}),
    RW("read, after a writer has died", READ, .run = take_and_give, .dead = die_writing),
    RW("write, after a writer has died", WRITE, .run = take_and_give, .dead = die_writing),
    RW("read, after a writer has died, with a writer behind", READ, .run = take_and_give, .dead = die_writing,
       .other = {write_behind}),
    RW("write, after a writer has died, with a reader behind", WRITE, .run = take_and_give, .dead = die_writing,
       .other = {read_behind}),
    RW("write, after a reader has died", WRITE, .run = take_and_give, .dead = die_reading),
    RW("read, after a writer has died that waited", READ, AWAITED, .dead = die_waiting_to_write, .dies_asleep = true,
       .other = {read_before}),
    RW("write, after a writer has died that waited", WRITE, AWAITED, .dead = die_waiting_to_write, .dies_asleep = true,
       .other = {read_before}),
    RW("write, marked and let go with both asleep", WRITE, .before = take_now, .run = mark_and_give,
       .dead = die_writing, .other = {write_behind, read_behind}),
    RW("read, marked and let go with both asleep", READ, .before = take_now, .run = mark_and_give, .dead = die_writing,
       .other = {read_behind, write_behind}),
    GIVEN_BACK("write, given back to the dead", WRITE, try_and_give, write_behind),
    GIVEN_BACK("read, given back to the dead", READ, try_and_give, read_behind),
    GIVEN_BACK("write, given back to the dead, with both asleep", WRITE, wait_a_moment, write_behind, read_behind),
    GIVEN_BACK("read, given back to the dead, with both asleep", READ, wait_a_moment, read_behind, write_behind),
    {.name = "write, let go unmarked with a writer asleep",
     .mode = WRITE,
     .before = take_now,
     .run = let_go_unmarked,
     .dead = die_writing,
     .other = {take_what_may_be_broken},
     .judge = judge_broken},
    {.name = "recursive lock, alone",
     .mode = RECURSIVE,
     .meanwhile = come_meanwhile,
     .run = take_and_give,
     .judge = judge_recursive},
    {.name = "recursive lock, let go with one asleep",
     .mode = RECURSIVE,
     HELD,
     .other = {recur_behind},
     .judge = judge_recursive},
    {.name = "recursive lock, awaited, with one behind",
     .mode = RECURSIVE,
     AWAITED,
     .other = {recur_before, recur_behind},
     .judge = judge_recursive},
    {.name = "recursive lock, after one has died",
     .mode = RECURSIVE,
     .run = take_and_give,
     .dead = die_recursing,
     .judge = judge_recursive},
};

START_TEST(killed_at_every_step)
{
    sweep(&acts[_i], false, acts[_i].run == wait_a_moment ? 0 : 3); /* its time may be over before it sleeps */
}
END_TEST

START_TEST(stopped_at_every_step)
{
    sweep(&acts[_i], true, acts[_i].run == wait_a_moment ? 0 : 3);
}
END_TEST

/* Nobody writes, so it is readers who clear away what dead ones have left. */
START_TEST(dead_readers_make_room_for_the_next)
{
    static const act many = {.name = "many dead readers", .mode = READ};
    scene *s = step_shared(sizeof *s);
    time_is_up = step_shared(sizeof *time_is_up);
    s->act = &many;
    make_things(s);
    for (uint32_t i = 0; i < 3 * SEGMENT_CELLS(0); i++) {
        enter_actor(s, &s->dead, die_reading);
        while (!atomic_load(&s->dead.ended))
            test_nap();
        must(s->dead.result == 0);
        kill(s->dead.pid, SIGKILL);
        status_of(s->dead.pid);
        must(is_soon_declared_dead(atomic_load(&s->dead.who)));
    }
    must(s->things.rwlock->segment[1] == NULL);
    unmake_things(s);
    step_unshare((void *)time_is_up, sizeof *time_is_up);
    step_unshare(s, sizeof *s);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("rwlock, killed");
    TCase *cases = test_case(suite, "step by step");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, dead_readers_make_room_for_the_next);
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
