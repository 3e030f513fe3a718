/* The meeting of all workers of a pool.
 * Must never spin: the workers may be more than the processors, and the last to come needs one.
 * Read next: aside.h. */
#include "meeting.h"
#include "bench.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

int bench_meet(const struct bench_seat *seat, pid_t *who)
{
    _Atomic uint32_t *arrived = &seat->meeting->arrived;
    *who = getpid();
    uint32_t seen = atomic_fetch_add(arrived, 1) + 1;
    if (seen == BENCH_PARTIES)
        syscall(SYS_futex, arrived, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    while (seen < BENCH_PARTIES) {
        syscall(SYS_futex, arrived, FUTEX_WAIT, seen, NULL, NULL, 0);
        seen = atomic_load(arrived);
    }
    return 0;
}

void bench_meeting_open(struct bench_meeting *meeting, struct bench_seat seats[BENCH_PARTIES])
{
    atomic_store(&meeting->arrived, 0);
    for (int i = 0; i < BENCH_PARTIES; i++)
        seats[i].meeting = meeting;
}

void bench_meeting_check(const pid_t pids[BENCH_PARTIES])
{
    for (int i = 0; i < BENCH_PARTIES; i++) {
        if (pids[i] <= 0 || pids[i] == getpid())
            bench_wrong("task %d of the meeting ran in process %d", i, (int)pids[i]);
        for (int k = 0; k < i; k++)
            if (pids[k] == pids[i])
                bench_wrong("process %d ran two tasks of the meeting", (int)pids[i]);
    }
}
