/* Pipe: who sends or receives is killed at every step that others can tell from the one before, and at random moments;
 * and stopped at every step: it is not taken for dead, and the other direction, and the other side of this one, go on.
 * It must not rely on time: what is left is looked at when the victim is dead and that is known.
 * Read next: way_steps.h; src/comm/README.md, what a death leaves.
 *
 * labels: ptrace
 * timeout: 120 */
#include "way_steps.h"

#include "comm/pipe.h"

typedef enum action { SEND, SEND_LARGE, RECEIVE, RECEIVE_LARGE, WRITE, READ, OPEN_AND_CLOSE } action;
enum { LARGE = 700 };

typedef struct scene {
    stage stage;
    yunta_pipe *first, *second;
    action act;
    char text[LARGE];
} scene;

static bool is_stream(const scene *s)
{
    return s->act == WRITE || s->act == READ;
}

static void set_up(void *context)
{
    scene *s = context;
    yunta_pipe_options o = {.capacity = 128, .stream = is_stream(s)};
    ck_assert_int_eq(yunta_pipe_create(&s->first, &s->second, &o), 0);
    bool large = s->act == RECEIVE_LARGE;
    if (is_stream(s))
        ck_assert_int_eq(yunta_pipe_write(s->first, s->text, 8, NULL, 0), 0);
    else
        ck_assert_int_eq(yunta_pipe_send(s->first, s->text, large ? LARGE : 8, 0), 0);
    s->stage.memory[0] = (step_range){s->first->pipe, sizeof *s->first->pipe};
    s->stage.memory[1] = (step_range){s->first->pipe->way[0].tape, 128};
    atomic_store(&s->stage.victim, 0);
}

static void run_victim(void *context)
{
    scene *s = context;
    static char out[LARGE];
    size_t size;
    if (s->act == SEND || s->act == SEND_LARGE)
        yunta_pipe_send(s->first, s->text, s->act == SEND ? 16 : LARGE, 0);
    else if (s->act == RECEIVE || s->act == RECEIVE_LARGE)
        yunta_pipe_receive(s->second, out, sizeof out, &size, 0);
    else if (s->act == WRITE)
        yunta_pipe_write(s->first, s->text, 16, NULL, 0);
    else if (s->act == READ)
        yunta_pipe_read(s->second, out, sizeof out, &size, 0);
    if (s->act == OPEN_AND_CLOSE && yunta_pipe_open(s->second) == 0)
        yunta_pipe_close(s->second);
}

/* The first message is there, unless it has been received; a second is there whole, or not at all. */
static void check_messages(scene *s)
{
    char out[LARGE];
    size_t size = 0;
    int r = yunta_pipe_receive(s->second, out, sizeof out, &size, 0), seen = 0;
    for (; r == 0; r = yunta_pipe_receive(s->second, out, sizeof out, &size, 0), seen++) {
        size_t expected = seen == 1 ? 16 : s->act == RECEIVE_LARGE ? LARGE : 8;
        ck_assert_uint_eq(size, expected);
        ck_assert_mem_eq(out, s->text, size);
    }
    ck_assert_int_eq(r, -ETIMEDOUT);
    bool receives = s->act == RECEIVE || s->act == RECEIVE_LARGE;
    ck_assert_int_ge(seen, receives ? 0 : 1);
    ck_assert_int_le(seen, s->act == SEND ? 2 : 1);
}

/* A long message that its sender has not sent is in nobody's way. */
static void check_long(scene *s)
{
    yn_way_shared *way = yn_pipe_out(s->first);
    bool sent = atomic_load(&way->tail) > 16;
    ck_assert_int_eq(yunta_pipe_send(s->first, s->text, 16, 0), 0);
    ck_assert(yn_pipe_is_sound(guest_self(), s->first));
    ck_assert_int_eq(yunta_pipe_send(s->first, s->text, LARGE, 0), sent ? -ETIMEDOUT : 0);
    static const size_t sizes[2][3] = {{8, 16, LARGE}, {8, LARGE, 16}};
    char out[LARGE];
    for (size_t i = 0, size; i < 3; i++) {
        ck_assert_int_eq(yunta_pipe_receive(s->second, out, sizeof out, &size, 0), 0);
        ck_assert_uint_eq(size, sizes[sent][i]);
        ck_assert_mem_eq(out, s->text, size);
    }
}

static void check_bytes(scene *s)
{
    char out[LARGE];
    size_t size = 0;
    int r = yunta_pipe_read(s->second, out, sizeof out, &size, 0);
    ck_assert(r == 0 ? size == 8 || (s->act == WRITE && size == 24) : r == -ETIMEDOUT && s->act == READ);
}

static void check(void *context, long point)
{
    scene *s = context;
    (void)point;
    bury_victim(&s->stage);
    ck_assert(yn_pipe_is_sound(guest_self(), s->first));
    if (is_stream(s))
        check_bytes(s);
    else if (s->act == SEND_LARGE)
        check_long(s);
    else
        check_messages(s);
    char text[16];
    size_t size = 0;
    if (!is_stream(s)) {
        ck_assert_int_eq(yunta_pipe_send(s->second, s->text, 16, 0), 0);
        ck_assert_int_eq(yunta_pipe_receive(s->first, text, 16, &size, 0), 0);
        ck_assert_int_eq(yunta_pipe_send(s->first, s->text, LARGE, 0), 0);
    }
    ck_assert_int_eq(yunta_pipe_close(s->first), 0);
    ck_assert_int_eq(yunta_pipe_close(s->second), 0);
    ck_assert(yn_pipe_is_sound(guest_self(), s->first));
    yunta_pipe_destroy(s->first);
}

/* One piece the whole way, from end to end. */
static void pass_one(scene *s, yunta_pipe *from, yunta_pipe *to)
{
    char out[LARGE];
    size_t size;
    if (is_stream(s)) {
        ck_assert_int_eq(yunta_pipe_write(from, s->text, 16, NULL, 0), 0);
        ck_assert_int_eq(yunta_pipe_read(to, out, sizeof out, &size, 0), 0);
    } else {
        ck_assert_int_eq(yunta_pipe_send(from, s->text, 16, 0), 0);
        ck_assert_int_eq(yunta_pipe_receive(to, out, sizeof out, &size, 0), 0);
    }
}

static void go_on_beside(void *context, long point)
{
    scene *s = context;
    char out[LARGE];
    size_t size;
    (void)point;
    pass_one(s, s->second, s->first);
    if (s->act == SEND || s->act == SEND_LARGE)
        ck_assert_int_eq(yunta_pipe_receive(s->second, out, sizeof out, &size, 0), 0);
    else if (s->act == RECEIVE || s->act == RECEIVE_LARGE)
        ck_assert_int_eq(yunta_pipe_send(s->first, s->text, 16, 0), 0);
    else if (s->act == WRITE)
        ck_assert_int_eq(yunta_pipe_read(s->second, out, sizeof out, &size, 0), 0);
    else if (s->act == READ)
        ck_assert_int_eq(yunta_pipe_write(s->first, s->text, 16, NULL, 0), 0);
    ck_assert(is_victim_alive(&s->stage));
}

static void check_ended(void *context, long point)
{
    scene *s = context;
    char out[LARGE];
    size_t size;
    (void)point;
    bury_victim(&s->stage);
    ck_assert(yn_pipe_is_sound(guest_self(), s->first));
    while ((is_stream(s) ? yunta_pipe_read(s->second, out, sizeof out, &size, 0)
                         : yunta_pipe_receive(s->second, out, sizeof out, &size, 0)) == 0) {
        ck_assert(is_stream(s) || size == 8 || size == 16 || size == LARGE);
        ck_assert_mem_eq(out, s->text, size);
    }
    pass_one(s, s->first, s->second);
    pass_one(s, s->second, s->first);
    yunta_pipe_destroy(s->first);
}

static void sweep(action act, bool stop)
{
    scene *s = step_shared(sizeof *s);
    s->act = act;
    memset(s->text, 'm', LARGE);
    const step_plan plan = {
        .setup = set_up, .victim = run_victim, .meanwhile = go_on_beside, .check = stop ? check_ended : check};
    ck_assert_int_gt(sweep_steps(s, plan, stop), 4);
    step_unshare(s, sizeof *s);
}

START_TEST(killed_at_every_step)
{
    sweep((action)_i, false);
}
END_TEST

START_TEST(stopped_at_every_step)
{
    sweep((action)_i, true);
}
END_TEST

/* At random moments. */
enum { WORKERS = 3, MOST = 3000 };

typedef struct stress {
    crowd crowd;
    yunta_pipe *first, *second;
} stress;

static int fill(char *text, unsigned seed)
{
    int size = 8 + (int)(seed % MOST);
    memset(text, (int)(seed % 251), (size_t)size);
    return size;
}

static bool is_whole(const char *text, size_t size)
{
    for (size_t i = 1; i < size; i++)
        if (text[i] != text[0])
            return false;
    return size >= 8;
}

static int talk(void *context)
{
    part *p = context;
    stress *s = p->shared;
    char text[MOST + 8], out[MOST + 8];
    unsigned seed = (unsigned)getpid();
    while (atomic_load(&s->crowd.wrong) == 0) {
        size_t size;
        seed = seed * 1664525u + 1013904223u;
        int length = fill(text, seed >> 8);
        int r = yunta_pipe_send(s->first, text, (size_t)length, p->number ? 1 : 0);
        if (r != 0 && r != -ETIMEDOUT)
            atomic_store(&s->crowd.wrong, r);
        r = yunta_pipe_receive(s->second, out, sizeof out, &size, p->number ? 1 : 0);
        if ((r != 0 && r != -ETIMEDOUT) || (r == 0 && !is_whole(out, size)))
            atomic_store(&s->crowd.wrong, r ? r : 1);
        atomic_fetch_add(&s->crowd.turns, 1);
    }
    return 1;
}

START_TEST(killed_at_random)
{
    stress *s = guest_memory(sizeof *s);
    static int (*const work[WORKERS])(void *) = {talk, talk, talk};
    ck_assert_int_eq(yunta_pipe_create(&s->first, &s->second, &(yunta_pipe_options){.capacity = 4096}), 0);
    kill_at_random(s, work, WORKERS);
    ck_assert(yn_pipe_is_sound(guest_self(), s->first));
    yunta_pipe_destroy(s->first);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("pipe, killed");
    TCase *cases = test_case(suite, "kills");
    tcase_set_timeout(cases, 100);
    tcase_add_test(cases, killed_at_random);
    if (step_is_possible()) {
        tcase_add_loop_test(cases, killed_at_every_step, SEND, OPEN_AND_CLOSE + 1);
        tcase_add_loop_test(cases, stopped_at_every_step, SEND, OPEN_AND_CLOSE + 1);
    }
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
