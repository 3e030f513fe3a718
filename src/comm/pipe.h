/* Inside a pipe: two ends, who holds each, and a way in each direction. README.md has the invariants.
 *
 * A way is a tape of bytes. Who sends has the lock `sending`, writes behind the tail, and then moves the tail: that one
 * store is the message's coming. Who receives has the lock `receiving`, copies, and then moves the head: that store is
 * its going. So whoever dies with a lock leaves nothing half done, and the next one goes on as if nothing had been. */
#ifndef YN_PIPE_H
#define YN_PIPE_H

#include "sync/lock.h"

#include <yunta/pipe.h>

/* One process's hold on an end: 0, its claim, or its claim with CLOSED: then it never holds it again. A cell of the
 * dead is anybody's. */
#define YN_HOLD_CLOSED UINT64_C(1)
typedef struct yn_hold_shared {
    _Atomic uint64_t who;
    _Atomic uint64_t door;     /* of its mailbox for descriptors; 0: it has not asked for any */
    struct yunta_lock at_door; /* among its threads; over the two below, its own descriptors + 1 */
    _Atomic int32_t mailbox;
    _Atomic int32_t visitor;
} yn_hold_shared;

#define YN_HOLDS_FIRST 4
#define YN_HOLDS_NEXT 16
typedef struct yn_holds_shared {
    _Atomic(struct yn_holds_shared *) next;
    yn_hold_shared *hold; /* so many */
    uint32_t count;
} yn_holds_shared;

typedef struct yn_way_shared {
    uint64_t length; /* of the tape, a power of two */
    unsigned char *tape;
    uint64_t secret; /* of descriptors that go this way */

    YN_ALIGNED(128) struct yunta_lock sending;
    uint64_t seen_head;            /* by who has the lock: a head that has been */
    _Atomic uint64_t behind_block; /* by who has the lock: the end of the last record that is a block; beyond the tail
                                      if its sender died before it moved that */
    _Atomic uint64_t tail;

    YN_ALIGNED(128) struct yunta_lock receiving;
    _Atomic uint64_t head;

    YN_ALIGNED(128) yn_event_shared filled; /* for receivers: something sent, or nobody is left to send */
    yn_patience_shared filled_patience;
    _Atomic uint32_t described;           /* some process has asked for a descriptor of what comes in */
    YN_ALIGNED(128) yn_event_shared room; /* for senders: room, somebody who asks for descriptors, or nobody is left */
    yn_patience_shared room_patience;
} YN_ALIGNED(128) yn_way_shared;

struct yunta_pipe {
    struct yn_pipe_shared *pipe;
    uint32_t side;
    _Atomic uint32_t gone;   /* 1: nobody holds it, nor ever will */
    _Atomic uint64_t looked; /* up to which count of deaths somebody was seen to hold it */
    struct yunta_lock lock;  /* of changes to the holds, of which each is one store */
    yn_holds_shared holds;
    yn_hold_shared first[YN_HOLDS_FIRST]; /* those of `holds` */
};

typedef struct yn_pipe_shared {
    bool one_way, stream;
    yunta_pipe end[2];
    yn_way_shared way[2]; /* way[i] leads away from end[i] */
} yn_pipe_shared;

/* Before the bytes of a message, in the tape: its size, and whether they stand in a heap block instead, whose address
 * follows. */
#define YN_RECORD_BLOCK UINT64_C(1)

static inline yunta_pipe *yn_pipe_other(yunta_pipe *end)
{
    return &end->pipe->end[1 - end->side];
}

static inline yn_way_shared *yn_pipe_out(yunta_pipe *end)
{
    return &end->pipe->way[end->side];
}

static inline yn_way_shared *yn_pipe_in(yunta_pipe *end)
{
    return &end->pipe->way[1 - end->side];
}

/* A block goes when the last one has gone: so there is never more under way than the tape and one message. */
static inline bool yn_pipe_has_block(const yn_way_shared *way)
{
    uint64_t head = atomic_load_explicit(&way->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&way->tail, memory_order_acquire);
    uint64_t behind = atomic_load_explicit(&way->behind_block, memory_order_relaxed);
    return behind > head && behind <= tail;
}

static inline bool yn_pipe_goes(const yunta_pipe *end, bool in)
{
    return !end->pipe->one_way || end->side != (in ? 1 : 0);
}

/* The hold of this process on the end, which it takes if it has none. 0; -EBADF: closed, or gone; -ENOMEM; -ETIMEDOUT.
 */
int yn_pipe_hold(yn_self *me, yunta_pipe *end, yn_hold_shared **hold, yn_deadline deadline);

/* The hold of `who`, open or closed; NULL: none. */
yn_hold_shared *yn_pipe_find(yunta_pipe *end, yn_claim who);

/* Another hold of the end after `last` (NULL: the first), of whomever. NULL: no more. */
yn_hold_shared *yn_pipe_next_hold(yunta_pipe *end, yn_hold_shared *last);

/* Whether nobody holds the end any more. Cheap unless somebody has died since the last look. At the deadline it is said
 * not to be, if somebody was at it. */
bool yn_pipe_is_gone(yn_self *me, yunta_pipe *end, yn_deadline deadline);

/* Frees what the holds need. */
void yn_pipe_drop_holds(yn_self *me, yunta_pipe *end);

/* Closes what this process keeps for a hold of its own. */
void yn_pipe_close_mailbox(yn_hold_shared *hold);

/* Takes a lock inside (yn_lock_acquire_inside) under which whatever a dead owner left is whole. 0, -ETIMEDOUT, -ENOMEM.
 */
int yn_pipe_lock(yn_self *me, struct yunta_lock *lock, yn_deadline deadline);

/* A call's attempts and its waiting: attempt says 0, an error, or YN_PIPE_WAIT: not yet. */
#define YN_PIPE_WAIT 1
typedef struct yn_pipe_turn {
    yn_self *me;
    yunta_pipe *end;
    yn_hold_shared *hold; /* this process's */
    int (*attempt)(struct yn_pipe_turn *turn);
    yn_deadline deadline;
    bool in;     /* it waits for what comes in, else for room to send */
    bool quiets; /* if it says that there is nothing, this process's descriptor goes quiet */
    const unsigned char *from;
    unsigned char *to;
    size_t size, capacity, done;
    void *block;     /* what is sent by itself */
    int fd;          /* what is passed on */
    bool is_visited; /* by one of the team, who will say what for */
} yn_pipe_turn;
int yn_pipe_wait(yn_pipe_turn *turn);

/* What every call does first. 0, or an error. */
int yn_pipe_begin(yn_pipe_turn *turn, yunta_pipe *end, bool in, int milliseconds);

/* Whether all invariants hold of a pipe that nobody is using. */
bool yn_pipe_is_sound(yn_self *me, yunta_pipe *end);

#endif
