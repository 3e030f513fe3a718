// Abseil's flat_hash_map: entries stand in the table itself, and sixteen of them are looked at by one instruction.
// Must never make a string to look one up.
// Read next: ../lib/entries.h.
#include <absl/container/flat_hash_map.h>
#include <string>
#include <absl/strings/string_view.h>

extern "C" {
#include "../lib/entries.h"
}

static absl::flat_hash_map<uint64_t, uint64_t> numbers;
static absl::flat_hash_map<std::string, uint64_t> texts;

static void empty(enum bench_keys)
{
    numbers = absl::flat_hash_map<uint64_t, uint64_t>();
    texts = absl::flat_hash_map<std::string, uint64_t>();
}

static void set(enum bench_keys keys, const struct bench_key *key, uint64_t value)
{
    if (keys == BENCH_KEYS_INT)
        numbers[key->number] = value;
    else
        texts[absl::string_view(key->text, key->size)] = value;
}

static uint64_t get(enum bench_keys keys, const struct bench_key *key)
{
    if (keys == BENCH_KEYS_INT) {
        auto entry = numbers.find(key->number);
        if (entry != numbers.end())
            return entry->second;
    } else {
        auto entry = texts.find(absl::string_view(key->text, key->size));
        if (entry != texts.end())
            return entry->second;
    }
    bench_wrong("an entry is missing");
}

static const struct bench_map map = {empty, set, get, empty};

extern "C" {
#include "../peers/entries_serve.h"
}

int main()
{
    return entries_serve();
}
