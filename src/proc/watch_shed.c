/* What the watch gives back of the process that it was cloned from.
 * Never drops the stack it stands on or the thread's own storage; never touches the arena.
 * Next: proc/watch.c. */
#include "proc/watch.h"
#include "os/rawsys.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

static void close_between(unsigned first, unsigned last)
{
    if (yn_raw3(SYS_close_range, first, last, 0) == 0)
        return;
    struct rlimit limit;
    if (last == ~0u && yn_raw4(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) == 0)
        last = limit.rlim_cur < 1 << 20 ? (unsigned)limit.rlim_cur : 1 << 20;
    for (unsigned fd = first; fd <= last; fd++)
        yn_raw1(SYS_close, fd);
}

/* A descriptor kept open would keep its other end from seeing the end of file. */
void yn_watch_shed_descriptors(const yn_team_fds *fds)
{
    yn_team_fds keep = *fds;
    unsigned from = 0;
    for (size_t left = YN_COUNT(keep.all); left > 0; left--) {
        size_t least = 0;
        for (size_t i = 1; i < left; i++)
            least = keep.all[i] < keep.all[least] ? i : least;
        unsigned kept = (unsigned)keep.all[least];
        if (kept > from)
            close_between(from, kept - 1);
        from = kept + 1;
        keep.all[least] = keep.all[left - 1];
    }
    close_between(from, ~0u);
}

typedef struct map_line {
    uint64_t from, to;
    bool is_private_data; /* anonymous, private, writable */
} map_line;

static uint64_t hex(const char **p)
{
    uint64_t n = 0;
    for (;; (*p)++) {
        char c = **p;
        if (c >= '0' && c <= '9')
            n = n * 16 + (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            n = n * 16 + (uint64_t)(c - 'a' + 10);
        else
            return n;
    }
}

/* "from-to rw-p offset dev inode [name]" */
static map_line parse(const char *p)
{
    map_line line = {0};
    line.from = hex(&p);
    p++;
    line.to = hex(&p);
    bool ok = p[1] == 'r' && p[2] == 'w' && p[4] == 'p';
    int spaces = 0;
    for (p++; *p != '\n' && spaces < 3; p++)
        spaces += *p == ' ';
    line.is_private_data = ok && *p == '0'; /* inode 0 */
    return line;
}

/* Its copy-on-write references would double the memory of a large program that goes on writing. What is small is not
 * worth it, and may hold the data of libraries. */
static void shed(const map_line *line)
{
    enum { worth = 1 << 20 };
    char here;
    uint64_t stack = (uint64_t)(uintptr_t)&here, thread = (uint64_t)(uintptr_t)__builtin_thread_pointer();
    bool holds_us = (stack >= line->from && stack < line->to) || (thread >= line->from && thread < line->to);
    if (line->is_private_data && !holds_us && line->to - line->from >= worth)
        yn_raw3(SYS_madvise, line->from, line->to - line->from, MADV_DONTNEED);
}

void yn_watch_shed_memory(void)
{
    char text[4096];
    size_t have = 0;
    int fd = (int)yn_raw4(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return;
    for (;;) {
        long n = yn_raw3(SYS_read, fd, text + have, sizeof text - have);
        if (n <= 0)
            break;
        have += (size_t)n;
        size_t start = 0;
        for (size_t i = 0; i < have; i++) {
            if (text[i] != '\n')
                continue;
            map_line line = parse(text + start);
            shed(&line);
            start = i + 1;
        }
        if (start == 0 && have == sizeof text)
            start = have; /* a line longer than any path: its rest is no line of ours */
        have -= start;
        __builtin_memmove(text, text + start, have);
    }
    yn_raw1(SYS_close, fd);
}
