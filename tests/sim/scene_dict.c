/* Dicts in the simulator: one whose entries are nodes, with values of several words, one whose entries stand in their
 * slots, and one whose words are keys. What a reader finds must have been there, whole, at some moment of its call,
 * whoever dies over whatever. Next: sim.h. */
#include "scenes.h"

#include "data/dict.h"

enum { writers = 2, readers = 1, keys = 9, filled = 5, turns = 4, ops = filled + (writers + readers) * turns };
enum { never = INT32_MAX };

/* A put or a removal: it happens at some moment between two moments of the book, if it is not dead in between. */
typedef struct op {
    uint32_t key, number; /* the value's; 0: removal */
    int begun, ended;
} op;

static yunta_dict *nodes, *slots, *words, *dict;
static op book[ops];
static int booked, now;
static bool wide; /* values of `nodes` are of three words */

/* Whoever looks at the book learns of what stands in it. */
static int moment(void)
{
    sim_meet();
    return ++now;
}

typedef struct value {
    uint64_t word[3];
} value;

static int put(uint32_t key, uint32_t number)
{
    uint64_t word = (uint64_t)key << 32 | number;
    size_t size = wide && dict == nodes && number % 3 != 0 ? sizeof(value) : sizeof word;
    return yunta_dict_put(dict, &key, sizeof key, &(value){{word, word, word}}, size);
}

/* The same seed is the same run; and all keys are to stand in one stripe. */
static void choose_seed(uint64_t seed)
{
    bool suits = false;
    for (; !suits; seed++) {
        dict->seed = yn_hash_seed_make(seed);
        suits = true;
        for (uint32_t key = 0; key <= keys; key++)
            suits = suits && yn_dict_key(dict, &key, sizeof key, dict->form).stripe == dict->stripe;
    }
}

static void make(yunta_dict **which, size_t value_size, size_t stripes)
{
    yunta_dict_options options = {.key_size = sizeof(uint32_t), .value_size = value_size, .stripes = stripes};
    sim_check(yunta_dict_create(which, &options) == 0);
    dict = *which;
    choose_seed(4711);
    for (uint32_t key = 0; key < filled; key++)
        sim_check(put(key, key + 1) == 0);
}

static void set_up(void)
{
    wide = true;
    make(&nodes, 0, 1);
    make(&slots, sizeof(uint64_t), 1);
    make(&words, sizeof(uint64_t), 2);
    sim_check(nodes->form == YN_IN_NODES && slots->form == YN_IN_SLOTS && words->form == YN_IN_WORDS);
}

static void begin(yunta_dict *which)
{
    dict = which;
    wide = !sim_one_in(3);
    now = 1;
    for (booked = 0; booked < filled; booked++)
        book[booked] = (op){(uint32_t)booked, (uint32_t)booked + 1, 0, 0};
}

static void begin_nodes(void)
{
    begin(nodes);
}

static void begin_slots(void)
{
    begin(slots);
}

static void begin_words(void)
{
    begin(words);
}

/* Whether op `i` can be what a call from `from` to `to` has seen last: no other one lies wholly between the two. Before
 * the first one is `i` -1: nothing is there. */
static bool may_be_last(uint32_t key, int i, int from, int to)
{
    int begun = i < 0 ? 0 : book[i].begun, ended = i < 0 ? -1 : book[i].ended;
    if (begun > to)
        return false;
    for (int k = 0; k < booked; k++)
        if (book[k].key == key && book[k].begun > ended && book[k].ended < from)
            return false;
    return true;
}

static void was_absent(uint32_t key, int from)
{
    bool may_be = key >= filled && may_be_last(key, -1, from, now);
    for (int i = 0; i < booked; i++)
        may_be |= book[i].key == key && book[i].number == 0 && may_be_last(key, i, from, now);
    if (!may_be)
        sim_fail(__FILE__, __LINE__, "key %u was not found", key);
}

static void had_value(uint32_t key, uint32_t number, int from)
{
    for (int i = 0; i < booked; i++)
        if (book[i].key == key && book[i].number == number && may_be_last(key, i, from, now))
            return;
    sim_fail(__FILE__, __LINE__, "key %u had no value %u", key, number);
}

/* What a value says of itself; all its words must be alike. */
static uint32_t number_of(uint32_t key, const value *v, size_t size)
{
    sim_check(size == sizeof(uint64_t) || (size == sizeof *v && v->word[1] == v->word[0] && v->word[2] == v->word[0]));
    sim_check(v->word[0] >> 32 == key);
    return (uint32_t)v->word[0];
}

static void look_up(uint32_t key)
{
    value v;
    size_t size = 0;
    int from = moment(), r = yunta_dict_get(dict, &key, sizeof key, &v, sizeof v, &size);
    sim_check(r == 0 || r == -ENOENT);
    moment();
    if (r == 0)
        had_value(key, number_of(key, &v, size), from);
    else
        was_absent(key, from);
}

static void write_some(int who)
{
    for (int i = 0; i < turns; i++) {
        uint32_t key = sim_below(keys), number = sim_one_in(3) ? 0 : (uint32_t)(100 + who * turns + i);
        op *o = &book[booked++];
        *o = (op){key, number, moment(), never};
        int r = number ? put(key, number) : yunta_dict_remove(dict, &key, sizeof key);
        sim_check(r == 0 || (number == 0 && r == -ENOENT));
        o->ended = moment();
        if (r == 0)
            continue;
        int from = o->begun;
        *o = (op){keys, 0, 0, 0}; /* it was none */
        was_absent(key, from);
    }
}

/* All that is there from beginning to end comes once, and what comes has been there. */
static void go_through(void)
{
    yunta_dict_iterator *it;
    yunta_dict_entry entry;
    int came[keys] = {0}, from = moment(), r;
    sim_check(yunta_dict_iterate(&it, dict) == 0);
    while ((r = yunta_dict_next(it, &entry)) == 1) {
        uint32_t key;
        value v;
        sim_check(entry.key_size == sizeof key && entry.value_size <= sizeof v);
        memcpy(&key, entry.key, sizeof key);
        memcpy(&v, entry.value, entry.value_size);
        sim_check(key < keys && came[key]++ == 0);
        moment();
        had_value(key, number_of(key, &v, entry.value_size), from);
    }
    sim_check(r == 0);
    yunta_dict_iterator_destroy(it);
    moment();
    for (uint32_t key = 0; key < keys; key++)
        if (came[key] == 0)
            was_absent(key, from);
}

static void write_or_read(int who)
{
    if (who < writers)
        write_some(who);
    for (int i = 0; who >= writers && i < turns; i++)
        if (i == 0 && sim_deaths() == 0 && sim_one_in(4))
            go_through();
        else
            look_up(sim_below(keys));
}

/* The next writer puts right what the dead have left. */
static void check(void)
{
    for (uint32_t key = 0; key < keys; key++)
        look_up(key);
    uint32_t fresh = keys;
    sim_check(put(fresh, 1) == 0 && yn_dict_is_sound(dict));
    sim_check(yunta_dict_remove(dict, &fresh, sizeof fresh) == 0 && yn_dict_is_sound(dict));
    size_t there = 0;
    for (uint32_t key = 0; key < keys; key++)
        there += yunta_dict_contains(dict, &key, sizeof key);
    sim_check(yunta_dict_size(dict) == there);
}

const sim_scene scene_dict_nodes = {.name = "dict_nodes",
                                    .setup = set_up,
                                    .begin = begin_nodes,
                                    .body = write_or_read,
                                    .check = check,
                                    .processes = writers + readers,
                                    .threads = 1,
                                    .deaths = 2,
                                    .share = 30};
const sim_scene scene_dict_slots = {.name = "dict_slots",
                                    .setup = set_up,
                                    .begin = begin_slots,
                                    .body = write_or_read,
                                    .check = check,
                                    .processes = writers + readers,
                                    .threads = 1,
                                    .deaths = 2,
                                    .share = 30};
const sim_scene scene_dict_words = {.name = "dict_words",
                                    .setup = set_up,
                                    .begin = begin_words,
                                    .body = write_or_read,
                                    .check = check,
                                    .processes = writers + readers,
                                    .threads = 1,
                                    .deaths = 2,
                                    .share = 30};
