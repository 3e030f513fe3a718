/* Slot: who a process is, inside the team.
 *
 * A slot is a number and an epoch; the epoch counts its tenants, so that a claim of the dead is never taken for one of
 * the living. A claim is one 64-bit word: flags (bits 0–3), slot number (4–23), epoch (24–63). What one owns, one
 * claims with it, in the very word that makes it one's own. The low half of a claim can be slept on. */
#ifndef YN_SLOT_H
#define YN_SLOT_H

#include "base/base.h"

typedef uint64_t yn_claim;
#define YN_CLAIM_FLAGS UINT64_C(15)
#define YN_SLOT_BITS 20
#define YN_SLOT_MOST ((1u << YN_SLOT_BITS) - 1)

typedef enum yn_slot_state {
    YN_SLOT_FREE = 0,     /* whatever it says is the last tenant's */
    YN_SLOT_STARTING = 1, /* given to a process that is being started; claims of it count as alive */
    YN_SLOT_LIVE = 2,     /* its process has announced itself to the watch */
    YN_SLOT_DEAD = 3,     /* declared dead; what it had started is being ended */
    YN_SLOT_TAKEN = 4,    /* being cleared by its taker, whose number stands in the word, for a new tenant */
    YN_SLOT_GUESTS = 5    /* the same by a process for itself: what fits of its pid stands in the word */
} yn_slot_state;

typedef enum yn_nudge { YN_NUDGE_COUNT = 0, YN_NUDGE_CLAIM = 1 } yn_nudge;
#define YN_CLAIM_NUDGED UINT64_C(2) /* the flag bit of a claim that only means: look again */

/* Seat: what one thread sleeps on. Written by its thread; read by the watch, which changes the word from exactly
 * `expected` and wakes. `turn` is odd while its fields are being written. */
typedef struct yn_seat_shared {
    _Atomic uint32_t taken;
    _Atomic uint32_t turn;
    _Atomic(_Atomic uint32_t *) word; /* NULL: not asleep */
    _Atomic uint32_t expected;
    _Atomic uint32_t nudge;
    _Atomic(struct yn_seat_shared *) next;
    _Atomic uint64_t deaths; /* so many had been counted when its thread last looked whether to sleep */
    uint64_t pad[3];
    _Atomic uint64_t waits;  /* what for, as far as that can have a holder (sync/wait.h); 0: something else */
    _Atomic uint64_t self;   /* whose seat it is: the address of its yn_self, in its process … */
    _Atomic uint32_t thread; /* … and the system's number for it */
} YN_ALIGNED(64) yn_seat_shared;

typedef struct yn_slot_shared {
    _Atomic uint64_t word;     /* epoch (24–63), taker (4–23, while TAKEN), state (0–3) */
    _Atomic yn_claim parent;   /* who started this process; 0: nobody of the team. When the parent dies, so does this */
    _Atomic uint64_t pid;      /* tagged: written by a tenant that may come too late */
    _Atomic uint64_t watch_fd; /* tagged: the watch's own descriptor for it, + 1 */
    _Atomic uint64_t joined_ns; /* boot time at which it announced itself: not before the process began */
    _Atomic(void *) record;     /* its yunta_process, or NULL */
    _Atomic(struct yn_heap_lane_shared *) heap_lanes; /* belong to the slot: its next tenant goes on with them */
    _Atomic(struct yn_seat_shared *) seats;           /* further seats, in blocks; belong to the slot too */
    yn_seat_shared seat;                              /* the first */
} YN_ALIGNED(64) yn_slot_shared;

/* Segment k holds 64 << k slots; the first is part of the arena's head. */
#define YN_SLOT_SEGMENTS 15
typedef struct yn_slot_table_shared {
    _Atomic(yn_slot_shared *) segment[YN_SLOT_SEGMENTS];
    _Atomic uint32_t used;   /* all slots in use have a lower number; only grows */
    _Atomic uint32_t alive;  /* how many are not free; never too low, and too high by some who died over it */
    _Atomic uint64_t ended;  /* how many have been cleared of the dead */
    _Atomic uint32_t lowest; /* a hint: where to look for a free one first */
    yn_slot_shared first[64];
} yn_slot_table_shared;

static inline uint32_t yn_claim_slot(yn_claim claim)
{
    return (uint32_t)(claim >> 4) & YN_SLOT_MOST;
}

static inline yn_claim yn_claim_who(yn_claim claim)
{
    return claim & ~YN_CLAIM_FLAGS;
}

static inline yn_claim yn_claim_make(uint32_t slot, uint64_t epoch)
{
    return epoch << 24 | (uint64_t)slot << 4;
}

static inline yn_slot_state yn_slot_state_of(uint64_t word)
{
    return (yn_slot_state)(word & 15);
}

/* A value that belongs to one tenant of a slot: half of its epoch, then the value. */
static inline uint64_t yn_slot_tag(yn_claim claim, uint32_t value)
{
    return claim >> 24 << 32 | value;
}

/* The value, if it is this tenant's; else 0. */
static inline uint32_t yn_slot_untag(uint64_t tagged, yn_claim claim)
{
    return tagged >> 32 == yn_slot_tag(claim, 0) >> 32 ? (uint32_t)tagged : 0;
}

static inline yn_slot_shared *yn_slot_at(yn_slot_table_shared *table, uint32_t number)
{
    unsigned k = 31u - (unsigned)__builtin_clz(number / 64 + 1);
    yn_slot_shared *segment = atomic_load_explicit(&table->segment[k], memory_order_acquire);
    return segment ? segment + (number - 64 * ((1u << k) - 1)) : NULL;
}

/* One below `used`: it exists. */
static inline yn_slot_shared *yn_slot_below_used(yn_slot_table_shared *table, uint32_t number)
{
    yn_slot_shared *slot = yn_slot_at(table, number);
    if (!slot)
        __builtin_unreachable();
    return slot;
}

/* Whether the process behind a claim is not known to be dead. False for 0. */
static inline bool yn_claim_is_alive(yn_slot_table_shared *table, yn_claim claim)
{
    yn_slot_shared *slot = yn_slot_at(table, yn_claim_slot(claim));
    if (YN_UNLIKELY(!slot))
        return false;
    uint64_t word = atomic_load(&slot->word);
    yn_slot_state state = yn_slot_state_of(word);
    return word >> 24 == claim >> 24 && (state == YN_SLOT_STARTING || state == YN_SLOT_LIVE);
}

struct yn_arena_shared;

/* Takes a free slot for a process that `parent` is about to start: its claim, state STARTING; without a parent
 * for the caller itself, whose pid it notes. 0 with *error -EAGAIN (all in use) or -ENOMEM. */
yn_claim yn_slot_take(struct yn_arena_shared *arena, int fd, yn_claim parent, int *error);

/* Whether more than `most` slots are in use. */
bool yn_slot_are_beyond(yn_slot_table_shared *table, uint64_t most);

/* Notes the tenant's pid. False if the slot has another tenant by now. */
bool yn_slot_set_pid(yn_slot_shared *slot, yn_claim claim, int32_t pid);

/* The tenant's pid, or 0. */
static inline int32_t yn_slot_pid(yn_slot_shared *slot, yn_claim claim)
{
    return (int32_t)yn_slot_untag(atomic_load(&slot->pid), claim);
}

/* STARTING → LIVE, by the process itself or who vouches for it. False if it was declared dead meanwhile. */
bool yn_slot_go_live(yn_slot_table_shared *table, yn_claim claim);

/* STARTING or LIVE → DEAD. True for the one caller that changed it. */
bool yn_slot_declare_dead(yn_slot_table_shared *table, yn_claim claim);

/* DEAD → FREE, for the next tenant. Repeatable. */
void yn_slot_free(yn_slot_table_shared *table, yn_claim claim);

/* GUESTS → FREE for a slot whose word is this, if there is no process any more that may have taken it. */
void yn_slot_free_guests(yn_slot_table_shared *table, uint32_t number, uint64_t word);

/* TAKEN → FREE for each slot that a dead process was taking. Before its own slot is freed. */
void yn_slot_free_taken(yn_slot_table_shared *table, yn_claim dead);

#endif
