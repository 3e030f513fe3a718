/* Pool, as its parts see it: what stands in shared memory, and what the owner keeps for itself. */
#ifndef YN_POOL_H
#define YN_POOL_H

#include "pool/job.h"
#include "proc/launcher.h"

#include <pthread.h>

typedef enum yn_pool_state {
    YN_POOL_OPEN = 0,
    YN_POOL_CLOSED = 1,     /* no new work; what is there is finished */
    YN_POOL_TERMINATED = 2, /* the workers are killed */
    YN_POOL_BROKEN = 3      /* no worker can be kept alive */
} yn_pool_state;

typedef enum yn_worker_state {
    YN_WORKER_NONE = 0,  /* no process yet, or a dead one that is being replaced */
    YN_WORKER_READY = 1, /* its start hook has run */
    YN_WORKER_SPINS = 2, /* idle, and looking: a new job needs no wake */
    YN_WORKER_GONE = 3   /* ended as it should */
} yn_worker_state;

/* One worker number. Its tenant writes `job` before it claims anything of that job, so that who repairs knows where to
 * look, and who frees jobs knows which not to. */
typedef struct yn_worker_shared {
    _Atomic(yn_job_shared *) job;
    _Atomic uint32_t state;
    _Atomic yn_claim who; /* its tenant: 0 → its claim, by itself; back to 0 by who has settled it */
    _Atomic int32_t pid;
    YN_ALIGNED(64) _Atomic int32_t processor; /* where it last looked for work: a hint, for the owner at each wait */
    _Atomic(yunta_process *) record;          /* the foreman's, of its tenant; for who comes after a killed foreman */
} YN_ALIGNED(64) yn_worker_shared;

typedef struct yn_pool_shared {
    _Atomic uint32_t references; /* the pool, its futures: changed at each submit, so on a line of its own */
    YN_ALIGNED(64) _Atomic uint32_t state;
    uint32_t workers;
    bool threads;
    uint64_t spin_ns;
    char name[YUNTA_FAILURE_NAME];
    void (*worker_start)(void *);
    void (*worker_exit)(void *);
    yn_image_ref_shared *start_ref, *exit_ref; /* the two, where workers are of another exec */
    void *hook_argument;

    YN_ALIGNED(64)
    _Atomic(yn_job_shared *) head;       /* jobs before it have nothing left to take. Never NULL; the last one stays */
    YN_ALIGNED(64) yn_event_shared bell; /* for workers: there is work, or the state has changed */
    _Atomic int32_t caller_processor;    /* where the owner last submitted from: a hint */
    YN_ALIGNED(64) yn_event_shared changed; /* for the owner: workers are up, or gone */
    _Atomic yn_claim foreman;
    _Atomic uint32_t foreman_ready; /* it has tried to start every worker once */
    _Atomic int32_t start_error;    /* why the last worker did not start */
    _Atomic uint64_t started, deaths, foremen;
    _Atomic uint32_t ended;     /* workers known to have ended: threads one by one, processes all at once, by join */
    _Atomic uint32_t destroyed; /* the owner's yunta_pool is gone: futures must not follow their pointer to it */

    yn_worker_shared worker[];
} yn_pool_shared;

static inline yn_pool_state yn_pool_state_of(const yn_pool_shared *pool)
{
    return (yn_pool_state)atomic_load(&pool->state);
}

/* What is told of a pool that takes, or does, no more. */
static inline int yn_pool_refusal(yn_pool_state state)
{
    return state == YN_POOL_BROKEN ? YUNTA_ESTART : YUNTA_ECLOSED;
}

/* A function of a task that this pool has run, where the workers are of another exec. */
typedef struct yn_known_task {
    struct yn_known_task *next;
    int (*call)(const void *, void *);
    yn_image_ref_shared *function;
} yn_known_task;

/* A thread of the owner that sleeps for a job. */
typedef struct yn_owner_waiter {
    struct yn_owner_waiter *next;
    yn_job_shared *job;
} yn_owner_waiter;

struct yunta_pool {
    yn_pool_shared *shared;
    yn_claim owner;
    bool by_name;
    yunta_process_options process; /* of the foreman, and so of the workers */
    pthread_mutex_t mending;       /* held by the one thread that replaces a dead foreman */
    yunta_process *foreman;
    _Atomic int foreman_seen; /* its life descriptor, for terminate in a signal handler; < 0 where there are none … */
    _Atomic pid_t foreman_pid; /* … and then its pid, which is its own until it is destroyed here; else 0 */
    pthread_t *threads;
    pthread_mutex_t lock; /* of what follows; never held while waiting */
    yn_job_shared *tail;
    yn_job_shared *oldest;    /* the first that has not left the list yet */
    yn_job_shared *lingering; /* have left it, but a worker may still look at them */
    uint32_t unswept;         /* jobs since it was last looked which have left it */
    yn_known_task *known;
    yn_owner_waiter *waiters;
};

struct yunta_future {
    yn_pool_shared *shared;
    yunta_pool *pool; /* not to be followed once shared->destroyed */
    yn_job_shared *job;
    yn_claim owner;
};

/* worker.c: worker `number` until the pool ends. */
void yn_worker_run(yn_self *me, yn_pool_shared *pool, uint32_t number);

/* settle.c: what the dead worker `w` leaves: blames it for the task it was in, hands back the rest. `death` says how it
 * died; code 0 if it ended by itself (then a task it was in has exited). True if its lane still has work for the next
 * tenant. Repeatable. */
bool yn_settle_worker(yn_self *me, yn_pool_shared *pool, uint32_t w, const yunta_failure *death);

/* foreman.c: starts one for the pool and waits until it has started the workers. 0 or an error. */
int yn_foreman_start(yn_self *me, yunta_pool *pool);

/* threads.c: the same with threads. */
int yn_threads_start(yunta_pool *pool);
int yn_threads_join(yn_self *me, yunta_pool *pool, yn_deadline deadline);

/* jobs.c: the owner's list of jobs. A map of `count` tasks with `room` bytes behind its lanes; or, 0, a single task. */
yn_job_shared *yn_jobs_make(yn_self *me, yunta_pool *pool, const yunta_task *task, uint32_t count, size_t room,
                            int *error);
static inline char *yn_jobs_room(yn_job_shared *job)
{
    return (char *)(job->lane + job->lanes);
}
int yn_jobs_submit(yn_self *me, yunta_pool *pool, yn_job_shared *job);
void yn_jobs_release(yn_self *me, yn_job_shared *job); /* one user less */
void yn_jobs_end(yn_self *me, yunta_pool *pool);       /* after the last worker: everything leaves the list */

/* owner.c: waiting for a job, and keeping a foreman. */
int yn_owner_wait(yn_self *me, yn_pool_shared *shared, yunta_pool *pool, yn_job_shared *job, yn_deadline deadline);
int yn_owner_mend(yn_self *me, yunta_pool *pool);
bool yn_owner_is_over(yn_self *me, const yn_pool_shared *pool);
int yn_owner_await_workers(yn_self *me, yn_pool_shared *pool, yn_deadline deadline); /* of a foreman that was killed */
int yn_owner_await_death(yn_self *me, yn_pool_shared *pool, yn_claim who,
                         yn_deadline deadline); /* until it is declared */
void yn_owner_wake_waiters(yunta_pool *pool);
void yn_owner_enlist(yunta_pool *pool, yn_owner_waiter *waiter); /* to be among those, until it is … */
void yn_owner_delist(yunta_pool *pool, yn_owner_waiter *waiter);
void yn_pool_release(yn_self *me, yn_pool_shared *pool);

#endif
