/* The foreman: a process that forks the workers, replaces them, and settles what the dead were at.
 * Never on the way of a task, never looks at memory of the program: what it needs stands in the arena.
 * Next: pool/settle.c, pool/owner.c (what if it dies itself). */
#include "pool/pool.h"
#include "os/rawsys.h"
#include "proc/children.h"
#include "proc/signals.h"
#include "shm/heap.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

typedef struct foreman {
    yn_self *me;
    yn_pool_shared *pool;
    yunta_process **worker;   /* records of those that live */
    uint64_t changed_signals; /* what workers inherit and are not to keep: nothing but when all was inherited by us */
    uint32_t living;
    uint32_t early; /* deaths in a row before the start hook was through */
    int backoff_ms; /* after a failed start; 0: none is owed */
    uint32_t owed;  /* workers still to be started */
} foreman;

typedef struct worker_argument {
    yn_pool_shared *pool;
    uint32_t number;
} worker_argument;

static const uint64_t interrupt = UINT64_C(1) << (SIGINT - 1);

typedef void (*hook)(void *);

YN_IN_CHILD static hook find_hook(hook direct, const yn_image_ref_shared *ref)
{
    void (*function)(void) = NULL;
    if (!ref)
        return direct;
    return yn_image_resolve(ref, &function) == 0 ? (hook)function : NULL;
}

/* Takes the worker's seat: not before its last tenant is dead, and only under the foreman that the pool has now. */
YN_IN_CHILD static bool take_place(yn_self *me, yn_pool_shared *pool, yn_worker_shared *seat)
{
    yn_claim other = 0;
    while (!atomic_compare_exchange_strong(&seat->who, &other, me->claim)) {
        if (yn_claim_is_alive(&me->arena->slots, other))
            return false;
    }
    if (atomic_load(&pool->foreman) == atomic_load(&me->slot->parent))
        return true;
    other = me->claim;
    atomic_compare_exchange_strong(&seat->who, &other, 0);
    return false;
}

YN_IN_CHILD static int worker_main(const void *argument)
{
    const worker_argument *a = argument;
    yn_pool_shared *pool = a->pool;
    yn_worker_shared *seat = &pool->worker[a->number];
    int error;
    yn_self *me = yn_self_get(&error);
    yn_raw2(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL); /* a second belt: the foreman has one thread, so this is exact */
    if (!me || !take_place(me, pool, seat))
        return 1;
    atomic_store(&seat->pid, yn_slot_pid(me->slot, me->claim));
    hook start = find_hook(pool->worker_start, pool->start_ref), end = find_hook(pool->worker_exit, pool->exit_ref);
    if (start)
        start(pool->hook_argument);
    atomic_store(&seat->state, YN_WORKER_READY);
    yn_worker_run(me, pool, a->number);
    if (end)
        end(pool->hook_argument);
    return 0;
}

static int start_worker(foreman *f, uint32_t w)
{
    static const yunta_process_options fork_it = {.start_method = YUNTA_FORK};
    worker_argument argument = {.pool = f->pool, .number = w};
    yn_start start = {.call = worker_main,
                      .argument = &argument,
                      .size = sizeof argument,
                      .name = f->pool->name,
                      .internal = true,
                      .changed_signals = &f->changed_signals,
                      .options = &fork_it};
    int r = yn_process_launch(f->me, &f->worker[w], &start);
    if (r != 0) {
        atomic_store(&f->pool->start_error, r);
        return r;
    }
    atomic_store(&f->pool->worker[w].record, f->worker[w]);
    atomic_fetch_add(&f->pool->started, 1);
    f->living++;
    return 0;
}

static void forget_worker(foreman *f, uint32_t w)
{
    atomic_store(&f->pool->worker[w].record, NULL); /* first: nobody shall free it again */
    f->worker[w] = yunta_process_destroy(f->worker[w]);
}

/* Starts whoever is missing; what cannot be started now is tried again after a while. */
static void start_missing(foreman *f)
{
    f->owed = 0;
    for (uint32_t w = 0; w < f->pool->workers; w++) {
        if (f->worker[w] || atomic_load(&f->pool->worker[w].state) == YN_WORKER_GONE)
            continue;
        if (f->owed > 0 || start_worker(f, w) != 0)
            f->owed++;
    }
    f->backoff_ms = f->owed == 0 ? 0 : f->backoff_ms == 0 ? 5 : f->backoff_ms < 500 ? 2 * f->backoff_ms : 500;
}

static void give_up(yn_pool_shared *pool)
{
    uint32_t state = atomic_load(&pool->state);
    while (state < YN_POOL_TERMINATED && !atomic_compare_exchange_weak(&pool->state, &state, YN_POOL_BROKEN)) {
    }
    yn_event_wake(&pool->bell, INT32_MAX);
}

static void on_death(foreman *f, uint32_t w)
{
    yn_pool_shared *pool = f->pool;
    yn_worker_shared *seat = &pool->worker[w];
    yunta_failure death;
    yunta_process_failure(f->worker[w], &death);
    if (death.signal == 0 && death.code != YUNTA_ELOST)
        death.code = 0; /* it ended by itself */
    bool well = death.code == 0 && atomic_load(&seat->state) == YN_WORKER_GONE;
    bool left = yn_settle_worker(f->me, pool, w, &death), was_looking = atomic_load(&seat->state) == YN_WORKER_SPINS;
    forget_worker(f, w);
    f->living--;
    if (!well) {
        f->early = atomic_load(&seat->state) == YN_WORKER_NONE ? f->early + 1 : 0;
        atomic_fetch_add(&pool->deaths, 1);
    }
    atomic_store(&seat->pid, 0);
    atomic_store(&seat->who, 0);
    if (!well || left)
        atomic_store(&seat->state, YN_WORKER_NONE);
    if (was_looking)
        yn_event_notify_one(&pool->bell); /* who submitted has perhaps woken nobody, since this one looked */
    if (f->early > 2 * pool->workers + 2)
        give_up(pool); /* they die before they are ready: a start hook that fails, or no memory */
}

static void reap(foreman *f)
{
    for (uint32_t w = 0; w < f->pool->workers; w++)
        if (f->worker[w] && yn_children_wait(f->me, f->worker[w], 0) == 0)
            on_death(f, w);
}

static void kill_all(foreman *f)
{
    for (uint32_t w = 0; w < f->pool->workers; w++)
        if (f->worker[w])
            yunta_process_kill(f->worker[w]);
    for (uint32_t w = 0; w < f->pool->workers; w++)
        forget_worker(f, w);
}

/* One signal, or the time to try a start again. */
static void await_news(foreman *f, const sigset_t *signals)
{
    struct timespec limit = {.tv_sec = f->backoff_ms / 1000, .tv_nsec = f->backoff_ms % 1000 * 1000000L};
    sigtimedwait(signals, NULL, f->backoff_ms ? &limit : NULL);
}

static void oversee(foreman *f, const sigset_t *signals)
{
    yn_pool_shared *pool = f->pool;
    start_missing(f);
    if (f->living == 0)
        give_up(pool);
    atomic_store(&pool->foreman_ready, 1);
    yn_event_notify_all(&pool->changed);
    while (yn_pool_state_of(pool) < YN_POOL_TERMINATED && (f->living > 0 || f->owed > 0)) {
        await_news(f, signals);
        reap(f);
        if (yn_pool_state_of(pool) < YN_POOL_TERMINATED)
            start_missing(f);
    }
    kill_all(f);
}

static bool inherits_signals(const yn_self *me)
{
    const yunta_process *record = atomic_load(&me->slot->record);
    return record->setup && record->setup->inherit_signals;
}

static int foreman_main(const void *argument)
{
    yn_pool_shared *pool;
    memcpy(&pool, argument, sizeof pool);
    int error;
    yunta_process *few[32] = {NULL};
    foreman f = {.me = yn_self_get(&error), .pool = pool, .worker = few};
    if (pool->workers > YN_COUNT(few))
        f.worker = calloc(pool->workers, sizeof(yunta_process *));
    if (!f.me || !f.worker) {
        if (f.worker != few)
            free(f.worker);
        return 1;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM);
    yn_raw4(SYS_rt_sigprocmask, SIG_BLOCK, &signals, NULL, sizeof interrupt);
    if (inherits_signals(f.me))
        f.changed_signals = yn_signals_changed() & ~interrupt; /* not passed on: of ours they may have all */
    yn_signals_set(interrupt, interrupt);                      /* the workers inherit this */
    yn_heap_touch(f.me);
    atomic_store(&pool->foreman, f.me->claim);
    oversee(&f, &signals);
    if (f.worker != few)
        free(f.worker);
    return 0;
}

int yn_foreman_start(yn_self *me, yunta_pool *pool)
{
    yn_pool_shared *shared = pool->shared;
    yn_start start = {.call = foreman_main,
                      .argument = &shared,
                      .size = sizeof shared,
                      .name = "yunta-foreman",
                      .internal = true,
                      .options = &pool->process};
    atomic_store(&shared->foreman_ready, 0);
    int r = yn_process_launch(me, &pool->foreman, &start);
    if (r != 0)
        return r;
    int seen = yn_children_sentinel(me, pool->foreman);
    atomic_store(&pool->foreman_pid, seen < 0 ? yunta_process_pid(pool->foreman) : 0);
    atomic_store(&pool->foreman_seen, seen);
    if (yn_pool_state_of(shared) >= YN_POOL_TERMINATED) /* by who could not tell this one */
        yunta_pool_terminate(pool);
    atomic_store(&shared->foreman, atomic_load(&pool->foreman->who));
    atomic_fetch_add(&shared->foremen, 1);
    while (!atomic_load(&shared->foreman_ready)) {
        uint32_t key = yn_event_key(&shared->changed);
        yn_event_announce(&shared->changed);
        if (atomic_load(&shared->foreman_ready) || !yn_claim_is_alive(&me->arena->slots, atomic_load(&shared->foreman)))
            break;
        yn_event_wait(me, &shared->changed, key, YN_NEVER);
    }
    return 0;
}
