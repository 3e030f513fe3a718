/* The slot table: births and deaths as one word each.
 * Never blocks, never allocates on behalf of the watch (yn_slot_take alone grows the table).
 * Next: proc/watch.c, who declares deaths; shm/README.md, the invariants. */
#include "os/rawsys.h"
#include "shm/arena.h"

#include <unistd.h>

static unsigned segments_of(yn_slot_table_shared *table)
{
    unsigned k = 0;
    while (k < YN_SLOT_SEGMENTS && atomic_load(&table->segment[k]))
        k++;
    return k;
}

/* Adds the next segment. Two may do so at once: the loser's memory is lost, which is rare and small. */
static int grow(struct yn_arena_shared *arena, int fd)
{
    unsigned k = segments_of(&arena->slots);
    if (k == YN_SLOT_SEGMENTS)
        return -EAGAIN;
    int error;
    yn_slot_shared *fresh = yn_arena_extend(arena, fd, sizeof(yn_slot_shared) * ((uint64_t)64 << k), 0, &error);
    if (!fresh)
        return error;
    yn_slot_shared *none = NULL;
    atomic_compare_exchange_strong(&arena->slots.segment[k], &none, fresh);
    return 0;
}

static void raise_to(_Atomic uint32_t *word, uint32_t value)
{
    uint32_t old = atomic_load(word);
    while (old < value && !atomic_compare_exchange_weak(word, &old, value)) {
    }
}

static void lower_to(_Atomic uint32_t *word, uint32_t value)
{
    uint32_t old = atomic_load(word);
    while (old > value && !atomic_compare_exchange_weak(word, &old, value)) {
    }
}

/* What the last tenant left, before anybody knows of the new one. */
static void clear(yn_slot_shared *slot, yn_claim claim, yn_claim parent, int32_t pid)
{
    for (yn_seat_shared *seat = &slot->seat; seat;
         seat = atomic_load(seat == &slot->seat ? &slot->seats : &seat->next)) {
        atomic_store(&seat->word, NULL);
        atomic_store(&seat->turn, 0);
        atomic_store(&seat->taken, 0);
    }
    atomic_store(&slot->record, NULL);
    atomic_store(&slot->pid, yn_slot_tag(claim, (uint32_t)pid));
    atomic_store(&slot->parent, parent);
}

/* Never 0: with slot 0, that would be the claim of nobody. */
static uint64_t next_epoch(uint64_t word)
{
    uint64_t epoch = (word >> 24) + 1;
    return (epoch << 24) != 0 ? epoch << 24 : UINT64_C(1) << 24;
}

static yn_claim take_from(yn_slot_table_shared *table, uint32_t from, uint32_t to, yn_claim parent, int32_t pid)
{
    uint64_t taker =
        parent ? yn_claim_slot(parent) << 4 | YN_SLOT_TAKEN : ((uint32_t)pid & YN_SLOT_MOST) << 4 | YN_SLOT_GUESTS;
    for (uint32_t i = from; i < to; i++) {
        yn_slot_shared *slot = yn_slot_at(table, i);
        uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
        if (yn_slot_state_of(word) != YN_SLOT_FREE)
            continue;
        uint64_t epoch = next_epoch(word), taken = epoch | taker;
        yn_claim claim = yn_claim_make(i, epoch >> 24);
        /* The bounds go up first: whoever walks the table up to one meets this slot, and a death leaves the other too
         * high at most. */
        raise_to(&table->used, i + 1);
        atomic_fetch_add_explicit(&table->alive, 1, memory_order_relaxed);
        if (!atomic_compare_exchange_strong(&slot->word, &word, taken)) {
            atomic_fetch_sub_explicit(&table->alive, 1, memory_order_relaxed);
            continue;
        }
        clear(slot, claim, parent, pid);
        if (!atomic_compare_exchange_strong(&slot->word, &taken, epoch | YN_SLOT_STARTING))
            continue; /* we are held for dead */
        atomic_store_explicit(&table->lowest, i + 1, memory_order_relaxed);
        return claim;
    }
    return 0;
}

yn_claim yn_slot_take(struct yn_arena_shared *arena, int fd, yn_claim parent, int *error)
{
    yn_slot_table_shared *table = &arena->slots;
    /* For itself: should it die before it is heard of, no parent's death will free it, but its pid tells. */
    int32_t pid = parent ? 0 : (int32_t)yn_raw0(SYS_getpid);
    for (;;) {
        uint32_t lowest = atomic_load_explicit(&table->lowest, memory_order_relaxed);
        uint32_t capacity = 64 * ((1u << segments_of(table)) - 1);
        capacity = capacity < YN_SLOT_MOST ? capacity : YN_SLOT_MOST;
        yn_claim claim = take_from(table, lowest, capacity, parent, pid);
        if (!claim)
            claim = take_from(table, 0, capacity, parent, pid);
        *error = claim ? 0 : grow(arena, fd);
        if (claim || *error != 0)
            return claim;
    }
}

/* `alive` is too high by those who died over it: so above it, they are counted. */
bool yn_slot_are_beyond(yn_slot_table_shared *table, uint64_t most)
{
    uint32_t used = atomic_load(&table->used), count = 0;
    if (atomic_load(&table->alive) <= most)
        return false;
    for (uint32_t i = 0; i < used; i++)
        count += yn_slot_state_of(atomic_load(&yn_slot_below_used(table, i)->word)) != YN_SLOT_FREE;
    return count > most;
}

YN_IN_CHILD bool yn_slot_go_live(yn_slot_table_shared *table, yn_claim claim)
{
    yn_slot_shared *slot = yn_slot_at(table, yn_claim_slot(claim));
    uint64_t epoch = claim >> 24 << 24, word = epoch | YN_SLOT_STARTING;
    return atomic_compare_exchange_strong(&slot->word, &word, epoch | YN_SLOT_LIVE) || word == (epoch | YN_SLOT_LIVE);
}

bool yn_slot_declare_dead(yn_slot_table_shared *table, yn_claim claim)
{
    yn_slot_shared *slot = yn_slot_at(table, yn_claim_slot(claim));
    uint64_t epoch = claim >> 24 << 24, word = atomic_load(&slot->word);
    while (word == (epoch | YN_SLOT_STARTING) || word == (epoch | YN_SLOT_LIVE)) {
        if (atomic_compare_exchange_weak(&slot->word, &word, epoch | YN_SLOT_DEAD))
            return true;
    }
    return false;
}

static bool leave(yn_slot_table_shared *table, uint32_t number, uint64_t word)
{
    uint64_t free_word = (word >> 24 << 24) | YN_SLOT_FREE;
    if (!atomic_compare_exchange_strong(&yn_slot_at(table, number)->word, &word, free_word))
        return false;
    atomic_fetch_sub_explicit(&table->alive, 1, memory_order_relaxed);
    lower_to(&table->lowest, number);
    return true;
}

void yn_slot_free(yn_slot_table_shared *table, yn_claim claim)
{
    if (leave(table, yn_claim_slot(claim), (claim >> 24 << 24) | YN_SLOT_DEAD))
        atomic_fetch_add_explicit(&table->ended, 1, memory_order_relaxed);
}

void yn_slot_free_taken(yn_slot_table_shared *table, yn_claim dead)
{
    uint32_t used = atomic_load(&table->used);
    for (uint32_t i = 0; i < used; i++) {
        uint64_t word = atomic_load(&yn_slot_at(table, i)->word);
        if (yn_slot_state_of(word) == YN_SLOT_TAKEN && yn_claim_slot(word) == yn_claim_slot(dead))
            leave(table, i, word);
    }
}

/* Two bits of its pid are not in the word (pids end at 2^22): each of four that is there may be the one. */
void yn_slot_free_guests(yn_slot_table_shared *table, uint32_t number, uint64_t word)
{
    long low = yn_claim_slot(word);
    for (long pid = low; pid < 4 * (1L << YN_SLOT_BITS); pid += 1L << YN_SLOT_BITS)
        if (pid > 0 && yn_raw2(SYS_kill, pid, 0) != -ESRCH)
            return;
    leave(table, number, word);
}

YN_IN_CHILD bool yn_slot_set_pid(yn_slot_shared *slot, yn_claim claim, int32_t pid)
{
    uint64_t mine = yn_slot_tag(claim, (uint32_t)pid), old = atomic_load(&slot->pid);
    do {
        if ((int32_t)((uint32_t)(old >> 32) - (uint32_t)(mine >> 32)) > 0)
            return false;
    } while (!atomic_compare_exchange_weak(&slot->pid, &old, mine));
    return true;
}
