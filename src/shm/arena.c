/* The arena's file, its window of addresses, and its growth.
 * Never shrinks the file, never waits for another process, never maps over anything.
 * Next: shm/slot.c, shm/heap.c (who recycles what this hands out), shm/self.c (who makes it). */
#include "shm/arena.h"
#include "os/memfd.h"
#include "os/numa.h"
#include "os/tool.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* Below the lowest address of position-independent programs, clear of every sanitizer's shadow on x86-64 and free on
 * 48-bit aarch64: 0x5500_0000_0000 up to 0x5550_0000_0000. */
static const uint64_t window = UINT64_C(0x550000000000);

/* Valgrind's leak search reads every word of it, and a word behind the end of the file costs it a signal: there the
 * file is as long as the window from the start, and both are small. */
static const uint64_t window_under_valgrind = UINT64_C(256) << 20;

static void *map_at(uint64_t address, uint64_t limit, int fd)
{
    int flags = MAP_SHARED | MAP_NORESERVE | (address ? MAP_FIXED_NOREPLACE : 0);
    void *p = mmap((void *)(uintptr_t)address, limit, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (p == MAP_FAILED)
        return NULL;
    /* Kernels before 4.17 take FIXED_NOREPLACE for a hint. */
    if (address && (uint64_t)(uintptr_t)p != address) {
        munmap(p, limit);
        errno = EEXIST;
        return NULL;
    }
    /* Else a core dump would read every hole of the window into existence. */
    madvise(p, limit, MADV_DONTDUMP);
    return p;
}

/* The largest window that the system grants: smaller ones first at the wanted address, then anywhere. */
static void *find_window(int fd, uint64_t *limit)
{
    static const uint64_t sizes[] = {(uint64_t)256 << 30, (uint64_t)64 << 30,  (uint64_t)16 << 30, (uint64_t)4 << 30,
                                     (uint64_t)1 << 30,   (uint64_t)256 << 20, (uint64_t)64 << 20, YN_ARENA_LEAST};
    uint64_t wanted = *limit;
    for (int anywhere = 0; anywhere < 2; anywhere++) {
        for (size_t i = 0; i < YN_COUNT(sizes); i++) {
            uint64_t size = wanted ? wanted : sizes[i];
            void *p = map_at(anywhere ? 0 : window, size, fd);
            if (p) {
                *limit = size;
                return p;
            }
            if (wanted)
                break;
        }
    }
    return NULL;
}

static void init_head(yn_arena_shared *arena, const struct stat *file, uint64_t limit)
{
    arena->device = file->st_dev;
    arena->inode = file->st_ino;
    arena->base = (uint64_t)(uintptr_t)arena;
    arena->limit = limit;
    arena->grain = YN_ARENA_GRAIN;
    if (getrandom(&arena->serial, sizeof arena->serial, GRND_NONBLOCK) != (ssize_t)sizeof arena->serial)
        arena->serial = yn_now_ns() ^ (uint64_t)getpid() << 48;
    yn_tie_init(&arena->ties, !yn_tool_is_valgrind()); /* which knows no sleep on two words */
    atomic_init(&arena->slots.segment[0], arena->slots.first);
    uint64_t end = yn_round_up(sizeof *arena, YN_ARENA_GRAIN);
    atomic_init(&arena->end, end);
    atomic_init(&arena->reserved, end);
    arena->magic = YN_ARENA_MAGIC;
}

int yn_arena_create(yn_arena_shared **arena, int *fd, uint64_t limit)
{
    int file = yn_memfd_create("yunta");
    if (file < 0)
        return file;
    bool is_valgrind = yn_tool_is_valgrind();
    if (is_valgrind && limit == 0)
        limit = window_under_valgrind;
    struct stat s;
    int r = fstat(file, &s) == 0 ? 0 : -errno;
    if (r == 0)
        r = yn_memfd_reserve(file, 0, yn_round_up(sizeof(yn_arena_shared), YN_ARENA_GRAIN));
    if (r == 0 && is_valgrind)
        r = yn_memfd_reserve(file, limit - YN_ARENA_GRAIN, YN_ARENA_GRAIN);
    void *p = r == 0 ? find_window(file, &limit) : NULL;
    if (!p) {
        close(file);
        return r != 0 ? r : -ENOMEM;
    }
    init_head(p, &s, limit);
    *arena = p;
    *fd = file;
    return 0;
}

int yn_arena_attach(yn_arena_shared **arena, int fd)
{
    struct stat s;
    uint64_t head[3]; /* magic, base, limit */
    if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode) || pread(fd, head, sizeof head, 0) != (ssize_t)sizeof head ||
        head[0] != YN_ARENA_MAGIC)
        return -EBADF;
    void *p = map_at(head[1], head[2], fd);
    if (!p)
        return errno == EEXIST ? -EADDRINUSE : -errno;
    *arena = p;
    if ((*arena)->grain == YN_HUGE_BYTES)
        yn_huge_ask(p, head[2]);
    return 0;
}

/* A program that closes all descriptors, as daemons do, closes ours too, and opens its own under their numbers: one of
 * its files would be made longer, or lose what is in it. */
static bool is_file_of(const yn_arena_shared *arena, int fd)
{
    struct stat s;
    return fstat(fd, &s) == 0 && s.st_ino == arena->inode && s.st_dev == arena->device;
}

int yn_arena_reserve(const yn_arena_shared *arena, int fd, uint64_t offset, uint64_t bytes)
{
    int r = is_file_of(arena, fd) ? yn_memfd_reserve(fd, offset, bytes) : -EBADF;
    if (r == 0 && arena->grain == YN_HUGE_BYTES)
        yn_huge_make((char *)arena + offset, bytes);
    return r;
}

int yn_arena_discard(const yn_arena_shared *arena, int fd, uint64_t offset, uint64_t bytes)
{
    return is_file_of(arena, fd) ? yn_memfd_discard(fd, offset, bytes) : -EBADF;
}

void *yn_arena_extend(yn_arena_shared *arena, int fd, uint64_t bytes, uint64_t alignment, int *error)
{
    *error = -ENOMEM;
    if (bytes == 0 || bytes > arena->limit)
        return NULL;
    bytes = yn_round_up(bytes, arena->grain);
    alignment = alignment > arena->grain ? alignment : arena->grain;
    uint64_t end = atomic_load_explicit(&arena->end, memory_order_relaxed), start;
    do {
        start = yn_round_up(end, alignment);
        if (start > arena->limit || bytes > arena->limit - start)
            return NULL;
    } while (!atomic_compare_exchange_weak(&arena->end, &end, start + bytes));
    int r = yn_arena_reserve(arena, fd, start, bytes);
    if (r != 0) {
        uint64_t mine = start + bytes; /* if nobody has extended since, nothing is lost */
        atomic_compare_exchange_strong(&arena->end, &mine, end);
        *error = r;
        return NULL;
    }
    atomic_fetch_add_explicit(&arena->reserved, bytes, memory_order_relaxed);
    *error = 0;
    return (void *)(uintptr_t)(arena->base + start);
}
