/* Strings in the simulator: set, appended to, compared and replaced, read.
 * All calls must have happened one after the other, each at one moment, also those of the dead; nothing may be lost but
 * what was in a dead one's hand. Next: history.h. */
#include "history.h"
#include "scenes.h"

#include "data/string.h"

enum { writers = 2, readers = 1, newcomers = 1, turns = 4, piece_size = 20, first_piece = 1 };
enum { SET, APPEND, REPLACE, GET, SIZE };

static yunta_string *string;
static uint64_t blocks_at_first;
static int pieces_ever;

static void write_piece(unsigned char *to, int number)
{
    for (int k = 0; k < piece_size; k++)
        to[k] = (unsigned char)(number + 67 * k);
}

static size_t write_list(unsigned char *to, const sim_list *list)
{
    for (int i = 0; i < list->size; i++)
        write_piece(to + (size_t)i * piece_size, list->number[i]);
    return (size_t)list->size * piece_size;
}

static void read_list(sim_list *list, const unsigned char *bytes, size_t size)
{
    unsigned char whole[piece_size];
    sim_check(size % piece_size == 0);
    for (size_t at = 0; at < size; at += piece_size) {
        write_piece(whole, bytes[at]);
        sim_check(memcmp(bytes + at, whole, piece_size) == 0);
        sim_list_add(list, bytes[at]);
    }
}

static void set_up(void)
{
    unsigned char bytes[piece_size];
    write_piece(bytes, first_piece);
    blocks_at_first = sim_blocks();
    sim_check(yunta_string_create(&string) == 0);
    sim_check(yunta_string_set(string, bytes, sizeof bytes) == 0);
}

static void begin(void)
{
    sim_history_clear();
    pieces_ever = first_piece;
}

/* -EMSGSIZE: only its size was got. */
static void get(sim_list *list)
{
    unsigned char bytes[SIM_LIST * piece_size];
    size_t size = 0, room = sim_one_in(4) ? piece_size : sizeof bytes;
    sim_call *call = sim_call_begins(GET, 0, 0);
    int r = yunta_string_get(string, bytes, room, &size);
    sim_check(r == (size <= room ? 0 : -EMSGSIZE));
    if (r == 0)
        read_list(&call->list, bytes, size);
    else
        call->kind = SIZE;
    sim_call_ends(call, (int)size);
    *list = call->list;
}

static void set(void)
{
    unsigned char bytes[3 * piece_size];
    int number = ++pieces_ever;
    sim_call *call = sim_call_begins(SET, number, 0);
    for (unsigned n = sim_below(4); n > 0; n--)
        sim_list_add(&call->list, number);
    sim_call_ends(call, yunta_string_set(string, bytes, write_list(bytes, &call->list)));
}

static void append(void)
{
    unsigned char bytes[piece_size];
    int number = ++pieces_ever;
    sim_call *call = sim_call_begins(APPEND, number, 0);
    write_piece(bytes, number);
    sim_call_ends(call, yunta_string_append(string, bytes, sizeof bytes));
}

/* By what it was, and one piece more. */
static void replace(void)
{
    unsigned char bytes[SIM_LIST * piece_size], expected[SIM_LIST * piece_size];
    sim_list list;
    get(&list);
    int number = ++pieces_ever;
    sim_call *call = sim_call_begins(REPLACE, number, 0);
    call->list = list;
    size_t size = write_list(expected, &list);
    sim_list_add(&list, number);
    sim_call_ends(call, yunta_string_replace(string, expected, size, bytes, write_list(bytes, &list)));
}

static void write_or_read(int who)
{
    for (int i = 0; i < turns; i++) {
        sim_list list;
        unsigned what = who >= writers && who < writers + readers ? 3 : sim_below(4);
        if (what == 0)
            set();
        else if (what == 1)
            append();
        else if (what == 2)
            replace();
        else
            get(&list);
    }
}

static bool apply(sim_list *list, const sim_call *call)
{
    bool is_equal = sim_list_equal(list, &call->list);
    int wanted = 0;
    if (call->kind == SET)
        *list = call->list;
    else if (call->kind == APPEND || (call->kind == REPLACE && is_equal))
        sim_list_add(list, call->argument);
    else if (call->kind == REPLACE)
        wanted = -EAGAIN;
    else
        wanted = call->kind == SIZE || is_equal ? list->size * piece_size : -1;
    return !sim_call_has_ended(call) || call->answer == wanted;
}

/* Who writes next puts right what the dead have left. */
static void check(void)
{
    sim_list list;
    get(&list);
    append();
    get(&list);
    sim_history_check(&(sim_list){1, {first_piece}}, apply);
    sim_check(yn_string_is_sound(sim_me(), string));
    yunta_string_destroy(string);
    uint64_t blocks = sim_blocks();
    sim_check(blocks >= blocks_at_first && blocks <= blocks_at_first + (unsigned)sim_deaths());
}

const sim_scene scene_string = {.name = "string",
                                .setup = set_up,
                                .begin = begin,
                                .body = write_or_read,
                                .check = check,
                                .processes = writers + readers,
                                .threads = 1,
                                .newcomers = newcomers,
                                .deaths = 2,
                                .share = 30};
