/* khash, a hash map in a header, compiled for its types of key.
 * Must never copy a key: it would measure malloc.
 * Read next: ../lib/entries.h. */
#include <htslib/khash.h>

#include "../lib/entries.h"

KHASH_MAP_INIT_INT64(numbers, uint64_t)
KHASH_MAP_INIT_STR(texts, uint64_t)

static khash_t(numbers) * numbers;
static khash_t(texts) * texts;

static void open_map(enum bench_keys keys)
{
    if (keys == BENCH_KEYS_INT)
        numbers = kh_init(numbers);
    else
        texts = kh_init(texts);
}

static void set(enum bench_keys keys, const struct bench_key *key, uint64_t value)
{
    int result;
    if (keys == BENCH_KEYS_INT) {
        khiter_t place = kh_put(numbers, numbers, key->number, &result);
        kh_value(numbers, place) = value;
    } else {
        khiter_t place = kh_put(texts, texts, key->text, &result);
        kh_value(texts, place) = value;
    }
    if (result < 0)
        bench_wrong("khash has no memory");
}

static uint64_t get(enum bench_keys keys, const struct bench_key *key)
{
    if (keys == BENCH_KEYS_INT) {
        khiter_t place = kh_get(numbers, numbers, key->number);
        if (place != kh_end(numbers))
            return kh_value(numbers, place);
    } else {
        khiter_t place = kh_get(texts, texts, key->text);
        if (place != kh_end(texts))
            return kh_value(texts, place);
    }
    bench_wrong("an entry is missing");
}

static void close_map(enum bench_keys keys)
{
    if (keys == BENCH_KEYS_INT)
        kh_destroy(numbers, numbers);
    else
        kh_destroy(texts, texts);
}

static const struct bench_map map = {open_map, set, get, close_map};

#include "../peers/entries_serve.h"

int main(void)
{
    return entries_serve();
}
