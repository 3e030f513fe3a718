/* The owner's list of jobs: made, handed to the workers, freed when nobody can look at them any more.
 * Never frees a job that a worker has named in its seat; never waits.
 * Next: pool/worker.c (pick), pool/owner.c. */
#include "pool/pool.h"
#include "shm/heap.h"

#include <sched.h>
#include <stdlib.h>

/* Where the workers are of another exec: the function by name, described once. With the lock held. */
static yn_known_task *known_task(yn_self *me, yunta_pool *pool, const yunta_task *task, int *error)
{
    for (yn_known_task *k = pool->known; k; k = k->next)
        if (k->call == task->call)
            return k;
    yn_known_task *k = malloc(sizeof *k);
    *error = -ENOMEM;
    yn_image_ref_shared *function = k ? yn_image_describe(me, (void (*)(void))task->call, error) : NULL;
    if (!function) {
        free(k);
        return NULL;
    }
    *k = (yn_known_task){.next = pool->known, .call = task->call, .function = function};
    pool->known = k;
    return k;
}

/* Behind the job, if it does not fit into it. */
static size_t room_for(size_t size)
{
    return size <= YN_JOB_SMALL ? 0 : yn_round_up(size, YN_CACHE_LINE);
}

yn_job_shared *yn_jobs_make(yn_self *me, yunta_pool *pool, const yunta_task *task, uint32_t count, size_t room,
                            int *error)
{
    uint32_t lanes = count == 0 ? 0 : pool->shared->workers;
    size_t lane_bytes = lanes * sizeof(yn_lane_shared), in_bytes = 0, out_bytes = 0;
    if (count == 0) { /* a single task keeps its input and output itself */
        in_bytes = room_for(task->input_size);
        out_bytes = room_for(task->output_size);
    }
    size_t bytes = sizeof(yn_job_shared) + lane_bytes + room + in_bytes + out_bytes;
    yn_job_shared *job = yn_heap_alloc(me, bytes, YN_CACHE_LINE);
    *error = job ? 0 : -ENOMEM;
    if (!job)
        return NULL;
    memset(job, 0, sizeof *job + lane_bytes);
    job->call = task->call;
    job->in_size = task->input_size;
    job->out_size = task->output_size;
    job->lanes = lanes;
    job->count = count;
    job->in = in_bytes ? yn_jobs_room(job) : job->small_in;
    job->out = out_bytes ? yn_jobs_room(job) + in_bytes : job->small_out;
    atomic_init(&job->users, 1);
    strncpy(job->name, task->name ? task->name : "task", sizeof job->name - 1);
    if (pool->by_name) {
        pthread_mutex_lock(&pool->lock);
        yn_known_task *known = known_task(me, pool, task, error);
        pthread_mutex_unlock(&pool->lock);
        job->function = known ? known->function : NULL;
        if (!known) {
            yn_heap_free(me, job);
            return NULL;
        }
    }
    return job;
}

void yn_jobs_release(yn_self *me, yn_job_shared *job)
{
    if (atomic_fetch_sub(&job->users, 1) != 1)
        return;
    for (yn_failed_shared *f = atomic_load(&job->failed), *next; f; f = next) {
        next = f->next;
        yn_heap_free(me, f);
    }
    yn_heap_free(me, job);
}

static bool is_looked_at(const yn_pool_shared *pool, const yn_job_shared *job)
{
    for (uint32_t w = 0; w < pool->workers; w++)
        if (atomic_load(&pool->worker[w].job) == job)
            return true;
    return false;
}

static void sweep_lingering(yn_self *me, yunta_pool *pool)
{
    for (yn_job_shared **link = &pool->lingering, *job; (job = *link);) {
        if (is_looked_at(pool->shared, job)) {
            link = &job->lingering;
            continue;
        }
        *link = job->lingering;
        yn_jobs_release(me, job);
    }
}

/* Jobs before the head can be met by no worker that has not named them already. With the lock held. */
static void sweep(yn_self *me, yunta_pool *pool)
{
    yn_job_shared *head = atomic_load(&pool->shared->head);
    if (pool->lingering)
        sweep_lingering(me, pool);
    while (pool->oldest != head) {
        yn_job_shared *job = pool->oldest;
        pool->oldest = atomic_load(&job->next);
        if (is_looked_at(pool->shared, job)) {
            job->lingering = pool->lingering;
            pool->lingering = job;
        } else {
            yn_jobs_release(me, job);
        }
    }
}

/* Not at each job: the workers write what the sweep reads. */
static bool is_time_to_sweep(yunta_pool *pool, const yn_job_shared *job)
{
    enum { jobs_most = 16, bytes_most = 1024 };
    bool is_small = job->lanes == 0 && job->in_size + job->out_size <= bytes_most;
    pool->unswept = is_small && pool->unswept < jobs_most ? pool->unswept + 1 : 0;
    return pool->unswept == 0;
}

/* Wakes as many as there is work for; one that looks already needs no wake: it looks once more before it sleeps. */
static void ring(yn_pool_shared *pool, const yn_job_shared *job)
{
    int32_t here = pool->spin_ns ? sched_getcpu() : -1;
    if (here >= 0 && atomic_load_explicit(&pool->caller_processor, memory_order_relaxed) != here)
        atomic_store_explicit(&pool->caller_processor, here, memory_order_relaxed);
    yn_full_fence();
    if (atomic_load_explicit(&pool->bell.waiters, memory_order_relaxed) == 0)
        return; /* all are awake: they look once more before they sleep */
    if (job->lanes > 0) {
        yn_event_notify_all(&pool->bell);
        return;
    }
    for (uint32_t w = 0; pool->workers > 1 && w < pool->workers; w++)
        if (atomic_load_explicit(&pool->worker[w].state, memory_order_relaxed) == YN_WORKER_SPINS)
            return;
    yn_event_notify_one(&pool->bell);
}

int yn_jobs_submit(yn_self *me, yunta_pool *pool, yn_job_shared *job)
{
    pthread_mutex_lock(&pool->lock);
    yn_pool_state state = yn_pool_state_of(pool->shared);
    if (state == YN_POOL_OPEN) {
        atomic_store_explicit(&job->users, 2, memory_order_relaxed); /* nobody else knows it yet */
        atomic_store_explicit(&pool->tail->next, job, memory_order_release);
        pool->tail = job;
        if (is_time_to_sweep(pool, job))
            sweep(me, pool);
    }
    pthread_mutex_unlock(&pool->lock);
    if (state != YN_POOL_OPEN)
        return yn_pool_refusal(state);
    ring(pool->shared, job);
    return 0;
}

void yn_jobs_end(yn_self *me, yunta_pool *pool)
{
    for (yn_job_shared *job = pool->lingering, *next; job; job = next) {
        next = job->lingering;
        yn_jobs_release(me, job);
    }
    for (yn_job_shared *job = pool->oldest, *next; job; job = next) {
        next = atomic_load(&job->next);
        yn_jobs_release(me, job);
    }
    for (yn_known_task *k = pool->known, *next; k; k = next) {
        next = k->next;
        yn_heap_free(me, k->function);
        free(k);
    }
}
