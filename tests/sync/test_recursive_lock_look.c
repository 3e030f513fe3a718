/* How deep a recursive lock goes, without two thousand million calls. It must not need a second process.
 * Read next: test_rwlock.c, where the rest is. */
#include "test.h"

#include "sync/recursive_lock.c"

START_TEST(as_deep_as_its_count_reaches)
{
    yunta_recursive_lock *lock;
    ck_assert_int_eq(yunta_recursive_lock_create(&lock), 0);
    ck_assert_int_eq(yunta_recursive_lock_acquire(lock, 0), 0);
    ck_assert_uint_eq(lock->depth, 0);
    lock->depth = INT32_MAX - 2;
    ck_assert_int_eq(yunta_recursive_lock_acquire(lock, 0), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(lock->depth, INT32_MAX - 1);
        ck_assert_int_eq(yunta_recursive_lock_acquire(lock, 0), -EOVERFLOW);
    }
    ck_assert_int_eq(yunta_recursive_lock_release(lock), 0);
    ck_assert_uint_eq(lock->depth, INT32_MAX - 2);
    lock->depth = 1;
    ck_assert_int_eq(yunta_recursive_lock_release(lock), 0);
    ck_assert_int_eq(yunta_recursive_lock_release(lock), 0);
    ck_assert_int_eq(yunta_recursive_lock_release(lock), -EPERM);
    yunta_recursive_lock_destroy(lock);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("recursive lock, looking");
    TCase *cases = test_case(suite, "looking");
    tcase_add_test(cases, as_deep_as_its_count_reaches);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
