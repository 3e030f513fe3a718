/* Descriptor: by which a program's own poll sees that an object is ready, as yunta_wait_many would. README.md has the
 * order of quiet, hint and look.
 *
 * `own` says where an object that is one process's alone keeps the number of its doorbell; NULL: it is everybody's, and
 * each process has one at most. */
#ifndef YN_DESCRIPTOR_H
#define YN_DESCRIPTOR_H

#include "comm/wait_many.h"
#include "sync/listen.h"

/* That of this process, made if need be. -EMFILE, -ENOMEM … */
int yn_descriptor_open(yn_self *me, const yn_waitable *w, void *object, _Atomic uint64_t *own);

/* A call is about to say that there is nothing: the descriptor is quiet from now on, and is rung again. The caller
 * looks once more, and if there is something after all, rings it itself. NULL: there is none. */
yn_listener_shared *yn_descriptor_quiet(yn_self *me, const yn_waitable *w, void *object, _Atomic uint64_t *own);

/* 0, also when there is none. */
int yn_descriptor_close(yn_self *me, const yn_waitable *w, void *object, _Atomic uint64_t *own);

#endif
