/* Memory files, reserved before use.
 * Never lets the kernel find out at a store what can be found out at the reservation.
 * Next: shm/arena.c. */
#include "os/memfd.h"
#include "os/text.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

int yn_memfd_create(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(name, MFD_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

int yn_memfd_create_sealable(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    fchmod(fd, S_IRUSR | S_IWUSR); /* else any user who is sent it for reading could open it anew for writing */
    return fd;
}

int yn_memfd_seals(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 ? seals : -errno;
}

int yn_memfd_seal(int fd, int seals)
{
    return fcntl(fd, F_ADD_SEALS, seals) == 0 ? 0 : -errno;
}

int yn_memfd_reopen_read_only(int fd)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int reopened = open(path, O_RDONLY | O_CLOEXEC);
    return reopened >= 0 ? reopened : -errno;
}

/* Of a limit, what is left to what nobody asks for: page tables, stacks, the programs' own memory. */
static uint64_t slack_of(uint64_t limit)
{
    const uint64_t most = UINT64_C(32) << 20;
    return limit / 32 < most ? limit / 32 : most;
}

/* One limit file against one usage file of a cgroup, in bytes left; page cache that can be dropped counts as left. */
static uint64_t cgroup_left(const char *folder, const char *limit_file, const char *usage_file, const char *cache_key)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, limit_file);
    uint64_t limit = yn_text_number(path, NULL);
    if (limit == UINT64_MAX || limit > (UINT64_C(1) << 60))
        return UINT64_MAX;
    snprintf(path, sizeof path, "%s/%s", folder, usage_file);
    uint64_t usage = yn_text_number(path, NULL);
    if (usage == UINT64_MAX)
        return UINT64_MAX;
    snprintf(path, sizeof path, "%s/memory.stat", folder);
    uint64_t cache = yn_text_number(path, cache_key);
    if (cache != UINT64_MAX)
        usage -= cache < usage ? cache : usage;
    usage += slack_of(limit);
    return limit > usage ? limit - usage : 0;
}

uint64_t yn_memory_left(void)
{
    uint64_t left = UINT64_MAX;
    uint64_t kib = yn_text_number("/proc/meminfo", "MemAvailable:");
    uint64_t swap = yn_text_number("/proc/meminfo", "SwapFree:");
    if (kib != UINT64_MAX)
        left = (kib + (swap == UINT64_MAX ? 0 : swap)) * 1024;
    char folder[384];
    for (int up = 0; yn_cgroup_folder("memory", up, folder, sizeof folder); up++) {
        uint64_t v2 = cgroup_left(folder, "memory.max", "memory.current", "inactive_file");
        uint64_t v1 = cgroup_left(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file");
        left = v2 < left ? v2 : left;
        left = v1 < left ? v1 : left;
    }
    return left;
}

/* Whether so much may be taken. Asking costs as much as some dozen fresh pages; so a part of what was left is then
 * taken without asking again, the less, the less there is: others take of the same, and as little as we they know of
 * it. */
static bool may_take(uint64_t bytes)
{
    enum { parts = 32 };
    static _Atomic uint64_t unasked;
    uint64_t have = atomic_load_explicit(&unasked, memory_order_relaxed);
    while (bytes <= have)
        if (atomic_compare_exchange_weak_explicit(&unasked, &have, have - bytes, memory_order_relaxed,
                                                  memory_order_relaxed))
            return true;
    uint64_t left = yn_memory_left();
    if (bytes > left)
        return false;
    atomic_store_explicit(&unasked, (left - bytes) / parts, memory_order_relaxed);
    return true;
}

static int reserve_piece(int fd, uint64_t offset, uint64_t bytes)
{
    for (;;) {
        if (fallocate(fd, 0, (off_t)offset, (off_t)bytes) == 0)
            return 0;
        if (errno != EINTR)
            return errno == ENOSPC || errno == EFBIG ? -ENOMEM : -errno;
    }
}

int yn_memfd_reserve(int fd, uint64_t offset, uint64_t bytes)
{
    enum { piece = 64 << 20 };
    struct rlimit file_size;
    /* Beyond this limit the kernel does not just refuse: it sends SIGXFSZ. */
    if (getrlimit(RLIMIT_FSIZE, &file_size) == 0 && file_size.rlim_cur != RLIM_INFINITY &&
        offset + bytes > file_size.rlim_cur)
        return -ENOMEM;
    if (!may_take(bytes))
        return -ENOMEM;
    for (uint64_t done = 0; done < bytes;) {
        uint64_t n = bytes - done < piece ? bytes - done : piece;
        int r = reserve_piece(fd, offset + done, n);
        if (r != 0) {
            if (done > 0)
                yn_memfd_discard(fd, offset, done);
            return r;
        }
        done += n;
    }
    return 0;
}

int yn_memfd_discard(int fd, uint64_t offset, uint64_t bytes)
{
    int r;
    do
        r = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes);
    while (r != 0 && errno == EINTR);
    return r == 0 ? 0 : -errno;
}
