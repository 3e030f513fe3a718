/* Who waits for whom, as it stood at one moment.
 *
 * yn_waits_read looks at every seat of the team, then at who holds what is waited for, then at every seat again: who is
 * still in the same sleep has done nothing in between. So what is found among those did hold at one moment, namely
 * between the two looks at the seats, and no look at a word has to be repeated. README.md says what follows. */
#ifndef YN_WAITS_H
#define YN_WAITS_H

#include "sync/lock.h"
#include "sync/thread.h"

/* Who has something, or a part of it. */
typedef struct yn_holder {
    yn_claim process;
    uint64_t thread; /* the system's number for it; 0: not known … */
    uint64_t self;   /* … but perhaps this, as in the seat; both 0: any of its threads may let go */
} yn_holder;

/* One who sleeps, and for what. */
typedef struct yn_waiter {
    yn_seat_shared *seat;
    uint32_t turn;
    yn_claim process;
    uint32_t thread;
    uint64_t self;
    const void *object;
    yn_waits kind;
    bool is_limited;
    bool is_open;  /* somebody not known, or dead, or nobody is to let go: then it says nothing */
    bool is_any;   /* one of the holders is enough; else it needs them all */
    bool is_stuck; /* nobody who could end it does anything */
    bool is_in;    /* … and it is in a circle, or between two */
    bool is_wanted, is_told;
    size_t first_holder, holders;
} yn_waiter;

/* A process some thread of which waits. */
typedef struct yn_waiting_process {
    yn_claim process;
    int32_t pid;
    uint64_t joined_ns;
    size_t first, waiters;
    uint64_t threads; /* that it has: 0 if it has ended, UINT64_MAX if that cannot be told */
} yn_waiting_process;

typedef struct yn_waits_seen {
    yn_waiter *waiter; /* by process */
    yn_holder *holder;
    yn_waiting_process *process; /* by slot */
    size_t waiters, holders, processes;
    size_t waiter_room, holder_room, process_room;
} yn_waits_seen;

/* 0 or -ENOMEM. To be freed in any case, and to be all zero before. */
int yn_waits_read(yn_self *me, yn_waits_seen *seen);
void yn_waits_free(yn_waits_seen *seen);

/* Sets is_stuck and is_in. How many are in a circle. */
size_t yn_waits_judge(yn_waits_seen *seen);

/* NULL if none of its threads waits. */
yn_waiting_process *yn_waits_process(const yn_waits_seen *seen, yn_claim process);

/* The waiters that a holder may be: from *first on, so many. The others of its process, if it is one of them for sure,
 * are not among these. */
size_t yn_waits_of_holder(const yn_waits_seen *seen, const yn_holder *holder, size_t *first);

/* Of each kind: who has it, for the last waiter seen. What stands there may be anything if the waiter has gone
 * meanwhile, so no pointer is followed before yn_waits_can_read has said that it leads into the arena. */
typedef int yn_waits_reader(yn_self *me, const void *object, yn_waits_seen *seen);
yn_waits_reader yn_lock_read_holder, yn_recursive_lock_read_holder, yn_rwlock_read_writer, yn_rwlock_read_readers,
    yn_semaphore_read_holders, yn_once_read_holder;

bool yn_waits_can_read(yn_self *me, const void *address, size_t size);

/* 0 or -ENOMEM. A process that is dead, or 0, makes the waiter open. */
int yn_waits_add_holder(yn_self *me, yn_waits_seen *seen, yn_holder holder);

static inline yn_waiter *yn_waits_last(yn_waits_seen *seen)
{
    return &seen->waiter[seen->waiters - 1];
}

#endif
