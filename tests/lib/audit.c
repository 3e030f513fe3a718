/* What a test must not leave behind: children, processes of its group, descriptors; and a whole program: processes.
 * It must not repair anything, nor wait for longer than an end may take.
 * Read next: a test, as tests/base/test_error.c. */
#include "audit.h"

#include "test.h"

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

/* What the library itself keeps open in a process, from first use to its end: the arena's memory and sockets. */
#define OWN_DESCRIPTORS 6

#define LINK_SIZE 128
static char (*links_before)[LINK_SIZE]; /* where each descriptor led before the test; "" if closed */
static size_t links_size;

static size_t highest_descriptor(void)
{
    long most = sysconf(_SC_OPEN_MAX);
    return most > 0 && most < 4096 ? (size_t)most : 4096;
}

static bool read_link(size_t descriptor, char *link)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%zu", descriptor);
    ssize_t n = readlink(path, link, LINK_SIZE - 1);
    link[n > 0 ? n : 0] = '\0';
    return n > 0;
}

size_t test_descriptor_count(void)
{
    char link[LINK_SIZE];
    size_t count = 0;
    for (size_t i = 0; i < highest_descriptor(); i++)
        count += read_link(i, link);
    return count;
}

/* The library's own: close-on-exec, and of a kind that it keeps. A pidfd, an event or a pipe is always somebody's leak,
 * but without pidfds (Valgrind) a pipe stands in for one. */
static bool may_be_own(size_t descriptor, const char *link)
{
    int flags = fcntl((int)descriptor, F_GETFD);
    bool kind = strncmp(link, "/memfd:", 7) == 0 || strncmp(link, "socket:", 7) == 0 ||
                (test_is_valgrind() && strncmp(link, "pipe:", 5) == 0);
    return kind && flags >= 0 && (flags & FD_CLOEXEC);
}

static void audit_descriptors(void)
{
    char link[LINK_SIZE];
    int own = 0;
    for (size_t i = 0; i < links_size; i++) {
        bool open = read_link(i, link);
        if (strcmp(link, links_before[i]) == 0)
            continue;
        ck_assert_msg(open, "descriptor %zu (%s) was closed", i, links_before[i]);
        ck_assert_msg(links_before[i][0] == '\0', "descriptor %zu was %s and is %s", i, links_before[i], link);
        ck_assert_msg(may_be_own(i, link), "descriptor %zu (%s) is left open", i, link);
        own++;
    }
    ck_assert_msg(own <= OWN_DESCRIPTORS, "%d descriptors are left open", own);
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
    links_size = highest_descriptor();
    links_before = calloc(links_size, sizeof *links_before);
    ck_assert_ptr_nonnull(links_before);
    for (size_t i = 0; i < links_size; i++)
        read_link(i, links_before[i]);
}

void test_audit_end(void)
{
    test_audit_processes();
    audit_descriptors();
    free(links_before);
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
