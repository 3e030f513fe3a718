/* Whether a tool looks over this program's memory: some system calls and files are not what they are elsewhere then. */
#ifndef YN_TOOL_H
#define YN_TOOL_H

#include <stdbool.h>
#include <stddef.h>

/* Valgrind runs it. */
bool yn_tool_is_valgrind(void);

/* Says to Valgrind that these bytes have values: memory that others write too, of which it sees only what this process
 * has put there. Some instructions without effect where there is no Valgrind. */
void yn_tool_mark_defined(const void *bytes, size_t size);

/* There is a sanitizer's runtime in it, be this library instrumented or not. */
bool yn_tool_is_sanitizer(void);

#endif
