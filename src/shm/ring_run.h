/* Runs: several cells of a ring claimed one after the other, and the position moved once for all of them.
 *
 * Each cell is claimed as a single one is, first the cell and then the position, so that whoever meets half of a run
 * finds an owner's name in each cell of it. A run begins at the position and ends where a cell is not to be had, or
 * with the ring's last cell: so its cells follow each other in memory, and are of one lap. */
#ifndef YN_RING_RUN_H
#define YN_RING_RUN_H

#include "shm/ring.h"

#define YN_RUN_MOST UINT64_C(64) /* cells that one claim holds at most: so much a death or a stop can hold up */

/* Reserves up to `most` cells from the tail on: how many, and the first. Each is to be filled and published. 0: nothing
 * was done. */
uint64_t yn_ring_reserve_run(yn_claim me, yn_ring_shared *ring, uint64_t most, yn_hold *first);

/* Takes up to `most` messages, together no longer than `room`, from the head on: how many, and the first. Each is to be
 * released. 0: nothing was done. */
uint64_t yn_ring_take_run(yn_claim me, yn_ring_shared *ring, uint64_t room, uint64_t most, yn_hold *first);

/* The next one of a run. */
static inline yn_hold yn_run_next(yn_hold hold)
{
    return (yn_hold){hold.ring, yn_ring_cell_after(hold.ring, hold.cell), hold.position + 1};
}

#endif
