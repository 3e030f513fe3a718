/* The main function of every test program, its cases, and the helpers that only look.
 * It must not use what it tests, yunta_init apart.
 * Read next: audit.c. */
#include "test.h"

#include "audit.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int test_main(int argc, char **argv, Suite *(*make)(void))
{
    int r = yunta_init(argc, argv);
    if (r < 0) {
        fprintf(stderr, "yunta_init: %s\n", yunta_strerror(r));
        return 1;
    }
    SRunner *runner = srunner_create(make());
    srunner_run_all(runner, CK_ENV);
    bool good = srunner_ntests_failed(runner) == 0 && srunner_ntests_run(runner) > 0;
    srunner_free(runner);
    return test_audit_program() && good ? 0 : 1;
}

TCase *test_case_unaudited(Suite *suite, const char *name)
{
    TCase *cases = tcase_create(name);
    tcase_set_timeout(cases, 30);
    suite_add_tcase(suite, cases);
    return cases;
}

TCase *test_case(Suite *suite, const char *name)
{
    TCase *cases = test_case_unaudited(suite, name);
    tcase_add_checked_fixture(cases, test_audit_begin, test_audit_end);
    return cases;
}

uint64_t test_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

pid_t test_fork(void)
{
    pid_t pid = fork();
    if (pid != 0)
        ck_assert_int_gt(pid, 0);
    return pid;
}

void test_nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

bool test_read_stat(pid_t pid, struct test_stat *stat)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t n = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[n] = '\0';
    char *after_name = strrchr(line, ')'); /* the name may hold anything, brackets too */
    if (!after_name || strlen(after_name) < 4)
        return false;
    stat->state = after_name[2];
    stat->parent = (pid_t)strtol(after_name + 4, &after_name, 10);
    stat->group = (pid_t)strtol(after_name, NULL, 10);
    return true;
}

char test_state(pid_t pid)
{
    struct test_stat stat = {0};
    test_read_stat(pid, &stat);
    return stat.state;
}

bool test_is_running(pid_t pid)
{
    char state = test_state(pid);
    return state != 0 && state != 'Z' && state != 'X';
}

void test_each_process(void (*visit)(pid_t pid, void *context), void *context)
{
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; proc && (entry = readdir(proc)) != NULL;)
        if (isdigit((unsigned char)entry->d_name[0]))
            visit((pid_t)strtol(entry->d_name, NULL, 10), context);
    if (proc)
        closedir(proc);
}

struct children {
    pid_t parent, *pids;
    size_t capacity, count;
};

static void note_child(pid_t pid, void *context)
{
    struct children *children = context;
    struct test_stat stat;
    if (!test_read_stat(pid, &stat) || stat.parent != children->parent)
        return;
    if (children->count < children->capacity)
        children->pids[children->count] = pid;
    children->count++;
}

size_t test_children(pid_t pid, pid_t *children, size_t capacity)
{
    struct children found = {.parent = pid, .pids = children, .capacity = capacity};
    test_each_process(note_child, &found);
    return found.count;
}

void test_kill(pid_t pid)
{
    ck_assert_msg(pid > 1 && kill(pid, SIGKILL) == 0, "no process %d to kill", (int)pid);
    test_wait_until(!test_is_running(pid), 10000);
}

static bool is_valgrind;

__attribute__((constructor)) static void look_for_valgrind(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    is_valgrind = preloaded && strstr(preloaded, "vgpreload");
}

void test_fill_arena(void)
{
    for (size_t size = 1 << 20; size > 0; size -= size > 4096 ? size / 2 : 16) /* blocks of each size there is */
        while (yunta_heap_alloc(size))
            ;
}

bool test_is_valgrind(void)
{
    return is_valgrind;
}

int test_rounds(int full)
{
    int few = full / 20 > 3 ? full / 20 : 3;
    return is_valgrind && few < full ? few : full;
}
