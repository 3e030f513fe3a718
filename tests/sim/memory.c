/* The runtime that instrumented code calls at each access, in place of ThreadSanitizer's: each access to shared memory
 * may be the last one before another process runs, or the last one at all; and stores may stay unseen for a while.
 * Never called by scenes. Next: machine.c, who runs when; README.md for which orders of stores can be seen.
 */
#include "machine.h"

long sim_left = INT64_MAX;
sim_buffer *sim_pending;
uintptr_t sim_base, sim_size;

enum { RELAXED = __ATOMIC_RELAXED, ACQUIRE = __ATOMIC_ACQUIRE, SEQ_CST = __ATOMIC_SEQ_CST };

static inline bool is_shared(const volatile void *at)
{
    return (uintptr_t)at - sim_base < sim_size;
}

/* Before the access, so that a death here is a death before it. */
static inline void point(const volatile void *at)
{
    if (is_shared(at) && --sim_left <= 0)
        sim_turn();
}

static void write_now(void *at, uint64_t value, size_t size)
{
    memcpy(at, &value, size); /* both machines are little-endian */
    if (is_shared(at))
        sim_touch(at, size);
}

static void remove_at(sim_buffer *buffer, int i)
{
    sim_store done = buffer->store[i];
    buffer->count--;
    memmove(&buffer->store[i], &buffer->store[i + 1], sizeof done * (size_t)(buffer->count - i));
    if (sim.is_late) {
        sim_commit(done.at, done.size, &buffer->note[done.note]);
        buffer->notes &= ~(1u << done.note);
    }
    write_now(done.at, done.value, done.size);
}

void sim_drain(sim_buffer *buffer)
{
    while (buffer->count > 0)
        remove_at(buffer, 0);
}

static bool overlap(const sim_store *a, const volatile void *at, size_t size)
{
    return (uintptr_t)a->at < (uintptr_t)at + size && (uintptr_t)at < (uintptr_t)a->at + a->size;
}

/* A relaxed store may be seen before earlier ones of other words; one that releases comes after all of them. */
static bool may_overtake(const sim_buffer *buffer, int i)
{
    for (int k = 0; k < i; k++)
        if (overlap(&buffer->store[k], buffer->store[i].at, buffer->store[i].size))
            return false;
    return i == 0 || !buffer->store[i].release;
}

void sim_drain_some(sim_buffer *buffer)
{
    int i = (int)sim_below((unsigned)buffer->count);
    remove_at(buffer, may_overtake(buffer, i) ? i : 0);
}

static bool is_pending(const volatile void *at, size_t size)
{
    for (int i = 0; i < sim_pending->count; i++)
        if (overlap(&sim_pending->store[i], at, size))
            return true;
    return false;
}

/* Own stores are seen by oneself in any case. */
static inline void settle(const volatile void *at, size_t size)
{
    if (sim_pending && sim_pending->count > 0 && is_pending(at, size))
        sim_drain(sim_pending);
}

static inline void fence(int order)
{
    if (sim_pending && order == SEQ_CST)
        sim_drain(sim_pending);
}

static inline void release(int order)
{
    if (sim_pending && order > ACQUIRE)
        sim_drain(sim_pending);
}

static bool find_own(const volatile void *at, size_t size, uint64_t *value)
{
    for (int i = sim_pending->count - 1; i >= 0; i--) {
        const sim_store *s = &sim_pending->store[i];
        if (s->at == at && s->size == size) {
            *value = s->value;
            return true;
        }
        if (overlap(s, at, size))
            return false;
    }
    return false;
}

static void delay(void *at, uint64_t value, size_t size, int order)
{
    if (sim_pending->count == SIM_STORES)
        remove_at(sim_pending, 0);
    sim_store *s = &sim_pending->store[sim_pending->count++];
    *s = (sim_store){at, value, (uint8_t)size, 0, order > ACQUIRE};
    if (sim_looks) {
        s->note = (uint8_t)__builtin_ctz(~sim_pending->notes);
        sim_pending->notes |= 1u << s->note;
        sim_note_store(sim_looks, order, &sim_pending->note[s->note]);
    }
}

static void store_now(void *at, uint64_t value, size_t size, int order)
{
    if (sim_looks && is_shared(at)) {
        sim_note note;
        sim_note_store(sim_looks, order, &note);
        sim_commit(at, size, &note);
    }
    write_now(at, value, size);
}

static inline void read_plain(const void *at, size_t size, const void *pc)
{
    point(at);
    settle(at, size);
    if (sim_traces && is_shared(at))
        sim_trace("read", at, 0, pc);
    if (sim_looks && is_shared(at))
        sim_read(at, size);
}

static inline void write_plain(void *at, size_t size, const void *pc)
{
    point(at);
    settle(at, size);
    if (!is_shared(at))
        return;
    sim_touch(at, size);
    if (sim_traces)
        sim_trace("write", at, 0, pc);
    if (sim_looks)
        sim_write(at, size);
}

#define PC __builtin_return_address(0)
#define TRACE(what, at, value)                                                                                         \
    do {                                                                                                               \
        if (sim_traces && is_shared(at))                                                                               \
            sim_trace((what), (const void *)(uintptr_t)(at), (uint64_t)(value), PC);                                   \
    } while (0)

/* The compiler calls these by name; no header declares them. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#define PLAIN(bytes)                                                                                                   \
    void __tsan_read##bytes(void *at)                                                                                  \
    {                                                                                                                  \
        read_plain(at, bytes, PC);                                                                                     \
    }                                                                                                                  \
    void __tsan_write##bytes(void *at)                                                                                 \
    {                                                                                                                  \
        write_plain(at, bytes, PC);                                                                                    \
    }                                                                                                                  \
    void __tsan_read_write##bytes(void *at)                                                                            \
    {                                                                                                                  \
        write_plain(at, bytes, PC);                                                                                    \
    }                                                                                                                  \
    void __tsan_unaligned_read##bytes(void *at)                                                                        \
    {                                                                                                                  \
        read_plain(at, bytes, PC);                                                                                     \
    }                                                                                                                  \
    void __tsan_unaligned_write##bytes(void *at)                                                                       \
    {                                                                                                                  \
        write_plain(at, bytes, PC);                                                                                    \
    }                                                                                                                  \
    void __tsan_volatile_read##bytes(void *at)                                                                         \
    {                                                                                                                  \
        read_plain(at, bytes, PC);                                                                                     \
    }                                                                                                                  \
    void __tsan_volatile_write##bytes(void *at)                                                                        \
    {                                                                                                                  \
        write_plain(at, bytes, PC);                                                                                    \
    }
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(void *at, size_t size)
{
    read_plain(at, size, PC);
}
void __tsan_write_range(void *at, size_t size)
{
    write_plain(at, size, PC);
}
void __tsan_init(void)
{
}
void __tsan_func_entry(void *pc)
{
    (void)pc;
}
void __tsan_func_exit(void)
{
}

#define CHANGE(bits, name, operation)                                                                                  \
    uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *at, uint##bits##_t v, int order)              \
    {                                                                                                                  \
        point(at);                                                                                                     \
        settle(at, sizeof *at);                                                                                        \
        release(order);                                                                                                \
        uint##bits##_t old = *at;                                                                                      \
        if (sim_looks && is_shared(at))                                                                                \
            sim_change(at, sizeof *at, order);                                                                         \
        write_now((void *)(uintptr_t)at, (uint##bits##_t)(operation), sizeof *at);                                     \
        TRACE(#name, at, operation);                                                                                   \
        return old;                                                                                                    \
    }

#define ATOMIC(bits)                                                                                                   \
    uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *at, int order)                            \
    {                                                                                                                  \
        uint64_t own;                                                                                                  \
        point(at);                                                                                                     \
        fence(order);                                                                                                  \
        if (sim_pending && sim_pending->count > 0 && find_own(at, sizeof *at, &own))                                   \
            return (uint##bits##_t)own;                                                                                \
        settle(at, sizeof *at);                                                                                        \
        uint##bits##_t value = *at;                                                                                    \
        if (sim_looks && is_shared(at))                                                                                \
            value = (uint##bits##_t)sim_load(at, sizeof *at, order, value);                                            \
        TRACE(value == *at ? "load" : "load, late", at, value);                                                        \
        return value;                                                                                                  \
    }                                                                                                                  \
    void __tsan_atomic##bits##_store(volatile uint##bits##_t *at, uint##bits##_t v, int order)                         \
    {                                                                                                                  \
        point(at);                                                                                                     \
        TRACE(sim_pending ? "store, later" : "store", at, v);                                                          \
        if (sim_pending && is_shared(at))                                                                              \
            delay((void *)(uintptr_t)at, v, sizeof *at, order);                                                        \
        else                                                                                                           \
            store_now((void *)(uintptr_t)at, v, sizeof *at, order);                                                    \
    }                                                                                                                  \
    CHANGE(bits, exchange, v)                                                                                          \
    CHANGE(bits, fetch_add, old + v)                                                                                   \
    CHANGE(bits, fetch_sub, old - v)                                                                                   \
    CHANGE(bits, fetch_or, old | v)                                                                                    \
    CHANGE(bits, fetch_and, old &v)                                                                                    \
    CHANGE(bits, fetch_xor, old ^ v)                                                                                   \
    static int swap##bits(volatile uint##bits##_t *at, uint##bits##_t *expected, uint##bits##_t v, int order,          \
                          int failed, const void *pc)                                                                  \
    {                                                                                                                  \
        settle(at, sizeof *at);                                                                                        \
        uint64_t old = *at;                                                                                            \
        bool same = old == *expected;                                                                                  \
        if (sim_looks && is_shared(at))                                                                                \
            same = sim_compare(at, sizeof *at, failed, *expected, &old);                                               \
        if (sim_traces && is_shared(at))                                                                               \
            sim_trace(same ? "swap" : "no swap", (const void *)(uintptr_t)at, same ? v : old, pc);                     \
        if (!same) {                                                                                                   \
            fence(failed);                                                                                             \
            *expected = (uint##bits##_t)old;                                                                           \
            return 0;                                                                                                  \
        }                                                                                                              \
        release(order);                                                                                                \
        if (sim_looks && is_shared(at))                                                                                \
            sim_change(at, sizeof *at, order);                                                                         \
        write_now((void *)(uintptr_t)at, v, sizeof *at);                                                               \
        return 1;                                                                                                      \
    }                                                                                                                  \
    int __tsan_atomic##bits##_compare_exchange_strong(volatile uint##bits##_t *at, uint##bits##_t *expected,           \
                                                      uint##bits##_t v, int order, int failed)                         \
    {                                                                                                                  \
        point(at);                                                                                                     \
        return swap##bits(at, expected, v, order, failed, PC);                                                         \
    }                                                                                                                  \
    int __tsan_atomic##bits##_compare_exchange_weak(volatile uint##bits##_t *at, uint##bits##_t *expected,             \
                                                    uint##bits##_t v, int order, int failed)                           \
    {                                                                                                                  \
        point(at);                                                                                                     \
        if (sim.weak_cas && sim.current && sim_one_in(sim.weak_cas)) {                                                 \
            settle(at, sizeof *at);                                                                                    \
            *expected = *at;                                                                                           \
            return 0;                                                                                                  \
        }                                                                                                              \
        return swap##bits(at, expected, v, order, failed, PC);                                                         \
    }                                                                                                                  \
    uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(volatile uint##bits##_t *at, uint##bits##_t expected,    \
                                                              uint##bits##_t v, int order, int failed)                 \
    {                                                                                                                  \
        point(at);                                                                                                     \
        swap##bits(at, &expected, v, order, failed, PC);                                                               \
        return expected;                                                                                               \
    }
ATOMIC(8)
ATOMIC(16)
ATOMIC(32)
ATOMIC(64)

void __tsan_atomic_thread_fence(int order)
{
    if (order != RELAXED && sim_pending)
        sim_drain(sim_pending);
    if (sim_looks)
        sim_view_fence(sim_looks, order);
}

void __tsan_atomic_signal_fence(int order)
{
    (void)order;
}

/* In pieces, so that one can die in the middle. */
enum { PIECE = 16 };

void *sim_memcpy(void *to, const void *from, size_t size);
void *sim_memcpy(void *to, const void *from, size_t size)
{
    for (size_t at = 0; at < size; at += PIECE) {
        size_t n = size - at < PIECE ? size - at : PIECE;
        char *t = (char *)to + at;
        const char *f = (const char *)from + at;
        point(f);
        settle(f, n);
        if (sim_traces && is_shared(f))
            sim_trace("copy", f, 0, PC);
        char piece[PIECE];
        if (sim_looks && is_shared(f))
            sim_copy(piece, f, n);
        else
            memcpy(piece, f, n);
        write_plain(t, n, PC);
        memcpy(t, piece, n);
    }
    return to;
}

void *sim_memset(void *to, int byte, size_t size);
void *sim_memset(void *to, int byte, size_t size)
{
    for (size_t at = 0; at < size; at += 1024) {
        size_t n = size - at < 1024 ? size - at : 1024;
        write_plain((char *)to + at, n, PC);
        memset((char *)to + at, byte, n);
    }
    return to;
}

void *__tsan_memcpy(void *to, const void *from, size_t size)
{
    return sim_memcpy(to, from, size);
}
void *__tsan_memmove(void *to, const void *from, size_t size)
{
    read_plain(from, size, PC);
    write_plain(to, size, PC);
    return memmove(to, from, size);
}
void *__tsan_memset(void *to, int byte, size_t size)
{
    return sim_memset(to, byte, size);
}
