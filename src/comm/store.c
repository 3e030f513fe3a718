/* The store's structure: entries, the heap of those ready, the list of those taken. For who holds the lock.
 * Never waits; never lets an entry say what is not so: its word is written last when it fills, first when it empties.
 * Next: comm/store.h; comm/queue_store.c, the calls. */
#include "comm/store.h"
#include "shm/heap.h"

static uint32_t chunk_size(uint32_t k)
{
    return YN_STORE_FIRST << k;
}

/* The number of the first entry of chunk k; so many there are in those before. */
static uint32_t chunk_start(uint32_t k)
{
    return YN_STORE_FIRST * ((UINT32_C(1) << k) - 1);
}

static uint32_t chunk_of(uint32_t number)
{
    return 31u - (uint32_t)__builtin_clz(number / YN_STORE_FIRST + 1);
}

yn_entry_shared *yn_store_entry(yn_store_shared *s, uint32_t number)
{
    uint32_t k = chunk_of(number);
    return s->chunk[k].entries + (number - chunk_start(k));
}

static uint64_t word_of(const yn_entry_shared *entry)
{
    return atomic_load_explicit(&entry->word, memory_order_relaxed);
}

static uint32_t count(_Atomic uint32_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

static void set_count(_Atomic uint32_t *number, uint32_t value)
{
    atomic_store_explicit(number, value, memory_order_relaxed);
}

/* Whether a comes out before b. */
static bool is_before(const yn_store_shared *s, const yn_entry_shared *a, const yn_entry_shared *b)
{
    if (s->order == YUNTA_PRIORITY && a->priority != b->priority)
        return a->priority < b->priority;
    return s->order == YUNTA_LIFO ? a->sequence > b->sequence : a->sequence < b->sequence;
}

static void set_at(yn_store_shared *s, uint32_t place, yn_entry_shared *entry)
{
    s->index->number[place] = entry->number;
    entry->place = place;
}

static void sift_up(yn_store_shared *s, yn_entry_shared *entry, uint32_t place)
{
    while (place > 0) {
        yn_entry_shared *parent = yn_store_entry(s, s->index->number[(place - 1) / 2]);
        if (!is_before(s, entry, parent))
            break;
        set_at(s, place, parent);
        place = (place - 1) / 2;
    }
    set_at(s, place, entry);
}

static void sift_down(yn_store_shared *s, yn_entry_shared *entry, uint32_t place)
{
    uint32_t ready = count(&s->ready);
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= ready)
            break;
        yn_entry_shared *least = yn_store_entry(s, s->index->number[child]);
        if (child + 1 < ready) {
            yn_entry_shared *right = yn_store_entry(s, s->index->number[child + 1]);
            if (is_before(s, right, least))
                least = right;
        }
        if (!is_before(s, least, entry))
            break;
        child = least->place;
        set_at(s, place, least);
        place = child;
    }
    set_at(s, place, entry);
}

static void heap_add(yn_store_shared *s, yn_entry_shared *entry)
{
    uint32_t ready = count(&s->ready);
    set_count(&s->ready, ready + 1);
    sift_up(s, entry, ready);
    atomic_store_explicit(&s->bytes, atomic_load_explicit(&s->bytes, memory_order_relaxed) + entry->size,
                          memory_order_relaxed);
}

static void heap_remove(yn_store_shared *s, yn_entry_shared *entry)
{
    uint32_t place = entry->place, last = count(&s->ready) - 1;
    yn_entry_shared *moved = yn_store_entry(s, s->index->number[last]);
    set_count(&s->ready, last);
    atomic_store_explicit(&s->bytes, atomic_load_explicit(&s->bytes, memory_order_relaxed) - entry->size,
                          memory_order_relaxed);
    if (place == last)
        return;
    if (place > 0 && is_before(s, moved, yn_store_entry(s, s->index->number[(place - 1) / 2])))
        sift_up(s, moved, place);
    else
        sift_down(s, moved, place);
}

static void list_add(yn_store_shared *s, yn_entry_shared *entry)
{
    uint32_t taken = count(&s->taken);
    set_at(s, s->index->room - 1 - taken, entry);
    set_count(&s->taken, taken + 1);
}

static void list_remove(yn_store_shared *s, yn_entry_shared *entry)
{
    uint32_t last = count(&s->taken) - 1, place = entry->place;
    set_at(s, place, yn_store_taken(s, last));
    set_count(&s->taken, last);
}

/* Puts a vacant entry where the next add looks for it. */
static void chunk_add(yn_chunk_shared *chunk, yn_entry_shared *entry)
{
    entry->place = chunk->vacant;
    chunk->vacant = entry->number;
}

static void derive_chunk(yn_store_shared *s, uint32_t k)
{
    yn_chunk_shared *chunk = &s->chunk[k];
    chunk->vacant = YN_STORE_NONE;
    chunk->used = 0;
    for (uint32_t i = chunk_size(k); i-- > 0;) {
        yn_entry_shared *entry = &chunk->entries[i];
        uint64_t word = word_of(entry);
        if (word == YN_ENTRY_VACANT) {
            chunk_add(chunk, entry);
            continue;
        }
        chunk->used++;
        s->sequence = entry->sequence > s->sequence ? entry->sequence : s->sequence;
        if (word == YN_ENTRY_READY) {
            heap_add(s, entry);
            continue;
        }
        list_add(s, entry);
        s->got = entry->got > s->got ? entry->got : s->got;
    }
}

void yn_store_derive(yn_store_shared *s)
{
    set_count(&s->ready, 0);
    set_count(&s->taken, 0);
    atomic_store(&s->bytes, 0);
    for (s->chunks = 0; s->chunks < YN_STORE_CHUNKS && s->chunk[s->chunks].entries; s->chunks++)
        derive_chunk(s, s->chunks);
}

/* Room in the index for `room` entries in all. What there is stays until the new one is whole. */
static int set_room(yn_self *me, yn_store_shared *s, uint32_t room)
{
    yn_index_shared *old = s->index, *index = yn_heap_alloc(me, sizeof *index + room * sizeof(uint32_t), 0);
    if (!index)
        return -ENOMEM;
    index->room = room;
    if (old) {
        uint32_t ready = count(&s->ready), taken = count(&s->taken);
        memcpy(index->number, old->number, ready * sizeof(uint32_t));
        memcpy(index->number + room - taken, old->number + old->room - taken, taken * sizeof(uint32_t));
        for (uint32_t i = 0; i < taken; i++)
            yn_store_entry(s, index->number[room - 1 - i])->place = room - 1 - i;
    }
    atomic_signal_fence(memory_order_seq_cst);
    s->index = index;
    atomic_signal_fence(memory_order_seq_cst);
    yn_heap_free(me, old);
    return 0;
}

/* One chunk more. The index has room for it before it is there. */
static int grow(yn_self *me, yn_store_shared *s)
{
    uint32_t k = s->chunks;
    void *block;
    if (k == YN_STORE_CHUNKS ||
        ((!s->index || s->index->room < chunk_start(k + 1)) && set_room(me, s, chunk_start(k + 1)) != 0))
        return -ENOMEM;
    if (yn_heap_alloc_zeroed(me, &block, chunk_size(k) * sizeof(yn_entry_shared), YN_CACHE_LINE) != 0)
        return -ENOMEM;
    yn_entry_shared *entries = block;
    for (uint32_t i = 0; i < chunk_size(k); i++)
        entries[i].number = chunk_start(k) + i;
    atomic_signal_fence(memory_order_seq_cst);
    s->chunk[k].entries = entries;
    atomic_signal_fence(memory_order_seq_cst);
    s->chunks = k + 1;
    derive_chunk(s, k);
    return 0;
}

int yn_store_init(yn_self *me, yn_store_shared *s)
{
    int r = grow(me, s);
    if (r != 0)
        yn_store_fini(me, s);
    return r;
}

void yn_store_fini(yn_self *me, yn_store_shared *s)
{
    for (uint32_t k = 0; k < YN_STORE_CHUNKS && s->chunk[k].entries; k++) {
        for (uint32_t i = 0; i < chunk_size(k); i++)
            if (word_of(&s->chunk[k].entries[i]) != YN_ENTRY_VACANT)
                yn_heap_free(me, s->chunk[k].entries[i].block);
        yn_heap_free(me, s->chunk[k].entries);
    }
    yn_heap_free(me, s->index);
}

/* The lowest chunk with a vacant entry, so that the highest can go when a burst is over. */
static yn_chunk_shared *vacant_chunk(yn_store_shared *s)
{
    for (uint32_t k = 0; k < s->chunks; k++)
        if (s->chunk[k].vacant != YN_STORE_NONE)
            return &s->chunk[k];
    return NULL;
}

int yn_store_add(yn_self *me, yn_store_shared *s, void *block, uint64_t size, int64_t priority)
{
    yn_chunk_shared *chunk = vacant_chunk(s);
    if (!chunk) {
        int r = grow(me, s);
        if (r != 0)
            return r;
        chunk = &s->chunk[s->chunks - 1];
    }
    yn_entry_shared *entry = yn_store_entry(s, chunk->vacant);
    chunk->vacant = entry->place;
    chunk->used++;
    entry->priority = priority;
    entry->sequence = s->sequence + 1;
    entry->size = size;
    entry->block = block;
    atomic_store_explicit(&entry->word, YN_ENTRY_READY, memory_order_release);
    s->sequence++;
    heap_add(s, entry);
    return 0;
}

yn_entry_shared *yn_store_next(yn_store_shared *s)
{
    return count(&s->ready) > 0 ? yn_store_entry(s, s->index->number[0]) : NULL;
}

void yn_store_take(yn_self *me, yn_store_shared *s, yn_entry_shared *entry)
{
    entry->got = ++s->got;
    atomic_store_explicit(&entry->word, me->claim | YN_ENTRY_TAKEN, memory_order_release);
    heap_remove(s, entry);
    list_add(s, entry);
}

void yn_store_restore(yn_store_shared *s, yn_entry_shared *entry)
{
    atomic_store_explicit(&entry->word, YN_ENTRY_READY, memory_order_release);
    list_remove(s, entry);
    heap_add(s, entry);
}

void *yn_store_vacate(yn_store_shared *s, yn_entry_shared *entry)
{
    void *block = entry->block;
    yn_chunk_shared *chunk = &s->chunk[chunk_of(entry->number)];
    atomic_store_explicit(&entry->word, YN_ENTRY_VACANT, memory_order_release);
    list_remove(s, entry);
    chunk->used--;
    chunk_add(chunk, entry);
    return block;
}

void yn_store_put_off(yn_store_shared *s, yn_entry_shared *entry)
{
    atomic_store_explicit(&entry->word, YN_ENTRY_DONE, memory_order_release);
    atomic_store_explicit(&s->put_off, 1, memory_order_release);
}

void yn_store_trim(yn_self *me, yn_store_shared *s)
{
    uint32_t before = s->chunks;
    while (s->chunks > 1 && s->chunk[s->chunks - 1].used == 0 &&
           s->chunk[s->chunks - 2].used <= chunk_size(s->chunks - 2) / 2) {
        yn_chunk_shared *top = &s->chunk[s->chunks - 1];
        yn_entry_shared *entries = top->entries;
        top->entries = NULL;
        atomic_signal_fence(memory_order_seq_cst);
        s->chunks--;
        yn_heap_free(me, entries);
    }
    if (s->chunks < before)
        (void)set_room(me, s, chunk_start(s->chunks)); /* without memory it stays as it is */
}

void yn_store_check(yn_store_shared *s)
{
    uint32_t ready = 0, taken = 0;
    uint64_t bytes = 0;
    for (uint32_t k = 0; k < s->chunks; k++) {
        uint32_t used = 0, vacant = 0;
        for (uint32_t i = 0; i < chunk_size(k); i++) {
            yn_entry_shared *entry = &s->chunk[k].entries[i];
            uint64_t word = word_of(entry);
            yn_assert(entry->number == chunk_start(k) + i);
            used += word != YN_ENTRY_VACANT;
            ready += word == YN_ENTRY_READY;
            taken += word > YN_ENTRY_READY;
            bytes += word == YN_ENTRY_READY ? entry->size : 0;
            yn_assert(word == YN_ENTRY_VACANT || s->index->number[entry->place] == entry->number);
            yn_assert(word == YN_ENTRY_VACANT || entry->sequence <= s->sequence);
        }
        for (uint32_t n = s->chunk[k].vacant; n != YN_STORE_NONE; n = yn_store_entry(s, n)->place)
            vacant++;
        yn_assert(used == s->chunk[k].used && used + vacant == chunk_size(k));
    }
    yn_assert(ready == count(&s->ready) && taken == count(&s->taken) && bytes == atomic_load(&s->bytes));
    yn_assert(s->index->room >= chunk_start(s->chunks));
    for (uint32_t i = 1; i < ready; i++)
        yn_assert(
            !is_before(s, yn_store_entry(s, s->index->number[i]), yn_store_entry(s, s->index->number[(i - 1) / 2])));
}
