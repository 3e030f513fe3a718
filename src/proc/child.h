/* Child: the first instructions of a started process, up to its entry. */
#ifndef YN_CHILD_H
#define YN_CHILD_H

#include "proc/record.h"

/* A stream of the child: a descriptor of its own, or … */
#define YN_STREAM_INHERIT (-1)
#define YN_STREAM_NULL (-2)

/* Puts the three streams in their places; streams may name one another's numbers. Async-signal-safe. 0 or -errno. */
int yn_child_set_streams(const int streams[3]);

/* Becomes the process of `record`: takes its slot, tells the watch, sets itself up, runs the entry, ends. */
struct yn_child_birth {
    const int *streams;        /* to be set here, or NULL */
    uint32_t watch_generation; /* the watch that its parent sees, … */
    int watch_seen;            /* … and the descriptor that the child has inherited, + 1; 0: none */
    bool purge;                /* streams may hold what the parent had not flushed */
};
void yn_child_run(yunta_process *record, const struct yn_child_birth *birth) __attribute__((noreturn));

/* Flattens options into a heap block for the child: NULL, with *error 0, if nothing is asked for. `carried`: the
 * caller's umask and credentials go along, since the child is not forked by it. */
yn_child_setup_shared *yn_child_flatten(yn_self *me, const yunta_process_options *options, bool carried, int *error);

#endif
