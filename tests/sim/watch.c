/* What the watch does about deaths, in the order in which it does it (src/proc/watch.c): declare and count them all,
 * nudge, then clear the slots. Instrumented as the library is: it too may be killed in the middle, and is then done
 * again from the start by the next one.
 * It must not look at what is private to the simulator. Next: world.c, who calls it. */
#include "machine.h"

void sim_bury(yn_arena_shared *arena, const yn_claim *dead, int count)
{
    uint64_t deaths = 0;
    for (int i = 0; i < count; i++)
        deaths += yn_slot_declare_dead(&arena->slots, dead[i]);
    atomic_fetch_add(&arena->deaths, deaths > 0 ? deaths : 1);
    yn_wait_nudge_all(arena);
    for (int i = 0; i < count; i++) {
        yn_slot_free_taken(&arena->slots, dead[i]);
        yn_slot_free(&arena->slots, dead[i]);
    }
}
