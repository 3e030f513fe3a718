/* Containers whose writers are killed at every step that others can tell from the one before: what is left is the old
 * value or the new one, and the next writer goes on.
 * It must not rely on time: what is left is looked at when the victim is dead and that is known.
 * Read next: src/data/README.md; test_data_random.c.
 *
 * labels: ptrace
 * timeout: 120 */
#include "../comm/test_queue_guest.h"
#include "data/counters.h"
#include "data/string.h"
#include "data/vector.h"
#include "stepkill.h"

#include <errno.h>
#include <string.h>

typedef enum action { PUT_NEW, PUT_WORD, PUT_LONG, REMOVE, POP, ADD, GROW, CLEAR, DICT_ACTIONS } action;
enum { FEW = 5, FULL = 7 /* of the smallest table's 8 words: the next one makes it grow */ };

typedef struct scene {
    yunta_dict *dict;
    yunta_vector *vector;
    yunta_string *string;
    action act;
    yn_form form; /* but in nodes, all values are numbers */
    _Atomic yn_claim victim;
    step_range memory[STEP_RANGES];
} scene;

static const char old_long[] = "a value that stands in more than eight bytes";
static const char new_long[] = "another one, which is even somewhat longer than that";

static void join_team(void *context)
{
    scene *s = context;
    atomic_store(&s->victim, guest_self()->claim);
}

/* Gives the dict, which is empty, a seed by which all keys used here stand in the first stripe. */
static void choose_seed(yunta_dict *dict)
{
    static const int others[] = {50, 100};
    uint64_t seed = 0;
    for (bool suits = false; !suits;) {
        dict->seed = yn_hash_seed_make(++seed);
        suits = true;
        for (int i = 0; i < FULL + (int)YN_COUNT(others); i++) {
            int key = i < FULL ? i : others[i - FULL];
            suits = suits && yn_dict_key(dict, &key, sizeof key, dict->form).stripe == dict->stripe;
        }
    }
}

/* Entries 0 … are numbers, 7 each, entry 100 is a long text, or a number too. */
static void set_up_dict(void *context)
{
    scene *s = context;
    int entries = s->act == GROW ? FULL - 1 : FEW - 1;
    yunta_dict_options options = {.key_size = sizeof(int),
                                  .value_size = s->form != YN_IN_NODES ? sizeof(int64_t) : 0,
                                  .stripes = s->form == YN_IN_WORDS ? 2 : 1};
    ck_assert_int_eq(yunta_dict_create(&s->dict, &options), 0);
    ck_assert_int_eq(s->dict->form, s->form);
    choose_seed(s->dict);
    for (int key = 0; key < entries; key++)
        ck_assert_int_eq(yunta_dict_put(s->dict, &key, sizeof key, &(int64_t){7}, sizeof(int64_t)), 0);
    if (s->form != YN_IN_NODES)
        ck_assert_int_eq(yunta_dict_put(s->dict, &(int){100}, sizeof(int), &(int64_t){7}, sizeof(int64_t)), 0);
    else
        ck_assert_int_eq(yunta_dict_put(s->dict, &(int){100}, sizeof(int), old_long, sizeof old_long), 0);
    s->memory[0] = (step_range){s->dict, sizeof *s->dict + sizeof(yn_stripe_shared)};
    uint64_t table = atomic_load(&s->dict->stripe[0].table);
    s->memory[1] =
        (step_range){(void *)yn_table_slot(s->dict, table, 0), 8 * s->dict->stride * (yn_table_last(table) + 1)};
    yn_key key = yn_dict_key(s->dict, &(int){1}, sizeof(int), s->form);
    _Atomic uint64_t *word = yn_stripe_find(s->dict, &key, s->form);
    if (s->form == YN_IN_NODES)
        s->memory[2] = (step_range){yn_word_node(s->dict, atomic_load(word)), YN_NODE_UNIT};
    atomic_store(&s->victim, 0);
}

static void change_dict(void *context)
{
    scene *s = context;
    char out[100];
    int one = 1, fresh = 50, text = 100;
    switch (s->act) {
    case PUT_NEW:
    case GROW:
        yunta_dict_put(s->dict, &fresh, sizeof fresh, &(int64_t){9}, sizeof(int64_t));
        break;
    case PUT_WORD:
        yunta_dict_put(s->dict, &one, sizeof one, &(int64_t){9}, sizeof(int64_t));
        break;
    case PUT_LONG:
        yunta_dict_put(s->dict, &text, sizeof text, new_long, sizeof new_long);
        break;
    case REMOVE:
        yunta_dict_remove(s->dict, &one, sizeof one);
        break;
    case POP:
        yunta_dict_pop(s->dict, &text, sizeof text, out, sizeof out, NULL);
        break;
    case ADD:
        yunta_dict_add(s->dict, &one, sizeof one, 2, NULL);
        break;
    default:
        yunta_dict_clear(s->dict);
    }
}

/* The number under the key: 0 if it is not there. */
static int64_t number(scene *s, int key)
{
    int64_t n = 0;
    int r = yunta_dict_get(s->dict, &key, sizeof key, &n, sizeof n, NULL);
    ck_assert(r == 0 || r == -ENOENT);
    return n;
}

static void check_entries(scene *s)
{
    char out[100];
    size_t size = 0;
    action act = s->act;
    bool clears = act == CLEAR;
    int entries = act == GROW ? FULL - 1 : FEW - 1;
    for (int key = 0; key < entries; key++) {
        int64_t n = number(s, key);
        bool may_be_new = key == 1 && (act == PUT_WORD || act == ADD);
        ck_assert(n == 7 || (may_be_new && n == 9) || (n == 0 && (clears || (key == 1 && act == REMOVE))));
    }
    int64_t fresh = number(s, 50);
    ck_assert(fresh == 0 || (fresh == 9 && (act == PUT_NEW || act == GROW)));
    int r = yunta_dict_get(s->dict, &(int){100}, sizeof(int), out, sizeof out, &size);
    if (r == 0 && s->form != YN_IN_NODES)
        ck_assert(size == sizeof(int64_t) && memcmp(out, &(int64_t){7}, size) == 0);
    else if (r == 0)
        ck_assert((size == sizeof old_long && memcmp(out, old_long, size) == 0) ||
                  (act == PUT_LONG && size == sizeof new_long && memcmp(out, new_long, size) == 0));
    else
        ck_assert(r == -ENOENT && (act == POP || clears));
}

static void check_dict(void *context, long point)
{
    scene *s = context;
    (void)point;
    check_entries(s); /* readers need no repair */
    guest_bury(atomic_load(&s->victim));
    check_entries(s);
    ck_assert_int_eq(yunta_dict_add(s->dict, &(int){1}, sizeof(int), 1000, NULL), 0);
    ck_assert_int_ge(number(s, 1), 1000);
    size_t size = yunta_dict_size(s->dict), there = 0;
    ck_assert(yn_dict_is_sound(s->dict));
    for (int key = 0; key <= 100; key++)
        there += yunta_dict_contains(s->dict, &key, sizeof key);
    ck_assert_uint_eq(size, there);
    yunta_dict_destroy(s->dict);
}

static void sweep(scene *s, void (*set_up)(void *), void (*change)(void *), void (*check)(void *, long), long least)
{
    step_plan plan = {.setup = set_up,
                      .prepare = join_team,
                      .victim = change,
                      .check = check,
                      .context = s,
                      .memory = s->memory,
                      .steady = true};
    ck_assert_int_gt(step_kill_sweep(&plan), least);
    step_unshare(s, sizeof *s);
}

START_TEST(dict)
{
    scene *s = step_shared(sizeof *s);
    s->act = (action)(_i % DICT_ACTIONS);
    s->form = (yn_form)(_i / DICT_ACTIONS);
    if (s->form == YN_IN_NODES || s->act == PUT_NEW || s->act == PUT_WORD || s->act == REMOVE || s->act == GROW)
        sweep(s, set_up_dict, change_dict, check_dict, 1);
}
END_TEST

typedef struct wide {
    uint64_t a, b, c;
} wide;

enum { PUSH, SET, VECTOR_POP, RESIZE, CUT, VECTOR_ACTIONS };

static void set_up_vector(void *context)
{
    scene *s = context;
    int elements = (int)s->act == CUT ? 200 : 32; /* 32: as many as the first segment holds */
    ck_assert_int_eq(yunta_vector_create(&s->vector, &(yunta_vector_options){.element_size = sizeof(wide)}), 0);
    for (int i = 0; i < elements; i++)
        ck_assert_int_eq(yunta_vector_push(s->vector, &(wide){7, 7, 7}, NULL), 0);
    s->memory[0] = (step_range){s->vector, sizeof *s->vector + sizeof(wide)};
    s->memory[1] = (step_range){yunta_vector_at(s->vector, 1), sizeof(wide)};
    atomic_store(&s->victim, 0);
}

static void change_vector(void *context)
{
    scene *s = context;
    wide w = {9, 9, 9};
    switch ((int)s->act) {
    case PUSH:
        yunta_vector_push(s->vector, &w, NULL);
        break;
    case SET:
        yunta_vector_set(s->vector, 1, &w);
        break;
    case VECTOR_POP:
        yunta_vector_pop(s->vector, &w);
        break;
    case RESIZE:
        yunta_vector_resize(s->vector, 100);
        break;
    default:
        yunta_vector_resize(s->vector, 3);
    }
}

static void check_elements(scene *s)
{
    int act = (int)s->act;
    size_t size = yunta_vector_size(s->vector), old = act == CUT ? 200 : 32;
    ck_assert(size == old || (act == PUSH && size == 33) || (act == VECTOR_POP && size == 31) ||
              (act == RESIZE && size == 100) || (act == CUT && size == 3));
    for (size_t i = 0; i < size; i++) {
        wide w;
        ck_assert_int_eq(yunta_vector_get(s->vector, i, &w), 0);
        ck_assert(w.a == w.b && w.b == w.c);
        uint64_t wanted = i < old ? 7 : act == PUSH ? 9 : 0;
        ck_assert(w.a == wanted || (act == SET && i == 1 && w.a == 9));
    }
}

static void check_vector(void *context, long point)
{
    scene *s = context;
    (void)point;
    check_elements(s);
    guest_bury(atomic_load(&s->victim));
    check_elements(s);
    size_t size = yunta_vector_size(s->vector), index = 0;
    ck_assert_int_eq(yunta_vector_push(s->vector, &(wide){5, 5, 5}, &index), 0);
    ck_assert_uint_eq(index, size);
    ck_assert_int_eq(yunta_vector_set(s->vector, 0, &(wide){6, 6, 6}), 0);
    ck_assert_uint_eq(((wide *)yunta_vector_at(s->vector, 0))->c, 6);
    ck_assert_uint_eq(((wide *)yunta_vector_at(s->vector, index))->c, 5);
    ck_assert(yn_vector_is_sound(guest_self(), s->vector));
    yunta_vector_destroy(s->vector);
}

START_TEST(vector)
{
    scene *s = step_shared(sizeof *s);
    s->act = (action)_i;
    sweep(s, set_up_vector, change_vector, check_vector, 2);
}
END_TEST

enum { STRING_SET, APPEND_SHORT, APPEND_LONG, REPLACE, STRING_ACTIONS };
static char long_piece[2000];

static void set_up_string(void *context)
{
    scene *s = context;
    memset(long_piece, 'z', sizeof long_piece);
    ck_assert_int_eq(yunta_string_create(&s->string), 0);
    ck_assert_int_eq(yunta_string_set(s->string, "yunta", 5), 0);
    s->memory[0] = (step_range){s->string, sizeof *s->string};
    s->memory[1] = (step_range){atomic_load(&s->string->text), 64};
    atomic_store(&s->victim, 0);
}

static void change_string(void *context)
{
    scene *s = context;
    if ((int)s->act == STRING_SET)
        yunta_string_set(s->string, "bueyes", 6);
    else if ((int)s->act == APPEND_SHORT)
        yunta_string_append(s->string, "!", 1);
    else if ((int)s->act == APPEND_LONG)
        yunta_string_append(s->string, long_piece, sizeof long_piece);
    else
        yunta_string_replace(s->string, "yunta", 5, "carro", 5);
}

static void check_text(scene *s)
{
    static char out[3000], wanted[3000];
    size_t size = 0, new_size = 5;
    int act = (int)s->act;
    ck_assert_int_eq(yunta_string_get(s->string, out, sizeof out, &size), 0);
    memcpy(wanted, act == REPLACE ? "carro" : "yunta", 5);
    if (act == STRING_SET)
        memcpy(wanted, "bueyes", new_size = 6);
    else if (act == APPEND_SHORT)
        wanted[new_size++] = '!';
    else if (act == APPEND_LONG)
        memset(wanted + 5, 'z', (new_size = 5 + sizeof long_piece) - 5);
    ck_assert((size == 5 && memcmp(out, "yunta", 5) == 0) || (size == new_size && memcmp(out, wanted, size) == 0));
}

static void check_string(void *context, long point)
{
    scene *s = context;
    (void)point;
    check_text(s);
    guest_bury(atomic_load(&s->victim));
    check_text(s);
    size_t before = yunta_string_size(s->string);
    ck_assert_int_eq(yunta_string_append(s->string, "?", 1), 0);
    ck_assert_uint_eq(yunta_string_size(s->string), before + 1);
    ck_assert(yn_string_is_sound(guest_self(), s->string));
    yunta_string_destroy(s->string);
}

START_TEST(string)
{
    scene *s = step_shared(sizeof *s);
    s->act = (action)_i;
    sweep(s, set_up_string, change_string, check_string, 2);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("data_kill");
    TCase *cases = test_case(suite, "step by step");
    tcase_set_timeout(cases, 60);
    if (step_is_possible()) {
        tcase_add_loop_test(cases, dict, PUT_NEW, 3 * DICT_ACTIONS);
        tcase_add_loop_test(cases, vector, PUSH, VECTOR_ACTIONS);
        tcase_add_loop_test(cases, string, STRING_SET, STRING_ACTIONS);
    }
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
