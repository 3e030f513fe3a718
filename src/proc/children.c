/* Waiting for processes, in every way a process can end or be waited for by somebody else.
 * Never holds its lock while it waits, never waits for a bare pid where there is a descriptor.
 * Next: proc/record.c (what is written then), proc/exit.c (the end of this process). */
#include "proc/children.h"
#include "os/futex.h"
#include "os/life.h"
#include "os/oom.h"
#include "os/text.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* How long others wait for the status of a process whose death is known, before they go by what it noted itself. */
static const int status_grace_ms = 2000;
/* A daemon that does not heed SIGTERM is killed after so long. */
static const int daemon_grace_ms = 2000;

static void lock(void)
{
    uint32_t open = 0;
    while (!atomic_compare_exchange_weak(&yn_private_page->children_lock, &open, 1)) {
        yn_futex_wait(&yn_private_page->children_lock, 1, UINT64_MAX);
        open = 0;
    }
}

static void unlock(void)
{
    atomic_store(&yn_private_page->children_lock, 0);
    yn_futex_wake(&yn_private_page->children_lock, 1);
}

static yn_child *find(const yunta_process *record)
{
    yn_child *c = atomic_load(&yn_private_page->children);
    while (c && c->record != record)
        c = c->next;
    return c;
}

int yn_children_add(yn_self *me, yunta_process *record, pid_t pid, int seen, bool mine)
{
    (void)me;
    yn_child *c = malloc(sizeof *c);
    if (!c)
        return -ENOMEM;
    *c = (yn_child){.record = record, .pid = pid, .seen = seen, .mine = mine};
    atomic_fetch_add(&record->references, 1);
    lock();
    c->next = atomic_load(&yn_private_page->children);
    atomic_store(&yn_private_page->children, c);
    unlock();
    return 0;
}

/* With the lock held: off the list, unless a thread still waits on its descriptor. */
static yn_child *unlink_child(const yunta_process *record)
{
    yn_child *c = find(record);
    if (!c || c->users > 0)
        return NULL;
    yn_child *first = atomic_load(&yn_private_page->children);
    if (c == first) {
        atomic_store(&yn_private_page->children, c->next);
        return c;
    }
    while (first->next != c)
        first = first->next;
    first->next = c->next;
    return c;
}

void yn_children_forget(yn_self *me, yunta_process *record)
{
    lock();
    yn_child *c = unlink_child(record);
    unlock();
    if (!c)
        return;
    if (c->seen >= 0)
        close(c->seen);
    yn_record_release(me, record);
    free(c);
}

/* What the kernel's counter said when this process last looked. */
static bool oom_rose(void)
{
    static _Atomic uint64_t last;
    uint64_t now = yn_oom_kills(), before = atomic_exchange(&last, now);
    return now > before;
}

static int wait_call(yn_child *c, int flags, int *status, struct rusage *usage)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    memset(usage, 0, sizeof *usage);
    long r;
    do {
        r = yn_raw5(SYS_waitid, P_PIDFD, c->seen, &info, WEXITED | flags, usage);
        if (r == -EBADF || r == -EINVAL || r == -ENOSYS)
            r = yn_raw5(SYS_waitid, P_PID, c->pid, &info, WEXITED | flags, usage);
    } while (r == -EINTR);
    if (r < 0)
        return (int)r;
    if (info.si_pid == 0)
        return -EAGAIN;
    *status = info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8
                                         : info.si_status | (info.si_code == CLD_DUMPED ? 0x80 : 0);
    return 0;
}

/* A zombie's status as its siblings can read it; false if it cannot be read. */
static bool peek_status(pid_t pid, int *status)
{
    char path[32], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    char *p = strrchr(text, ')');
    if (!p || p[1] != ' ' || p[2] != 'Z')
        return false;
    p = strrchr(text, ' '); /* exit_code is the last field */
    *status = p ? atoi(p + 1) : 0;
    return p != NULL;
}

/* Nobody will give us the status: what can be known without. */
static void finish_unreaped(yn_self *me, yunta_process *record)
{
    int status = 0;
    bool known = peek_status(atomic_load(&record->pid), &status);
    yn_record_finish(me, record, known, status, NULL, false);
}

/* A child of ours: 0 when its end is written, -EAGAIN while it runs. */
static int reap(yn_self *me, yn_child *c, bool block)
{
    int status;
    struct rusage usage;
    int r = wait_call(c, block ? 0 : WNOHANG, &status, &usage);
    if (r == -EAGAIN)
        return r;
    if (r == 0) {
        bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        yn_record_finish(me, c->record, true, status, &usage, killed && oom_rose());
        c->reaped = true;
        return 0;
    }
    /* Somebody else has waited for it: another thread of ours, which is writing the end just now, or the program. */
    yn_deadline grace = yn_deadline_in(c->reaped ? status_grace_ms : 50);
    while (yn_record_state(c->record) != YN_PROCESS_ENDED && yn_deadline_left(grace) > 0) {
        uint32_t key = yn_event_key(&c->record->changed);
        yn_event_announce(&c->record->changed);
        if (yn_record_state(c->record) != YN_PROCESS_ENDED)
            yn_event_wait(me, &c->record->changed, key, grace);
    }
    yn_record_finish(me, c->record, false, 0, NULL, false);
    return 0;
}

static int wait_for_child(yn_self *me, yn_child *c, yn_deadline deadline)
{
    if (deadline != YN_NEVER && !yn_life_has_ended(c->seen, deadline))
        return -ETIMEDOUT;
    int r = reap(me, c, deadline == YN_NEVER);
    return r == -EAGAIN ? -ETIMEDOUT : r;
}

/* Somebody else's child: its parent writes the record, or has died. */
static int wait_for_record(yn_self *me, yunta_process *record, yn_deadline deadline)
{
    yn_deadline grace = 0;
    while (yn_record_state(record) != YN_PROCESS_ENDED) {
        uint32_t key = yn_event_key(&record->changed);
        yn_event_announce(&record->changed);
        if (yn_record_state(record) == YN_PROCESS_ENDED)
            break;
        bool gone = !yn_claim_is_alive(&me->arena->slots, atomic_load(&record->who));
        if (gone && grace == 0)
            grace = yn_deadline_in(atomic_load(&record->exit_note) ? 20 : status_grace_ms);
        if (gone && yn_deadline_left(grace) == 0) {
            finish_unreaped(me, record);
            break;
        }
        yn_deadline until = gone && grace < deadline ? grace : deadline;
        if (yn_deadline_left(until) == 0 && !gone)
            return -ETIMEDOUT;
        int r = yn_event_wait(me, &record->changed, key, until);
        if (r == -ENOMEM)
            return r;
        if (r == -ETIMEDOUT && until == deadline && yn_deadline_left(deadline) == 0)
            return -ETIMEDOUT;
    }
    return 0;
}

int yn_children_wait(yn_self *me, yunta_process *record, yn_deadline deadline)
{
    if (yn_record_state(record) == YN_PROCESS_ENDED)
        return 0;
    lock();
    yn_child *c = find(record);
    bool mine = c && c->mine;
    if (mine)
        c->users++;
    unlock();
    if (!mine)
        return wait_for_record(me, record, deadline);
    int r = wait_for_child(me, c, deadline);
    lock();
    c->users--;
    unlock();
    return r;
}

/* A descriptor that is readable from the beginning: for what has ended. */
static int ended_descriptor(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    close(ends[1]);
    return ends[0];
}

int yn_children_sentinel(yn_self *me, yunta_process *record)
{
    lock();
    yn_child *c = find(record);
    int seen = c ? c->seen : -1;
    unlock();
    if (seen >= 0)
        return seen;
    pid_t pid = atomic_load(&record->pid);
    seen = pid > 0 ? yn_life_open_pid(pid) : -ESRCH;
    if (seen < 0 && seen != -ESRCH)
        return seen;
    /* The pid was this process's when we opened it, if its slot is still alive now. */
    if (seen < 0 || yn_record_state(record) == YN_PROCESS_ENDED ||
        !yn_claim_is_alive(&me->arena->slots, atomic_load(&record->who))) {
        if (seen >= 0)
            close(seen);
        seen = ended_descriptor();
        if (seen < 0)
            return seen;
    }
    int r = yn_children_add(me, record, pid, seen, false);
    if (r != 0)
        close(seen);
    return r != 0 ? r : seen;
}

/* With the lock held: the first child after `from` to look at, kept from being freed. */
static yn_child *hold_next(yn_child *from)
{
    yn_child *c = from ? from->next : atomic_load(&yn_private_page->children);
    if (c)
        c->users++;
    return c;
}

int yn_children_active(yn_self *me, yunta_process **running, size_t capacity)
{
    int count = 0;
    lock();
    yn_child *c = hold_next(NULL);
    while (c) {
        unlock();
        bool ended = c->mine ? yn_record_state(c->record) == YN_PROCESS_ENDED || reap(me, c, false) == 0
                             : wait_for_record(me, c->record, 0) == 0;
        if (!ended && !c->record->internal && c->record->starter == me->claim) {
            if ((size_t)count < capacity)
                running[count] = c->record;
            count++;
        }
        lock();
        yn_child *next = hold_next(c);
        c->users--;
        c = next;
    }
    unlock();
    return count;
}

static void end_one(yn_self *me, yn_child *c)
{
    if (!c->record->daemon && !c->record->internal) {
        yn_children_wait(me, c->record, YN_NEVER);
        return;
    }
    if (yn_children_wait(me, c->record, yn_deadline_in(daemon_grace_ms)) == 0)
        return;
    yn_life_signal(c->seen, c->pid, SIGKILL);
    yn_children_wait(me, c->record, yn_deadline_in(10 * daemon_grace_ms));
}

void yn_children_end(yn_self *me)
{
    lock();
    for (yn_child *c = atomic_load(&yn_private_page->children); c; c = c->next) {
        bool ours = c->record->starter == me->claim && yn_record_state(c->record) != YN_PROCESS_ENDED;
        if (ours && (c->record->daemon || c->record->internal))
            yn_life_signal(c->seen, c->pid, SIGTERM);
    }
    yn_child *c = hold_next(NULL);
    while (c) {
        unlock();
        if (c->record->starter == me->claim)
            end_one(me, c);
        lock();
        yn_child *next = hold_next(c);
        c->users--;
        c = next;
    }
    unlock();
}
