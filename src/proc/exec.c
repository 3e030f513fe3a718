/* Building, doing and reading back the exec of this same program.
 * Never leaves a trace in the environment: the hand-over is one argument, which yunta_init takes.
 * Next: proc/launch_spawn.c, proc/init.c. */
#include "proc/exec.h"
#include "os/rawsys.h"
#include "os/tool.h"
#include "shm/heap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;
static char *program_name; /* argv[0] of this process; set once */

bool yn_exec_is_possible(void)
{
    return program_name != NULL;
}

void yn_exec_remember(const char *argv0)
{
    if (!program_name)
        program_name = strdup(argv0 ? argv0 : "yunta");
}

/* The file's own path, while it is still the file that runs; its name in /proc otherwise (renamed, deleted, replaced).
 * Valgrind reads the link as one expects, but behind the name in /proc is its own file. */
static void find_program(char *path, size_t size)
{
    struct stat running, named;
    ssize_t n = readlink("/proc/self/exe", path, size - 1);
    if (n > 0) {
        path[n] = '\0';
        if (yn_tool_is_valgrind())
            return;
        if (stat("/proc/self/exe", &running) == 0 && stat(path, &named) == 0 && running.st_dev == named.st_dev &&
            running.st_ino == named.st_ino)
            return;
    }
    snprintf(path, size, "/proc/self/exe");
}

/* Bytes of a NULL-terminated list and its strings. */
static size_t list_size(char *const *list, size_t *count)
{
    size_t size = sizeof(char *);
    for (*count = 0; list[*count]; (*count)++)
        size += sizeof(char *) + strlen(list[*count]) + 1;
    return size;
}

static char *put_string(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *start = *at;
    memcpy(start, text, size);
    *at += size;
    return start;
}

yn_exec_block_shared *yn_exec_prepare(yn_self *me, yunta_process *record, char *const *environment, int *error)
{
    char path[4096], slip[128];
    find_program(path, sizeof path);
    const yn_team_fds *t = &yn_team;
    snprintf(slip, sizeof slip, YN_EXEC_MARK "%llx:%d:%d:%d:%d:%d:%d", (unsigned long long)(uintptr_t)record, t->arena,
             t->epoll, t->news[0], t->news[1], t->server[0], t->server[1]);
    char *const *list = environment ? environment : environ;
    size_t count, size = sizeof(yn_exec_block_shared) + strlen(path) + strlen(slip) + strlen(program_name) + 3;
    size += list_size(list, &count);
    yn_exec_block_shared *block = yn_heap_alloc(me, size, 16);
    *error = block ? 0 : -ENOMEM;
    if (!block)
        return NULL;
    char **strings = (char **)(void *)(block + 1), *at = (char *)(strings + count + 1);
    *block = (yn_exec_block_shared){.environment = strings, .fds = *t};
    block->path = put_string(&at, path);
    block->argv[0] = put_string(&at, program_name);
    block->argv[1] = put_string(&at, slip);
    for (size_t i = 0; i < count; i++)
        strings[i] = put_string(&at, list[i]);
    strings[count] = NULL;
    return block;
}

int yn_exec_now(const yn_exec_block_shared *block)
{
    for (size_t i = 0; i < YN_COUNT(block->fds.all); i++)
        yn_raw3(SYS_fcntl, block->fds.all[i], F_SETFD, 0);
    return (int)yn_raw3(SYS_execve, block->path, block->argv, block->environment);
}

bool yn_exec_read(const char *argument, yn_team_fds *fds, uint64_t *record)
{
    unsigned long long address;
    char end;
    if (strncmp(argument, YN_EXEC_MARK, sizeof YN_EXEC_MARK - 1) != 0)
        return false;
    int n = sscanf(argument + sizeof YN_EXEC_MARK - 1, "%llx:%d:%d:%d:%d:%d:%d%c", &address, &fds->arena, &fds->epoll,
                   &fds->news[0], &fds->news[1], &fds->server[0], &fds->server[1], &end);
    *record = address;
    return n == 7;
}
