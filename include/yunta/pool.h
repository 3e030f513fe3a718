/* Pool: N workers that run tasks. A task that crashes fails alone: the others complete, and its worker is replaced. */
#ifndef YUNTA_POOL_H
#define YUNTA_POOL_H

#include <stddef.h>
#include <yunta/init.h>
#include <yunta/process.h>
#include <yunta/task.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yunta_pool yunta_pool;
typedef struct yunta_future yunta_future;

/* NULL, or all zero, means the defaults. */
typedef struct yunta_pool_options {
    int workers; /* 0: yunta_cpu_count() */
    yunta_start_method
        start_method; /* YUNTA_DEFAULT: the program's; YUNTA_THREAD: threads of this process, for comparison */
    const char *name; /* shown in failures; default "pool" */
    const yunta_process_options *process; /* of every worker: directory, environment, streams, user, limits, processors
                                             …; its start_method, name and daemon are not looked at */
    void (*worker_start)(void *argument); /* runs first in every worker, … */
    void (*worker_exit)(void *argument);  /* … and last, when it ends by itself (not when it is killed) */
    void *hook_argument;                  /* given to both; under spawn and forkserver a pointer to shared memory */
    uint64_t reserved[8];                 /* zero */
} yunta_pool_options;

/* Starts the workers. They see the program's memory as it is now (fork), and keep it, their replacements too. A pool of
 * processes has a foreman, a process that forks and replaces them; under fork it is a child of the caller, and counts
 * in its wait() while the pool lives. -EINVAL: NULL, negative or absurd workers (over 65536), reserved not zero,
 * unknown start method; YUNTA_ESTART: no worker came up; otherwise as yunta_process_start. */
YUNTA_API int yunta_pool_create(yunta_pool **pool, const yunta_pool_options *options);

/* No more tasks: submit and map return YUNTA_ECLOSED. What was taken is finished. Again: 0. -EINVAL: NULL; -EPERM: the
 * pool belongs to another process (as in a forked copy of the one that made it). */
YUNTA_API int yunta_pool_close(yunta_pool *pool);

/* Ends it now: the workers are killed, tasks not done fail with YUNTA_ECLOSED. Again: 0. May be called from a signal
 * handler. -EINVAL: NULL; -EPERM. */
YUNTA_API int yunta_pool_terminate(yunta_pool *pool);

/* After close or terminate: waits for the end of the last worker. -ETIMEDOUT; -EINVAL: NULL, or neither was called;
 * -EPERM. */
YUNTA_API int yunta_pool_join(yunta_pool *pool, int milliseconds);

/* Terminates if work is under way, else closes; joins and frees. Futures stay valid, and say YUNTA_ECLOSED if not done.
 * Accepts NULL; returns NULL. Nobody may use the pool any more. Of another process's pool nothing is done. */
YUNTA_API yunta_pool *yunta_pool_destroy(yunta_pool *pool);

typedef struct yunta_map_options {
    size_t chunk;            /* tasks taken at a time; 0: adapts to how long they last */
    yunta_failure *failures; /* where the failed tasks are told, in order of index, … */
    size_t failure_capacity; /* … up to so many */
    size_t *failure_count;   /* how many failed, be it more than that */
    uint64_t reserved[4];    /* zero */
} yunta_map_options;

/* Runs `task` on in[0…count-1] into out[0…count-1], in order, and waits. Arrays in shared memory are used in place;
 * others are copied, in and out both ways. 0: all went well. Else the code of the failed task with the lowest index
 * (YUNTA_EFAILED, YUNTA_ECRASHED, …); all others are done, and out[] of a failed one is undefined (its old content
 * where out is private memory). -EINVAL: NULL, count of 0 is fine; -EOVERFLOW: count × size; YUNTA_ECLOSED; -EPERM: the
 * pool belongs to another process; -ENOMEM. */
YUNTA_API int yunta_pool_map(yunta_pool *pool, const yunta_task *task, const void *in, void *out, size_t count,
                             const yunta_map_options *options);

/* yunta_map(pool, function, in, out, count) and with options, for a function declared by YUNTA_TASK. */
#define yunta_map(pool, function, in, out, count) yunta_task_map_##function((pool), (in), (out), (count), NULL)
#define yunta_map_with(pool, function, in, out, count, ...)                                                            \
    yunta_task_map_##function((pool), (in), (out), (count), __VA_ARGS__)

/* One task. Gives a future for yunta_await; to be destroyed. Errors as map. The input is copied. */
YUNTA_API int yunta_pool_submit(yunta_pool *pool, const yunta_task *task, const void *in, yunta_future **future);
#define yunta_submit(pool, function, ...) yunta_task_submit_##function((pool), __VA_ARGS__)

typedef struct yunta_pool_stats {
    uint64_t workers; /* processes (threads) that live now */
    uint64_t deaths;  /* workers that died or exited otherwise than at the end of the pool */
    uint64_t started; /* workers started so far */
    uint64_t foremen; /* foremen started so far */
    uint64_t reserved[4];
} yunta_pool_stats;

YUNTA_API int yunta_pool_read_stats(yunta_pool *pool, yunta_pool_stats *stats); /* -EINVAL: NULL */

/* The pids of the live workers, up to `capacity`; returns how many there are. Threads have the pid of the process.
 * -EINVAL: NULL. */
YUNTA_API int yunta_pool_pids(yunta_pool *pool, pid_t *pids, size_t capacity);

#ifdef __cplusplus
}
#endif

#endif
