/* What this process has started: a private list, for reaping and for the end. */
#ifndef YN_CHILDREN_H
#define YN_CHILDREN_H

#include "proc/record.h"

/* Puts a process that was just started here on the list; the list owns `seen` and a reference from here on. */
void yn_children_add(yunta_process *record, pid_t pid, int seen, bool mine);

/* Waits until the record says ENDED; reaps if this process has to. 0 or -ETIMEDOUT. Works for any process of the team.
 */
int yn_children_wait(yn_self *me, yunta_process *record, yn_deadline deadline);

/* How long who waits for it may sleep before it looks again, since nobody may tell it: the watch does not know yet of
 * one that is killed in its first instructions; and without a descriptor of its end (no pidfds) the watch hears of that
 * before the parent can be told how it ended, or perhaps not at all. UINT64_MAX: its death is told. */
uint64_t yn_children_nap_ns(yn_self *me, yunta_process *record);

/* A descriptor that polls readable once it has ended, owned by the list (others than the starter: by a list entry made
 * for it). */
int yn_children_sentinel(yn_self *me, yunta_process *record);

/* Takes an ended process off the list: closes its descriptor and drops the reference. */
void yn_children_forget(yn_self *me, yunta_process *record);

/* Reaps all that have ended; writes up to `capacity` of those (not internal) that run, and counts them. */
int yn_children_active(yn_self *me, yunta_process **running, size_t capacity);

/* Sends it a signal; where no descriptor of it is to be had, by its pid, which is its own while its slot is. 0, also
 * when it has ended; -EINVAL, -EPERM. */
int yn_children_signal(yn_self *me, yunta_process *record, int signal);

/* The end of this process: terminates the daemons, joins the others. Always ends for daemons; waits for the others as
 * long as they run. */
void yn_children_end(yn_self *me);

#endif
