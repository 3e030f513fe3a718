/* What is known of the kernel's sleep on two words.
 * Never asks twice where the answer was no.
 * Next: os/tie.h; sync/wait.c, who sleeps; proc/watch.c, who holds. */
#include "os/tie.h"

_Atomic bool yn_tie_unknown;
