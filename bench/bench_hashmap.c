/* Benchmark: a dict got from and set by one process, beside hash maps of one process alone; by two; and beside
 * Python's. Must never leave a value unread. Read next: lib/entries.h, what is done; references/reference_absl.cpp and
 * its neighbours. */
#include <yunta/yunta.h>

#include "expect.h"
#include "lib/aside.h"
#include "lib/bench.h"
#include "lib/contest.h"
#include "lib/entries.h"
#include "lib/row.h"

static yunta_dict *dict;

static void open_map(enum bench_keys keys)
{
    yunta_dict_options options = {.value_size = sizeof(uint64_t),
                                  .key_size = keys == BENCH_KEYS_INT ? sizeof(uint64_t) : 0};
    expect(yunta_dict_create(&dict, &options), 0, "yunta_dict_create");
}

static void close_map(enum bench_keys keys)
{
    (void)keys;
    dict = yunta_dict_destroy(dict);
}

__attribute__((always_inline)) static inline const void *bytes_of(enum bench_keys keys, const struct bench_key *key)
{
    return keys == BENCH_KEYS_INT ? (const void *)&key->number : key->text;
}

__attribute__((always_inline)) static inline size_t size_of(enum bench_keys keys, const struct bench_key *key)
{
    return keys == BENCH_KEYS_INT ? sizeof key->number : key->size;
}

static inline void set(enum bench_keys keys, const struct bench_key *key, uint64_t value)
{
    int r = yunta_dict_put(dict, bytes_of(keys, key), size_of(keys, key), &value, sizeof value);
    if (r != 0)
        expect(r, 0, "yunta_dict_put");
}

static inline uint64_t get(enum bench_keys keys, const struct bench_key *key)
{
    uint64_t value;
    int r = yunta_dict_get(dict, bytes_of(keys, key), size_of(keys, key), &value, sizeof value, NULL);
    if (r != 0)
        expect(r, 0, "yunta_dict_get");
    return value;
}

static const struct bench_map map = {open_map, set, get, close_map};

enum {
    MIXED = 1000000, /* calls of one process, of which … */
    SET_EVERY = 20   /* … one in so many sets, the others get */
};

/* One in `SET_EVERY` sets; each process goes its own way through the keys. */
static void mix(enum bench_keys keys, uint64_t entries, uint64_t way)
{
    for (int i = 0; i < MIXED; i++) {
        uint64_t which = bench_entry_draw(&way, entries);
        if (i % SET_EVERY == 0)
            bench_entry_set(&map, keys, which, (uint64_t)i);
        else
            bench_entry_get(&map, keys, which, MIXED);
    }
}

/* The same with neither lock nor look: what no map that is shared can do without, a line fetched from the other. */
static void mix_bare(uint64_t *cells, uint64_t entries, uint64_t way)
{
    uint64_t sum = 0;
    for (int i = 0; i < MIXED; i++) {
        volatile uint64_t *cell = &cells[2 * bench_entry_draw(&way, entries)];
        if (i % SET_EVERY == 0)
            *cell = (uint64_t)i;
        else
            sum += *cell;
    }
    expect(sum < (uint64_t)MIXED * MIXED, 1, "the sum of values below MIXED");
}

struct scene {
    yunta_dict *dict[2]; /* each one's */
    uint64_t *cells;     /* instead of dicts, or NULL */
    struct bench_contest *contest;
    uint64_t entries;
    enum bench_keys keys;
};

static void mix_as(const struct scene *scene, int who)
{
    dict = scene->dict[who];
    if (scene->cells)
        mix_bare(scene->cells, scene->entries, (uint64_t)who + 1);
    else
        mix(scene->keys, scene->entries, (uint64_t)who + 1);
}

static void mix_together(const struct scene *scene, int who)
{
    struct bench_party *party = bench_contest_begin(scene->contest, who);
    mix_as(scene, who);
    bench_contest_end(scene->contest, party);
}

static int be_the_other(const struct scene *scene)
{
    mix_together(scene, 1);
    return 0;
}
YUNTA_ENTRY(be_the_other, struct scene);

/* ns a call of either. */
static double by_two(struct scene *scene)
{
    yunta_process *other;
    scene->contest = yunta_shared(struct bench_contest, 1);
    expect(scene->contest != NULL, 1, "yunta_shared");
    expect(yunta_start(&other, be_the_other, scene, NULL), 0, "yunta_start");
    mix_together(scene, 0);
    expect(yunta_process_join(other, YUNTA_FOREVER), 0, "yunta_process_join");
    double ns = bench_contest_time(scene->contest);
    yunta_process_destroy(other);
    yunta_shared_free(scene->contest);
    return ns / (2.0 * MIXED);
}

static double by_one(const struct scene *scene)
{
    int64_t begin = bench_now();
    mix_as(scene, 0);
    return (double)(bench_now() - begin) / MIXED;
}

enum { ABSL, KHASH, GLIB, MANAGER, PEERS };
static struct peer {
    const char *name, *program, *absent;
    double most; /* times the peer's cost; 0: told only */
    struct bench_aside aside;
} peers[PEERS] = {
    [ABSL] = {.name = "absl flat_hash_map",
              .program = "reference_absl",
              .absent = BENCH_HAS_ABSL ? NULL : "no libabsl-dev"},
    [KHASH] = {.name = "khash",
               .program = "reference_khash",
               .absent = BENCH_HAS_KHASH ? NULL : "no libhts-dev",
               .most = 3},
    [GLIB] = {.name = "GHashTable",
              .program = "reference_glib",
              .absent = BENCH_HAS_GLIB ? NULL : "no libglib2.0-dev",
              .most = 3},
    [MANAGER] = {.name = "Manager().dict()",
                 .program = "reference_manager.py",
                 .absent = BENCH_HAS_PYTHON ? NULL : "no python3",
                 .most = 0.01},
};

enum mixes { AT_ONE, APART, BARE, MIXES }; /* two processes at one dict, each at its own, at bare words */

static const struct contest {
    enum bench_keys keys;
    const char *measure, *metric[BENCH_ENTRY_FIGURES], *mixed[MIXES][2];
} contests[BENCH_KEYS] = {
    {BENCH_KEYS_INT,
     "entries int",
     {"get_int_1000", "set_int_1000", "get_int_100000", "set_int_100000"},
     {{"by_2_int_1000", "by_2_int_100000"},
      {"apart_int_1000", "apart_int_100000"},
      {"bare_by_2_1000", "bare_by_2_100000"}}},
    {BENCH_KEYS_TEXT,
     "entries text",
     {"get_text_1000", "set_text_1000", "get_text_100000", "set_text_100000"},
     {{"by_2_text_1000", "by_2_text_100000"}, {"apart_text_1000", "apart_text_100000"}}},
};

/* Python's has a thousand entries: it costs the same with more. */
static bool is_compared(int figure, int p)
{
    return p != MANAGER || figure == BENCH_GET_FEW || figure == BENCH_SET_FEW;
}

static void compare(const struct contest *c, struct bench_row rows[BENCH_ENTRY_FIGURES][PEERS])
{
    double own[BENCH_ENTRY_FIGURES];
    bench_entries(&map, c->keys, own);
    for (int p = 0; p < PEERS; p++) {
        struct bench_figures figures = {{0}};
        if (!peers[p].absent)
            figures = bench_aside_run(&peers[p].aside, c->measure);
        for (int f = 0; f < BENCH_ENTRY_FIGURES; f++) {
            if (peers[p].absent)
                bench_row_add_own(&rows[f][p], own[f]);
            else if (is_compared(f, p))
                bench_row_add(&rows[f][p], own[f], figures.value[f]);
        }
    }
}

static void compare_mixed(const struct contest *c, struct bench_row rows[MIXES][2])
{
    static const uint64_t entries[2] = {BENCH_ENTRIES_FEW, BENCH_ENTRIES_MANY};
    for (int i = 0; i < 2; i++) {
        struct scene scene = {.entries = entries[i], .keys = c->keys};
        bench_entries_fill(&map, c->keys, entries[i]);
        scene.dict[1] = dict;
        bench_entries_fill(&map, c->keys, entries[i]);
        scene.dict[0] = dict;
        double one = by_one(&scene);
        bench_row_add(&rows[APART][i], by_two(&scene), one);
        yunta_dict_destroy(scene.dict[1]);
        scene.dict[1] = scene.dict[0];
        bench_row_add(&rows[AT_ONE][i], by_two(&scene), one);
        map.close(c->keys);
        if (c->mixed[BARE][i]) {
            scene.cells = yunta_shared(uint64_t, 2 * entries[i]);
            expect(scene.cells != NULL, 1, "yunta_shared");
            one = by_one(&scene);
            bench_row_add(&rows[BARE][i], by_two(&scene), one);
            yunta_shared_free(scene.cells);
        }
    }
}

/* All rounds of one kind of key, and its rows. */
static void report(const struct contest *c)
{
    struct bench_row rows[BENCH_ENTRY_FIGURES][PEERS], all[BENCH_ENTRY_FIGURES * PEERS];
    struct bench_row mixed[MIXES][2];
    size_t count = 0;
    for (int f = 0; f < BENCH_ENTRY_FIGURES; f++)
        for (int p = 0; p < PEERS; p++) {
            rows[f][p] = peers[p].most > 0 ? bench_cost("hashmap", c->metric[f], "ns", peers[p].name, peers[p].most)
                                           : bench_told("hashmap", c->metric[f], "ns", peers[p].name);
            rows[f][p].absent = peers[p].absent;
        }
    for (int i = 0; i < 2; i++) {
        mixed[AT_ONE][i] = bench_cost("hashmap", c->mixed[AT_ONE][i], "ns", "one process", 1 / 1.5);
        for (int m = APART; m < MIXES; m++)
            mixed[m][i] = bench_told("hashmap", c->mixed[m][i], "ns", "one process");
    }
    for (size_t i = bench_rounds(11); i > 0; i--) {
        compare(c, rows);
        compare_mixed(c, mixed);
    }
    for (int f = 0; f < BENCH_ENTRY_FIGURES; f++)
        for (int p = 0; p < PEERS; p++)
            if (is_compared(f, p))
                all[count++] = rows[f][p];
    bench_report(all, count);
    for (int m = 0; m < MIXES; m++)
        if (c->mixed[m][0])
            bench_report(mixed[m], BENCH_COUNT(mixed[m]));
}

int main(int argc, char **argv)
{
    expect(yunta_init(argc, argv), 0, "yunta_init");
    bench_keys_prepare();
    for (int p = 0; p < PEERS; p++)
        if (!peers[p].absent)
            bench_aside_start(&peers[p].aside, peers[p].program);
    for (enum bench_keys keys = 0; keys < BENCH_KEYS; keys++)
        report(&contests[keys]);
    for (int p = 0; p < PEERS; p++)
        if (!peers[p].absent)
            bench_aside_stop(&peers[p].aside);
    return 0;
}
