/* Queues in the simulator, in all the ways there are to put and get: batches, loans, bytes, priorities, last first,
 * joinable; closed and drained at any time. No message may come torn, twice or after it was refused; none be lost but
 * by who died taking it; who waits for all to be done must not be let go before. Next: scene_many.c. */
#include "scenes.h"

#include "comm/store.h"

#include <yunta/queue_many.h>

enum { putters = 2, getters = 2, closer = putters + getters, messages = 5, batch_most = 3, size_most = 136, kinds = 8 };
enum { BIG = 40000 }; /* of a loan whose block is kept for the next one */

static const yunta_queue_options rings[] = {{.item_size = 4, .capacity = 3},
                                            {.item_size = 4},
                                            {.item_size = 4, .capacity = 3, .lose_on_death = true},
                                            {.item_size = size_most, .capacity = 2},
                                            {.item_size = BIG, .capacity = 2},
                                            {.capacity = 2},
                                            {.capacity = 0},
                                            {.lose_on_death = true}};
static const yunta_queue_options stores[] = {
    {.item_size = 4, .order = YUNTA_PRIORITY},
    {.order = YUNTA_PRIORITY, .capacity = 3, .lose_on_death = true},
    {.item_size = 4, .order = YUNTA_LIFO, .capacity = 3},
    {.item_size = 4, .joinable = true, .capacity = 2},
    {.item_size = 4, .joinable = true, .lose_on_death = true},
    {.capacity_bytes = size_most + 20},
    {.order = YUNTA_LIFO, .joinable = true, .capacity_bytes = size_most + 20},
    {.item_size = 4, .order = YUNTA_LIFO, .joinable = true},
};
enum { ring_count = sizeof rings / sizeof rings[0], store_count = sizeof stores / sizeof stores[0] };

static yunta_queue *queue_of[kinds], *queue;
static const yunta_queue_options *is; /* what the queue is */

typedef struct message {
    bool begun, put, refused;
    bool finished, done; /* its getter has begun to say that it is done with it, and has said it */
    int holder;          /* the process that got it */
    int64_t priority;
    sim_datum subject; /* what it is about */
} message;
static message book[putters][messages];
static int waits_with[putters]; /* the size of the longest message that it would put; -1: it puts none */
static bool joins[putters];
static int most, drained, taking[getters]; /* how many at a time each was about to get */
static bool is_shut, drains;

static void set_up(const yunta_queue_options *options, int count)
{
    for (int i = 0; i < count; i++)
        sim_check(yunta_queue_create(&queue_of[i], &options[i]) == 0);
}

static void set_up_rings(void)
{
    set_up(rings, ring_count);
}

static void set_up_stores(void)
{
    set_up(stores, store_count);
}

static void begin(const yunta_queue_options *options, int count)
{
    int kind = (int)sim_below((unsigned)count);
    queue = queue_of[kind];
    is = &options[kind];
    memset(book, 0, sizeof book);
    memset(waits_with, -1, sizeof waits_with);
    memset(joins, 0, sizeof joins);
    memset(taking, 0, sizeof taking);
    most = sim_one_in(2) ? 1 + (int)sim_below(3) : putters * messages;
    drained = 0;
    is_shut = drains = false;
}

static void begin_rings(void)
{
    begin(rings, ring_count);
}

static void begin_stores(void)
{
    begin(stores, store_count);
}

static size_t size_of(int p, int i)
{
    static const size_t sizes[] = {4, 20, size_most, 4, 113};
    return is->item_size ? is->item_size : sizes[(p + i) % messages];
}

/* What is compared of a message. */
static size_t shown(size_t size)
{
    return size < size_most ? size : size_most;
}

static void write_message(unsigned char *to, int p, int i)
{
    uint32_t id = (uint32_t)(p * 100 + i);
    memcpy(to, &id, 4);
    for (size_t k = 4; k < shown(size_of(p, i)); k++)
        to[k] = (unsigned char)(id * 31 + k);
}

static void begin_put(message *m)
{
    m->begun = true;
    sim_datum_write(&m->subject);
}

/* The message in the book. */
static message *find(const unsigned char *bytes, size_t size)
{
    uint32_t id;
    unsigned char whole[size_most];
    sim_check(size >= 4);
    memcpy(&id, bytes, 4);
    sim_check(id / 100 < putters && id % 100 < messages);
    int p = (int)(id / 100), i = (int)(id % 100);
    sim_check(size == size_of(p, i));
    write_message(whole, p, i);
    sim_check(memcmp(whole, bytes, shown(size)) == 0);
    sim_check(book[p][i].begun && !book[p][i].refused);
    sim_datum_read(&book[p][i].subject);
    return &book[p][i];
}

/* Come to the process that runs: for the first time, or again after the death of who had it. */
static message *note(const unsigned char *bytes, size_t size)
{
    message *m = find(bytes, size);
    sim_check(m->holder == 0 || (sim_is_dead(m->holder) && !is->lose_on_death));
    sim_check(!m->done);
    m->holder = sim_process() ? sim_process() : SIM_PROCESSES;
    m->finished = false;
    return m;
}

static int some_limit(void)
{
    return sim_one_in(5) ? (int)sim_below(3) : YUNTA_FOREVER;
}

static void check_put(int who, int i, int count, int done, int r, int limit, bool was_shut)
{
    sim_check(r >= 0 || r == YUNTA_ECLOSED || (r == -ETIMEDOUT && limit != YUNTA_FOREVER));
    sim_check(done == 0 || !was_shut);
    for (int k = 0; k < count; k++) {
        book[who][i + k].put = k < done;
        book[who][i + k].refused = k >= done;
    }
    waits_with[who] = -1;
}

static void put_batch(int who, int i, int count)
{
    unsigned char items[batch_most * size_most], *to = items;
    yunta_bytes each[batch_most];
    int limit = some_limit();
    bool was_shut = is_shut;
    for (int k = 0; k < count; to += each[k++].size) {
        each[k] = (yunta_bytes){to, size_of(who, i + k)};
        write_message(to, who, i + k);
        begin_put(&book[who][i + k]);
        waits_with[who] = each[k].size > (size_t)waits_with[who] ? (int)each[k].size : waits_with[who];
    }
    int r = is->item_size && sim_one_in(2) ? yunta_queue_put_many(queue, items, (size_t)count, limit)
                                           : yunta_queue_put_many_bytes(queue, each, (size_t)count, limit);
    sim_check(r != 0 && r <= count && (r < 0 || r == count || limit != YUNTA_FOREVER || yunta_queue_is_closed(queue)));
    check_put(who, i, count, r > 0 ? r : 0, r, limit, was_shut);
}

static void put_loan(int who, int i)
{
    yunta_loan loan;
    unsigned char bytes[size_most];
    int limit = some_limit(), r = yunta_queue_reserve(queue, size_of(who, i), &loan);
    bool was_shut = is_shut;
    sim_check(r == 0 || r == YUNTA_ECLOSED);
    if (r == 0) {
        write_message(bytes, who, i);
        sim_fill(loan.data, 0, shown(size_of(who, i)));
        memcpy(loan.data, bytes, shown(size_of(who, i)));
        begin_put(&book[who][i]);
        r = yunta_queue_commit(&loan, size_of(who, i), limit);
        if (r != 0)
            sim_check(yunta_queue_abandon(&loan) == 0);
    }
    check_put(who, i, 1, r == 0, r, limit, was_shut);
}

static void put_one(int who, int i)
{
    unsigned char bytes[size_most];
    int limit = some_limit(), r;
    bool was_shut = is_shut;
    write_message(bytes, who, i);
    begin_put(&book[who][i]);
    if (is->order == YUNTA_PRIORITY && sim_one_in(2)) {
        book[who][i].priority = (int64_t)sim_below(3) - 1;
        r = yunta_queue_put_priority(queue, bytes, size_of(who, i), book[who][i].priority, limit);
    } else if (is->item_size && sim_one_in(2)) {
        r = yunta_queue_put(queue, bytes, limit);
    } else {
        r = yunta_queue_put_bytes(queue, bytes, size_of(who, i), limit);
    }
    check_put(who, i, 1, r == 0, r, limit, was_shut);
}

static int dead_getters(void)
{
    int n = 0;
    for (int g = 0; g < getters; g++)
        n += sim_is_dead(putters + 1 + g);
    return n;
}

/* What getters may have had in their hands, and nobody else has seen. */
static int taken_by_dead(void)
{
    int n = 0;
    for (int i = 0; i < getters; i++)
        n += sim_is_dead(putters + 1 + i) ? taking[i] : 0;
    return n;
}

/* What this process has put, and has not been done with, when all is said to be done. */
static void join(int who)
{
    bool owed[putters][messages];
    int left = 0, limit = some_limit();
    for (int p = 0; p < putters; p++)
        for (int i = 0; i < messages; i++)
            owed[p][i] = book[p][i].put && !book[p][i].finished;
    joins[who] = true;
    int r = yunta_queue_join(queue, limit);
    joins[who] = false;
    sim_check(r == 0 || (r == -ETIMEDOUT && limit != YUNTA_FOREVER));
    for (int p = 0; r == 0 && p < putters; p++)
        for (int i = 0; i < messages; i++)
            left += owed[p][i] && !book[p][i].finished && !(is->lose_on_death && sim_is_dead(book[p][i].holder));
    sim_check(left == 0 || drains || (is->lose_on_death && left <= taken_by_dead()));
}

static void put_some(int who)
{
    for (int i = 0; i < messages;) {
        int count = 1;
        waits_with[who] = (int)size_of(who, i);
        if (is->item_size == BIG || sim_one_in(3)) {
            put_loan(who, i);
        } else if (sim_one_in(2)) {
            count = 1 + (int)sim_below(batch_most);
            count = count < messages - i ? count : messages - i;
            put_batch(who, i, count);
        } else {
            put_one(who, i);
        }
        i += count;
    }
    if (is->joinable && sim_one_in(2))
        join(who);
}

static void finish(message *m)
{
    m->finished = true;
    if (is->joinable)
        sim_check(yunta_queue_task_done(queue) == 0);
    m->done = true;
}

/* Two at once, if the second is there at once. How many, or an error. */
static int get_loans(int limit)
{
    yunta_loan loan[2];
    message *m[2];
    int count = 0, most_now = 1 + (int)sim_below(2), r;
    for (; count < most_now; count++) {
        r = yunta_queue_receive(queue, &loan[count], count == 0 ? limit : 0);
        if (r != 0)
            break;
        m[count] = note(loan[count].data, loan[count].size);
        sim_points(4);
    }
    bool backwards = sim_one_in(2);
    for (int k = 0; k < count; k++) {
        int which = backwards ? count - 1 - k : k;
        find(loan[which].data, loan[which].size); /* nobody has written over it */
        m[which]->finished = true;
        sim_check(yunta_queue_release(&loan[which]) == 0);
        m[which]->done = true;
    }
    return count > 0 ? count : r;
}

static int get_batch(int who, int limit)
{
    unsigned char items[batch_most * size_most], *from = items;
    size_t sizes[batch_most] = {is->item_size, is->item_size, is->item_size}, room = sim_one_in(4) ? 24 : sizeof items;
    message *m[batch_most];
    int count = 1 + (int)sim_below(batch_most), r;
    taking[who - putters] = count;
    if (is->item_size && sim_one_in(2)) {
        r = yunta_queue_get_many(queue, items, (size_t)count, limit);
    } else {
        r = yunta_queue_get_many_bytes(queue, items, room, sizes, (size_t)count, limit);
        sim_check(r != -EMSGSIZE || sizes[0] > room);
        if (r == -EMSGSIZE)
            r = yunta_queue_get_many_bytes(queue, items, sizeof items, sizes, (size_t)count, limit);
    }
    sim_check(r != 0 && r <= count);
    for (int k = 0; k < r; from += sizes[k++])
        m[k] = note(from, sizes[k]);
    taking[who - putters] = 1;
    for (int k = 0; k < r; k++)
        finish(m[k]);
    return r;
}

static int get_one(int limit)
{
    unsigned char bytes[size_most];
    size_t size = is->item_size;
    int r;
    if (size && sim_one_in(2))
        r = yunta_queue_get(queue, bytes, limit);
    else
        r = yunta_queue_get_bytes(queue, bytes, sim_one_in(4) ? 4 : sizeof bytes, &size, limit);
    if (r == -EMSGSIZE) {
        sim_check(size > 4);
        r = yunta_queue_get_bytes(queue, bytes, sizeof bytes, &size, limit);
    }
    if (r == 0)
        finish(note(bytes, size));
    return r;
}

static void peek(void)
{
    unsigned char bytes[size_most];
    size_t size;
    int r = yunta_queue_peek(queue, bytes, sizeof bytes, &size);
    sim_check(r == 0 || r == -ETIMEDOUT || r == YUNTA_ECLOSED || (r == -EMSGSIZE && size == BIG));
    if (r == 0)
        find(bytes, size);
}

static void get_some(int who)
{
    taking[who - putters] = 1;
    for (int n = 0; n < most;) {
        int limit = some_limit(), r;
        if (is->item_size != BIG && sim_one_in(6))
            peek();
        if (is->item_size == BIG || (!is->joinable && sim_one_in(2)))
            r = get_loans(limit);
        else if (sim_one_in(2))
            r = get_batch(who, limit);
        else
            r = get_one(limit);
        if (r == YUNTA_ECLOSED)
            return;
        sim_check(r >= 0 || (r == -ETIMEDOUT && limit != YUNTA_FOREVER));
        n += r > 0 ? r : r == 0;
    }
}

static void close_and_drain(void)
{
    sim_points(200);
    bool first = sim_one_in(2);
    for (int i = 0; i < 2; i++) {
        if (first == (i == 0)) {
            sim_check(yunta_queue_close(queue) == 0);
            is_shut = true;
        } else {
            drains = true; /* if it dies, nobody knows of how many */
            int n = yunta_queue_drain(queue);
            sim_check(n >= 0);
            drained += n;
            sim_points(100);
        }
    }
}

static void put_or_get(int who)
{
    if (who < putters)
        put_some(who);
    else if (who < closer)
        get_some(who);
    else
        close_and_drain();
}

static bool has_room(size_t size)
{
    if (yunta_queue_is_full(queue))
        return false;
    return is->capacity_bytes == 0 || atomic_load(&queue->store->bytes) + size <= is->capacity_bytes;
}

/* Who waits rightly: for messages in an empty one, for room in a full one, for all to be done where something is left.
 * Nobody is there to change that: so it is closed, and then what is left is thrown away. */
static bool end_it(void)
{
    size_t size = yunta_queue_size(queue);
    bool gets = false;
    for (int who = putters; who < closer; who++)
        gets |= !sim_thread_is_over(who);
    if (gets && (size != 0 || is_shut))
        return false;
    for (int who = 0; who < putters; who++)
        if (!sim_thread_is_over(who) && !joins[who] && (is_shut || has_room((size_t)waits_with[who])))
            return false;
    if (!is_shut) {
        is_shut = true;
        return yunta_queue_close(queue) == 0;
    }
    drains = true;
    return size > 0 && yunta_queue_drain(queue) > 0;
}

/* All that is left, in its order. How many. */
static size_t get_rest(void)
{
    static unsigned char bytes[BIG];
    size_t size, left = 0;
    int last[putters], r;
    int64_t priority = INT64_MIN;
    for (int p = 0; p < putters; p++)
        last[p] = is->order == YUNTA_LIFO ? messages : -1;
    while ((r = yunta_queue_get_bytes(queue, bytes, sizeof bytes, &size, 0)) == 0) {
        message *m = note(bytes, size);
        int p = m >= book[1], i = (int)(m - book[p]);
        if (is->order == YUNTA_PRIORITY) {
            sim_check(m->priority >= priority);
            if (m->priority > priority)
                last[0] = last[1] = -1;
            priority = m->priority;
        }
        sim_check(is->order == YUNTA_LIFO ? i < last[p] : i > last[p]);
        last[p] = i;
        m->finished = true;
        if (is->joinable)
            sim_check(yunta_queue_task_done(queue) == 0);
        left++;
    }
    sim_check(r == -ETIMEDOUT || r == YUNTA_ECLOSED);
    return left;
}

static void check(void)
{
    yunta_queue_stats stats;
    size_t size = yunta_queue_size(queue), left = get_rest();
    if (size != left || yunta_queue_size(queue) != 0)
        sim_fail(__FILE__, __LINE__, "size %zu, then %zu got and size %zu", size, left, yunta_queue_size(queue));
    int lost = 0, died_over = 0;
    for (int p = 0; p < putters; p++)
        for (int i = 0; i < messages; i++) {
            message *m = &book[p][i];
            lost += m->put && m->holder == 0;
            died_over += m->holder != 0 && !m->finished;
        }
    sim_check(lost <= drained + taken_by_dead() || drains);
    sim_check(yunta_queue_read_stats(queue, &stats) == 0);
    sim_check(stats.size == 0 && stats.open == 0);
    sim_check(is->lose_on_death ? stats.redelivered == 0 : stats.lost == 0);
    if (is->lose_on_death) /* none in silence */
        sim_check(drains || stats.lost >= (uint64_t)died_over);
    else /* what the dead had comes again, unless the next one died with it in a get */
        sim_check(died_over == 0 || drains || dead_getters() > 1);
    sim_check(sim_deaths() > 0 || (stats.lost == 0 && stats.redelivered == 0 && stats.abandoned == 0));
    if (queue->store)
        yn_store_check(queue->store);
    if (is->joinable)
        sim_check(yunta_queue_join(queue, 0) == 0);
}

#define SCENE(scene, setup_, begin_, processes_, share_)                                                               \
    const sim_scene scene_##scene = {.name = #scene,                                                                   \
                                     .setup = setup_,                                                                  \
                                     .begin = begin_,                                                                  \
                                     .body = put_or_get,                                                               \
                                     .rescue = end_it,                                                                 \
                                     .check = check,                                                                   \
                                     .processes = processes_,                                                          \
                                     .threads = 1,                                                                     \
                                     .deaths = 2,                                                                      \
                                     .share = share_}
SCENE(queue_rings, set_up_rings, begin_rings, putters + getters, 60);
SCENE(queue_stores, set_up_stores, begin_stores, putters + getters, 60);
SCENE(queue_rings_closed, set_up_rings, begin_rings, putters + getters + 1, 40);
SCENE(queue_stores_closed, set_up_stores, begin_stores, putters + getters + 1, 40);
