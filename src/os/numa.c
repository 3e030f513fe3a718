/* NUMA nodes and huge pages.
 * Must never need libnuma, nor a system that has more than one node.
 * Next: shm/placement.c, who asks for it. */
#include "os/numa.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

#define MOVE_PAGES 2u /* MPOL_MF_MOVE */
#define AT_ADDRESS 2u /* MPOL_F_ADDR */
#define LONG_BITS (8 * sizeof(unsigned long))

static bool read_number(const char **text, unsigned *number)
{
    if (!isdigit((unsigned char)**text))
        return false;
    char *end;
    unsigned long value = strtoul(*text, &end, 10);
    *text = end;
    *number = (unsigned)value;
    return value < YN_NODES_MOST;
}

bool yn_nodes_read(const char *text, yn_nodes *nodes)
{
    yn_nodes read = {{0}};
    for (;; text++) {
        unsigned first, last;
        if (!read_number(&text, &first))
            return false;
        last = first;
        if (*text == '-' && (text++, !read_number(&text, &last) || last < first))
            return false;
        for (unsigned node = first; node <= last; node++)
            read.bits[node / LONG_BITS] |= 1ul << node % LONG_BITS;
        if (*text != ',')
            break;
    }
    if (*text != '\0')
        return false;
    *nodes = read;
    return true;
}

yn_nodes yn_nodes_existing(void)
{
    yn_nodes nodes = {{1}};
    char text[4096];
    FILE *file = fopen("/sys/devices/system/node/has_memory", "re");
    if (file && fgets(text, sizeof text, file)) {
        text[strcspn(text, "\n")] = '\0';
        yn_nodes_read(text, &nodes);
    }
    if (file)
        fclose(file);
    return nodes;
}

bool yn_nodes_within(const yn_nodes *nodes, const yn_nodes *all)
{
    for (size_t i = 0; i < YN_COUNT(nodes->bits); i++)
        if (nodes->bits[i] & ~all->bits[i])
            return false;
    return true;
}

int yn_numa_place(void *start, uint64_t bytes, enum yn_numa_mode mode, const yn_nodes *nodes)
{
    bool counts = mode == YN_NUMA_BIND || mode == YN_NUMA_INTERLEAVE;
    /* The kernel takes the number of bits for one more than there are. */
    long r = syscall(SYS_mbind, start, bytes, (unsigned long)mode, counts ? nodes->bits : NULL,
                     counts ? (unsigned long)YN_NODES_MOST + 1 : 0ul, MOVE_PAGES);
    return r == 0 ? 0 : -errno;
}

int yn_numa_mode_at(const void *p, int *mode)
{
    yn_nodes nodes;
    long r = syscall(SYS_get_mempolicy, mode, nodes.bits, (unsigned long)YN_NODES_MOST + 1, p, AT_ADDRESS);
    if (r == 0)
        *mode &= 0xff; /* the rest are flags */
    return r == 0 ? 0 : -errno;
}

int yn_huge_ask(void *start, uint64_t bytes)
{
    return madvise(start, bytes, MADV_HUGEPAGE) == 0 ? 0 : -errno;
}

void yn_huge_make(char *start, uint64_t bytes)
{
    uint64_t first = ((uint64_t)(uintptr_t)start + YN_HUGE_BYTES - 1) / YN_HUGE_BYTES * YN_HUGE_BYTES;
    uint64_t end = ((uint64_t)(uintptr_t)start + bytes) / YN_HUGE_BYTES * YN_HUGE_BYTES;
    if (first < end)
        madvise((void *)(uintptr_t)first, end - first, MADV_COLLAPSE);
}

uint64_t yn_huge_mapped(const void *p)
{
    char line[512];
    bool here = false;
    uint64_t kib = 0;
    FILE *file = fopen("/proc/self/smaps", "re");
    while (file && fgets(line, sizeof line, file)) {
        unsigned long long begin, end, size;
        if (sscanf(line, "%llx-%llx ", &begin, &end) == 2)
            here = (uintptr_t)p >= begin && (uintptr_t)p < end;
        else if (here && sscanf(line, "ShmemPmdMapped: %llu", &size) == 1)
            kib = size;
    }
    if (file)
        fclose(file);
    return kib * 1024;
}
