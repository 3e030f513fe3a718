/* For peers that never sleep: polls, and now and then lets another process have the processor. */
#ifndef BENCH_PEERS_POLL_H
#define BENCH_PEERS_POLL_H

#include <sched.h>

static inline void poll_again(unsigned *times)
{
    if (++*times % 128 == 0)
        sched_yield();
#if defined(__x86_64__)
    else
        __builtin_ia32_pause();
#elif defined(__aarch64__)
    else
        __asm__ volatile("yield");
#endif
}

#endif
