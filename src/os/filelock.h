/* Locks on a byte of a file, held by a process until it lets go or dies: the kernel itself sees to that, so they serve
 * where nobody may be there to tell a death. Not between threads, not across fork: a child holds none.
 * Raw, for the watch's sake: errno is left alone. */
#ifndef YN_FILELOCK_H
#define YN_FILELOCK_H

#include "os/rawsys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/types.h>

static inline struct flock yn_file_byte(short type, int byte)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
}

/* 0: ours; -EBUSY: another process holds it; -EBADF …: this is no such file (any more). */
static inline int yn_file_try_lock(int fd, int byte)
{
    struct flock lock = yn_file_byte(F_WRLCK, byte);
    long r = yn_raw3(SYS_fcntl, fd, F_SETLK, &lock);
    return r == -EAGAIN || r == -EACCES ? -EBUSY : (int)r;
}

static inline void yn_file_unlock(int fd, int byte)
{
    struct flock lock = yn_file_byte(F_UNLCK, byte);
    yn_raw3(SYS_fcntl, fd, F_SETLK, &lock);
}

/* The pid of another process that holds it; 0: none does. */
static inline pid_t yn_file_lock_holder(int fd, int byte)
{
    struct flock lock = yn_file_byte(F_WRLCK, byte);
    return yn_raw3(SYS_fcntl, fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
}

#endif
