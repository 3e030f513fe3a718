/* Waiting for processes, in every way a process can end or be waited for by somebody else.
 * Never holds its lock while it waits, never waits for a bare pid where there is a descriptor.
 * Next: proc/record.c (what is written then), proc/exit.c (the end of this process). */
#include "proc/children.h"
#include "os/futex.h"
#include "os/life.h"
#include "os/oom.h"
#include "proc/team.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* How long others leave the parent of a dead process to write how it ended, before they go by what they can see
 * themselves; and how long where they see nothing. */
static const uint64_t status_grace_ns[2] = {UINT64_C(200000000), UINT64_C(2000000000)};
/* A daemon that does not heed SIGTERM is killed after so long. */
static const int daemon_grace_ms = 2000;

static void lock(void)
{
    yn_futex_lock(&yn_private_page->children_lock);
}

static void unlock(void)
{
    yn_futex_unlock(&yn_private_page->children_lock);
}

/* The entries that this process has made for what others have started; or, after a fork, those that it has inherited,
 * which are no use to it. */
static yn_child *made;
static yn_claim maker;

/* With the lock held. The descriptors stay: by now they may be others of the program's. */
static void free_inherited(const yn_self *me)
{
    for (yn_child *next; maker != me->claim && made; made = next) {
        next = made->next_made;
        free(made);
    }
    maker = me->claim;
}

/* With the lock held. */
static yn_child *find(const yunta_process *record)
{
    yn_child *c = atomic_load(&yn_private_page->children);
    while (c && (c->record != record || c->forgotten))
        c = c->next;
    return c;
}

static void put_on_list(yn_child *c)
{
    atomic_fetch_add(&c->record->references, 1);
    c->next = atomic_load(&yn_private_page->children);
    atomic_store(&yn_private_page->children, c);
}

void yn_children_add(yunta_process *record, pid_t pid, int seen, bool mine)
{
    record->entry = (yn_child){.record = record, .pid = pid, .seen = seen, .mine = mine};
    lock();
    put_on_list(&record->entry);
    unlock();
}

/* An entry for what somebody else has started. -ENOMEM. */
static int add_foreign(yn_self *me, yunta_process *record, int seen)
{
    yn_child *c = malloc(sizeof *c);
    if (!c)
        return -ENOMEM;
    *c = (yn_child){.record = record, .pid = atomic_load(&record->pid), .seen = seen};
    lock();
    free_inherited(me);
    c->next_made = made;
    made = c;
    put_on_list(c);
    unlock();
    return 0;
}

/* With the lock held: off the list if it is forgotten and no thread uses it; else NULL. */
static yn_child *unlink_idle(yn_child *c)
{
    if (!c->forgotten || c->users > 0)
        return NULL;
    yn_child *before = atomic_load(&yn_private_page->children);
    if (c == before) {
        atomic_store(&yn_private_page->children, c->next);
        return c;
    }
    while (before->next != c)
        before = before->next;
    before->next = c->next;
    return c;
}

static void free_made(yn_child *c)
{
    lock();
    yn_child **link = &made;
    while (*link != c)
        link = &(*link)->next_made;
    *link = c->next_made;
    unlock();
    free(c);
}

static void discard(yn_self *me, yn_child *c)
{
    if (!c)
        return;
    yunta_process *record = c->record;
    if (c->seen >= 0)
        close(c->seen);
    if (c != &record->entry)
        free_made(c);
    yn_record_release(me, record);
}

/* With the lock held: kept until let_go. */
static yn_child *hold(yn_child *c)
{
    if (c)
        c->users++;
    return c;
}

/* With the lock held. What it returns is to be discarded, without the lock. */
static yn_child *let_go(yn_child *c)
{
    c->users--;
    return unlink_idle(c);
}

void yn_children_forget(yn_self *me, yunta_process *record)
{
    yn_child *c;
    do { /* two threads that asked for a sentinel at once may both have made an entry */
        lock();
        yn_child *idle = NULL;
        c = find(record);
        if (c) {
            c->forgotten = true;
            idle = unlink_idle(c);
        }
        unlock();
        discard(me, idle);
    } while (c);
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

/* With the lock held, so that no other thread of ours is between the status and the record: 0 when its end is written,
 * -EAGAIN while it runs. */
static int reap(yn_self *me, yn_child *c)
{
    int status = 0;
    struct rusage usage;
    if (c->reaped)
        return 0;
    int r = wait_call(c, WNOHANG, &status, &usage);
    if (r == -EAGAIN)
        return r;
    c->reaped = true;
    bool killed = r == 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    /* If somebody else has waited for it, what it noted itself is all there is. */
    yn_record_finish(me, c->record, r == 0, status, r == 0 ? &usage : NULL, killed && yn_oom_rose());
    yn_team_declare_dead(me, atomic_load(&c->record->who)); /* also if somebody else wrote how */
    return 0;
}

static int look_at_child(yn_self *me, yn_child *c)
{
    lock();
    int r = reap(me, c);
    unlock();
    return r;
}

/* `unseen`: it is our child, and there is no descriptor for it. */
static uint64_t nap_ns(yn_self *me, yunta_process *record, bool unseen)
{
    enum { perhaps_untold_ns = 20000000, ending_ns = 1000000 };
    yn_claim who = atomic_load(&record->who);
    uint64_t word = atomic_load(&yn_slot_at(&me->arena->slots, yn_claim_slot(who))->word);
    if (word >> 24 == who >> 24 && yn_slot_state_of(word) == YN_SLOT_LIVE && !unseen)
        return UINT64_MAX;
    return yn_claim_is_alive(&me->arena->slots, who) ? perhaps_untold_ns : ending_ns;
}

uint64_t yn_children_nap_ns(yn_self *me, yunta_process *record)
{
    lock();
    const yn_child *c = find(record);
    bool unseen = c && c->mine && c->seen < 0;
    unlock();
    return nap_ns(me, record, unseen);
}

/* Until it ends, or the time is over. Its seat says meanwhile whom it waits for: nothing depends on that. */
static void await_life(yn_self *me, yn_child *c, uint32_t key, yn_deadline deadline)
{
    yn_wait_for(me, c->record, YN_WAITS_PROCESS, deadline);
    bool seated = yn_wait_prepare(me, &c->record->changed.sequence, key, YN_NUDGE_COUNT) == 0;
    yn_life_has_ended(c->seen, deadline);
    if (seated)
        yn_wait_cancel(me);
}

static int wait_for_child(yn_self *me, yn_child *c, yn_deadline deadline)
{
    yn_event_shared *changed = &c->record->changed;
    for (;;) {
        uint32_t key = yn_event_key(changed);
        if (c->seen < 0)
            yn_event_announce(changed);
        else if (deadline != 0)
            await_life(me, c, key, deadline);
        if (look_at_child(me, c) == 0)
            return 0;
        if (yn_deadline_left(deadline) == 0)
            return -ETIMEDOUT;
        if (c->seen >= 0)
            continue;
        uint64_t nap = nap_ns(me, c->record, true);
        yn_deadline until = nap < yn_deadline_left(deadline) ? yn_now_ns() + nap : deadline;
        yn_wait_for(me, c->record, YN_WAITS_PROCESS, deadline);
        yn_event_wait(me, changed, key, until); /* its death will change what we sleep on */
    }
}

/* Somebody else's child is dead, and its parent has not written how: by what can be known without. If that is nothing,
 * only at last. */
static void finish_unreaped(yn_self *me, yunta_process *record, bool at_last)
{
    int status = 0;
    bool known = yn_life_zombie_status(atomic_load(&record->pid), atomic_load(&record->began_ns), &status);
    if (known || atomic_load(&record->exit_note) != 0 || at_last)
        yn_record_finish(me, record, known, status, NULL, false);
}

/* Whether the process of a record is known to be dead, and since when. */
static uint64_t death_of(yn_self *me, yunta_process *record, int seen)
{
    uint64_t found = atomic_load(&record->death_seen_ns);
    bool dead = found != 0 || !yn_claim_is_alive(&me->arena->slots, atomic_load(&record->who)) ||
                (seen >= 0 && yn_life_has_ended(seen, 0));
    if (!dead || found != 0)
        return found;
    uint64_t now = yn_now_ns();
    return atomic_compare_exchange_strong(&record->death_seen_ns, &found, now) ? now : found;
}

/* Whether its parent, who is to write how it ended, is alive itself. */
static bool is_to_be_written(yn_self *me, const yunta_process *record)
{
    yn_claim server = atomic_load(&record->server);
    return yn_claim_is_alive(&me->arena->slots, server ? server : record->starter);
}

/* Somebody else's child: its parent writes the record, or is busy, or has died. A death that is known is waited for
 * even when the deadline has passed, since then only the writing is awaited. */
static int wait_for_record(yn_self *me, yunta_process *record, int seen, yn_deadline deadline)
{
    bool at_last = false;
    while (yn_record_state(record) != YN_PROCESS_ENDED) {
        uint32_t key = yn_event_key(&record->changed);
        yn_event_announce(&record->changed);
        uint64_t death = death_of(me, record, seen);
        if (yn_record_state(record) == YN_PROCESS_ENDED)
            break;
        if (death == 0 && yn_deadline_left(deadline) == 0)
            return -ETIMEDOUT;
        yn_deadline until = death == 0 ? deadline : death + status_grace_ns[at_last];
        bool unwritten = death != 0 && !is_to_be_written(me, record);
        if (unwritten || (death != 0 && yn_deadline_left(until) == 0)) {
            at_last = at_last || unwritten;
            finish_unreaped(me, record, at_last);
            until = at_last ? yn_deadline_in(10) : death + status_grace_ns[1]; /* somebody else may be writing it */
            at_last = true;
        }
        yn_wait_for(me, record, YN_WAITS_PROCESS, deadline);
        int r = yn_event_wait(me, &record->changed, key, until);
        if (r == -ENOMEM)
            return r;
    }
    return 0;
}

int yn_children_wait(yn_self *me, yunta_process *record, yn_deadline deadline)
{
    lock();
    yn_child *c = hold(find(record));
    unlock();
    int r = c && c->mine ? wait_for_child(me, c, deadline) : wait_for_record(me, record, c ? c->seen : -1, deadline);
    if (!c)
        return r;
    lock();
    c = let_go(c);
    unlock();
    discard(me, c);
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

/* A descriptor of our own for a process that somebody else has started. */
static int open_seen(yn_self *me, yunta_process *record)
{
    pid_t pid = atomic_load(&record->pid);
    int seen = pid > 0 ? yn_life_open_pid(pid) : -ESRCH;
    /* The pid was this process's when we opened it, if its slot is still alive now. */
    bool alive =
        yn_record_state(record) != YN_PROCESS_ENDED && yn_claim_is_alive(&me->arena->slots, atomic_load(&record->who));
    if (alive && seen != -ESRCH)
        return seen;
    if (seen >= 0)
        close(seen);
    return ended_descriptor();
}

int yn_children_sentinel(yn_self *me, yunta_process *record)
{
    lock();
    yn_child *c = find(record);
    int seen = c ? c->seen : -1;
    unlock();
    if (seen >= 0)
        return seen;
    seen = open_seen(me, record);
    if (seen < 0)
        return seen;
    lock();
    c = find(record);
    int others = c ? c->seen : -1; /* another thread may have been faster */
    if (c && others < 0)
        c->seen = seen;
    unlock();
    int r = c ? 0 : add_foreign(me, record, seen);
    if (r != 0 || others >= 0)
        close(seen);
    return r != 0 ? r : others >= 0 ? others : seen;
}

/* The one after `c` on the list (the first, if c is NULL), held; `c` is let go. */
static yn_child *next_of(yn_self *me, yn_child *c)
{
    lock();
    yn_child *next = hold(c ? c->next : atomic_load(&yn_private_page->children));
    yn_child *idle = c ? let_go(c) : NULL;
    unlock();
    discard(me, idle);
    return next;
}

static bool has_ended(yn_self *me, yn_child *c)
{
    return (c->mine ? look_at_child(me, c) : wait_for_record(me, c->record, c->seen, 0)) == 0;
}

/* This process has started it, and has not forgotten it (it may have asked for its own sentinel, or another's). */
static bool is_started_here(yn_self *me, const yn_child *c)
{
    return c->record->starter == me->claim && atomic_load(&c->record->who) != me->claim && !c->forgotten;
}

int yn_children_active(yn_self *me, yunta_process **running, size_t capacity)
{
    int count = 0;
    for (yn_child *c = next_of(me, NULL); c; c = next_of(me, c)) {
        bool ended = is_started_here(me, c) && has_ended(me, c);
        if (ended && atomic_load(&c->record->disowned))
            yn_children_forget(me, c->record); /* nobody will ask us to */
        if (ended || !is_started_here(me, c) || c->record->internal)
            continue;
        if ((size_t)count < capacity)
            running[count] = c->record;
        count++;
    }
    return count;
}

/* Daemons in the sense of the end: what is not waited for as long as it pleases. */
static bool is_daemon(const yn_child *c)
{
    return c->record->daemon || c->record->internal;
}

int yn_children_signal(yn_self *me, yunta_process *record, int signal)
{
    pid_t pid = atomic_load(&record->pid);
    int seen = yn_children_sentinel(me, record);
    if (seen >= 0)
        return yn_life_signal(seen, pid, signal);
    if (pid <= 0 || !yn_claim_is_alive(&me->arena->slots, atomic_load(&record->who)))
        return 0;
    return kill(pid, signal) == 0 || errno == ESRCH ? 0 : -errno;
}

YN_IN_CHILD void yn_children_end(yn_self *me)
{
    if (!atomic_load(&yn_private_page->children))
        return;
    for (yn_child *c = next_of(me, NULL); c; c = next_of(me, c))
        if (is_started_here(me, c) && is_daemon(c) && !has_ended(me, c)) /* a foreman ends its workers, even so */
            yn_children_signal(me, c->record, c->record->internal ? SIGKILL : SIGTERM);
    yn_deadline grace = yn_deadline_in(daemon_grace_ms);
    for (yn_child *c = next_of(me, NULL); c; c = next_of(me, c))
        if (is_started_here(me, c) && !is_daemon(c))
            yn_children_wait(me, c->record, YN_NEVER);
    for (yn_child *c = next_of(me, NULL); c; c = next_of(me, c)) {
        if (!is_started_here(me, c) || !is_daemon(c) || yn_children_wait(me, c->record, grace) == 0)
            continue;
        yn_children_signal(me, c->record, SIGKILL);
        yn_children_wait(me, c->record, yn_deadline_in(10 * daemon_grace_ms));
    }
}
