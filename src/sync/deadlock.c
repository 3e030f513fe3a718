/* Deadlocks as programs and people are told of them.
 * Never judges: what is stuck, sync/waits.c has found.
 * Next: sync/waits.h. */
#include "sync/deadlock.h"
#include "sync/waits.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Where the edges go, and which are to be told. */
typedef struct telling {
    yn_self *me;
    const yn_waits_seen *seen;
    yunta_deadlock_edge *edges;
    size_t room, count;
    bool all; /* not only circles */
} telling;

static yunta_deadlock_kind kind_of(yn_waits kind)
{
    static const yunta_deadlock_kind kinds[YN_WAITS_KINDS] = {
        [YN_WAITS_LOCK] = YUNTA_DEADLOCK_LOCK,     [YN_WAITS_RECURSIVE_LOCK] = YUNTA_DEADLOCK_RECURSIVE_LOCK,
        [YN_WAITS_READ] = YUNTA_DEADLOCK_READ,     [YN_WAITS_WRITE] = YUNTA_DEADLOCK_WRITE,
        [YN_WAITS_READERS] = YUNTA_DEADLOCK_WRITE, [YN_WAITS_SEMAPHORE] = YUNTA_DEADLOCK_SEMAPHORE,
        [YN_WAITS_ONCE] = YUNTA_DEADLOCK_ONCE,     [YN_WAITS_PROCESS] = YUNTA_DEADLOCK_PROCESS,
    };
    return kinds[kind];
}

/* Pid and name, if it is still there. */
static pid_t describe(yn_self *me, yn_claim process, char name[YUNTA_FAILURE_NAME])
{
    yn_slot_shared *slot = yn_slot_at(&me->arena->slots, yn_claim_slot(process));
    const void *record = atomic_load(&slot->record);
    if (record && yn_wait_up.name_of && yn_waits_can_read(me, record, 256))
        memcpy(name, yn_wait_up.name_of(record), YUNTA_FAILURE_NAME - 1);
    if (!yn_claim_is_alive(&me->arena->slots, process))
        name[0] = '\0'; /* it may be the next tenant's */
    return yn_slot_pid(slot, process);
}

static pid_t thread_of(const telling *t, const yn_holder *holder)
{
    size_t first, count = yn_waits_of_holder(t->seen, holder, &first);
    const yn_waiting_process *process = yn_waits_process(t->seen, holder->process);
    bool is_sure = holder->self || (process && process->threads == 1);
    return holder->thread ? (pid_t)holder->thread : is_sure && count == 1 ? (pid_t)t->seen->waiter[first].thread : 0;
}

static void tell(telling *t, const yn_waiter *waiter, const yn_holder *holder)
{
    size_t number = t->count++;
    if (number >= t->room)
        return;
    yunta_deadlock_edge *edge = &t->edges[number];
    *edge = (yunta_deadlock_edge){.waiter_thread = (pid_t)waiter->thread,
                                  .kind = kind_of(waiter->kind),
                                  .is_limited = waiter->is_limited,
                                  .object = waiter->object,
                                  .holder_thread = thread_of(t, holder)};
    edge->waiter_pid = describe(t->me, waiter->process, edge->waiter_name);
    edge->holder_pid = describe(t->me, holder->process, edge->holder_name);
}

/* One of those that a holder may be who is in a circle; NULL if there is none. */
static yn_waiter *next_in_circle(const telling *t, const yn_holder *holder)
{
    size_t first = 0, count = yn_waits_of_holder(t->seen, holder, &first);
    for (size_t i = first; i < first + count; i++)
        if (t->seen->waiter[i].is_in)
            return &t->seen->waiter[i];
    return NULL;
}

/* The edges of one waiter. Whom it waits for that has not been told yet; NULL if that ends here. */
static yn_waiter *tell_waiter(telling *t, yn_waiter *waiter)
{
    yn_waiter *next = NULL;
    waiter->is_told = true;
    for (size_t i = 0; i < waiter->holders; i++) {
        const yn_holder *holder = &t->seen->holder[waiter->first_holder + i];
        yn_waiter *other = next_in_circle(t, holder);
        if (other || t->all)
            tell(t, waiter, holder);
        if (other && !other->is_told)
            next = other;
    }
    return next;
}

/* Along each circle. What hangs on one that is told already follows by itself. */
static void tell_all(telling *t)
{
    for (size_t i = 0; i < t->seen->waiters; i++) {
        yn_waiter *waiter = &t->seen->waiter[i];
        while (waiter && !waiter->is_told && (waiter->is_in || t->all))
            waiter = tell_waiter(t, waiter);
    }
}

static int read_edges(yn_self *me, yunta_deadlock_edge *edges, size_t room, bool all)
{
    yn_waits_seen seen = {0};
    telling t = {.me = me, .seen = &seen, .edges = edges, .room = room, .all = all};
    int r = yn_waits_read(me, &seen);
    if (r == 0) {
        yn_waits_judge(&seen);
        tell_all(&t);
    }
    yn_waits_free(&seen);
    return r == 0 ? (int)t.count : r;
}

static int read_as_member(yunta_deadlock_edge *edges, size_t room, bool all)
{
    int r = -EINVAL;
    yn_self *me = edges || room == 0 ? yn_self_get(&r) : NULL;
    return me ? read_edges(me, edges, room, all) : r;
}

int yunta_deadlock_find(yunta_deadlock_edge *edges, size_t room)
{
    return read_as_member(edges, room, false);
}

int yunta_deadlock_read_waits(yunta_deadlock_edge *edges, size_t room)
{
    return read_as_member(edges, room, true);
}

int yunta_deadlock_trace(void)
{
    int r;
    yn_self *me = yn_self_get(&r);
    if (me)
        yn_self_note_holders(me);
    return me ? 0 : r;
}

/* All edges, however many: the caller frees them. How many, or -ENOMEM. */
static int find_all(yn_self *me, yunta_deadlock_edge **edges)
{
    size_t room = 0;
    *edges = NULL;
    for (;;) {
        int found = read_edges(me, *edges, room, false);
        if (found < 0 || (size_t)found <= room)
            return found;
        room = 2 * (size_t)found;
        free(*edges);
        *edges = calloc(room, sizeof **edges);
        if (!*edges)
            return -ENOMEM;
    }
}

static int write_all(int descriptor, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = write(descriptor, text, size);
        if (n < 0 && errno != EINTR)
            return -errno;
        text += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static const char *text_of(yunta_deadlock_kind kind)
{
    static const char *const texts[] = {
        [YUNTA_DEADLOCK_LOCK] = "the lock",
        [YUNTA_DEADLOCK_RECURSIVE_LOCK] = "the recursive lock",
        [YUNTA_DEADLOCK_READ] = "the read-write lock, to read,",
        [YUNTA_DEADLOCK_WRITE] = "the read-write lock, to write,",
        [YUNTA_DEADLOCK_SEMAPHORE] = "a unit of the semaphore",
        [YUNTA_DEADLOCK_ONCE] = "the once",
        [YUNTA_DEADLOCK_PROCESS] = "the end of",
    };
    return texts[kind];
}

/* "process 'ana' (pid 12, thread 13)"; the first thread has the process's number, and is not named. */
static int name_one(char *text, size_t size, const char *name, pid_t pid, pid_t thread)
{
    char of_thread[24] = "";
    if (thread != 0 && thread != pid)
        snprintf(of_thread, sizeof of_thread, ", thread %d", (int)thread);
    if (name[0])
        return snprintf(text, size, "process '%s' (pid %d%s)", name, (int)pid, of_thread);
    return snprintf(text, size, "process %d%s", (int)pid, of_thread);
}

static int print_edge(int descriptor, const yunta_deadlock_edge *edge)
{
    char waiter[96], holder[96], what[64], line[320];
    name_one(waiter, sizeof waiter, edge->waiter_name, edge->waiter_pid, edge->waiter_thread);
    name_one(holder, sizeof holder, edge->holder_name, edge->holder_pid, edge->holder_thread);
    if (edge->kind == YUNTA_DEADLOCK_PROCESS)
        snprintf(what, sizeof what, "%s", text_of(edge->kind));
    else
        snprintf(what, sizeof what, "%s %p of", text_of(edge->kind), edge->object);
    int n = snprintf(line, sizeof line, "yunta:   %s waits%s for %s %s\n", waiter,
                     edge->is_limited ? ", not for ever," : "", what, holder);
    return write_all(descriptor, line, (size_t)n); /* names have a most: there is room for the longest line */
}

static int print_edges(int descriptor, const yunta_deadlock_edge *edges, int count)
{
    static const char title[] = "yunta: deadlock: each waits for the next\n";
    int r = write_all(descriptor, title, sizeof title - 1);
    for (int i = 0; r == 0 && i < count; i++)
        r = print_edge(descriptor, &edges[i]);
    return r == 0 ? count : r;
}

int yunta_deadlock_print(int descriptor)
{
    int r;
    yn_self *me = yn_self_get(&r);
    if (!me)
        return r;
    yunta_deadlock_edge *edges;
    r = find_all(me, &edges);
    if (r > 0)
        r = print_edges(descriptor, edges, r);
    free(edges);
    return r;
}

bool yn_deadlock_overdue(yn_self *me)
{
    yunta_deadlock_edge *edges;
    int count = find_all(me, &edges), mine = count;
    pid_t pid = yn_slot_pid(me->slot, me->claim), thread = (pid_t)atomic_load(&me->seat->thread);
    for (int i = count; i-- > 0;)
        if (edges[i].waiter_pid == pid && edges[i].waiter_thread == thread)
            mine = i;
    if (count > 0 && mine == 0)
        print_edges(STDERR_FILENO, edges, count);
    free(edges);
    return mine < count;
}
