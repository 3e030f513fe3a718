/* Pipe between processes, under each start method: given, closed, inherited by nobody; descriptors; many at one end.
 * It must not sleep: who waits for the other's end waits without a limit, and the test's own limit would tell.
 * Read next: tests/crash/test_pipe_kill.c. */
#include "comm/pipe.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <test.h>
#include <unistd.h>

struct work {
    yunta_pipe *end;
    int count;
};

static yunta_pipe *mine, *theirs;
static yunta_process *child;

static int echo(const struct work *w)
{
    char text[64];
    size_t size;
    int r;
    while ((r = yunta_pipe_receive(w->end, text, sizeof text, &size, YUNTA_FOREVER)) == 0)
        if (yunta_pipe_send(w->end, text, size, YUNTA_FOREVER) != 0)
            return 2;
    return r == YUNTA_ECLOSED ? 0 : 1;
}
YUNTA_ENTRY(echo, struct work);

static int send_count(const struct work *w)
{
    for (int i = 1; i <= w->count; i++)
        if (yunta_pipe_send(w->end, &i, sizeof i, YUNTA_FOREVER) != 0)
            return 1;
    return 0;
}
YUNTA_ENTRY(send_count, struct work);

static int die(const struct work *w)
{
    yunta_pipe_send(w->end, "a", 1, YUNTA_FOREVER);
    return raise(SIGKILL);
}
YUNTA_ENTRY(die, struct work);

static int write_name(const struct work *w)
{
    int fd = -1;
    for (int i = 0; i < w->count; i++) {
        if (yunta_pipe_receive_descriptor(w->end, &fd, YUNTA_FOREVER) != 0 || write(fd, &i, sizeof i) != sizeof i)
            return 1;
        close(fd);
    }
    return yunta_pipe_receive_descriptor(w->end, &fd, YUNTA_FOREVER) == YUNTA_ECLOSED ? 0 : 2;
}
YUNTA_ENTRY(write_name, struct work);

static int send_pipe(const struct work *w)
{
    int ends[2];
    if (pipe(ends) != 0 || write(ends[1], "hola", 4) != 4)
        return 1;
    return yunta_pipe_send_descriptor(w->end, ends[0], YUNTA_FOREVER) != 0;
}
YUNTA_ENTRY(send_pipe, struct work);

#define START(run, ...)                                                                                                \
    ck_assert_int_eq(yunta_start(&child, run, &((struct work){__VA_ARGS__}),                                           \
                                 (&(yunta_process_options){.start_method = TEST_METHOD})),                             \
                     0)

static void end(int status)
{
    int r;
    ck_assert_int_eq(yunta_process_join(child, YUNTA_FOREVER), status);
    child = yunta_process_destroy(child);
    ck_assert(yn_pipe_is_sound(yn_self_get(&r), mine));
    yunta_pipe_destroy(mine);
}

START_TEST(two_sides_talk_until_one_closes)
{
    char text[64];
    size_t size;
    ck_assert_int_eq(yunta_pipe_create(&mine, &theirs, NULL), 0);
    START(echo, theirs, 0);
    ck_assert_int_eq(yunta_pipe_give(theirs, child), 0);
    ck_assert_int_eq(yunta_pipe_give(theirs, child), -EBADF);
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(yunta_pipe_send(mine, "eco", 3, YUNTA_FOREVER), 0);
        ck_assert_int_eq(yunta_pipe_receive(mine, text, sizeof text, &size, YUNTA_FOREVER), 0);
        ck_assert_uint_eq(size, 3);
        ck_assert_mem_eq(text, "eco", 3);
    }
    ck_assert_int_eq(yunta_pipe_close(mine), 0);
    end(0);
}
END_TEST

START_TEST(who_ends_or_dies_is_told_after_the_last_message)
{
    int value;
    size_t size;
    ck_assert_int_eq(yunta_pipe_create(&mine, &theirs, &(yunta_pipe_options){.capacity = 64, .one_way = true}), 0);
    START(send_count, theirs, 100);
    ck_assert_int_eq(yunta_pipe_give(theirs, child), 0);
    for (int i = 1; i <= 100; i++) {
        ck_assert_int_eq(yunta_pipe_receive(mine, &value, sizeof value, &size, YUNTA_FOREVER), 0);
        ck_assert_int_eq(value, i);
    }
    ck_assert_int_eq(yunta_pipe_receive(mine, &value, sizeof value, &size, YUNTA_FOREVER), YUNTA_ECLOSED);
    end(0);
    ck_assert_int_eq(yunta_pipe_create(&mine, &theirs, NULL), 0);
    START(die, theirs, 0);
    ck_assert_int_eq(yunta_pipe_give(theirs, child), 0);
    ck_assert_int_eq(yunta_pipe_receive(mine, &value, sizeof value, &size, YUNTA_FOREVER), 0);
    ck_assert_int_eq(yunta_pipe_receive(mine, &value, sizeof value, &size, YUNTA_FOREVER), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_pipe_send(mine, &value, sizeof value, YUNTA_FOREVER), -EPIPE);
    end(YUNTA_ECRASHED);
}
END_TEST

START_TEST(who_waits_for_room_is_told_of_a_death)
{
    char text[40] = "";
    ck_assert_int_eq(yunta_pipe_create(&mine, &theirs, &(yunta_pipe_options){.capacity = 64}), 0);
    START(die, theirs, 0);
    ck_assert_int_eq(yunta_pipe_give(theirs, child), 0);
    int r;
    do
        r = yunta_pipe_send(mine, text, 24, YUNTA_FOREVER);
    while (r == 0);
    ck_assert_int_eq(r, -EPIPE);
    end(YUNTA_ECRASHED);
}
END_TEST

START_TEST(more_processes_than_places_at_one_end)
{
    enum { MANY = 6, EACH = 50 };
    yunta_process *many[MANY];
    int value, sum = 0;
    size_t size;
    ck_assert_int_eq(yunta_pipe_create(&mine, &theirs, &(yunta_pipe_options){.capacity = 64}), 0);
    for (int i = 0; i < MANY; i++) {
        START(send_count, theirs, EACH);
        many[i] = child;
    }
    for (int i = 0; i < MANY - 1; i++)
        ck_assert_int_eq(yunta_pipe_open(theirs), 0);
    ck_assert_int_eq(yunta_pipe_give(theirs, many[0]), 0); /* the others come to hold it by using it */
    for (int i = 0; i < MANY * EACH; i++) {
        int r = yunta_pipe_receive(mine, &value, sizeof value, &size, YUNTA_FOREVER);
        if (r == YUNTA_ECLOSED)
            break; /* the first had ended before the others began: they are told -EBADF */
        ck_assert_int_eq(r, 0);
        sum += value;
    }
    ck_assert_int_ge(sum, EACH * (EACH + 1) / 2);
    for (int i = 0; i < MANY - 1; i++) {
        int status = yunta_process_join(many[i], YUNTA_FOREVER);
        ck_assert(status == 0 || (i > 0 && status == 1));
        yunta_process_destroy(many[i]);
    }
    child = many[MANY - 1];
    end(yunta_process_join(child, YUNTA_FOREVER));
}
END_TEST

START_TEST(descriptors_go_to_a_process_of_each_method)
{
    enum { COUNT = 3 };
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(yunta_pipe_create(&mine, &theirs, NULL), 0);
    START(write_name, theirs, COUNT);
    ck_assert_int_eq(yunta_pipe_give(theirs, child), 0);
    for (int i = 0, got; i < COUNT; i++) {
        ck_assert_int_eq(yunta_pipe_send_descriptor(mine, ends[1], YUNTA_FOREVER), 0);
        ck_assert_int_eq(read(ends[0], &got, sizeof got), sizeof got);
        ck_assert_int_eq(got, i);
    }
    ck_assert_int_eq(yunta_pipe_close(mine), 0);
    end(0);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(a_descriptor_outlives_its_sender)
{
    int fd = -1;
    char text[4];
    ck_assert_int_eq(yunta_pipe_create(&mine, &theirs, NULL), 0);
    ck_assert_int_eq(yunta_pipe_receive_descriptor(mine, &fd, 0), -ETIMEDOUT);
    START(send_pipe, theirs, 0);
    ck_assert_int_eq(yunta_pipe_give(theirs, child), 0);
    ck_assert_int_eq(yunta_process_join(child, YUNTA_FOREVER), 0);
    ck_assert_int_eq(yunta_pipe_receive_descriptor(mine, &fd, 0), 0);
    ck_assert_int_eq(read(fd, text, sizeof text), sizeof text);
    ck_assert_mem_eq(text, "hola", 4);
    close(fd);
    ck_assert_int_eq(yunta_pipe_receive_descriptor(mine, &fd, YUNTA_FOREVER), YUNTA_ECLOSED);
    end(0);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("pipe, processes");
    TCase *cases = test_case(suite, "methods");
    TEST_FOR_EACH_METHOD(cases, two_sides_talk_until_one_closes);
    TEST_FOR_EACH_METHOD(cases, who_ends_or_dies_is_told_after_the_last_message);
    TEST_FOR_EACH_METHOD(cases, who_waits_for_room_is_told_of_a_death);
    TEST_FOR_EACH_METHOD(cases, more_processes_than_places_at_one_end);
    TEST_FOR_EACH_METHOD(cases, descriptors_go_to_a_process_of_each_method);
    TEST_FOR_EACH_METHOD(cases, a_descriptor_outlives_its_sender);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
