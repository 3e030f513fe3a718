/* Deadlocks, looked for by who has waited for long. */
#ifndef YN_DEADLOCK_H
#define YN_DEADLOCK_H

#include "shm/self.h"

#include <yunta/deadlock.h>

/* By one whose seat says for what it waits. Whether it is in a circle: then the first of those in it prints that, when
 * its own turn comes to look. */
bool yn_deadlock_overdue(yn_self *me);

#endif
