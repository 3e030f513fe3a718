/* Whether a tool looks over this program's memory: some system calls and files are not what they are elsewhere then. */
#ifndef YN_TOOL_H
#define YN_TOOL_H

#include <stdbool.h>

/* Valgrind runs it. */
bool yn_tool_is_valgrind(void);

/* There is a sanitizer's runtime in it, be this library instrumented or not. */
bool yn_tool_is_sanitizer(void);

#endif
