/* Benchmark: the owner of a lock is killed; until the next of 64 processes has it.
 * Must never kill an owner before all the others sleep behind it: who spins would have it sooner.
 * Read next: bench_lock.c; src/proc/watch.c, who notices the death. */
#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>
#include <yunta/yunta.h>

#include "expect.h"
#include "lib/bench.h"
#include "lib/row.h"

enum { PROCESSES = 64, KILLS = 200, FIGURES = 2 };

#define SETTLE_NS 2000000ll

/* Stands in memory that all share. */
struct succession {
    yunta_lock *lock;
    _Atomic int owner; /* which process, + 1 */
    _Atomic int64_t since;
    _Atomic int waiting; /* how many have come to the lock, so far */
};

struct heir {
    struct succession *succession;
    int number;
};

/* Waits for the lock, and keeps it until it is killed. */
static int inherit(const struct heir *heir)
{
    struct succession *s = heir->succession;
    atomic_fetch_add(&s->waiting, 1);
    int r = yunta_lock_acquire(s->lock, YUNTA_FOREVER);
    int64_t now = bench_now();
    if (r == -EOWNERDEAD)
        r = yunta_lock_mark_consistent(s->lock);
    expect(r, 0, "yunta_lock_acquire");
    atomic_store(&s->since, now);
    atomic_store(&s->owner, heir->number + 1);
    while (pause() != 0) {
    }
    return 0;
}
YUNTA_ENTRY(inherit, struct heir);

static void start(yunta_process **process, struct succession *s, int number)
{
    struct heir heir = {s, number};
    int coming = atomic_load(&s->waiting);
    expect(yunta_start(process, inherit, &heir, NULL), 0, "yunta_start");
    while (atomic_load(&s->waiting) == coming)
        bench_pause(100000);
}

static int await_owner(struct succession *s, int last)
{
    int owner;
    while ((owner = atomic_load(&s->owner)) == last)
        bench_pause(20000);
    return owner;
}

static void end_by_kill(yunta_process *process)
{
    expect(yunta_process_kill(process), 0, "yunta_process_kill");
    expect(yunta_process_join(process, YUNTA_FOREVER), YUNTA_ECRASHED, "yunta_process_join");
    yunta_process_destroy(process);
}

/* The median and the 99th percentile, ms. */
static void recover(double figures[FIGURES])
{
    struct succession *s = yunta_shared(struct succession, 1);
    yunta_process *process[PROCESSES];
    double each[KILLS];
    expect(s != NULL, 1, "yunta_shared");
    expect(yunta_lock_create(&s->lock), 0, "yunta_lock_create");
    for (int i = 0; i < PROCESSES; i++)
        start(&process[i], s, i);
    int owner = await_owner(s, 0);
    for (int i = 0; i < KILLS; i++) {
        bench_pause(SETTLE_NS);
        int64_t begin = bench_now();
        expect(yunta_process_kill(process[owner - 1]), 0, "yunta_process_kill");
        int next = await_owner(s, owner);
        each[i] = (double)(atomic_load(&s->since) - begin) / 1e6;
        end_by_kill(process[owner - 1]);
        start(&process[owner - 1], s, owner - 1);
        owner = next;
    }
    for (int i = 0; i < PROCESSES; i++)
        end_by_kill(process[i]);
    yunta_lock_destroy(s->lock);
    yunta_shared_free(s);
    figures[0] = bench_median(each, KILLS); /* and they are sorted now */
    figures[1] = each[KILLS * 99 / 100 - 1];
}

int main(int argc, char **argv)
{
    expect(yunta_init(argc, argv), 0, "yunta_init");
    struct bench_row rows[FIGURES] = {
        bench_limit("recovery", "median_64", "ms", 1),
        bench_limit("recovery", "p99_64", "ms", 5),
    };
    for (size_t i = bench_rounds(5); i > 0; i--) {
        double figures[FIGURES];
        recover(figures);
        for (int k = 0; k < FIGURES; k++)
            bench_row_add_own(&rows[k], figures[k]);
    }
    bench_report(rows, BENCH_COUNT(rows));
    return 0;
}
