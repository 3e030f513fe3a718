/* What the tests have in common that kill somebody at each system call of an act: peers that wait meanwhile, and what
 * must be so when the victim is dead and they have come to their end. Who includes this has defined `things` before,
 * what the acts are about. Next: ../lib/syskill.h. */
#ifndef YUNTA_SYSCALL_SCENE_H
#define YUNTA_SYSCALL_SCENE_H

#include "../proc/helpers.h"

#include "stepkill.h"
#include "syskill.h"

#include <sys/prctl.h>

#include "shm/self.h"

typedef struct act act;

typedef struct scene {
    const act *act;
    yunta_start_method method;
    uint64_t processes; /* in the team, before */
    things of;          /* what the includer's acts are about */
    _Atomic pid_t victim;
    _Atomic yn_claim victim_claim, peer_claim;
    _Atomic int ready, ended; /* of the peers */
    int peers;
    pid_t peer_pids[2];
} scene;

struct act {
    const char *name;
    int (*run)(scene *s);
    void (*set)(scene *s);   /* the scene, before each run; may be NULL, as may the next two */
    void (*judge)(scene *s); /* when the victim is dead */
    void (*enter)(scene *s); /* in the victim, before it is followed */
    int victim;
    bool member; /* it is of the team before it is followed */
    long least;  /* points */
};

static yn_claim claim_of_mine(void)
{
    int error;
    yn_self *me = yn_self_get(&error);
    return me ? me->claim : 0;
}

/* In a wait of the library. */
static bool is_asleep(pid_t pid, yn_claim who)
{
    int error;
    yn_self *me = yn_self_get(&error);
    return pid && who && atomic_load(&yn_slot_at(&me->arena->slots, yn_claim_slot(who))->seat.word) &&
           test_state(pid) == 'S';
}

static void add_peer(scene *s, int (*run)(scene *s))
{
    pid_t pid = test_fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        atomic_store(&s->peer_claim, claim_of_mine());
        int r = run(s);
        atomic_fetch_add(&s->ended, r == 0 ? 1 : 100);
        _exit(0);
    }
    s->peer_pids[s->peers++] = pid;
}

/* For a peer: the victim sleeps, or has nothing more to say. */
static void await_victim(scene *s)
{
    while (!atomic_load(&s->victim) || (test_is_running(atomic_load(&s->victim)) &&
                                        !is_asleep(atomic_load(&s->victim), atomic_load(&s->victim_claim))))
        test_nap();
}

static void peers_end(scene *s)
{
    test_wait_until(atomic_load(&s->ended) >= s->peers, 10000);
    ck_assert_int_eq(atomic_load(&s->ended), s->peers);
}

/* Starting a process. */
static int start_one(scene *s)
{
    yunta_process *child;
    int r = yunta_start(&child, return_value, &(int){7}, &(yunta_process_options){.start_method = s->method});
    if (r != 0)
        return 1;
    r = yunta_process_join(child, 20000);
    yunta_process_destroy(child);
    return r == 7 || r == YUNTA_ECRASHED ? 0 : 2;
}

static void set_scene(void *context)
{
    scene *s = context;
    s->peers = 0;
    atomic_store(&s->victim, 0);
    atomic_store(&s->victim_claim, 0);
    atomic_store(&s->peer_claim, 0);
    atomic_store(&s->ready, 0);
    atomic_store(&s->ended, 0);
    if (s->act->set)
        s->act->set(s);
}

static void prepare(void *context)
{
    scene *s = context;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (s->act->member)
        atomic_store(&s->victim_claim, claim_of_mine());
    if (s->act->enter)
        s->act->enter(s);
    atomic_store(&s->victim, getpid());
}

static int run(void *context)
{
    scene *s = context;
    return s->act->run(s);
}

/* The slot of one that was killed before the watch had heard of it is found when the next one ends. */
static void let_one_come_and_go(void)
{
    pid_t pid = test_fork();
    if (pid == 0)
        _exit(claim_of_mine() ? 0 : 1);
    int status;
    while (waitpid(pid, &status, 0) < 0)
        ck_assert_int_eq(errno, EINTR);
    ck_assert_int_eq(status, 0);
}

static void check(void *context, long point)
{
    scene *s = context;
    (void)point;
    if (s->act->judge)
        s->act->judge(s);
    for (int i = 0; i < s->peers; i++) /* if it was not heard of meanwhile */
        while (waitpid(s->peer_pids[i], NULL, 0) < 0 && errno == EINTR) {
        }
    let_one_come_and_go();
    yunta_arena_stats stats;
    test_wait_until(yunta_arena_read_stats(&stats) == 0 && stats.processes <= s->processes, 10000);
}

static void sweep(const act *what, yunta_start_method method, long least)
{
    scene *s = step_shared(sizeof *s);
    yunta_arena_stats stats;
    s->act = what;
    s->method = method;
    ck_assert_uint_ne(claim_of_mine(), 0);
    ck_assert_int_eq(start_one(s), 0); /* watch and server are there, and not of the family */
    ck_assert_int_eq(yunta_arena_read_stats(&stats), 0);
    s->processes = stats.processes;
    syskill_plan plan = {
        .setup = set_scene, .prepare = prepare, .run = run, .check = check, .context = s, .victim = what->victim};
    long points = syskill_sweep(&plan);
    printf("%s, %s: killed at %ld points\n", what->name, yunta_start_method_name(method), points);
    ck_assert_int_ge(points, least);
    step_unshare(s, sizeof *s);
}

#endif
