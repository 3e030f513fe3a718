/* From one stack to another: saves what a call must keep, and goes on where the other stack was left. */
#ifndef YUNTA_SIM_SWITCH_H
#define YUNTA_SIM_SWITCH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

void sim_switch(void **save, void *to);

#if defined(__x86_64__)
__asm__(".pushsection .text\n"
        ".globl sim_switch\n"
        ".type sim_switch, @function\n"
        "sim_switch:\n"
        "push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
        "mov %rsp, (%rdi)\n"
        "mov %rsi, %rsp\n"
        "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n"
        "ret\n"
        ".size sim_switch, . - sim_switch\n"
        ".popsection\n");

/* A stack on which `entry` begins when it is switched to for the first time. */
static inline void *sim_stack_make(unsigned char *stack, size_t size, void (*entry)(void))
{
    void **top = (void **)(((uintptr_t)stack + size) & ~(uintptr_t)15);
    *--top = NULL; /* where entry would return to; it does not */
    *--top = (void *)(uintptr_t)entry;
    top -= 6;
    memset(top, 0, 6 * sizeof *top);
    return top;
}
#elif defined(__aarch64__)
__asm__(".pushsection .text\n"
        ".globl sim_switch\n"
        ".type sim_switch, %function\n"
        "sim_switch:\n"
        "sub sp, sp, #160\n"
        "stp x19, x20, [sp]\n stp x21, x22, [sp, #16]\n stp x23, x24, [sp, #32]\n stp x25, x26, [sp, #48]\n"
        "stp x27, x28, [sp, #64]\n stp x29, x30, [sp, #80]\n"
        "stp d8, d9, [sp, #96]\n stp d10, d11, [sp, #112]\n stp d12, d13, [sp, #128]\n stp d14, d15, [sp, #144]\n"
        "mov x9, sp\n str x9, [x0]\n mov sp, x1\n"
        "ldp x19, x20, [sp]\n ldp x21, x22, [sp, #16]\n ldp x23, x24, [sp, #32]\n ldp x25, x26, [sp, #48]\n"
        "ldp x27, x28, [sp, #64]\n ldp x29, x30, [sp, #80]\n"
        "ldp d8, d9, [sp, #96]\n ldp d10, d11, [sp, #112]\n ldp d12, d13, [sp, #128]\n ldp d14, d15, [sp, #144]\n"
        "add sp, sp, #160\n"
        "ret\n"
        ".size sim_switch, . - sim_switch\n"
        ".popsection\n");

static inline void *sim_stack_make(unsigned char *stack, size_t size, void (*entry)(void))
{
    uint64_t *top = (uint64_t *)(((uintptr_t)stack + size) & ~(uintptr_t)15) - 20;
    memset(top, 0, 160);
    top[11] = (uint64_t)(uintptr_t)entry; /* x30 */
    return top;
}
#endif

#endif
