/* How many processors this process may use, by affinity and by quota.
 * Never answers less than 1.
 * Next: os/text.c. */
#include "os/cpu.h"
#include "base/base.h"
#include "os/text.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <yunta/init.h>

static int affinity_count(void)
{
    for (size_t cpus = 1024; cpus <= 1u << 20; cpus *= 2) {
        size_t size = CPU_ALLOC_SIZE(cpus);
        cpu_set_t *set = CPU_ALLOC(cpus);
        if (!set)
            break;
        int r = sched_getaffinity(0, size, set);
        int count = r == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (r == 0)
            return count > 0 ? count : 1;
        if (errno != EINVAL)
            break;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

/* The quota of one cgroup in processors, rounded up; UINT64_MAX if it has none. */
static uint64_t quota_count(const char *folder)
{
    char path[512], text[64];
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    uint64_t quota = yn_text_number(path, NULL), period = 0;
    if (quota != UINT64_MAX) {
        snprintf(text, sizeof text, "%llu ", (unsigned long long)quota);
        period = yn_text_number(path, text);
    } else {
        snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
        quota = yn_text_number(path, NULL);
        snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
        period = yn_text_number(path, NULL);
    }
    if (quota == UINT64_MAX || period == UINT64_MAX || period == 0)
        return UINT64_MAX;
    return (quota + period - 1) / period;
}

int yunta_cpu_count(void)
{
    uint64_t count = (uint64_t)affinity_count();
    char folder[384];
    for (int up = 0; yn_cgroup_folder("cpu", up, folder, sizeof folder); up++) {
        uint64_t quota = quota_count(folder);
        count = quota < count ? quota : count;
    }
    return count > 0 ? (int)count : 1;
}

int yn_cpu_count_known(void)
{
    static _Atomic int known;
    int count = atomic_load_explicit(&known, memory_order_relaxed);
    if (count == 0) {
        count = yunta_cpu_count();
        atomic_store_explicit(&known, count, memory_order_relaxed);
    }
    return count;
}

uint32_t yn_processor(void)
{
    int number = sched_getcpu();
    return number < 0 ? 0 : (uint32_t)number + 1;
}
