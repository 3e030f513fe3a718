/* On which NUMA nodes memory lies, and whether in huge pages, by the kernel's own calls. */
#ifndef YN_NUMA_H
#define YN_NUMA_H

#include "base/base.h"

#define YN_NODES_MOST 1024u /* the kernel's own limit */
#define YN_HUGE_BYTES ((uint64_t)2 << 20)

typedef struct yn_nodes {
    unsigned long bits[YN_NODES_MOST / (8 * sizeof(unsigned long))];
} yn_nodes;

/* The kernel's MPOL_…, whose header not every system has. */
enum yn_numa_mode { YN_NUMA_DEFAULT = 0, YN_NUMA_BIND = 2, YN_NUMA_INTERLEAVE = 3, YN_NUMA_LOCAL = 4 };

/* Reads a list such as "0-3,8". False: it is none, or names no node, or one beyond YN_NODES_MOST. */
bool yn_nodes_read(const char *text, yn_nodes *nodes);

/* The nodes that have memory; node 0 alone where the system does not tell. */
yn_nodes yn_nodes_existing(void);

bool yn_nodes_within(const yn_nodes *nodes, const yn_nodes *all);

/* Lays down where the pages of a mapping are to come from, and moves those that are there already; of a shared mapping
 * it holds for the file, and so for all who map it. The nodes count for BIND and INTERLEAVE. 0 or -errno. */
int yn_numa_place(void *start, uint64_t bytes, enum yn_numa_mode mode, const yn_nodes *nodes);

/* What holds for the page at an address. 0 or -errno. */
int yn_numa_mode_at(const void *p, int *mode);

/* Asks for huge pages in a mapping from now on. 0 or -errno: -EINVAL where the kernel has none. */
int yn_huge_ask(void *start, uint64_t bytes);

/* Makes huge pages of those that are there, where as many as one needs lie in the range. Where it is refused, or there
 * is no memory in one piece, they stay as they are. */
void yn_huge_make(char *start, uint64_t bytes);

/* Bytes that this process has mapped by huge pages, of the mapping that an address lies in. */
uint64_t yn_huge_mapped(const void *p);

#endif
