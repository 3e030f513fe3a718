/* What can be waited for together with others, seen by who waits. */
#ifndef YN_WAIT_MANY_H
#define YN_WAIT_MANY_H

#include "sync/wait.h"

#include <yunta/wait.h>

/* Room for what an object needs to remember of a waiter. */
typedef struct yn_wait_room {
    void *word[2];
} yn_wait_room;

typedef struct yn_waitable {
    bool (*is_ready)(yn_self *me, void *object);
    void *(*place)(void *object);   /* the address to listen at: that of an eventcount, unless … */
    void (*announce)(void *object); /* … sets the hint there. May be NULL, as may all below */
    int (*refuse)(yn_self *me, void *object, yn_deadline deadline); /* why it cannot be waited for, or 0 */
    void (*enter)(void *object, yn_wait_room *room);
    void (*leave)(void *object, yn_wait_room *room);
    uint64_t (*nap_ns)(yn_self *me, void *object); /* UINT64_MAX, or: nobody may tell; look again after so long */
} yn_waitable;

extern const yn_waitable yn_waitable_get, yn_waitable_put;              /* comm/queue_wait.c */
extern const yn_waitable yn_waitable_receive, yn_waitable_send;         /* comm/pipe_wait.c */
extern const yn_waitable yn_waitable_subscription, yn_waitable_publish; /* comm/topic_wait.c */
extern const yn_waitable yn_waitable_future;                            /* pool/future.c, further right */

/* Sets the hint; looked at afterwards. */
static inline void yn_waitable_announce(const yn_waitable *w, void *object)
{
    if (w->announce)
        w->announce(object);
    else
        yn_event_announce_listener(w->place(object));
}

#endif
