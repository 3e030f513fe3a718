/* Bytes: hashing, comparing and copying what may be freed and used anew at the same moment.
 *
 * A reader that takes no lock copies first and asks afterwards whether what it copied was still there (guard.h). Until
 * then the bytes may be anything, and may be anybody's. */
#ifndef YN_BYTES_H
#define YN_BYTES_H

#include "base/base.h"

__extension__ typedef unsigned __int128 yn_wide;

static inline uint64_t yn_fold(uint64_t a, uint64_t b)
{
    yn_wide product = (yn_wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t yn_load_64(const unsigned char *p)
{
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

static inline uint64_t yn_load_32(const unsigned char *p)
{
    uint32_t word;
    memcpy(&word, p, 4);
    return word;
}

/* Any bytes to 64, by multiplying and folding, as wyhash does. Each factor has a part of the seed in it: nobody who
 * does not know that can choose keys that collide. */
static inline uint64_t yn_hash(const void *key, size_t size, uint64_t seed)
{
    const unsigned char *p = key;
    uint64_t a, b, h = (seed << 32 | seed >> 32) ^ (uint64_t)size * UINT64_C(0xa0761d6478bd642f);
    for (; size > 16; size -= 16, p += 16)
        h = yn_fold(yn_load_64(p) ^ seed, yn_load_64(p + 8) ^ h);
    if (size >= 8) {
        a = yn_load_64(p);
        b = yn_load_64(p + size - 8);
    } else if (size >= 4) {
        a = yn_load_32(p);
        b = yn_load_32(p + size - 4);
    } else {
        a = size > 0 ? (uint64_t)p[0] << 16 | (uint64_t)p[size / 2] << 8 | p[size - 1] : 0;
        b = 0;
    }
    return yn_fold(yn_fold(a ^ seed, b ^ h) ^ h, UINT64_C(0x589965cc75374cc3));
}

/* Keys of up to 8 bytes: their hash is another number of 64 bits, of which they can be had back. The upper bits of the
 * product say how often two keys can meet: whatever keys somebody chooses who does not know the factors, not more often
 * than by chance. */
typedef struct yn_hash_seed {
    uint64_t start;
    uint64_t factor[2]; /* odd */
} yn_hash_seed;

static inline yn_hash_seed yn_hash_seed_make(uint64_t seed)
{
    uint64_t first = yn_fold(seed ^ UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xe7037ed1a0b428db));
    uint64_t second = yn_fold(first ^ UINT64_C(0x8ebc6af09c88c6e3), UINT64_C(0x1d8e4e27c47d124f));
    return (yn_hash_seed){seed, {first | 1, second | 1}};
}

static inline uint64_t yn_hash_word(uint64_t key, const yn_hash_seed *seed)
{
    uint64_t h = (key ^ seed->start) * seed->factor[0];
    h = (h ^ h >> 32) * seed->factor[1];
    return h ^ h >> 32;
}

/* By Newton's method: each step doubles the bits that are right, of which an odd number has three to begin with. */
static inline uint64_t yn_divide(uint64_t product, uint64_t factor)
{
    uint64_t inverse = factor;
    for (int i = 0; i < 5; i++)
        inverse *= 2 - factor * inverse;
    return product * inverse;
}

static inline uint64_t yn_hash_undo(uint64_t h, const yn_hash_seed *seed)
{
    h = yn_divide(h ^ h >> 32, seed->factor[1]);
    return yn_divide(h ^ h >> 32, seed->factor[0]) ^ seed->start;
}

/* Up to 8 bytes as a number, of which they are the lower ones, and back. */
static inline uint64_t yn_load_short(const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    if (size == 8)
        return yn_load_64(p);
    if (size == 4)
        return yn_load_32(p);
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++)
        word |= (uint64_t)p[i] << 8 * i;
    return word;
}

static inline void yn_store_short(void *bytes, size_t size, uint64_t word)
{
    unsigned char *p = bytes;
    uint32_t half = (uint32_t)word;
    if (size == 8)
        memcpy(p, &word, 8);
    else if (size == 4)
        memcpy(p, &half, 4);
    else
        for (size_t i = 0; i < size; i++)
            p[i] = (unsigned char)(word >> 8 * i);
}

#if defined(YN_THREAD_SANITIZER)
/* Seen by it, the calls below would be races, which they are. */
YN_RACES_INLINE void yn_bytes_copy(void *to, const void *from, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)to)[i] = ((const volatile unsigned char *)from)[i];
}

YN_RACES_INLINE bool yn_bytes_equal(const void *theirs, const void *ours, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((const unsigned char *)ours)[i] != ((const volatile unsigned char *)theirs)[i])
            return false;
    return true;
}
#else
/* A call of memcpy costs as much as all the rest of a short copy. */
static inline void yn_bytes_copy(void *to, const void *from, size_t size)
{
    if (size == 8)
        memcpy(to, from, 8);
    else if (size == 4)
        memcpy(to, from, 4);
    else if (size > 0)
        memcpy(to, from, size);
}

static inline bool yn_bytes_equal(const void *theirs, const void *ours, size_t size)
{
    if (size == 8)
        return yn_load_64(theirs) == yn_load_64(ours);
    if (size == 4)
        return yn_load_32(theirs) == yn_load_32(ours);
    return size == 0 || memcmp(theirs, ours, size) == 0;
}
#endif

#endif
