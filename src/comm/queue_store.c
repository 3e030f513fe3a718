/* The calls of a queue that has a store: priorities, last first, bounded in bytes, joinable.
 * Never copies a message with the lock held, but to peek; never frees a message before its entry is vacant.
 * Next: comm/store.h, what the lock protects and what a death leaves; comm/queue_sleep.c, the waiting. */
#include "comm/store.h"
#include "shm/heap.h"

/* One attempt at something; the turn is its beginning. */
typedef struct store_turn {
    yn_turn turn;
    void *block; /* to be put, or of the message taken */
    uint64_t size;
    int64_t priority;
    yn_entry_shared *entry;
    uint64_t sequence;
    yn_deadline deadline;
} store_turn;

/* What dead processes had taken is ready again, or lost; what has been done with by who could not have the lock is
 * vacant. With the lock. */
static void look_over(yn_turn *turn, yunta_queue *q)
{
    yn_store_shared *s = q->store;
    uint64_t deaths = atomic_load(&turn->me->arena->deaths);
    bool put_off = atomic_load_explicit(&s->put_off, memory_order_relaxed) != 0;
    if (YN_LIKELY(!put_off && deaths == atomic_load_explicit(&q->looked, memory_order_relaxed)))
        return;
    if (put_off)
        atomic_exchange(&s->put_off, 0); /* before the look, so that none is missed */
    for (uint32_t i = atomic_load(&s->taken); i-- > 0;) {
        yn_entry_shared *entry = yn_store_taken(s, i);
        uint64_t word = atomic_load(&entry->word);
        if (word == YN_ENTRY_DONE) {
            yn_heap_free(turn->me, yn_store_vacate(s, entry));
            continue;
        }
        if (yn_claim_is_alive(&turn->me->arena->slots, word))
            continue;
        turn->repaired = true;
        if (q->lose) {
            atomic_fetch_add(&q->tally.lost, 1); /* first: rather one too many, after another death, than one too few */
            yn_heap_free(turn->me, yn_store_vacate(s, entry));
        } else {
            yn_store_restore(s, entry);
            atomic_fetch_add(&q->tally.redelivered, 1);
        }
    }
    atomic_store(&q->looked, deaths);
    if (put_off)
        yn_store_trim(turn->me, s);
}

/* 0, or the error of a lock that cannot be had: -ETIMEDOUT, -ENOMEM. */
static int enter(yn_turn *turn, yunta_queue *q, yn_deadline deadline)
{
    int r = yn_lock_acquire_inside(turn->me, &q->store->lock, deadline);
    if (YN_UNLIKELY(r == -EOWNERDEAD)) {
        yn_store_derive(q->store);
        turn->repaired = true;
        r = yn_lock_mark_consistent(turn->me, &q->store->lock);
    }
    if (r == 0)
        look_over(turn, q);
    return r;
}

static bool is_all_done(yn_store_shared *s)
{
    return atomic_load(&s->ready) == 0 && atomic_load(&s->taken) == 0;
}

static bool has_room(yunta_queue *q, uint64_t size)
{
    yn_store_shared *s = q->store;
    return (q->capacity == 0 || atomic_load(&s->ready) < q->capacity) &&
           (s->capacity_bytes == 0 || atomic_load(&s->bytes) + size <= s->capacity_bytes);
}

/* For who looks without the lock. */
static void show(yunta_queue *q)
{
    yn_store_shared *s = q->store;
    uint64_t shown = (uint64_t)atomic_load(&s->ready) << YN_SHOWN_SHIFT;
    bool room = has_room(q, q->item_size), room_for_one = q->item_size ? room : has_room(q, 1);
    shown |= (room ? 0 : YN_SHOWN_NO_ROOM) | (room_for_one ? 0 : YN_SHOWN_FULL);
    atomic_store_explicit(&s->shown, shown, memory_order_relaxed);
}

static void leave(yn_turn *turn, yunta_queue *q)
{
    bool done = q->store->joinable && is_all_done(q->store);
    show(q);
    yn_lock_release(turn->me, &q->store->lock);
    if (done)
        yn_event_notify_all(&q->joined);
}

/* There is room for somebody; where sizes count, perhaps not for the first to be woken. */
static void tell_room(yunta_queue *q)
{
    if (q->store->capacity_bytes)
        yn_event_notify_all(&q->room);
    else
        yn_queue_tell_room(q);
}

static int attempt_put(yn_turn *turn, yunta_queue *q)
{
    store_turn *t = (store_turn *)turn;
    int r = enter(turn, q, t->deadline);
    if (r != 0)
        return r;
    if (atomic_load(&q->closed))
        r = YUNTA_ECLOSED;
    else if (!has_room(q, t->size))
        r = YN_RING_WAIT;
    else
        r = yn_store_add(turn->me, q->store, t->block, t->size, t->priority);
    uint64_t ready = atomic_load(&q->store->ready);
    if (ready > atomic_load_explicit(&q->high_water, memory_order_relaxed))
        atomic_store_explicit(&q->high_water, ready, memory_order_relaxed);
    leave(turn, q);
    return r;
}

static int attempt_get(yn_turn *turn, yunta_queue *q)
{
    store_turn *t = (store_turn *)turn;
    int r = enter(turn, q, t->deadline);
    if (r != 0)
        return r;
    yn_entry_shared *entry = yn_store_next(q->store);
    t->entry = entry;
    if (!entry) {
        r = atomic_load(&q->closed) ? YN_RING_SHUT : YN_RING_WAIT;
    } else {
        t->size = entry->size;
        t->block = entry->block;
        t->sequence = entry->sequence;
        if (entry->size > turn->limit)
            r = YN_RING_LARGE;
        else
            yn_store_take(turn->me, q->store, entry);
    }
    leave(turn, q);
    return r;
}

static int attempt_join(yn_turn *turn, yunta_queue *q)
{
    int r = enter(turn, q, ((store_turn *)turn)->deadline);
    if (r != 0)
        return r;
    r = is_all_done(q->store) ? YN_RING_DONE : YN_RING_WAIT;
    leave(turn, q);
    return r;
}

static bool is_put_worth_it(yn_turn *turn, yunta_queue *q)
{
    return has_room(q, ((store_turn *)turn)->size);
}

static bool is_room(yn_turn *turn, yunta_queue *q)
{
    (void)turn;
    return has_room(q, 0);
}

static bool is_ready(yn_turn *turn, yunta_queue *q)
{
    (void)turn;
    return atomic_load_explicit(&q->store->ready, memory_order_relaxed) > 0;
}

static bool is_done(yn_turn *turn, yunta_queue *q)
{
    (void)turn;
    return is_all_done(q->store);
}

static bool is_never(yn_turn *turn, yunta_queue *q)
{
    (void)turn;
    (void)q;
    return false;
}

static const yn_side putting = {attempt_put, is_put_worth_it, is_room, YN_SIDE_ROOM, NULL};
static const yn_side getting = {attempt_get, is_ready, is_ready, YN_SIDE_FILLED, NULL};
static const yn_side joining = {attempt_join, is_done, is_never, YN_SIDE_JOINED,
                                NULL}; /* all joiners are woken at once */

int yn_store_create(yn_self *me, yunta_queue *q, const yunta_queue_options *options)
{
    void *block;
    int r = yn_heap_alloc_zeroed(me, &block, sizeof(yn_store_shared), 128);
    if (r != 0)
        return r;
    q->store = block;
    q->store->order = options->order;
    q->store->joinable = options->joinable;
    q->store->capacity_bytes = options->capacity_bytes;
    r = yn_store_init(me, q->store);
    if (r != 0)
        yn_heap_free(me, q->store);
    else
        show(q);
    return r;
}

void yn_store_destroy(yn_self *me, yunta_queue *q)
{
    yn_store_fini(me, q->store);
    yn_heap_free(me, q->store);
}

/* No put that began before comes in any more once the lock has been had. */
int yn_store_seal(yn_self *me, yunta_queue *q)
{
    yn_turn turn = {.me = me};
    int r = enter(&turn, q, YN_NEVER);
    if (r == 0)
        leave(&turn, q);
    return r;
}

int yn_store_pass(yn_self *me, yunta_queue *q, void *block, size_t size, int64_t priority, yn_deadline deadline)
{
    store_turn t = {.turn.me = me, .block = block, .size = size, .priority = priority, .deadline = deadline};
    if (q->store->capacity_bytes != 0 && size > q->store->capacity_bytes)
        return -EMSGSIZE;
    int r = yn_queue_wait(&putting, &t.turn, q, deadline);
    if (r == 0)
        yn_queue_tell_filled(q);
    return r;
}

int yn_store_put(yn_self *me, yunta_queue *q, const void *message, size_t size, int64_t priority, yn_deadline deadline)
{
    if (q->store->capacity_bytes != 0 && size > q->store->capacity_bytes)
        return -EMSGSIZE;
    void *block = size <= YN_MESSAGE_MOST ? yn_heap_alloc(me, size, 0) : NULL;
    if (!block)
        return -ENOMEM;
    if (size > 0)
        memcpy(block, message, size);
    int r = yn_store_pass(me, q, block, size, priority, deadline);
    if (r != 0)
        yn_heap_free(me, block);
    return r;
}

static int take(store_turn *t, yunta_queue *q, int milliseconds)
{
    t->deadline = yn_deadline_in(milliseconds);
    int r = yn_queue_wait(&getting, &t->turn, q, t->deadline);
    if (r == 0)
        tell_room(q); /* what is taken does not count any more */
    return r == YN_RING_SHUT ? YUNTA_ECLOSED : r;
}

/* The entry that this process has taken: the one given, or the first. NULL: none such. With the lock. */
static yn_entry_shared *find_own(yn_self *me, yn_store_shared *s, const yn_entry_shared *entry, uint64_t sequence)
{
    yn_entry_shared *found = NULL;
    for (uint32_t i = 0; i < atomic_load(&s->taken); i++) {
        yn_entry_shared *e = yn_store_taken(s, i);
        if (atomic_load(&e->word) != (me->claim | YN_ENTRY_TAKEN))
            continue;
        if (entry && e == entry && e->sequence == sequence)
            return e;
        if (!entry && (!found || e->got < found->got))
            found = e;
    }
    return found;
}

/* Done with it: the entry becomes vacant. 0, `none` if this process has not taken it, or an error of enter. */
static int finish(yn_self *me, yunta_queue *q, const yn_entry_shared *entry, uint64_t sequence, int none,
                  yn_deadline deadline)
{
    yn_turn turn = {.me = me};
    int r = enter(&turn, q, deadline);
    if (r != 0)
        return r;
    yn_entry_shared *own = find_own(me, q->store, entry, sequence);
    void *block = own ? yn_store_vacate(q->store, own) : NULL;
    yn_store_trim(me, q->store);
    leave(&turn, q);
    yn_queue_announce(&turn, q);
    yn_heap_free(me, block);
    return own ? 0 : none;
}

int yn_store_get(yn_self *me, yunta_queue *q, void *buffer, size_t capacity, size_t *size, int milliseconds)
{
    store_turn t = {.turn = {.me = me, .limit = capacity}};
    int r = take(&t, q, milliseconds);
    if (size && (r == 0 || r == YN_RING_LARGE))
        *size = (size_t)t.size;
    if (r != 0)
        return r == YN_RING_LARGE ? -EMSGSIZE : r;
    if (t.size > 0)
        memcpy(buffer, t.block, t.size);
    if (!q->store->joinable && finish(me, q, t.entry, t.sequence, 0, 0) != 0)
        yn_store_put_off(q->store, t.entry); /* somebody is stopped with the lock */
    return 0;
}

int yn_store_receive(yn_self *me, yunta_queue *q, yunta_loan *loan, int milliseconds)
{
    store_turn t = {.turn = {.me = me, .limit = UINT64_MAX}};
    int r = take(&t, q, milliseconds);
    if (r == 0)
        *loan = (yunta_loan){t.block, (size_t)t.size, q, {t.entry, NULL}, t.sequence};
    return r;
}

int yn_store_release(yn_self *me, yunta_loan *loan)
{
    int r = finish(me, loan->queue, loan->place[0], loan->lap, -EPERM, YN_NEVER);
    if (r == 0)
        *loan = (yunta_loan){.queue = NULL};
    return r;
}

int yn_store_peek(yn_self *me, yunta_queue *q, void *buffer, size_t capacity, size_t *size)
{
    yn_turn turn = {.me = me};
    int r = enter(&turn, q, 0);
    if (r != 0)
        return r;
    yn_entry_shared *entry = yn_store_next(q->store);
    if (!entry)
        r = atomic_load(&q->closed) ? YUNTA_ECLOSED : -ETIMEDOUT;
    else if (entry->size > capacity)
        r = -EMSGSIZE;
    else if (entry->size > 0)
        memcpy(buffer, entry->block, entry->size);
    if (entry && size)
        *size = (size_t)entry->size;
    leave(&turn, q);
    yn_queue_announce(&turn, q);
    return r;
}

int yn_store_drain(yn_self *me, yunta_queue *q)
{
    yn_turn turn = {.me = me};
    int r = enter(&turn, q, 0), n = 0;
    if (r != 0)
        return r;
    for (yn_entry_shared *entry; n < INT32_MAX && (entry = yn_store_next(q->store)); n++) {
        yn_store_take(me, q->store, entry);
        void *block = yn_store_vacate(q->store, entry);
        yn_heap_free(me, block);
    }
    yn_store_trim(me, q->store);
    leave(&turn, q);
    if (n > 0)
        yn_event_notify_all(&q->room);
    yn_queue_announce(&turn, q);
    return n;
}

int yn_store_look(yn_self *me, yunta_queue *q, uint64_t *shown)
{
    int r = 0;
    if (YN_UNLIKELY(yn_queue_have_died(me, q))) {
        yn_turn turn = {.me = me};
        r = enter(&turn, q, 0);
        if (r == 0)
            leave(&turn, q);
        yn_queue_announce(&turn, q);
    }
    *shown = atomic_load(&q->store->shown);
    return r;
}

int yn_store_read(yn_self *me, yunta_queue *q, yunta_queue_stats *stats)
{
    yn_turn turn = {.me = me};
    int r = enter(&turn, q, 0);
    if (r != 0)
        return r;
    stats->size = atomic_load(&q->store->ready);
    stats->open = q->store->joinable ? atomic_load(&q->store->taken) : 0;
    stats->puts = q->store->sequence;
    leave(&turn, q);
    yn_queue_announce(&turn, q);
    return 0;
}

int yunta_queue_put_priority(yunta_queue *queue, const void *message, size_t size, int64_t priority, int milliseconds)
{
    int r = -EINVAL;
    bool good = queue && queue->store && queue->store->order == YUNTA_PRIORITY && (message || size == 0);
    yn_self *me = good ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    if (queue->item_size != 0 && size != queue->item_size)
        return -EMSGSIZE;
    return yn_store_put(me, queue, message, size, priority, yn_deadline_in(milliseconds));
}

int yunta_queue_task_done(yunta_queue *queue)
{
    int r = -EINVAL;
    yn_self *me = queue && queue->store && queue->store->joinable ? yn_self_get(&r) : NULL;
    return me ? finish(me, queue, NULL, 0, -EINVAL, YN_NEVER) : r;
}

int yunta_queue_join(yunta_queue *queue, int milliseconds)
{
    int r = -EINVAL;
    store_turn t = {.turn.me = queue && queue->store && queue->store->joinable ? yn_self_get(&r) : NULL};
    t.deadline = t.turn.me ? yn_deadline_in(milliseconds) : 0;
    return t.turn.me ? yn_queue_wait(&joining, &t.turn, queue, t.deadline) : r;
}
