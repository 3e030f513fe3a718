/* The record's life: made by a starter, finished by whoever learns of the end, freed by the last who knew it.
 * Never frees what a child still runs with: the starter's reference goes only when it has reaped.
 * Next: proc/process.c, proc/children.c. */
#include "proc/record.h"
#include "proc/team.h"
#include "shm/heap.h"

#include <sys/wait.h>

/* A small argument stands behind its record, and costs the child no page of its own. */
enum { small = 2048, head = (sizeof(yunta_process) + YN_CACHE_LINE - 1) / YN_CACHE_LINE * YN_CACHE_LINE };

static bool stands_behind(const yunta_process *record)
{
    return record->argument == (const char *)record + head;
}

/* 0 or -ENOMEM. */
static int copy_argument(yn_self *me, yunta_process *record, const void *argument, size_t size)
{
    if (size == 0)
        return 0;
    record->argument = size <= small ? (char *)record + head : yn_heap_alloc(me, size, 0);
    if (!record->argument)
        return -ENOMEM;
    memcpy(record->argument, argument, size);
    return 0;
}

int yn_record_create(yn_self *me, yunta_process **record, const char *name, const void *argument, size_t size)
{
    void *block;
    int r = yn_heap_alloc_zeroed(me, &block, head + (size <= small ? size : 0), YN_CACHE_LINE);
    if (r != 0)
        return r;
    yunta_process *made = block;
    if (copy_argument(me, made, argument, size) != 0) {
        yn_heap_free(me, made);
        return -ENOMEM;
    }
    atomic_init(&made->references, 1);
    made->starter = me->claim;
    made->kept_descriptor = -1;
    strncpy(made->name, name ? name : "", sizeof made->name - 1);
    *record = made;
    return 0;
}

static void free_record(yn_self *me, yunta_process *record)
{
    yn_heap_free(me, record->function);
    if (!stands_behind(record))
        yn_heap_free(me, record->argument);
    yn_heap_free(me, record->setup);
    yn_heap_free(me, record);
}

void yn_record_release(yn_self *me, yunta_process *record)
{
    if (atomic_fetch_sub(&record->references, 1) == 1)
        free_record(me, record);
}

void yn_record_free_orphan(yn_self *me, yunta_process *record)
{
    /* One that never stood may be declared dead and yet come up, too late. */
    yn_process_state state = yn_record_state(record);
    bool stood = state == YN_PROCESS_STANDS || state == YN_PROCESS_ENDED;
    if (stood && !yn_claim_is_alive(&me->arena->slots, atomic_load(&record->who)))
        free_record(me, record);
}

YN_IN_CHILD void yn_record_set_state(yunta_process *record, yn_process_state state)
{
    atomic_store(&record->state, (uint32_t)state);
    yn_event_notify_all(&record->changed);
}

static uint64_t ns_of(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_usec * 1000u;
}

/* The one who may write the end: nobody yet, or one that died while writing. */
static bool win(yn_self *me, yunta_process *record)
{
    yn_claim other = 0;
    while (!atomic_compare_exchange_strong(&record->finishing, &other, me->claim)) {
        if (other == me->claim || yn_claim_is_alive(&me->arena->slots, other))
            return false;
    }
    return true;
}

static void write_usage(yunta_process *record, const struct rusage *usage)
{
    record->user_ns = ns_of(usage->ru_utime);
    record->system_ns = ns_of(usage->ru_stime);
    record->peak_bytes = (uint64_t)usage->ru_maxrss * 1024;
}

void yn_record_finish(yn_self *me, yunta_process *record, bool known, int status, const struct rusage *usage, bool oom)
{
    if (yn_record_state(record) == YN_PROCESS_ENDED || !win(me, record)) {
        if (usage && record->peak_bytes == 0) /* somebody who could not know it was faster */
            write_usage(record, usage);
        return;
    }
    yn_team_declare_dead(me, atomic_load(&record->who)); /* who is told of the end finds what it held free */
    uint64_t note = atomic_load(&record->exit_note);
    record->status_known = known || note != 0;
    record->exit_status = -1;
    if (known && WIFSIGNALED(status)) {
        record->signal = WTERMSIG(status);
        record->core_dumped = WCOREDUMP(status);
        record->out_of_memory = oom;
    } else if (known) {
        record->exit_status = WEXITSTATUS(status);
    } else if (note) {
        record->exit_status = (int)(uint8_t)note;
    }
    if (usage)
        write_usage(record, usage);
    yn_record_set_state(record, YN_PROCESS_ENDED);
}
