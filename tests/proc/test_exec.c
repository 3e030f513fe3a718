/* What crosses an exec: nothing of ours. The child execs another program, which must find no descriptor and no word of
 * the library's. It must not look at the child before it has exec'ed. Read next: test_image.c. */
#include "helpers.h"

#include <fcntl.h>
#include <sys/mman.h>

/* The program that the child becomes lists its descriptors, or its environment and arguments. */
struct errand {
    bool descriptors;
};

static int become_another(const struct errand *errand)
{
    static char *const list_descriptors[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                                             (char *)(uintptr_t) "for f in /proc/$$/fd/*; do readlink $f; done; true",
                                             NULL},
                       *const list_words[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                                              (char *)(uintptr_t) "tr '\\0' '\\n' </proc/$$/environ; "
                                                                  "tr '\\0' '\\n' </proc/$$/cmdline",
                                              NULL};
    execv("/bin/sh", errand->descriptors ? list_descriptors : list_words);
    return 1;
}
YUNTA_ENTRY(become_another, struct errand);

static const char *output_of(yunta_start_method method, bool descriptors, const char *const *environment)
{
    static char text[1 << 16];
    int file = memfd_create("output", MFD_CLOEXEC);
    yunta_process *child;
    start_with(method, &child, become_another, &(struct errand){descriptors}, .out = {YUNTA_DESCRIPTOR, file},
               .in = {.to = YUNTA_NULL}, .err = {.to = YUNTA_NULL}, .environment = environment);
    end_is(child, 0);
    ssize_t n = pread(file, text, sizeof text - 1, 0);
    ck_assert_int_gt(n, 0);
    text[n] = '\0';
    close(file);
    return text;
}

START_TEST(pain_38_no_descriptor_of_ours_reaches_an_execed_program)
{
    const char *text = output_of(TEST_METHOD, true, NULL);
    ck_assert_ptr_null(strstr(text, "memfd:yunta"));
    ck_assert_ptr_null(strstr(text, "socket:"));
    ck_assert_ptr_null(strstr(text, "pidfd"));
    ck_assert_ptr_null(strstr(text, "eventpoll"));
    ck_assert_ptr_null(strstr(text, "signalfd"));
    ck_assert_ptr_nonnull(strstr(text, "/dev/null")); /* so something was listed */
}
END_TEST

START_TEST(nothing_of_the_hand_over_stays_in_the_environment)
{
    unsetenv("YUNTA_KILLS"); /* what other tests are told there */
    const char *const one[] = {"ONLY=this", NULL};
    for (int given = 0; given < 2; given++) {
        const char *text = output_of(TEST_METHOD, false, given ? one : NULL);
        ck_assert_ptr_null(strstr(text, "yunta-child"));
        ck_assert_ptr_null(strcasestr(text, "\nYUNTA"));
        ck_assert((strstr(text, "ONLY=this") != NULL) == given);
    }
}
END_TEST

static int run_true(void)
{
    execl("/bin/sh", "sh", "-c", "kill -SEGV $$", NULL);
    return 1;
}
YUNTA_ENTRY_VOID(run_true);

START_TEST(the_end_of_an_execed_program_is_told)
{
    yunta_process *child;
    yunta_failure why;
    start_by(TEST_METHOD, &child, run_true, NULL);
    join_is(child, YUNTA_ECRASHED);
    ck_assert_int_eq(yunta_process_failure(child, &why), 0);
    ck_assert_int_eq(why.signal, SIGSEGV);
    yunta_process_destroy(child);
}
END_TEST

/* The file has another name, or none, or another one has its name: the running one is what is executed again. */
START_TEST(the_program_may_be_replaced_while_it_runs)
{
    char path[] = "/tmp/yunta-test-XXXXXX", copy[64], command[512], self[200];
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    ck_assert_int_gt(n, 0);
    self[n] = '\0';
    snprintf(copy, sizeof copy, "%s.2", path);
    snprintf(command, sizeof command, "cp %s %s && chmod 755 %s && cp /bin/false %s", self, path, path, copy);
    ck_assert_int_eq(system(command), 0);
    pid_t pid = fork();
    int status;
    if (pid == 0) {
        setenv("YUNTA_TEST_REPLACED", copy, 1);
        execl(path, path, "replaced", NULL);
        _exit(1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    unlink(path);
    unlink(copy);
}
END_TEST

/* In the copy: its own file is replaced by another program, and gone at last. */
static int replaced(const char *own_path)
{
    yunta_process *child;
    for (int round = 0; round < 3; round++) {
        if (round == 1 && rename(getenv("YUNTA_TEST_REPLACED"), own_path) != 0)
            return 2;
        if (round == 2 && unlink(own_path) != 0)
            return 3;
        for (yunta_start_method m = YUNTA_FORKSERVER; m <= YUNTA_SPAWN; m++) {
            int r = yunta_start(&child, return_value, &(int){5}, &(yunta_process_options){.start_method = m});
            if (r != 0 || yunta_process_join(child, 20000) != 5)
                return 10 * round + 4;
            yunta_process_destroy(child);
        }
    }
    return 0;
}

static Suite *make(void)
{
    Suite *suite = suite_create("exec");
    TCase *cases = test_case(suite, "exec");
    TEST_FOR_EACH_METHOD(cases, pain_38_no_descriptor_of_ours_reaches_an_execed_program);
    TEST_FOR_EACH_METHOD(cases, nothing_of_the_hand_over_stays_in_the_environment);
    TEST_FOR_EACH_METHOD(cases, the_end_of_an_execed_program_is_told);
    tcase_add_test(cases, the_program_may_be_replaced_while_it_runs);
    return suite;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "replaced") == 0)
        return yunta_init(argc, argv) != 0 ? 1 : replaced(argv[0]);
    return test_main(argc, argv, make);
}
