/* Vectors in the simulator: pushed to, popped from, set, resized, read; of words, of elements that no one store sets,
 * and of such large ones that segments come and go.
 * All calls must have happened one after the other, each at one moment, also those of the dead; nothing may be lost but
 * what was in a dead one's hand. Next: history.h. */
#include "history.h"
#include "scenes.h"

#include "data/vector.h"

enum { writers = 2, readers = 1, newcomers = 1, turns = 4, kinds = 3, size_most = 256 };
enum { PUSH, POP, SET, RESIZE, GET, SIZE, ALL };

static const size_t element_sizes[kinds] = {8, 24, size_most};
static const int sizes_at_first[kinds] = {62, 20, 3}; /* before the end of a segment, within it, in the second */

static yunta_vector *kind[kinds], *vector;
static sim_list first[kinds];
static uint64_t blocks_at_first;
static int which, numbers_ever;

static const void *element(int number)
{
    static unsigned char bytes[256][size_most];
    return memset(bytes[number], number, size_most);
}

static int number_of(const unsigned char *bytes)
{
    for (size_t k = 1; k < element_sizes[which]; k++)
        sim_check(bytes[k] == bytes[0]);
    return bytes[0];
}

static void set_up(void)
{
    blocks_at_first = sim_blocks();
    for (int k = 0; k < kinds; k++) {
        yunta_vector_options options = {.element_size = element_sizes[k]};
        sim_check(yunta_vector_create(&kind[k], &options) == 0);
        for (int i = 0; i < sizes_at_first[k]; i++) {
            sim_list_add(&first[k], i + 1);
            sim_check(yunta_vector_push(kind[k], element(i + 1), NULL) == 0);
        }
    }
}

static void begin(void)
{
    sim_history_clear();
    which = (int)sim_below(kinds);
    vector = kind[which];
    numbers_ever = sizes_at_first[which];
}

static int some_index(void)
{
    int size = sizes_at_first[which], most = size < 8 ? size + 2 : 8;
    return size + 2 - (int)sim_below((unsigned)most + 1);
}

static void push(void)
{
    size_t index = 0;
    sim_call *call = sim_call_begins(PUSH, ++numbers_ever, 0);
    int r = yunta_vector_push(vector, element(call->argument), &index);
    sim_call_ends(call, r == 0 ? (int)index : r);
}

static void pop(void)
{
    unsigned char bytes[size_most];
    sim_call *call = sim_call_begins(POP, 0, 0);
    int r = yunta_vector_pop(vector, bytes);
    sim_call_ends(call, r == 0 ? number_of(bytes) : r);
}

static void set(void)
{
    sim_call *call = sim_call_begins(SET, ++numbers_ever, some_index());
    sim_call_ends(call, yunta_vector_set(vector, (size_t)call->index, element(call->argument)));
}

/* Sometimes so short that segments go. */
static void resize(void)
{
    int size = which == kinds - 1 ? (int)sim_below(8) : some_index();
    sim_call *call = sim_call_begins(RESIZE, size, 0);
    sim_call_ends(call, yunta_vector_resize(vector, (size_t)size));
}

static void get(void)
{
    unsigned char bytes[size_most];
    sim_call *call = sim_call_begins(GET, 0, some_index());
    int r = yunta_vector_get(vector, (size_t)call->index, bytes);
    sim_call_ends(call, r == 0 ? number_of(bytes) : r);
}

static void read_size(void)
{
    sim_call *call = sim_call_begins(SIZE, 0, 0);
    sim_call_ends(call, (int)yunta_vector_size(vector));
}

static void write_or_read(int who)
{
    static void (*const act[])(void) = {push, pop, set, set, resize, get, get, get, read_size};
    bool reads = who >= writers && who < writers + readers;
    for (int i = 0; i < turns; i++)
        act[reads ? 5 + sim_below(4) : sim_below(6)]();
}

static bool apply(sim_list *list, const sim_call *call)
{
    int wanted = 0;
    bool is_there = call->index < list->size;
    if (call->kind == PUSH) {
        wanted = list->size;
        sim_list_add(list, call->argument);
    } else if (call->kind == POP) {
        wanted = list->size > 0 ? list->number[--list->size] : -ENOENT;
    } else if (call->kind == SET) {
        wanted = is_there ? 0 : -ERANGE;
        if (is_there)
            list->number[call->index] = (uint8_t)call->argument;
    } else if (call->kind == RESIZE) {
        while (list->size < call->argument)
            sim_list_add(list, 0);
        list->size = call->argument;
    } else if (call->kind == GET) {
        wanted = is_there ? list->number[call->index] : -ERANGE;
    } else {
        wanted = call->kind == SIZE || sim_list_equal(list, &call->list) ? list->size : -1;
    }
    return !sim_call_has_ended(call) || call->answer == wanted;
}

static void read_all(void)
{
    unsigned char bytes[size_most];
    size_t cursor = 0;
    sim_call *call = sim_call_begins(ALL, 0, 0);
    while (yunta_vector_next(vector, &cursor, bytes) == 1)
        sim_list_add(&call->list, number_of(bytes));
    sim_call_ends(call, (int)cursor);
}

/* Who writes next puts right what the dead have left. */
static void check(void)
{
    read_all();
    push();
    read_all();
    sim_history_check(&first[which], apply);
    sim_check(yn_vector_is_sound(sim_me(), vector));
    for (int k = 0; k < kinds; k++)
        yunta_vector_destroy(kind[k]);
    uint64_t blocks = sim_blocks();
    sim_check(blocks >= blocks_at_first && blocks <= blocks_at_first + (unsigned)sim_deaths());
}

const sim_scene scene_vector = {.name = "vector",
                                .setup = set_up,
                                .begin = begin,
                                .body = write_or_read,
                                .check = check,
                                .processes = writers + readers,
                                .threads = 1,
                                .newcomers = newcomers,
                                .deaths = 2,
                                .share = 30};
