/* System calls without libc: for the watch, which runs in a raw clone of a program that may have threads.
 * Returns the kernel's value, -errno on failure; touches neither errno nor thread-local storage. */
#ifndef YN_RAWSYS_H
#define YN_RAWSYS_H

#include <stdint.h>
#include <sys/syscall.h>

static inline long yn_raw6(long number, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
#else
#error "yunta knows x86-64 and aarch64"
#endif
}

#define yn_raw0(n) yn_raw6(n, 0, 0, 0, 0, 0, 0)
#define yn_raw1(n, a) yn_raw6(n, (long)(a), 0, 0, 0, 0, 0)
#define yn_raw2(n, a, b) yn_raw6(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define yn_raw3(n, a, b, c) yn_raw6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define yn_raw4(n, a, b, c, d) yn_raw6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define yn_raw5(n, a, b, c, d, e) yn_raw6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

#endif
