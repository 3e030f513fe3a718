/* Tape: bytes in a circle of a power of two. A position counts all bytes there have been before it. */
#ifndef YN_TAPE_H
#define YN_TAPE_H

#include "base/base.h"

static inline void yn_tape_write(unsigned char *tape, uint64_t length, uint64_t position, const void *from, size_t size)
{
    uint64_t at = position & (length - 1);
    size_t first = size < length - at ? size : (size_t)(length - at);
    if (first > 0)
        memcpy(tape + at, from, first);
    if (first < size)
        memcpy(tape, (const unsigned char *)from + first, size - first);
}

static inline void yn_tape_read(const unsigned char *tape, uint64_t length, uint64_t position, void *to, size_t size)
{
    uint64_t at = position & (length - 1);
    size_t first = size < length - at ? size : (size_t)(length - at);
    if (first > 0)
        memcpy(to, tape + at, first);
    if (first < size)
        memcpy((unsigned char *)to + first, tape, size - first);
}

/* Whole words, written and read at the same time: who reads has to find out afterwards whether he has read what was
 * there. Positions and length are multiples of 8; the last word is filled up with zeros. */
static inline void yn_tape_store_words(uint64_t *tape, uint64_t length, uint64_t position, const void *from,
                                       size_t size)
{
    const unsigned char *bytes = from;
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = 0;
        if (YN_LIKELY(size - i >= 8))
            memcpy(&word, bytes + i, 8);
        else
            memcpy(&word, bytes + i, size - i);
        atomic_store_explicit((_Atomic uint64_t *)&tape[((position + i) & (length - 1)) / 8], word,
                              memory_order_relaxed);
    }
}

static inline void yn_tape_load_words(const uint64_t *tape, uint64_t length, uint64_t position, void *to, size_t size)
{
    unsigned char *bytes = to;
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = atomic_load_explicit((const _Atomic uint64_t *)&tape[((position + i) & (length - 1)) / 8],
                                             memory_order_relaxed);
        memcpy(bytes + i, &word, size - i >= 8 ? 8 : size - i);
    }
}

/* The length for a wanted capacity, or 0 if that is absurd. */
static inline uint64_t yn_tape_length(uint64_t capacity, uint64_t most)
{
    uint64_t length = 64;
    if (capacity > most)
        return 0;
    while (length < capacity)
        length *= 2;
    return length;
}

#endif
