/* Pipe: two ends, for two sides that talk to each other. Python's Pipe.
 *
 * Both ends stand in shared memory: pass the pointer of one in an argument to a process of the team, however it is
 * started. An end belongs to those processes that hold it: who made the pipe holds both; yunta_pipe_give makes another
 * process hold one; and so does whatever call with which a process uses an end for the first time. A process holds an
 * end until it closes it (for good) or dies. When nobody alive holds an end any more, it is gone for ever, and the
 * other side is told at once: receive returns YUNTA_ECLOSED after the last message, send -EPIPE. So, after starting a
 * process:
 *
 *     yunta_pipe_create(&mine, &theirs, NULL);
 *     yunta_start(&child, work, &(struct work){theirs}, NULL);
 *     yunta_pipe_give(theirs, child);            now theirs is the child's alone
 *
 * Any number of threads and processes may hold and use the same end. What is sent is in the pipe when send returns: its
 * process may end. A process killed inside a call leaves the pipe whole: a message half sent never shows, one half
 * received comes again. */
#ifndef YUNTA_PIPE_H
#define YUNTA_PIPE_H

#include <yunta/process.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yunta_pipe yunta_pipe; /* one end */

typedef struct yunta_pipe_options {
    size_t capacity; /* bytes under way in each direction, rounded up to a power of two; 0: 65,536. A message takes 8
                        bytes more, rounded up to 8; one of more than half the capacity is under way by itself */
    bool one_way;    /* the first end only receives, the second only sends */
    bool stream;     /* bytes without bounds between them, not messages: yunta_pipe_write and _read */
    uint64_t reserved[6]; /* zero */
} yunta_pipe_options;

/* NULL options: two-way, messages. The caller holds both ends. -EINVAL: NULL, or reserved not zero; -EOVERFLOW: absurd
 * capacity; -ENOMEM. */
YUNTA_API int yunta_pipe_create(yunta_pipe **first, yunta_pipe **second, const yunta_pipe_options *options);

/* Frees the pipe, both ends and what is in it, given either end; nobody may use them any more, and other
 * processes that have received descriptors should have closed it first. Accepts NULL; returns NULL. */
YUNTA_API yunta_pipe *yunta_pipe_destroy(yunta_pipe *end);

/* All calls below: -EINVAL: NULL; -EBADF: the calling process has closed this end, or it is gone; -ENOMEM. Whoever else
 * is just at the same end is waited for in any case, for 200 ms at least; if he is stopped (SIGSTOP): -ETIMEDOUT. Calls
 * without a time limit go on when he does, or is dead. */

/* Holds the end from now on, as does any use of it. Again: 0. */
YUNTA_API int yunta_pipe_open(yunta_pipe *end);

/* The other process holds the end, and the caller no longer does. Where that process has closed it or died meanwhile,
 * it stays so. Between members of the team. */
YUNTA_API int yunta_pipe_give(yunta_pipe *end, yunta_process *process);

/* The calling process no longer holds the end, and never will again. Its calls that wait there go on waiting. */
YUNTA_API int yunta_pipe_close(yunta_pipe *end);

/* Sends a message of `size` bytes (0 is a message too), waiting up to `milliseconds` for room. -EPIPE: the other end is
 * gone; -ETIMEDOUT: no room; -EINVAL also: the pipe is a stream; -EBADF also: this end only receives. */
YUNTA_API int yunta_pipe_send(yunta_pipe *end, const void *message, size_t size, int milliseconds);

/* Receives the oldest message into `buffer` of `capacity` bytes; *size becomes its length. -EMSGSIZE: it is longer than
 * capacity: *size says how long, and it stays; YUNTA_ECLOSED: nothing is left, and the other end is gone; -ETIMEDOUT;
 * -EINVAL also: the pipe is a stream; -EBADF also: this end only sends. buffer may be NULL if capacity is 0. */
YUNTA_API int yunta_pipe_receive(yunta_pipe *end, void *buffer, size_t capacity, size_t *size, int milliseconds);

/* The same for a stream. Writes all `size` bytes; *written (may be NULL) becomes how many are in the pipe, also when
 * the call fails. Up to 4,096 bytes (or half the capacity, if that is less) are not torn by others who write to the
 * same end. */
YUNTA_API int yunta_pipe_write(yunta_pipe *end, const void *bytes, size_t size, size_t *written, int milliseconds);

/* Takes what there is, at least one byte and up to `capacity`; *size becomes how many. -EINVAL also: capacity is 0. */
YUNTA_API int yunta_pipe_read(yunta_pipe *end, void *buffer, size_t capacity, size_t *size, int milliseconds);

/* 0: a receive (read) would have something to tell, a message or the end of it all; else -ETIMEDOUT. Takes nothing. */
YUNTA_API int yunta_pipe_poll(yunta_pipe *end, int milliseconds);

/* A descriptor of the calling process for poll, select, epoll or an event loop: readable when yunta_pipe_poll would say
 * 0. Receive (read, poll) with 0 ms until that says -ETIMEDOUT: only then is it quiet again; as with
 * yunta_queue_descriptor, which see. It belongs to the library, which closes it with this process's hold on the end,
 * too. -EMFILE. The second: 0, also when there is none. */
YUNTA_API int yunta_pipe_descriptor(yunta_pipe *end);
YUNTA_API int yunta_pipe_close_descriptor(yunta_pipe *end);

/* Gives the other side a descriptor: that of a file, socket, yunta_block …; the caller keeps its own. It goes to one
 * process, of those that hold the other end, which has asked for one (by the call below, with 0 ms if it likes): the
 * call waits for such a one. Then it is under way by itself: its sender may end. If the receiver dies first, it is
 * closed. Descriptors come in order, and independently of the messages. -EBADF also: `descriptor` is none; -EPIPE;
 * -ETIMEDOUT: nobody has asked, or thousands are under way; -EPERM: the receiver is hidden behind another pid
 * namespace; -ECONNREFUSED: or network namespace, or has closed what is not its own; -EMFILE; -ETOOMANYREFS: more
 * descriptors of this user are under way than the system grants. */
YUNTA_API int yunta_pipe_send_descriptor(yunta_pipe *end, int descriptor, int milliseconds);

/* Takes the next: *descriptor is a new one, close-on-exec, the caller's to close. YUNTA_ECLOSED; -ETIMEDOUT; -EMFILE:
 * no descriptor is left to be had: it stays. A process forked by the program inherits the socket in which they wait. */
YUNTA_API int yunta_pipe_receive_descriptor(yunta_pipe *end, int *descriptor, int milliseconds);

#ifdef __cplusplus
}
#endif

#endif
