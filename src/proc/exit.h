/* The end of a process: hooks, children, streams. */
#ifndef YN_EXIT_H
#define YN_EXIT_H

#include "proc/record.h"

/* From now on, exit() and return from main in this process do what has to be done. Called at birth and before the first
 * child. */
void yn_exit_arm(void);

/* The same in a child that inherits it as the handler registered last. */
void yn_exit_stay_armed(void);

/* The entry of a started process has returned: runs what atexit has registered in it, then its children, hooks,
 * streams, note, _exit. */
void yn_exit_return(yunta_process *record, int value) __attribute__((noreturn));

#endif
