/* What a dead worker leaves behind.
 * Never guesses: the task it was in stands in its lane, or in the job's own word. Every step may be repeated by who
 * comes after. Next: pool/job.c, pool/foreman.c (who calls this), README.md. */
#include "pool/pool.h"

#include <stdio.h>

/* The failure of one task: how its worker died, with the task's name and index. */
static yunta_failure blame(const yn_job_shared *job, const yunta_failure *death, uint64_t index)
{
    yunta_failure why = *death;
    why.index = index;
    if (why.code == 0)
        why.code = YUNTA_EEXITED;
    memcpy(why.name, job->name, sizeof why.name);
    if (why.code == YUNTA_ECRASHED)
        snprintf(why.text, sizeof why.text, "task '%s' [%llu]: its worker (pid %d) died of signal %d (%s)%s", why.name,
                 (unsigned long long)index, (int)why.pid, why.signal, strsignal(why.signal),
                 why.out_of_memory ? ": out of memory" : "");
    else
        snprintf(why.text, sizeof why.text, "task '%s' [%llu]: %s (pid %d, status %d)", why.name,
                 (unsigned long long)index, yunta_strerror(why.code), (int)why.pid, why.exit_status);
    return why;
}

static void settle_single(yn_self *me, yn_job_shared *job, uint32_t w, const yunta_failure *death)
{
    uint32_t running = YN_JOB_RUNNING | w << 8;
    if (atomic_load(&job->state) != running)
        return;
    if (!yn_job_has_failed(job, 0)) {
        yunta_failure why = blame(job, death, 0);
        yn_job_fail(me, job, &why);
    }
    if (atomic_compare_exchange_strong(&job->state, &running, YN_JOB_DONE))
        yn_job_announce(job);
}

static bool settle_map(yn_self *me, yn_job_shared *job, uint32_t w, const yunta_failure *death)
{
    uint32_t at;
    if (yn_job_was_in(job, w, &at) && !yn_job_has_failed(job, job->first + at)) {
        yunta_failure why = blame(job, death, job->first + at);
        yn_job_fail(me, job, &why);
    }
    bool left = yn_job_hand_back(job, w);
    yn_job_finish_if_done(job);
    return left;
}

bool yn_settle_worker(yn_self *me, yn_pool_shared *pool, uint32_t w, const yunta_failure *death)
{
    yn_worker_shared *worker = &pool->worker[w];
    yn_job_shared *job = atomic_load(&worker->job);
    bool left = false;
    if (job && job->lanes)
        left = settle_map(me, job, w, death);
    else if (job)
        settle_single(me, job, w, death);
    /* With work left, its name for the job stays: it keeps the job, and tells the next tenant. */
    if (!left)
        atomic_store(&worker->job, NULL);
    return left;
}
