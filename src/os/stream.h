/* What stands unflushed in a stream, without a call into libc where that can be seen from here. */
#ifndef YN_STREAM_H
#define YN_STREAM_H

#include <stdbool.h>
#include <stdio.h>
#include <stdio_ext.h>

static inline bool yn_stream_is_pending(FILE *stream)
{
#if defined(__GLIBC__)
    if (stream->_mode <= 0)
        return stream->_IO_write_ptr > stream->_IO_write_base;
#endif
    return __fpending(stream) > 0;
}

#endif
