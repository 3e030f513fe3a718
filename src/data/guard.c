/* The guard as a reader takes it whom writers have overtaken too often.
 * Never waits for longer than a moment: who has the guard may be stopped.
 * Next: data/README.md. */
#include "data/guard.h"

enum { READER_WAITS_MS = 1 };

YN_NOINLINE int yn_look_guarded(yn_look *look, void *what, struct yunta_lock *guard, yn_repair *repair)
{
    int r;
    yn_self *me = yn_self_get(&r);
    if (!me)
        return r;
    r = yn_guard_enter_by(me, guard, yn_deadline_in(READER_WAITS_MS), repair, what);
    if (r != 0)
        return r == -ETIMEDOUT ? YN_OVERTAKEN : r;
    r = look(what);
    yn_guard_leave(me, guard);
    return r;
}
