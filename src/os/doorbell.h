/* Doorbell: a descriptor that other processes make readable, without having it: by a number. It is a datagram socket in
 * the system's abstract names; whoever knows the number sends it a byte. So it works between processes that share no
 * descriptors, needs no rights over one another, and is gone with its last owner. Strangers can ring it too, if they
 * find the name: a ring says no more than "look". */
#ifndef YN_DOORBELL_H
#define YN_DOORBELL_H

#include "base/base.h"

/* A new one, close-on-exec and non-blocking, and its number (never 0). The descriptor, or -errno. */
int yn_doorbell_open(uint64_t *number);

/* Makes doorbell `number` readable; 0 also when it was. `from` is the socket that it is sent by: made here if it is -1,
 * and to be closed by the caller with yn_doorbell_close. System calls only. -ECONNREFUSED: there is none; -EMFILE … */
int yn_doorbell_ring(int *from, uint64_t number);

/* Not readable any more, until it is rung again. */
void yn_doorbell_quiet(int doorbell);

/* A descriptor that is readable as long as one of these is; close-on-exec. Or -errno. */
int yn_doorbell_join(int one, int other);

/* For any descriptor of this file; -1 is none. System calls only. */
void yn_doorbell_close(int descriptor);

#endif
