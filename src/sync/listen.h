/* Listening: to be told of changes of several objects at once, or by a descriptor.
 *
 *     yn_listener_shared *l = yn_listen(me, object, …);      a listener says of whom, of what, and how to tell
 *     the object's hint is set: somebody listens
 *     … look; only then sleep, or let the program poll …
 *     yn_unlisten(l)
 *
 * Who changes an object finds the hint where it looks for sleepers anyway, and then tells all listeners. Listeners
 * stand in a table of the arena by the address of the object, so that objects need no memory for them. README.md has
 * the invariants. */
#ifndef YN_LISTEN_H
#define YN_LISTEN_H

#include "shm/self.h"

typedef enum yn_listen_by {
    YN_LISTEN_BY_WORD = 2,   /* `target` is the address of a word, that of a listener's `bell`: changed, and woken */
    YN_LISTEN_BY_DOOR = 4,   /* … the number of a doorbell */
    YN_LISTEN_DESCRIPTOR = 6 /* likewise: one that the program has, of this object */
} yn_listen_by;
#define YN_LISTENER_WRITES UINT64_C(1) /* instead of those: it is being written */

/* Who goes back to 0 when it ends. One of the dead may be taken by anybody. Never freed. */
typedef struct yn_listener_shared {
    _Atomic uint64_t who;    /* 0; claim | WRITES or how */
    _Atomic uint64_t object; /* the rest is written while it says WRITES */
    _Atomic uint64_t target;
    _Atomic uint32_t bell;      /* never set back: who comes too late to ring it wakes somebody for nothing */
    _Atomic int32_t descriptor; /* the listener's own, of its doorbell; or -1 */
    _Atomic int32_t polled;     /* the one that the program has; means something to its process alone */
} yn_listener_shared;

typedef struct yn_listeners_shared {
    struct yn_listeners_shared *next; /* older, and half as many */
    uint32_t count;
    _Atomic uint32_t vacant; /* a hint: where to look for a free one first */
    yn_listener_shared listener[];
} yn_listeners_shared;

/* NULL: no memory. */
yn_listener_shared *yn_listen(yn_self *me, const void *object, yn_listen_by how, uint64_t target, int descriptor);
void yn_unlisten(yn_listener_shared *listener); /* accepts NULL */

/* That of this process by LISTEN_DESCRIPTOR, with this target (0: any). NULL: it has none. */
yn_listener_shared *yn_listener_find(yn_self *me, const void *object, uint64_t target);

/* Rings this one itself. */
void yn_listener_ring(yn_listener_shared *listener);

/* Tells all who listen to the object. System calls only, if `alone`; else the watch is asked where the caller has no
 * descriptor left to do it with. */
void yn_listen_tell(yn_arena_shared *arena, const void *object, bool alone);

/* Whether the invariants of the whole table hold; *living (may be NULL) is how many listeners there are. */
bool yn_listen_is_sound(yn_arena_shared *arena, size_t *living);

#endif
