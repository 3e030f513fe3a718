/* Who waits for whom: reading it, and finding those who can never go on.
 * Never takes a lock, never writes into shared memory, never calls somebody stuck who might be running.
 * Next: sync/README.md, why what it finds is true; sync/deadlock.c, which tells it. */
#include "sync/waits.h"
#include "os/life.h"

#include <stdlib.h>

/* One more place at the end of a list. NULL: no memory. */
static void *add_place(void *list, size_t *count, size_t *room, size_t size)
{
    void **items = list;
    if (*count == *room) {
        size_t more = *room ? 2 * *room : 16;
        void *grown = realloc(*items, more * size);
        if (!grown)
            return NULL;
        *items = grown;
        *room = more;
    }
    return (char *)*items + (*count)++ * size;
}

void yn_waits_free(yn_waits_seen *seen)
{
    free(seen->waiter);
    free(seen->holder);
    free(seen->process);
    *seen = (yn_waits_seen){0};
}

bool yn_waits_can_read(yn_self *me, const void *address, size_t size)
{
    uint64_t offset = (uint64_t)(uintptr_t)address - me->arena->base, end = atomic_load(&me->arena->end);
    return offset % 8 == 0 && offset < end && size <= end - offset;
}

int yn_waits_add_holder(yn_self *me, yn_waits_seen *seen, yn_holder holder)
{
    yn_waiter *waiter = yn_waits_last(seen);
    if (!yn_claim_is_alive(&me->arena->slots, holder.process)) {
        waiter->is_open = true;
        return 0;
    }
    for (size_t i = seen->holders; i-- > waiter->first_holder;)
        if (memcmp(&seen->holder[i], &holder, sizeof holder) == 0)
            return 0; /* it has several parts */
    yn_holder *place = add_place(&seen->holder, &seen->holders, &seen->holder_room, sizeof *place);
    if (!place)
        return -ENOMEM;
    *place = holder;
    waiter->holders++;
    return 0;
}

static int read_process(yn_self *me, const void *record, yn_waits_seen *seen)
{
    yn_claim process = yn_wait_up.process_of ? yn_wait_up.process_of(record) : 0;
    return yn_waits_add_holder(me, seen, (yn_holder){.process = process});
}

static const struct {
    yn_waits_reader *read;
    size_t size; /* at least what it reads without asking */
} readers[YN_WAITS_KINDS] = {
    [YN_WAITS_LOCK] = {yn_lock_read_holder, sizeof(yn_noted_lock_shared)},
    [YN_WAITS_RECURSIVE_LOCK] = {yn_recursive_lock_read_holder, 64},
    [YN_WAITS_READ] = {yn_rwlock_read_writer, 64},
    [YN_WAITS_WRITE] = {yn_rwlock_read_writer, 64},
    [YN_WAITS_READERS] = {yn_rwlock_read_readers, 256},
    [YN_WAITS_SEMAPHORE] = {yn_semaphore_read_holders, 320},
    [YN_WAITS_ONCE] = {yn_once_read_holder, 64},
    [YN_WAITS_PROCESS] = {read_process, 64},
};

static bool is_in_same_sleep(const yn_waiter *waiter)
{
    yn_seat_shared *seat = waiter->seat;
    return atomic_load(&seat->word) != NULL && atomic_load(&seat->turn) == waiter->turn;
}

/* Who sits there, if it sleeps for something that can have a holder. 0 or -ENOMEM. */
static int read_seat(yn_waits_seen *seen, yn_claim process, yn_seat_shared *seat)
{
    yn_waiter found = {.seat = seat, .turn = atomic_load(&seat->turn), .process = process};
    if (found.turn % 2 != 0 || atomic_load(&seat->word) == NULL)
        return 0;
    uint64_t waits = atomic_load(&seat->waits);
    found.thread = atomic_load(&seat->thread);
    found.self = atomic_load(&seat->self);
    found.object = (const void *)(uintptr_t)(waits & ~(YN_WAITS_LIMITED | YN_WAITS_MASK));
    found.kind = (yn_waits)(waits & YN_WAITS_MASK);
    found.is_limited = waits & YN_WAITS_LIMITED;
    found.is_any = found.kind == YN_WAITS_SEMAPHORE;
    if (found.kind == YN_WAITS_NOBODY || found.kind >= YN_WAITS_KINDS || !is_in_same_sleep(&found))
        return 0;
    yn_waiter *place = add_place(&seen->waiter, &seen->waiters, &seen->waiter_room, sizeof *place);
    if (place)
        *place = found;
    return place ? 0 : -ENOMEM;
}

/* How many threads it has (for pid 0 that cannot be told), after its seats and before what it holds: one that lets
 * something go and ends is counted, or has let go before we look. */
static int read_slot(yn_self *me, yn_waits_seen *seen, uint32_t number)
{
    yn_slot_shared *slot = yn_slot_below_used(&me->arena->slots, number);
    uint64_t word = atomic_load(&slot->word);
    if (yn_slot_state_of(word) != YN_SLOT_LIVE)
        return 0;
    yn_claim process = yn_claim_make(number, word >> 24);
    size_t first = seen->waiters;
    int r = read_seat(seen, process, &slot->seat);
    for (yn_seat_shared *seat = atomic_load(&slot->seats); r == 0 && seat; seat = atomic_load(&seat->next))
        r = read_seat(seen, process, seat);
    if (r != 0 || seen->waiters == first)
        return r;
    yn_waiting_process *place = add_place(&seen->process, &seen->processes, &seen->process_room, sizeof *place);
    if (!place)
        return -ENOMEM;
    int32_t pid = yn_slot_pid(slot, process);
    uint64_t joined_ns = atomic_load(&slot->joined_ns);
    *place = (yn_waiting_process){.process = process,
                                  .pid = pid,
                                  .joined_ns = joined_ns,
                                  .threads = yn_life_threads(pid, joined_ns),
                                  .first = first,
                                  .waiters = seen->waiters - first};
    return 0;
}

static int read_holders(yn_self *me, yn_waits_seen *seen)
{
    size_t all = seen->waiters;
    int r = 0;
    for (size_t i = 0; r == 0 && i < all; i++) {
        yn_waiter *waiter = &seen->waiter[i];
        waiter->first_holder = seen->holders;
        waiter->is_open = !yn_waits_can_read(me, waiter->object, readers[waiter->kind].size);
        seen->waiters = i + 1; /* it is the last one meanwhile */
        if (!waiter->is_open)
            r = readers[waiter->kind].read(me, waiter->object, seen);
        waiter->is_open = waiter->is_open || waiter->holders == 0;
    }
    return r;
}

/* For the second time. */
static void look_at_process(yn_self *me, yn_waits_seen *seen, yn_waiting_process *p)
{
    bool has_ended = yn_life_threads(p->pid, p->joined_ns) == 0 || !yn_claim_is_alive(&me->arena->slots, p->process);
    for (size_t i = p->first; i < p->first + p->waiters; i++) {
        yn_waiter *waiter = &seen->waiter[i];
        waiter->is_open = waiter->is_open || has_ended || !is_in_same_sleep(waiter);
    }
}

int yn_waits_read(yn_self *me, yn_waits_seen *seen)
{
    uint32_t used = atomic_load(&me->arena->slots.used);
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < used; i++)
        r = read_slot(me, seen, i);
    if (r == 0)
        r = read_holders(me, seen);
    for (size_t i = 0; r == 0 && i < seen->processes; i++)
        look_at_process(me, seen, &seen->process[i]);
    return r;
}

yn_waiting_process *yn_waits_process(const yn_waits_seen *seen, yn_claim process)
{
    size_t low = 0, high = seen->processes;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        yn_waiting_process *p = &seen->process[middle];
        if (p->process == process)
            return p;
        if (yn_claim_slot(p->process) < yn_claim_slot(process))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

size_t yn_waits_of_holder(const yn_waits_seen *seen, const yn_holder *holder, size_t *first)
{
    const yn_waiting_process *p = yn_waits_process(seen, holder->process);
    if (!p)
        return 0;
    *first = p->first;
    if (!holder->thread && !holder->self)
        return p->waiters;
    for (size_t i = p->first; i < p->first + p->waiters; i++) {
        const yn_waiter *waiter = &seen->waiter[i];
        if (holder->thread ? waiter->thread == holder->thread : waiter->self == holder->self) {
            *first = i;
            return 1;
        }
    }
    return 0;
}

/* It is one who is stuck, or all threads that its process has are. */
static bool is_holder_stuck(const yn_waits_seen *seen, const yn_holder *holder)
{
    size_t first = 0, count = yn_waits_of_holder(seen, holder, &first);
    if (count == 0 || (!holder->thread && !holder->self && count != yn_waits_process(seen, holder->process)->threads))
        return false;
    for (size_t i = first; i < first + count; i++)
        if (!seen->waiter[i].is_stuck)
            return false;
    return true;
}

static bool stays_stuck(const yn_waits_seen *seen, const yn_waiter *waiter)
{
    size_t stuck = 0;
    for (size_t i = 0; i < waiter->holders; i++)
        stuck += is_holder_stuck(seen, &seen->holder[waiter->first_holder + i]);
    return waiter->is_any ? stuck == waiter->holders : stuck > 0;
}

/* Nobody is stuck for sure before no waiter is left that somebody could let go. */
static void find_stuck(yn_waits_seen *seen)
{
    for (size_t i = 0; i < seen->waiters; i++)
        seen->waiter[i].is_stuck = !seen->waiter[i].is_open;
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < seen->waiters; i++) {
            yn_waiter *waiter = &seen->waiter[i];
            if (waiter->is_stuck && !stays_stuck(seen, waiter)) {
                waiter->is_stuck = false;
                changed = true;
            }
        }
    }
}

static void mark_wanted(yn_waits_seen *seen)
{
    for (size_t i = 0; i < seen->waiters; i++)
        seen->waiter[i].is_wanted = false;
    for (size_t i = 0; i < seen->waiters; i++) {
        const yn_waiter *waiter = &seen->waiter[i];
        for (size_t h = 0; waiter->is_in && h < waiter->holders; h++) {
            size_t first = 0, count = yn_waits_of_holder(seen, &seen->holder[waiter->first_holder + h], &first);
            for (size_t k = first; k < first + count; k++)
                seen->waiter[k].is_wanted = true;
        }
    }
}

/* Of the stuck, those for whom nobody waits are taken off, again and again: what is left goes round. */
static size_t find_circles(yn_waits_seen *seen)
{
    for (size_t i = 0; i < seen->waiters; i++)
        seen->waiter[i].is_in = seen->waiter[i].is_stuck;
    for (;;) {
        size_t left = 0, taken_off = 0;
        mark_wanted(seen);
        for (size_t i = 0; i < seen->waiters; i++) {
            yn_waiter *waiter = &seen->waiter[i];
            taken_off += waiter->is_in && !waiter->is_wanted;
            waiter->is_in = waiter->is_in && waiter->is_wanted;
            left += waiter->is_in;
        }
        if (taken_off == 0)
            return left;
    }
}

size_t yn_waits_judge(yn_waits_seen *seen)
{
    find_stuck(seen);
    return find_circles(seen);
}
