/* The end of a process that found a bug of ours.
 * Never returns, never allocates: it may run in a child between fork and exec.
 * Next: base/base.h. */
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void yn_assert_failed(const char *condition, const char *file, int line)
{
    char text[256];
    int n = snprintf(text, sizeof text, "yunta: bug at %s:%d: %s does not hold\n", file, line, condition);
    ssize_t ignored = n > 0 ? write(2, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1) : 0;
    (void)ignored;
    abort();
}
