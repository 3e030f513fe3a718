/* A worker: finds the first job with something to take, takes, runs, until the pool ends.
 * Never holds anything while idle; never begins a task before its name stands in the job.
 * Next: pool/job.c (taking), pool/settle.c (what if we die here). */
#include "pool/pool.h"

#include <sched.h>
#include <stdlib.h>

/* A chunk should last about so long: short enough to share the end out well, long enough that taking costs nothing. */
static const uint64_t chunk_ns = 100000;

/* A worker that has waited less than this for its last job expects the next one as soon. */
static const uint64_t hot_ns = 200000;

typedef int (*task_call)(const void *, void *);

typedef struct worker {
    yn_self *me;
    yn_pool_shared *pool;
    yn_worker_shared *shared;
    uint32_t number;
    const yn_image_ref_shared *known; /* the last function looked up, and where it is here */
    task_call found;
    uint64_t page; /* of the job met last */
    bool is_hot;   /* the last wait was short: the next job mostly follows at once */
} worker;

YN_IN_CHILD static bool is_ending(yn_pool_shared *pool)
{
    return atomic_load_explicit(&pool->state, memory_order_relaxed) >= YN_POOL_TERMINATED;
}

YN_IN_CHILD static task_call call_of(worker *w, const yn_job_shared *job)
{
    if (!job->function)
        return job->call;
    if (w->known != job->function) {
        void (*function)(void) = NULL;
        yn_image_resolve(job->function, &function);
        w->found = (task_call)function;
        w->known = job->function;
    }
    return w->found;
}

static YN_NOINLINE void fail(worker *w, yn_job_shared *job, uint64_t index, int code, int value)
{
    yunta_failure why = {
        .code = code, .value = value, .exit_status = -1, .pid = yn_slot_pid(w->me->slot, w->me->claim), .index = index};
    memcpy(why.name, job->name, sizeof why.name);
    char *said = yn_fail_text();
    strncpy(why.text, said[0] ? said : yunta_strerror(code == YUNTA_EFAILED ? value : code), sizeof why.text - 1);
    yn_job_fail(w->me, job, &why);
}

YN_IN_CHILD static void run_single(worker *w, yn_job_shared *job)
{
    uint32_t open = YN_JOB_OPEN;
    if (!atomic_compare_exchange_strong(&job->state, &open, YN_JOB_RUNNING | w->number << 8))
        return;
    task_call call = call_of(w, job);
    yn_fail_text()[0] = '\0';
    int r = call ? call(job->in, job->out) : YUNTA_ENOFUNCTION;
    if (YN_UNLIKELY(r < 0))
        fail(w, job, 0, call ? YUNTA_EFAILED : r, r);
    atomic_store_explicit(&job->state, YN_JOB_DONE, memory_order_release);
    yn_job_announce(job);
}

YN_IN_CHILD static void run_chunk(worker *w, yn_job_shared *job, const yn_chunk *chunk, task_call call)
{
    const char *in = job->in + chunk->at * job->in_size;
    char *out = job->out + chunk->at * job->out_size, *said = yn_fail_text();
    uint32_t number = w->number, end = chunk->end;
    for (uint32_t i = chunk->at; i < end; i++, in += job->in_size, out += job->out_size) {
        if (YN_UNLIKELY(said[0])) /* by one that did not fail then, or by the hook */
            said[0] = '\0';
        yn_job_begin(job, number, i, end);
        int r = call ? call(in, out) : YUNTA_ENOFUNCTION;
        if (YN_UNLIKELY(r < 0))
            fail(w, job, job->first + i, call ? YUNTA_EFAILED : r, r);
    }
    yn_job_end_chunk(job, number, end);
}

/* The next chunk's size: twice or half the last one's, by how long that took; never so much that others would run dry.
 */
static uint32_t adapt(yn_job_shared *job, uint32_t w, uint32_t last, uint64_t took)
{
    uint32_t next = took < chunk_ns / 2 ? last * 2 : took > chunk_ns * 2 && last > 1 ? last / 2 : last;
    uint32_t share = yn_job_left(job, w) / 4;
    next = next < share ? next : share;
    return next > 0 ? next : 1;
}

YN_IN_CHILD static void run_map(worker *w, yn_job_shared *job)
{
    uint32_t most = job->chunk ? job->chunk : 1;
    task_call call = call_of(w, job);
    uint64_t before = job->chunk ? 0 : yn_now_ns();
    yn_chunk chunk;
    while (!is_ending(w->pool) && yn_job_take(job, w->number, most, &chunk)) {
        run_chunk(w, job, &chunk, call);
        if (job->chunk)
            continue;
        uint64_t now = yn_now_ns();
        most = adapt(job, w->number, most, now - before);
        before = now;
    }
    yn_job_finish_if_done(job);
}

YN_IN_CHILD static void run_job(worker *w, yn_job_shared *job)
{
    if (job->lanes)
        run_map(w, job);
    else
        run_single(w, job);
}

/* Its page is first met by a store: see yn_arena_touch. */
YN_IN_CHILD static void touch(worker *w, yn_job_shared *job)
{
    uint64_t page = (uint64_t)(uintptr_t)&job->state / 4096;
    if (page != w->page)
        atomic_fetch_or_explicit(&job->out_of_memory, 0, memory_order_relaxed);
    w->page = page;
}

/* The first job with something to take, protected from being freed by our name for it; NULL if there is none. */
YN_IN_CHILD static yn_job_shared *pick(worker *w)
{
    for (;;) {
        yn_job_shared *job = atomic_load(&w->pool->head);
        atomic_store(&w->shared->job, job);
        if (atomic_load(&w->pool->head) != job)
            continue;
        touch(w, job);
        if (yn_job_has_work(job))
            return job;
        yn_job_shared *next = atomic_load(&job->next);
        if (!next) {
            atomic_store_explicit(&w->shared->job, NULL, memory_order_release);
            return NULL;
        }
        __builtin_prefetch(&next->state, 1); /* to be claimed in a moment */
        atomic_compare_exchange_strong(&w->pool->head, &job, next);
    }
}

/* A look without protection: the head may be freed under us, and be something else by now, but its memory stays mapped
 * and readable; and whoever believes what is seen here picks, which is protected. */
YN_RACES_ON_PURPOSE static bool may_have_work(const yn_pool_shared *pool)
{
    const yn_job_shared *head = atomic_load_explicit(&pool->head, memory_order_relaxed);
    const yn_job_shared *next = atomic_load_explicit(&head->next, memory_order_relaxed);
    __builtin_prefetch(next);
    return next || (atomic_load_explicit(&head->state, memory_order_relaxed) & 0xff) == YN_JOB_OPEN;
}

/* Looks for work for a while, where it has a processor to look from. */
YN_IN_CHILD static yn_job_shared *look_out(worker *w)
{
    yn_spin spin = {0, 0};
    if (w->pool->spin_ns == 0)
        return NULL;
    /* Spinning on the owner's processor keeps the owner from its next call; unless calls come so fast that the owner
     * had better move to another one, which it does when it finds this one busy. */
    int processor = sched_getcpu();
    if (processor != atomic_load_explicit(&w->shared->processor, memory_order_relaxed))
        atomic_store_explicit(&w->shared->processor, processor, memory_order_relaxed);
    bool spins = w->is_hot || processor != atomic_load_explicit(&w->pool->caller_processor, memory_order_relaxed);
    atomic_store(&w->shared->state, spins ? YN_WORKER_SPINS : YN_WORKER_READY);
    yn_job_shared *job = pick(w);
    while (!job && spins && !is_ending(w->pool) && yn_spin_more(&spin, w->pool->spin_ns)) {
        if (atomic_load_explicit(&w->pool->state, memory_order_relaxed) != YN_POOL_OPEN)
            break;
        if (may_have_work(w->pool))
            job = pick(w);
    }
    atomic_store(&w->shared->state, YN_WORKER_READY);
    w->is_hot = job != NULL;
    return job;
}

/* Work, after having looked for it for a while; or NULL after having slept once. */
YN_IN_CHILD static yn_job_shared *await_work(worker *w)
{
    yn_event_shared *bell = &w->pool->bell;
    yn_job_shared *job = look_out(w);
    if (job)
        return job;
    uint32_t key = yn_event_key(bell);
    yn_event_announce(bell);
    job = pick(w);
    if (job || atomic_load(&w->pool->state) != YN_POOL_OPEN)
        return job;
    uint64_t before = w->pool->spin_ns ? yn_now_ns() : 0;
    yn_event_wait(w->me, bell, key, YN_NEVER);
    job = pick(w);
    w->is_hot = job && w->pool->spin_ns && yn_now_ns() - before < hot_ns;
    return job;
}

YN_IN_CHILD void yn_worker_run(yn_self *me, yn_pool_shared *pool, uint32_t number)
{
    worker w = {.me = me, .pool = pool, .shared = &pool->worker[number], .number = number};
    /* What our predecessor left on this lane. */
    yn_job_shared *job = atomic_load(&w.shared->job);
    if (job && job->lanes)
        run_map(&w, job);
    while (!is_ending(pool)) {
        job = pick(&w);
        if (!job)
            job = await_work(&w);
        if (job) {
            if (atomic_load_explicit(&job->next, memory_order_relaxed))
                yn_event_notify_one(&pool->bell); /* more behind it: the wake that we had may have stood for several */
            run_job(&w, job);
        } else if (atomic_load(&pool->state) != YN_POOL_OPEN && !pick(&w)) {
            break;
        }
    }
    atomic_store(&w.shared->job, NULL);
    atomic_store(&w.shared->state, YN_WORKER_GONE);
}
