/* The sample program of the README, in full: it must compile as strictly as the library, and say what it should.
 * It must not use anything but the public headers.
 * Read next: examples/. */
#include <yunta/yunta.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int square(const int *x, int *y)
{
    *y = *x * *x;
    return 0;
}
YUNTA_TASK(square, int, int);

static int half(const int *x, int *y)
{
    if (*x % 2 != 0)
        return yunta_fail(-EINVAL, "%d is odd", *x);
    *y = *x / 2;
    return 0;
}
YUNTA_TASK(half, int, int);

struct greeting {
    char name[16];
    int times;
};

static int greet(const struct greeting *g)
{
    for (int i = 0; i < g->times; i++)
        printf("hello, %s\n", g->name);
    return 0;
}
YUNTA_ENTRY(greet, struct greeting);

static int seven(void)
{
    return 7;
}
YUNTA_ENTRY_VOID(seven);

#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                    \
            return 1;                                                                                                  \
        }                                                                                                              \
    } while (0)

static int processes(void)
{
    yunta_process *child;
    EXPECT(yunta_start(&child, greet, &(struct greeting){"ox", 2}, NULL) == 0);
    EXPECT(yunta_process_join(child, YUNTA_FOREVER) == 0);
    EXPECT(yunta_process_destroy(child) == NULL);
    EXPECT(yunta_start(&child, seven, NULL, &(yunta_process_options){.name = "lucky", .daemon = true}) == 0);
    EXPECT(yunta_process_join(child, YUNTA_FOREVER) == 7);
    EXPECT(yunta_process_destroy(child) == NULL);
    return 0;
}

static int memory(void)
{
    int *counter = yunta_shared(int, 1);
    double *grid = yunta_shared(double, 1000);
    EXPECT(counter && grid && *counter == 0 && !(grid[999] < 0) && !(grid[999] > 0));
    EXPECT(yunta_shared_free(grid) == 0 && yunta_shared_free(counter) == 0);

    yunta_queue *q;
    int item = 5;
    EXPECT(yunta_queue_create(&q, &(yunta_queue_options){.item_size = sizeof(int)}) == 0);
    EXPECT(yunta_queue_put(q, &item, YUNTA_FOREVER) == 0);
    EXPECT(yunta_queue_get(q, &item, 0) == 0 && item == 5 && yunta_queue_is_empty(q));
    EXPECT(yunta_queue_destroy(q) == NULL);
    return 0;
}

static int pools(void)
{
    yunta_pool *pool;
    int in[10], out[10];
    for (int i = 0; i < 10; i++)
        in[i] = i;
    EXPECT(yunta_pool_create(&pool, &(yunta_pool_options){.workers = 4}) == 0);
    EXPECT(yunta_map(pool, square, in, out, 10) == 0);
    for (int i = 0; i < 10; i++)
        EXPECT(out[i] == i * i);

    yunta_future *future;
    yunta_failure why;
    EXPECT(yunta_submit(pool, half, &in[3], &future) == 0);
    EXPECT(yunta_await(future, &out[3], 5000) == YUNTA_EFAILED);
    EXPECT(yunta_future_failure(future, &why) == 0);
    EXPECT(why.code == YUNTA_EFAILED && why.value == -EINVAL && strcmp(why.text, "3 is odd") == 0);
    EXPECT(yunta_future_destroy(future) == NULL);
    EXPECT(yunta_pool_destroy(pool) == NULL);
    return 0;
}

int main(int argc, char **argv)
{
    EXPECT(yunta_init(argc, argv) == 0);
    return processes() || memory() || pools();
}
