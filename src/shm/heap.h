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

/* Meets the page of this process's hints by a store: see yn_arena_touch. */
void yn_heap_touch(yn_self *me);

/* Gives a block back, from whichever process. NULL is fine. -EINVAL, and nothing done, for what is no block or is free
 * already. */
int yn_heap_free(yn_self *me, void *block);

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

#endif
