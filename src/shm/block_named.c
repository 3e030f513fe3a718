/* Blocks with a name, as shm_open makes them and Python's SharedMemory attaches them.
 * Never leaves a name behind for what was not made whole, and is the only place that touches /dev/shm.
 * Next: shm/block.c. */
#include "os/memfd.h"
#include "shm/block.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "/dev/shm/" /* where shm_open has them in every C library, which older ones keep in one of its own */

/* False: no such name can be. */
static bool path_of(const char *name, char path[sizeof FOLDER + NAME_MAX])
{
    if (!name)
        return false;
    name += *name == '/';
    size_t length = strnlen(name, NAME_MAX);
    if (length == 0 || length >= NAME_MAX || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    memcpy(path, FOLDER, sizeof FOLDER - 1);
    memcpy(path + sizeof FOLDER - 1, name, length + 1);
    return true;
}

static int no_room(int r)
{
    return r == -ENOSPC ? -ENOMEM : r;
}

/* The file of the whole size behind `fd`, which this closes if there is no room. */
static int make_whole(int fd, size_t size)
{
    int r = yn_memfd_reserve(fd, 0, size);
    if (r == 0)
        return fd;
    close(fd);
    return no_room(r);
}

static int give_name(int fd, const char *path)
{
    char self[32];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0 ? 0 : -errno;
}

/* First the block, without a name, then its name: a death leaves nothing, or the whole. -EOPNOTSUPP: not here. */
static int create_nameless(yunta_block **block, const char *path, size_t size)
{
    int fd = open(FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EISDIR ? -EOPNOTSUPP : -errno;
    yunta_block *made;
    fd = make_whole(fd, size);
    int r = fd >= 0 ? yn_block_adopt(&made, fd, false) : fd;
    if (r != 0)
        return r;
    r = give_name(fd, path);
    if (r == 0) {
        *block = made;
        return 0;
    }
    yunta_block_destroy(made);
    return r == -EEXIST || r == -EACCES ? r : -EOPNOTSUPP;
}

/* Where there can be no nameless file, or it cannot be named (no /proc): a death over it leaves an unfinished one. */
static int create_at_once(yunta_block **block, const char *path, size_t size)
{
    int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    fd = make_whole(fd, size);
    int r = fd >= 0 ? yn_block_adopt(block, fd, false) : fd;
    if (r != 0)
        unlink(path);
    return r;
}

int yunta_block_create_named(yunta_block **block, const char *name, size_t size)
{
    char path[sizeof FOLDER + NAME_MAX];
    if (!block || size == 0 || !path_of(name, path))
        return -EINVAL;
    if (size > PTRDIFF_MAX)
        return -EOVERFLOW;
    int r = create_nameless(block, path, size);
    return r == -EOPNOTSUPP ? create_at_once(block, path, size) : r;
}

int yunta_block_open_named(yunta_block **block, const char *name, const yunta_block_options *options)
{
    static const yunta_block_options defaults, allowed = {.read_only = true};
    char path[sizeof FOLDER + NAME_MAX];
    const yunta_block_options *o = options ? options : &defaults;
    if (!block || !path_of(name, path) || !yn_block_are_options_valid(o, &allowed))
        return -EINVAL;
    int mode = o->read_only ? O_RDONLY : O_RDWR;
    int fd = open(path, mode | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ELOOP || errno == EISDIR ? -EACCES : -errno;
    return yn_block_adopt(block, fd, o->read_only);
}

int yunta_block_unlink(const char *name)
{
    char path[sizeof FOLDER + NAME_MAX];
    if (!path_of(name, path))
        return -EINVAL;
    return unlink(path) == 0 ? 0 : -errno;
}
