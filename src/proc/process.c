/* Process: starting, and asking about what was started. The public face of proc/.
 * Never keeps anything of a start that failed.
 * Next: proc/launcher.h (how a process is made), proc/children.c (how its end is learned). */
#include "os/life.h"
#include "os/oom.h"
#include "os/stream.h"
#include "proc/child.h"
#include "proc/children.h"
#include "proc/exec.h"
#include "proc/exit.h"
#include "proc/launcher.h"
#include "proc/team.h"
#include "shm/heap.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

extern char **environ;

const yn_launcher *yn_launcher_of(yunta_start_method method, int *error)
{
    static const yn_launcher *const launchers[] = {
        [YUNTA_FORK] = &yn_launch_fork, [YUNTA_FORKSERVER] = &yn_launch_forkserver, [YUNTA_SPAWN] = &yn_launch_spawn};
    if (method == YUNTA_DEFAULT)
        method = yunta_get_start_method();
    *error = -EINVAL;
    if ((int)method < YUNTA_FORK || method > YUNTA_SPAWN)
        return NULL;
    *error = YUNTA_ENOINIT;
    if (launchers[method]->by_name && !yn_exec_is_possible())
        return NULL;
    *error = 0;
    return launchers[method];
}

static int check_options(const yunta_process_options *o)
{
    static const uint64_t zero[YN_COUNT(o->reserved)];
    const yunta_stream *streams[] = {&o->in, &o->out, &o->err};
    for (size_t i = 0; i < YN_COUNT(streams); i++) {
        if ((int)streams[i]->to < YUNTA_INHERIT || streams[i]->to > YUNTA_DESCRIPTOR)
            return -EINVAL;
        if (streams[i]->to == YUNTA_DESCRIPTOR && fcntl(streams[i]->descriptor, F_GETFD) < 0)
            return -EBADF;
    }
    bool bad = (o->processor_count && !o->processors) || (o->limit_count && !o->limits) ||
               o->processor_count > UINT16_MAX || o->limit_count > UINT16_MAX ||
               memcmp(o->reserved, zero, sizeof zero) != 0 || o->process_group < YUNTA_NEW_GROUP;
    return bad ? -EINVAL : 0;
}

static int stream_of(const yunta_stream *stream)
{
    if (stream->to == YUNTA_DESCRIPTOR)
        return stream->descriptor;
    return stream->to == YUNTA_NULL ? YN_STREAM_NULL : YN_STREAM_INHERIT;
}

/* Everything the child will want to know, in shared memory. */
static int fill_record(yn_self *me, yunta_process *record, const yn_start *start, const yn_launcher *launcher)
{
    yunta_process_options o = *start->options;
    if (launcher->carries && !o.environment)
        o.environment = (const char *const *)(uintptr_t)environ;
    record->method = yunta_get_start_method();
    record->daemon = o.daemon;
    record->internal = start->internal;
    if (start->changed_signals) {
        record->changed_signals = *start->changed_signals;
        atomic_init(&record->helped, YN_HELPED_SIGNALS | YN_HELPED_EXIT);
    }
    record->call = start->call;
    int r = 0;
    record->setup = yn_child_flatten(me, &o, launcher->carries, &r);
    if (r == 0 && launcher->by_name)
        record->function = yn_image_describe(me, (void (*)(void))start->call, &r);
    if (r == 0)
        atomic_store(&record->who, yn_slot_take(me->arena, me->arena_fd, me->claim, &r));
    return r;
}

/* Until the child has set itself up, or cannot. The watch does not know yet of one that is killed in its first
 * instructions: so now and then we look ourselves. */
static void await_standing(yn_self *me, yunta_process *record)
{
    enum { look_ms = 20 };
    for (;;) {
        uint32_t key = yn_event_key(&record->changed);
        yn_event_announce(&record->changed);
        if (yn_record_state(record) != YN_PROCESS_NEW ||
            !yn_claim_is_alive(&me->arena->slots, atomic_load(&record->who)))
            return;
        if (yn_event_wait(me, &record->changed, key, yn_deadline_in(look_ms)) == -ETIMEDOUT)
            yn_children_wait(me, record, 0);
    }
}

/* What the starter is to be told. A child that did not come up is reaped; one that was killed meanwhile is a start that
 * join tells more of. */
static int outcome_of_start(yn_self *me, yunta_process *record)
{
    if (yn_record_state(record) == YN_PROCESS_STANDS)
        return 0;
    if (atomic_load(&record->pid) != 0) /* there is none if the forkserver could not fork */
        yn_children_wait(me, record, YN_NEVER);
    int error = atomic_load(&record->start_error);
    bool born = atomic_load(&record->began_ns) != 0;
    return error == 0 && !born && record->exit_status == YN_EXEC_ADDRESS_TAKEN ? -ECANCELED : error;
}

/* What stands in our buffers now is ours to write, and before what the child writes. If another thread is writing
 * there, it will. */
static void flush_if_free(FILE *stream)
{
    if (!yn_stream_is_pending(stream) || ftrylockfile(stream) != 0)
        return;
    fflush(stream);
    funlockfile(stream);
}

static void abandon(yn_self *me, yunta_process *record)
{
    yn_claim who = atomic_load(&record->who);
    if (who)
        yn_team_bury(me, who);
    yn_record_release(me, record);
}

static int attempt(yn_self *me, yunta_process **process, const yn_start *start, const yn_launcher *launcher)
{
    const yunta_process_options *o = start->options;
    yunta_process *record;
    int r = yn_record_create(me, &record, start->name, start->argument, start->size);
    if (r != 0)
        return r;
    r = fill_record(me, record, start, launcher);
    yn_launch launch = {.record = record,
                        .options = o,
                        .seen = -1,
                        .streams = {stream_of(&o->in), stream_of(&o->out), stream_of(&o->err)}};
    launch.has_streams = o->in.to || o->out.to || o->err.to;
    if (r == 0) {
        atomic_store(&yn_slot_at(&me->arena->slots, yn_claim_slot(record->who))->record, record);
        flush_if_free(stdout);
        flush_if_free(stderr);
        r = launcher->start(me, &launch);
    }
    if (r != 0) {
        abandon(me, record);
        return r;
    }
    atomic_store(&record->pid, launch.pid);
    yn_children_add(record, launch.pid, launch.seen, launch.mine);
    if (launcher->waits || record->setup || launch.has_streams) {
        await_standing(me, record);
        r = outcome_of_start(me, record);
    }
    if (r != 0) {
        yn_children_forget(me, record);
        abandon(me, record);
        return r;
    }
    *process = record;
    return 0;
}

int yn_process_launch(yn_self *me, yunta_process **process, const yn_start *start)
{
    int r;
    const yn_launcher *launcher = yn_launcher_of(start->options->start_method, &r);
    if (!launcher)
        return r;
    r = yn_team_ensure_watch(me);
    if (r == 0)
        r = yn_team_await_capacity(me, 1);
    if (r != 0)
        return r;
    yunta_process_current();
    yn_exit_arm();
    yn_oom_note();
    for (int tries = 0; tries < 16; tries++) {
        r = attempt(me, process, start, launcher);
        if (r == YUNTA_ENOWATCH)
            yn_team_ensure_watch(me); /* it was killed meanwhile */
        else if (r != -ECANCELED)
            return r;
    }
    if (r == -ECANCELED) /* each server was killed over it; or each exec had something else where the arena stands */
        r = launcher->carries ? -EAGAIN : -EADDRINUSE;
    return r;
}

int yunta_process_start(yunta_process **process, const yunta_entry *entry, const void *argument, size_t size,
                        const yunta_process_options *options)
{
    static const yunta_process_options defaults;
    const yunta_process_options *o = options ? options : &defaults;
    if (!process || !entry || !entry->call || (size > 0 && !argument))
        return -EINVAL;
    int r = check_options(o);
    yn_self *me = r == 0 ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    yn_start start = {
        .call = entry->call, .argument = argument, .size = size, .name = o->name ? o->name : entry->name, .options = o};
    return yn_process_launch(me, process, &start);
}

/* What join and status say of an ended process. */
static int result_of(const yunta_process *p)
{
    uint64_t note = atomic_load(&p->exit_note);
    if (atomic_load(&p->start_error) != 0)
        return atomic_load(&p->start_error);
    if (!p->status_known)
        return YUNTA_ELOST;
    if (p->signal != 0)
        return YUNTA_ECRASHED;
    if (note && ((int32_t)(uint32_t)note < 0 || (int32_t)(uint32_t)note > 255))
        return YUNTA_EFAILED;
    return p->exit_status;
}

int yunta_process_join(yunta_process *process, int milliseconds)
{
    int r = -EINVAL;
    yn_self *me = process ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    if (atomic_load(&process->who) == me->claim)
        return -EDEADLK;
    r = yn_children_wait(me, process, yn_deadline_in(milliseconds));
    return r == 0 ? result_of(process) : r;
}

int yunta_process_status(yunta_process *process)
{
    int r = -EINVAL;
    yn_self *me = process ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    if (atomic_load(&process->who) == me->claim)
        return -EAGAIN;
    return yn_children_wait(me, process, 0) == 0 ? result_of(process) : -EAGAIN;
}

static void describe(const yunta_process *p, yunta_failure *why)
{
    char *text = why->text;
    size_t size = sizeof why->text;
    if (p->text[0] != '\0' && why->code == YUNTA_EFAILED)
        memcpy(text, p->text, size);
    else if (why->code == YUNTA_ECRASHED)
        snprintf(text, size, "process '%s' (pid %d) died of signal %d (%s)%s", why->name, (int)why->pid, why->signal,
                 strsignal(why->signal), why->out_of_memory ? ": out of memory" : "");
    else if (why->code == YUNTA_EFAILED && why->value > 0 && why->value <= 255)
        snprintf(text, size, "process '%s' (pid %d) ended with status %d", why->name, (int)why->pid, why->value);
    else if (why->code == YUNTA_EFAILED)
        snprintf(text, size, "process '%s' (pid %d) returned %d", why->name, (int)why->pid, why->value);
    else if (why->code != 0)
        snprintf(text, size, "process '%s' (pid %d): %s", why->name, (int)why->pid, yunta_strerror(why->code));
}

int yunta_process_failure(yunta_process *process, yunta_failure *why)
{
    if (!process || !why)
        return -EINVAL;
    int result = yunta_process_status(process);
    if (result == -EAGAIN)
        return result;
    uint64_t note = atomic_load(&process->exit_note);
    *why = (yunta_failure){.code = result > 0 ? YUNTA_EFAILED : result,
                           .signal = process->signal,
                           .exit_status = process->exit_status,
                           .pid = atomic_load(&process->pid),
                           .core_dumped = process->core_dumped,
                           .out_of_memory = process->out_of_memory,
                           .user_ns = process->user_ns,
                           .system_ns = process->system_ns,
                           .peak_bytes = process->peak_bytes};
    why->value = note ? (int32_t)(uint32_t)note : process->exit_status;
    memcpy(why->name, process->name, sizeof why->name);
    describe(process, why);
    return 0;
}

bool yunta_process_is_alive(yunta_process *process)
{
    return process && yunta_process_status(process) == -EAGAIN;
}

bool yunta_process_is_daemon(const yunta_process *process)
{
    return process && process->daemon;
}

pid_t yunta_process_pid(const yunta_process *process)
{
    return process ? atomic_load(&process->pid) : 0;
}

const char *yunta_process_name(const yunta_process *process)
{
    return process ? process->name : NULL;
}

int yunta_process_sentinel(yunta_process *process)
{
    int r = -EINVAL;
    yn_self *me = process ? yn_self_get(&r) : NULL;
    return me ? yn_children_sentinel(me, process) : r;
}

int yunta_process_signal(yunta_process *process, int signal)
{
    int r = -EINVAL;
    yn_self *me = process && signal >= 0 && signal <= SIGRTMAX ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    if (yn_record_state(process) == YN_PROCESS_ENDED)
        return 0;
    return yn_children_signal(me, process, signal);
}

int yunta_process_interrupt(yunta_process *process)
{
    return yunta_process_signal(process, SIGINT);
}

int yunta_process_terminate(yunta_process *process)
{
    return yunta_process_signal(process, SIGTERM);
}

int yunta_process_kill(yunta_process *process)
{
    return yunta_process_signal(process, SIGKILL);
}

static void disown(yn_self *me, yunta_process *process)
{
    atomic_store(&process->disowned, 1);
    yn_children_forget(me, process);
    yn_record_release(me, process);
}

int yunta_process_close(yunta_process *process)
{
    int r = -EINVAL;
    yn_self *me = process ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    if (yn_children_wait(me, process, 0) != 0)
        return -EBUSY;
    disown(me, process);
    return 0;
}

yunta_process *yunta_process_destroy(yunta_process *process)
{
    int r;
    yn_self *me = process ? yn_self_get(&r) : NULL;
    if (!me)
        return NULL;
    if (yn_children_wait(me, process, 0) != 0) {
        yunta_process_kill(process);
        yn_children_wait(me, process, yn_deadline_in(60000)); /* a frozen process does not even die */
    }
    disown(me, process);
    return NULL;
}

yunta_process *yunta_process_current(void)
{
    int r;
    yn_self *me = yn_self_get(&r);
    if (!me)
        return NULL;
    yunta_process *record = atomic_load(&me->slot->record);
    if (record)
        return record;
    if (yn_record_create(me, &record, "main", NULL, 0) != 0)
        return NULL;
    atomic_store(&record->who, me->claim);
    atomic_store(&record->pid, getpid());
    atomic_store(&record->state, YN_PROCESS_STANDS);
    void *none = NULL;
    if (atomic_compare_exchange_strong(&me->slot->record, &none, record))
        return record;
    yn_record_release(me, record); /* another thread was faster */
    return none;
}

yunta_process *yunta_process_parent(void)
{
    int r;
    yn_self *me = yn_self_get(&r);
    yn_claim parent = me ? atomic_load(&me->slot->parent) : 0;
    if (!parent || !yn_claim_is_alive(&me->arena->slots, parent))
        return NULL;
    return atomic_load(&yn_slot_at(&me->arena->slots, yn_claim_slot(parent))->record);
}

int yunta_process_children(yunta_process **children, size_t capacity)
{
    int r = -EINVAL;
    yn_self *me = children || capacity == 0 ? yn_self_get(&r) : NULL;
    return me ? yn_children_active(me, children, capacity) : r;
}
