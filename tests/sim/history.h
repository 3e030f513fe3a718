/* What the threads of a scene have called and been answered: a history. The answers are right if the calls can have
 * happened one after the other, each at one moment between its beginning and its end, and given these answers to what
 * they found. A call that its thread has died in has happened or not. */
#ifndef YUNTA_SIM_HISTORY_H
#define YUNTA_SIM_HISTORY_H

#include "sim.h"

enum { SIM_CALLS = 64, SIM_LIST = 100 };

/* What a container holds: a number for each piece. */
typedef struct sim_list {
    int size;
    uint8_t number[SIM_LIST];
} sim_list;

typedef struct sim_call {
    int kind, argument, index;
    sim_list list; /* the argument or the answer of what takes or gives a whole */
    int answer;    /* what it returned, or found */
    int begun, ended;
} sim_call;

void sim_list_add(sim_list *list, int number);
bool sim_list_equal(const sim_list *one, const sim_list *other);

void sim_history_clear(void);
sim_call *sim_call_begins(int kind, int argument, int index);
void sim_call_ends(sim_call *call, int answer);
bool sim_call_has_ended(const sim_call *call);

/* As if the call were made to what holds `list`: changes it. Whether it would answer so; of a call that has not ended
 * nobody asks. */
typedef bool sim_apply(sim_list *list, const sim_call *call);

/* Fails if no order of the calls explains the answers. */
void sim_history_check(const sim_list *first, sim_apply *apply);

#endif
