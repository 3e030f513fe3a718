/* Signals: dispositions, as the kernel has them. One bit a signal, the lowest for signal 1. */
#ifndef YN_SIGNALS_H
#define YN_SIGNALS_H

#include <stdint.h>

#define YN_SIGNALS_ALL UINT64_MAX

/* Those of this process that are not at their default: sixty questions. */
uint64_t yn_signals_changed(void);

/* Those that it ignores. */
uint64_t yn_signals_ignored(void);

/* Makes the signals in `which` ignored, if they are in `ignored`, or default; but those that libc keeps for itself. */
void yn_signals_set(uint64_t which, uint64_t ignored);

#endif
