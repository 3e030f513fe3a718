/* Record: a yunta_process as it stands in shared memory. */
#ifndef YN_RECORD_H
#define YN_RECORD_H

#include "proc/image.h"
#include "sync/wait.h"

#include <sys/resource.h>
#include <yunta/process.h>

typedef enum yn_process_state {
    YN_PROCESS_NEW = 0,    /* being started */
    YN_PROCESS_STANDS = 1, /* set up as the options asked; its entry runs */
    YN_PROCESS_FAILED = 2, /* could not be set up: start_error */
    YN_PROCESS_ENDED = 3   /* ended, and everything below is written */
} yn_process_state;

/* What the child does to itself before its entry: options, flattened into one heap block. */
typedef struct yn_child_setup_shared {
    bool inherit_signals, new_group, has_user, has_group, has_environment, carried;
    uint32_t limit_count, processor_count, supplementary_count;
    pid_t process_group;
    uid_t user;
    gid_t group;
    mode_t mask; /* where carried: umask and credentials of the starter */
    uid_t users[3];
    gid_t groups[3];
    uint64_t signal_mask; /* where inherit_signals: as the kernel has it … */
    uint64_t ignored;     /* … and what the starter ignores, one bit each: all that an exec leaves of dispositions */
    size_t environment_bytes;
    const char *directory; /* these point into the same block */
    char *const *environment;
    const int *processors;
    const yunta_resource_limit *limits;
    const gid_t *supplementary;
} yn_child_setup_shared;

/* What has been done already that the child would otherwise do itself. */
typedef enum yn_helped {
    YN_HELPED_ANNOUNCED = 1,   /* the watch has been told of it */
    YN_HELPED_SIGNALS = 2,     /* changed_signals is written */
    YN_HELPED_FUNCTION = 4,    /* `call` is what `function` means in the child */
    YN_HELPED_ENVIRONMENT = 8, /* the child inherits the environment that it is to have */
    YN_HELPED_EXIT = 16        /* the handler registered last that it inherits is ours (exit.h) */
} yn_helped;

/* An entry on the private list of a process (children.h). The starter's own stands in the record: memory of its own, it
 * would have to copy after each fork. */
typedef struct yn_child {
    struct yn_child *next;
    struct yn_child *next_made; /* of those that are not in a record */
    yunta_process *record;      /* one reference */
    pid_t pid;
    int seen;  /* life descriptor, or -1 */
    bool mine; /* a child of this very process in the kernel's sense: to be waited for here */
    bool reaped;
    bool forgotten; /* off the list as soon as nobody uses it */
    int users;      /* threads that are at it right now, without the lock */
} yn_child;

struct yunta_process {
    yn_event_shared changed; /* notified at each change of `state` */
    _Atomic uint32_t state;
    _Atomic uint32_t references; /* the handle; the starter's list; the server while it has not reaped. Freed at 0 */
    _Atomic yn_claim who;        /* the slot of its process */
    yn_claim starter;
    _Atomic uint32_t helped; /* yn_helped */
    _Atomic int32_t pid;
    _Atomic int32_t start_error;
    yunta_start_method method; /* the starter's default, which its children inherit */
    _Atomic uint32_t disowned; /* the handle was closed or destroyed, perhaps by another process than the starter */
    bool daemon;
    bool internal; /* ours (a foreman): not shown among the active children */
    char name[YUNTA_FAILURE_NAME];

    int (*call)(const void *argument); /* under fork: valid in the child as it is */
    yn_image_ref_shared *function;     /* otherwise */
    void *argument;
    yn_child_setup_shared *setup; /* NULL: nothing asked for */
    uint64_t changed_signals;     /* what it inherits other than at the default (proc/signals.h) */

    _Atomic yn_claim server;           /* the forkserver that has taken the request; the starter, to take it back */
    struct yunta_process *next_served; /* the forkserver's list of its children; a reference each */
    int kept_descriptor;               /* where there are no pidfds: what an exec'ed child holds until its end, or -1 */

    /* Written by the child: when it was born (boot time, or a little later), which tells its pid from a later owner's;
     * what its entry returned, once it has (1 << 32 | value); and before _exit the same for what it ends with. So a
     * stolen status loses only signal and usage. */
    _Atomic uint64_t began_ns;
    _Atomic uint64_t returned;
    _Atomic uint64_t exit_note;
    char text[YUNTA_FAILURE_TEXT]; /* what yunta_fail said in the entry */

    yn_child entry; /* the starter's */

    _Atomic uint64_t
        death_seen_ns; /* when somebody who waits first knew that it is dead, and its end was not yet written */

    /* Written once, by whoever wins `finishing` (the claim of the one), before state becomes ENDED; usage perhaps
     * later, by the parent. */
    _Atomic yn_claim finishing;
    bool status_known, core_dumped, out_of_memory;
    int signal, exit_status;
    uint64_t user_ns, system_ns, peak_bytes;
};

/* A new record with a copy of the argument, one reference. 0, -ENOMEM. */
int yn_record_create(yn_self *me, yunta_process **record, const char *name, const void *argument, size_t size);

/* Drops one reference; the last frees it. */
void yn_record_release(yn_self *me, yunta_process *record);

/* Frees the record of a process whose starter is dead, with the references that were the starter's, and which nobody
 * else knows. Nothing is done unless the process is surely dead too. */
void yn_record_free_orphan(yn_self *me, yunta_process *record);

void yn_record_set_state(yunta_process *record, yn_process_state state);

static inline yn_process_state yn_record_state(const yunta_process *record)
{
    return (yn_process_state)atomic_load_explicit(&record->state, memory_order_acquire);
}

/* Writes how it ended: `status` as wait gives it (usage may be NULL), or, with `known` false, only what the child noted
 * itself. Only the first caller's counts. */
void yn_record_finish(yn_self *me, yunta_process *record, bool known, int status, const struct rusage *usage, bool oom);

#endif
