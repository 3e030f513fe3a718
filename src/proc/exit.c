/* How a process ends when it is not killed.
 * Never runs the parent's atexit handlers in a child: a child leaves by _exit, from the handler that was registered
 * last. Next: proc/children.c, proc/child.c. */
#include "proc/exit.h"
#include "os/stream.h"
#include "proc/children.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* glibc tells a handler the status; elsewhere only that the process ends. */
extern int on_exit(void (*handler)(int, void *), void *argument) __attribute__((weak));

typedef struct hook {
    struct hook *next, *made_before;
    void (*call)(void *);
    void *argument;
} hook;

/* The hook made last, be it the parent's: what a forked process inherits, and does not run, is no leak by this. */
static _Atomic(hook *) made_last;

int yunta_at_exit(void (*call)(void *argument), void *argument)
{
    int r = call ? 0 : -EINVAL;
    if (r != 0 || !yn_self_get(&r))
        return r;
    hook *h = malloc(sizeof *h);
    if (!h)
        return -ENOMEM;
    *h = (hook){.call = call, .argument = argument, .made_before = atomic_load(&made_last)};
    while (!atomic_compare_exchange_weak(&made_last, &h->made_before, h)) {
    }
    void *first = atomic_load(&yn_private_page->exit_hooks);
    do
        h->next = first;
    while (!atomic_compare_exchange_weak(&yn_private_page->exit_hooks, &first, h));
    yn_exit_arm();
    return 0;
}

YN_IN_CHILD static void run_hooks(void)
{
    hook *h;
    while ((h = atomic_load(&yn_private_page->exit_hooks))) {
        void *first = h;
        if (!atomic_compare_exchange_strong(&yn_private_page->exit_hooks, &first, h->next))
            continue;
        h->call(h->argument); /* kept: the process is ending */
    }
}

static int status_of(int value)
{
    return value >= 0 && value <= 255 ? value : 255;
}

YN_IN_CHILD __attribute__((noreturn)) static void end_child(yn_self *me, yunta_process *record, int value)
{
    yn_children_end(me);
    run_hooks();
    if (yn_stream_is_pending(stdout))
        fflush(stdout);
    if (yn_stream_is_pending(stderr))
        fflush(stderr);
    if (yn_fail_text()[0] != '\0')
        memcpy(record->text, yn_fail_text(), sizeof record->text);
    atomic_store(&record->exit_note, UINT64_C(1) << 32 | (uint32_t)value);
    _exit(status_of(value));
}

YN_IN_CHILD void yn_exit_return(yunta_process *record, int value)
{
    atomic_store(&record->returned, UINT64_C(1) << 32 | (uint32_t)value);
    exit(status_of(value));
}

YN_IN_CHILD static void leave(int status)
{
    /* Inherited by a child that has nothing to do with us, or done already. */
    if (atomic_exchange(&yn_private_page->exit_armed, 0) == 0)
        return;
    int error;
    yn_self *me = yn_self_get(&error);
    if (!me)
        return;
    yunta_process *record = atomic_load(&me->slot->record);
    if (record && record->starter != me->claim) {
        uint64_t returned = atomic_load(&record->returned);
        if (returned || status >= 0)
            end_child(me, record, returned ? (int32_t)(uint32_t)returned : status & 0xff);
    }
    yn_children_end(me);
    run_hooks();
}

YN_IN_CHILD static void leave_with_status(int status, void *unused)
{
    (void)unused;
    leave(status);
}

static void leave_without_status(void)
{
    leave(-1); /* the status is not known here, and must stay what it is: libc goes on */
}

YN_IN_CHILD void yn_exit_stay_armed(void)
{
    atomic_store(&yn_private_page->exit_armed, 1);
}

YN_IN_CHILD void yn_exit_arm(void)
{
    uint32_t unarmed = 0;
    if (!atomic_compare_exchange_strong(&yn_private_page->exit_armed, &unarmed, 1))
        return;
    if (on_exit)
        on_exit(leave_with_status, NULL);
    else
        atexit(leave_without_status);
}
