/* Benchmark: start and join of a process that does nothing, beside fork + waitpid.
 * Must never time a start from a parent that is larger than it says: the rows run in this order for that reason.
 * Read next: lib/aside.h, where the reference runs; README.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <yunta/yunta.h>

#include "expect.h"
#include "lib/aside.h"
#include "lib/bench.h"
#include "lib/rounds.h"
#include "lib/row.h"

#define LARGE ((size_t)2 << 30)

static int nothing(void)
{
    return BENCH_STATUS;
}
YUNTA_ENTRY_VOID(nothing);

/* The median of BENCH_STARTS starts, us. */
static double start_and_join(const yunta_process_options *options)
{
    double each[BENCH_STARTS];
    for (int i = 0; i < BENCH_STARTS; i++) {
        int64_t begin = bench_now();
        yunta_process *process;
        expect(yunta_start(&process, nothing, NULL, options), 0, "yunta_start");
        int status = yunta_process_join(process, YUNTA_FOREVER);
        yunta_process_destroy(process);
        each[i] = (double)(bench_now() - begin) / 1e3;
        expect(status, BENCH_STATUS, "yunta_process_join");
    }
    return bench_median(each, BENCH_STARTS);
}

static void compare(struct bench_row *row, struct bench_aside *aside, const yunta_process_options *options)
{
    start_and_join(options); /* the first starts the watch, and the forkserver */
    bench_aside_run(aside, "fork+waitpid");
    for (size_t i = bench_rounds(15); i > 0; i--) {
        double own = start_and_join(options);
        bench_row_add(row, own, bench_aside_run(aside, "fork+waitpid").value[0]);
    }
}

static size_t available_bytes(void)
{
    static const char label[] = "MemAvailable:";
    FILE *file = fopen("/proc/meminfo", "r");
    char line[128];
    unsigned long kib = 0;
    while (file && kib == 0 && fgets(line, sizeof line, file))
        if (strncmp(line, label, sizeof label - 1) == 0)
            kib = strtoul(line + sizeof label - 1, NULL, 10);
    if (file)
        fclose(file);
    return (size_t)kib << 10;
}

/* Ordinary pages, each with its entry in the page tables, as a grown heap has them: huge ones would make it look small.
 */
static void *touch(size_t bytes)
{
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        bench_wrong("no address space for %zu bytes", bytes);
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    memset(memory, 1, bytes);
    return memory;
}

static void compare_large(struct bench_row *row, struct bench_aside *aside)
{
    if (available_bytes() < LARGE + LARGE / 4) {
        row->absent = "2 GiB of memory are not free";
        return;
    }
    void *large = touch(LARGE);
    compare(row, aside, &(yunta_process_options){.start_method = YUNTA_FORKSERVER});
    munmap(large, LARGE);
}

int main(int argc, char **argv)
{
    expect(yunta_init(argc, argv), 0, "yunta_init");
    struct bench_aside aside;
    bench_aside_start(&aside, "reference_plain");

    struct bench_row rows[] = {
        bench_cost("start", "fork", "us", "fork+waitpid", 1.3),
        bench_cost("start", "forkserver_2GiB", "us", "fork+waitpid, small", 2),
    };
    compare(&rows[0], &aside, &(yunta_process_options){.start_method = YUNTA_FORK});
    compare_large(&rows[1], &aside);
    bench_aside_stop(&aside);
    bench_report(rows, BENCH_COUNT(rows));
    return 0;
}
