/* Pipe within one process: messages, bytes, limits, the end of an end, and bad input.
 * It must not rely on who is faster.
 * Read next: test_pipe_processes.c.
 *
 * labels: threads valgrind */
#include "comm/pipe.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <test.h>
#include <unistd.h>

static yunta_pipe *a, *b;

static void begin(yunta_pipe_options o)
{
    ck_assert_int_eq(yunta_pipe_create(&a, &b, &o), 0);
}

static void end(void)
{
    int r;
    ck_assert(yn_pipe_is_sound(yn_self_get(&r), a));
    ck_assert_ptr_null(yunta_pipe_destroy(a));
}

START_TEST(messages_go_both_ways_in_order)
{
    char text[16];
    size_t size;
    begin((yunta_pipe_options){0});
    for (int i = 0; i < 10000; i++) {
        int answer = 0;
        ck_assert_int_eq(yunta_pipe_send(a, &i, sizeof i, 0), 0);
        ck_assert_int_eq(yunta_pipe_send(a, "", 0, 0), 0);
        ck_assert_int_eq(yunta_pipe_receive(b, &answer, sizeof answer, &size, 0), 0);
        ck_assert_int_eq(answer, i);
        ck_assert_int_eq(yunta_pipe_send(b, "hola, mundo", (size_t)i % 12, 0), 0);
        ck_assert_int_eq(yunta_pipe_receive(b, NULL, 0, &size, 0), 0);
        ck_assert_uint_eq(size, 0);
        ck_assert_int_eq(yunta_pipe_receive(a, text, sizeof text, &size, 0), 0);
        ck_assert_uint_eq(size, (size_t)i % 12);
        ck_assert_mem_eq(text, "hola, mundo", size);
    }
    ck_assert_int_eq(yunta_pipe_poll(a, 0), -ETIMEDOUT);
    end();
}
END_TEST

START_TEST(a_full_pipe_says_so_and_a_short_buffer_loses_nothing)
{
    char text[100] = "x", out[100];
    size_t size = 0, sent = 0;
    begin((yunta_pipe_options){.capacity = 1024});
    while (yunta_pipe_send(a, text, sizeof text, 0) == 0)
        sent++;
    ck_assert_uint_ge(sent, 8);
    ck_assert_int_eq(yunta_pipe_send(a, text, sizeof text, 5), -ETIMEDOUT);
    ck_assert_int_eq(yunta_pipe_receive(b, out, 99, &size, 0), -EMSGSIZE);
    ck_assert_uint_eq(size, 100);
    while (sent-- > 0)
        ck_assert_int_eq(yunta_pipe_receive(b, out, sizeof out, &size, 0), 0);
    ck_assert_int_eq(yunta_pipe_receive(b, out, sizeof out, &size, 0), -ETIMEDOUT);
    ck_assert_int_eq(yunta_pipe_receive(b, out, sizeof out, &size, 5), -ETIMEDOUT);
    end();
}
END_TEST

START_TEST(a_large_message_goes_by_itself)
{
    enum { LARGE = 3000000 };
    char *text = malloc(LARGE), *out = malloc(LARGE);
    size_t size;
    begin((yunta_pipe_options){0});
    memset(text, 'g', LARGE);
    ck_assert_int_eq(yunta_pipe_send(a, "antes", 5, 0), 0);
    ck_assert_int_eq(yunta_pipe_send(a, text, LARGE, 0), 0);
    ck_assert_int_eq(yunta_pipe_send(a, text, LARGE, 0), -ETIMEDOUT);
    ck_assert_int_eq(yunta_pipe_send(a, "luego", 5, 0), 0);
    ck_assert_int_eq(yunta_pipe_receive(b, out, LARGE, &size, 0), 0);
    ck_assert_uint_eq(size, 5);
    ck_assert_int_eq(yunta_pipe_receive(b, out, LARGE - 1, &size, 0), -EMSGSIZE);
    ck_assert_uint_eq(size, LARGE);
    ck_assert_int_eq(yunta_pipe_receive(b, out, LARGE, &size, 0), 0);
    ck_assert_mem_eq(out, text, LARGE);
    ck_assert_int_eq(yunta_pipe_send(a, text, LARGE, 0), 0); /* stays: destroy frees it */
    free(text);
    free(out);
    end();
}
END_TEST

START_TEST(bytes_have_no_bounds)
{
    char out[4096];
    size_t size, written = 7;
    begin((yunta_pipe_options){.capacity = 4096, .stream = true});
    ck_assert_int_eq(yunta_pipe_write(a, "uno", 3, NULL, 0), 0);
    ck_assert_int_eq(yunta_pipe_write(a, "dos", 3, &written, 0), 0);
    ck_assert_uint_eq(written, 3);
    ck_assert_int_eq(yunta_pipe_read(b, out, 4, &size, 0), 0);
    ck_assert_mem_eq(out, "unod", 4);
    ck_assert_int_eq(yunta_pipe_read(b, out, sizeof out, &size, 0), 0);
    ck_assert_uint_eq(size, 2);
    char big[6000] = "";
    ck_assert_int_eq(yunta_pipe_write(a, big, sizeof big, &written, 0), -ETIMEDOUT);
    ck_assert_uint_eq(written, 4096);
    ck_assert_int_eq(yunta_pipe_write(a, big, 1, &written, 0), -ETIMEDOUT);
    ck_assert_uint_eq(written, 0);
    ck_assert_int_eq(yunta_pipe_read(b, out, 100, &size, 0), 0);
    ck_assert_int_eq(yunta_pipe_write(a, big, 101, &written, 0), -ETIMEDOUT); /* short: whole or not at all */
    ck_assert_uint_eq(written, 0);
    ck_assert_int_eq(yunta_pipe_write(a, big, 100, &written, 0), 0);
    end();
}
END_TEST

START_TEST(a_closed_end_is_told)
{
    char out[8];
    size_t size;
    begin((yunta_pipe_options){0});
    ck_assert_int_eq(yunta_pipe_send(a, "adios", 5, 0), 0);
    ck_assert_int_eq(yunta_pipe_close(a), 0);
    ck_assert_int_eq(yunta_pipe_close(a), -EBADF);
    ck_assert_int_eq(yunta_pipe_open(a), -EBADF);
    ck_assert_int_eq(yunta_pipe_send(a, "x", 1, 0), -EBADF);
    ck_assert_int_eq(yunta_pipe_send(b, "x", 1, YUNTA_FOREVER), -EPIPE);
    ck_assert_int_eq(yunta_pipe_poll(b, 0), 0);
    ck_assert_int_eq(yunta_pipe_receive(b, out, sizeof out, &size, YUNTA_FOREVER), 0);
    ck_assert_int_eq(yunta_pipe_receive(b, out, sizeof out, &size, YUNTA_FOREVER), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_pipe_poll(b, 0), 0);
    ck_assert_int_eq(yunta_pipe_receive_descriptor(b, &(int){0}, YUNTA_FOREVER), YUNTA_ECLOSED);
    ck_assert_int_eq(yunta_pipe_send_descriptor(b, 0, YUNTA_FOREVER), -EPIPE);
    end();
}
END_TEST

START_TEST(one_way_has_a_direction)
{
    int out;
    size_t size;
    begin((yunta_pipe_options){.one_way = true});
    ck_assert_int_eq(yunta_pipe_send(a, &(int){1}, 4, 0), -EBADF);
    ck_assert_int_eq(yunta_pipe_send(b, &(int){1}, 4, 0), 0);
    ck_assert_int_eq(yunta_pipe_receive(b, &out, 4, &size, 0), -EBADF);
    ck_assert_int_eq(yunta_pipe_poll(b, 0), -EBADF);
    ck_assert_int_eq(yunta_pipe_receive(a, &out, 4, &size, 0), 0);
    ck_assert_int_eq(yunta_pipe_send_descriptor(a, 0, 0), -EBADF);
    ck_assert_int_eq(yunta_pipe_receive_descriptor(b, &out, 0), -EBADF);
    end();
}
END_TEST

START_TEST(nonsense_is_refused)
{
    char c;
    size_t size;
    yunta_pipe *x;
    ck_assert_int_eq(yunta_pipe_create(NULL, &x, NULL), -EINVAL);
    ck_assert_int_eq(yunta_pipe_create(&x, NULL, NULL), -EINVAL);
    ck_assert_int_eq(yunta_pipe_create(&x, &b, &(yunta_pipe_options){.reserved = {1}}), -EINVAL);
    ck_assert_int_eq(yunta_pipe_create(&x, &b, &(yunta_pipe_options){.capacity = SIZE_MAX}), -EOVERFLOW);
    ck_assert_ptr_null(yunta_pipe_destroy(NULL));
    ck_assert_int_eq(yunta_pipe_open(NULL), -EINVAL);
    ck_assert_int_eq(yunta_pipe_close(NULL), -EINVAL);
    ck_assert_int_eq(yunta_pipe_poll(NULL, 0), -EINVAL);
    ck_assert_int_eq(yunta_pipe_give(NULL, yunta_process_current()), -EINVAL);
    ck_assert_int_eq(yunta_pipe_send(NULL, "", 1, 0), -EINVAL);
    ck_assert_int_eq(yunta_pipe_send_descriptor(NULL, 0, 0), -EINVAL);
    ck_assert_int_eq(yunta_pipe_receive_descriptor(NULL, &(int){0}, 0), -EINVAL);
    begin((yunta_pipe_options){0});
    ck_assert_int_eq(yunta_pipe_give(a, NULL), -EINVAL);
    ck_assert_int_eq(yunta_pipe_send(a, NULL, 1, 0), -EINVAL);
    ck_assert_int_eq(yunta_pipe_send(a, &c, SIZE_MAX / 4, 0), -ENOMEM);
    ck_assert_int_eq(yunta_pipe_receive(a, NULL, 1, &size, 0), -EINVAL);
    ck_assert_int_eq(yunta_pipe_receive(a, &c, 1, NULL, 0), -EINVAL);
    ck_assert_int_eq(yunta_pipe_write(a, &c, 1, &size, 0), -EINVAL);
    ck_assert_int_eq(yunta_pipe_read(a, &c, 1, &size, 0), -EINVAL);
    ck_assert_int_eq(yunta_pipe_send_descriptor(a, -1, 0), -EBADF);
    ck_assert_int_eq(yunta_pipe_receive_descriptor(a, NULL, 0), -EINVAL);
    end();
    begin((yunta_pipe_options){.stream = true});
    ck_assert_int_eq(yunta_pipe_read(a, &c, 0, &size, 0), -EINVAL);
    ck_assert_int_eq(yunta_pipe_send(a, &c, 1, 0), -EINVAL);
    ck_assert_int_eq(yunta_pipe_receive(a, &c, 1, &size, 0), -EINVAL);
    end();
}
END_TEST

enum { THREADS = 3, EACH = 3000 };
static _Atomic long sum;

static void *send_all(void *unused)
{
    (void)unused;
    for (int i = 1; i <= EACH; i++)
        ck_assert_int_eq(yunta_pipe_send(a, &i, sizeof i, YUNTA_FOREVER), 0);
    return NULL;
}

static void *receive_all(void *unused)
{
    (void)unused;
    for (int i = 0; i < EACH; i++) {
        int value = 0;
        size_t size;
        ck_assert_int_eq(yunta_pipe_receive(b, &value, sizeof value, &size, YUNTA_FOREVER), 0);
        atomic_fetch_add(&sum, value);
    }
    return NULL;
}

START_TEST(many_threads_at_each_end)
{
    pthread_t t[2 * THREADS];
    begin((yunta_pipe_options){.capacity = 256});
    for (int i = 0; i < 2 * THREADS; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, i % 2 ? send_all : receive_all, NULL), 0);
    for (int i = 0; i < 2 * THREADS; i++)
        pthread_join(t[i], NULL);
    ck_assert_int_eq(atomic_load(&sum), (long)THREADS * EACH * (EACH + 1) / 2);
    end();
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("pipe");
    TCase *cases = test_case(suite, "one process");
    tcase_add_test(cases, messages_go_both_ways_in_order);
    tcase_add_test(cases, a_full_pipe_says_so_and_a_short_buffer_loses_nothing);
    tcase_add_test(cases, a_large_message_goes_by_itself);
    tcase_add_test(cases, bytes_have_no_bounds);
    tcase_add_test(cases, a_closed_end_is_told);
    tcase_add_test(cases, one_way_has_a_direction);
    tcase_add_test(cases, nonsense_is_refused);
    tcase_add_test(cases, many_threads_at_each_end);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
