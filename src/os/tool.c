/* Which tools are at work in this process.
 * Never asks a tool itself: what it leaves in the environment, or links in, tells.
 * Next: proc/team.c and proc/exec.c, who want to know. */
#include "os/tool.h"

#include <stdlib.h>
#include <string.h>

/* Null where it is not linked in. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): their names */
extern void __asan_init(void) __attribute__((weak));
extern void __msan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

bool yn_tool_is_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return preload && strstr(preload, "vgpreload");
}

bool yn_tool_is_sanitizer(void)
{
    return __asan_init || __msan_init || __tsan_init;
}
