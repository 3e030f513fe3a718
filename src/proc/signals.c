/* Dispositions of signals by the kernel's own call: libc's would cost more.
 * Never takes a lock; runs in a fresh child.
 * Next: proc/child.c, proc/launch_fork.c. */
#include "proc/signals.h"
#include "base/base.h"
#include "os/rawsys.h"

enum { signals = 64, by_default = 0, to_be_ignored = 1 };

/* Those between the kernel's first real-time signal and SIGRTMIN: libc ends threads by them, and changes their user. It
 * notes in memory that its handlers stand, and a forked child has that memory. */
#if defined(__GLIBC__)
static const uint64_t libcs_own = UINT64_C(3) << 31;
#else
static const uint64_t libcs_own = UINT64_C(7) << 31;
#endif

typedef struct disposition { /* as the kernel has it, on both machines */
    uint64_t handler, flags, restorer, mask;
} disposition;

/* What libc adds of its own, whatever the disposition. */
static const uint64_t meaningless = 0x04000000; /* SA_RESTORER */

static disposition ask(int signal)
{
    disposition now = {0};
    yn_raw4(SYS_rt_sigaction, signal, NULL, &now, sizeof now.mask);
    return now;
}

uint64_t yn_signals_changed(void)
{
    uint64_t changed = 0;
    for (int s = 1; s <= signals; s++) {
        disposition now = ask(s);
        if (now.handler != by_default || (now.flags & ~meaningless) != 0)
            changed |= UINT64_C(1) << (s - 1);
    }
    return changed;
}

uint64_t yn_signals_ignored(void)
{
    uint64_t ignored = 0;
    for (int s = 1; s <= signals; s++)
        if (ask(s).handler == to_be_ignored)
            ignored |= UINT64_C(1) << (s - 1);
    return ignored;
}

YN_IN_CHILD void yn_signals_set(uint64_t which, uint64_t ignored)
{
    for (which &= ~libcs_own; which != 0; which &= which - 1) {
        int number = __builtin_ctzll(which);
        disposition wanted = {.handler = ignored >> number & 1 ? to_be_ignored : by_default};
        yn_raw4(SYS_rt_sigaction, number + 1, &wanted, NULL, sizeof wanted.mask);
    }
}
