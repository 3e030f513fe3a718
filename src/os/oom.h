/* Whether the kernel has been killing for want of memory. */
#ifndef YN_OOM_H
#define YN_OOM_H

#include "base/base.h"

/* Out-of-memory kills so far, in this process's memory cgroup where it counts them, else on the machine. 0 if nobody
 * tells. */
uint64_t yn_oom_kills(void);

/* Notes the count, once in a process and those forked from it: before the first process is started whose death may have
 * to be explained. */
void yn_oom_note(void);

/* Whether it has risen since it was noted, or since this was last asked. */
bool yn_oom_rose(void);

#endif
