/* The lanes of a job, stepped through: a worker killed or stopped at every point of taking, stealing and running, and
 * who settles it killed at every point of that. Each task must have one outcome, and at most one may be blamed on a
 * death. It must not start processes of the library: the workers here are numbers. Read next:
 * ../crash/test_pool_kill.c, the same at random with all that belongs to it.
 *
 * timeout: 300 */
#include "helpers.h"
#include "stepkill.h"

#include "pool/pool.h"
#include "shm/heap.h"

#include <sys/mman.h>

enum { workers = 3, most = 16, page = 16384 };

/* Lies in memory that all see. */
typedef struct scene {
    yn_arena_shared *arena; /* a team made by hand: no watch, and nobody in it but us */
    int arena_fd;
    yn_self me, victim;
    yn_pool_shared *pool;
    yn_job_shared *job;
    bool first_settle; /* or else first a rival takes what it can */
    uint32_t number;   /* of the victim */
    int in[most], out[most];
    _Atomic int runs[most];
    step_range memory[STEP_RANGES];
} scene;

static scene *s; /* for the task */

/* Task 4 says an error; all count how often they are begun. */
static int note(const void *in, void *out)
{
    int i = *(const int *)in;
    atomic_fetch_add(&s->runs[i], 1);
    *(int *)out = i + 1;
    return i == 4 ? yunta_fail(-EIO, "task 4") : 0;
}

static yn_self join(void)
{
    int error;
    yn_self me = {.arena = s->arena, .arena_fd = s->arena_fd};
    me.claim = yn_slot_take(s->arena, s->arena_fd, 0, &error);
    ck_assert_msg(me.claim != 0, "no slot: %d", error);
    me.slot = yn_slot_at(&s->arena->slots, yn_claim_slot(me.claim));
    ck_assert(yn_slot_go_live(&s->arena->slots, me.claim));
    return me;
}

/* What the watch does when a process has died. */
static void bury(const yn_self *dead)
{
    ck_assert(yn_slot_declare_dead(&s->arena->slots, dead->claim));
    atomic_fetch_add(&s->arena->deaths, 1);
    yn_slot_free(&s->arena->slots, dead->claim);
}

static scene *make_scene(void)
{
    s = step_shared(sizeof *s);
    ck_assert_int_eq(yn_arena_create(&s->arena, &s->arena_fd, 16 << 20), 0);
    ck_assert_int_eq(yn_heap_create(s->arena, s->arena_fd), 0);
    s->me = join();
    s->pool = step_shared(page);
    s->job = step_shared(page);
    s->first_settle = true;
    s->number = 1;
    s->memory[0] = (step_range){s->pool, sizeof *s->pool + workers * sizeof(yn_worker_shared)};
    s->memory[1] = (step_range){s->job, sizeof *s->job + workers * sizeof(yn_lane_shared)};
    s->memory[2] = (step_range){s->out, sizeof s->out};
    s->memory[3] = (step_range){(const void *)s->runs, sizeof s->runs};
    return s;
}

static void free_scene(void)
{
    munmap(s->arena, s->arena->limit);
    close(s->arena_fd);
    step_unshare(s->pool, page);
    step_unshare(s->job, page);
    step_unshare(s, sizeof *s);
}

/* A closed pool with one job in it, shared out among all; count 0 is a single task. */
static void set_up(uint32_t count, uint32_t chunk)
{
    yn_job_shared *job = s->job;
    memset((void *)s->pool, 0, page);
    memset((void *)job, 0, page);
    for (int i = 0; i < most; i++) {
        s->in[i] = i;
        s->out[i] = -1;
        atomic_store(&s->runs[i], 0);
    }
    *job = (yn_job_shared){.call = note,
                           .name = "note",
                           .in_size = sizeof(int),
                           .out_size = sizeof(int),
                           .count = count,
                           .in = (const char *)s->in,
                           .out = (char *)s->out,
                           .chunk = chunk,
                           .lanes = count ? workers : 0};
    yn_job_share_out(job);
    s->pool->workers = workers;
    atomic_store(&s->pool->state, YN_POOL_CLOSED);
    atomic_store(&s->pool->head, job);
    s->victim = join();
}

static void map_in_ones(void *context)
{
    (void)context;
    set_up(7, 1);
}

static void map_in_threes(void *context)
{
    (void)context;
    set_up(13, 3);
}

static void single_task(void *context)
{
    (void)context;
    set_up(0, 0);
}

static void work(void *context)
{
    (void)context;
    yn_worker_run(&s->victim, s->pool, s->number);
}

static const yunta_failure killed = {.code = YUNTA_ECRASHED, .signal = SIGKILL, .exit_status = -1};

static void work_as(uint32_t number)
{
    yn_worker_run(&s->me, s->pool, number);
}

/* How many failures are of this index; whether all of them are the task's own. */
static int failures_of(uint64_t index, bool *own)
{
    int n = 0;
    for (yn_failed_shared *f = atomic_load(&s->job->failed); f; f = f->next)
        if (f->why.index == index) {
            n++;
            *own = f->why.code == YUNTA_EFAILED;
        }
    return n;
}

static void check_outcomes(long point, int most_blamed)
{
    int blamed = 0, count = s->job->lanes ? (int)s->job->count : 1;
    ck_assert_msg(yn_job_state_of(s->job) == YN_JOB_DONE, "point %ld: the job is not done", point);
    for (int i = 0; i < count; i++) {
        bool own = true;
        int n = failures_of((uint64_t)i, &own), runs = atomic_load(&s->runs[i]);
        ck_assert_msg(runs <= 1, "point %ld: task %d has run %d times", point, i, runs);
        ck_assert_msg(n <= 1, "point %ld: task %d has failed %d times", point, i, n);
        ck_assert_msg(n == 1 || (i != 4 && s->out[i] == i + 1), "point %ld: task %d has no outcome", point, i);
        blamed += n == 1 && !own;
    }
    ck_assert_msg(blamed <= most_blamed, "point %ld: %d tasks are blamed", point, blamed);
    while (s->job->failed) {
        yn_failed_shared *f = atomic_load(&s->job->failed);
        atomic_store(&s->job->failed, f->next);
        yn_heap_free(&s->me, f);
    }
}

/* As the foreman would: once, and again, since it may be that it has died over it; then the next tenants. */
static void finish_for_the_dead(void *context, long point)
{
    (void)context;
    bury(&s->victim);
    if (!s->first_settle)
        work_as(0);
    yn_settle_worker(&s->me, s->pool, s->number, &killed);
    yn_settle_worker(&s->me, s->pool, s->number, &killed);
    work_as(s->number);
    work_as(2);
    check_outcomes(point, 1);
}

static long sweep_kills(void (*setup)(void *), bool first_settle)
{
    s->first_settle = first_settle;
    step_plan plan = {.setup = setup,
                      .victim = work,
                      .check = finish_for_the_dead,
                      .context = s,
                      .memory = s->memory,
                      .steady = true};
    return step_kill_sweep(&plan);
}

START_TEST(a_worker_killed_at_any_point_costs_one_task)
{
    make_scene();
    ck_assert_int_gt(sweep_kills(map_in_ones, true), 50);
    ck_assert_int_gt(sweep_kills(map_in_threes, true), 50);
    ck_assert_int_gt(sweep_kills(single_task, true), 5);
    free_scene();
}
END_TEST

START_TEST(others_may_go_on_before_the_dead_are_settled)
{
    make_scene();
    ck_assert_int_gt(sweep_kills(map_in_ones, false), 50);
    ck_assert_int_gt(sweep_kills(map_in_threes, false), 50);
    free_scene();
}
END_TEST

/* What a stopped worker holds is its own; the rest is everybody's. */
static void rival(void *context, long point)
{
    (void)context;
    (void)point;
    work_as(0);
    work_as(2);
}

static void all_is_done(void *context, long point)
{
    (void)context;
    bury(&s->victim);
    check_outcomes(point, 0);
}

static void sweep_stops(void (*setup)(void *))
{
    step_plan plan = {.setup = setup,
                      .victim = work,
                      .meanwhile = rival,
                      .check = all_is_done,
                      .context = s,
                      .memory = s->memory,
                      .steady = true};
    ck_assert_int_gt(step_stop_sweep(&plan), 5);
}

START_TEST(a_worker_stopped_at_any_point_holds_nobody_up)
{
    make_scene();
    sweep_stops(map_in_ones);
    sweep_stops(map_in_threes);
    sweep_stops(single_task);
    free_scene();
}
END_TEST

/* Worker 2 has died in the second task of a chunk of three. */
static void dead_in_task(void *context)
{
    map_in_threes(context);
    yn_chunk chunk;
    ck_assert(yn_job_take(s->job, 2, 3, &chunk));
    atomic_store(&s->pool->worker[2].job, s->job);
    for (uint32_t i = chunk.at; i < chunk.at + 2; i++) {
        yn_job_begin(s->job, 2, i, chunk.end);
        note(&s->in[i], &s->out[i]);
    }
}

static void settle(void *context)
{
    (void)context;
    yn_settle_worker(&s->victim, s->pool, 2, &killed);
}

static void settle_again(void *context, long point)
{
    (void)context;
    bury(&s->victim);
    yn_settle_worker(&s->me, s->pool, 2, &killed);
    for (uint32_t w = 0; w < workers; w++)
        work_as(w);
    check_outcomes(point, 1);
}

START_TEST(who_settles_may_die_over_it)
{
    make_scene();
    step_plan plan = {.setup = dead_in_task,
                      .victim = settle,
                      .check = settle_again,
                      .context = s,
                      .memory = s->memory,
                      .steady = true};
    ck_assert_int_gt(step_kill_sweep(&plan), 3);
    free_scene();
}
END_TEST

/* Two thieves of one victim, stopped and killed: the second helps the first. */
static void thief_stopped(void *context, long point)
{
    (void)context;
    work_as(2);
    bury(&s->victim);
    yn_settle_worker(&s->me, s->pool, 0, &killed);
    work_as(0);
    work_as(1);
    check_outcomes(point, 1);
}

START_TEST(a_theft_is_completed_by_who_meets_it)
{
    make_scene();
    s->number = 0;
    step_plan plan = {.setup = map_in_threes,
                      .victim = work,
                      .check = thief_stopped,
                      .context = s,
                      .memory = s->memory,
                      .steady = true};
    ck_assert_int_gt(step_kill_sweep(&plan), 50);
    free_scene();
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("job");
    TCase *cases = test_case(suite, "steps");
    tcase_set_timeout(cases, 150);
    if (step_is_possible()) {
        tcase_add_test(cases, a_worker_killed_at_any_point_costs_one_task);
        tcase_add_test(cases, others_may_go_on_before_the_dead_are_settled);
        tcase_add_test(cases, a_worker_stopped_at_any_point_holds_nobody_up);
        tcase_add_test(cases, who_settles_may_die_over_it);
        tcase_add_test(cases, a_theft_is_completed_by_who_meets_it);
    }
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
