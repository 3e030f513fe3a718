/* Whether the kernel has been killing for want of memory. */
#ifndef YN_OOM_H
#define YN_OOM_H

#include "base/base.h"

/* Out-of-memory kills so far, in this process's memory cgroup where it counts them, else on the machine. 0 if nobody tells. */
uint64_t yn_oom_kills(void);

#endif
