/* Steps a process through code one instruction at a time, and kills or stops it at every point that the others can tell
 * from the one before: after each change of the memory watched, and after each system call. What it does in private
 * dies with it.
 *
 *     static void setup(void *context)    …  the same state before every run
 *     static void victim(void *context)   …  runs in a child, stepped: what must survive being killed
 *     static void check(void *context, long point) …  the victim is dead and reaped: what must hold
 *
 *     step_plan plan = {.setup = setup, .victim = victim, .check = check, .context = &state, .memory = {{page, size}}};
 *     ck_assert_int_gt(step_kill_sweep(&plan), 20);
 *
 * Run n stops the victim at point n, so the victim need not do exactly the same in every run; the sweep ends with the
 * run in which it comes to its end (or blocks) before its point. The functions run in the process of the test and fail
 * it by ck_assert as usual, all but `prepare` and `victim`. The context must lie in memory that the child shares
 * (step_shared), if they are to tell each other anything.
 *
 * x86-64 only so far (aarch64 cannot step through load-exclusive pairs), and not under Valgrind, qemu-user or another
 * tracer: ask step_is_possible, and do not add the test otherwise. */
#ifndef YUNTA_STEPKILL_H
#define YUNTA_STEPKILL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define STEP_RANGES 8

typedef struct step_range {
    const void *start;
    size_t size;
} step_range;

typedef struct step_plan {
    void (*setup)(void *context);                 /* in the test's process, before each run; may be NULL */
    void (*prepare)(void *context);               /* in the child, not stepped: joins the team, say; may be NULL */
    void (*victim)(void *context);                /* in the child, stepped */
    void (*meanwhile)(void *context, long point); /* step_stop_sweep: while the victim stands still */
    void (*check)(void *context, long point);     /* when it is dead (kill), or has come to its end (stop) */
    void *context;
    const step_range *memory; /* STEP_RANGES of them, looked at after setup; unused ones have size 0 */
    long first, every;        /* only points first, first + every …; 0 means from 1 on, and each */
    bool steady;              /* the victim does the same in every run: see below */
} step_plan;

/* A steady victim is stepped in one run alone, which finds the points and calls no check; to each point another run is
 * then led by breakpoints, which is many times faster. */

bool step_is_possible(void);

/* Memory shared with children, zeroed; freed by step_unshare. Fails the test if there is none. */
void *step_shared(size_t size);
void step_unshare(void *memory, size_t size);

/* Kills the victim at each point in turn. Returns the number of points. */
long step_kill_sweep(const step_plan *plan);

/* Stops it at each point, calls `meanwhile`, then lets it go on to its end, which it must reach within 10 s. Returns
 * the number of points. */
long step_stop_sweep(const step_plan *plan);

#endif
