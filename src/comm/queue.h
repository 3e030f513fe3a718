/* Inside a queue: one ring of exactly so many cells, or, unbounded, a chain of rings. README.md has the invariants.
 *
 * A ring of the chain that is full is closed and the next one linked to it. Getters go on to the next when they have
 * drained one. A ring that getters have passed is freed once nobody can be looking at it. */
#ifndef YN_QUEUE_H
#define YN_QUEUE_H

#include "shm/ring.h"
#include "sync/wait.h"

#include <string.h>
#include <yunta/queue.h>

typedef struct yn_link_shared {
    _Atomic(struct yn_link_shared *) next; /* NULL, the next link, or YN_CHAIN_END */
    uint64_t number;                       /* one more than that of the link before */
    uint64_t before;                       /* how many positions all links before it had together */
    YN_ALIGNED(128) yn_ring_shared ring;
} yn_link_shared;

#define YN_LINK_CELLS_FIRST                                                                                            \
    UINT64_C(32) /* of an unbounded queue's first link; each next one has twice as many, up to … */
#define YN_LINK_CELLS_MOST UINT64_C(512)
#define YN_CHAIN_END ((yn_link_shared *)1) /* no link comes after this one, ever: the queue is closed, or bounded */

/* Where each link of an unbounded queue can be found for as long as it exists. Changed by its keeper alone. */
typedef struct yn_berth_shared {
    _Atomic yn_claim keeper; /* who is changing it, or 0; a dead keeper's place may be taken */
    _Atomic uintptr_t link;  /* the link | condemned, or 0 */
    _Atomic uint64_t number; /* of the link */
} yn_berth_shared;

#define YN_BERTH_CONDEMNED ((uintptr_t)1) /* spent; only the keeper may look at it any more */
#define YN_BERTH_BLOCKS 26                /* block k holds 8 << k berths */

/* Blocks of loans of more pages than one would cost the more to allocate, the larger they are. So a few are kept; not
 * the huge ones, beside whose writing it does not count. */
#define YN_LOANS_KEPT 8
#define YN_LOAN_KEPT_LEAST ((size_t)32 << 10)
#define YN_LOAN_KEPT_MOST ((size_t)2 << 20)

/* How those at one side wait, as of late; only hints, all zero is a new one (queue_sleep.c). */
typedef struct yn_pace_shared {
    _Atomic uint32_t patience; /* ns that are worth spinning; 0: not known yet */
    _Atomic uint64_t waited;   /* the position where somebody waited last */
} yn_pace_shared;

struct yunta_queue {
    size_t item_size;
    uint64_t capacity; /* 0: unbounded */
    bool lose;
    _Atomic bool closed;
    uint32_t in_cell;                /* messages up to this long lie in their cells */
    uint32_t sample_mask;            /* whose put looks how full the queue is */
    struct yn_store_shared *store;   /* of a queue that is no plain one (comm/store.h); it has no chain then */
    _Atomic(yn_link_shared *) first; /* where to get; never beyond last */
    _Atomic(yn_link_shared *) last;  /* where to put */
    _Atomic uint64_t looked;         /* up to which count of deaths all has been looked over */

    /* Of the chain. */
    _Atomic uint64_t passed;         /* links with a lower number are behind the first */
    _Atomic(yn_link_shared *) spare; /* whoever exchanges it out owns it */
    _Atomic bool described;          /* some process has asked for a descriptor */
    _Atomic bool unswept;            /* links have been passed that are not freed yet */
    _Atomic uint32_t berths;         /* all berths in use have a lower number; only grows */
    _Atomic uint32_t vacant;         /* a hint: where to look for a free one first */
    _Atomic(yn_berth_shared *) berth[YN_BERTH_BLOCKS];

    YN_ALIGNED(128) yn_event_shared filled;    /* for getters */
    YN_ALIGNED(64) yn_pace_shared filled_pace; /* beside, not in, the line that each put looks at */
    YN_ALIGNED(128) yn_event_shared room;      /* for putters of a bounded queue */
    YN_ALIGNED(64) yn_pace_shared room_pace;
    YN_ALIGNED(128) yn_event_shared joined; /* for those who wait until all tasks are done */
    yn_pace_shared joined_pace;
    YN_ALIGNED(128) yn_ring_tally_shared tally;
    _Atomic uint64_t room_waits, filled_waits, joined_waits; /* how often somebody went to sleep */
    _Atomic uint64_t high_water;
    YN_ALIGNED(128) _Atomic(void *) kept[YN_LOANS_KEPT]; /* blocks of loans that were released, for those to come */
    YN_ALIGNED(64) _Atomic uint32_t kept_oldest;         /* hints: where to take one, where to leave one */
    YN_ALIGNED(64) _Atomic uint32_t kept_newest;
} YN_ALIGNED(128);

/* Hazards: which links this thread may be looking at, in the words that its seat has to spare. They are left standing
 * after use, so that the next use of the same link costs nothing. */
enum yn_hazard { YN_HAZARD_PUT, YN_HAZARD_GET, YN_HAZARD_WALK, YN_HAZARDS };
_Static_assert(sizeof(((yn_seat_shared *)0)->pad) >= YN_HAZARDS * sizeof(uint64_t),
               "a seat has a word for each hazard");

static inline _Atomic uint64_t *yn_hazard_of(yn_seat_shared *seat, enum yn_hazard which)
{
    return (_Atomic uint64_t *)&seat->pad[which];
}

/* The link at *from, safe to look at until this hazard is set again. NULL: no memory for a seat. */
yn_link_shared *yn_chain_protect(yn_self *me, _Atomic(yn_link_shared *) *from, enum yn_hazard which);

/* The link to put into or to get from, if it needs no protection, or has it still. NULL: it has to be protected. */
static inline yn_link_shared *yn_queue_link_at_once(yn_self *me, yunta_queue *q, enum yn_hazard which)
{
    _Atomic(yn_link_shared *) *from = which == YN_HAZARD_PUT ? &q->last : &q->first;
    yn_link_shared *link = atomic_load_explicit(from, memory_order_acquire);
    if (q->capacity != 0)
        return link;
    if (YN_LIKELY(me->seat &&
                  atomic_load_explicit(yn_hazard_of(me->seat, which), memory_order_relaxed) == (uintptr_t)link))
        return link;
    return NULL;
}

/* The same, protected. NULL: no memory for a seat. */
static inline yn_link_shared *yn_queue_link(yn_self *me, yunta_queue *q, enum yn_hazard which)
{
    yn_link_shared *link = yn_queue_link_at_once(me, q, which);
    return link ? link : yn_chain_protect(me, which == YN_HAZARD_PUT ? &q->last : &q->first, which);
}

/* Makes the first link. 0 or -ENOMEM. */
int yn_chain_create(yn_self *me, yunta_queue *q);
void yn_chain_destroy(yn_self *me, yunta_queue *q);

/* `link`, the last, takes no more: makes the next one the last. 0, YUNTA_ECLOSED, -ENOMEM. */
int yn_chain_extend(yn_self *me, yunta_queue *q, yn_link_shared *link);

/* `link`, the first, is drained: makes the next one the first. DONE; WAIT: there is none yet; SHUT: there will be none.
 */
yn_ring_result yn_chain_advance(yunta_queue *q, yn_link_shared *link);

/* No put comes in any more. Repeatable. -ENOMEM: no memory for a seat. */
int yn_chain_seal(yn_self *me, yunta_queue *q);

/* Puts a new link into the directory. 0 or -ENOMEM. */
int yn_chain_enter(yn_self *me, yunta_queue *q, yn_link_shared *link);

/* Frees what has been passed and is seen by nobody. Drops the hazards of this thread: it must not look at a link any
 * more. */
void yn_chain_sweep(yn_turn *turn, yunta_queue *q);

/* A link out of the directory, while berth `i` holds one. NULL: it does not. */
yn_link_shared *yn_chain_visit(yn_self *me, yunta_queue *q, uint32_t i);

/* Takes over the oldest message that a dead process has taken, or looks where it is. As yn_ring_inherit, or -ENOMEM. */
int yn_chain_inherit(yn_turn *turn, yunta_queue *q);

/* Nothing is left of the dead up to this count of deaths. */
void yn_chain_note_looked(yunta_queue *q, uint64_t deaths);

/* Where the next get would take: DONE: there it can; WAIT; SHUT; or -ENOMEM. */
int yn_queue_front(yn_turn *turn, yunta_queue *q, yn_link_shared **link, uint64_t *position);

/* Whether there is a message that a dead process had taken. */
bool yn_queue_has_orphans(yn_turn *turn, yunta_queue *q);

/* Whether somebody has died since all was looked over: what the dead had taken goes first. */
static inline bool yn_queue_have_died(yn_self *me, yunta_queue *q)
{
    return atomic_load_explicit(&me->arena->deaths, memory_order_relaxed) !=
           atomic_load_explicit(&q->looked, memory_order_relaxed);
}

/* Reserves a cell, waiting for it if need be. 0; YUNTA_ECLOSED, -ETIMEDOUT, -ENOMEM. */
int yn_queue_reserve(yn_self *me, yunta_queue *q, yn_hold *hold, yn_deadline deadline);

/* Takes the oldest message, waiting for it if need be. 0; YN_RING_LARGE: it is longer than limit, *size says how long,
 * and stays; YUNTA_ECLOSED, -ETIMEDOUT, -ENOMEM. */
int yn_queue_take(yn_self *me, yunta_queue *q, yn_hold *hold, uint64_t limit, uint64_t *size, yn_deadline deadline);

/* Frees the blocks that are kept for loans. */
void yn_loan_free_kept(yn_self *me, yunta_queue *q);

/* There is something to get; there is room. The only places where those who wait are told so. */
static inline void yn_queue_tell_filled(yunta_queue *q)
{
    yn_event_notify_one(&q->filled);
}

static inline void yn_queue_tell_room(yunta_queue *q)
{
    if (q->capacity)
        yn_event_notify_one(&q->room);
}

/* After a repair, or at the end: everybody looks again. */
static inline void yn_queue_tell_all(yunta_queue *q)
{
    yn_event_notify_all(&q->filled);
    yn_event_notify_all(&q->room);
}

/* Passes a block of the heap that holds a message too long for a cell. 0: it is the queue's; else the caller's
 * still: errors of yn_queue_reserve. */
int yn_queue_pass_block(yn_self *me, yunta_queue *q, void *block, size_t size, int milliseconds);

/* The same, in a cell that is reserved. */
static inline void yn_queue_pass_in(yunta_queue *q, const yn_hold *hold, void *block, size_t size)
{
    atomic_store_explicit(yn_cell_block(hold->cell), block, memory_order_relaxed);
    yn_ring_publish(hold, size);
    yn_queue_tell_filled(q);
}

/* Copies what lies in a cell; a call of memcpy costs as much as all the rest of a short message. */
static inline void yn_queue_copy(unsigned char *to, const unsigned char *from, size_t size)
{
    if (YN_UNLIKELY(size > YN_CELL_INLINE)) {
        memcpy(to, from, size);
    } else if (size >= 16) {
        for (size_t i = 0; i + 16 < size; i += 16)
            memcpy(to + i, from + i, 16);
        memcpy(to + size - 16, from + size - 16, 16);
    } else if (size >= 8) {
        memcpy(to, from, 8);
        memcpy(to + size - 8, from + size - 8, 8);
    } else {
        for (size_t i = 0; i < size; i++)
            to[i] = from[i];
    }
}

/* A get is about to say that there is nothing: this process's descriptor is quiet from now on, and is rung again. The
 * caller looks once more, and if there is something after all, rings it itself. NULL: it has none. */
struct yn_listener_shared *yn_queue_quiet(yn_self *me, yunta_queue *q);

/* One kind of waiting: how it is tried (DONE, WAIT, SHUT, LARGE or an error), when trying again is worth it, whether
 * there is something left for the next sleeper; then offsets in the queue; then the ring, and the position in it, where
 * all of this kind meet those at the other end (or NULL). */
typedef struct yn_side {
    int (*attempt)(yn_turn *turn, yunta_queue *q);
    bool (*is_worth_it)(yn_turn *turn, yunta_queue *q);
    bool (*is_more)(yn_turn *turn, yunta_queue *q);
    size_t event, pace, waits;
    yn_ring_shared *(*place)(yn_turn *turn, yunta_queue *q, uint64_t *position);
} yn_side;
#define YN_SIDE_OF(event)                                                                                              \
    offsetof(yunta_queue, event), offsetof(yunta_queue, event##_pace), offsetof(yunta_queue, event##_waits)
#define YN_SIDE_ROOM YN_SIDE_OF(room)
#define YN_SIDE_FILLED YN_SIDE_OF(filled)
#define YN_SIDE_JOINED YN_SIDE_OF(joined)

/* Tries until it comes to something else than WAIT. -ETIMEDOUT; -ENOMEM. */
int yn_queue_wait(const yn_side *side, yn_turn *turn, yunta_queue *q, yn_deadline deadline);

/* Notes how full the queue is now. */
void yn_queue_sample(yn_self *me, yunta_queue *q);

/* Lets sleepers look again after a repair. */
void yn_queue_announce(yn_turn *turn, yunta_queue *q);

#endif
