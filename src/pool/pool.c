/* Pool: made, closed, terminated, joined, asked.
 * Never leaves a process behind that it started.
 * Next: pool/map.c and pool/future.c (work), pool/owner.c. */
#include "pool/pool.h"
#include "os/cpu.h"
#include "os/life.h"
#include "proc/children.h"
#include "proc/exec.h"
#include "shm/heap.h"

#include <signal.h>
#include <stdlib.h>

enum { most_workers = 65536 };

/* An idle worker looks so long for the next job before it sleeps, if every worker and the owner can have a processor.
 */
static const uint64_t worker_spin_ns = 50000;

static int check(const yunta_pool_options *o)
{
    static const uint64_t zero[YN_COUNT(o->reserved)];
    bool bad = (o->process && memcmp(o->process->reserved, zero, sizeof zero) != 0) || o->workers < 0 ||
               o->workers > most_workers || (int)o->start_method < 0 || o->start_method > YUNTA_THREAD ||
               memcmp(o->reserved, zero, sizeof zero) != 0;
    return bad ? -EINVAL : 0;
}

/* The job that stands at the head of an empty list. */
static yn_job_shared *make_first(yn_self *me)
{
    yn_job_shared *job = yn_heap_alloc(me, sizeof *job, YN_CACHE_LINE);
    if (!job)
        return NULL;
    memset(job, 0, sizeof *job);
    atomic_init(&job->state, YN_JOB_DONE);
    atomic_init(&job->users, 1);
    return job;
}

static int make_shared(yn_self *me, yn_pool_shared **pool, const yunta_pool_options *o, uint32_t workers)
{
    void *block;
    int r = yn_heap_alloc_zeroed(me, &block, sizeof **pool + workers * sizeof(yn_worker_shared), YN_CACHE_LINE);
    if (r != 0)
        return r;
    yn_pool_shared *made = block;
    atomic_init(&made->references, 1);
    made->workers = workers;
    made->threads = o->start_method == YUNTA_THREAD;
    made->spin_ns = (int)workers <= yn_cpu_count_known() && yn_spin_ns() ? worker_spin_ns : 0;
    strncpy(made->name, o->name ? o->name : "pool", sizeof made->name - 1);
    made->worker_start = o->worker_start;
    made->worker_exit = o->worker_exit;
    made->hook_argument = o->hook_argument;
    yn_job_shared *first = make_first(me);
    if (!first) {
        yn_heap_free(me, made);
        return -ENOMEM;
    }
    atomic_init(&made->head, first);
    *pool = made;
    return 0;
}

/* Hooks travel by name to workers of another exec. */
static int name_hooks(yn_self *me, yn_pool_shared *pool)
{
    int r = 0;
    if (pool->worker_start)
        pool->start_ref = yn_image_describe(me, (void (*)(void))pool->worker_start, &r);
    if (r == 0 && pool->worker_exit)
        pool->exit_ref = yn_image_describe(me, (void (*)(void))pool->worker_exit, &r);
    return r;
}

static int start(yn_self *me, yunta_pool *pool)
{
    if (pool->shared->threads)
        return yn_threads_start(pool);
    int r = 0;
    const yn_launcher *launcher = yn_launcher_of(pool->process.start_method, &r);
    if (!launcher)
        return r;
    pool->by_name = launcher->by_name;
    if (pool->by_name)
        r = name_hooks(me, pool->shared);
    if (r == 0)
        r = yn_foreman_start(me, pool);
    if (r == 0 && yn_pool_state_of(pool->shared) == YN_POOL_BROKEN) {
        int error = atomic_load(&pool->shared->start_error);
        yunta_pool_join(pool, YUNTA_FOREVER);
        pool->foreman = yunta_process_destroy(pool->foreman);
        r = error != 0 ? error : YUNTA_ESTART;
    }
    return r;
}

static void release(yn_self *me, yunta_pool *pool)
{
    atomic_store(&pool->shared->destroyed, 1);
    yn_jobs_end(me, pool);
    yn_pool_release(me, pool->shared);
    pthread_mutex_destroy(&pool->lock);
    pthread_mutex_destroy(&pool->mending);
    free(pool);
}

int yunta_pool_create(yunta_pool **pool, const yunta_pool_options *options)
{
    static const yunta_pool_options defaults;
    const yunta_pool_options *o = options ? options : &defaults;
    int r = pool ? check(o) : -EINVAL;
    yn_self *me = r == 0 ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    yunta_pool *made = calloc(1, sizeof *made);
    if (!made)
        return -ENOMEM;
    r = make_shared(me, &made->shared, o, (uint32_t)(o->workers ? o->workers : yunta_cpu_count()));
    if (r != 0) {
        free(made);
        return r;
    }
    made->owner = me->claim;
    made->process = o->process ? *o->process : (yunta_process_options){0};
    made->process.start_method = o->start_method;
    made->process.daemon = true;
    made->oldest = made->tail = atomic_load(&made->shared->head);
    atomic_init(&made->foreman_seen, -1);
    pthread_mutex_init(&made->lock, NULL);
    pthread_mutex_init(&made->mending, NULL);
    r = start(me, made);
    if (r != 0)
        release(me, made);
    else
        *pool = made;
    return r;
}

/* Asked in a signal handler too: no lock, no system call. In a forked copy of the owner it is false. */
static bool is_owner(const yunta_pool *pool)
{
    return atomic_load(&yn_private_page->claim) == pool->owner;
}

static void advance(yn_pool_shared *pool, yn_pool_state to)
{
    uint32_t state = atomic_load(&pool->state);
    while (state < (uint32_t)to && !atomic_compare_exchange_weak(&pool->state, &state, (uint32_t)to)) {
    }
    yn_event_wake(&pool->bell, INT32_MAX);
}

int yunta_pool_close(yunta_pool *pool)
{
    if (!pool)
        return -EINVAL;
    if (!is_owner(pool))
        return -EPERM;
    pthread_mutex_lock(&pool->lock); /* what is being submitted is in, or refused */
    advance(pool->shared, YN_POOL_CLOSED);
    pthread_mutex_unlock(&pool->lock);
    return 0;
}

/* Nothing here but stores and system calls: it may run in a signal handler. */
int yunta_pool_terminate(yunta_pool *pool)
{
    if (!pool)
        return -EINVAL;
    if (!is_owner(pool))
        return -EPERM;
    advance(pool->shared, YN_POOL_TERMINATED);
    int seen = atomic_load(&pool->foreman_seen);
    pid_t pid = atomic_load(&pool->foreman_pid);
    yn_life_signal(seen, pid, SIGTERM);
    yn_life_signal(seen, pid, SIGCONT); /* it may have been stopped */
    return 0;
}

/* Another thread may be replacing it. To be released; NULL if there is none. */
static yunta_process *hold_foreman(yunta_pool *pool)
{
    pthread_mutex_lock(&pool->mending);
    yunta_process *foreman = pool->foreman;
    if (foreman)
        atomic_fetch_add(&foreman->references, 1);
    pthread_mutex_unlock(&pool->mending);
    return foreman;
}

static int join_processes(yn_self *me, yunta_pool *pool, yn_deadline deadline)
{
    int r = 0, status = 0;
    for (yunta_process *foreman; (foreman = hold_foreman(pool));) {
        r = yn_children_wait(me, foreman, deadline);
        status = r == 0 ? yunta_process_status(foreman) : 0;
        yn_claim who = atomic_load(&foreman->who);
        yn_record_release(me, foreman);
        if (r != 0)
            return r;
        if (yn_pool_state_of(pool->shared) >= YN_POOL_TERMINATED || status == 0)
            break;
        r = yn_owner_await_death(me, pool->shared, who, deadline); /* until it is declared, nobody takes its place */
        if (r != 0)
            return r;
        yn_owner_mend(me, pool); /* it was killed, with work left */
    }
    if (status != 0) /* it has not waited for them */
        r = yn_owner_await_workers(me, pool->shared, deadline);
    if (r == 0) {
        atomic_store(&pool->shared->ended, pool->shared->workers);
        yn_owner_wake_waiters(pool);
    }
    return r;
}

int yunta_pool_join(yunta_pool *pool, int milliseconds)
{
    if (pool && !is_owner(pool))
        return -EPERM;
    if (!pool || yn_pool_state_of(pool->shared) == YN_POOL_OPEN)
        return -EINVAL;
    int r;
    yn_self *me = yn_self_get(&r);
    if (!me)
        return r;
    yn_deadline deadline = yn_deadline_in(milliseconds);
    return pool->shared->threads ? yn_threads_join(me, pool, deadline) : join_processes(me, pool, deadline);
}

yunta_pool *yunta_pool_destroy(yunta_pool *pool)
{
    int r;
    yn_self *me = pool ? yn_self_get(&r) : NULL;
    if (!me || pool->owner != me->claim)
        return NULL; /* a forked copy of the owner's handle: the pool is not ours */
    bool busy = false;
    for (yn_job_shared *job = pool->oldest; job && !busy; job = atomic_load(&job->next))
        busy = !yn_job_is_over(job);
    for (yn_job_shared *job = pool->lingering; job && !busy; job = job->lingering)
        busy = !yn_job_is_over(job);
    if (busy)
        yunta_pool_terminate(pool);
    yunta_pool_close(pool);
    yunta_pool_join(pool, YUNTA_FOREVER);
    pool->foreman = yunta_process_destroy(pool->foreman);
    release(me, pool);
    return NULL;
}

int yunta_pool_read_stats(yunta_pool *pool, yunta_pool_stats *stats)
{
    if (!pool || !stats)
        return -EINVAL;
    yn_pool_shared *shared = pool->shared;
    *stats = (yunta_pool_stats){.deaths = atomic_load(&shared->deaths),
                                .started = atomic_load(&shared->started),
                                .foremen = atomic_load(&shared->foremen)};
    stats->workers = (uint64_t)yunta_pool_pids(pool, NULL, 0);
    return 0;
}

int yunta_pool_pids(yunta_pool *pool, pid_t *pids, size_t capacity)
{
    if (!pool || (!pids && capacity > 0))
        return -EINVAL;
    int count = 0;
    for (uint32_t w = 0; w < pool->shared->workers; w++) {
        pid_t pid = atomic_load(&pool->shared->worker[w].pid);
        if (pid <= 0)
            continue;
        if ((size_t)count < capacity)
            pids[count] = pid;
        count++;
    }
    return count;
}
