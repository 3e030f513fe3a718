/* mimalloc, called by its own names.
 * Must never be measured by way of malloc.
 * Read next: ../peers/blocks_by_threads.h. */
#include <mimalloc.h>

#include "../peers/blocks_by_threads.h"

static const struct bench_heap heap = {mi_malloc, mi_free};

int main(void)
{
    return blocks_serve();
}
