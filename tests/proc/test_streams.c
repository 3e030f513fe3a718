/* Standard streams: where they lead, and that no line is doubled, lost or out of order.
 * It must not rely on a terminal.
 * Read next: test_exit.c.
 *
 * labels: valgrind */
#include "helpers.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>

/* The standard streams of the test itself lead to a file; what it held before comes back at the end. */
struct redirection {
    int kept, file;
    FILE *stream;
};

static struct redirection redirect(FILE *stream)
{
    fflush(stream);
    struct redirection r = {.kept = fcntl(fileno(stream), F_DUPFD_CLOEXEC, 10),
                            .file = memfd_create("file", MFD_CLOEXEC),
                            .stream = stream};
    ck_assert_int_ge(r.kept, 0);
    ck_assert_int_ge(r.file, 0);
    ck_assert_int_ge(dup2(r.file, fileno(stream)), 0);
    return r;
}

/* What was written meanwhile. */
static const char *restore(struct redirection *r)
{
    static char text[1 << 16];
    fflush(r->stream);
    ck_assert_int_ge(dup2(r->kept, fileno(r->stream)), 0);
    close(r->kept);
    ssize_t n = pread(r->file, text, sizeof text - 1, 0);
    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    close(r->file);
    return text;
}

static int say(const int *number)
{
    printf("child %d\n", *number);
    return 0;
}
YUNTA_ENTRY(say, int);

START_TEST(pain_39_no_line_is_doubled_lost_or_out_of_order)
{
    struct redirection out = redirect(stdout);
    static char buffer[BUFSIZ];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    char expected[4096] = "";
    for (int i = 0; i < 20; i++) {
        yunta_process *child;
        printf("before %d\n", i);
        start_by(TEST_METHOD, &child, say, &i);
        end_is(child, 0);
        printf("after %d\n", i);
        size_t length = strlen(expected);
        snprintf(expected + length, sizeof expected - length, "before %d\nchild %d\nafter %d\n", i, i, i);
    }
    const char *text = restore(&out);
    setvbuf(stdout, NULL, _IOLBF, 0);
    ck_assert_str_eq(text, expected);
}
END_TEST

static int say_and_exit(const int *way)
{
    printf("out %d\n", *way);
    fprintf(stderr, "err %d\n", *way);
    if (*way == 1)
        exit(3);
    return 3;
}
YUNTA_ENTRY(say_and_exit, int);

START_TEST(a_pipe_gets_all_that_the_child_wrote)
{
    for (int way = 0; way < 2; way++) {
        int ends[2];
        char text[64] = "";
        yunta_process *child;
        ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
        printf("unflushed"); /* the parent's, and not for the pipe */
        start_with(TEST_METHOD, &child, say_and_exit, &way, .out = {YUNTA_DESCRIPTOR, ends[1]},
                   .err = {YUNTA_DESCRIPTOR, ends[1]});
        close(ends[1]);
        end_is(child, 3);
        ssize_t n = 0, got;
        while ((got = read(ends[0], text + n, sizeof text - 1 - (size_t)n)) > 0)
            n += got;
        close(ends[0]);
        ck_assert_str_eq(text, way == 0 ? "err 0\nout 0\n" : "err 1\nout 1\n");
    }
    printf("\n");
}
END_TEST

static int leads_to_null(void)
{
    char byte;
    expect(read(0, &byte, 1) == 0);
    expect(write(1, "x", 1) == 1 && write(2, "x", 1) == 1);
    char path[64];
    for (int i = 0; i < 3; i++) {
        char link[16];
        snprintf(link, sizeof link, "/proc/self/fd/%d", i);
        ssize_t n = readlink(link, path, sizeof path - 1);
        expect(n > 0);
        path[n] = '\0';
        expect(strcmp(path, "/dev/null") == 0);
        expect((fcntl(i, F_GETFD) & FD_CLOEXEC) == 0);
    }
    return 0;
}
YUNTA_ENTRY_VOID(leads_to_null);

START_TEST(null_reads_empty_and_swallows)
{
    yunta_process *child;
    start_with(TEST_METHOD, &child, leads_to_null, NULL, .in = {.to = YUNTA_NULL}, .out = {.to = YUNTA_NULL},
               .err = {.to = YUNTA_NULL});
    end_is(child, 0);
}
END_TEST

/* Says on 1 what it is, reads a byte from 0 first. */
static int copy_byte(void)
{
    char byte;
    expect(read(0, &byte, 1) == 1);
    expect(write(1, &byte, 1) == 1);
    expect(write(2, "!", 1) == 1);
    return 0;
}
YUNTA_ENTRY_VOID(copy_byte);

START_TEST(streams_may_cross)
{
    int in[2], out[2], err[2], kept[3];
    yunta_process *child;
    char byte;
    ck_assert(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
    for (int i = 0; i < 3; i++)
        kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 20);
    fflush(stdout);
    /* Ours: 0 writes out, 1 writes err, 2 reads in. The child's: 0 reads in, 1 writes out, 2 writes err. */
    dup2(out[1], 0);
    dup2(err[1], 1);
    dup2(in[0], 2);
    int r = yunta_start(&child, copy_byte, NULL,
                        &(yunta_process_options){.start_method = TEST_METHOD,
                                                 .in = {YUNTA_DESCRIPTOR, 2},
                                                 .out = {YUNTA_DESCRIPTOR, 0},
                                                 .err = {YUNTA_DESCRIPTOR, 1}});
    for (int i = 0; i < 3; i++) {
        dup2(kept[i], i);
        close(kept[i]);
    }
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(write(in[1], "?", 1), 1);
    ck_assert_int_eq(read(out[0], &byte, 1), 1);
    ck_assert_int_eq(byte, '?');
    ck_assert_int_eq(read(err[0], &byte, 1), 1);
    ck_assert_int_eq(byte, '!');
    end_is(child, 0);
    int all[] = {in[0], in[1], out[0], out[1], err[0], err[1]};
    for (size_t i = 0; i < 6; i++)
        close(all[i]);
}
END_TEST

static int has_no_input(void)
{
    char byte;
    expect(read(0, &byte, 1) < 0 && errno == EBADF);
    expect(fcntl(1, F_GETFD) >= 0);
    return 0;
}
YUNTA_ENTRY_VOID(has_no_input);

START_TEST(a_closed_stream_stays_closed)
{
    yunta_process *child;
    start_by(TEST_METHOD, &child, return_value, &(int){1});
    end_is(child, 1);
    int kept = fcntl(0, F_DUPFD_CLOEXEC, 10);
    close(0);
    int r = yunta_start(&child, has_no_input, NULL, &(yunta_process_options){.start_method = TEST_METHOD});
    dup2(kept, 0);
    close(kept);
    ck_assert_int_eq(r, 0);
    end_is(child, 0);
}
END_TEST

START_TEST(a_team_made_without_streams_does_not_sit_in_their_places)
{
    int kept[3];
    for (int i = 0; i < 3; i++) {
        kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
        close(i);
    }
    yunta_process *child;
    int r = yunta_start(&child, leads_to_null, NULL,
                        &(yunta_process_options){.start_method = TEST_METHOD,
                                                 .in = {.to = YUNTA_NULL},
                                                 .out = {.to = YUNTA_NULL},
                                                 .err = {.to = YUNTA_NULL}});
    int status = r == 0 ? yunta_process_join(child, 20000) : r;
    if (r == 0)
        yunta_process_destroy(child);
    bool open = false;
    for (int i = 0; i < 3; i++) {
        open |= fcntl(i, F_GETFD) >= 0;
        dup2(kept[i], i);
        close(kept[i]);
    }
    ck_assert_int_eq(status, 0);
    ck_assert(!open);
}
END_TEST

static void *sit_in_getchar(void *unused)
{
    (void)unused;
    getchar();
    return NULL;
}

/* Its lock on stdin is held as long as nothing comes. */
START_TEST(pain_9_starting_while_a_thread_sits_in_getchar)
{
    int ends[2], kept = fcntl(0, F_DUPFD_CLOEXEC, 10);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    dup2(ends[0], 0);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, sit_in_getchar, NULL), 0);
    test_wait_until(ftrylockfile(stdin) != 0 || (funlockfile(stdin), false), 20000);
    for (int i = 0; i < 5; i++) {
        yunta_process *child;
        start_by(TEST_METHOD, &child, say, &i);
        end_is(child, 0);
    }
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    pthread_join(thread, NULL);
    dup2(kept, 0);
    close(kept);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

static atomic_bool stop;

static void *print_without_end(void *unused)
{
    (void)unused;
    while (!stop)
        printf("a line of the other thread, long enough to fill a buffer soon\n");
    return NULL;
}

static int print_much(void)
{
    for (int i = 0; i < 100; i++)
        printf("child\n");
    return 0;
}
YUNTA_ENTRY_VOID(print_much);

/* The other thread holds stdout's lock, or is about to, at every start. */
START_TEST(pain_9_starting_while_a_thread_prints)
{
    struct redirection out = redirect(stdout);
    pthread_t thread;
    stop = false;
    ck_assert_int_eq(pthread_create(&thread, NULL, print_without_end, NULL), 0);
    int bad = 0;
    for (int i = 0; i < test_rounds(50); i++) {
        yunta_process *child;
        int r = yunta_start(&child, print_much, NULL, &(yunta_process_options){.start_method = TEST_METHOD});
        bad += r != 0 || yunta_process_join(child, 20000) != 0;
        if (r == 0)
            yunta_process_destroy(child);
        if (ftruncate(out.file, 0) == 0)
            lseek(out.file, 0, SEEK_SET);
    }
    stop = true;
    pthread_join(thread, NULL);
    restore(&out);
    ck_assert_int_eq(bad, 0);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("streams");
    TCase *cases = test_case(suite, "streams");
    TEST_FOR_EACH_METHOD(cases, pain_39_no_line_is_doubled_lost_or_out_of_order);
    TEST_FOR_EACH_METHOD(cases, a_pipe_gets_all_that_the_child_wrote);
    TEST_FOR_EACH_METHOD(cases, null_reads_empty_and_swallows);
    TEST_FOR_EACH_METHOD(cases, streams_may_cross);
    TEST_FOR_EACH_METHOD(cases, a_closed_stream_stays_closed);
    TEST_FOR_EACH_METHOD(cases, a_team_made_without_streams_does_not_sit_in_their_places);
    TEST_FOR_EACH_METHOD(cases, pain_9_starting_while_a_thread_sits_in_getchar);
    TEST_FOR_EACH_METHOD(cases, pain_9_starting_while_a_thread_prints);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
