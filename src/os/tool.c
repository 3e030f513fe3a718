/* Which tools are at work in this process, and the one thing that one of them must be told.
 * Never needs a tool's headers or libraries: Valgrind takes notice of some instructions, sanitizers are linked in.
 * Next: proc/team.c and proc/exec.c, who want to know; pool/map.c, who tells. */
#include "os/tool.h"

#include <stdint.h>

/* Null where it is not linked in. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): their names */
extern void __asan_init(void) __attribute__((weak));
extern void __msan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

/* As Valgrind's manual has it ("the client request mechanism"): rotations that come to nothing, and an exchange of a
 * register with itself; what it answers, or 0. An environment that the program has cleared says nothing, this does. */
enum { running = 0x1001, make_memory_defined = 'M' << 24 | 'C' << 16 | 2 };

static uintptr_t ask_valgrind(uintptr_t request, uintptr_t a, uintptr_t b)
{
    const volatile uintptr_t words[6] = {request, a, b, 0, 0, 0};
    uintptr_t answer = 0;
#if defined(__x86_64__)
    __asm__ volatile("rolq $3, %%rdi\n\trolq $13, %%rdi\n\trolq $61, %%rdi\n\trolq $51, %%rdi\n\txchgq %%rbx, %%rbx"
                     : "+d"(answer)
                     : "a"(words)
                     : "cc", "memory");
#elif defined(__aarch64__)
    register uintptr_t result __asm__("x3") = answer;
    register const volatile uintptr_t *at __asm__("x4") = words;
    __asm__ volatile("ror x12, x12, #3\n\tror x12, x12, #13\n\tror x12, x12, #51\n\tror x12, x12, #61\n\t"
                     "orr x10, x10, x10"
                     : "+r"(result)
                     : "r"(at)
                     : "cc", "memory");
    answer = result;
#else
    (void)words;
#endif
    return answer;
}

bool yn_tool_is_valgrind(void)
{
    return ask_valgrind(running, 0, 0) != 0;
}

void yn_tool_mark_defined(const void *bytes, size_t size)
{
    ask_valgrind(make_memory_defined, (uintptr_t)bytes, size);
}

bool yn_tool_is_sanitizer(void)
{
    return __asan_init || __msan_init || __tsan_init;
}
