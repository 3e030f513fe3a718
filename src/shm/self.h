/* Self: the calling thread as a member of its team. Everything below the public functions gets it as an argument and
 * never asks for it, so that the same code runs for processes, for threads, and for several "processes" in one
 * simulated one. */
#ifndef YN_SELF_H
#define YN_SELF_H

#include "shm/arena.h"

typedef struct yn_self {
    yn_claim claim; /* of this process; no flags */
    yn_arena_shared *arena;
    yn_slot_shared *slot;
    yn_seat_shared *seat;             /* of this thread; NULL until it first sleeps (sync/wait.c) */
    uint64_t deaths;                  /* counted when it was last about to sleep (sync/wait.c) */
    uint64_t looked_ns;               /* when it last looked whether the watch lives, or first slept (sync/wait.c) */
    uint32_t mourned;                 /* the last watch found dead by its tie (sync/wait.c) */
    bool looks;                       /* … it is at it */
    uint64_t waits;                   /* for what it is about to sleep (sync/wait.h) */
    uint32_t naps;                    /* how often in a row it has slept in vain (sync/wait.c) */
    struct yn_heap_lane_shared *lane; /* of this thread; NULL until it first allocates a small block (heap_lane.c) */
    yn_claim lane_claim;              /* the claim if there is a lane, else YN_NO_LANE: one look tells both */
    int arena_fd;
} yn_self;

#define YN_NO_LANE ((yn_claim)1) /* no claim: those have no flags */

/* What this process knows of its team. The page is wiped in every child, however it was made: there, claim 0 says that
 * the process has no slot of its own yet. The rest (descriptors, the mapping) a forked child inherits and goes on
 * using. */
typedef struct yn_private {
    _Atomic yn_claim claim;
    _Atomic yn_claim brief; /* the same; 0 while locks note which thread has them: then it takes the long way */
    _Atomic uint32_t lock;  /* of attaching; wiped with the rest, so that no child inherits it held */
    _Atomic uint32_t children_lock;
    void *_Atomic children;   /* what this process started (proc/children.c) */
    void *_Atomic exit_hooks; /* proc/exit.c */
    _Atomic uint32_t exit_armed;
    void *_Atomic record;              /* its own yunta_process, once asked for */
    _Atomic uint32_t watch_generation; /* the watch that watch_seen belongs to */
    _Atomic int32_t watch_seen;        /* descriptor by which this process sees the watch live, + 1 */
    _Atomic uint32_t watch_lock;       /* of writing these two, and what follows */
    _Atomic int32_t watch_bell;        /* an epoll's descriptor, + 1, with watch_seen in it as long as that lives */
    _Atomic uint32_t watch_mute;       /* the last watch of which it says nothing any more */
    _Atomic uint32_t starts_watch;     /* one of our threads is at it */
    _Atomic uint32_t listen_lock;      /* of making a descriptor for an object (comm/descriptor.c) */
} yn_private;

extern __attribute__((visibility("hidden"))) yn_private *yn_private_page;
extern __attribute__((visibility("hidden"), tls_model("initial-exec"))) _Thread_local yn_self yn_self_tls;

/* Descriptors of the team, the same in every process that was forked, passed on to those that are exec'ed. */
typedef union yn_team_fds {
    struct {
        int arena;
        int epoll;     /* what the watch waits on: a process adds itself */
        int news[2];   /* to the watch: [0] sends, [1] receives; all keep both, so that any can start the next watch */
        int server[2]; /* to the forkserver, likewise */
    };
    int all[6];
} yn_team_fds;

extern yn_team_fds yn_team;

/* What attaching needs from further right. It is defined there, in proc/team.c: so a program that links this statically
 * links that as well. */
typedef struct yn_self_upcalls {
    int (*announce)(yn_self *me); /* a forked process that attaches tells the watch of itself; 0 or an error */
} yn_self_upcalls;
extern yn_self_upcalls yn_self_up;

/* The claim of this process alone, for what needs nothing else; 0 where yn_self_get would have to attach first. */
static inline yn_claim yn_self_claim(void)
{
    return atomic_load_explicit(&yn_private_page->claim, memory_order_relaxed);
}

/* The same for what need not note which thread does it. */
static inline yn_claim yn_self_brief(void)
{
    return atomic_load_explicit(&yn_private_page->brief, memory_order_relaxed);
}

/* From now on locks note their thread, in this process and in those that begin later. */
void yn_self_note_holders(yn_self *me);

/* The slow half of yn_self_get: makes the team, or joins it. */
yn_self *yn_self_attach(int *error);

/* Me; NULL, with *error, if there can be no team (-ENOMEM …). */
static inline yn_self *yn_self_get(int *error)
{
    yn_self *me = &yn_self_tls;
    if (YN_LIKELY(me->claim != 0 && me->claim == yn_self_claim()))
        return me;
    return yn_self_attach(error);
}

/* This process begins as `claim`, a slot taken for it: called in a fresh child. NULL if it comes too late: the slot was
 * taken back, and has another tenant. */
yn_self *yn_self_become(yn_claim claim);

/* Maps the arena handed over by descriptors: called in a process that was exec'ed. */
int yn_self_adopt_team(const yn_team_fds *fds);

/* Whether a team stands already in this process. */
bool yn_self_has_team(void);

/* Its arena, for a thread that has not attached; NULL if there is none. */
yn_arena_shared *yn_self_arena(void);

/* The address-space limit of an arena still to be made; -EBUSY afterwards. */
int yn_self_set_limit(uint64_t bytes);

/* This thread has got a seat or a lane, which it is to give back when it ends. */
void yn_self_note_thread(yn_self *me);

/* Sleeping seats of this thread (sync/wait.c): finds or makes one. NULL if memory runs out. */
yn_seat_shared *yn_seat_get(yn_self *me);

#endif
