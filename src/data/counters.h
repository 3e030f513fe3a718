/* Inside a set of counters: for each slot a row of cells of its own. README.md has the invariants. */
#ifndef YN_COUNTERS_H
#define YN_COUNTERS_H

#include "data/dict.h"

#include <yunta/counters.h>

#define YN_COUNTER_CHUNKS 25 /* chunk k of a row has 64 << k cells */

/* The cells of one slot. They belong to the slot: its next tenant goes on with them. */
typedef struct yn_counter_row_shared {
    _Atomic(_Atomic int64_t *) chunk[YN_COUNTER_CHUNKS];
} YN_ALIGNED(64) yn_counter_row_shared;

struct yunta_counters {
    _Atomic(_Atomic(yn_counter_row_shared *) *) rows[YN_SLOT_SEGMENTS]; /* entry k: of 64 << k slots */
    yunta_dict *numbers;                                                /* name → number */
    yunta_dict *names; /* number → name: only those count that `numbers` leads to */
    _Atomic uint32_t named;
};

int yn_counters_create(yn_self *me, yunta_counters **counters);
void yn_counters_destroy(yn_self *me, yunta_counters *counters);
int yn_counters_add(yn_self *me, yunta_counters *counters, uint32_t number, int64_t amount);
int yn_counters_number(yn_self *me, yunta_counters *counters, const char *name, uint32_t *number);

#endif
