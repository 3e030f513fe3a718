/* Processors, for those who only have to decide something by their number. */
#ifndef YN_CPU_H
#define YN_CPU_H

/* yunta_cpu_count as it was when first asked here: that one reads files. */
int yn_cpu_count_known(void);

#endif
