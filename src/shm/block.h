/* A block as its process has it, between block.c and block_named.c. */
#ifndef YN_BLOCK_H
#define YN_BLOCK_H

#include "base/base.h"

#include <yunta/block.h>

struct yunta_block {
    void *address;
    size_t size;
    int fd;
    bool read_only; /* mapped so */
};

/* Maps the whole file behind `fd`, which becomes the block's, or is closed if this fails. 0; -EBADF, -ENODATA, -errno.
 */
int yn_block_adopt(yunta_block **block, int fd, bool read_only);

/* Whether the options are none that the call does not know: `allowed` are the options it has, all others must be zero.
 */
bool yn_block_are_options_valid(const yunta_block_options *options, const yunta_block_options *allowed);

#endif
