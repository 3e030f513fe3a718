/* Where the arena's memory lies: what the program chooses, and what is then in force.
 * Never fails a program for huge pages that are not to be had; never lets NUMA nodes be other than chosen.
 * Next: os/numa.c, the calls; shm/arena.c, which makes huge pages of what it reserves. */
#include "shm/placement.h"
#include "os/numa.h"
#include "shm/self.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <yunta/placement.h>

typedef struct choice {
    bool huge;
    yunta_numa numa;
    yn_nodes nodes;
} choice;

static choice chosen;

static const enum yn_numa_mode modes[] = {
    [YUNTA_NUMA_BY_SYSTEM] = YN_NUMA_DEFAULT,
    [YUNTA_NUMA_LOCAL] = YN_NUMA_LOCAL,
    [YUNTA_NUMA_INTERLEAVE] = YN_NUMA_INTERLEAVE,
    [YUNTA_NUMA_BIND] = YN_NUMA_BIND,
};

static int choose(const yunta_placement *placement, choice *c)
{
    yn_nodes all = yn_nodes_existing();
    bool takes_nodes = placement->numa == YUNTA_NUMA_INTERLEAVE || placement->numa == YUNTA_NUMA_BIND;
    if ((unsigned)placement->huge_pages > YUNTA_HUGE_WANTED || (unsigned)placement->numa >= YN_COUNT(modes) ||
        (placement->nodes && !takes_nodes))
        return -EINVAL;
    for (size_t i = 0; i < YN_COUNT(placement->reserved); i++)
        if (placement->reserved[i] != 0)
            return -EINVAL;
    *c = (choice){placement->huge_pages == YUNTA_HUGE_WANTED, placement->numa, all};
    if (placement->nodes && (!yn_nodes_read(placement->nodes, &c->nodes) || !yn_nodes_within(&c->nodes, &all)))
        return -EINVAL;
    return 0;
}

static int refusal(int r)
{
    return r == -ENOSYS ? -ENOTSUP : r;
}

/* Whether the system will do it, found out on memory of no importance. */
static int try_out(const choice *c)
{
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return -errno;
    int r = c->numa != YUNTA_NUMA_BY_SYSTEM ? refusal(yn_numa_place(p, bytes, modes[c->numa], &c->nodes)) : 0;
    if (r == 0 && c->huge && yn_huge_ask(p, bytes) != 0)
        r = -ENOTSUP;
    munmap(p, bytes);
    return r;
}

int yunta_set_placement(const yunta_placement *placement)
{
    choice c = {.huge = false};
    int r = placement ? choose(placement, &c) : 0;
    if (r != 0)
        return r;
    if (yn_self_has_team())
        return -EBUSY;
    if ((r = try_out(&c)) == 0)
        chosen = c;
    return r;
}

int yn_placement_apply(yn_arena_shared *arena)
{
    arena->numa = chosen.numa;
    if (chosen.huge && yn_huge_ask(arena, arena->limit) == 0)
        arena->grain = YN_HUGE_BYTES;
    return chosen.numa != YUNTA_NUMA_BY_SYSTEM ? yn_numa_place(arena, arena->limit, modes[chosen.numa], &chosen.nodes)
                                               : 0;
}

int yunta_read_placement(yunta_placement_state *state)
{
    int r = -EINVAL;
    yn_self *me = state ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    bool huge = me->arena->grain == YN_HUGE_BYTES;
    *state = (yunta_placement_state){.huge_pages = huge ? YUNTA_HUGE_WANTED : YUNTA_HUGE_BY_SYSTEM,
                                     .numa = (yunta_numa)me->arena->numa,
                                     .huge_bytes = yn_huge_mapped(me->arena)};
    return 0;
}
