/* What the tests of waiting for many share: sleeps without the second belt, by poll too; and children that do one thing
 * to an object when the test is asleep. */
#ifndef YUNTA_TEST_WAIT_SCENE_H
#define YUNTA_TEST_WAIT_SCENE_H

#include "../proc/helpers.h"
#include "../sync/endless.h"
#include "comm/queue.h"

#include <poll.h>
#include <pthread.h>

/* The second belt is left out of its sleep by poll as well. */
static inline int endless_poll(struct pollfd *fds, nfds_t count, int milliseconds)
{
    return poll(fds, count, milliseconds > 900 && milliseconds <= 1000 ? -1 : milliseconds);
}
#define poll endless_poll
#include "comm/wait_many.c"
#undef poll

#include <sys/resource.h>

enum { FOREVER = YUNTA_FOREVER };

static inline yunta_queue *new_queue(size_t capacity)
{
    yunta_queue *q;
    ck_assert_int_eq(yunta_queue_create(&q, &(yunta_queue_options){.item_size = sizeof(int), .capacity = capacity}), 0);
    return q;
}

static inline yunta_wait_item item(yunta_wait_kind kind, void *object)
{
    return (yunta_wait_item){.kind = kind, .object = object, .ready = 77};
}

static inline yunta_wait_item input(int descriptor)
{
    return (yunta_wait_item){.kind = YUNTA_WAIT_DESCRIPTOR, .descriptor = descriptor, .events = POLLIN};
}

/* What a child does, when the test is asleep. */
enum deed { PUT, GET, CLOSE, RELEASE, DIE_HOLDING, POST, SET, WRITE, END, TAKE, PUT_WITHOUT_DESCRIPTORS, DEEDS };
struct task {
    enum deed deed;
    pid_t sleeper;
    void *object;
    int descriptor;
    shared_word *stage;
};

static inline bool await_asleep(pid_t pid)
{
    uint64_t end = test_now_ms() + 20000;
    while (test_state(pid) != 'S') { /* once is enough: it may be awake again by now */
        if (test_now_ms() >= end)
            return false;
        test_nap();
    }
    return true;
}

static inline int use_up_descriptors(void)
{
    struct rlimit limit = {0, 0};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 64;
    setrlimit(RLIMIT_NOFILE, &limit);
    while (dup(0) >= 0) {
    }
    return errno == EMFILE ? 0 : -errno;
}

static inline int take(yunta_queue *q, shared_word *stage)
{
    yn_turn turn = {.me = yn_self_get(&(int){0}), .limit = SIZE_MAX};
    yn_link_shared *link = yn_queue_link(turn.me, q, YN_HAZARD_GET);
    expect(yn_ring_take(&turn, &link->ring) == YN_RING_DONE);
    atomic_store(stage, 4);
    return sleep_for_ever();
}

static inline int act(const struct task *t)
{
    int value = 5;
    if (t->deed == RELEASE || t->deed == DIE_HOLDING) {
        expect(yunta_lock_acquire(t->object, 20000) == 0);
    }
    atomic_store(t->stage, 1);
    expect(await_word(t->stage, 2));
    expect(await_asleep(t->sleeper));
    if (t->deed == PUT_WITHOUT_DESCRIPTORS)
        expect(use_up_descriptors() == 0);
    switch (t->deed) {
    case PUT:
    case PUT_WITHOUT_DESCRIPTORS:
        expect(yunta_queue_put(t->object, &value, 0) == 0);
        break;
    case GET:
        expect(yunta_queue_get(t->object, &value, 0) == 0);
        break;
    case CLOSE:
        expect(yunta_queue_close(t->object) == 0);
        break;
    case RELEASE:
        expect(yunta_lock_release(t->object) == 0);
        break;
    case DIE_HOLDING:
        raise(SIGKILL);
        break;
    case POST:
        expect(yunta_semaphore_release(t->object) == 0);
        break;
    case SET:
        expect(yunta_event_set(t->object) == 0);
        break;
    case TAKE:
        return take(t->object, t->stage);
    default:
        return 0;
    }
    expect(await_word(t->stage, 3)); /* its end would wake everybody */
    return 0;
}
YUNTA_ENTRY(act, struct task);

static inline void *new_object(enum deed deed)
{
    yunta_lock *lock = NULL;
    yunta_semaphore *semaphore = NULL;
    yunta_event *event = NULL;
    yunta_queue *q = NULL;
    switch (deed) {
    case RELEASE:
    case DIE_HOLDING:
        ck_assert_int_eq(yunta_lock_create(&lock), 0);
        return lock;
    case POST:
        ck_assert_int_eq(yunta_semaphore_create(&semaphore, &(yunta_semaphore_options){.initial = 0}), 0);
        return semaphore;
    case SET:
        ck_assert_int_eq(yunta_event_create(&event), 0);
        return event;
    default:
        q = new_queue(deed == GET ? 1 : deed == PUT ? 0 : 3);
        if (deed == GET || deed == TAKE)
            ck_assert_int_eq(yunta_queue_put(q, &(int){1}, 0), 0);
        return q;
    }
}

static inline void free_object(enum deed deed, void *object)
{
    if (deed == RELEASE || deed == DIE_HOLDING)
        yunta_lock_destroy(object);
    else if (deed == POST)
        yunta_semaphore_destroy(object);
    else if (deed == SET)
        yunta_event_destroy(object);
    else
        yunta_queue_destroy(object);
}

static inline void lead(struct task *t)
{
    ck_assert(await_word(t->stage, 1));
    atomic_store(t->stage, 2);
}

static inline bool is_readable(int descriptor, int milliseconds)
{
    struct pollfd p = {.fd = descriptor, .events = POLLIN};
    return poll(&p, 1, milliseconds) == 1;
}

static inline int write_one(const struct task *t)
{
    expect(await_asleep(t->sleeper));
    return write(1, "x", 1) == 1 ? 0 : 1;
}
YUNTA_ENTRY(write_one, struct task);

#endif
