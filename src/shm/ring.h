/* Ring: cells in a circle, through which any number of processes hand messages on, first in, first out.
 *
 * Who puts or takes first writes its name into the cell, by one compare-and-swap, and only then helps the position
 * (tail or head) forward, as does anybody who finds the position behind. So a claim is never without its owner's name,
 * and what a dead owner left is repaired by whoever meets it, by one compare-and-swap from exactly the state found.
 *
 * A cell's word holds either a lap and FREE, READY or SKIP, or the whole claim of its owner (slot and epoch, 60 bits)
 * and RESERVED or TAKEN: never half of a name. What lap an owned cell is in follows from head, tail and `info`.
 * comm/README.md has the table of transitions and the argument.
 *
 * A ring neither waits nor wakes, and decides nothing about closing: comm/queue.c does. */
#ifndef YN_RING_H
#define YN_RING_H

#include "shm/self.h"

/* Bytes of a message that may lie in its cell; longer ones have a heap block: where messages are of any size, and where
 * all are of one, if the ring does not become too large by it. */
#define YN_CELL_INLINE ((size_t)112)
#define YN_CELL_ITEM ((size_t)1024)
#define YN_CELLS_MOST (UINT64_C(4) << 20)         /* bytes of cells for items longer than YN_CELL_INLINE */
#define YN_MESSAGE_MOST ((UINT64_C(1) << 40) - 1) /* bytes of a message at most: more than an arena can hold */

enum { YN_CELL_FREE = 0, YN_CELL_RESERVED = 1, YN_CELL_TAKEN = 2, YN_CELL_SKIP = 4, YN_CELL_READY = 8 };
#define YN_RING_MARK UINT64_C(0xffffff)
#define YN_CELL_STATE UINT64_C(15)
#define YN_CELL_OWNED UINT64_C(3) /* RESERVED or TAKEN: the rest of the word is a claim, else a lap */

typedef struct yn_cell_shared {
    _Atomic uint64_t word; /* lap << 4 | FREE, READY, SKIP; or claim | RESERVED, TAKEN */
    _Atomic uint64_t info; /* size << 24 | low bits that tell the lap; written by the owner while RESERVED */
    uint64_t place[];      /* the message, or the address of its block: as many as the ring's `room` has */
} yn_cell_shared;

/* What the repairs amounted to; one for all rings of a queue. Statistics: a helper killed at the instruction between
 * loses one count. */
typedef struct yn_ring_tally_shared {
    _Atomic uint64_t lost, redelivered, abandoned;
} yn_ring_tally_shared;

/* A position is the number of laps << bits | index, so that it only grows and any number of cells will do. A lap is
 * named by its first position. The cells follow in memory, side by side: of short messages several have one cache line,
 * which then travels once for all of them.
 */
typedef struct yn_ring_shared {
    uint64_t count;  /* of cells */
    uint64_t stride; /* from a cell's position to that of the same cell in the next lap: a power of two */
    uint64_t start;  /* the position at which this life of the ring began */
    uint32_t bits;   /* of the index in a position */
    uint32_t room;   /* bytes of a cell for its message; longer ones have a block */
    uint32_t cell;   /* bytes of a cell, with its words */
    uint32_t ahead;  /* cells from the one in hand to the one that is asked for */
    yn_ring_tally_shared *tally;
    bool lose;                             /* what a dead process had taken is lost, not delivered again */
    _Atomic uint64_t ripe;                 /* a hint: no position before this one is RESERVED any more */
    _Atomic uint32_t flawed;               /* 1 before the first SKIP: there is more to be counted than positions */
    YN_ALIGNED(128) _Atomic uint64_t tail; /* the next position to reserve << 1 | closed */
    YN_ALIGNED(128) _Atomic uint64_t head; /* the next position to take */
} YN_ALIGNED(128) yn_ring_shared;

typedef enum yn_ring_result {
    YN_RING_DONE = 0,
    YN_RING_WAIT = 1, /* full, or nothing ready */
    YN_RING_SHUT = 2, /* closed; for a getter: and nothing will come any more */
    YN_RING_LARGE = 3 /* the message is longer than the limit, and stays: `size` says how long it is */
} yn_ring_result;

/* A cell that is ours for now. */
typedef struct yn_hold {
    yn_ring_shared *ring;
    yn_cell_shared *cell;
    uint64_t position;
} yn_hold;

/* One process's turn at a ring, where it takes more than a few instructions. */
typedef struct yn_turn {
    yn_self *me;
    yn_hold hold;
    uint64_t size;  /* of the message taken */
    uint64_t limit; /* no longer one is to be taken */
    uint64_t seen;  /* the word of the cell that was only looked at */
    bool looks;     /* what the dead had taken is not to be taken over, only looked at */
    bool repaired;  /* something was repaired on the way that others may be waiting for */
} yn_turn;

/* Bytes of each of `count` cells for messages of `item_size` bytes; 0: of any size. */
static inline uint32_t yn_ring_room(size_t item_size, uint64_t count)
{
    size_t most = count <= YN_CELLS_MOST / (item_size + 1) ? YN_CELL_ITEM : YN_CELL_INLINE;
    size_t room = item_size == 0 ? YN_CELL_INLINE : item_size > most ? 1 : item_size;
    return (uint32_t)yn_round_up(room, room > YN_CELL_INLINE ? 16 : sizeof(uint64_t)); /* aligned as a block is */
}

static inline size_t yn_ring_bytes(uint64_t count, uint32_t room)
{
    return sizeof(yn_ring_shared) + count * (sizeof(yn_cell_shared) + room);
}

static inline yn_cell_shared *yn_ring_cell(yn_ring_shared *ring, uint64_t position)
{
    return (yn_cell_shared *)(void *)((char *)(ring + 1) + (position & (ring->stride - 1)) * ring->cell);
}

/* The cell behind one that is not the last. */
static inline yn_cell_shared *yn_ring_cell_after(const yn_ring_shared *ring, yn_cell_shared *cell)
{
    return (yn_cell_shared *)(void *)((char *)cell + ring->cell);
}

/* Asks for a cell some way ahead, to be written to: its line travels while we are at work on others. */
static inline void yn_ring_ask_ahead(yn_ring_shared *ring, uint64_t position)
{
    uint64_t index = (position & (ring->stride - 1)) + ring->ahead;
    __builtin_prefetch(yn_ring_cell(ring, index < ring->count ? index : index - ring->count), 1);
}

/* The message in a cell, or where the address of its block stands. */
static inline unsigned char *yn_cell_bytes(yn_cell_shared *cell)
{
    return (unsigned char *)cell->place;
}

static inline _Atomic(void *) *yn_cell_block(yn_cell_shared *cell)
{
    return (_Atomic(void *) *)(void *)cell->place;
}

static inline uint64_t yn_ring_next(const yn_ring_shared *ring, uint64_t position)
{
    uint64_t mask = ring->stride - 1;
    return (position & mask) + 1 == ring->count ? (position | mask) + 1 : position + 1;
}

static inline uint64_t yn_ring_lap(const yn_ring_shared *ring, uint64_t position)
{
    return position & -ring->stride;
}

/* What of the lap of a position stands in `info`. */
static inline uint64_t yn_ring_mark(const yn_ring_shared *ring, uint64_t position)
{
    return position >> ring->bits & YN_RING_MARK;
}

/* How many positions there are from one to another. */
static inline uint64_t yn_ring_distance(const yn_ring_shared *ring, uint64_t from, uint64_t to)
{
    uint64_t mask = ring->stride - 1;
    return ((to >> ring->bits) - (from >> ring->bits)) * ring->count + (to & mask) - (from & mask);
}

/* Sets up a ring of `count` cells, at least one, with so much room in zeroed memory. */
void yn_ring_init(yn_ring_shared *ring, uint64_t count, uint32_t room, bool lose, yn_ring_tally_shared *tally);

/* Opens a spent ring again, which the caller alone can see. */
void yn_ring_renew(yn_ring_shared *ring);

/* No more reservations. Those that stand go on. Repeatable. */
void yn_ring_close(yn_ring_shared *ring);

/* Whether nothing is in it, nobody owns a cell, and head has reached tail: for ever so, if it is closed or cannot be
 * found. */
bool yn_ring_is_spent(yn_turn *turn, yn_ring_shared *ring);

/* Frees the blocks of the messages in it, for its end. */
void yn_ring_drop(yn_self *me, yn_ring_shared *ring);

/* Claims the cell at the tail: DONE, then fill it and publish; WAIT: full; SHUT: closed. */
yn_ring_result yn_ring_reserve(yn_turn *turn, yn_ring_shared *ring);

/* Claims the message at the head: DONE, then copy it and release; WAIT, SHUT, LARGE. */
yn_ring_result yn_ring_take(yn_turn *turn, yn_ring_shared *ring);

/* Takes over the oldest message that a dead process has taken, or looks where it is; or, in a ring that loses them,
 * loses all such. WAIT: there is none (any more). */
yn_ring_result yn_ring_inherit(yn_turn *turn, yn_ring_shared *ring);

/* How many messages dead processes have taken; in a ring that loses them, loses them. */
uint64_t yn_ring_count_orphans(yn_turn *turn, yn_ring_shared *ring);

/* DONE: the message at the front can be taken, *position says where it is; WAIT; SHUT. Repairs the front. */
yn_ring_result yn_ring_front(yn_turn *turn, yn_ring_shared *ring, uint64_t *position);

/* DONE: there is room for a message; WAIT; SHUT. Repairs what stands in the way. */
yn_ring_result yn_ring_back(yn_turn *turn, yn_ring_shared *ring, uint64_t *position);

/* Walks from *position over what is ready, or was, as far as it goes, adding to *skips what are no messages.
 * SHUT: it came to the end of a closed ring; else WAIT. */
yn_ring_result yn_ring_run(yn_turn *turn, yn_ring_shared *ring, uint64_t *position, uint64_t *skips);

/* yn_ring_reserve when nothing is in the way. False: nothing was done. */
static inline bool yn_ring_reserve_at_once(yn_claim me, yn_ring_shared *ring, yn_hold *hold)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire), position = tail >> 1;
    yn_cell_shared *cell = yn_ring_cell(ring, position);
    uint64_t free = yn_ring_lap(ring, position) << 4 | YN_CELL_FREE, word = free;
    yn_ring_ask_ahead(ring, position);
    if (YN_UNLIKELY((tail & 1) || !atomic_compare_exchange_strong_explicit(&cell->word, &word, me | YN_CELL_RESERVED,
                                                                           memory_order_acq_rel, memory_order_relaxed)))
        return false;
    *hold = (yn_hold){ring, cell, position};
    /* Before it is published the tail must be past it; if the ring was closed just here instead, it is void. */
    if (YN_UNLIKELY(!atomic_compare_exchange_strong_explicit(&ring->tail, &tail, yn_ring_next(ring, position) << 1,
                                                             memory_order_acq_rel, memory_order_acquire) &&
                    tail == (position << 1 | 1))) {
        atomic_store_explicit(&cell->word, free, memory_order_release);
        return false;
    }
    return true;
}

/* Says of what size the message in the reserved cell is, and lets the getters have it. */
static inline void yn_ring_publish(const yn_hold *hold, uint64_t size)
{
    uint64_t mark = yn_ring_mark(hold->ring, hold->position), lap = yn_ring_lap(hold->ring, hold->position);
    atomic_store_explicit(&hold->cell->info, size << 24 | mark, memory_order_release);
    atomic_store_explicit(&hold->cell->word, lap << 4 | YN_CELL_READY, memory_order_release);
}

/* yn_ring_take when there is a message no longer than `limit` at the head. False: nothing was done. */
static inline bool yn_ring_take_at_once(yn_claim me, yn_ring_shared *ring, uint64_t limit, yn_hold *hold,
                                        uint64_t *size)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    yn_cell_shared *cell = yn_ring_cell(ring, head);
    uint64_t word = atomic_load_explicit(&cell->word, memory_order_acquire);
    yn_ring_ask_ahead(ring, head);
    *size = atomic_load_explicit(&cell->info, memory_order_relaxed) >> 24;
    if (YN_UNLIKELY(word != (yn_ring_lap(ring, head) << 4 | YN_CELL_READY) || *size > limit ||
                    !atomic_compare_exchange_strong_explicit(&cell->word, &word, me | YN_CELL_TAKEN,
                                                             memory_order_acq_rel, memory_order_relaxed)))
        return false;
    *hold = (yn_hold){ring, cell, head};
    /* Before it is released the head must be past it. */
    atomic_compare_exchange_strong_explicit(&ring->head, &head, yn_ring_next(ring, head), memory_order_acq_rel,
                                            memory_order_relaxed);
    return true;
}

/* Gives the taken cell to the next lap. */
static inline void yn_ring_release(const yn_hold *hold)
{
    uint64_t next = yn_ring_lap(hold->ring, hold->position) + hold->ring->stride;
    atomic_store_explicit(&hold->cell->word, next << 4 | YN_CELL_FREE, memory_order_release);
}

/* Cheap looks for those who spin: they read the cell alone, so as not to disturb those at work at the other end. */
static inline bool yn_ring_seems_ready(yn_ring_shared *ring)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint64_t word = atomic_load_explicit(&yn_ring_cell(ring, head)->word, memory_order_relaxed);
    return word == (yn_ring_lap(ring, head) << 4 | YN_CELL_READY);
}

static inline bool yn_ring_seems_drained(yn_ring_shared *ring)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    return atomic_load_explicit(&ring->tail, memory_order_relaxed) == (head << 1 | 1);
}

static inline bool yn_ring_seems_to_have_room(yn_ring_shared *ring)
{
    uint64_t position = atomic_load_explicit(&ring->tail, memory_order_relaxed) >> 1;
    uint64_t word = atomic_load_explicit(&yn_ring_cell(ring, position)->word, memory_order_relaxed);
    return word == (yn_ring_lap(ring, position) << 4 | YN_CELL_FREE);
}

#endif
