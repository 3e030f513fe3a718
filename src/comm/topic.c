/* The topic: what is published, and who receives it.
 * Never lets a reader use what it has read before it has made sure that it was still there.
 * Next: comm/topic.h; comm/topic_members.c, who subscribes; comm/topic_wait.c; comm/README.md. */
#include "comm/topic.h"
#include "comm/pipe.h"
#include "comm/tape.h"
#include "sync/listen.h"

enum { WAIT = 1 };

typedef struct turn {
    yn_self *me;
    yunta_topic *topic;
    yunta_subscription *subscription;
    yn_deadline deadline;
    const void *from;
    void *to;
    size_t size, capacity;
    uint64_t missed;
} turn;

/* Lets go of the oldest records until there is room, but of none that must be kept. Readers who are at them see by
 * `first` that they were too late, since that is written before anything is written over. */
static bool make_room(yn_self *me, yunta_topic *topic, uint64_t tail, uint64_t wanted)
{
    uint64_t first = atomic_load_explicit(&topic->first, memory_order_relaxed);
    if (tail + wanted - first <= topic->length)
        return true;
    uint64_t kept = topic->lossless ? yn_topic_slowest(me, topic, tail) : tail;
    while (first < kept && tail + wanted - first > topic->length) {
        yn_topic_head head;
        yn_tape_load_words(topic->tape, topic->length, first, &head, sizeof head);
        first += yn_topic_record_size(head.size);
    }
    atomic_store_explicit(&topic->first, first, memory_order_release);
    yn_full_fence();
    return tail + wanted - first <= topic->length;
}

static void write_record(yunta_topic *topic, uint64_t tail, const turn *t)
{
    yn_topic_mark_shared *mark = yn_topic_mark_of(topic, tail);
    yn_topic_mark_shared *next = mark == &topic->mark[0] ? &topic->mark[1] : &topic->mark[0];
    yn_topic_head head = {t->size, mark->number + 1};
    yn_tape_store_words(topic->tape, topic->length, tail, &head, sizeof head);
    yn_tape_store_words(topic->tape, topic->length, tail + sizeof head, t->from, t->size);
    next->number = head.number;
    next->end = tail + yn_topic_record_size(t->size); /* never that of the tail as it stands */
    atomic_store_explicit(&topic->tail, next->end, memory_order_release);
}

static int attempt_publish(turn *t)
{
    yunta_topic *topic = t->topic;
    int r = yn_pipe_lock(t->me, &topic->publishing, t->deadline);
    if (r != 0)
        return r;
    uint64_t tail = atomic_load_explicit(&topic->tail, memory_order_relaxed);
    if (atomic_load(&topic->closed))
        r = YUNTA_ECLOSED;
    else if (!make_room(t->me, topic, tail, yn_topic_record_size(t->size)))
        r = WAIT;
    else
        write_record(topic, tail, t);
    yn_lock_release(t->me, &topic->publishing);
    if (r == 0)
        yn_event_notify_all(&topic->filled);
    return r;
}

/* The record at `position`, if it was there all the time. 0, -EMSGSIZE, or WAIT: it has been let go of. */
static int read_record(turn *t, uint64_t position, yn_topic_head *head)
{
    yunta_topic *topic = t->topic;
    yn_tape_load_words(topic->tape, topic->length, position, head, sizeof *head);
    yn_full_fence();
    if (atomic_load_explicit(&topic->first, memory_order_acquire) > position)
        return WAIT;
    t->size = (size_t)head->size;
    if (t->size > t->capacity)
        return -EMSGSIZE;
    yn_tape_load_words(topic->tape, topic->length, position + sizeof *head, t->to, t->size);
    yn_full_fence();
    return atomic_load_explicit(&topic->first, memory_order_acquire) > position ? WAIT : 0;
}

static int read_next(turn *t)
{
    yunta_topic *topic = t->topic;
    yunta_subscription *s = t->subscription;
    for (;;) {
        bool closed = atomic_load(&topic->closed); /* before the look at the tail */
        uint64_t position = yn_topic_next(s);
        if (position >= atomic_load_explicit(&topic->tail, memory_order_acquire))
            return closed ? YUNTA_ECLOSED : WAIT;
        yn_topic_head head;
        int r = read_record(t, position, &head);
        if (r == WAIT)
            continue;
        if (r == 0) {
            t->missed = head.number - s->number - 1;
            s->number = head.number;
            atomic_store_explicit(&s->position, position + yn_topic_record_size(head.size), memory_order_release);
        }
        return r;
    }
}

static int attempt_receive(turn *t)
{
    int r = yn_pipe_lock(t->me, &t->subscription->reading, t->deadline);
    if (r != 0)
        return r;
    r = read_next(t);
    yn_lock_release(t->me, &t->subscription->reading);
    if (r == 0 && t->missed > 0)
        atomic_fetch_add_explicit(&t->topic->missed, t->missed, memory_order_relaxed);
    if (r == 0 && t->topic->lossless)
        yn_event_notify_all(&t->topic->room);
    return r;
}

static bool is_worth_it(const void *of)
{
    const turn *t = of;
    if (!t->subscription)
        return false;
    return atomic_load_explicit(&t->topic->tail, memory_order_relaxed) !=
           atomic_load_explicit(&t->subscription->position, memory_order_relaxed);
}

/* No time is left, and there was nothing. */
static int give_up(turn *t, int (*attempt)(turn *))
{
    yn_listener_shared *descriptor = t->subscription ? yn_topic_quiet(t->me, t->subscription) : NULL;
    int r = descriptor ? attempt(t) : WAIT;
    if (r == WAIT)
        return -ETIMEDOUT;
    yn_listener_ring(descriptor); /* there may be more */
    return r;
}

static int wait_for(turn *t, int (*attempt)(turn *), yn_event_shared *event, yn_patience_shared *patience)
{
    int r;
    while ((r = attempt(t)) == WAIT) {
        if (yn_deadline_left(t->deadline) == 0)
            return give_up(t, attempt);
        yn_patience_spin(patience, is_worth_it, t);
        uint32_t key = yn_event_key(event);
        yn_event_announce(event);
        yn_full_fence();
        r = attempt(t);
        if (r != WAIT)
            break;
        r = yn_event_wait(t->me, event, key, t->deadline);
        if (r != 0 && r != -ETIMEDOUT)
            return r;
    }
    return r;
}

int yunta_topic_publish(yunta_topic *topic, const void *message, size_t size, int milliseconds)
{
    if (YN_UNLIKELY(!topic || (!message && size > 0)))
        return -EINVAL;
    if (size > topic->length / 2 || yn_topic_record_size(size) > topic->length / 2)
        return -EMSGSIZE;
    int r;
    turn t = {.me = yn_self_get(&r), .topic = topic, .from = message, .size = size};
    if (!t.me)
        return r;
    t.deadline = yn_deadline_in(milliseconds);
    return wait_for(&t, attempt_publish, &topic->room, &topic->room_patience);
}

int yunta_topic_receive(yunta_subscription *subscription, void *buffer, size_t capacity, size_t *size, uint64_t *missed,
                        int milliseconds)
{
    if (YN_UNLIKELY(!subscription || !size || (!buffer && capacity > 0)))
        return -EINVAL;
    int r;
    yunta_topic *topic = subscription->topic;
    turn t = {.me = yn_self_get(&r), .topic = topic, .subscription = subscription, .to = buffer, .capacity = capacity};
    if (!t.me)
        return r;
    if (atomic_load_explicit(&subscription->who, memory_order_relaxed) != t.me->claim)
        return -EPERM;
    t.deadline = yn_deadline_in(milliseconds);
    r = wait_for(&t, attempt_receive, &topic->filled, &topic->filled_patience);
    if (r == 0 || r == -EMSGSIZE)
        *size = t.size;
    if (r == 0 && missed)
        *missed = t.missed;
    return r;
}
