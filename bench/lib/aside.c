/* The process beside this one that measures the references.
 * Must never call yunta: the reference would pay for it.
 * Read next: ../peers/, what runs in it. */
#include "aside.h"
#include "bench.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The measures are functions of the same image: their addresses are good on both sides. */
_Noreturn static void serve(int orders, int answers)
{
    bench_measure *measure;
    while (read(orders, &measure, sizeof measure) == (ssize_t)sizeof measure) {
        struct bench_figures figures = {{0}};
        measure(&figures);
        if (write(answers, &figures, sizeof figures) != (ssize_t)sizeof figures)
            break;
    }
    _exit(0);
}

void bench_aside_start(struct bench_aside *aside)
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
        close(orders[1]);
        close(answers[0]);
        serve(orders[0], answers[1]);
    }
    close(orders[0]);
    close(answers[1]);
    aside->orders = orders[1];
    aside->answers = answers[0];
}

struct bench_figures bench_aside_run(struct bench_aside *aside, bench_measure *measure)
{
    struct bench_figures figures;
    if (write(aside->orders, &measure, sizeof measure) != (ssize_t)sizeof measure ||
        read(aside->answers, &figures, sizeof figures) != (ssize_t)sizeof figures)
        bench_wrong("the process of the references has ended");
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
