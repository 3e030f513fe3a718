/* Where the arena's memory lies (placement.c). */
#ifndef YN_PLACEMENT_H
#define YN_PLACEMENT_H

#include "shm/arena.h"

/* Has a new arena, still unknown to others, placed as the program chose. 0 or -errno. */
int yn_placement_apply(yn_arena_shared *arena);

#endif
