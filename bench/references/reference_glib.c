/* GLib's GHashTable, in its fastest form: a number is its own pointer, a text stands elsewhere and is only pointed to.
 * Must never copy a key: it would measure malloc.
 * Read next: ../lib/entries.h. */
#include <glib.h>

#include "../lib/entries.h"

static GHashTable *table;

static gpointer key_of(enum bench_keys keys, const struct bench_key *key)
{
    return keys == BENCH_KEYS_INT ? (gpointer)(uintptr_t)key->number : (gpointer)(uintptr_t)key->text;
}

static void open_map(enum bench_keys keys)
{
    table = keys == BENCH_KEYS_INT ? g_hash_table_new(g_direct_hash, g_direct_equal)
                                   : g_hash_table_new(g_str_hash, g_str_equal);
}

static void set(enum bench_keys keys, const struct bench_key *key, uint64_t value)
{
    g_hash_table_insert(table, key_of(keys, key), (gpointer)(uintptr_t)value);
}

static uint64_t get(enum bench_keys keys, const struct bench_key *key)
{
    gpointer value;
    if (!g_hash_table_lookup_extended(table, key_of(keys, key), NULL, &value))
        bench_wrong("an entry is missing");
    return (uint64_t)(uintptr_t)value;
}

static void close_map(enum bench_keys keys)
{
    (void)keys;
    g_hash_table_destroy(table);
}

static const struct bench_map map = {open_map, set, get, close_map};

#include "../peers/entries_serve.h"

int main(void)
{
    return entries_serve();
}
