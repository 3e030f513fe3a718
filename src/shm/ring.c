/* The ring's slow half: full, empty, closed, left half done by the dead.
 * Never waits for anybody, never changes an owned cell but by a compare-and-swap from a claim of the dead.
 * Next: comm/README.md for the table of transitions and why each step holds; comm/queue.c, who waits. */
#include "shm/ring.h"
#include "shm/heap.h"

static uint64_t unowned(uint64_t lap, unsigned state)
{
    return lap << 4 | state;
}

static bool swap(_Atomic uint64_t *word, uint64_t from, uint64_t to)
{
    return atomic_compare_exchange_strong(word, &from, to);
}

/* A step that anybody may do: whoever comes second changes nothing. */
static void help(_Atomic uint64_t *position, uint64_t from, uint64_t to)
{
    (void)swap(position, from, to);
}

static bool owner_is_dead(yn_turn *turn, uint64_t word)
{
    return !yn_claim_is_alive(&turn->me->arena->slots, word);
}

static void raise_to(_Atomic uint64_t *word, uint64_t value)
{
    uint64_t old = atomic_load(word);
    while (old < value && !atomic_compare_exchange_weak(word, &old, value)) {
    }
}

/* Bytes from the cell in hand to the one that is asked for: they are worked on while its line comes. */
#define AHEAD 512u

void yn_ring_init(yn_ring_shared *ring, uint64_t count, uint32_t room, bool lose, yn_ring_tally_shared *tally)
{
    ring->room = room;
    ring->cell = (uint32_t)sizeof(yn_cell_shared) + room;
    ring->ahead = AHEAD / ring->cell < count / 2 ? AHEAD / ring->cell : (uint32_t)count / 2;
    ring->count = count;
    ring->bits = count == 1 ? 0 : 64 - (uint32_t)__builtin_clzll(count - 1);
    ring->stride = UINT64_C(1) << ring->bits;
    ring->lose = lose;
    ring->tally = tally;
}

void yn_ring_renew(yn_ring_shared *ring)
{
    /* A SKIP that the head had passed, left by a death, is a lap behind as in any life: clear_way makes it FREE. */
    ring->start = atomic_load(&ring->head);
    atomic_store(&ring->ripe, ring->start);
    atomic_store(&ring->flawed, 0);
    atomic_store(&ring->tail, ring->start << 1);
}

void yn_ring_close(yn_ring_shared *ring)
{
    atomic_fetch_or(&ring->tail, 1);
}

/* The block of the message in a cell that a dead process owns, if it had come to noting it. To be read before the swap
 * that makes the cell somebody else's; it counts only if that succeeds. */
static void *block_of(yn_ring_shared *ring, yn_cell_shared *cell, uint64_t lap)
{
    uint64_t info = atomic_load_explicit(&cell->info, memory_order_acquire);
    if ((info & YN_RING_MARK) != yn_ring_mark(ring, lap) || info >> 24 <= ring->room)
        return NULL;
    return atomic_load_explicit(yn_cell_block(cell), memory_order_relaxed);
}

/* A cell found RESERVED by `word` where the tail had reached or passed `position` and the head has passed the lap
 * before. If its owner is dead it becomes SKIP, or, where the ring was closed before it counted, FREE. False: its owner
 * lives. */
static bool repair_reserved(yn_turn *turn, yn_ring_shared *ring, uint64_t position, uint64_t word)
{
    if (!owner_is_dead(turn, word))
        return false;
    /* What the dead wrote stays; so if the head has still not passed the position, the cell is of this lap and none
     * else. */
    if (atomic_load(&ring->head) > position)
        return true;
    yn_cell_shared *cell = yn_ring_cell(ring, position);
    uint64_t lap = yn_ring_lap(ring, position), tail = position << 1;
    if (!atomic_compare_exchange_strong(&ring->tail, &tail, yn_ring_next(ring, position) << 1) && (tail & 1) &&
        tail >> 1 <= position) {
        help(&cell->word, word, unowned(lap, YN_CELL_FREE));
        return true;
    }
    void *block = block_of(ring, cell, lap);
    atomic_store(&ring->flawed, 1);
    if (swap(&cell->word, word, unowned(lap, YN_CELL_SKIP))) {
        atomic_fetch_add(&ring->tally->abandoned, 1);
        turn->repaired = true;
        yn_heap_free(turn->me, block);
    }
    return true;
}

/* A message that a dead process had taken, given up. The head goes past it before the cell is free. It is counted
 * before: who dies over this leaves one lost too many, not one too few. */
static void lose(yn_turn *turn, yn_ring_shared *ring, uint64_t position, uint64_t word)
{
    yn_cell_shared *cell = yn_ring_cell(ring, position);
    uint64_t lap = yn_ring_lap(ring, position);
    void *block = block_of(ring, cell, lap);
    help(&ring->head, position, yn_ring_next(ring, position));
    atomic_fetch_add(&ring->tally->lost, 1);
    if (swap(&cell->word, word, unowned(lap + ring->stride, YN_CELL_FREE))) {
        turn->repaired = true;
        yn_heap_free(turn->me, block);
    } else {
        atomic_fetch_sub(&ring->tally->lost, 1);
    }
}

/* Passes a SKIP at the head: the head first, so that no cell is ever free before it. */
static void pass_skip(yn_turn *turn, yn_ring_shared *ring, uint64_t position)
{
    uint64_t lap = yn_ring_lap(ring, position);
    help(&ring->head, position, yn_ring_next(ring, position));
    help(&yn_ring_cell(ring, position)->word, unowned(lap, YN_CELL_SKIP), unowned(lap + ring->stride, YN_CELL_FREE));
    turn->repaired = true;
}

/* One look at the front. -1: something has moved, or was moved: look again. */
static int look_at_front(yn_turn *turn, yn_ring_shared *ring, uint64_t *position)
{
    uint64_t head = atomic_load(&ring->head), lap = yn_ring_lap(ring, head);
    yn_cell_shared *cell = yn_ring_cell(ring, head);
    *position = head;
    if (atomic_load(&cell->word) == unowned(lap, YN_CELL_READY))
        return YN_RING_DONE; /* without a look at the tail, which would slow down those who put */
    uint64_t tail = atomic_load(&ring->tail), word = atomic_load(&cell->word); /* the tail first */
    unsigned state = (unsigned)(word & YN_CELL_STATE);
    if (tail == (head << 1 | 1))
        return YN_RING_SHUT;
    if (!(word & YN_CELL_OWNED)) {
        if (word >> 4 > lap)
            return -1; /* the head has moved */
        if (word >> 4 < lap || state == YN_CELL_FREE)
            return YN_RING_WAIT;
        if (state == YN_CELL_READY)
            return YN_RING_DONE;
        pass_skip(turn, ring, head);
        return -1;
    }
    if (state == YN_CELL_TAKEN) {
        /* Of this lap if the tail had passed it before we looked; of the lap before if the tail still has not. */
        if (tail >> 1 > head)
            help(&ring->head, head, yn_ring_next(ring, head));
        else if (atomic_load(&ring->tail) == tail)
            return YN_RING_WAIT;
        return -1;
    }
    if (repair_reserved(turn, ring, head, word) || atomic_load(&ring->head) != head)
        return -1;
    return YN_RING_WAIT;
}

yn_ring_result yn_ring_front(yn_turn *turn, yn_ring_shared *ring, uint64_t *position)
{
    int r;
    do
        r = look_at_front(turn, ring, position);
    while (r < 0);
    return (yn_ring_result)r;
}

yn_ring_result yn_ring_take(yn_turn *turn, yn_ring_shared *ring)
{
    for (;;) {
        uint64_t position, size;
        yn_ring_result r = yn_ring_front(turn, ring, &position);
        if (r != YN_RING_DONE)
            return r;
        if (yn_ring_take_at_once(turn->me->claim, ring, turn->limit, &turn->hold, &size)) {
            turn->size = size;
            return YN_RING_DONE;
        }
        uint64_t ready = unowned(yn_ring_lap(ring, position), YN_CELL_READY);
        turn->size = atomic_load(&yn_ring_cell(ring, position)->info) >> 24;
        if (turn->size > turn->limit && atomic_load(&yn_ring_cell(ring, position)->word) == ready)
            return YN_RING_LARGE;
    }
}

/* The cell at the tail is in the way of a reservation. True: something was done about it, or has moved: try again. */
static bool clear_way(yn_turn *turn, yn_ring_shared *ring, uint64_t position, uint64_t word)
{
    uint64_t lap = yn_ring_lap(ring, position), behind = position - ring->stride;
    unsigned state = (unsigned)(word & YN_CELL_STATE);
    if (state == YN_CELL_TAKEN && ring->lose && owner_is_dead(turn, word)) {
        /* What the dead wrote stays; so if the tail has still not passed, it was taken in the lap before. */
        if (atomic_load(&ring->tail) == position << 1)
            lose(turn, ring, behind, word);
        return true;
    }
    if (word == unowned(lap - ring->stride, YN_CELL_SKIP) && atomic_load(&ring->head) > behind) {
        help(&yn_ring_cell(ring, position)->word, word, unowned(lap, YN_CELL_FREE));
        return true;
    }
    /* What it holds is the oldest there is. If that is no message, passing the front frees it. */
    uint64_t front;
    yn_ring_front(turn, ring, &front);
    return atomic_load(&yn_ring_cell(ring, position)->word) != word;
}

/* One look at the back. -1: something has moved, or was moved: look again. */
static int look_at_back(yn_turn *turn, yn_ring_shared *ring, uint64_t *position)
{
    uint64_t tail = atomic_load(&ring->tail), lap = yn_ring_lap(ring, tail >> 1);
    yn_cell_shared *cell = yn_ring_cell(ring, tail >> 1);
    uint64_t head = 0, word = atomic_load(&cell->word), free = unowned(lap, YN_CELL_FREE);
    *position = tail >> 1;
    if (tail & 1)
        return YN_RING_SHUT;
    if (word != free) {
        head = atomic_load(&ring->head); /* before the word */
        word = atomic_load(&cell->word);
    }
    if (word == free)
        return YN_RING_DONE;
    bool reserved = (word & YN_CELL_STATE) == YN_CELL_RESERVED;
    bool here = word & YN_CELL_OWNED ? reserved && head + ring->stride > *position : word >> 4 >= lap;
    if (here) /* somebody has reserved it: the tail is behind */
        help(&ring->tail, tail, yn_ring_next(ring, *position) << 1);
    else if (atomic_load(&ring->tail) == tail && !clear_way(turn, ring, *position, word))
        return YN_RING_WAIT;
    return -1;
}

yn_ring_result yn_ring_back(yn_turn *turn, yn_ring_shared *ring, uint64_t *position)
{
    int r;
    do
        r = look_at_back(turn, ring, position);
    while (r < 0);
    return (yn_ring_result)r;
}

yn_ring_result yn_ring_reserve(yn_turn *turn, yn_ring_shared *ring)
{
    for (;;) {
        uint64_t position;
        yn_ring_result r = yn_ring_back(turn, ring, &position);
        if (r != YN_RING_DONE || yn_ring_reserve_at_once(turn->me->claim, ring, &turn->hold))
            return r;
    }
}

/* The oldest position that is not over and done with. */
static uint64_t oldest(yn_ring_shared *ring, uint64_t tail)
{
    return tail >= ring->start + ring->stride ? tail - ring->stride : ring->start;
}

/* The oldest cell that a dead process has taken. All taken cells lie between a lap before the tail, and the head. */
static bool find_orphan(yn_turn *turn, yn_ring_shared *ring, uint64_t *position, uint64_t *word)
{
    uint64_t tail = atomic_load(&ring->tail) >> 1, head = atomic_load(&ring->head);
    uint64_t p = oldest(ring, tail);
    for (; p <= head; p = yn_ring_next(ring, p)) {
        yn_cell_shared *cell = yn_ring_cell(ring, p);
        uint64_t found = atomic_load(&cell->word);
        if ((found & YN_CELL_STATE) != YN_CELL_TAKEN || !owner_is_dead(turn, found))
            continue;
        if ((atomic_load(&cell->info) & YN_RING_MARK) != yn_ring_mark(ring, p))
            continue; /* a lap further on, where we shall meet it, or gone */
        *position = p;
        *word = found;
        return true;
    }
    return false;
}

yn_ring_result yn_ring_inherit(yn_turn *turn, yn_ring_shared *ring)
{
    uint64_t position, word;
    while (find_orphan(turn, ring, &position, &word)) {
        if (ring->lose) {
            lose(turn, ring, position, word);
            continue;
        }
        yn_cell_shared *cell = yn_ring_cell(ring, position);
        turn->size = atomic_load(&cell->info) >> 24;
        if (turn->looks) {
            turn->hold = (yn_hold){ring, cell, position};
            turn->seen = word;
            return YN_RING_DONE;
        }
        if (turn->size > turn->limit && atomic_load(&cell->word) == word)
            return YN_RING_LARGE;
        if (!swap(&cell->word, word, turn->me->claim | YN_CELL_TAKEN))
            continue;
        help(&ring->head, position, yn_ring_next(ring, position));
        atomic_fetch_add(&ring->tally->redelivered, 1);
        turn->hold = (yn_hold){ring, cell, position};
        return YN_RING_DONE;
    }
    return YN_RING_WAIT;
}

uint64_t yn_ring_count_orphans(yn_turn *turn, yn_ring_shared *ring)
{
    uint64_t count = 0, position, word;
    if (ring->lose) {
        yn_ring_inherit(turn, ring);
        return 0;
    }
    if (!find_orphan(turn, ring, &position, &word))
        return 0;
    for (uint64_t head = atomic_load(&ring->head); position <= head; position = yn_ring_next(ring, position)) {
        yn_cell_shared *cell = yn_ring_cell(ring, position);
        word = atomic_load(&cell->word);
        count += (word & YN_CELL_STATE) == YN_CELL_TAKEN && owner_is_dead(turn, word) &&
                 (atomic_load(&cell->info) & YN_RING_MARK) == yn_ring_mark(ring, position);
    }
    return count;
}

yn_ring_result yn_ring_run(yn_turn *turn, yn_ring_shared *ring, uint64_t *position, uint64_t *skips)
{
    /* The hint is read before the flaw: whoever raised it past a SKIP saw the flaw. */
    uint64_t p = *position, ripe = atomic_load(&ring->ripe);
    if (ripe > p && !atomic_load(&ring->flawed))
        p = ripe;
    for (;;) {
        uint64_t tail = atomic_load(&ring->tail), lap = yn_ring_lap(ring, p);
        uint64_t word = atomic_load(&yn_ring_cell(ring, p)->word);
        *position = p;
        if (p >= tail >> 1) {
            raise_to(&ring->ripe, p);
            return tail & 1 ? YN_RING_SHUT : YN_RING_WAIT;
        }
        /* Of a later lap, once the head has passed: not to be repaired here, so not to be waited for either. */
        if ((word & YN_CELL_STATE) == YN_CELL_RESERVED && atomic_load(&ring->head) <= p) {
            if (repair_reserved(turn, ring, p, word))
                continue;
            if (atomic_load(&ring->head) <= p) {
                raise_to(&ring->ripe, p);
                return YN_RING_WAIT;
            }
        }
        /* Passed already: where getters have yet to come, a SKIP, by somebody who needed its cell. */
        bool passed = atomic_load(&ring->flawed) && atomic_load(&ring->head) > p;
        *skips += passed || word == unowned(lap, YN_CELL_SKIP);
        p = yn_ring_next(ring, p);
    }
}

bool yn_ring_is_spent(yn_turn *turn, yn_ring_shared *ring)
{
    uint64_t head = atomic_load(&ring->head), tail = atomic_load(&ring->tail) >> 1;
    if (head != tail)
        return false;
    for (uint64_t i = 0; i < ring->count; i++) {
        yn_cell_shared *cell = yn_ring_cell(ring, i);
        uint64_t word = atomic_load_explicit(&cell->word, memory_order_acquire);
        if (!(word & YN_CELL_OWNED))
            continue;
        /* Reservations that came too late, and died before they could be taken back, are at the tail and after it. */
        uint64_t late = yn_ring_lap(ring, tail) + i + (i < (tail & (ring->stride - 1)) ? ring->stride : 0);
        if ((word & YN_CELL_STATE) != YN_CELL_RESERVED || !repair_reserved(turn, ring, late, word) ||
            (atomic_load(&cell->word) & YN_CELL_OWNED))
            return false;
    }
    return true;
}

void yn_ring_drop(yn_self *me, yn_ring_shared *ring)
{
    uint64_t tail = atomic_load(&ring->tail) >> 1;
    for (uint64_t p = oldest(ring, tail); p < tail; p = yn_ring_next(ring, p)) {
        yn_cell_shared *cell = yn_ring_cell(ring, p);
        uint64_t word = atomic_load(&cell->word);
        bool holds = word == unowned(yn_ring_lap(ring, p), YN_CELL_READY) || (word & YN_CELL_OWNED);
        if (holds)
            yn_heap_free(me, block_of(ring, cell, yn_ring_lap(ring, p)));
    }
}
