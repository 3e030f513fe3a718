/* Counters in the simulator: added to, by numbers and by names, by processes of two threads each, and by who comes into
 * a dead one's slot. Each addition has a bit of its own, so a sum says which ones are in it: all that had happened,
 * none that had not begun, each once. Next: sim.h. */
#include "scenes.h"

#include "data/counters.h"

enum { processes = 2, threads = 2, newcomers = 1, adders = 3, turns = 4 };
enum { numbered = 3, names = 3, counted = numbered + names, unknown = -1 };

static const uint32_t number_of_its_own[numbered] = {100, 127, 200}; /* names never get so far: two chunks */
static const char *const name_of[names] = {"bueyes", "", "un nombre bastante largo para una palabra"};

static yunta_counters *counters;
static uint64_t begun[counted], done[counted]; /* a bit for each addition */
static int64_t number_of[names];               /* as somebody was told */
static int bits;

static void set_up(void)
{
    sim_check(yunta_counters_create(&counters) == 0);
    counters->numbers->seed = counters->names->seed = yn_hash_seed_make(4711); /* the same seed is the same run */
}

static void begin(void)
{
    memset(begun, 0, sizeof begun);
    memset(done, 0, sizeof done);
    for (int i = 0; i < names; i++)
        number_of[i] = unknown;
    bits = 0;
}

/* Where name `i` counts: the same for all, and for it alone. */
static uint32_t ask_number(int i)
{
    uint32_t number = UINT32_MAX;
    sim_check(yunta_counters_number(counters, name_of[i], &number) == 0);
    sim_check(number < yunta_counters_named(counters));
    sim_check(number_of[i] == unknown || number_of[i] == number);
    for (int k = 0; k < names; k++)
        sim_check(k == i || number_of[k] != number);
    number_of[i] = number;
    sim_meet();
    return number;
}

static void add(int what)
{
    uint32_t number = what < numbered ? number_of_its_own[what] : ask_number(what - numbered);
    uint64_t bit = UINT64_C(1) << bits++;
    begun[what] |= bit;
    sim_check(yunta_counters_add(counters, number, (int64_t)bit) == 0);
    done[what] |= bit;
    sim_meet();
}

static void read_sum(int what)
{
    if (what >= numbered && number_of[what - numbered] == unknown)
        return;
    sim_meet();
    uint32_t number = what < numbered ? number_of_its_own[what] : (uint32_t)number_of[what - numbered];
    uint64_t before = done[what], sum = (uint64_t)yunta_counters_sum(counters, number);
    sim_check((before & ~sum) == 0 && (sum & ~begun[what]) == 0);
}

/* What somebody was told to be a name's number has that name. */
static int read_name(uint32_t number)
{
    char buffer[64];
    int told = unknown, is = unknown;
    for (int i = 0; i < names; i++)
        told = number_of[i] == number ? i : told;
    sim_meet();
    int r = yunta_counters_name(counters, number, buffer, sizeof buffer);
    sim_check(r == 0 || (r == -ENOENT && told == unknown));
    for (int i = 0; r == 0 && i < names; i++)
        is = strcmp(buffer, name_of[i]) == 0 ? i : is;
    sim_check(r != 0 || (is != unknown && (told == unknown || told == is)));
    sim_check(is == unknown || number_of[is] == unknown || number_of[is] == number);
    return is;
}

static void add_or_read(int who)
{
    bool reads = who >= adders && who < processes * threads;
    for (int i = 0; i < turns; i++)
        if (!reads)
            add((int)sim_below(counted));
        else if (sim_one_in(3))
            read_name(sim_below(names));
        else
            read_sum((int)sim_below(counted));
}

/* Each name stands behind one number at most. Who asks for another one puts right what the dead have left. */
static void check(void)
{
    uint32_t named = yunta_counters_named(counters);
    bool found[names] = {false};
    for (uint32_t number = 0; number < named; number++) {
        int is = read_name(number);
        sim_check(is == unknown || !found[is]);
        if (is != unknown)
            found[is] = true;
    }
    for (int what = 0; what < counted; what++)
        read_sum(what);
    uint32_t fresh;
    sim_check(yunta_counters_number(counters, "otro", &fresh) == 0 && fresh == named);
    sim_check(yn_dict_is_sound(counters->numbers) && yn_dict_is_sound(counters->names));
    sim_check(yunta_counters_destroy(counters) == NULL);
}

const sim_scene scene_counters = {.name = "counters",
                                  .setup = set_up,
                                  .begin = begin,
                                  .body = add_or_read,
                                  .check = check,
                                  .processes = processes,
                                  .threads = threads,
                                  .newcomers = newcomers,
                                  .deaths = 2,
                                  .share = 30};
