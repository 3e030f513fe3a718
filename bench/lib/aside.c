/* The process beside this one that measures the references.
 * Must never call yunta: it is started before there is a team, and is none of its members.
 * Read next: ../references/reference.c, what runs in it. */
#include "aside.h"
#include "bench.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The program of that name in the directory of this one, on standard input and output; anything it has to say goes to
 * stderr. */
_Noreturn static void become(const char *program, int orders, int answers)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    char *name = strrchr(path, '/');
    if (name && (size_t)(name + 1 - path) + strlen(program) < sizeof path) {
        strcpy(name + 1, program);
        if (dup2(orders, STDIN_FILENO) >= 0 && dup2(answers, STDOUT_FILENO) >= 0)
            execl(path, path, (char *)NULL);
    }
    bench_wrong("%s cannot be started beside %s", program, path);
}

void bench_aside_start(struct bench_aside *aside, const char *program)
{
    int orders[2], answers[2];
    if (pipe2(orders, O_CLOEXEC) != 0 || pipe2(answers, O_CLOEXEC) != 0)
        bench_wrong("no pipe for the references");
    pid_t starter = getpid();
    aside->pid = fork();
    if (aside->pid < 0)
        bench_wrong("no process for the references");
    if (aside->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != starter)
            _exit(1);
        become(program, orders[0], answers[1]);
    }
    close(orders[0]);
    close(answers[1]);
    aside->orders = orders[1];
    aside->answers = answers[0];
}

struct bench_figures bench_aside_run(struct bench_aside *aside, const char *measure)
{
    char order[BENCH_NAME] = "";
    struct bench_figures figures;
    snprintf(order, sizeof order, "%s", measure);
    if (write(aside->orders, order, sizeof order) != (ssize_t)sizeof order ||
        read(aside->answers, &figures, sizeof figures) != (ssize_t)sizeof figures)
        bench_wrong("the process of the references has ended during %s", measure);
    return figures;
}

void bench_aside_stop(struct bench_aside *aside)
{
    close(aside->orders);
    close(aside->answers);
    int status;
    if (waitpid(aside->pid, &status, 0) != aside->pid || status != 0)
        bench_wrong("the process of the references ended with status %d", status);
}
