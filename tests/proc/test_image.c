/* Functions across an exec: static ones, those of the executable, of shared libraries that are linked or loaded.
 * It must not rely on where anything is loaded.
 * Read next: test_exec.c for what else crosses an exec, and what must not.
 *
 * links: linked */
#include "helpers.h"

#include "proc/image.h"

#include <dlfcn.h>
#include <sys/mman.h>

const yunta_entry *linked_entry(void);
int linked_start(yunta_process **process, int number, const yunta_process_options *options);

int twice(const int *number);
int twice(const int *number)
{
    return *number * 2;
}
YUNTA_ENTRY(twice, int);

START_TEST(a_function_of_the_executable)
{
    yunta_process *child;
    start_by(TEST_METHOD, &child, twice, &(int){21});
    end_is(child, 42);
    start_by(TEST_METHOD, &child, return_value, &(int){43}); /* static, in a header */
    end_is(child, 43);
}
END_TEST

START_TEST(a_static_function_of_a_linked_library)
{
    yunta_process *child;
    yunta_process_options options = {.start_method = TEST_METHOD};
    ck_assert_int_eq(yunta_process_start(&child, linked_entry(), &(int){4}, sizeof(int), &options), 0);
    end_is(child, 12);
    ck_assert_int_eq(linked_start(&child, 5, &options), 0);
    end_is(child, 15);
}
END_TEST

START_TEST(a_static_function_of_a_loaded_library)
{
    void *library = dlopen(TEST_PROGRAMS "/libplugin_loaded.so", RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(library != NULL, "%s", dlerror());
    const yunta_entry *entry = dlsym(library, "loaded_entry");
    ck_assert_ptr_nonnull(entry);
    yunta_process_options options = {.start_method = TEST_METHOD};
    for (int i = 1; i < 4; i++) {
        yunta_process *child;
        ck_assert_int_eq(yunta_process_start(&child, entry, &i, sizeof i, &options), 0);
        end_is(child, 4 * i);
    }
    dlclose(library);
}
END_TEST

/* The loader knows it by a name that leads nowhere by then. */
START_TEST(a_library_loaded_by_a_relative_path)
{
    ck_assert_int_eq(chdir(TEST_PROGRAMS), 0);
    void *library = dlopen("./libplugin_loaded.so", RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(library != NULL, "%s", dlerror());
    const yunta_entry *entry = dlsym(library, "loaded_entry");
    ck_assert_ptr_nonnull(entry);
    yunta_process_options options = {.start_method = TEST_METHOD, .directory = "/tmp"};
    yunta_process *child;
    ck_assert_int_eq(yunta_process_start(&child, entry, &(int){2}, sizeof(int), &options), 0);
    end_is(child, 8);
    ck_assert_int_eq(chdir("/"), 0);
    options.directory = NULL;
    ck_assert_int_eq(yunta_process_start(&child, entry, &(int){3}, sizeof(int), &options), 0);
    end_is(child, 12);
    dlclose(library);
}
END_TEST

/* Code that lies in no module: a return of 7, written by hand. */
START_TEST(code_of_no_module_can_only_be_forked)
{
    unsigned char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(page, MAP_FAILED);
#if defined(__x86_64__)
    static const unsigned char seven[] = {0xb8, 7, 0, 0, 0, 0xc3};
#else
    static const unsigned char seven[] = {0xe0, 0, 0x80, 0x52, 0xc0, 3, 0x5f, 0xd6};
#endif
    memcpy(page, seven, sizeof seven);
    ck_assert_int_eq(mprotect(page, 4096, PROT_READ | PROT_EXEC), 0);
    yunta_entry entry = {.name = "made"};
    memcpy(&entry.call, &page, sizeof page);
    yunta_process *child = NULL;
    yunta_process_options options = {.start_method = TEST_METHOD};
    int r = yunta_process_start(&child, &entry, NULL, 0, &options);
    if (TEST_METHOD == YUNTA_FORK) {
        ck_assert_int_eq(r, 0);
        end_is(child, 7);
    } else {
        ck_assert_int_eq(r, YUNTA_ENOFUNCTION);
        ck_assert_ptr_null(child);
    }
    munmap(page, 4096);
}
END_TEST

/* What a child of another build is told. */
START_TEST(a_function_of_another_build_is_not_found)
{
    int error;
    yn_self *me = yn_self_get(&error);
    yn_image_ref_shared *ref = yn_image_describe(me, (void (*)(void))twice, &error);
    ck_assert_ptr_nonnull(ref);
    void (*found)(void) = NULL;
    ck_assert_int_eq(yn_image_resolve(ref, &found), 0);
    ck_assert(found == (void (*)(void))twice);
    ref->id[3] ^= 1;
    ck_assert_int_eq(yn_image_resolve(ref, &found), YUNTA_ENOFUNCTION);
    ref->id[3] ^= 1;
    ref->is_program = 0; /* a library of that id */
    ck_assert_int_eq(yn_image_resolve(ref, &found), YUNTA_ENOFUNCTION);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("image");
    TCase *cases = test_case(suite, "functions");
    TEST_FOR_EACH_METHOD(cases, a_function_of_the_executable);
    TEST_FOR_EACH_METHOD(cases, a_static_function_of_a_linked_library);
    TEST_FOR_EACH_METHOD(cases, a_static_function_of_a_loaded_library);
    TEST_FOR_EACH_METHOD(cases, a_library_loaded_by_a_relative_path);
    TEST_FOR_EACH_METHOD(cases, code_of_no_module_can_only_be_forked);
    tcase_add_test(cases, a_function_of_another_build_is_not_found);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
