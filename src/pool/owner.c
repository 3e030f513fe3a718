/* The owner's side of a pool: waiting for jobs, and seeing that there is a foreman.
 * Never waits for anything that a dead worker or foreman would have had to do: it does it itself.
 * Next: pool/foreman.c, pool/settle.c. */
#include "pool/pool.h"
#include "proc/children.h"
#include "shm/heap.h"

#include <sched.h>

/* A single task often comes back at once; a map mostly does not, and the processor is better used by a worker. */
static const uint64_t spin_for_single_ns = 20000;

static bool foreman_lives(yn_self *me, const yn_pool_shared *pool)
{
    return yn_claim_is_alive(&me->arena->slots, atomic_load(&pool->foreman));
}

bool yn_owner_is_over(yn_self *me, const yn_pool_shared *pool)
{
    if (atomic_load(&pool->ended) == pool->workers || atomic_load(&pool->destroyed))
        return true;
    if (pool->threads || yn_pool_state_of(pool) == YN_POOL_OPEN || foreman_lives(me, pool))
        return false;
    /* Those of a killed foreman write results until the watch has reached them. */
    for (uint32_t w = 0; w < pool->workers; w++)
        if (yn_claim_is_alive(&me->arena->slots, atomic_load(&pool->worker[w].who)))
            return false;
    return true;
}

void yn_owner_wake_waiters(yunta_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    for (yn_owner_waiter *w = pool->waiters; w; w = w->next)
        yn_event_wake(&w->job->done, INT32_MAX);
    pthread_mutex_unlock(&pool->lock);
}

int yn_owner_await_death(yn_self *me, yn_pool_shared *pool, yn_claim who, yn_deadline deadline)
{
    for (;;) {
        uint32_t key = yn_event_key(&pool->changed);
        yn_event_announce(&pool->changed);
        if (!yn_claim_is_alive(&me->arena->slots, who))
            return 0;
        int r = yn_event_wait(me, &pool->changed, key, deadline);
        if (r != 0)
            return r;
    }
}

/* The workers of a dead foreman are killed by the watch: until the last of them is gone, their lanes are theirs. */
int yn_owner_await_workers(yn_self *me, yn_pool_shared *pool, yn_deadline deadline)
{
    int r = 0;
    for (uint32_t w = 0; w < pool->workers && r == 0; w++)
        r = yn_owner_await_death(me, pool, atomic_load(&pool->worker[w].who), deadline);
    return r;
}

static void settle_all(yn_self *me, yn_pool_shared *pool)
{
    for (uint32_t w = 0; w < pool->workers; w++) {
        yn_worker_shared *seat = &pool->worker[w];
        yunta_failure death = {.code = YUNTA_EFOREMAN, .exit_status = -1, .pid = atomic_load(&seat->pid)};
        yn_settle_worker(me, pool, w, &death);
        atomic_fetch_add(&pool->deaths, atomic_load(&seat->who) != 0);
        yunta_process *record = atomic_exchange(&seat->record, NULL);
        if (record)
            yn_record_free_orphan(me, record);
        atomic_store(&seat->pid, 0);
        atomic_store(&seat->who, 0);
        atomic_store(&seat->state, YN_WORKER_NONE);
    }
}

/* Whether something is still to be done in a pool that takes no more. */
static bool has_work(yn_pool_shared *pool)
{
    for (uint32_t w = 0; w < pool->workers; w++)
        if (atomic_load(&pool->worker[w].job))
            return true;
    for (yn_job_shared *job = atomic_load(&pool->head); job; job = atomic_load(&job->next))
        if (yn_job_has_work(job))
            return true;
    return false;
}

static int replace_foreman(yn_self *me, yunta_pool *pool)
{
    yn_pool_shared *shared = pool->shared;
    yn_claim dead = atomic_load(&shared->foreman);
    if (dead == 0 || yn_claim_is_alive(&me->arena->slots, dead))
        return 0;
    yn_pool_state state = yn_pool_state_of(shared);
    bool well = state != YN_POOL_OPEN && yunta_process_status(pool->foreman) == 0;
    if (well || state >= YN_POOL_TERMINATED)
        return 0;
    atomic_store(&shared->foreman, 0); /* from here on no worker of his takes a place */
    while (yn_owner_await_workers(me, shared, YN_NEVER) != 0)
        sched_yield(); /* no seat to sleep on */
    settle_all(me, shared);
    atomic_store(&pool->foreman_seen, -1); /* before they are another's: terminate may come at any time */
    atomic_store(&pool->foreman_pid, 0);
    pool->foreman = yunta_process_destroy(pool->foreman);
    if (state != YN_POOL_OPEN && !has_work(shared))
        return 0;
    int r = yn_foreman_start(me, pool);
    if (r != 0) {
        atomic_store(&shared->start_error, r);
        atomic_store(&shared->state, YN_POOL_BROKEN);
    }
    return r;
}

int yn_owner_mend(yn_self *me, yunta_pool *pool)
{
    if (pool->shared->threads || foreman_lives(me, pool->shared))
        return 0;
    if (pthread_mutex_trylock(&pool->mending) != 0)
        return 0; /* another thread is at it, and will wake us */
    int r = replace_foreman(me, pool);
    pthread_mutex_unlock(&pool->mending);
    yn_owner_wake_waiters(pool);
    return r;
}

void yn_owner_enlist(yunta_pool *pool, yn_owner_waiter *waiter)
{
    pthread_mutex_lock(&pool->lock);
    waiter->next = pool->waiters;
    pool->waiters = waiter;
    pthread_mutex_unlock(&pool->lock);
}

void yn_owner_delist(yunta_pool *pool, yn_owner_waiter *waiter)
{
    pthread_mutex_lock(&pool->lock);
    yn_owner_waiter **link = &pool->waiters;
    while (*link != waiter)
        link = &(*link)->next;
    *link = waiter->next;
    pthread_mutex_unlock(&pool->lock);
}

static int wait_asleep(yn_self *me, yn_pool_shared *shared, yunta_pool *pool, yn_job_shared *job, yn_deadline deadline)
{
    for (;;) {
        uint32_t key = yn_event_key(&job->done);
        yn_event_announce(&job->done);
        if (yn_job_is_over(job))
            return 0;
        if (yn_owner_is_over(me, shared) && !yn_job_is_over(job)) {
            yn_pool_state state = yn_pool_state_of(shared);
            if (state >= YN_POOL_TERMINATED || !pool)
                return yn_pool_refusal(state);
        }
        if (pool)
            yn_owner_mend(me, pool);
        int r = yn_event_wait(me, &job->done, key, deadline);
        if (r == -ETIMEDOUT)
            return yn_job_is_over(job) ? 0 : r;
        if (r != 0) /* no seat to sleep on; but the job may not be left while workers write its results */
            sched_yield();
    }
}

/* Whether a worker can come to run while we spin: all may last have been on this very processor. */
static bool worker_is_apart(const yn_pool_shared *shared)
{
    if (!shared->spin_ns)
        return false;
    int here = atomic_load_explicit(&shared->caller_processor, memory_order_relaxed);
    for (uint32_t w = 0; w < shared->workers; w++)
        if (atomic_load_explicit(&shared->worker[w].processor, memory_order_relaxed) != here)
            return true;
    return false;
}

int yn_owner_wait(yn_self *me, yn_pool_shared *shared, yunta_pool *pool, yn_job_shared *job, yn_deadline deadline)
{
    yn_spin spin = {0, 0};
    uint64_t spin_ns = job->lanes == 0 && worker_is_apart(shared) ? spin_for_single_ns : 0;
    while (!yn_job_is_over(job) && deadline != 0 && yn_spin_more(&spin, spin_ns)) {
    }
    if (yn_job_is_over(job))
        return 0;
    yn_owner_waiter waiter = {.job = job};
    if (pool)
        yn_owner_enlist(pool, &waiter);
    int r = wait_asleep(me, shared, pool, job, deadline);
    if (pool)
        yn_owner_delist(pool, &waiter);
    return r;
}

void yn_pool_release(yn_self *me, yn_pool_shared *pool)
{
    if (atomic_fetch_sub(&pool->references, 1) != 1)
        return;
    yn_heap_free(me, pool->start_ref);
    yn_heap_free(me, pool->exit_ref);
    yn_heap_free(me, pool);
}
