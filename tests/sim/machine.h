/* Between the simulator's own files: threads, what they have written and nobody else sees yet, and the world that they
 * share. */
#ifndef YUNTA_SIM_MACHINE_H
#define YUNTA_SIM_MACHINE_H

#include "sim.h"

/* How far each thread had come, as far as somebody knows: counted in what it has released. Beside the threads, who sets
 * up and rescues, and all accesses that are seq_cst, in their order: as who made a fence knows of them, and as who
 * makes the next of them does. */
enum { SIM_FIRST = SIM_THREADS, SIM_ORDERED, SIM_PLACED, SIM_CLOCKS };
typedef struct sim_clock {
    int32_t of[SIM_CLOCKS];
} sim_clock;

typedef struct sim_view {
    sim_clock now;      /* what its thread knows to have happened */
    sim_clock released; /* … when it last released by a fence: what its relaxed stores tell */
    sim_clock heard;    /* what its relaxed loads were told: it knows that after a fence that acquires */
    int number;
} sim_view;

/* What is known of a store when it is made. */
typedef struct sim_note {
    sim_clock told; /* to who acquires it */
    int32_t when;
    uint8_t by;
    bool releases, is_ordered;
} sim_note;

/* A store under way: done, as far as its thread can tell, and not yet seen by the others. */
typedef struct sim_store {
    void *at;
    uint64_t value;
    uint8_t size, note; /* which note of the buffer's */
    bool release;
} sim_store;

enum { SIM_STORES = 8 };

typedef struct sim_buffer {
    int count;
    sim_store store[SIM_STORES];
    unsigned notes; /* a bit for each that is in use */
    sim_note note[SIM_STORES];
} sim_buffer;

typedef enum sim_state {
    SIM_ABSENT, /* a newcomer that has not come, or nobody */
    SIM_READY,
    SIM_ASLEEP,  /* on a futex */
    SIM_AWAITS,  /* a condition outside of the library */
    SIM_STOPPED, /* by a signal */
    SIM_DONE,
    SIM_GONE /* killed */
} sim_state;

typedef struct sim_thread {
    void *sp;
    unsigned char *stack;
    sim_state state, before; /* `before` it was stopped */
    int process, number;
    unsigned priority;
    _Atomic uint32_t *word; /* slept on */
    _Atomic uint32_t *tie;  /* slept on too, or NULL */
    bool looks_again;       /* in a second, if nothing else ends the sleep */
    uint64_t until;         /* UINT64_MAX: for ever */
    int result;             /* of the sleep */
    bool (*condition)(void);
    void (*run)(int number);
    yn_self me;
    sim_buffer buffer;
    sim_view view;
} sim_thread;

typedef struct sim_process_plan {
    long steps;     /* accesses so far */
    long kill_step; /* to be killed at; LONG_MAX: not */
    long stop_step;
    long kill_turn;                     /* to be killed at this turn of the scheduler, whatever it is at */
    bool is_dead, is_buried, is_steady; /* steady: not to be killed or stopped now */
    yn_claim claim;
} sim_process_plan;

typedef struct sim_machine {
    sim_thread thread[SIM_THREADS];
    sim_process_plan process[SIM_PROCESSES + 1];
    int threads; /* in use; the last one is the watch's */
    sim_thread *current;
    void *main_sp;
    uint64_t random, now;
    long turns, steps;
    int deaths, newcomers;
    /* How this schedule goes about it. */
    unsigned quantum, laziness, lateness, weak_cas, spurious, cpus;
    bool by_priority, is_weak, is_late, is_tied; /* tied: sleeps are, to the life of the watch */
    sim_view first;                              /* what who sets up and rescues knows */
    char failure[512];
} sim_machine;

extern sim_machine sim;
extern long sim_left;           /* accesses until the scheduler is asked */
extern sim_buffer *sim_pending; /* of the thread that runs, if stores are delayed; else NULL */
extern sim_view *sim_looks;     /* of the thread that runs, if loads may be late; else NULL */
extern uintptr_t sim_base, sim_size;
extern bool sim_traces;

/* memory.c */
void sim_drain(sim_buffer *buffer);
void sim_drain_some(sim_buffer *buffer);
void sim_touch(const void *at, size_t size);

/* views.c */
void sim_views_begin(void);
void sim_views_forget(const void *at, size_t size);
void sim_view_join(sim_view *view, const sim_view *other);
void sim_view_join_all(sim_view *view);
void sim_view_fence(sim_view *view, int order);
void sim_note_store(sim_view *view, int order, sim_note *note);
void sim_commit(const void *at, size_t size, const sim_note *note);
uint64_t sim_load(const volatile void *at, size_t size, int order, uint64_t newest);
bool sim_compare(const volatile void *at, size_t size, int failed, uint64_t expected, uint64_t *found);
void sim_change(const volatile void *at, size_t size, int order);
void sim_read(const void *from, size_t size);
void sim_write(const void *to, size_t size);
void sim_copy(void *to, const void *from, size_t size);

/* machine.c */
void sim_turn(void); /* the accesses granted are used up */
void sim_let_go(void);
bool sim_play(const sim_scene *scene, uint64_t seed);
void sim_watch_restart(void);

/* kernel.c */
void sim_wake_up(sim_thread *t, int result);
void sim_wake_some(_Atomic uint32_t *word, int sleepers);

/* world.c */
void sim_world_open(const sim_scene *scene);
void sim_world_reset(void);
void sim_world_close(void);
void sim_watch_run(int number);
void sim_watch_is_gone(void); /* what the kernel does then */
bool sim_watch_has_news(void);
bool sim_newcomer_may_come(void);
void sim_newcomer_join(void);
void sim_bury(yn_arena_shared *arena, const yn_claim *dead, int count); /* watch.c */

/* trace.c */
void sim_trace(const char *what, const void *at, uint64_t value, const void *pc);
void sim_trace_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sim_trace_print(void);

#endif
