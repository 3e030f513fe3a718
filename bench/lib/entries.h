/* Entries of a hash map, got and set by whoever is measured: the same work for yunta's dict and for each peer.
 *
 * All of it is inlined into who includes this, so that `map`, which is to be a static const, is called directly. Keys
 * are numbers of 8 bytes, or texts of 6 to 13; values are numbers of 8 bytes. Each value says which key it belongs to,
 * and is looked at. */
#ifndef BENCH_ENTRIES_H
#define BENCH_ENTRIES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bench.h"

enum {
    BENCH_ENTRIES_FEW = 1000, /* with keys and values they fit the caches next to the processor */
    BENCH_ENTRIES_MANY = 100000,
    BENCH_ENTRY_CALLS = 200000, /* of get or set in a batch, with keys in no order … */
    BENCH_ENTRY_BATCHES = 3     /* … of so many */
};

enum bench_keys { BENCH_KEYS_INT, BENCH_KEYS_TEXT, BENCH_KEYS };

struct bench_key {
    uint64_t number;
    const char *text; /* ends with 0 */
    size_t size;      /* of the text, without it */
};

struct bench_map {
    void (*open)(enum bench_keys keys); /* an empty map, in the place of the last one */
    void (*set)(enum bench_keys keys, const struct bench_key *key, uint64_t value);
    uint64_t (*get)(enum bench_keys keys, const struct bench_key *key);
    void (*close)(enum bench_keys keys);
};

/* One measure's figures, ns a call. */
enum { BENCH_GET_FEW, BENCH_SET_FEW, BENCH_GET_MANY, BENCH_SET_MANY, BENCH_ENTRY_FIGURES };

/* Texts are made once, and stand side by side: 15 bytes and their size. */
static inline char (*bench_texts(void))[16]
{
    static char texts[BENCH_ENTRIES_MANY][16];
    return texts;
}

static inline void bench_keys_prepare(void)
{
    for (uint32_t i = 0; i < BENCH_ENTRIES_MANY; i++) {
        char *text = bench_texts()[i];
        text[15] = (char)snprintf(text, 15, i % 2 ? "user-%u" : "session:%u", i);
    }
}

static inline uint64_t bench_key_number(uint64_t i)
{
    i = (i ^ i >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    i = (i ^ i >> 27) * UINT64_C(0x94d049bb133111eb);
    return i ^ i >> 31;
}

__attribute__((always_inline)) static inline struct bench_key bench_key_of(enum bench_keys keys, uint64_t i)
{
    struct bench_key key = {i, NULL, 0};
    if (keys == BENCH_KEYS_TEXT) {
        key.text = bench_texts()[i];
        key.size = (size_t)key.text[15];
    } else {
        key.number = bench_key_number(i + 1);
    }
    return key;
}

/* Which entry comes next. */
static inline uint64_t bench_entry_draw(uint64_t *state, uint64_t entries)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*state >> 33) * entries >> 31;
}

/* What entry i is given at a time: its own number, and the time. */
static inline uint64_t bench_entry_value(uint64_t i, uint64_t time)
{
    return i << 32 | time;
}

__attribute__((always_inline)) static inline void bench_entry_set(const struct bench_map *map, enum bench_keys keys,
                                                                  uint64_t i, uint64_t time)
{
    struct bench_key key = bench_key_of(keys, i);
    map->set(keys, &key, bench_entry_value(i, time));
}

__attribute__((always_inline)) static inline void bench_entry_get(const struct bench_map *map, enum bench_keys keys,
                                                                  uint64_t i, uint64_t time)
{
    struct bench_key key = bench_key_of(keys, i);
    uint64_t value = map->get(keys, &key);
    if (value - bench_entry_value(i, 0) > time)
        bench_wrong("entry %llu holds %llx", (unsigned long long)i, (unsigned long long)value);
}

__attribute__((always_inline)) static inline void bench_entries_fill(const struct bench_map *map, enum bench_keys keys,
                                                                     uint64_t entries)
{
    map->open(keys);
    for (uint64_t i = 0; i < entries; i++)
        bench_entry_set(map, keys, i, 0);
}

__attribute__((always_inline)) static inline double bench_entries_set(const struct bench_map *map, enum bench_keys keys,
                                                                      uint64_t entries)
{
    double each[BENCH_ENTRY_BATCHES];
    uint64_t state = 1;
    for (uint64_t b = 0; b < BENCH_ENTRY_BATCHES; b++) {
        int64_t begin = bench_now();
        for (int i = 0; i < BENCH_ENTRY_CALLS; i++)
            bench_entry_set(map, keys, bench_entry_draw(&state, entries), b);
        each[b] = (double)(bench_now() - begin) / BENCH_ENTRY_CALLS;
    }
    return bench_median(each, BENCH_ENTRY_BATCHES);
}

__attribute__((always_inline)) static inline double bench_entries_get(const struct bench_map *map, enum bench_keys keys,
                                                                      uint64_t entries)
{
    double each[BENCH_ENTRY_BATCHES];
    uint64_t state = 2;
    for (int b = 0; b < BENCH_ENTRY_BATCHES; b++) {
        int64_t begin = bench_now();
        for (int i = 0; i < BENCH_ENTRY_CALLS; i++)
            bench_entry_get(map, keys, bench_entry_draw(&state, entries), BENCH_ENTRY_BATCHES);
        each[b] = (double)(bench_now() - begin) / BENCH_ENTRY_CALLS;
    }
    return bench_median(each, BENCH_ENTRY_BATCHES);
}

/* All figures of a map: BENCH_GET_FEW … */
__attribute__((always_inline)) static inline void bench_entries(const struct bench_map *map, enum bench_keys keys,
                                                                double *figures)
{
    bench_entries_fill(map, keys, BENCH_ENTRIES_FEW);
    figures[BENCH_SET_FEW] = bench_entries_set(map, keys, BENCH_ENTRIES_FEW);
    figures[BENCH_GET_FEW] = bench_entries_get(map, keys, BENCH_ENTRIES_FEW);
    map->close(keys);
    bench_entries_fill(map, keys, BENCH_ENTRIES_MANY);
    figures[BENCH_SET_MANY] = bench_entries_set(map, keys, BENCH_ENTRIES_MANY);
    figures[BENCH_GET_MANY] = bench_entries_get(map, keys, BENCH_ENTRIES_MANY);
    map->close(keys);
}

#endif
