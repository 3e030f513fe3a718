/* Starts that fail, and what they must not leave behind. */
#ifndef YUNTA_TEST_FAILED_STARTS_H
#define YUNTA_TEST_FAILED_STARTS_H

#include "helpers.h"

static inline int never_run(void)
{
    return 1;
}
YUNTA_ENTRY_VOID(never_run);

static inline void fails_with(int code, yunta_process_options options)
{
    yunta_process *child = NULL;
    ck_assert_int_eq(yunta_start(&child, never_run, NULL, &options), code);
    ck_assert_ptr_null(child);
    ck_assert_int_eq(yunta_process_children(NULL, 0), 0);
    siginfo_t info;
    ck_assert(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD);
}

#endif
