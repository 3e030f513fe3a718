/* Stories: somebody is killed at each system call of an act, with a peer asleep over the same thing, or coming when the
 * victim sleeps. Who includes this writes the acts. Next: test_syscall_queues.c. */
#ifndef YUNTA_SYSCALL_STORY_H
#define YUNTA_SYSCALL_STORY_H

#include <yunta/yunta.h>

#include <yunta/pipe.h>
#include <yunta/queue_loan.h>
#include <yunta/queue_many.h>
#include <yunta/topic.h>

typedef struct things {
    yunta_queue *queue;
    yunta_pipe *near, *far; /* the peer's end, and the victim's */
    yunta_topic *topic;
    yunta_subscription *own; /* the victim's */
    yunta_lock *lock;
    yunta_condition *condition;
    bool flag; /* under the lock */
    yunta_barrier *barrier;
    yunta_semaphore *semaphore;
    yunta_event *event;
    yunta_dict *dict;
    yunta_vector *vector;
} things;

#include "syscall_scene.h"

#include "sync/listen.h"

enum { MANY = 3, PIECE = 40, LARGE = 100000, HUGE = 1 << 21 };
static char large[LARGE];

/* An act, its peer, and how the test sees to it that the peer ends, if the victim has not. */
enum { FIRST, LATER, LATER_IN_KERNEL };
typedef struct story {
    act act;
    int (*peer)(scene *s); /* may be NULL, as may settle */
    int when; /* it is asleep before the victim begins; it waits until that sleeps, or does so outside the library */
    void (*settle)(scene *s);
} story;
static const story *told;

static yn_self *self(void)
{
    return yn_self_get(&(int){0});
}

static int play_peer(scene *s)
{
    if (told->when == LATER)
        await_victim(s);
    while (told->when == LATER_IN_KERNEL && (!atomic_load(&s->victim) || test_state(atomic_load(&s->victim)) != 'S') &&
           test_is_running(atomic_load(&s->victim)))
        test_nap();
    return told->peer(s);
}

static void let_peer_sleep(scene *s)
{
    if (!told->peer)
        return;
    add_peer(s, play_peer);
    test_wait_until(told->when != FIRST || is_asleep(s->peer_pids[0], atomic_load(&s->peer_claim)), 10000);
}

static void let_peer_end(scene *s)
{
    for (uint64_t end = test_now_ms() + 10000; atomic_load(&s->ended) < s->peers && test_now_ms() < end; test_nap())
        if (told->settle)
            told->settle(s);
    peers_end(s);
    test_wait_until(!yn_claim_is_alive(&self()->arena->slots, atomic_load(&s->victim_claim)), 10000);
}

#define MEMBER .member = true, .least = 2

static void run_story(const story *what)
{
    size_t living;
    told = what;
    sweep(&told->act, YUNTA_FORK, told->act.least);
    ck_assert(yn_listen_is_sound(self()->arena, &living));
    ck_assert_uint_eq(living, 0);
}

#endif
