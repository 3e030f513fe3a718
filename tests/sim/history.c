/* Finds an order of the calls of a history that explains all answers.
 * Never prefers one: of calls that overlap each may have been the first.
 * Next: history.h; scene_string.c. */
#include "history.h"
#include "machine.h"

#include <stdio.h>

enum { never = INT32_MAX, looks_most = 1000000 };

static sim_call calls[SIM_CALLS];
static int count, now, looks;

void sim_list_add(sim_list *list, int number)
{
    sim_check(list->size < SIM_LIST);
    list->number[list->size++] = (uint8_t)number;
}

bool sim_list_equal(const sim_list *one, const sim_list *other)
{
    return one->size == other->size && memcmp(one->number, other->number, (size_t)one->size) == 0;
}

void sim_history_clear(void)
{
    count = now = 0;
}

sim_call *sim_call_begins(int kind, int argument, int index)
{
    sim_check(count < SIM_CALLS);
    sim_call *call = &calls[count++];
    call->kind = kind;
    call->argument = argument;
    call->index = index;
    call->list.size = 0;
    call->begun = ++now;
    call->ended = never;
    sim_meet(); /* what has ended before this begins is known */
    return call;
}

void sim_call_ends(sim_call *call, int answer)
{
    call->answer = answer;
    call->ended = ++now;
    sim_meet();
}

bool sim_call_has_ended(const sim_call *call)
{
    return call->ended != never;
}

/* Whether the calls `left`, a bit each, can all have come after what led to `list`: one of those is the next that no
 * other one had ended before. */
static bool can_go_on(const sim_list *list, uint64_t left, sim_apply *apply)
{
    int first_end = never;
    for (int i = 0; i < count; i++)
        if (left >> i & 1 && calls[i].ended < first_end)
            first_end = calls[i].ended;
    if (first_end == never)
        return true;
    if (++looks > looks_most)
        sim_fail(__FILE__, __LINE__, "too many orders of %d calls", count);
    for (int i = 0; i < count; i++) {
        if (!(left >> i & 1) || calls[i].begun > first_end)
            continue;
        sim_list next = *list;
        if (apply(&next, &calls[i]) && can_go_on(&next, left & ~(UINT64_C(1) << i), apply))
            return true;
    }
    return false;
}

void sim_history_check(const sim_list *first, sim_apply *apply)
{
    looks = 0;
    if (can_go_on(first, count < SIM_CALLS ? (UINT64_C(1) << count) - 1 : UINT64_MAX, apply))
        return;
    for (int i = 0; sim_traces && i < count; i++)
        fprintf(stderr, "call %d: kind %d (%d, %d): %d, from %d to %d, %d pieces\n", i, calls[i].kind,
                calls[i].argument, calls[i].index, calls[i].answer, calls[i].begun, calls[i].ended, calls[i].list.size);
    sim_fail(__FILE__, __LINE__, "no order of %d calls explains what they answered", count);
}
