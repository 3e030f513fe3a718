/* Waiting for many: a listener in each object, one word (or one doorbell, where descriptors are among them) to sleep
 * on. Never takes anything; never sleeps but after having looked at all with its listeners announced. Next:
 * sync/listen.h, how it is told; comm/README.md for the argument. */
#include "comm/wait_many.h"
#include "os/doorbell.h"
#include "proc/children.h"
#include "proc/team.h"
#include "sync/listen.h"
#include "sync/lock.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <yunta/condition.h>

typedef struct many {
    yn_self *me;
    yunta_wait_item *items;
    size_t count, descriptors;
    yn_listener_shared **listener; /* one for each item, and two of its own: by the word of `own` all are told */
    yn_listener_shared *own;
    yn_wait_room *room;
    struct pollfd *polled; /* the descriptors, the doorbell, and the life of the watch */
    int doorbell;          /* -1: it sleeps on the word */
    int watch;             /* -1: not polled */
    bool watch_ended;
    size_t entered;
    int ready;
} many;

static bool process_is_ready(yn_self *me, void *process)
{
    return yn_children_wait(me, process, 0) == 0;
}

static void *process_place(void *process)
{
    return &((yunta_process *)process)->changed;
}

static int process_refuse(yn_self *me, void *process, yn_deadline deadline)
{
    (void)deadline;
    return atomic_load(&((yunta_process *)process)->who) == me->claim ? -EDEADLK : 0;
}

static uint64_t process_nap_ns(yn_self *me, void *process)
{
    return yn_children_nap_ns(me, process);
}

static bool lock_is_ready(yn_self *me, void *lock)
{
    yn_claim owner = yn_claim_who(atomic_load(&((yunta_lock *)lock)->word));
    return owner == 0 || !yn_claim_is_alive(&me->arena->slots, owner);
}

/* Where an eventcount stands first in it, or the lock's word. */
static void *itself(void *object)
{
    return object;
}

static void lock_announce(void *lock)
{
    yn_lock_announce_listener(lock);
}

/* It was open when it was to be noted there that somebody listens. Whoever has taken it since will tell nobody. */
static uint64_t lock_nap_ns(yn_self *me, void *lock)
{
    (void)me;
    return atomic_load(&((yunta_lock *)lock)->word) & YN_LOCK_LISTENS ? UINT64_MAX : 0;
}

static bool semaphore_is_ready(yn_self *me, void *semaphore)
{
    (void)me;
    return yunta_semaphore_value(semaphore) > 0;
}

static bool event_is_ready(yn_self *me, void *event)
{
    (void)me;
    return yunta_event_is_set(event);
}

static const yn_waitable *waitable_of(yunta_wait_kind kind)
{
    static const yn_waitable process = {
        .is_ready = process_is_ready, .place = process_place, .refuse = process_refuse, .nap_ns = process_nap_ns};
    static const yn_waitable lock = {
        .is_ready = lock_is_ready, .place = itself, .announce = lock_announce, .nap_ns = lock_nap_ns};
    static const yn_waitable semaphore = {.is_ready = semaphore_is_ready, .place = itself};
    static const yn_waitable event = {.is_ready = event_is_ready, .place = itself};
    static const yn_waitable *const all[] = {[YUNTA_WAIT_GET] = &yn_waitable_get,
                                             [YUNTA_WAIT_PUT] = &yn_waitable_put,
                                             [YUNTA_WAIT_PROCESS] = &process,
                                             [YUNTA_WAIT_FUTURE] = &yn_waitable_future,
                                             [YUNTA_WAIT_LOCK] = &lock,
                                             [YUNTA_WAIT_SEMAPHORE] = &semaphore,
                                             [YUNTA_WAIT_EVENT] = &event,
                                             [YUNTA_WAIT_RECEIVE] = &yn_waitable_receive,
                                             [YUNTA_WAIT_SEND] = &yn_waitable_send,
                                             [YUNTA_WAIT_SUBSCRIPTION] = &yn_waitable_subscription,
                                             [YUNTA_WAIT_PUBLISH] = &yn_waitable_publish};
    return (size_t)kind < YN_COUNT(all) ? all[kind] : NULL;
}

static int check(many *m, yn_deadline deadline)
{
    for (size_t i = 0; i < m->count; i++) {
        yunta_wait_item *item = &m->items[i];
        const yn_waitable *w = waitable_of(item->kind);
        item->ready = 0;
        if (item->kind == YUNTA_WAIT_DESCRIPTOR && item->descriptor < 0)
            return -EBADF;
        if (item->kind == YUNTA_WAIT_DESCRIPTOR)
            m->descriptors++;
        else if (item->kind != YUNTA_WAIT_NOTHING && (!w || !item->object))
            return -EINVAL;
        int r = w && w->refuse ? w->refuse(m->me, item->object, deadline) : 0;
        if (r != 0)
            return r;
    }
    return 0;
}

/* The descriptors are polled up to `until`, and the doorbell with them. -EBADF, -ENOMEM, or 0. */
static int look_at_descriptors(many *m, yn_deadline until)
{
    size_t n = 0, all = m->descriptors + (m->doorbell >= 0) + (m->watch >= 0);
    for (size_t i = 0; i < m->count; i++)
        if (m->items[i].kind == YUNTA_WAIT_DESCRIPTOR)
            m->polled[n++] = (struct pollfd){.fd = m->items[i].descriptor, .events = m->items[i].events};
    if (m->doorbell >= 0)
        m->polled[n++] = (struct pollfd){.fd = m->doorbell, .events = POLLIN};
    if (m->watch >= 0)
        m->polled[n] = (struct pollfd){.fd = m->watch, .events = POLLIN};
    int found = all > 0 ? poll(m->polled, all, yn_deadline_poll_ms(until)) : 0;
    if (found < 0)
        return errno == EINTR ? 0 : -errno;
    m->watch_ended = found > 0 && m->watch >= 0 && m->polled[n].revents != 0;
    n = 0;
    for (size_t i = 0; found > 0 && i < m->count; i++) {
        yunta_wait_item *item = &m->items[i];
        if (item->kind != YUNTA_WAIT_DESCRIPTOR)
            continue;
        if (m->polled[n].revents & POLLNVAL)
            return -EBADF;
        item->ready = m->polled[n++].revents;
        m->ready += item->ready != 0;
    }
    return 0;
}

/* At everything. How much is ready, or an error. */
static int look(many *m)
{
    m->ready = 0;
    int r = look_at_descriptors(m, 0);
    for (size_t i = 0; i < m->count; i++) {
        yunta_wait_item *item = &m->items[i];
        const yn_waitable *w = waitable_of(item->kind);
        if (!w)
            continue;
        item->ready = w->is_ready(m->me, item->object);
        m->ready += item->ready;
    }
    return r != 0 ? r : m->ready;
}

static int make_room(many *m)
{
    size_t places = m->count + 2;
    m->listener = calloc(places, sizeof(yn_listener_shared *) + sizeof(yn_wait_room));
    if (!m->listener)
        return -ENOMEM;
    m->room = (yn_wait_room *)(void *)(m->listener + places);
    return 0;
}

/* Takes a place in everything. Its own one is first: nobody tells it of anything, but it has the word. By a doorbell it
 * has to be told of deaths too: the watch changes words alone. */
static int enter(many *m)
{
    yn_self *me = m->me;
    uint64_t target = 0;
    yn_listen_by how = m->descriptors > 0 ? YN_LISTEN_BY_DOOR : YN_LISTEN_BY_WORD;
    if (how == YN_LISTEN_BY_DOOR && (m->doorbell = yn_doorbell_open(&target)) < 0)
        return m->doorbell;
    m->own = m->listener[m->count] = yn_listen(me, m, YN_LISTEN_BY_WORD, 0, -1);
    if (!m->own)
        return -ENOMEM;
    if (how == YN_LISTEN_BY_WORD)
        target = (uintptr_t)&m->own->bell;
    else if (!(m->listener[m->count + 1] = yn_listen(me, &me->arena->deaths, how, target, m->doorbell)))
        return -ENOMEM;
    for (; m->entered < m->count; m->entered++) {
        size_t i = m->entered;
        void *object = m->items[i].object;
        const yn_waitable *w = waitable_of(m->items[i].kind);
        if (!w)
            continue;
        m->listener[i] = yn_listen(me, w->place(object), how, target, m->doorbell);
        if (!m->listener[i])
            return -ENOMEM;
        if (w->enter)
            w->enter(object, &m->room[i]);
    }
    return 0;
}

static void leave(many *m)
{
    for (size_t i = 0; i < m->count + 2; i++)
        yn_unlisten(m->listener[i]);
    for (size_t i = 0; i < m->entered; i++) {
        const yn_waitable *w = waitable_of(m->items[i].kind);
        if (w && w->leave)
            w->leave(m->items[i].object, &m->room[i]);
    }
    yn_doorbell_close(m->doorbell);
    free(m->listener);
}

/* Sets all hints; then it has to be looked once more. How long it may sleep at most, ns. */
static uint64_t announce(many *m)
{
    uint64_t nap = UINT64_MAX;
    for (size_t i = 0; i < m->count; i++) {
        const yn_waitable *w = waitable_of(m->items[i].kind);
        if (!w)
            continue;
        yn_waitable_announce(w, m->items[i].object);
        uint64_t most = w->nap_ns ? w->nap_ns(m->me, m->items[i].object) : UINT64_MAX;
        nap = most < nap ? most : nap;
    }
    yn_full_fence();
    return nap;
}

/* The watch's own death ends it too. Where that cannot be seen it looks once in a second. */
static int sleep_by_doorbell(many *m, yn_deadline deadline, uint64_t nap)
{
    const uint64_t look_ns = UINT64_C(1000000000);
    bool rings;
    m->watch = yn_team_watch_bell(m->me, &rings);
    uint64_t most = rings ? UINT64_MAX : look_ns;
    most = nap < most ? nap : most;
    yn_deadline until = most == UINT64_MAX ? YN_NEVER : yn_now_ns() + most;
    m->ready = 0;
    int r = look_at_descriptors(m, until < deadline ? until : deadline);
    m->watch = -1;
    if (r == 0 && (m->watch_ended || (nap >= most && yn_deadline_left(until) == 0)) && yn_wait_up.check_watch)
        yn_wait_up.check_watch(m->me);
    return r;
}

static int sleep_by_word(many *m, uint32_t key, yn_deadline deadline, uint64_t nap)
{
    yn_deadline until = nap == UINT64_MAX ? deadline : yn_now_ns() + nap;
    int r = yn_wait_on(m->me, &m->own->bell, key, until < deadline ? until : deadline);
    return r == -ETIMEDOUT ? 0 : r;
}

static int wait_in_all(many *m, yn_deadline deadline)
{
    int r = make_room(m);
    if (r != 0)
        return r;
    r = enter(m);
    while (r == 0) {
        uint32_t key = atomic_load(&m->own->bell);
        if (m->doorbell >= 0)
            yn_doorbell_quiet(m->doorbell);
        uint64_t nap = announce(m);
        r = look(m);
        if (r != 0)
            break;
        if (yn_deadline_left(deadline) == 0)
            r = -ETIMEDOUT;
        else if (m->doorbell >= 0)
            r = sleep_by_doorbell(m, deadline, nap);
        else
            r = sleep_by_word(m, key, deadline, nap);
    }
    leave(m);
    return r;
}

int yunta_wait_many(yunta_wait_item *items, size_t count, int milliseconds)
{
    int r = (items || count == 0) && count <= INT_MAX ? 0 : -EINVAL;
    many m = {.me = r == 0 ? yn_self_get(&r) : NULL, .items = items, .count = count, .doorbell = -1, .watch = -1};
    if (!m.me)
        return r;
    yn_deadline deadline = yn_deadline_in(milliseconds);
    struct pollfd few[16];
    r = check(&m, deadline);
    if (r != 0)
        return r;
    m.polled = m.descriptors + 2 <= YN_COUNT(few) ? few : malloc((m.descriptors + 2) * sizeof *m.polled);
    if (!m.polled)
        return -ENOMEM;
    r = look(&m);
    if (r == 0)
        r = deadline == 0 ? -ETIMEDOUT : wait_in_all(&m, deadline);
    if (m.polled != few)
        free(m.polled);
    return r;
}
