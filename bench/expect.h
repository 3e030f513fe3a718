/* For the programs that measure yunta: what its calls return. */
#ifndef BENCH_EXPECT_H
#define BENCH_EXPECT_H

#include <yunta/error.h>

#include "lib/bench.h"

/* Ends the program, naming the code, unless `code` is `expected`. */
static inline void expect(int code, int expected, const char *what)
{
    if (code != expected)
        bench_wrong("%s gave %d (%s), not %d", what, code, yunta_strerror(code), expected);
}

#endif
