/* Whether this process has, and has had, one thread alone. False if that cannot be told. */
#ifndef YN_THREADS_H
#define YN_THREADS_H

#include <stdbool.h>
#include <stdlib.h>

#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 32)
#include <sys/single_threaded.h>
static inline bool yn_is_single_threaded(void)
{
    return __libc_single_threaded != 0;
}
#else
static inline bool yn_is_single_threaded(void)
{
    return false;
}
#endif

#endif
