/* Counters: each process adds to its own cells, who reads sums up all.
 * Never takes a lock to add; never frees or clears a cell before the end, so nothing that was added is lost.
 * Next: data/README.md; data/dict.c, for the names. */
#include "data/counters.h"
#include "shm/heap.h"

#define CELLS_OF(k) ((size_t)64 << (k))

/* Where number n stands among pieces of 64, 128, 256 … */
static inline unsigned piece_of(uint32_t n, uint32_t *within)
{
    unsigned k = 31u - (unsigned)__builtin_clz(n / 64 + 1);
    *within = n - 64 * ((UINT32_C(1) << k) - 1);
    return k;
}

/* Zeroed memory for what *place points to, unless somebody else is faster. NULL: none. */
static YN_NOINLINE void *provide(yn_self *me, _Atomic(void *) *place, size_t bytes)
{
    void *block, *none = NULL;
    if (yn_heap_alloc_zeroed(me, &block, bytes, YN_CACHE_LINE) != 0)
        return NULL;
    if (atomic_compare_exchange_strong(place, &none, block))
        return block;
    yn_heap_free(me, block);
    return none;
}

static inline void *have(yn_self *me, _Atomic(void *) *place, size_t bytes)
{
    void *block = atomic_load_explicit(place, memory_order_acquire);
    return YN_LIKELY(block != NULL) ? block : provide(me, place, bytes);
}

static _Atomic int64_t *cell_of(yn_self *me, yunta_counters *c, uint32_t number)
{
    uint32_t at;
    unsigned k = piece_of(yn_claim_slot(me->claim), &at);
    _Atomic(yn_counter_row_shared *) *rows =
        have(me, (_Atomic(void *) *)(void *)&c->rows[k], CELLS_OF(k) * sizeof *rows);
    yn_counter_row_shared *row = rows ? have(me, (_Atomic(void *) *)(void *)&rows[at], sizeof *row) : NULL;
    k = piece_of(number, &at);
    _Atomic int64_t *cells =
        row ? have(me, (_Atomic(void *) *)(void *)&row->chunk[k], CELLS_OF(k) * sizeof *cells) : NULL;
    return cells ? &cells[at] : NULL;
}

int yn_counters_add(yn_self *me, yunta_counters *c, uint32_t number, int64_t amount)
{
    _Atomic int64_t *cell = cell_of(me, c, number);
    if (YN_UNLIKELY(!cell))
        return -ENOMEM;
    atomic_fetch_add_explicit(cell, amount, memory_order_relaxed);
    return 0;
}

static int64_t sum_up(yunta_counters *c, uint32_t number)
{
    uint64_t sum = 0;
    uint32_t at;
    unsigned k = piece_of(number, &at);
    for (unsigned s = 0; s < YN_SLOT_SEGMENTS; s++) {
        _Atomic(yn_counter_row_shared *) *rows = atomic_load_explicit(&c->rows[s], memory_order_acquire);
        for (size_t i = 0; rows && i < CELLS_OF(s); i++) {
            yn_counter_row_shared *row = atomic_load_explicit(&rows[i], memory_order_acquire);
            _Atomic int64_t *cells = row ? atomic_load_explicit(&row->chunk[k], memory_order_acquire) : NULL;
            sum += cells ? (uint64_t)atomic_load_explicit(&cells[at], memory_order_acquire) : 0;
        }
    }
    return (int64_t)sum;
}

int yn_counters_create(yn_self *me, yunta_counters **counters)
{
    void *block;
    int r = yn_heap_alloc_zeroed(me, &block, sizeof **counters, YN_CACHE_LINE);
    if (r != 0)
        return r;
    yunta_counters *c = block;
    r = yn_dict_create(me, &c->numbers, &(yunta_dict_options){.value_size = sizeof(uint32_t), .stripes = 1});
    if (r == 0)
        r = yn_dict_create(me, &c->names, &(yunta_dict_options){.key_size = sizeof(uint32_t), .stripes = 1});
    if (r == 0)
        *counters = c;
    else
        yn_counters_destroy(me, c);
    return r;
}

static void free_row(yn_self *me, yn_counter_row_shared *row)
{
    for (unsigned k = 0; k < YN_COUNTER_CHUNKS; k++)
        yn_heap_free(me, (void *)atomic_load(&row->chunk[k]));
    yn_heap_free(me, row);
}

void yn_counters_destroy(yn_self *me, yunta_counters *c)
{
    for (unsigned s = 0; s < YN_SLOT_SEGMENTS; s++) {
        _Atomic(yn_counter_row_shared *) *rows = atomic_load(&c->rows[s]);
        for (size_t i = 0; rows && i < CELLS_OF(s); i++)
            if (atomic_load(&rows[i]))
                free_row(me, atomic_load(&rows[i]));
        yn_heap_free(me, (void *)rows);
    }
    if (c->numbers)
        yn_dict_destroy(me, c->numbers);
    if (c->names)
        yn_dict_destroy(me, c->names);
    yn_heap_free(me, c);
}

/* The name stands with its number before the number can be found by the name. Who is killed in between, or finds that
 * another one was faster, has used up a number. */
int yn_counters_number(yn_self *me, yunta_counters *c, const char *name, uint32_t *number)
{
    size_t length = strlen(name);
    int r = yn_dict_get(c->numbers, name, length, number, sizeof *number, NULL);
    if (r != -ENOENT)
        return r;
    uint32_t next = atomic_load(&c->named);
    do {
        if (next >= YUNTA_COUNTERS_MOST)
            return -EOVERFLOW;
    } while (!atomic_compare_exchange_weak(&c->named, &next, next + 1));
    r = yn_dict_put(me, c->names, &next, sizeof next, &(yn_put){.value = name, .size = length});
    if (r != 0)
        return r;
    r = yn_dict_put(me, c->numbers, name, length, &(yn_put){.how = YN_PUT_NEW, .value = &next, .size = sizeof next});
    if (r == 0)
        *number = next;
    else
        yn_dict_pop(me, c->names, &next, sizeof next, NULL, NULL, 0, NULL);
    return r == -EEXIST ? yn_dict_get(c->numbers, name, length, number, sizeof *number, NULL) : r;
}

int yunta_counters_create(yunta_counters **counters)
{
    int r = -EINVAL;
    yn_self *me = counters ? yn_self_get(&r) : NULL;
    return me ? yn_counters_create(me, counters) : r;
}

yunta_counters *yunta_counters_destroy(yunta_counters *counters)
{
    int r;
    yn_self *me = counters ? yn_self_get(&r) : NULL;
    if (me)
        yn_counters_destroy(me, counters);
    return NULL;
}

int yunta_counters_add(yunta_counters *counters, uint32_t number, int64_t amount)
{
    int r = -EINVAL;
    yn_self *me = counters && number < YUNTA_COUNTERS_MOST ? yn_self_get(&r) : NULL;
    return YN_LIKELY(me != NULL) ? yn_counters_add(me, counters, number, amount) : r;
}

int64_t yunta_counters_sum(yunta_counters *counters, uint32_t number)
{
    return counters && number < YUNTA_COUNTERS_MOST ? sum_up(counters, number) : 0;
}

int yunta_counters_number(yunta_counters *counters, const char *name, uint32_t *number)
{
    int r = -EINVAL;
    yn_self *me = counters && name && number ? yn_self_get(&r) : NULL;
    return me ? yn_counters_number(me, counters, name, number) : r;
}

uint32_t yunta_counters_named(yunta_counters *counters)
{
    return counters ? atomic_load(&counters->named) : 0;
}

int yunta_counters_name(yunta_counters *counters, uint32_t number, char *buffer, size_t capacity)
{
    size_t length;
    uint32_t meant;
    if (!counters || !buffer || capacity == 0)
        return -EINVAL;
    int r = yn_dict_get(counters->names, &number, sizeof number, buffer, capacity - 1, &length);
    if (r != 0)
        return r;
    r = yn_dict_get(counters->numbers, buffer, length, &meant, sizeof meant, NULL);
    if (r == 0 && meant == number)
        buffer[length] = '\0';
    return r == 0 && meant != number ? -ENOENT : r;
}
