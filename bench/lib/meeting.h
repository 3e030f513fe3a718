/* A task that proves that so many workers are up: each that runs it waits until all have come. */
#ifndef BENCH_MEETING_H
#define BENCH_MEETING_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

enum { BENCH_PARTIES = 4 };

/* Stands in memory that the workers share. */
struct bench_meeting {
    _Atomic uint32_t arrived; /* a futex */
};

/* The task's input. */
struct bench_seat {
    struct bench_meeting *meeting;
};

/* The task: comes to the meeting, waits until BENCH_PARTIES have come, and gives the pid. */
int bench_meet(const struct bench_seat *seat, pid_t *who);

/* Opens the meeting anew, while nobody is in it, and makes the inputs of its tasks. */
void bench_meeting_open(struct bench_meeting *meeting, struct bench_seat seats[BENCH_PARTIES]);

/* Ends the program unless these are as many different processes, none of them this one. */
void bench_meeting_check(const pid_t pids[BENCH_PARTIES]);

#endif
