/* Arena: the memory that all processes of a team share, at the same address in each.
 *
 * One memory file, mapped whole as address space; the file itself is only as long as what is in use. Everything in it
 * is reached through pointers, which hold in every process. See README.md for the invariants. */
#ifndef YN_ARENA_H
#define YN_ARENA_H

#include "base/base.h"
#include "os/tie.h"
#include "shm/slot.h"

#define YN_ARENA_MAGIC UINT64_C(0x61746e7579000003) /* "yunta", then the version of the layout */
#define YN_ARENA_GRAIN ((uint64_t)65536)            /* what yn_arena_extend hands out at least, in bytes */
#define YN_ARENA_LEAST ((uint64_t)16 << 20)
#define YN_ARENA_MOST ((uint64_t)320 << 30)

/* Bytes of the file that are locked, for what has to be right while there is no watch to tell who is dead. */
enum { YN_ARENA_LOCK_STARTER = 0 /* by who starts a watch */, YN_ARENA_LOCK_WATCH = 1 /* by the watch, for life */ };

struct yn_heap_shared;
struct yn_listeners_shared;

#define YN_LISTENER_BUCKETS 256u

/* Stands at the start of the arena. */
typedef struct yn_arena_shared {
    uint64_t magic;
    uint64_t base;             /* its own address, as an integer */
    uint64_t limit;            /* bytes of address space */
    uint64_t serial;           /* of this arena, random: tells it from another one at the same address */
    uint64_t device, inode;    /* of its file: tells it from another one that has come under the number of ours */
    uint32_t grain, numa;      /* what yn_arena_extend hands out: of huge pages, if it is theirs; a yunta_numa */
    _Atomic uint64_t end;      /* offset of the first byte not handed out; only grows */
    _Atomic uint64_t reserved; /* bytes of the file reserved: a statistic, not a claim */

    /* Deaths declared so far. A structure that may hold claims of the dead remembers up to which count it was looked
     * over. */
    YN_ALIGNED(64) _Atomic uint64_t deaths; /* grows with each death, perhaps by two */

    /* The watch: written by itself and by who starts it, the same (proc/team.c). */
    YN_ALIGNED(64) _Atomic uint32_t watch_generation; /* how many there have been; also a futex */
    _Atomic int32_t watch_pid;
    _Atomic uint64_t watch_began_ns; /* boot time */
    _Atomic uint64_t watch_capacity; /* processes it has descriptors for */

    /* The forkserver, likewise (proc/launch_forkserver.c). */
    _Atomic uint64_t server_starter;
    _Atomic uint64_t server;       /* claim of its slot, or 0 */
    _Atomic uint32_t server_ready; /* futex */

    /* For who looks for deadlocks (sync/waits.h). */
    _Atomic uint32_t notes_holders; /* locks note which thread has them, in processes that begin from now on */
    _Atomic uint32_t overdue_naps;  /* who has slept in vain so often in a row looks for a deadlock; 0: nobody */

    /* Held by the watch: who sleeps sleeps on one of them too, by its slot (sync/wait.c). */
    yn_ties_shared ties;

    YN_ALIGNED(64) struct yn_heap_shared *heap;
    yn_slot_table_shared slots;
    _Atomic(struct yn_listeners_shared *) listeners[YN_LISTENER_BUCKETS]; /* sync/listen.h */
} yn_arena_shared;

/* Makes and maps a new arena of at most `limit` bytes of address space (0: as much as can be had), with its slot table.
 * 0, and its descriptor; -ENOMEM: none, or no address space; -errno. */
int yn_arena_create(yn_arena_shared **arena, int *fd, uint64_t limit);

/* Maps the arena behind `fd` at the address it wants, in a process that was exec'ed. -EADDRINUSE: something else is
 * there; -EBADF: no arena of this library. */
int yn_arena_attach(yn_arena_shared **arena, int fd);

/* Hands out `bytes` (rounded up to the arena's grain) more, zeroed, reserved, aligned to the grain or to `alignment` if
 * that is more. Never given back: the heap recycles it. NULL with *error -ENOMEM or -errno. A process killed inside
 * loses at most this range. */
void *yn_arena_extend(yn_arena_shared *arena, int fd, uint64_t bytes, uint64_t alignment, int *error);

/* Reserves memory for a range of the arena that has none: yn_memfd_reserve, and huge pages where they are wanted; and
 * gives it back. -EBADF: `fd` is another file: the program has closed ours. */
int yn_arena_reserve(const yn_arena_shared *arena, int fd, uint64_t offset, uint64_t bytes);
int yn_arena_discard(const yn_arena_shared *arena, int fd, uint64_t offset, uint64_t bytes);

/* Maps the page that the arena begins with, in a fresh child. The first access to a page is better a store than a load:
 * for a load the kernel maps the pages around it too, which costs several times as much, and again at the end. */
static inline void yn_arena_touch(yn_arena_shared *arena)
{
    atomic_fetch_add_explicit(&arena->reserved, 0, memory_order_relaxed);
}

static inline bool yn_arena_holds(const yn_arena_shared *arena, const void *p)
{
    return (uint64_t)(uintptr_t)p - arena->base < arena->limit;
}

#endif
