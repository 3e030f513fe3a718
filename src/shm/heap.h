/* Heap: blocks of the arena, allocated and freed by any process of the team. See README.md for the invariants. */
#ifndef YN_HEAP_H
#define YN_HEAP_H

#include "shm/self.h"

/* Sets up arena->heap in a new arena. 0 or -ENOMEM. */
int yn_heap_create(yn_arena_shared *arena, int fd);

/* A block of at least `size` bytes, aligned to `alignment` (a power of two up to 4096; 0: 16). Not zeroed. NULL: no
 * memory. */
void *yn_heap_alloc(yn_self *me, size_t size, size_t alignment);

/* The same, zeroed, with a code: 0, -ENOMEM, or -errno. */
int yn_heap_alloc_zeroed(yn_self *me, void **block, size_t size, size_t alignment);

/* The same, of another kind than the library's own (heap_map.h). */
void *yn_heap_alloc_as(yn_self *me, uint32_t kind, size_t size, size_t alignment);
int yn_heap_alloc_zeroed_as(yn_self *me, uint32_t kind, void **block, size_t size, size_t alignment);

/* Meets the page of a lane that the slot has already by a store: see yn_arena_touch. */
void yn_heap_touch(yn_self *me);

/* This thread ends: another one may use its lane. */
void yn_heap_leave(yn_self *me);

/* Gives a block back, from whichever process. NULL is fine. -EINVAL, and nothing done, for what is no block or is free
 * already. */
int yn_heap_free(yn_self *me, void *block);
int yn_heap_free_as(yn_self *me, uint32_t kind, void *block);

/* Has the block end somewhere else without moving it. What is new of it is zero if `zeroed`, and if it was larger than
 * YN_SMALL_MOST and grows by pages; in what it has already, the caller zeroes. 0; -ENOMEM: it cannot, and nothing has
 * changed; -EINVAL: no such block. */
int yn_heap_resize_in_place(yn_self *me, uint32_t kind, void *block, size_t size, bool zeroed);

/* Has it hold `size` bytes, where it stands or somewhere else; NULL, and it is as it was: no memory, or no such block
 * (heap_user.c). */
void *yn_heap_realloc(yn_self *me, uint32_t kind, void *block, size_t size);

/* How many bytes the block at `block` can hold; 0 if there is none. */
size_t yn_heap_usable(yn_self *me, const void *block);

/* The block that an address lies in, and how many bytes it can hold; NULL if it lies in none that is allocated. Any
 * address will do. */
void *yn_heap_find(yn_self *me, const void *p, size_t *usable);

/* Bytes in blocks handed out, and how many of these there are: counted at the call by a walk over the heap, so that no
 * death makes it wrong. */
typedef struct yn_heap_figures {
    uint64_t in_use, blocks;
} yn_heap_figures;
void yn_heap_read(yn_self *me, yn_heap_figures *figures);

/* For who has nothing to do: gives memory back that nobody has needed for a second, a few MiB in each call. When to
 * call again: YN_NEVER, or a time, which may be past. */
yn_deadline yn_heap_rest(yn_self *me);

/* The walk: calls `count` for each block, with its stamp (heap_map.h). */
typedef struct yn_heap_tally yn_heap_tally;
struct yn_heap_tally {
    void (*count)(yn_heap_tally *tally, uint32_t stamp, size_t bytes);
    yn_heap_figures figures;
};
void yn_heap_count(yn_self *me, yn_heap_tally *tally);

#endif
