/* Codes, their names and texts, and the text that a task leaves with yunta_fail.
 * Never allocates, never fails.
 * Next: base/assert.c; who reads the text: pool/worker.c, proc/child.c. */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>

/* Found without a call of the loader's, which a fresh child would have to page in. */
static _Thread_local char fail_text[YUNTA_FAILURE_TEXT] __attribute__((tls_model("initial-exec")));

YN_IN_CHILD char *yn_fail_text(void)
{
    return fail_text;
}

const char *yunta_strerror(int code)
{
    switch (code) {
#define YN_CASE(name, value, text)                                                                                     \
    case name:                                                                                                         \
        return text;
        YUNTA_ERROR_TABLE(YN_CASE)
#undef YN_CASE
    case 0:
        return "success";
    default:
        break;
    }
    if (code < -4095)
        return "unknown yunta error";
    /* strerror of a known number is constant text in glibc and musl; of an unknown one it may use a buffer. */
    static const int largest = 133;
    int number = code < 0 ? -code : code;
    return number > largest ? "unknown error" : strerror(number);
}

const char *yunta_error_name(int code)
{
    switch (code) {
#define YN_CASE(name, value, text)                                                                                     \
    case name:                                                                                                         \
        return #name;
        YUNTA_ERROR_TABLE(YN_CASE)
#undef YN_CASE
#define YN_ERRNO(name)                                                                                                 \
    case -name:                                                                                                        \
        return "-" #name;
        YN_ERRNO(EPERM)
        YN_ERRNO(ENOENT)
        YN_ERRNO(ESRCH)
        YN_ERRNO(EINTR)
        YN_ERRNO(EIO)
        YN_ERRNO(ENXIO)
        YN_ERRNO(E2BIG)
        YN_ERRNO(ENOEXEC)
        YN_ERRNO(EBADF)
        YN_ERRNO(ECHILD)
        YN_ERRNO(EAGAIN)
        YN_ERRNO(ENOMEM)
        YN_ERRNO(EACCES)
        YN_ERRNO(EFAULT)
        YN_ERRNO(EBUSY)
        YN_ERRNO(EEXIST)
        YN_ERRNO(EXDEV)
        YN_ERRNO(ENODEV)
        YN_ERRNO(ENOTDIR)
        YN_ERRNO(EISDIR)
        YN_ERRNO(EINVAL)
        YN_ERRNO(ENFILE)
        YN_ERRNO(EMFILE)
        YN_ERRNO(ETXTBSY)
        YN_ERRNO(EFBIG)
        YN_ERRNO(ENOSPC)
        YN_ERRNO(EROFS)
        YN_ERRNO(EPIPE)
        YN_ERRNO(ERANGE)
        YN_ERRNO(EDEADLK)
        YN_ERRNO(ENAMETOOLONG)
        YN_ERRNO(ENOSYS)
        YN_ERRNO(ELOOP)
        YN_ERRNO(ENODATA)
        YN_ERRNO(EBADMSG)
        YN_ERRNO(EOVERFLOW)
        YN_ERRNO(EMSGSIZE)
        YN_ERRNO(ENOTSUP)
        YN_ERRNO(EADDRINUSE)
        YN_ERRNO(ECONNRESET)
        YN_ERRNO(ETOOMANYREFS)
        YN_ERRNO(ETIMEDOUT)
        YN_ERRNO(ECONNREFUSED)
        YN_ERRNO(EDQUOT)
        YN_ERRNO(ECANCELED)
        YN_ERRNO(EOWNERDEAD)
        YN_ERRNO(ENOTRECOVERABLE)
#undef YN_ERRNO
    default:
        return NULL;
    }
}

int yunta_fail(int code, const char *format, ...)
{
    if (format) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(fail_text, sizeof fail_text, format, arguments);
        va_end(arguments);
    }
    return code;
}
