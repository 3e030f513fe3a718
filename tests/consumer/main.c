/* A program outside the tree, built against an installed yunta: a process by each start method, then a pool.
 * It must not use anything but what is installed.
 * Read next: run, which builds it in four ways. */
#include <yunta/yunta.h>

#include <stdio.h>
#include <string.h>

static int add(int *const *sum)
{
    **sum += 5;
    return 3;
}
YUNTA_ENTRY(add, int *);

static int square(const int *x, int *y)
{
    *y = *x * *x;
    return 0;
}
YUNTA_TASK(square, int, int);

static int fail(const char *what, int code)
{
    fprintf(stderr, "%s: %s\n", what, yunta_strerror(code));
    return 1;
}

int main(int argc, char **argv)
{
    int r = yunta_init(argc, argv);
    int *sum = yunta_shared(int, 1);
    if (r < 0 || !sum || strcmp(yunta_version(), YUNTA_VERSION) != 0)
        return fail("init", r);
    for (yunta_start_method method = YUNTA_FORK; method <= YUNTA_SPAWN; method++) {
        yunta_process *child;
        r = yunta_start(&child, add, &sum, &(yunta_process_options){.start_method = method});
        if (r < 0)
            return fail(yunta_start_method_name(method), r);
        if ((r = yunta_process_join(child, 30000)) != 3)
            return fail("join", r);
        yunta_process_destroy(child);
    }
    if (*sum != 15)
        return fail("sum", *sum);

    yunta_pool *pool;
    int in[4] = {1, 2, 3, 4}, out[4];
    if ((r = yunta_pool_create(&pool, &(yunta_pool_options){.workers = 2})) < 0)
        return fail("pool", r);
    if ((r = yunta_map(pool, square, in, out, 4)) < 0)
        return fail("map", r);
    yunta_pool_destroy(pool);
    printf("%d processes added up to %d; the squares are %d %d %d %d\n", 3, *sum, out[0], out[1], out[2], out[3]);
    return yunta_shared_free(sum);
}
