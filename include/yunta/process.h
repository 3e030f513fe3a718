/* Process: run a function in a process of its own.
 *
 * A yunta_process stands in shared memory: its pointer may be given to any process of the team, and any of them may
 * ask, join or signal it. When a process ends, by whatever cause, all that it started is ended too. */
#ifndef YUNTA_PROCESS_H
#define YUNTA_PROCESS_H

#include <stddef.h>
#include <yunta/init.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yunta_process yunta_process;

/* What a process runs: made by YUNTA_ENTRY, not by hand. */
typedef struct yunta_entry {
    int (*call)(const void *argument);
    size_t argument_size;
    const char *name;
} yunta_entry;

/* YUNTA_ENTRY(function, type) after `static int function(type const *argument)`, or its declaration, makes it
 * startable. It returns the exit status, 0…255; any other value is YUNTA_EFAILED, told whole in the failure. At its end
 * stdout and stderr are flushed: close other streams. YUNTA_ENTRY_VOID(function): for `static int function(void)`. */
#define YUNTA_ENTRY(function, type)                                                                                    \
    YUNTA_UNUSED static int yunta_entry_call_##function(const void *yunta_argument_)                                   \
    {                                                                                                                  \
        return function((type const *)yunta_argument_);                                                                \
    }                                                                                                                  \
    YUNTA_UNUSED static const yunta_entry yunta_entry_##function = {yunta_entry_call_##function, sizeof(type),         \
                                                                    #function};                                        \
    YUNTA_UNUSED static inline int yunta_entry_start_##function(                                                       \
        yunta_process **yunta_process_, type const *yunta_argument_, const yunta_process_options *yunta_options_)      \
    {                                                                                                                  \
        return yunta_process_start(yunta_process_, &yunta_entry_##function, yunta_argument_, sizeof(type),             \
                                   yunta_options_);                                                                    \
    }                                                                                                                  \
    struct yunta_entry_end_##function
#define YUNTA_ENTRY_VOID(function)                                                                                     \
    YUNTA_UNUSED static int yunta_entry_call_##function(const void *yunta_argument_)                                   \
    {                                                                                                                  \
        (void)yunta_argument_;                                                                                         \
        return function();                                                                                             \
    }                                                                                                                  \
    YUNTA_UNUSED static const yunta_entry yunta_entry_##function = {yunta_entry_call_##function, 0, #function};        \
    YUNTA_UNUSED static inline int yunta_entry_start_##function(                                                       \
        yunta_process **yunta_process_, const void *yunta_argument_, const yunta_process_options *yunta_options_)      \
    {                                                                                                                  \
        return yunta_process_start(yunta_process_, &yunta_entry_##function, yunta_argument_, 0, yunta_options_);       \
    }                                                                                                                  \
    struct yunta_entry_end_##function

/* yunta_start(&process, function, argument, options): starts a function declared by YUNTA_ENTRY. */
#define yunta_start(process, function, ...) yunta_entry_start_##function((process), __VA_ARGS__)

/* Where a standard stream of the new process leads. */
typedef enum yunta_stream_kind { YUNTA_INHERIT = 0, YUNTA_NULL = 1, YUNTA_DESCRIPTOR = 2 } yunta_stream_kind;
typedef struct yunta_stream {
    yunta_stream_kind to;
    int descriptor; /* for YUNTA_DESCRIPTOR: open in the caller */
} yunta_stream;

typedef struct yunta_resource_limit {
    int resource; /* RLIMIT_… */
    uint64_t soft, hard;
} yunta_resource_limit;

#define YUNTA_NEW_GROUP ((pid_t)-1)

/* NULL, or all zero, means the defaults. Pointers need to hold only during the call. */
typedef struct yunta_process_options {
    yunta_start_method start_method; /* YUNTA_DEFAULT: the program's */
    const char *name;                /* shown in failures and to debuggers; default: the function's. Cut to 31 bytes */
    bool daemon;                     /* terminated, not joined, when its starter ends. A daemon may start processes */
    bool inherit_signals;            /* keep the caller's dispositions and mask; else defaults and an empty mask */
    const char *directory;           /* working directory */
    const char *const *environment;  /* NULL-terminated "NAME=value" list that replaces the environment */
    yunta_stream in, out, err;       /* standard streams */
    pid_t process_group;             /* 0: the caller's; YUNTA_NEW_GROUP: one of its own; else: join that one */
    const uid_t *user;               /* real, effective and saved user, set after the group */
    const gid_t *group;              /* … and group; supplementary groups are dropped if the caller may */
    const int *processors;           /* CPU affinity: the numbers it may run on */
    size_t processor_count;
    const yunta_resource_limit *limits;
    size_t limit_count;
    uint64_t reserved[8]; /* zero */
} yunta_process_options;

/* Starts `entry` in a new process with a copy of the `size` bytes at `argument` (it may be NULL if size is 0), and
 * gives the process. Returns once the child stands as the options ask. Errors, with no process left behind: -EINVAL:
 * NULL entry or process, NULL argument with a size, unknown start method, reserved not zero; -ENOMEM, -EAGAIN, -EMFILE;
 * what chdir, open, setpgid, setuid, setrlimit or sched_setaffinity said in the child (-ENOENT, -EPERM, …);
 * YUNTA_ENOINIT; YUNTA_ENOFUNCTION; YUNTA_ENOWATCH. A child that dies before it stands tells so by join. */
YUNTA_API int yunta_process_start(yunta_process **process, const yunta_entry *entry, const void *argument, size_t size,
                                  const yunta_process_options *options);

/* Waits up to `milliseconds` for its end; any number of times, from any process of the team. Returns its exit status,
 * 0…255, or YUNTA_ECRASHED, YUNTA_EFAILED, YUNTA_ELOST (see yunta_process_failure), -ETIMEDOUT, -EINVAL: NULL,
 * -EDEADLK: itself. YUNTA_ELOST: it has ended, how is not known, for one of the reasons that its text names. */
YUNTA_API int yunta_process_join(yunta_process *process, int milliseconds);

/* As join with 0 ms, but -EAGAIN while it runs: Python's exitcode. */
YUNTA_API int yunta_process_status(yunta_process *process);

/* Why it ended otherwise than by exit status 0: 0, with why->code 0 if it did end so. -EAGAIN while it runs; -EINVAL:
 * NULL. */
YUNTA_API int yunta_process_failure(yunta_process *process, yunta_failure *why);

YUNTA_API bool yunta_process_is_alive(yunta_process *process);          /* false for NULL */
YUNTA_API bool yunta_process_is_daemon(const yunta_process *process);   /* false for NULL */
YUNTA_API pid_t yunta_process_pid(const yunta_process *process);        /* 0 for NULL; stays after its end */
YUNTA_API const char *yunta_process_name(const yunta_process *process); /* NULL for NULL; valid until destroy */

/* Python's sentinel: a descriptor of the calling process that polls readable once the process has ended. It belongs to
 * the library and is closed by yunta_process_destroy. -EINVAL: NULL; -EMFILE; -ENOSYS: no pidfds here. */
YUNTA_API int yunta_process_sentinel(yunta_process *process);

/* SIGINT, SIGTERM, SIGKILL, or any signal, never to another process that has its pid by now. 0 also when it has ended.
 * -EINVAL: NULL or no such signal; -EPERM: its user has changed. */
YUNTA_API int yunta_process_interrupt(yunta_process *process);
YUNTA_API int yunta_process_terminate(yunta_process *process);
YUNTA_API int yunta_process_kill(yunta_process *process);
YUNTA_API int yunta_process_signal(yunta_process *process, int signal);

/* Frees the handle of an ended process: 0, or -EBUSY while it runs (nothing is done then); -EINVAL: NULL. */
YUNTA_API int yunta_process_close(yunta_process *process);

/* The same at any time: a process that runs is killed (SIGKILL) and reaped first. Accepts NULL; returns NULL. */
YUNTA_API yunta_process *yunta_process_destroy(yunta_process *process);

/* The calling process, and the one that started it (NULL in the first). Not to be destroyed. NULL: no memory. */
YUNTA_API yunta_process *yunta_process_current(void);
YUNTA_API yunta_process *yunta_process_parent(void);

/* Active children: reaps what has ended, writes up to `capacity` handles of what this process started and still runs,
 * and returns how many there are (it may be more than capacity). -EINVAL: children is NULL with a capacity. */
YUNTA_API int yunta_process_children(yunta_process **children, size_t capacity);

/* Registers `hook(argument)` for the end of the calling process, be it by return from its entry, by exit(), or by
 * return from main; last in, first out. atexit handlers registered before a process was started do not run in it; these
 * and later ones do. -EINVAL: NULL hook; -ENOMEM. */
YUNTA_API int yunta_at_exit(void (*hook)(void *argument), void *argument);

#ifdef __cplusplus
}
#endif

#endif
