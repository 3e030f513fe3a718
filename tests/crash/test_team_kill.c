/* The team's own words, under a kill at each step: who starts the next watch, and who takes a slot for a child.
 * Kills nothing at random: that is test_watch.c and test_start_kill.c. Read next: src/proc/team.c, src/shm/slot.c. */
#include "../proc/helpers.h"

#include "proc/team.h"
#include "stepkill.h"

#include <dirent.h>
#include <sys/stat.h>

static yn_self *self(void)
{
    int error;
    yn_self *me = yn_self_get(&error);
    ck_assert_ptr_nonnull(me);
    return me;
}

/* Joins the team before it is stepped: that would be another story. */
static void join_team(void *context)
{
    (void)context;
    if (!yn_self_get(&(int){0}))
        _exit(1);
}

/* Whether the process is a watch, and of this team: it has the arena's file open. */
static bool is_our_watch(pid_t pid)
{
    char path[300], name[32] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *file = fopen(path, "re");
    bool named = file && fgets(name, sizeof name, file) && strcmp(name, "yunta-watch\n") == 0;
    if (file)
        fclose(file);
    struct stat ours, its;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, yn_team.arena); /* the same number in both */
    return named && fstat(yn_team.arena, &ours) == 0 && stat(path, &its) == 0 && its.st_ino == ours.st_ino &&
           its.st_dev == ours.st_dev;
}

static int count_watches(pid_t *last)
{
    int count = 0;
    DIR *all = opendir("/proc");
    ck_assert_ptr_nonnull(all);
    for (struct dirent *e = readdir(all); e; e = readdir(all)) {
        pid_t pid = atoi(e->d_name);
        if (pid > 0 && test_is_running(pid) && is_our_watch(pid)) {
            count++;
            *last = pid;
        }
    }
    closedir(all);
    return count;
}

static void runs_one(yunta_start_method method)
{
    yunta_process *child;
    start_by(method, &child, return_value, &(int){11});
    end_is(child, 11);
}

/* Each start looks whether the watch lives; it may have been killed a moment ago, and not be dead yet. */
static bool one_watch_after_a_start(void)
{
    pid_t last = 0;
    runs_one(YUNTA_FORK);
    return count_watches(&last) == 1 && atomic_load(&self()->arena->watch_pid) == last;
}

/* So that the victim has one to kill. */
static void one_watch(void *context)
{
    (void)context;
    test_wait_until(one_watch_after_a_start(), 20000);
}

static void kill_watch_and_start_the_next(void *context)
{
    (void)context;
    int error;
    yn_self *me = yn_self_get(&error);
    pid_t watch = atomic_load(&me->arena->watch_pid);
    kill(watch, SIGKILL);
    while (test_is_running(watch)) {
    }
    yn_team_ensure_watch(me);
}

/* Whoever comes next finds the watch, or makes it; and a death is told. */
static void is_watched_over(void *context, long point)
{
    (void)point;
    one_watch(context);
    uint64_t deaths = atomic_load(&self()->arena->deaths);
    yunta_process *child;
    start_by(YUNTA_FORK, &child, sleep_for_ever, NULL);
    ck_assert_int_eq(yunta_process_kill(child), 0);
    join_is(child, YUNTA_ECRASHED);
    /* That one may have been killed already, and be slow to die; nobody sleeps here who would look, but a start does.
     */
    test_wait_until(one_watch_after_a_start() && atomic_load(&self()->arena->deaths) > deaths, 20000);
    yunta_process_destroy(child);
}

START_TEST(who_starts_the_next_watch_may_die)
{
    self();
    step_range memory[STEP_RANGES] = {{self()->arena, offsetof(yn_arena_shared, slots)}};
    step_plan plan = {.setup = one_watch,
                      .prepare = join_team,
                      .victim = kill_watch_and_start_the_next,
                      .check = is_watched_over,
                      .memory = memory};
    ck_assert_int_gt(step_kill_sweep(&plan), 10);
}
END_TEST

static void take_a_slot(void *context)
{
    (void)context;
    int error;
    yn_self *me = yn_self_get(&error);
    yn_slot_take(me->arena, me->arena_fd, me->claim, &error);
}

/* The watch gives back what the dead had taken: as many are in use as before. */
static void no_slot_is_lost(void *context, long point)
{
    const uint32_t *before = context;
    (void)point;
    test_wait_until(atomic_load(&self()->arena->slots.alive) == *before, 20000);
    yn_slot_table_shared *table = &self()->arena->slots;
    for (uint32_t i = 0; i < atomic_load(&table->used); i++)
        test_wait_until(yn_slot_state_of(atomic_load(&yn_slot_at(table, i)->word)) != YN_SLOT_TAKEN, 20000);
}

START_TEST(who_takes_a_slot_may_die)
{
    runs_one(YUNTA_FORK);
    yn_slot_table_shared *table = &self()->arena->slots;
    test_wait_until(atomic_load(&table->alive) == 1, 20000);
    uint32_t *before = step_shared(sizeof *before);
    *before = atomic_load(&table->alive);
    step_range memory[STEP_RANGES] = {{table, sizeof *table}};
    step_plan plan = {
        .prepare = join_team, .victim = take_a_slot, .check = no_slot_is_lost, .context = before, .memory = memory};
    ck_assert_int_gt(step_kill_sweep(&plan), 5);
    step_unshare(before, sizeof *before);
}
END_TEST

static void join_as_a_guest(void *context)
{
    join_team(context);
}

/* A guest that dies before the watch has heard of it is found when the next one ends. */
static void no_guest_is_left(void *context, long point)
{
    const uint32_t *before = context;
    (void)point;
    pid_t next = test_fork();
    if (next == 0) {
        join_team(NULL);
        _exit(0);
    }
    int status;
    while (waitpid(next, &status, 0) < 0) /* the stepper's alarm */
        ck_assert_int_eq(errno, EINTR);
    ck_assert_int_eq(status, 0);
    yn_slot_table_shared *table = &self()->arena->slots;
    for (uint32_t i = 0; i < atomic_load(&table->used); i++) {
        yn_slot_shared *slot = yn_slot_at(table, i);
        if (slot != self()->slot)
            test_wait_until(yn_slot_state_of(atomic_load(&slot->word)) == YN_SLOT_FREE, 20000);
    }
    ck_assert_uint_le(atomic_load(&table->alive), *before + 1); /* who dies before it has taken one may leave that */
    atomic_store(&table->alive, *before);
}

START_TEST(who_joins_as_a_guest_may_die)
{
    runs_one(YUNTA_FORK);
    yn_slot_table_shared *table = &self()->arena->slots;
    test_wait_until(atomic_load(&table->alive) == 1, 20000);
    uint32_t *before = step_shared(sizeof *before);
    *before = atomic_load(&table->alive);
    step_range memory[STEP_RANGES] = {{table, sizeof *table}, {yn_slot_at(table, 0), 4 * sizeof(yn_slot_shared)}};
    step_plan plan = {.victim = join_as_a_guest, .check = no_guest_is_left, .context = before, .memory = memory};
    long points = step_kill_sweep(&plan);
    printf("a guest: killed at %ld points\n", points);
    ck_assert_int_gt(points, 20);
    step_unshare(before, sizeof *before);
}
END_TEST

/* A child that is so late that its slot was taken back, and has another tenant. */
START_TEST(who_comes_late_leaves_the_next_tenant_alone)
{
    yn_self *me = self();
    runs_one(YUNTA_FORK);
    int error;
    yn_slot_table_shared *table = &me->arena->slots;
    test_wait_until(atomic_load(&table->alive) == 1, 20000); /* or the next tenant may find a lower one */
    yn_claim late = yn_slot_take(me->arena, me->arena_fd, me->claim, &error);
    ck_assert(yn_team_bury(me, late));
    yunta_process *next;
    shared_word *word = new_word();
    start_by(YUNTA_FORK, &next, sleep_for_ever, NULL);
    pid_t pid = yunta_process_pid(next);
    yn_claim tenant = yn_claim_make(yn_claim_slot(late), (late >> 24) + 1);
    yn_slot_shared *slot = yn_slot_at(table, yn_claim_slot(late));
    test_wait_until(yn_slot_pid(slot, tenant) == pid, 20000);
    runs_one(YUNTA_FORK); /* with a death the births are heard of */
    test_wait_until(yn_slot_untag(atomic_load(&slot->watch_fd), tenant) != 0, 20000);
    pid_t child = fork();
    if (child == 0) { /* as proc/child.c begins */
        int kept;
        bool announced = yn_team_announce(late, &kept, false) == 0;
        atomic_store(word, announced && !yn_self_become(late) ? 1 : 2);
        for (;;)
            pause();
    }
    ck_assert(await_word(word, 1));
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_int_eq(yn_slot_pid(slot, tenant), pid);
    uint64_t deaths = atomic_load(&me->arena->deaths);
    runs_one(YUNTA_FORK); /* its death is heard of after that of the late one */
    test_wait_until(atomic_load(&me->arena->deaths) > deaths, 20000);
    ck_assert(yn_claim_is_alive(table, tenant));
    yunta_process_kill(next);
    join_is(next, YUNTA_ECRASHED);
    test_wait_until(!yn_claim_is_alive(table, tenant), 20000); /* it is still watched over */
    yunta_process_destroy(next);
    yunta_shared_free(word);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("team_kill");
    TCase *cases = test_case(suite, "team_kill");
    tcase_set_timeout(cases, 100);
    tcase_add_test(cases, who_comes_late_leaves_the_next_tenant_alone);
    if (step_is_possible()) {
        tcase_add_test(cases, who_starts_the_next_watch_may_die);
        tcase_add_test(cases, who_takes_a_slot_may_die);
        tcase_add_test(cases, who_joins_as_a_guest_may_die);
    }
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
