/* Mailbox: a socket in the system's abstract names to which another process posts descriptors, without the owner's
 * doing anything: they wait in the kernel, whatever becomes of the sender, and are gone when the owner is.
 *
 * The name (`door`) is a random number that its owner tells those who are to post. Names of dead processes can be taken
 * by strangers, and anybody can connect to a name that he reads in /proc/net/unix: so the sender makes sure whose
 * socket it is, and the owner takes nothing without the secret. */
#ifndef YN_MAILBOX_H
#define YN_MAILBOX_H

#include "base/base.h"

#include <sys/types.h>

/* A new one, and its door (never 0). The descriptor, close-on-exec, or -errno. */
int yn_mailbox_open(uint64_t *door);

/* Posts `fd` to the mailbox of the process `owner`. 0; -EAGAIN: it is full; -ECONNREFUSED: there is none; -EPERM: it is
 * another process's; -EMFILE, -ETOOMANYREFS, … */
int yn_mailbox_post(uint64_t door, pid_t owner, uint64_t secret, int fd);

/* The next to have come to the door: a descriptor for yn_mailbox_take, to be closed, and who it was. -EAGAIN: nobody;
 * -EMFILE … */
int yn_mailbox_accept(int mailbox, pid_t *sender);

/* What a visitor has brought. 1: *fd; 0: nothing, and never will, or it did not know the secret; -EAGAIN: nothing yet;
 * -EMFILE: what it brought cannot be had now, and stays. */
int yn_mailbox_take(int visitor, uint64_t secret, int *fd);

/* Until a visitor has brought something, or is gone; or the deadline. */
void yn_mailbox_await(int visitor, yn_deadline deadline);

/* A number that nobody can guess, never 0. */
uint64_t yn_random(void);

#endif
