/* The watch: a small process that notices deaths. See README.md. */
#ifndef YN_WATCH_H
#define YN_WATCH_H

#include "proc/news.h"

/* Makes the watch by a raw clone without an exit signal, so that the program's wait does not see it. Its pid, or
 * -errno. To be called with all signals blocked. It ends at once if there is one. `shed_memory`: it gives the program's
 * memory back; *reaped_by: with which option of waitpid its end is to be waited for, and no other child's. */
long yn_watch_clone(yn_arena_shared *arena, const yn_team_fds *fds, uint32_t generation, bool shed_memory,
                    int *reaped_by);

/* How many members it has descriptors for, with such a limit of descriptors; 0: that is not known. */
static inline uint64_t yn_watch_capacity(uint64_t limit)
{
    enum { own = 16 };
    return limit > own ? limit - own : 0;
}

/* Inside the watch: closes all descriptors but those of the team. */
void yn_watch_shed_descriptors(const yn_team_fds *fds);

/* Inside the watch: gives back the private memory that came with the clone. */
void yn_watch_shed_memory(void);

#endif
