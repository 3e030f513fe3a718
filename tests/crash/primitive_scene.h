/* Who takes part in the tests that kill and stop users of the further primitives step by step: the victim, up to three
 * others, and one who is dead before they begin. Each of them stays when it is through, until all are: the end of one
 * would wake the rest. */
#ifndef YUNTA_PRIMITIVE_SCENE_H
#define YUNTA_PRIMITIVE_SCENE_H

#include "actors.h"

#define yn_spin_ns() UINT64_C(0) /* many steps, and none that others can tell from the one before */

enum { OTHERS = 3, WAIT_MS = 10000 };

typedef struct actor {
    _Atomic pid_t pid;
    _Atomic yn_claim who;
    _Atomic int result, ended; /* what it was told; it is through */
} actor;

typedef struct act {
    const char *name;
    int mode;                      /* of the victim: what the file makes of it */
    int (*other[OTHERS])(scene *); /* what they do; the result is what they were told */
    int (*dead)(scene *);          /* what somebody did who then died */
    bool dies_asleep;              /* … and it slept when it was killed */
    void (*ready)(scene *);        /* by us: until the others are as far as they shall be */
    void (*before)(scene *);       /* by the victim, not stepped */
    void (*run)(scene *);          /* by the victim */
    void (*meanwhile)(scene *);    /* by us, while the victim stands still; may be NULL */
    bool patient;                  /* the others must be through before `over` */
    void (*judge)(scene *);        /* when the victim is dead, or has come to its end */
} act;

struct scene {
    const act *act;
    bool stop;            /* the victim is stopped, not killed */
    struct things things; /* the primitives, and what they guard */
    actor victim, dead, other[OTHERS];
    _Atomic int stage; /* of the victim */
    _Atomic int go;    /* the others may come */
    _Atomic int over;  /* who holds something lets it go, whatever the victim does */
    _Atomic int leave; /* all may end */
    _Atomic int lost;  /* stopped and gone on, the victim has seen that somebody is not through */
    _Atomic int wrong; /* a line */
    step_range memory[STEP_RANGES];
};

#define must(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            ck_abort_msg("%s, %s:%d: %s", s->act->name, __FILE__, __LINE__, #condition);                               \
    } while (0)

/* In an actor: notes the line. */
#define should(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            atomic_store(&s->wrong, __LINE__);                                                                         \
    } while (0)

static void make_things(scene *s); /* and the memory in which a change is a point, from memory[2] on */
static void unmake_things(scene *s);

static bool sleeps(actor *a)
{
    return is_asleep(atomic_load(&a->pid), atomic_load(&a->who));
}

static bool is_there(actor *a)
{
    yn_claim who = atomic_load(&a->who);
    return who == 0 || yn_claim_is_alive(&self()->arena->slots, who);
}

/* The victim is in what it was to do, and will not come further without others; or it will come no further at all. */
static bool victim_rests(scene *s)
{
    return atomic_load(&s->over) || atomic_load(&s->stage) >= INSIDE || !is_there(&s->victim) || sleeps(&s->victim);
}

static actor *acting; /* of which actor this process plays the part */
static int (*part)(scene *);

static void play(scene *s)
{
    atomic_store(&acting->pid, getpid());
    atomic_store(&acting->result, part(s));
    atomic_store(&acting->ended, 1);
    await(&s->leave);
}

static void enter_actor(scene *s, actor *a, int (*run)(scene *))
{
    acting = a;
    part = run;
    atomic_store(&a->ended, 0);
    atomic_store(&a->result, 1);
    pid_t pid = fork_member(s, &a->who, play);
    atomic_store(&a->pid, pid);
}

static void leave_a_dead_one(scene *s)
{
    enter_actor(s, &s->dead, s->act->dead);
    uint64_t end = test_now_ms() + WAIT_MS;
    while (s->act->dies_asleep ? !sleeps(&s->dead) : !atomic_load(&s->dead.ended)) {
        must(test_now_ms() < end);
        test_nap();
    }
    kill(s->dead.pid, SIGKILL);
    status_of(s->dead.pid);
    must(is_soon_declared_dead(atomic_load(&s->dead.who)));
}

static void await_sleeper(scene *s, actor *a)
{
    uint64_t end = test_now_ms() + WAIT_MS;
    while (!sleeps(a)) {
        should(test_now_ms() < end);
        if (test_now_ms() >= end)
            return;
        test_nap();
    }
}

static void set_scene(void *context)
{
    scene *s = context;
    memset(&s->things, 0, sizeof s->things);
    memset(&s->victim, 0, sizeof(actor) * (2 + OTHERS));
    s->stage = s->go = s->over = s->leave = s->lost = s->wrong = 0;
    s->victim.result = 1;
    atomic_store(time_is_up, 0);
    memset(s->memory, 0, sizeof s->memory);
    make_things(s);
    for (int i = 0; i < OTHERS && s->act->other[i]; i++)
        enter_actor(s, &s->other[i], s->act->other[i]);
    if (s->act->ready)
        s->act->ready(s);
    if (s->act->dead)
        leave_a_dead_one(s);
    yn_slot_table_shared *slots = &self()->arena->slots;
    s->memory[0] = (step_range){slots->first, sizeof slots->first};
    s->memory[1] = (step_range){&s->stage, sizeof s->stage};
}

static void prepare_victim(void *context)
{
    scene *s = context;
    atomic_store(&s->victim.pid, getpid());
    atomic_store(&s->victim.who, self()->claim);
    if (s->act->before)
        s->act->before(s);
}

static bool all_are_through(scene *s)
{
    bool all = true;
    for (int i = 0; i < OTHERS; i++)
        all = all && (!s->act->other[i] || atomic_load(&s->other[i].ended));
    return all;
}

/* The end of the victim wakes everybody, so it must not come before they are through by themselves. Without a system
 * call, each of which would be a point. */
static void see_all_through(scene *s)
{
    uint64_t end = test_now_ms() + WAIT_MS / 2;
    while (s->act->patient && !atomic_load(&s->other[1].ended) && test_now_ms() < end)
        yn_pause();
    atomic_store(&s->over, 1);
    while (!all_are_through(s) && test_now_ms() < end)
        yn_pause();
    atomic_store(&s->lost, !all_are_through(s));
}

static void run_victim(void *context)
{
    scene *s = context;
    s->act->run(s);
    if (s->stop)
        see_all_through(s);
}

static void must_be_through(scene *s, int i)
{
    uint64_t end = test_now_ms() + WAIT_MS;
    while (s->act->other[i] && !atomic_load(&s->other[i].ended)) {
        if (test_now_ms() >= end)
            ck_abort_msg("%s: other %d is not through (asleep: %d), the victim's stage is %d", s->act->name, i,
                         sleeps(&s->other[i]), atomic_load(&s->stage));
        test_nap();
    }
}

static void must_all_be_through(scene *s)
{
    for (int i = 0; i < OTHERS; i++)
        must_be_through(s, i);
}

static void check(void *context, long point)
{
    scene *s = context;
    (void)point;
    must(is_soon_declared_dead(atomic_load(&s->victim.who)));
    if (s->act->patient)
        must_be_through(s, 1);
    atomic_store(&s->over, 1);
    s->act->judge(s);
    must_all_be_through(s);
    atomic_store(&s->leave, 1);
    for (int i = 0; i < OTHERS && s->act->other[i]; i++)
        must(ended_well(s->other[i].pid));
    if (atomic_load(&s->wrong))
        ck_abort_msg("%s: line %d", s->act->name, atomic_load(&s->wrong));
    unmake_things(s);
}

static void check_stopped(void *context, long point)
{
    scene *s = context;
    must(!atomic_load(&s->lost));
    must(atomic_load(&s->stage) == AFTER);
    check(context, point);
}

static void meanwhile(void *context, long point)
{
    scene *s = context;
    (void)point;
    if (s->act->meanwhile)
        s->act->meanwhile(s);
}

/* The last run is the one that comes to its end: nothing is left to do but to judge it, too. */
static void sweep(const act *what, bool stop, long least)
{
    scene *s = step_shared(sizeof *s);
    time_is_up = step_shared(sizeof *time_is_up);
    s->act = what;
    s->stop = stop;
    step_plan plan = {.setup = set_scene,
                      .prepare = prepare_victim,
                      .victim = run_victim,
                      .meanwhile = meanwhile,
                      .check = stop ? check_stopped : check,
                      .context = s,
                      .memory = s->memory,
                      .steady = !what->other[0]}; /* alone, it does the same in every run */
    long points = stop ? step_stop_sweep(&plan) : step_kill_sweep(&plan);
    printf("%s, %s at %ld points\n", what->name, stop ? "stopped" : "killed", points);
    ck_assert_int_ge(points, least);
    check(s, points);
    step_unshare((void *)time_is_up, sizeof *time_is_up);
    step_unshare(s, sizeof *s);
}

#endif
