/* Descriptors for a program's own poll: doorbells that stay.
 * Never lets one go quiet but before a look.
 * Next: os/doorbell.h; sync/listen.h, who rings them; comm/queue_wait.c, whose they are. */
#include "comm/descriptor.h"
#include "os/doorbell.h"
#include "os/futex.h"
#include "proc/team.h"

static yn_listener_shared *find(yn_self *me, const yn_waitable *w, void *object, _Atomic uint64_t *own)
{
    uint64_t number = own ? atomic_load(own) : 0;
    return own && number == 0 ? NULL : yn_listener_find(me, w->place(object), number);
}

/* A death may bring something to be told: so a descriptor is told of deaths too; and, since a dead watch rings no
 * doorbell, it is readable at the end of the watch as well. */
static int make(yn_self *me, const yn_waitable *w, void *object, _Atomic uint64_t *own)
{
    uint64_t number;
    bool rings;
    int bell = yn_team_watch_bell(me, &rings), fd = bell >= 0 ? yn_doorbell_open(&number) : bell;
    int polled = fd >= 0 ? yn_doorbell_join(fd, bell) : fd;
    if (polled < 0) {
        yn_doorbell_close(fd);
        return polled;
    }
    yn_listener_shared *deaths = yn_listen(me, &me->arena->deaths, YN_LISTEN_DESCRIPTOR, number, fd);
    yn_listener_shared *l = deaths ? yn_listen(me, w->place(object), YN_LISTEN_DESCRIPTOR, number, fd) : NULL;
    if (!l) {
        yn_unlisten(deaths);
        yn_doorbell_close(polled);
        yn_doorbell_close(fd);
        return -ENOMEM;
    }
    atomic_store(&l->polled, polled);
    if (own)
        atomic_store(own, number);
    yn_waitable_announce(w, object);
    yn_full_fence();
    if (w->is_ready(me, object))
        yn_listener_ring(l);
    return polled;
}

int yn_descriptor_open(yn_self *me, const yn_waitable *w, void *object, _Atomic uint64_t *own)
{
    yn_futex_lock(&yn_private_page->listen_lock);
    yn_listener_shared *l = find(me, w, object, own);
    int r = l ? atomic_load(&l->polled) : make(me, w, object, own);
    yn_futex_unlock(&yn_private_page->listen_lock);
    return r;
}

yn_listener_shared *yn_descriptor_quiet(yn_self *me, const yn_waitable *w, void *object, _Atomic uint64_t *own)
{
    yn_listener_shared *l = find(me, w, object, own);
    if (l) {
        yn_team_answer_bell(me);
        yn_doorbell_quiet(atomic_load(&l->descriptor));
        yn_waitable_announce(w, object);
        yn_full_fence();
    }
    return l;
}

int yn_descriptor_close(yn_self *me, const yn_waitable *w, void *object, _Atomic uint64_t *own)
{
    yn_futex_lock(&yn_private_page->listen_lock);
    yn_listener_shared *l = find(me, w, object, own);
    if (l) {
        int fd = atomic_load(&l->descriptor), polled = atomic_load(&l->polled);
        yn_unlisten(yn_listener_find(me, &me->arena->deaths, atomic_load(&l->target)));
        yn_unlisten(l);
        yn_doorbell_close(polled);
        yn_doorbell_close(fd);
    }
    if (own)
        atomic_store(own, 0);
    yn_futex_unlock(&yn_private_page->listen_lock);
    return 0;
}
