/* Kills a process at each of its system calls in turn: once before the call has done anything, once when it has done it
 * all. Or lets each call of some kinds fail in turn, as where memory or descriptors run out. It follows what the
 * process starts, so that a child, a foreman or a worker may be the one to die.
 *
 *     static void setup(void *context)    …  the same state before every run
 *     static int run(void *context)       …  in a child: what is to be interrupted; 0 if all came out as it may
 *     static void check(void *context, long point) …  when the victim is dead, and all that is left has been let go
 *
 *     syskill_plan plan = {.setup = setup, .run = run, .check = check, .context = &state, .victim = 0};
 *     ck_assert_int_gt(syskill_sweep(&plan), 10);
 *
 * Run n kills the victim at its stop n; the sweep ends with the run in which the victim comes to its end before that.
 * Was the victim not the first process, the first one must come to its end within 10 s with what run returned being 0;
 * was it the first, all that it had started must be gone by then. The context lies in memory that all see. */
#ifndef YUNTA_SYSKILL_H
#define YUNTA_SYSKILL_H

#include <stdbool.h>

typedef struct syskill_fault {
    long call;   /* its number, SYS_… */
    int error;   /* that it gives */
    long second; /* only with this second argument; 0: with any */
} syskill_fault;

typedef struct syskill_plan {
    void (*setup)(void *context);             /* in the test's process; may be NULL */
    void (*prepare)(void *context);           /* in the child, before it is followed; may be NULL */
    int (*run)(void *context);                /* in the child */
    void (*check)(void *context, long point); /* in the test's process; may be NULL */
    void *context;
    int victim; /* 0: the child that runs this; 1: the first that it or a descendant makes; and so on */
    const syskill_fault *faults; /* `fault_count` of them: nobody is killed */
    int fault_count;
} syskill_plan;

/* Not where Valgrind, qemu-user or another tracer is at work. */
bool syskill_is_possible(void);

/* Returns the number of points at which the victim was killed, or a call failed. */
long syskill_sweep(const syskill_plan *plan);

#endif
