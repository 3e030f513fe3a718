/* malloc and free of the C library.
 * Must never have another allocator linked to it.
 * Read next: ../peers/blocks_by_threads.h. */
#include <stdlib.h>

#include "../peers/blocks_by_threads.h"

static const struct bench_heap heap = {malloc, free};

int main(void)
{
    return blocks_serve();
}
