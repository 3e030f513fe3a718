/* The heap in the simulator: processes allocate blocks, of which few have room in a span, free each other's, and die.
 * No block may be handed out twice, none refused that is allocated, and none lost but those in a dead one's hand.
 * Next: scene_lock.c. */
#include "scenes.h"

#include "shm/heap_map.h"

enum { places = 16, acts = 4 };

typedef struct held {
    char *start;
    size_t size;
} held;

static held place[places];
static int count;                   /* of them */
static bool in_hand[SIM_PROCESSES]; /* it allocates or frees one at this moment */

static void begin(void)
{
    count = 0;
    memset(in_hand, 0, sizeof in_hand);
}

static size_t some_size(void)
{
    static const size_t sizes[] = {64, 4096, 4096, 4096, 32768, 40960};
    return sizes[sim_below((unsigned)(sizeof sizes / sizeof sizes[0]))];
}

static void alloc_one(size_t size)
{
    int p = sim_process();
    in_hand[p] = true;
    char *block = yn_heap_alloc_as(sim_me(), YN_HEAP_PLAIN, size, 0);
    sim_check(block != NULL);
    /* Whoever is given the block has seen what was done to it, as by any way of giving one. */
    sim_meet();
    for (int i = 0; i < count; i++)
        sim_check(block + size <= place[i].start || place[i].start + place[i].size <= block);
    place[count++] = (held){block, size};
    in_hand[p] = false;
}

/* Anybody's. */
static void free_one(void)
{
    int p = sim_process(), i = (int)sim_below((unsigned)count);
    held one = place[i];
    place[i] = place[--count];
    in_hand[p] = true;
    sim_meet();
    sim_check(yn_heap_free_as(sim_me(), YN_HEAP_OWN, one.start) == -EINVAL);
    sim_check(yn_heap_free_as(sim_me(), YN_HEAP_PLAIN, one.start) == 0);
    in_hand[p] = false;
}

static void alloc_and_free(int who)
{
    (void)who;
    size_t size = some_size();
    for (int i = 0; i < acts; i++) {
        if (count > 0 && (count == places || sim_one_in(2)))
            free_one();
        else
            alloc_one(sim_one_in(4) ? some_size() : size);
        sim_points(4);
    }
}

static void count_plain(yn_heap_tally *tally, uint32_t stamp, size_t bytes)
{
    tally->figures.blocks += (stamp & YN_STAMP_KIND) == YN_HEAP_PLAIN;
    tally->figures.in_use += bytes;
}

/* All that is known of is there, and little else; and it can all be given back, once. */
static void check(void)
{
    unsigned lost = 0;
    bool are_declared = true;
    for (int p = 1; p < SIM_PROCESSES; p++) {
        lost += sim_is_dead(p) && in_hand[p];
        are_declared = are_declared && (!sim_is_dead(p) || sim_was_declared(p));
    }
    sim_check(!yn_heap_look_over(sim_me()) || !are_declared);
    yn_heap_tally tally = {.count = count_plain};
    yn_heap_count(sim_me(), &tally);
    sim_check(tally.figures.blocks >= (unsigned)count && tally.figures.blocks <= (unsigned)count + lost);
    for (int i = 0; i < count; i++) {
        sim_check(yn_heap_usable(sim_me(), place[i].start) >= place[i].size);
        sim_check(yn_heap_free_as(sim_me(), YN_HEAP_PLAIN, place[i].start) == 0);
        sim_check(yn_heap_free_as(sim_me(), YN_HEAP_PLAIN, place[i].start) == -EINVAL);
    }
}

const sim_scene scene_heap = {
    .name = "heap",
    .begin = begin,
    .body = alloc_and_free,
    .check = check,
    .processes = 3,
    .threads = 1,
    .newcomers = 1,
    .deaths = 2,
    .share = 20,
};
