/* A small message with descriptors over a local sequenced-packet socket. */
#ifndef YN_FDPASS_H
#define YN_FDPASS_H

#include "base/base.h"

#define YN_FDPASS_MOST 8

/* Sends whole or not at all. While the receiver is full it waits, or (`wait` false) returns -EAGAIN. 0 or -errno. */
int yn_fdpass_send(int socket, const void *message, size_t size, const int *fds, int count, bool wait);

/* Receives one message of exactly `size` bytes. Descriptors are close-on-exec; *count is how many came (those beyond
 * `most` are closed). 1: got one; 0: the other side is gone; -EAGAIN: none there (with `wait` false); -errno. */
int yn_fdpass_receive(int socket, void *message, size_t size, int *fds, int most, int *count, bool wait);

/* A pair of such sockets, close-on-exec. 0 or -errno. */
int yn_fdpass_pair(int ends[2]);

#endif
