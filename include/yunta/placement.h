/* Where the team's memory lies: in huge pages, and on which NUMA nodes. For programs with much shared memory; others
 * need not ask. */
#ifndef YUNTA_PLACEMENT_H
#define YUNTA_PLACEMENT_H

#include <yunta/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum yunta_huge_pages {
    YUNTA_HUGE_BY_SYSTEM = 0, /* as the system does it by itself: mostly not */
    YUNTA_HUGE_WANTED = 1 /* the arena grows by 2 MiB at a time, of which huge pages are made where the system can */
} yunta_huge_pages;

typedef enum yunta_numa {
    YUNTA_NUMA_BY_SYSTEM = 0,  /* by the policy of whoever makes the arena longer: mostly his own node */
    YUNTA_NUMA_LOCAL = 1,      /* on the node of whoever makes the arena longer, whatever his policy is */
    YUNTA_NUMA_INTERLEAVE = 2, /* page by page on all the nodes in turn */
    YUNTA_NUMA_BIND = 3        /* on these nodes alone: when they are full, there is no more memory */
} yunta_numa;

typedef struct yunta_placement {
    yunta_huge_pages huge_pages;
    yunta_numa numa;
    const char *nodes; /* for INTERLEAVE and BIND, "0-3,8" for example; NULL: all that have memory */
    uint64_t reserved[4];
} yunta_placement;

/* Chooses, before the first shared memory, process or pool is made, and for all processes of the team however they are
 * started. NULL: as if it had never been called. Each call replaces what the last one chose.
 *
 * Huge pages are the kernel's transparent ones, so that none have to be set aside by an administrator. Which are in
 * force yunta_read_placement tells; where the system has no memory in one piece, or is older than Linux 6.1 and set not
 * to make them, pages stay small, and nothing else changes. What is given back to the system is given back page by
 * page, which makes small pages of the rest of a huge one.
 *
 * Errors, and nothing chosen: -EINVAL: no such value, nodes that are no list or do not exist, nodes for who takes none;
 * -EBUSY: the arena stands already; -ENOTSUP: this kernel has no huge pages, or no NUMA policies; -EPERM: it does not
 * let us (in a container). */
YUNTA_API int yunta_set_placement(const yunta_placement *placement);

/* What is in force. */
typedef struct yunta_placement_state {
    yunta_huge_pages huge_pages; /* what was asked for */
    yunta_numa numa;
    uint64_t huge_bytes; /* of the arena, that this process has mapped as huge pages: those that it has touched */
    uint64_t reserved[4];
} yunta_placement_state;

/* Reads it. -EINVAL: NULL; -ENOMEM: there can be no team. */
YUNTA_API int yunta_read_placement(yunta_placement_state *state);

#ifdef __cplusplus
}
#endif

#endif
