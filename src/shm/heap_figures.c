/* Who has how much of the heap: counted block by block, by the stamps.
 * Never keeps a count that a death could leave wrong.
 * Next: shm/heap.c (the walk), shm/heap_map.h (the stamps). */
#include "shm/heap_map.h"
#include "shm/heap.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <yunta/heap.h>

typedef struct stats_tally {
    yn_heap_tally tally;
    yunta_heap_stats *stats;
} stats_tally;

static void count_stats(yn_heap_tally *tally, uint32_t stamp, size_t bytes)
{
    yunta_heap_stats *stats = ((stats_tally *)tally)->stats;
    bool is_own = (stamp & YN_STAMP_KIND) == YN_HEAP_OWN;
    *(is_own ? &stats->own_bytes : &stats->in_use) += bytes;
    *(is_own ? &stats->own_blocks : &stats->blocks) += 1;
}

int yunta_heap_read_stats(yunta_heap_stats *stats)
{
    int r = -EINVAL;
    yn_self *me = stats ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    struct stat s;
    uint64_t file = fstat(me->arena_fd, &s) == 0 ? (uint64_t)s.st_blocks * 512 : 0;
    *stats = (yunta_heap_stats){.limit = me->arena->limit, .file = file};
    yn_heap_count(me, &(stats_tally){{.count = count_stats}, stats}.tally);
    return 0;
}

typedef struct holder {
    uint32_t stamp; /* without a kind; 0: of the dead */
    yunta_heap_holder figures;
} holder;

typedef struct holders_tally {
    yn_heap_tally tally;
    yn_slot_table_shared *slots;
    holder *holder; /* the first one is the dead */
    size_t count, room, last;
    uint32_t last_stamp;
    bool is_out_of_memory;
} holders_tally;

/* The pid of the living process that a stamp speaks of; 0 if there is none. */
static int pid_of(yn_slot_table_shared *slots, uint32_t stamp)
{
    uint32_t number = stamp >> 2 & YN_SLOT_MOST;
    yn_slot_shared *slot = number < atomic_load(&slots->used) ? yn_slot_at(slots, number) : NULL;
    if (!slot)
        return 0;
    yn_claim claim = yn_claim_make(number, atomic_load(&slot->word) >> 24);
    return yn_stamp_of(claim) == stamp && yn_claim_is_alive(slots, claim) ? (int)yn_slot_pid(slot, claim) : 0;
}

static bool add_holder(holders_tally *all, uint32_t stamp, int pid)
{
    if (all->count == all->room) {
        size_t room = all->room * 2 + 16;
        holder *more = realloc(all->holder, sizeof *more * room);
        if (!more)
            return false;
        all->holder = more;
        all->room = room;
    }
    all->holder[all->count++] = (holder){stamp, {.pid = pid}};
    return true;
}

/* Blocks of one process mostly stand beside each other: so the last one looked for is asked first. */
static holder *find_holder(holders_tally *all, uint32_t stamp)
{
    if (all->last_stamp == stamp)
        return &all->holder[all->last];
    size_t i = 1;
    while (i < all->count && all->holder[i].stamp != stamp)
        i++;
    if (i == all->count) {
        int pid = pid_of(all->slots, stamp);
        if (pid == 0)
            i = 0;
        else if (!add_holder(all, stamp, pid))
            return NULL;
    }
    all->last = i;
    all->last_stamp = stamp;
    return &all->holder[i];
}

static void count_holders(yn_heap_tally *tally, uint32_t stamp, size_t bytes)
{
    holders_tally *all = (holders_tally *)tally;
    if ((stamp & YN_STAMP_KIND) == YN_HEAP_OWN)
        return;
    holder *h = find_holder(all, stamp & ~YN_STAMP_KIND);
    if (!h) {
        all->is_out_of_memory = true;
        return;
    }
    h->figures.in_use += bytes;
    h->figures.blocks++;
}

int yunta_heap_read_holders(yunta_heap_holder *holders, size_t room)
{
    int r = -EINVAL;
    yn_self *me = holders || room == 0 ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    holders_tally all = {.tally = {.count = count_holders}, .slots = &me->arena->slots, .last_stamp = 1};
    if (!add_holder(&all, 0, 0))
        return -ENOMEM;
    yn_heap_count(me, &all.tally);
    size_t count = 0;
    for (size_t i = 0; i < all.count; i++) {
        if (all.holder[i].figures.blocks == 0)
            continue;
        if (count < room)
            holders[count] = all.holder[i].figures;
        count++;
    }
    free(all.holder);
    return all.is_out_of_memory ? -ENOMEM : (int)count;
}
