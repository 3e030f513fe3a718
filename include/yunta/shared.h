/* Value and Array: memory of the whole team, at the same address in each of its processes.
 *
 * A pointer into it may be stored in it, passed in an argument, and used by every process, also by one that was started
 * before the memory was allocated. C11 atomics work in it. It lives until it is freed or the team ends. */
#ifndef YUNTA_SHARED_H
#define YUNTA_SHARED_H

#include <stddef.h>
#include <yunta/error.h>
#include <yunta/sync.h>

#ifdef __cplusplus
extern "C" {
#define YUNTA_ALIGNOF(type) alignof(type)
#else
#define YUNTA_ALIGNOF(type) _Alignof(type)
#endif

/* yunta_shared(int, 1): a Value; yunta_shared(double, 1000): an Array. Zeroed and aligned for the type. NULL if it
 * cannot be had; yunta_shared_create says why. */
#define yunta_shared(type, count) ((type *)yunta_shared_alloc(sizeof(type), YUNTA_ALIGNOF(type), (count)))

/* The untyped form: `count` items of `size` bytes, aligned to `alignment` (a power of two up to 4096; 0 means 16). */
YUNTA_API void *yunta_shared_alloc(size_t size, size_t alignment, size_t count);

/* The same with a code. The memory is reserved now: later use of it does not run out. Errors: -EINVAL: NULL pointer,
 * size or count of 0, or an alignment that is none; -EOVERFLOW: size × count does not fit; -ENOMEM: no memory, arena
 * full (yunta_set_arena_limit), or beyond what the memory cgroup has left. */
YUNTA_API int yunta_shared_create(void **memory, size_t size, size_t alignment, size_t count);

/* Gives it back, from any process of the team; only the start of a block will do. NULL is accepted. -EINVAL: no such
 * block, or freed already; nothing is done then. */
YUNTA_API int yunta_shared_free(void *memory);

/* The bytes asked for; 0 for NULL or what is no such block. */
YUNTA_API size_t yunta_shared_size(const void *memory);

/* The lock that belongs to the block: Python's get_lock. Not to be destroyed: it ends with the block. NULL for what is
 * no such block. */
YUNTA_API yunta_lock *yunta_shared_lock(const void *memory);

/* The team's arena in figures. */
typedef struct yunta_arena_stats {
    uint64_t limit;     /* bytes of address space that it may fill */
    uint64_t file;      /* bytes of memory reserved from the system */
    uint64_t in_use;    /* bytes in blocks handed out */
    uint64_t blocks;    /* blocks handed out */
    uint64_t deaths;    /* processes of the team whose end was noticed so far */
    uint64_t processes; /* processes of the team that live */
    uint64_t reserved[2];
} yunta_arena_stats;

/* Reads them. They are counted while others go on, so sums may be off by what moves meanwhile. -EINVAL: NULL; -ENOMEM.
 */
YUNTA_API int yunta_arena_read_stats(yunta_arena_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
