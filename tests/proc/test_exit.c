/* The end of a process: hooks, handlers, children, and what each way out leaves behind.
 * It must not run anything of the test's own end in a child: each scene is a program of its own.
 * Read next: ../crash/test_orphans.c for the ends that nobody chose.
 *
 * labels: valgrind */
#include "helpers.h"

#include <fcntl.h>
#include <sys/mman.h>

/* A scene plays in a process that the test forks, the way a program's main would, and says what happened on a pipe. */
static int stage = -1;

static void note(const char *text)
{
    if (write(stage, text, strlen(text)) < 0)
        abort();
}

static void note_hook(void *text)
{
    note(text);
}

/* What was said until everybody who could say something had ended; the status of the scene. */
static int play(int (*scene)(yunta_start_method), yunta_start_method method, char *text, size_t size)
{
    int ends[2], status;
    ck_assert_int_eq(pipe(ends), 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        stage = ends[1];
        exit(scene(method));
    }
    close(ends[1]);
    size_t n = 0;
    ssize_t got;
    while ((got = read(ends[0], text + n, size - 1 - n)) > 0)
        n += (size_t)got;
    text[n] = '\0';
    close(ends[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

#define scene_says(scene, expected)                                                                                    \
    do {                                                                                                               \
        char text[512];                                                                                                \
        int status = play(scene, TEST_METHOD, text, sizeof text);                                                      \
        ck_assert(WIFEXITED(status));                                                                                  \
        ck_assert_int_eq(WEXITSTATUS(status), 0);                                                                      \
        ck_assert_str_eq(text, expected);                                                                              \
    } while (0)

/* In an exec'ed child the stage is one of its streams. */
static void parents_handler(void)
{
    note("[parent's handler]");
}

static void child_handler(void)
{
    note("[child's handler]");
}

static int end_by(const int *way)
{
    stage = 1;
    expect(atexit(child_handler) == 0);
    expect(yunta_at_exit(note_hook, (void *)(uintptr_t) "[first]") == 0);
    expect(yunta_at_exit(note_hook, (void *)(uintptr_t) "[second]") == 0);
    note("<");
    switch (*way) {
    case 0:
        return 5;
    case 1:
        exit(5);
    default:
        _exit(5);
    }
}
YUNTA_ENTRY(end_by, int);

static int run_to_its_end(yunta_start_method method, int way)
{
    yunta_process *child;
    atexit(parents_handler);
    if (yunta_start(&child, end_by, &way,
                    &(yunta_process_options){.start_method = method, .out = {YUNTA_DESCRIPTOR, stage}}) != 0)
        return 1;
    int status = yunta_process_join(child, 20000);
    yunta_process_destroy(child);
    note(">");
    return status == 5 ? 0 : 2;
}

static int child_returns(yunta_start_method method)
{
    return run_to_its_end(method, 0);
}

static int child_exits(yunta_start_method method)
{
    return run_to_its_end(method, 1);
}

static int child_leaves_at_once(yunta_start_method method)
{
    return run_to_its_end(method, 2);
}

START_TEST(handlers_of_the_child_run_and_those_of_the_parent_do_not)
{
    scene_says(child_returns, "<[child's handler][second][first]>[parent's handler]");
    scene_says(child_exits, "<[child's handler][second][first]>[parent's handler]");
    scene_says(child_leaves_at_once, "<>[parent's handler]");
}
END_TEST

static int main_has_hooks(yunta_start_method method)
{
    yunta_process *child;
    yunta_at_exit(note_hook, (void *)(uintptr_t) "[first]");
    yunta_at_exit(note_hook, (void *)(uintptr_t) "[second]");
    if (yunta_start(&child, return_value, &(int){4}, &(yunta_process_options){.start_method = method}) != 0)
        return 1;
    return yunta_process_join(child, 20000) == 4 ? 0 : 2;
}

START_TEST(hooks_run_last_in_first_out_in_main)
{
    scene_says(main_has_hooks, "[second][first]");
}
END_TEST

static int finish_late(void)
{
    stage = 1;
    for (int i = 0; i < 50; i++)
        test_nap();
    note("[done]");
    return 0;
}
YUNTA_ENTRY_VOID(finish_late);

static int main_forgets_its_children(yunta_start_method method)
{
    yunta_process *child;
    for (int i = 0; i < 3; i++)
        if (yunta_start(&child, finish_late, NULL,
                        &(yunta_process_options){.start_method = method, .out = {YUNTA_DESCRIPTOR, stage}}) != 0)
            return 1;
    return 0;
}

START_TEST(the_end_of_main_joins_what_still_runs)
{
    scene_says(main_forgets_its_children, "[done][done][done]");
}
END_TEST

static int ignore_and_sleep(shared_word *const *word)
{
    signal(SIGTERM, SIG_IGN);
    atomic_store(*word, 1);
    return sleep_for_ever();
}
typedef shared_word *word_pointer;
YUNTA_ENTRY(ignore_and_sleep, word_pointer);

static int leaves_daemons(yunta_start_method method)
{
    yunta_process *polite, *stubborn, *late;
    shared_word *word = yunta_shared(shared_word, 1);
    yunta_stream out = {YUNTA_DESCRIPTOR, stage};
    bool good =
        yunta_start(&late, finish_late, NULL, &(yunta_process_options){.start_method = method, .out = out}) == 0 &&
        yunta_start(&polite, sleep_for_ever, NULL,
                    &(yunta_process_options){.start_method = method, .daemon = true, .out = out}) == 0;
    for (int i = 0; i < 3 && good; i++) {
        atomic_store(word, 0);
        good = yunta_start(&stubborn, ignore_and_sleep, &word,
                           &(yunta_process_options){.start_method = method, .daemon = true, .out = out}) == 0 &&
               await_word(word, 1);
    }
    return good ? 0 : 1;
}

START_TEST(the_end_of_main_terminates_daemons_also_stubborn_ones)
{
    uint64_t begin = test_now_ms();
    scene_says(leaves_daemons, "[done]"); /* the pipe's end shows that nobody holds it any more */
    ck_assert_uint_lt(test_now_ms() - begin, 10000);
}
END_TEST

static int start_a_late_one(const int *method)
{
    yunta_process *child;
    stage = 1;
    expect(yunta_start(&child, finish_late, NULL,
                       &(yunta_process_options){.start_method = (yunta_start_method)*method}) == 0);
    return 0;
}
YUNTA_ENTRY(start_a_late_one, int);

static int child_forgets_its_child(yunta_start_method method)
{
    yunta_process *child;
    if (yunta_start(&child, start_a_late_one, &(int){(int)method},
                    &(yunta_process_options){.start_method = method, .out = {YUNTA_DESCRIPTOR, stage}}) != 0)
        return 1;
    int status = yunta_process_join(child, 20000);
    note("[joined]");
    return status;
}

START_TEST(a_child_joins_its_own_children_at_its_end)
{
    scene_says(child_forgets_its_child, "[done][joined]");
}
END_TEST

static int looks_at_itself(yunta_start_method method)
{
    (void)method;
    yunta_process *me = yunta_process_current();
    int sentinel = yunta_process_sentinel(me);
    bool has_one = sentinel >= 0 || (test_is_valgrind() && sentinel == -ENOSYS); /* which knows no pidfds */
    if (!has_one || yunta_process_signal(me, 0) != 0 || yunta_process_children(NULL, 0) != 0)
        return 1;
    return yunta_at_exit(note_hook, (void *)(uintptr_t) "[hook]");
}

/* Its own sentinel makes it no child of its own, to be joined at the end. */
START_TEST(main_may_have_a_sentinel_of_itself)
{
    scene_says(looks_at_itself, "[hook]");
}
END_TEST

static int forks_by_itself(yunta_start_method method)
{
    yunta_process *child;
    yunta_at_exit(note_hook, (void *)(uintptr_t) "[hook]");
    if (yunta_start(&child, return_value, &(int){0}, &(yunta_process_options){.start_method = method}) != 0)
        return 1;
    pid_t guest = fork();
    if (guest == 0)
        exit(0); /* runs libc's handlers, as every fork does, but is not ours to end */
    int status;
    waitpid(guest, &status, 0);
    note("[guest gone]");
    return yunta_process_join(child, 20000);
}

START_TEST(hooks_do_not_run_in_what_the_program_forks_itself)
{
    scene_says(forks_by_itself, "[guest gone][hook]");
}
END_TEST

static int print_and_end(const int *way)
{
    printf("buffered");
    fprintf(stderr, "[err]");
    if (*way == 1)
        exit(0);
    return 0;
}
YUNTA_ENTRY(print_and_end, int);

static int output_is_flushed(yunta_start_method method)
{
    for (int way = 0; way < 2; way++) {
        yunta_process *child;
        yunta_stream out = {YUNTA_DESCRIPTOR, stage};
        if (yunta_start(&child, print_and_end, &way,
                        &(yunta_process_options){.start_method = method, .out = out, .err = out}) != 0)
            return 1;
        if (yunta_process_join(child, 20000) != 0)
            return 2;
    }
    return 0;
}

START_TEST(what_was_printed_is_written_at_every_end)
{
    scene_says(output_is_flushed, "[err]buffered[err]buffered");
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("exit");
    TCase *cases = test_case(suite, "exit");
    TEST_FOR_EACH_METHOD(cases, handlers_of_the_child_run_and_those_of_the_parent_do_not);
    TEST_FOR_EACH_METHOD(cases, hooks_run_last_in_first_out_in_main);
    TEST_FOR_EACH_METHOD(cases, the_end_of_main_joins_what_still_runs);
    TEST_FOR_EACH_METHOD(cases, the_end_of_main_terminates_daemons_also_stubborn_ones);
    TEST_FOR_EACH_METHOD(cases, a_child_joins_its_own_children_at_its_end);
    TEST_FOR_EACH_METHOD(cases, main_may_have_a_sentinel_of_itself);
    TEST_FOR_EACH_METHOD(cases, hooks_do_not_run_in_what_the_program_forks_itself);
    TEST_FOR_EACH_METHOD(cases, what_was_printed_is_written_at_every_end);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
