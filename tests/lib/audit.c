/* What a test must not leave behind: children, processes of its group, descriptors; and a whole program: processes.
 * It must not repair anything, nor wait for longer than an end may take.
 * Read next: a test, as tests/sync/test_lock.c. */
#include "audit.h"

#include "os/life.h"
#include "shm/self.h"
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A process that is killed may take so long to be gone. */
#define END_MS 2000

/* What the library itself keeps open in a process, from first use to its end: the arena's memory, what the watch waits
 * on, sockets, and a pidfd by which it sees the watch. One more once it has waited, or polled, by a descriptor. */
#define OWN_DESCRIPTORS 7

/* Where each descriptor of this process leads; "" if it is closed. */
struct descriptors {
    char (*links)[64];
    size_t size, open;
};
static struct descriptors before;

static void note_descriptor(struct descriptors *seen, const char *name)
{
    size_t descriptor = strtoul(name, NULL, 10);
    if (descriptor >= seen->size) {
        size_t size = 2 * descriptor + 64;
        seen->links = realloc(seen->links, size * sizeof *seen->links);
        ck_assert_ptr_nonnull(seen->links);
        memset(seen->links[seen->size], 0, (size - seen->size) * sizeof *seen->links);
        seen->size = size;
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%zu", descriptor);
    char *link = seen->links[descriptor];
    ssize_t n = readlink(path, link, sizeof *seen->links - 1);
    link[n > 0 ? n : 0] = '\0';
    seen->open++;
}

static struct descriptors read_descriptors(void)
{
    struct descriptors seen = {0};
    DIR *folder = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.' && strtol(entry->d_name, NULL, 10) != dirfd(folder))
            note_descriptor(&seen, entry->d_name);
    closedir(folder);
    return seen;
}

size_t test_descriptor_count(void)
{
    struct descriptors now = read_descriptors();
    free(now.links);
    return now.open;
}

/* The library's own: close-on-exec, and of a kind that it keeps. A pidfd but the watch's, an event or a pipe is always
 * somebody's leak, but without pidfds (Valgrind) a pipe stands in for one. */
static bool may_be_own(size_t descriptor, const char *link)
{
    int flags = fcntl((int)descriptor, F_GETFD);
    bool kind = strncmp(link, "/memfd:", 7) == 0 || strncmp(link, "socket:", 7) == 0 ||
                strcmp(link, "anon_inode:[eventpoll]") == 0 ||
                (int)descriptor == atomic_load(&yn_private_page->watch_seen) - 1 ||
                (atomic_load(&yn_life_no_pidfds) && strncmp(link, "pipe:", 5) == 0);
    return kind && flags >= 0 && (flags & FD_CLOEXEC);
}

static void audit_descriptors(void)
{
    struct descriptors now = read_descriptors();
    int own = 0;
    for (size_t i = 0; i < now.size || i < before.size; i++) {
        const char *was = i < before.size ? before.links[i] : "", *is = i < now.size ? now.links[i] : "";
        if (strcmp(was, is) == 0)
            continue;
        ck_assert_msg(is[0] != '\0', "descriptor %zu (%s) was closed", i, was);
        ck_assert_msg(was[0] == '\0', "descriptor %zu was %s and is %s", i, was, is);
        ck_assert_msg(may_be_own(i, is), "descriptor %zu (%s) is left open", i, is);
        own++;
    }
    int most = OWN_DESCRIPTORS + (atomic_load(&yn_private_page->watch_bell) != 0);
    ck_assert_msg(own <= most, "%d descriptors are left open", own);
    free(now.links);
    free(before.links);
}

struct group {
    pid_t group, self, found;
};

static void look_for_group(pid_t pid, void *context)
{
    struct group *group = context;
    struct test_stat stat;
    if (pid != group->self && test_read_stat(pid, &stat) && stat.group == group->group && stat.state != 'Z')
        group->found = pid;
}

static pid_t other_of_group(void)
{
    struct group group = {.group = getpgrp(), .self = getpid()};
    if (group.group == getpid()) /* Check gave this test a group of its own */
        test_each_process(look_for_group, &group);
    return group.found;
}

void test_audit_processes(void)
{
    siginfo_t child = {0};
    int r = waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT);
    ck_assert_msg(r < 0 && errno == ECHILD, "a child is left: pid %d, %s", (int)child.si_pid,
                  child.si_pid ? "a zombie" : "still running");
    uint64_t end = test_now_ms() + END_MS;
    for (pid_t pid; (pid = other_of_group()) != 0; test_nap())
        ck_assert_msg(test_now_ms() < end, "process %d of this group is left", (int)pid);
}

void test_audit_begin(void)
{
    before = read_descriptors();
}

void test_audit_end(void)
{
    test_audit_processes();
    audit_descriptors();
}

struct program {
    struct stat executable;
    pid_t self, found;
};

static bool read_executable(pid_t pid, struct stat *executable)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    return stat(path, executable) == 0;
}

static void look_for_program(pid_t pid, void *context)
{
    struct program *program = context;
    struct stat executable;
    if (pid != program->self && read_executable(pid, &executable) && executable.st_ino == program->executable.st_ino &&
        executable.st_dev == program->executable.st_dev)
        program->found = pid;
}

/* Whoever runs this program's file is ours, whatever session or parent it has: the watch, a forkserver, orphans. Under
 * Valgrind all programs run Valgrind's file. */
bool test_audit_program(void)
{
    struct program program = {.self = getpid()};
    if (test_is_valgrind() || !read_executable(getpid(), &program.executable))
        return true;
    uint64_t end = test_now_ms() + END_MS;
    for (;;) {
        program.found = 0;
        test_each_process(look_for_program, &program);
        if (!program.found)
            return true;
        if (test_now_ms() >= end)
            break;
        test_nap();
    }
    fprintf(stderr, "audit: process %d of this program is left\n", (int)program.found);
    return false;
}
