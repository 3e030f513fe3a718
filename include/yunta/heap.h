/* The shared heap: malloc and its family, for memory of the whole team.
 *
 * A block stands at the same address in each process of the team, and any of them may resize or free it. It lives until
 * it is freed or the team ends, whatever becomes of the process that allocated it: yunta_heap_read_holders tells who
 * has how much, and what the dead have left. A process killed inside one of these functions loses at most the block it
 * had in hand there. The memory is reserved when it is allocated: later use of it does not run out.
 *
 * yunta_shared (shared.h) is the same with a type and a lock for each block; what one gives, the other does not free.
 */
#ifndef YUNTA_HEAP_H
#define YUNTA_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <yunta/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A block of at least `size` bytes, aligned to 16, not zeroed; of size 0, the smallest there is. NULL: no memory, or no
 * room left in the arena (yunta_set_arena_limit), or there can be no team. */
YUNTA_API void *yunta_heap_alloc(size_t size);

/* The same, aligned to `alignment`, a power of two up to 4096 (0 means 16). NULL also for any other. */
YUNTA_API void *yunta_heap_alloc_aligned(size_t size, size_t alignment);

/* Room for `count` times `size` bytes, zeroed. NULL also if that does not fit into a size_t. */
YUNTA_API void *yunta_heap_alloc_zeroed(size_t count, size_t size);

/* Makes the block hold `size` bytes, where it stands or somewhere else, with what it holds as far as there is room; new
 * bytes are not zeroed. A NULL block: as yunta_heap_alloc. A size of 0 gives the smallest block, and frees nothing. An
 * alignment above 16 is not kept if it moves. NULL, and the old block as it was: no memory, or `block` is no such
 * block. A process killed inside leaves the old block or the new one to be freed, and may lose the other. Nobody else
 * may use the block meanwhile. */
YUNTA_API void *yunta_heap_realloc(void *block, size_t size);

/* Gives it back, from any process of the team; only the start of a block will do. NULL is accepted. -EINVAL, and
 * nothing done: it is no block of this heap, or is free already. (A block freed twice is told from one that is not, but
 * not from a new one that has got the same place meanwhile.) */
YUNTA_API int yunta_heap_free(void *block);

/* The bytes that may be used of it, at least those asked for; 0 for NULL or what is no such block. */
YUNTA_API size_t yunta_heap_usable_size(const void *block);

/* Gives memory that nobody uses back to the system: what this thread, and threads of this process that have ended, keep
 * ready, and all pages that are free. By itself it is done at once with what is free beyond 64 MiB, or an eighth of all
 * if that is more; and who waits at a queue, or finds it empty, gives back what nobody has needed for a second or two,
 * but for 4 MiB, or 1/32 of all, and for pieces too small for it. (Memory that is got again costs some 0.7 ms for each
 * MiB: so what comes and goes is kept.) This does it now, and wholly. 0; -ENOMEM: there can be no team. */
YUNTA_API int yunta_heap_trim(void);

/* The heap in figures. */
typedef struct yunta_heap_stats {
    uint64_t limit;     /* bytes of address space that the arena may fill */
    uint64_t file;      /* bytes of memory reserved from the system, for all purposes */
    uint64_t in_use;    /* bytes in blocks of the program's, those of yunta_shared among them */
    uint64_t blocks;    /* how many these are */
    uint64_t own_bytes; /* bytes in blocks of the library's: locks, queues, pools … */
    uint64_t own_blocks;
    uint64_t reserved[2];
} yunta_heap_stats;

/* Reads them. They are counted at the call by a walk over the heap, while others go on, so sums may be off by what
 * moves meanwhile. -EINVAL: NULL; -ENOMEM. */
YUNTA_API int yunta_heap_read_stats(yunta_heap_stats *stats);

/* What one process has allocated and nobody has freed: blocks of the program's alone. */
typedef struct yunta_heap_holder {
    int pid;         /* as the process itself knows it; 0: all those that have ended, together */
    uint64_t in_use; /* bytes */
    uint64_t blocks;
    uint64_t reserved[2];
} yunta_heap_holder;

/* Fills in up to `room` of them, and returns how many there are, which may be more. A block counts for the process that
 * allocated it, or last moved its end. A process that took the place of one that ended 1,024 processes ago, in the same
 * slot of the team, is held to be that one. -EINVAL: `holders` is NULL while room > 0; -ENOMEM. */
YUNTA_API int yunta_heap_read_holders(yunta_heap_holder *holders, size_t room);

#ifdef __cplusplus
}
#endif

#endif
