/* Hashing: keys that are made to collide do not, and a hash of a short key leads back to it.
 * It must not rely on one seed: each dict has another.
 * Read next: src/data/bytes.h. */
#include "../proc/helpers.h"

#include "data/bytes.h"

/* All constants of the hash, as anybody can read them, and their halves turned round. */
static const uint64_t constants[] = {0,
                                     UINT64_C(0xa0761d6478bd642f),
                                     UINT64_C(0xe7037ed1a0b428db),
                                     UINT64_C(0x8ebc6af09c88c6e3),
                                     UINT64_C(0x589965cc75374cc3),
                                     UINT64_C(0x1d8e4e27c47d124f),
                                     UINT64_C(0x9e3779b97f4a7c15)};
static const uint64_t seeds[] = {0, 1, UINT64_C(0x123456789abcdef), UINT64_MAX, UINT64_C(0x8000000000000000)};
enum { MANY = 200 };

/* Keys of that size, with the same eight bytes at `at` and others elsewhere: two seldom have one hash. With a factor
 * that becomes nought they all have. */
static void hashes_differ(size_t size, size_t at, uint64_t same, uint64_t seed)
{
    uint64_t hash[MANY];
    for (uint64_t i = 0; i < MANY; i++) {
        unsigned char key[48];
        for (size_t k = 0; k < size; k++)
            key[k] = (unsigned char)(i * 7 + k);
        memcpy(key + at, &same, sizeof same);
        hash[i] = yn_hash(key, size, seed);
        for (uint64_t k = 0; k < i; k++)
            ck_assert_msg(hash[k] != hash[i], "keys of %zu bytes with %llx at %zu collide", size,
                          (unsigned long long)same, at);
    }
}

START_TEST(no_constant_makes_keys_collide)
{
    static const size_t sizes[] = {16, 24, 32, 40, 48};
    uint64_t seed = seeds[2];
    for (size_t s = 0; s < YN_COUNT(sizes); s++)
        for (size_t at = 0; at + 8 <= sizes[s]; at += 8)
            for (size_t c = 0; c < YN_COUNT(constants); c++)
                hashes_differ(sizes[s], at, constants[c], seed);
}
END_TEST

START_TEST(a_short_key_comes_back_from_its_hash)
{
    for (size_t s = 0; s < YN_COUNT(seeds); s++) {
        yn_hash_seed seed = yn_hash_seed_make(seeds[s]);
        ck_assert(seed.factor[0] % 2 == 1 && seed.factor[1] % 2 == 1);
        for (size_t c = 0; c < YN_COUNT(constants); c++)
            for (uint64_t i = 0; i < MANY; i++) {
                uint64_t key = constants[c] + i * i * i * i;
                ck_assert(yn_hash_undo(yn_hash_word(key, &seed), &seed) == key);
            }
    }
}
END_TEST

/* Whatever bits the keys differ in, tables are filled evenly: by the upper bits, and by those that choose the stripe.
 */
START_TEST(hashes_of_short_keys_spread)
{
    enum { keys = 4096, places = 64 };
    yn_hash_seed seed = yn_hash_seed_make(seeds[2]);
    for (unsigned shift = 0; shift <= 52; shift++) {
        int high[places] = {0}, low[places] = {0};
        for (uint64_t i = 0; i < keys; i++) {
            uint64_t hash = yn_hash_word(i << shift, &seed);
            high[hash >> 58]++;
            low[hash >> 1 & (places - 1)]++;
        }
        for (int p = 0; p < places; p++) {
            ck_assert_int_le(high[p], 3 * keys / places);
            ck_assert_int_le(low[p], 3 * keys / places);
        }
    }
}
END_TEST

START_TEST(short_keys_are_numbers)
{
    for (size_t size = 1; size <= 8; size++) {
        unsigned char key[8] = {1, 2, 3, 4, 5, 6, 7, 8}, back[9] = {0};
        yn_store_short(back, size, yn_load_short(key, size));
        ck_assert_mem_eq(back, key, size);
        ck_assert_int_eq(back[size], 0);
    }
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("bytes");
    TCase *cases = test_case(suite, "hashing");
    tcase_add_test(cases, no_constant_makes_keys_collide);
    tcase_add_test(cases, a_short_key_comes_back_from_its_hash);
    tcase_add_test(cases, hashes_of_short_keys_spread);
    tcase_add_test(cases, short_keys_are_numbers);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
