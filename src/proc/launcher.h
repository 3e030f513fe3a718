/* Launcher: how a process comes to exist. A start method is one small file that fills in one of these. */
#ifndef YN_LAUNCHER_H
#define YN_LAUNCHER_H

#include "proc/record.h"

#define YN_LAUNCHER_VERSION 1

typedef struct yn_launch {
    yunta_process *record; /* complete: slot taken, argument copied, setup flattened */
    const yunta_process_options *options;
    int streams[3]; /* descriptors of the caller, or YN_STREAM_INHERIT, YN_STREAM_NULL */
    bool has_streams;
    /* To be filled in: */
    pid_t pid;
    int seen;  /* life descriptor of the new process, or -1 */
    bool mine; /* a child of this process in the kernel's sense */
} yn_launch;

typedef struct yn_launcher {
    unsigned version;
    const char *name;
    bool by_name; /* functions have to be carried as (module, offset) */
    bool waits;   /* the starter always waits until the child stands */
    bool carries; /* the child is not the caller's: environment, umask and streams have to be carried to it */
    /* Makes the process. 0, or -errno with no process left behind (-ECANCELED: worth trying again); what the child
     * itself finds wrong stands in the record. */
    int (*start)(yn_self *me, yn_launch *launch);
} yn_launcher;

extern const yn_launcher yn_launch_fork;
extern const yn_launcher yn_launch_spawn;
extern const yn_launcher yn_launch_forkserver;

/* The launcher of a method (not DEFAULT, not THREAD). NULL with *error: -EINVAL, YUNTA_ENOINIT. */
const yn_launcher *yn_launcher_of(yunta_start_method method, int *error);

/* What process.c and pool/ share: starts a process for `entry`; `internal` ones are ours. */
typedef struct yn_start {
    int (*call)(const void *argument);
    const void *argument;
    size_t size;
    const char *name;
    bool internal;
    const yunta_process_options *options; /* not NULL */
    /* Where the caller runs nothing but code of ours, so that nobody has registered an exit handler since its start:
     * what is to be reset of its dispositions (proc/signals.h). Else NULL. */
    const uint64_t *changed_signals;
} yn_start;
int yn_process_launch(yn_self *me, yunta_process **process, const yn_start *start);

#endif
