/* Job: one map or one single task, in shared memory; and the lanes by which workers share a map among them.
 *
 * Lane w belongs to worker number w, whoever is its process now. It holds two words:
 *   range   the tasks [lo, hi) that nobody has taken yet. The worker takes from the front, thieves take the back half,
 * both by compare-and-swap; so lo is changed by the worker alone. current the chunk [at, end) that the worker is at.
 * Written before it is taken (intent), so: if range.lo == end it is taken, and tasks below `at` are done; the flag says
 * that task `at` is in the user's code. A stealing thief first makes its own range EMPTY with a fresh serial, then puts
 * STEAL with the same serial in place of the victim's range: from then on the range is shared out by whoever meets it.
 * See README.md for what a death leaves at each step. */
#ifndef YN_JOB_H
#define YN_JOB_H

#include "proc/record.h"
#include "sync/wait.h"

#include <yunta/future.h>

#define YN_JOB_MOST ((uint32_t)INT32_MAX) /* tasks in one job; a longer map is several, one after the other */

typedef struct yn_lane_shared {
    _Atomic uint64_t range;
    _Atomic uint64_t current;
    _Atomic uint64_t loot;   /* a thief's: the victim's range as it was, for whoever completes the theft */
    _Atomic uint32_t serial; /* of its thefts; changed by its worker alone */
} YN_ALIGNED(64) yn_lane_shared;

/* A task that failed, on its job's list. */
typedef struct yn_failed_shared {
    struct yn_failed_shared *next;
    yunta_failure why;
} yn_failed_shared;

typedef enum yn_job_state {
    YN_JOB_OPEN = 0,    /* a map under way, or a single task that nobody has begun */
    YN_JOB_RUNNING = 1, /* a single task: begun by the worker in the upper bits */
    YN_JOB_DONE = 2,
    YN_JOB_CANCELLED = 3
} yn_job_state;

/* By cache lines: what a worker reads of a job; what others need; what is written when a task ends, and awaited. A
 * small input and output of a single task stand in the first and the last of these, which move between the processes
 * anyway. */
#define YN_JOB_SMALL 16
typedef struct yn_job_shared {
    _Atomic(struct yn_job_shared *) next; /* in the pool's list; written once, by the owner */
    int (*call)(const void *in, void *out);
    yn_image_ref_shared *function; /* where the workers are of another exec: NULL otherwise */
    const char *in;
    char *out;
    uint32_t lanes; /* 0: a single task */
    uint32_t chunk; /* 0: adapts */
    YN_ALIGNED(16) char small_in[YN_JOB_SMALL];

    YN_ALIGNED(64) size_t in_size;
    size_t out_size;
    uint64_t first; /* index of task 0 in the whole map */
    uint32_t count;
    _Atomic uint32_t users;        /* in the owner's process: the future or map, and the pool's list */
    char name[YUNTA_FAILURE_NAME]; /* of the task; a copy, since the foreman must not follow a pointer of the program */

    YN_ALIGNED(64) _Atomic uint32_t state; /* yn_job_state | worker << 8 */
    _Atomic uint32_t failures;
    yn_event_shared done;
    _Atomic(yn_failed_shared *) failed;
    _Atomic uint32_t out_of_memory;  /* a failure that could not be written down */
    struct yn_job_shared *lingering; /* the owner's: next of those that a worker still looks at */
    YN_ALIGNED(16) char small_out[YN_JOB_SMALL];
    YN_ALIGNED(64) yn_lane_shared lane[];
} yn_job_shared;
_Static_assert(sizeof(yn_job_shared) == 192, "three cache lines");

static inline yn_job_state yn_job_state_of(const yn_job_shared *job)
{
    return (yn_job_state)(atomic_load_explicit(&job->state, memory_order_acquire) & 0xff);
}

static inline bool yn_job_is_over(const yn_job_shared *job)
{
    return yn_job_state_of(job) >= YN_JOB_DONE;
}

/* A chunk of tasks in the worker's hands. */
typedef struct yn_chunk {
    uint32_t at, end;
} yn_chunk;

/* Shares [0, count) out among the lanes, before anybody knows of the job. */
void yn_job_share_out(yn_job_shared *job);

/* Whether anything can be taken. */
bool yn_job_has_work(yn_job_shared *job);

/* Worker `w` takes up to `most` tasks, of its own lane or stolen. False: nothing left to take. */
bool yn_job_take(yn_job_shared *job, uint32_t w, uint32_t most, yn_chunk *chunk);

/* Tasks that lane w still has untaken: for choosing a chunk. */
uint32_t yn_job_left(yn_job_shared *job, uint32_t w);

/* The worker begins task `at` of its chunk; has no chunk any more. */
static inline void yn_job_begin(yn_job_shared *job, uint32_t w, uint32_t at, uint32_t end)
{
    atomic_store_explicit(&job->lane[w].current, UINT64_C(1) << 62 | (uint64_t)end << 31 | at, memory_order_release);
}
void yn_job_end_chunk(yn_job_shared *job, uint32_t w, uint32_t end);

/* What a dead worker of lane w was at: true if it was in the code of task *at. Repeatable. */
bool yn_job_was_in(yn_job_shared *job, uint32_t w, uint32_t *at);

/* Hands back what a dead worker had taken and not begun. Repeatable; true if there is something to be done on that
 * lane. */
bool yn_job_hand_back(yn_job_shared *job, uint32_t w);

/* Declares the map done if every task has its outcome. By any worker that found nothing more to take, and by who
 * repairs. */
void yn_job_finish_if_done(yn_job_shared *job);

/* Whether the task of this index stands on the list already: asked by who repairs, since a worker may die just after it
 * has put it there. */
bool yn_job_has_failed(yn_job_shared *job, uint64_t index);

/* Puts an outcome other than success on the list. */
void yn_job_fail(yn_self *me, yn_job_shared *job, const yunta_failure *why);

/* Wakes whoever waits for the job. */
void yn_job_announce(yn_job_shared *job);

#endif
