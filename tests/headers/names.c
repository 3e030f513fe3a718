/* Whatever a program's own globals are called, the declaration macros compile without a warning of shadowing: only
 * syntax, as C and as C++ (cmake/tests.cmake).
 * It must not be run.
 * Read next: include/yunta/task.h. */
#include <yunta/yunta.h>

extern int argument, capacity, child, count, entry, failure, function, future, in, index_, input, item, name, option,
    options, out, output, pool, process, result, size, status, task, type, value, worker, workers, why;
typedef struct x {
    int number;
} x;
typedef struct y {
    double number;
} y;

/* Types with the names that parameters often have, too. */
static int convert(const x *a, y *b)
{
    b->number = a->number;
    return 0;
}
YUNTA_TASK(convert, x, y);

static int show(const x *a)
{
    return a->number;
}
YUNTA_ENTRY(show, x);

static int rest(void)
{
    return 0;
}
YUNTA_ENTRY_VOID(rest);

/* A pointer is what an argument often is. */
static int count_up(int *const *counter)
{
    return ++**counter;
}
YUNTA_ENTRY(count_up, int *);

static int point(const char *const *text, const char **end)
{
    *end = *text;
    return 0;
}
YUNTA_TASK(point, const char *, const char *);

int use_pointers(yunta_pool *p, yunta_future **f, yunta_process **c, int *counter, const char **texts);
int use_pointers(yunta_pool *p, yunta_future **f, yunta_process **c, int *counter, const char **texts)
{
    return yunta_start(c, count_up, &counter, NULL) + yunta_map(p, point, texts, texts, 1) +
           yunta_submit(p, point, texts, f);
}

int use(yunta_pool *p, yunta_future **f, yunta_process **c, const x *a, y *b);
int use(yunta_pool *p, yunta_future **f, yunta_process **c, const x *a, y *b)
{
    return yunta_map(p, convert, a, b, 1) + yunta_map_with(p, convert, a, b, 1, NULL) + yunta_submit(p, convert, a, f) +
           yunta_start(c, show, a, NULL) + yunta_start(c, rest, NULL, NULL);
}
