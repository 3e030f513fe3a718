/* Readings of /proc and of other processes' processor clocks.
 * Must never be part of what is measured: it opens hundreds of files.
 * Read next: ../bench_idle.c, which needs it. */
#include "procs.h"
#include "bench.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Which file a line of /proc/PID/maps speaks of. */
struct file_id {
    unsigned long major, minor, inode;
};

struct mapping {
    uintptr_t start, end;
    struct file_id file;
};

/* "start-end permissions offset major:minor inode …" */
static bool read_mapping(const char *line, struct mapping *m)
{
    char *at;
    m->start = strtoul(line, &at, 16);
    if (*at != '-')
        return false;
    m->end = strtoul(at + 1, &at, 16);
    at += strcspn(at + 1, " ") + 1;
    strtoul(at, &at, 16);
    m->file.major = strtoul(at, &at, 16);
    if (*at != ':')
        return false;
    m->file.minor = strtoul(at + 1, &at, 16);
    m->file.inode = strtoul(at, &at, 10);
    return true;
}

/* Finds the mapping of process `name` that is of `file`, or, where that is NULL, has `address` in it; gives its file.
 */
static bool find_mapping(const char *name, const struct file_id *file, uintptr_t address, struct file_id *found)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%.20s/maps", name);
    FILE *maps = fopen(path, "r");
    if (!maps)
        return false; /* gone meanwhile, or not ours to read */
    bool hit = false;
    struct mapping m;
    while (!hit && fgets(line, sizeof line, maps)) {
        if (!read_mapping(line, &m))
            continue;
        hit = file ? m.file.inode == file->inode && m.file.major == file->major && m.file.minor == file->minor
                   : address >= m.start && address < m.end;
    }
    fclose(maps);
    if (hit)
        *found = m.file;
    return hit;
}

size_t bench_procs_sharing(const void *memory, pid_t *pids, size_t capacity)
{
    struct file_id file, ignored;
    if (!find_mapping("self", NULL, (uintptr_t)memory, &file) || file.inode == 0)
        bench_wrong("the memory at %p is of no file", memory);
    DIR *proc = opendir("/proc");
    if (!proc)
        bench_wrong("no /proc");
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(proc));) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 0 || pid == getpid() || !find_mapping(entry->d_name, &file, 0, &ignored))
            continue;
        if (count < capacity)
            pids[count] = pid;
        count++;
    }
    closedir(proc);
    return count;
}

int64_t bench_procs_cpu_ns(pid_t pid)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        bench_wrong("process %d has ended while idle", (int)pid);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static double pss_kib(pid_t pid)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *file = fopen(path, "r");
    double kib = -1;
    while (file && kib < 0 && fgets(line, sizeof line, file))
        if (strncmp(line, "Pss:", 4) == 0)
            kib = strtod(line + 4, NULL);
    if (file)
        fclose(file);
    if (kib < 0)
        bench_wrong("%s cannot be read", path);
    return kib;
}

double bench_procs_mean_pss_kib(const pid_t *pids, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += pss_kib(pids[i]);
    return sum / (double)count;
}
