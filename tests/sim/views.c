/* What a thread may still see. Of each word the last stores are kept, and of each thread what it knows to have
 * happened; a load may return any store that is not older than one that its thread knows of: so C11 has it. Never
 * returns what C11 does not allow: where this is the simpler, less than that. Next: memory.c, who asks; README.md for
 * the rules. */
#include "machine.h"

#include <limits.h>

enum {
    KEPT = 8, /* stores of one word; older ones are not seen any more */
    FENCES = 64,
    NEVER = INT32_MAX
};

/* A store, and who has known of it since when. */
typedef struct message {
    sim_clock seen; /* of[t]: when `t` first read it, or wrote it */
    sim_clock told; /* what who acquires it learns */
    uint64_t word;  /* the whole word after it; of the last one it stands in memory only */
    uint8_t mask;   /* the bytes that it wrote */
    uint8_t by;
} message;

typedef struct history {
    uint32_t word; /* which one of the arena */
    unsigned first, count;
    message kept[KEPT];
} history;

static uint32_t place[YN_ARENA_LEAST / 8]; /* of each word of the arena: its history's, or 0 */
static history *histories;
static uint32_t used = 1, room;

static sim_clock fence[FENCES]; /* what was known at the last ones of seq_cst, and at all before */
static unsigned fenced;         /* how many there have been */
static sim_clock met;           /* what is known where the scene's threads meet */
static int32_t ordered;         /* accesses and fences that were seq_cst, so far */
static const sim_clock zero;    /* the first state: all know of it */

sim_view *sim_looks;

static inline void learn(sim_clock *clock, const sim_clock *other)
{
    for (int i = 0; i < SIM_CLOCKS; i++)
        clock->of[i] = clock->of[i] > other->of[i] ? clock->of[i] : other->of[i];
}

static inline bool is_known(const message *m, const sim_clock *horizon)
{
    int known = 0;
    for (int i = 0; i < SIM_CLOCKS; i++)
        known |= m->seen.of[i] <= horizon->of[i];
    return known;
}

static inline void see(message *m, int who, int32_t when)
{
    if (when < m->seen.of[who])
        m->seen.of[who] = when;
}

static void view_begin(sim_view *view, int number)
{
    *view = (sim_view){.number = number};
    view->now.of[number] = 1;
}

void sim_views_begin(void)
{
    for (uint32_t i = 1; i < used; i++)
        place[histories[i].word] = 0;
    used = 1;
    met = zero;
    fenced = 0;
    ordered = 0;
    view_begin(&sim.first, SIM_FIRST);
    for (int i = 0; i < sim.threads; i++) {
        view_begin(&sim.thread[i].view, i);
        sim_view_join(&sim.thread[i].view, &sim.first);
    }
}

/* Who has been told by the kernel that the other one has ended. */
void sim_view_join(sim_view *view, const sim_view *other)
{
    learn(&view->now, &other->now);
}

/* Who begins as a child of whoever, or has been told outside of the library. */
void sim_view_join_all(sim_view *view)
{
    for (int i = 0; i < sim.threads; i++)
        sim_view_join(view, &sim.thread[i].view);
    sim_view_join(view, &sim.first);
}

static inline void released(sim_view *view)
{
    view->now.of[view->number]++;
}

void sim_meet(void)
{
    if (sim_pending)
        sim_drain(sim_pending);
    if (!sim_looks)
        return;
    learn(&sim_looks->now, &met);
    met = sim_looks->now;
    released(sim_looks);
}

static inline bool acquires(int order)
{
    return order != __ATOMIC_RELAXED && order != __ATOMIC_RELEASE;
}

void sim_view_fence(sim_view *view, int order)
{
    if (acquires(order))
        learn(&view->now, &view->heard);
    if (order == __ATOMIC_SEQ_CST) {
        if (fenced > 0)
            learn(&view->now, &fence[(fenced - 1) % FENCES]);
        view->now.of[SIM_ORDERED] = view->now.of[SIM_PLACED] = ++ordered;
        fence[fenced++ % FENCES] = view->now;
    }
    if (order > __ATOMIC_ACQUIRE) {
        view->released = view->now;
        released(view);
    }
}

static inline uint32_t word_of(uintptr_t at)
{
    return (uint32_t)((at - sim_base) / 8);
}

static inline uint8_t mask_of(uintptr_t at, size_t size)
{
    return (uint8_t)(((1u << size) - 1) << at % 8);
}

static inline uint64_t *memory_of(uint32_t word)
{
    return (uint64_t *)sim_base + word;
}

static inline message *message_of(history *h, unsigned i)
{
    return &h->kept[(h->first + i) % KEPT];
}

static inline history *find(uint32_t word)
{
    return place[word] ? &histories[place[word]] : NULL;
}

static void begin_anew(history *h)
{
    h->first = 0;
    h->count = 1;
    h->kept[0] = (message){.mask = 0xff, .by = SIM_FIRST};
}

static history *get(uint32_t word)
{
    if (place[word])
        return &histories[place[word]];
    if (used >= room) {
        room = room ? 2 * room : 1024;
        histories = realloc(histories, room * sizeof *histories);
        if (!histories)
            abort();
    }
    history *h = &histories[used];
    place[word] = used++;
    h->word = word;
    begin_anew(h);
    return h;
}

void sim_views_forget(const void *at, size_t size)
{
    for (uint32_t word = word_of((uintptr_t)at); used > 1 && word <= word_of((uintptr_t)at + size - 1); word++)
        if (place[word])
            begin_anew(&histories[place[word]]);
}

static sim_view *view_of(int number)
{
    return number == SIM_FIRST ? &sim.first : &sim.thread[number].view;
}

/* Its next access that is seq_cst comes after the one of this number. */
static void place_at(sim_view *view, int32_t number)
{
    if (view->now.of[SIM_PLACED] < number)
        view->now.of[SIM_PLACED] = number;
}

/* Before it is in memory. */
static message *add(uint32_t word, uint8_t mask, const sim_note *note)
{
    history *h = get(word);
    message_of(h, h->count - 1)->word = *memory_of(word);
    if (h->count == KEPT)
        h->first = (h->first + 1) % KEPT;
    else
        h->count++;
    message *m = message_of(h, h->count - 1);
    for (int i = 0; i < SIM_CLOCKS; i++)
        m->seen.of[i] = NEVER;
    m->told = note->told;
    m->mask = mask;
    m->by = note->by;
    m->seen.of[note->by] = note->when;
    if (note->is_ordered) {
        m->seen.of[SIM_ORDERED] = ++ordered;
        place_at(view_of(note->by), ordered);
    }
    if (note->releases)
        m->told.of[SIM_PLACED] = ordered;
    return m;
}

/* What goes with a store from now on, whenever it is seen. */
void sim_note_store(sim_view *view, int order, sim_note *note)
{
    bool releases = order > __ATOMIC_ACQUIRE;
    note->told = releases ? view->now : view->released;
    note->when = view->now.of[view->number];
    note->by = (uint8_t)view->number;
    note->releases = releases;
    note->is_ordered = order == __ATOMIC_SEQ_CST;
    if (releases)
        released(view);
}

void sim_commit(const void *at, size_t size, const sim_note *note)
{
    add(word_of((uintptr_t)at), mask_of((uintptr_t)at, size), note);
}

/* Which of a word's stores a load of these bytes may return: from the last one on, as numbers in its history. 0 of them
 * if others have written a part of the bytes only: then the load returns what is in memory. */
static unsigned find_visible(history *h, uint8_t mask, const sim_clock *horizon, unsigned *visible)
{
    unsigned n = 0;
    for (unsigned i = h->count; i-- > 0;) {
        const message *m = message_of(h, i);
        if (!(m->mask & mask))
            continue;
        if ((m->mask & mask) != mask)
            break;
        visible[n++] = i;
        if (is_known(m, horizon))
            break;
    }
    return n;
}

/* What was known at the fences up to this place in the order; or at more of them, if that is long ago. */
static void learn_of_fences(sim_clock *horizon, int32_t at)
{
    for (unsigned i = 1; i <= fenced && i <= FENCES; i++) {
        const sim_clock *known = &fence[(fenced - i) % FENCES];
        if (known->of[SIM_ORDERED] <= at || i == FENCES) {
            learn(horizon, known);
            return;
        }
    }
}

/* A load that is seq_cst stands in the order of all that is, where its thread's last access or fence does, or later: so
 * it may miss what comes after that, and of what its thread does not know. */
static unsigned choose(history *h, uint8_t mask, int order, const sim_clock *now)
{
    sim_clock horizon = *now;
    if (order == __ATOMIC_SEQ_CST) {
        learn_of_fences(&horizon, now->of[SIM_PLACED]);
        if (horizon.of[SIM_ORDERED] < now->of[SIM_PLACED])
            horizon.of[SIM_ORDERED] = now->of[SIM_PLACED];
    }
    unsigned visible[KEPT], n = find_visible(h, mask, &horizon, visible);
    return n > 1 && sim_one_in(sim.lateness) ? visible[sim_below(n)] : h->count;
}

/* The thread has read store number `i`; or, if that is the count, each byte's last. */
static void hear(sim_view *view, history *h, uint8_t mask, int order, unsigned i)
{
    bool is_last = i == h->count;
    for (i = is_last ? h->count - 1 : i;; i--) {
        message *m = message_of(h, i);
        if (m->mask & mask) {
            see(m, view->number, view->now.of[view->number]);
            if (order == __ATOMIC_SEQ_CST && m->seen.of[SIM_ORDERED] <= ordered)
                place_at(view, m->seen.of[SIM_ORDERED]);
            learn(acquires(order) ? &view->now : &view->heard, &m->told);
            mask = (uint8_t)(mask & ~m->mask);
        }
        if (!is_last || mask == 0 || i == 0)
            break;
    }
}

static inline uint64_t bytes_of(uint64_t word, uintptr_t at, size_t size)
{
    word >>= at % 8 * 8;
    return size == 8 ? word : word & ((UINT64_C(1) << size * 8) - 1);
}

static uint64_t value_of(history *h, unsigned i, uintptr_t at, size_t size)
{
    return bytes_of(i + 1 < h->count ? message_of(h, i)->word : *memory_of(h->word), at, size);
}

/* What a load returns, with `newest` in memory. */
uint64_t sim_load(const volatile void *at, size_t size, int order, uint64_t newest)
{
    history *h = find(word_of((uintptr_t)at));
    if (!h)
        return newest;
    uint8_t mask = mask_of((uintptr_t)at, size);
    unsigned i = choose(h, mask, order, &sim_looks->now);
    uint64_t value = i == h->count ? newest : value_of(h, i, (uintptr_t)at, size);
    hear(sim_looks, h, mask, order, i);
    return value;
}

/* Whether a compare-and-swap finds what it expects. If not it was a load. */
bool sim_compare(const volatile void *at, size_t size, int failed, uint64_t expected, uint64_t *found)
{
    history *h = find(word_of((uintptr_t)at));
    if (!h)
        return *found == expected;
    uint8_t mask = mask_of((uintptr_t)at, size);
    unsigned i = choose(h, mask, failed, &sim_looks->now);
    uint64_t value = i == h->count ? *found : value_of(h, i, (uintptr_t)at, size);
    if (value == expected) { /* only the last one can be swapped */
        if (*found == expected)
            return true;
        value = *found;
        i = h->count;
    }
    hear(sim_looks, h, mask, failed, i);
    *found = value;
    return false;
}

/* The last store is read and followed by another one, which goes on telling what that one told. */
void sim_change(const volatile void *at, size_t size, int order)
{
    uint32_t word = word_of((uintptr_t)at);
    uint8_t mask = mask_of((uintptr_t)at, size), left = mask;
    sim_clock told = zero;
    history *h = get(word);
    for (unsigned i = h->count; i-- > 0 && left;) {
        const message *m = message_of(h, i);
        if (m->mask & left)
            learn(&told, &m->told);
        left = (uint8_t)(left & ~m->mask);
    }
    learn(acquires(order) ? &sim_looks->now : &sim_looks->heard, &told);
    sim_note note;
    sim_note_store(sim_looks, order, &note);
    learn(&note.told, &told);
    add(word, mask, &note);
}

/* The last store of each of these bytes has happened before, or else there is a race. */
static void check_race(const history *h, uint8_t mask, const char *what)
{
    for (unsigned i = h->count; i-- > 0 && mask;) {
        const message *m = message_of((history *)(uintptr_t)h, i);
        if ((m->mask & mask) && sim_looks->now.of[m->by] < m->seen.of[m->by])
            sim_fail(__FILE__, __LINE__, "%s of %#llx races with a store of thread %d", what,
                     (unsigned long long)h->word * 8, m->by);
        mask = (uint8_t)(mask & ~m->mask);
    }
}

static inline size_t part_of(uintptr_t at, size_t size)
{
    size_t rest = 8 - at % 8;
    return size < rest ? size : rest;
}

void sim_read(const void *from, size_t size)
{
    uintptr_t at = (uintptr_t)from;
    for (size_t n; size > 0; at += n, size -= n) {
        n = part_of(at, size);
        history *h = find(word_of(at));
        if (!h)
            continue;
        check_race(h, mask_of(at, n), "a read");
        hear(sim_looks, h, mask_of(at, n), __ATOMIC_RELAXED, h->count);
    }
}

void sim_write(const void *to, size_t size)
{
    uintptr_t at = (uintptr_t)to;
    sim_note note;
    sim_note_store(sim_looks, __ATOMIC_RELAXED, &note);
    for (size_t n; size > 0; at += n, size -= n) {
        n = part_of(at, size);
        history *h = find(word_of(at));
        if (h)
            check_race(h, mask_of(at, n), "a write");
        add(word_of(at), mask_of(at, n), &note);
    }
}

static void check_datum(const sim_datum *datum, bool is_written)
{
    const sim_clock *now = &sim_looks->now;
    if (datum->written > now->of[datum->writer])
        sim_fail(__FILE__, __LINE__, "what thread %d wrote is not known to have happened", datum->writer);
    for (int i = 0; is_written && i < SIM_CLOCKS; i++)
        if (datum->read[i] > now->of[i])
            sim_fail(__FILE__, __LINE__, "what thread %d may still read is written", i);
}

void sim_datum_read(sim_datum *datum)
{
    if (!sim_looks)
        return;
    check_datum(datum, false);
    datum->read[sim_looks->number] = sim_looks->now.of[sim_looks->number];
}

void sim_datum_write(sim_datum *datum)
{
    if (!sim_looks)
        return;
    check_datum(datum, true);
    *datum = (sim_datum){.writer = sim_looks->number, .written = sim_looks->now.of[sim_looks->number]};
}

/* By who knows that it may be written meanwhile, and looks afterwards. */
void sim_copy(void *to, const void *from, size_t size)
{
    uintptr_t at = (uintptr_t)from;
    for (size_t n; size > 0; at += n, to = (char *)to + n, size -= n) {
        n = part_of(at, size);
        uint64_t value = sim_load((const void *)at, n, __ATOMIC_RELAXED, bytes_of(*memory_of(word_of(at)), at, n));
        memcpy(to, &value, n);
    }
}
