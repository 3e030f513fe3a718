/* The simulator's command line: so many schedules of each scene, or one again by its seed.
 * Never draws a seed from the clock: the same arguments are the same run.
 * Next: README.md; machine.c, which plays one schedule. */
#include "machine.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct options {
    const char *scene; /* NULL: all */
    uint64_t seed, schedules;
    int jobs;
    bool is_one;
} options;

static const sim_scene *playing;
static uint64_t playing_seed;

static void usage(void)
{
    fprintf(stderr,
            "usage: sim [--scene NAME] [--schedules N] [--from SEED] [--jobs N]   N schedules, over all scenes\n"
            "       sim --scene NAME --seed SEED [--trace]                      one of them again\n"
            "       sim --list\n");
    exit(2);
}

static void crashed(int number)
{
    fprintf(stderr, "%s: seed %llu: signal %d\n", playing ? playing->name : "?", (unsigned long long)playing_seed,
            number);
    if (sim_traces)
        sim_trace_print();
    _exit(1);
}

/* On a stack of their own: one of ours may be what has overflowed. */
static void catch_crashes(void)
{
    static unsigned char stack[65536];
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    struct sigaction action = {.sa_handler = crashed, .sa_flags = SA_ONSTACK};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaction(signals[i], &action, NULL);
}

/* False: one was bad. */
static bool play_scene(const sim_scene *scene, uint64_t from, uint64_t count)
{
    struct timespec before, after;
    uint64_t steps = 0, deaths = 0;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    playing = scene;
    sim_world_open(scene);
    bool good = true;
    for (uint64_t i = 0; good && i < count; i++) {
        playing_seed = from + i;
        good = sim_play(scene, playing_seed);
        steps += (uint64_t)sim.steps;
        deaths += (uint64_t)sim.deaths;
        if (!good)
            printf("%s: seed %llu (the %llu. schedule): %s\n", scene->name, (unsigned long long)playing_seed,
                   (unsigned long long)i + 1, sim.failure);
    }
    sim_world_close();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    double seconds = (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
    if (good)
        printf("%-20s %9llu schedules %10llu deaths %12llu accesses %7.2f s\n", scene->name, (unsigned long long)count,
               (unsigned long long)deaths, (unsigned long long)steps, seconds);
    return good;
}

static bool is_wanted(const sim_scene *scene, const options *o)
{
    return !o->scene || strcmp(scene->name, o->scene) == 0;
}

/* Part `job` of `o->jobs` of each scene's seeds. */
static bool play_part(const options *o, uint64_t job)
{
    uint64_t shares = 0, jobs = (uint64_t)o->jobs;
    bool good = true, any = false;
    for (int i = 0; sim_scenes[i]; i++)
        shares += is_wanted(sim_scenes[i], o) ? sim_scenes[i]->share : 0;
    for (int i = 0; sim_scenes[i]; i++) {
        if (!is_wanted(sim_scenes[i], o))
            continue;
        uint64_t count = o->is_one ? 1 : (o->schedules * sim_scenes[i]->share + shares - 1) / shares;
        uint64_t first = count * job / jobs, end = count * (job + 1) / jobs;
        good &= play_scene(sim_scenes[i], o->seed + first, end - first);
        any = true;
        fflush(stdout);
    }
    if (!any)
        usage();
    return good;
}

static bool play_all(const options *o)
{
    bool good = true;
    int status;
    for (int job = 1; job < o->jobs; job++)
        if (fork() == 0)
            _exit(play_part(o, (uint64_t)job) ? 0 : 1);
    good = play_part(o, 0);
    while (wait(&status) > 0)
        good &= status == 0;
    return good;
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t n = text ? strtoull(text, &end, 10) : 0;
    if (!text || end == text || *end)
        usage();
    return n;
}

static void list(void)
{
    for (int i = 0; sim_scenes[i]; i++)
        printf("%s\n", sim_scenes[i]->name);
}

int main(int argc, char **argv)
{
    options o = {.schedules = 100000, .jobs = 1};
    for (int i = 1; i < argc; i++) {
        const char *value = argv[i + 1];
        if (strcmp(argv[i], "--list") == 0) {
            list();
            return 0;
        }
        if (strcmp(argv[i], "--trace") == 0)
            sim_traces = true;
        else if (strcmp(argv[i], "--scene") == 0 && value)
            o.scene = argv[++i];
        else if (strcmp(argv[i], "--schedules") == 0)
            o.schedules = number(argv[++i]);
        else if (strcmp(argv[i], "--from") == 0)
            o.seed = number(argv[++i]);
        else if (strcmp(argv[i], "--jobs") == 0)
            o.jobs = (int)number(argv[++i]);
        else if (strcmp(argv[i], "--seed") == 0) {
            o.seed = number(argv[++i]);
            o.is_one = true;
        } else
            usage();
    }
    if (o.jobs < 1 || (o.is_one && (!o.scene || o.jobs != 1)))
        usage();
    catch_crashes();
    bool good = play_all(&o);
    if (sim_traces)
        sim_trace_print();
    return good ? 0 : 1;
}
