/* The kernel's count of out-of-memory kills.
 * Never decides: it gives a number, to be compared with an earlier one.
 * Next: proc/children.c, who compares. */
#include "os/oom.h"
#include "os/text.h"

#include <stdio.h>

static _Atomic uint64_t noted = UINT64_MAX;

uint64_t yn_oom_kills(void)
{
    char folder[384], path[448];
    if (yn_cgroup_folder("memory", 0, folder, sizeof folder)) {
        snprintf(path, sizeof path, "%s/memory.events", folder);
        uint64_t v2 = yn_text_number(path, "oom_kill ");
        if (v2 != UINT64_MAX)
            return v2;
        snprintf(path, sizeof path, "%s/memory.oom_control", folder);
        uint64_t v1 = yn_text_number(path, "oom_kill ");
        if (v1 != UINT64_MAX)
            return v1;
    }
    uint64_t machine = yn_text_number("/proc/vmstat", "oom_kill ");
    return machine == UINT64_MAX ? 0 : machine;
}

void yn_oom_note(void)
{
    if (atomic_load(&noted) == UINT64_MAX)
        atomic_store(&noted, yn_oom_kills());
}

bool yn_oom_rose(void)
{
    uint64_t now = yn_oom_kills();
    return now > atomic_exchange(&noted, now);
}
