/* Sleep without the second belt: what is waited for without a limit is slept for without one, and a wake that is lost
 * is a test that hangs, not one that takes a second longer. By its own copy of sync/wait.c, which replaces that of the
 * library in the whole program. */
#ifndef YUNTA_ENDLESS_H
#define YUNTA_ENDLESS_H

#include "os/futex.h"
#include "sync/wait.h"

static int endless_sleep(_Atomic uint32_t *word, uint32_t expected, uint64_t ns);
#define yn_futex_wait(word, expected, ns) endless_sleep((word), (expected), (ns))
#include "sync/wait.c"
#undef yn_futex_wait

static int endless_sleep(_Atomic uint32_t *word, uint32_t expected, uint64_t ns)
{
    return yn_futex_wait(word, expected, ns == belt_ns ? UINT64_MAX : ns);
}

#endif
