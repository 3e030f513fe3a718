/* The simulator, as scenes see it: several "processes" of a team in one address space, of which one runs at a time, and
 * any may be stopped or killed at any access to shared memory. README.md says how it works, and how to add a scene.
 *
 * A scene is not instrumented: what it does between two calls of the library is one step, and its own variables are a
 * private book on what has happened, which no simulated process can see. */
#ifndef YUNTA_SIM_H
#define YUNTA_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <yunta/yunta.h>

#include "shm/heap.h"
#include "sync/wait.h"

enum {
    SIM_PROCESSES = 8, /* processes 1 … are the scene's; 0 is who sets up and checks, and never dies */
    SIM_WATCH = SIM_PROCESSES,
    SIM_THREADS = 10
};

typedef struct sim_scene {
    const char *name;
    void (*setup)(void);    /* once: makes what is shared. As process 0, undisturbed */
    void (*begin)(void);    /* before each schedule: draws what differs from one to the next, clears the book */
    void (*body)(int who);  /* what thread number `who`, from 0 on, does */
    bool (*rescue)(void);   /* nobody can go on: whether the scene has done something about it, rightly; may be NULL */
    void (*check)(void);    /* at the end of each schedule, as process 0, undisturbed */
    int processes, threads; /* how many, and how many threads each has */
    int newcomers;  /* so many more processes, each of one thread, start after deaths, in the slots of the dead */
    int deaths;     /* so many of them die at most in one schedule */
    unsigned share; /* of all schedules, in 1/1000 */
} sim_scene;

extern const sim_scene *const sim_scenes[]; /* ends with NULL */

/* Of the thread that runs, or of process 0. */
int sim_process(void);
yn_self *sim_me(void);
yn_self *sim_self_of(int who); /* of the thread `who` … */
int sim_process_of(int who);   /* … 0 if there is none, but for newcomers */
extern bool sim_notes_threads; /* in this schedule locks note which thread has them */

/* Here the thread may be preempted, stopped or killed: for the bodies' own critical moments. */
void sim_point(void);
void sim_points(unsigned most);

/* Where threads learn of each other by the scene's book, as a program's would by any way of telling: who calls this
 * knows from now on of all that was done by whoever has called it before. Without it, only what the library tells is
 * known. */
void sim_meet(void);

/* Something of the program's in shared memory, that is read and written as any variable is. Fails if that is not
 * ordered with what others have done to it. */
typedef struct sim_datum {
    int32_t written, read[SIM_THREADS + 3]; /* when, as memory.c counts; 0: never */
    int writer;
} sim_datum;
void sim_datum_read(sim_datum *datum);
void sim_datum_write(sim_datum *datum);

/* The process of the thread that runs is killed here. */
void sim_die(void) __attribute__((noreturn));

uint64_t sim_random(void);
static inline unsigned sim_below(unsigned n)
{
    return (unsigned)(sim_random() % n);
}
static inline bool sim_one_in(unsigned n)
{
    return sim_random() % n == 0;
}

bool sim_is_dead(int process);      /* killed, whether that has been declared or not */
bool sim_was_declared(int process); /* and its slot is free again */
int sim_deaths(void);               /* so far */
bool sim_thread_is_asleep(int who);
bool sim_thread_is_over(int who); /* done, dead, or a newcomer that has not come */

/* The thread waits, outside of the library, until this is so; it must come about by deaths or by other threads. */
void sim_await(bool (*condition)(void));

/* Bytes written by a scene into shared memory: the world has to know, to put it back. */
void sim_fill(void *to, int byte, size_t size);

/* How many blocks the library has allocated for itself. */
uint64_t sim_blocks(void);

/* Something is wrong: ends the schedule. */
void sim_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4), noreturn));
#define sim_check(condition)                                                                                           \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            sim_fail(__FILE__, __LINE__, "%s does not hold", #condition);                                              \
    } while (0)

#endif
