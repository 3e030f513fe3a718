/* Who waits for whom: for debugging, and for those who learn. Nothing has to be switched on, and locks cost no more.
 *
 * A deadlock is a circle: each waits for what another one in it has. It is found across processes and threads, among
 * waits for a lock (also to get it back after a condition), a recursive lock, a read–write lock, a unit of a semaphore
 * (one whose units have owners, and are all taken), a once, and the end of a process. Who waits for a notification, an
 * event, a barrier, a latch, a queue or a pipe can be let go by anybody, so that is never said to be a deadlock.
 *
 * What is told did hold, all of it at one moment, while the call looked: who has moved meanwhile, or is dead, is left
 * out. A stopped process (SIGSTOP) is alive. The other way round, one may be overlooked that has just woken to look
 * around, as each sleeper does at every death, and under YUNTA_DEADLOCK once a second: look again.
 *
 * A lock belongs to a process, and any of its threads may let it go. So a process with more than one thread is stuck
 * only if all of them are; unless it is known which thread has the lock (yunta_deadlock_trace). That is always known of
 * a recursive lock and a once. It is taken that semaphores' units are given back by who has them, and locks by the
 * thread that took them, where that is known.
 *
 * YUNTA_DEADLOCK=SECONDS in the environment of the team's first process: as yunta_deadlock_trace from the beginning,
 * and who has waited for about so long looks for a deadlock that it is in, each second, and has it printed to standard
 * error, once. */
#ifndef YUNTA_DEADLOCK_H
#define YUNTA_DEADLOCK_H

#include <stddef.h>
#include <yunta/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is waited for. */
typedef enum yunta_deadlock_kind {
    YUNTA_DEADLOCK_LOCK = 1,
    YUNTA_DEADLOCK_RECURSIVE_LOCK = 2,
    YUNTA_DEADLOCK_READ = 3,  /* a read–write lock, for reading */
    YUNTA_DEADLOCK_WRITE = 4, /* … for writing */
    YUNTA_DEADLOCK_SEMAPHORE = 5,
    YUNTA_DEADLOCK_ONCE = 6,
    YUNTA_DEADLOCK_PROCESS = 7 /* its end: yunta_process_join */
} yunta_deadlock_kind;

/* One waits for one. A waiter has several edges if what it waits for has several holders: as many readers, or units. */
typedef struct yunta_deadlock_edge {
    pid_t waiter_pid;
    pid_t waiter_thread;                  /* the system's number for it (gettid) */
    char waiter_name[YUNTA_FAILURE_NAME]; /* of its process; "" if it has none */
    yunta_deadlock_kind kind;
    bool is_limited;    /* it waits with a time limit, so will give up by itself */
    const void *object; /* the yunta_lock, yunta_semaphore, yunta_process … waited for */
    pid_t holder_pid;
    pid_t holder_thread; /* 0: not known, any of the process */
    char holder_name[YUNTA_FAILURE_NAME];
    uint64_t reserved[4];
} yunta_deadlock_edge;

/* Looks for deadlocks. Fills in up to `room` edges, those of each circle behind one another, and returns how many there
 * are, which may be more; 0: none. Who only waits behind a circle is not told. Circles that touch are one. -EINVAL:
 * `edges` is NULL while room > 0; -ENOMEM. */
YUNTA_API int yunta_deadlock_find(yunta_deadlock_edge *edges, size_t room);

/* The same for all who wait for something that is held, be it in a circle or not: who waits for whom. This is as it was
 * seen, one after the other, and may have moved on. */
YUNTA_API int yunta_deadlock_read_waits(yunta_deadlock_edge *edges, size_t room);

/* As yunta_deadlock_find, but writes lines for people to the descriptor, nothing if there is none. Returns how many
 * waits it has told. -EBADF …: what write said. */
YUNTA_API int yunta_deadlock_print(int descriptor);

/* From now on locks (yunta_lock) note which of its threads has them, in this process and in all of the team that begin
 * later; they then cost some nanoseconds more. For good. 0; -ENOMEM: there can be no team. */
YUNTA_API int yunta_deadlock_trace(void);

#ifdef __cplusplus
}
#endif

#endif
