/* Store: the messages of a queue that is no plain one (ordered by priority or last first, bounded in bytes, joinable),
 * under a lock.
 *
 * The truth is in the entries: each is vacant, READY, or TAKEN by a claim. All else (the heap of those ready, the list
 * of those taken, what is vacant, the sums) is derived from them. Who takes the lock from a dead process derives it
 * anew, so that no step in between needs to be undone. */
#ifndef YN_STORE_H
#define YN_STORE_H

#include "comm/queue.h"
#include "sync/lock.h"

#include <yunta/queue_loan.h>

enum { YN_ENTRY_VACANT = 0, YN_ENTRY_READY = 1, YN_ENTRY_TAKEN = 2, YN_ENTRY_DONE = 3 };

typedef struct yn_entry_shared {
    _Atomic uint64_t word; /* VACANT, READY, the owner's claim | TAKEN, or DONE: still in the list of those taken */
    int64_t priority;
    uint64_t sequence; /* of the put: from 1 */
    uint64_t got;      /* of a TAKEN one: how many had been taken, this one too */
    uint64_t size;
    void *block; /* of the heap: the message */
    uint32_t number;
    uint32_t place; /* in the heap, in the list of those taken, or the next vacant one of its chunk */
} yn_entry_shared;

#define YN_STORE_CHUNKS 26 /* chunk k holds 32 << k entries */
#define YN_STORE_FIRST UINT32_C(32)
#define YN_STORE_NONE UINT32_MAX

typedef struct yn_chunk_shared {
    yn_entry_shared *entries; /* NULL: not there */
    uint32_t vacant, used;    /* the first vacant one, as a number; how many are not */
} yn_chunk_shared;

/* Numbers of entries: the heap of those ready from the left, those taken from the right. */
typedef struct yn_index_shared {
    uint32_t room;
    uint32_t number[];
} yn_index_shared;

#define YN_SHOWN_SHIFT 2
#define YN_SHOWN_FULL UINT64_C(1)    /* there is no room for one item, or one byte */
#define YN_SHOWN_NO_ROOM UINT64_C(2) /* nor for a message of 0 bytes */

typedef struct yn_store_shared {
    struct yunta_lock lock;
    yunta_queue_order order;
    bool joinable;
    uint64_t capacity_bytes;
    uint64_t sequence;      /* of the last put */
    uint64_t got;           /* … and of the last one taken */
    _Atomic uint64_t bytes; /* in those ready */
    _Atomic uint32_t ready, taken;
    _Atomic uint64_t shown;   /* by who lets go of the lock: those ready, and the flags below */
    _Atomic uint32_t put_off; /* there is a DONE entry, or there may be one */
    uint32_t chunks;          /* in use; there may be one more, left by a death */
    yn_index_shared *index;
    yn_chunk_shared chunk[YN_STORE_CHUNKS];
} yn_store_shared;

/* The structure alone, for who holds the lock (store.c). */

int yn_store_init(yn_self *me, yn_store_shared *s); /* 0 or -ENOMEM */
void yn_store_fini(yn_self *me, yn_store_shared *s);

/* Derives from the entries all that is derived. */
void yn_store_derive(yn_store_shared *s);

/* Adds a message; the block is the store's then. 0 or -ENOMEM. */
int yn_store_add(yn_self *me, yn_store_shared *s, void *block, uint64_t size, int64_t priority);

/* The entry that is next; NULL: none is ready. */
yn_entry_shared *yn_store_next(yn_store_shared *s);

/* From READY to TAKEN by me, and back from whoever had it. */
void yn_store_take(yn_self *me, yn_store_shared *s, yn_entry_shared *entry);
void yn_store_restore(yn_store_shared *s, yn_entry_shared *entry);

/* From TAKEN to vacant. The block, which is the caller's to free. */
void *yn_store_vacate(yn_store_shared *s, yn_entry_shared *entry);

/* The same by its owner without the lock, where that cannot be had: whoever has it next does the rest. */
void yn_store_put_off(yn_store_shared *s, yn_entry_shared *entry);

/* Gives back what has not been of use since a burst. */
void yn_store_trim(yn_self *me, yn_store_shared *s);

yn_entry_shared *yn_store_entry(yn_store_shared *s, uint32_t number);

/* The i-th of those taken. */
static inline yn_entry_shared *yn_store_taken(yn_store_shared *s, uint32_t i)
{
    return yn_store_entry(s, s->index->number[s->index->room - 1 - i]);
}

/* Asserts that all is as it must be: for tests, and for who holds the lock. */
void yn_store_check(yn_store_shared *s);

/* The queue's calls (queue_store.c). */

int yn_store_create(yn_self *me, yunta_queue *q, const yunta_queue_options *options);
void yn_store_destroy(yn_self *me, yunta_queue *q);
int yn_store_seal(yn_self *me, yunta_queue *q);
int yn_store_put(yn_self *me, yunta_queue *q, const void *message, size_t size, int64_t priority, yn_deadline deadline);
int yn_store_get(yn_self *me, yunta_queue *q, void *buffer, size_t capacity, size_t *size, int milliseconds);

/* Without copies. yn_store_pass: an error leaves the block with the caller. */
int yn_store_pass(yn_self *me, yunta_queue *q, void *block, size_t size, int64_t priority, yn_deadline deadline);
int yn_store_receive(yn_self *me, yunta_queue *q, yunta_loan *loan, int milliseconds);
int yn_store_release(yn_self *me, yunta_loan *loan);

int yn_store_peek(yn_self *me, yunta_queue *q, void *buffer, size_t capacity, size_t *size);
int yn_store_drain(yn_self *me, yunta_queue *q);

/* What was shown last, all but what the dead had taken counted; without the lock, unless somebody has died. -ETIMEDOUT,
 * -ENOMEM: it could not be had then, and what the dead had taken is missing. */
int yn_store_look(yn_self *me, yunta_queue *q, uint64_t *shown);
int yn_store_read(yn_self *me, yunta_queue *q, yunta_queue_stats *stats);

#endif
