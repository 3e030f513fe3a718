/* Who takes part in the tests of deadlocks: parties that take one thing each, then wait for another's, until they are
 * killed. */
#ifndef YUNTA_DEADLOCK_SCENE_H
#define YUNTA_DEADLOCK_SCENE_H

#include "../proc/helpers.h"

enum { MOST = 8, EDGES = 64 };

enum thing { LOCK, RECURSIVE, READ, WRITE, SEMAPHORE, ONCE };

/* One thing of any kind, to be taken and let go. */
struct object {
    enum thing kind;
    yunta_lock *lock;
    yunta_recursive_lock *recursive;
    yunta_rwlock *rwlock;
    yunta_semaphore *semaphore;
};

struct party {
    struct object first, second;
    int limit;             /* ms, for the second */
    shared_word *taken;    /* by each, + 1 when it has its first */
    int wanted;            /* and then it waits until there are so many */
    shared_word *ended;    /* + 1 by who has got its second as well */
    yunta_process *joined; /* instead of the second: waits for its end */
};

static inline struct object new_object(enum thing kind)
{
    struct object o = {.kind = kind};
    int r = 0;
    if (kind == LOCK)
        r = yunta_lock_create(&o.lock);
    else if (kind == RECURSIVE)
        r = yunta_recursive_lock_create(&o.recursive);
    else if (kind == SEMAPHORE)
        r = yunta_semaphore_create(&o.semaphore, NULL);
    else
        r = yunta_rwlock_create(&o.rwlock);
    ck_assert_int_eq(r, 0);
    return o;
}

static inline void free_object(struct object *o)
{
    yunta_lock_destroy(o->lock);
    yunta_recursive_lock_destroy(o->recursive);
    yunta_rwlock_destroy(o->rwlock);
    yunta_semaphore_destroy(o->semaphore);
}

static inline const void *address_of(const struct object *o)
{
    return o->lock        ? (void *)o->lock
           : o->recursive ? (void *)o->recursive
           : o->rwlock    ? (void *)o->rwlock
                          : (void *)o->semaphore;
}

static inline int take(const struct object *o, int milliseconds)
{
    switch (o->kind) {
    case LOCK:
        return yunta_lock_acquire(o->lock, milliseconds);
    case RECURSIVE:
        return yunta_recursive_lock_acquire(o->recursive, milliseconds);
    case READ:
        return yunta_rwlock_acquire_read(o->rwlock, milliseconds);
    case WRITE:
        return yunta_rwlock_acquire_write(o->rwlock, milliseconds);
    default:
        return yunta_semaphore_acquire(o->semaphore, milliseconds);
    }
}

static inline int let_go(const struct object *o)
{
    switch (o->kind) {
    case LOCK:
        return yunta_lock_release(o->lock);
    case RECURSIVE:
        return yunta_recursive_lock_release(o->recursive);
    case SEMAPHORE:
        return yunta_semaphore_release(o->semaphore);
    default:
        return yunta_rwlock_release(o->rwlock);
    }
}

static inline int take_part(const struct party *p)
{
    if (!p->joined || p->first.lock)
        expect(take(&p->first, 20000) == 0);
    atomic_fetch_add(p->taken, 1);
    while (atomic_load(p->taken) < p->wanted)
        test_nap();
    if (p->joined)
        return yunta_process_join(p->joined, p->limit) == YUNTA_ECRASHED ? 0 : 1;
    int r = take(&p->second, p->limit);
    expect(r == 0 || r == -EOWNERDEAD);
    atomic_fetch_add(p->ended, 1);
    expect(let_go(&p->second) == 0 && let_go(&p->first) == 0);
    return r == 0 ? 0 : 100; /* told of a death */
}
YUNTA_ENTRY(take_part, struct party);

/* Looks until there are so many edges in circles; fails the test if there are ever others. */
static inline void await_edges(yunta_deadlock_edge *edges, int count)
{
    uint64_t end = test_now_ms() + 20000;
    int found = 0;
    while ((found = yunta_deadlock_find(edges, EDGES)) != count) {
        ck_assert_msg(found == 0 && test_now_ms() < end, "%d edges, not %d", found, count);
        test_nap();
    }
}

/* Each waits for the one behind it. */
static inline void check_circle(const yunta_deadlock_edge *edges, int count)
{
    for (int i = 0; i < count; i++) {
        const yunta_deadlock_edge *next = &edges[(i + 1) % count];
        ck_assert_int_eq(edges[i].holder_pid, next->waiter_pid);
        ck_assert_int_eq(edges[i].holder_thread, next->waiter_thread);
    }
}

static inline int count_waits(void)
{
    yunta_deadlock_edge edges[EDGES];
    int r = yunta_deadlock_read_waits(edges, EDGES);
    ck_assert_int_ge(r, 0);
    return r;
}

#endif
