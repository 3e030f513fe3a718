/* Processors, for those who only have to decide something by their number. */
#ifndef YN_CPU_H
#define YN_CPU_H

#include <stdint.h>

/* yunta_cpu_count as it was when first asked here: that one reads files. */
int yn_cpu_count_known(void);

/* The number of the processor that this thread runs on, + 1; 0 if that cannot be told. */
uint32_t yn_processor(void);

#endif
