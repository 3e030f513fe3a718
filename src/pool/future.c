/* One task, and the future of its outcome.
 * Never blocks but in yunta_await.
 * Next: pool/jobs.c, pool/owner.c. */
#include "comm/wait_many.h"
#include "os/tool.h"
#include "pool/pool.h"

#include <stdlib.h>

int yunta_pool_submit(yunta_pool *pool, const yunta_task *task, const void *in, yunta_future **future)
{
    int r = pool && task && task->call && future && (in || !task->input_size) ? 0 : -EINVAL;
    yn_self *me = r == 0 ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    if (pool->owner != me->claim)
        return -EPERM;
    r = yn_owner_mend(me, pool);
    if (r != 0)
        return r;
    yunta_future *made = malloc(sizeof *made);
    yn_job_shared *job = made ? yn_jobs_make(me, pool, task, 0, 0, &r) : NULL;
    if (!job) {
        free(made);
        return r != 0 ? r : -ENOMEM;
    }
    if (in) {
        memcpy((char *)(uintptr_t)job->in, in, task->input_size);
        yn_tool_mark_defined(job->in, task->input_size); /* this memory may be another one's output next */
    }
    if (task->output_size)
        memset(job->out, 0, task->output_size);
    *made = (yunta_future){.shared = pool->shared, .pool = pool, .job = job, .owner = me->claim};
    atomic_fetch_add(&pool->shared->references, 1);
    r = yn_jobs_submit(me, pool, job);
    if (r != 0)
        yunta_future_destroy(made);
    else
        *future = made;
    return r;
}

/* What the finished job says; why may be NULL. */
static int outcome(const yn_job_shared *job, yunta_failure *why)
{
    const yn_failed_shared *failed = atomic_load(&job->failed);
    if (why && failed)
        *why = failed->why;
    else if (why)
        memset(why, 0, sizeof *why);
    if (yn_job_state_of(job) == YN_JOB_CANCELLED) {
        if (why)
            *why = (yunta_failure){.code = -ECANCELED, .exit_status = -1, .text = "taken back before it began"};
        return -ECANCELED;
    }
    if (failed)
        return failed->why.code;
    return atomic_load(&job->out_of_memory) ? -ENOMEM : 0;
}

int yunta_await(yunta_future *future, void *out, int milliseconds)
{
    int r = -EINVAL;
    yn_self *me = future ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    if (future->owner != me->claim)
        return -EPERM;
    yn_job_shared *job = future->job;
    yunta_pool *pool = atomic_load(&future->shared->destroyed) ? NULL : future->pool;
    r = yn_owner_wait(me, future->shared, pool, job, yn_deadline_in(milliseconds));
    if (r == 0)
        r = outcome(job, NULL);
    if (r == 0 && out)
        memcpy(out, job->out, job->out_size);
    return r;
}

bool yunta_future_is_done(yunta_future *future)
{
    int r = yunta_await(future, NULL, 0);
    return future && r != -ETIMEDOUT && r != -EPERM;
}

int yunta_future_failure(yunta_future *future, yunta_failure *why)
{
    if (!future || !why)
        return -EINVAL;
    int r = yunta_await(future, NULL, 0);
    if (r == -ETIMEDOUT)
        return -EAGAIN;
    if (r == -EPERM)
        return r;
    if (yn_job_is_over(future->job)) {
        outcome(future->job, why);
    } else { /* the pool ended first */
        *why = (yunta_failure){.code = r, .exit_status = -1};
        strncpy(why->text, yunta_strerror(r), sizeof why->text - 1);
    }
    return 0;
}

int yunta_future_cancel(yunta_future *future)
{
    int r = -EINVAL;
    yn_self *me = future ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    if (future->owner != me->claim)
        return -EPERM;
    uint32_t open = YN_JOB_OPEN;
    if (!atomic_compare_exchange_strong(&future->job->state, &open, YN_JOB_CANCELLED))
        return -EBUSY;
    yn_job_announce(future->job);
    return 0;
}

/* Waiting for it together with others (comm/wait_many.h). */
static bool is_ready(yn_self *me, void *object)
{
    yunta_future *future = object;
    (void)me;
    return yn_job_is_over(future->job) || yunta_await(future, NULL, 0) != -ETIMEDOUT;
}

static void *place(void *object)
{
    return &((yunta_future *)object)->job->done;
}

static int refuse(yn_self *me, void *object, yn_deadline deadline)
{
    (void)deadline;
    return ((yunta_future *)object)->owner == me->claim ? 0 : -EPERM;
}

static void enter(void *object, yn_wait_room *room)
{
    yunta_future *future = object;
    _Static_assert(sizeof(yn_owner_waiter) <= sizeof *room, "it finds room there");
    yn_owner_waiter *waiter = (yn_owner_waiter *)(void *)room;
    waiter->job = future->job;
    if (!atomic_load(&future->shared->destroyed))
        yn_owner_enlist(future->pool, waiter);
    else
        waiter->job = NULL;
}

static void leave(void *object, yn_wait_room *room)
{
    yunta_future *future = object;
    yn_owner_waiter *waiter = (yn_owner_waiter *)(void *)room;
    if (waiter->job && !atomic_load(&future->shared->destroyed))
        yn_owner_delist(future->pool, waiter);
}

const yn_waitable yn_waitable_future = {
    .is_ready = is_ready, .place = place, .refuse = refuse, .enter = enter, .leave = leave};

yunta_future *yunta_future_destroy(yunta_future *future)
{
    int r;
    yn_self *me = future ? yn_self_get(&r) : NULL;
    if (me && future->owner == me->claim) {
        yn_jobs_release(me, future->job);
        yn_pool_release(me, future->shared);
    }
    free(future);
    return NULL;
}
