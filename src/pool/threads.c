/* Workers as threads of the owner: for comparison, and for tools that see one process only.
 * Never protects from anything: a task that crashes ends the program.
 * Next: pool/worker.c, which does not know the difference. */
#include "pool/pool.h"

#include <stdlib.h>

typedef struct thread_argument {
    yunta_pool *pool;
    uint32_t number;
} thread_argument;

static void *thread_main(void *p)
{
    thread_argument a = *(thread_argument *)p;
    yn_pool_shared *shared = a.pool->shared;
    free(p);
    int error;
    yn_self *me = yn_self_get(&error); /* the process has its slot: this cannot fail */
    yn_worker_shared *seat = &shared->worker[a.number];
    atomic_store(&seat->pid, yn_slot_pid(me->slot, me->claim));
    if (shared->worker_start)
        shared->worker_start(shared->hook_argument);
    atomic_store(&seat->state, YN_WORKER_READY);
    yn_worker_run(me, shared, a.number);
    if (shared->worker_exit)
        shared->worker_exit(shared->hook_argument);
    atomic_store(&seat->pid, 0);
    if (atomic_fetch_add(&shared->ended, 1) + 1 == shared->workers) {
        yn_event_notify_all(&shared->changed);
        yn_owner_wake_waiters(a.pool);
    }
    return NULL;
}

int yn_threads_start(yunta_pool *pool)
{
    yn_pool_shared *shared = pool->shared;
    pool->threads = calloc(shared->workers, sizeof *pool->threads);
    if (!pool->threads)
        return -ENOMEM;
    for (uint32_t w = 0; w < shared->workers; w++) {
        thread_argument *a = malloc(sizeof *a);
        if (a)
            *a = (thread_argument){.pool = pool, .number = w};
        int r = a ? pthread_create(&pool->threads[w], NULL, thread_main, a) : ENOMEM;
        if (r != 0) {
            free(a);
            /* Those that run must not wait for the others. */
            atomic_fetch_add(&shared->ended, shared->workers - w);
            atomic_store(&shared->state, YN_POOL_TERMINATED);
            yn_event_wake(&shared->bell, INT32_MAX);
            while (w-- > 0)
                pthread_join(pool->threads[w], NULL);
            free(pool->threads);
            pool->threads = NULL;
            return -r;
        }
        atomic_fetch_add(&shared->started, 1);
    }
    return 0;
}

int yn_threads_join(yn_self *me, yunta_pool *pool, yn_deadline deadline)
{
    yn_pool_shared *shared = pool->shared;
    while (!yn_owner_is_over(me, shared)) {
        uint32_t key = yn_event_key(&shared->changed);
        yn_event_announce(&shared->changed);
        if (yn_owner_is_over(me, shared))
            break;
        int r = yn_event_wait(me, &shared->changed, key, deadline);
        if (r != 0)
            return r;
    }
    for (uint32_t w = 0; pool->threads && w < shared->workers; w++)
        pthread_join(pool->threads[w], NULL);
    free(pool->threads);
    pool->threads = NULL;
    return 0;
}
