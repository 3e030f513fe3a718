/* A team without the process layer: an arena and slots made by hand, so that one test has as many teams, members and
 * deaths as it likes, and nobody else does anything in them. */
#ifndef YUNTA_BARE_TEAM_H
#define YUNTA_BARE_TEAM_H

#include "test.h"

#include "shm/heap.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct bare_team {
    yn_arena_shared *arena;
    int fd;
} bare_team;

static inline void bare_team_make(bare_team *team, uint64_t limit)
{
    ck_assert_int_eq(yn_arena_create(&team->arena, &team->fd, limit), 0);
    ck_assert_int_eq(yn_heap_create(team->arena, team->fd), 0);
}

static inline void bare_team_drop(bare_team *team)
{
    if (!team->arena)
        return;
    munmap(team->arena, team->arena->limit);
    close(team->fd);
    team->arena = NULL;
}

static inline yn_self bare_team_join(bare_team *team)
{
    int error;
    yn_self me = {.arena = team->arena, .arena_fd = team->fd};
    me.claim = yn_slot_take(team->arena, team->fd, 0, &error);
    ck_assert_msg(me.claim != 0, "no slot: %d", error);
    me.slot = yn_slot_at(&team->arena->slots, yn_claim_slot(me.claim));
    ck_assert(yn_slot_go_live(&team->arena->slots, me.claim));
    return me;
}

/* What the watch does when a process has died. */
static inline void bare_team_bury(bare_team *team, const yn_self *dead)
{
    ck_assert(yn_slot_declare_dead(&team->arena->slots, dead->claim));
    atomic_fetch_add(&team->arena->deaths, 1);
    yn_slot_free(&team->arena->slots, dead->claim);
}

/* As ck_assert, for what is checked very often: Check notes each of its own assertions in a file. */
#define must(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            ck_abort_msg("%s:%d: %s does not hold", __FILE__, __LINE__, #condition);                                   \
    } while (0)

/* Blocks that are known to be allocated: filled with what their address says, so that one handed out twice shows. */
typedef struct known_block {
    unsigned char *start;
    size_t size;
} known_block;

typedef struct known_blocks {
    size_t count, capacity;
    known_block *block;
} known_blocks;

static inline unsigned char known_byte(const known_block *block)
{
    return (unsigned char)((uintptr_t)block->start >> 6 ^ block->size ^ 0x5a);
}

/* Large blocks are marked in places only: their ends, and one byte in each page. */
static inline size_t known_step(const known_block *block, size_t at)
{
    return block->size <= 8192 || at + 8192 >= block->size ? 1 : 4096;
}

static inline void known_add(known_blocks *known, void *start, size_t size)
{
    must(known->count < known->capacity);
    known_block *block = &known->block[known->count++];
    *block = (known_block){start, size};
    for (size_t at = 0; at < size; at += known_step(block, at))
        block->start[at] = known_byte(block);
}

static inline void known_check(const known_block *block)
{
    for (size_t at = 0; at < block->size; at += known_step(block, at))
        must(block->start[at] == known_byte(block)); /* else somebody else has it too */
}

/* Checks and forgets block number `i`; its memory is the caller's to free. */
static inline void *known_remove(known_blocks *known, size_t i)
{
    known_check(&known->block[i]);
    void *start = known->block[i].start;
    known->block[i] = known->block[--known->count];
    return start;
}

static inline int known_order(const void *a, const void *b)
{
    const known_block *x = a, *y = b;
    return x->start < y->start ? -1 : x->start > y->start;
}

/* All are as they were left, and no two overlap. */
static inline void known_check_all(known_blocks *known)
{
    qsort(known->block, known->count, sizeof *known->block, known_order);
    for (size_t i = 0; i < known->count; i++) {
        known_check(&known->block[i]);
        must(i == 0 || known->block[i - 1].start + known->block[i - 1].size <= known->block[i].start);
    }
}

static inline uint64_t test_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

#endif
