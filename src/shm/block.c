/* Blocks of memory by descriptor: made, sealed, opened with their seals looked at.
 * Never believes a descriptor that came from outside: what could be shrunk under its reader is refused.
 * Next: shm/block_named.c, those with a name; os/memfd.c. */
#include "shm/block.h"
#include "os/memfd.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LABEL_MOST ((size_t)200)

static const yunta_block_options defaults;

bool yn_block_are_options_valid(const yunta_block_options *o, const yunta_block_options *allowed)
{
    return (!o->sole_writer || allowed->sole_writer) && (!o->label || allowed->label) &&
           (!o->read_only || allowed->read_only) && (!o->accept_unsealed || allowed->accept_unsealed) &&
           (!o->only_frozen || allowed->only_frozen) && memcmp(o->reserved, defaults.reserved, sizeof o->reserved) == 0;
}

static int protection(bool read_only)
{
    return read_only ? PROT_READ : PROT_READ | PROT_WRITE;
}

static int map(yunta_block *block)
{
    struct stat s;
    if (fstat(block->fd, &s) != 0 || !S_ISREG(s.st_mode))
        return -EBADF;
    if (s.st_size == 0)
        return -ENODATA;
    if ((uint64_t)s.st_size > PTRDIFF_MAX)
        return -ENOMEM;
    block->size = (size_t)s.st_size;
    block->address = mmap(NULL, block->size, protection(block->read_only), MAP_SHARED, block->fd, 0);
    if (block->address != MAP_FAILED)
        return 0;
    return errno == ENODEV ? -EBADF : errno == EAGAIN ? -ENOMEM : -errno;
}

int yn_block_adopt(yunta_block **result, int fd, bool read_only)
{
    yunta_block *block = malloc(sizeof *block);
    int r = block ? 0 : -ENOMEM;
    if (r == 0) {
        *block = (yunta_block){.fd = fd, .read_only = read_only};
        r = map(block);
    }
    if (r == 0) {
        *result = block;
        return 0;
    }
    free(block);
    close(fd);
    return r;
}

int yunta_block_create(yunta_block **block, size_t size, const yunta_block_options *options)
{
    static const yunta_block_options allowed = {.sole_writer = true, .label = ""};
    const yunta_block_options *o = options ? options : &defaults;
    if (!block || size == 0 || !yn_block_are_options_valid(o, &allowed) ||
        (o->label && strnlen(o->label, LABEL_MOST + 1) > LABEL_MOST))
        return -EINVAL;
    if (size > PTRDIFF_MAX)
        return -EOVERFLOW;
    int fd = yn_memfd_create_sealable(o->label ? o->label : "yunta-block");
    if (fd < 0)
        return fd;
    int r = yn_memfd_reserve(fd, 0, size);
    if (r != 0) {
        close(fd);
        return r;
    }
    yunta_block *made;
    r = yn_block_adopt(&made, fd, false);
    if (r == 0) /* against writing only now: our own mapping may, and stays */
        r = yn_memfd_seal(fd, F_SEAL_SHRINK | F_SEAL_GROW | (o->sole_writer ? F_SEAL_FUTURE_WRITE : 0));
    else
        return r;
    if (r == 0)
        *block = made;
    else
        yunta_block_destroy(made);
    return r;
}

/* Neither its content nor its size can change. */
static bool are_frozen(int seals)
{
    return seals > 0 && (seals & F_SEAL_WRITE) && (seals & F_SEAL_SHRINK);
}

/* 0, or -EPERM. A file that can have no seals has none. */
static int check_seals(int fd, const yunta_block_options *o)
{
    int seals = yn_memfd_seals(fd);
    seals = seals < 0 ? 0 : seals;
    if (!(seals & F_SEAL_SHRINK) && !o->accept_unsealed)
        return -EPERM;
    return o->only_frozen && !are_frozen(seals) ? -EPERM : 0;
}

int yunta_block_open(yunta_block **block, int descriptor, const yunta_block_options *options)
{
    static const yunta_block_options allowed = {.read_only = true, .accept_unsealed = true, .only_frozen = true};
    const yunta_block_options *o = options ? options : &defaults;
    if (!block || !yn_block_are_options_valid(o, &allowed))
        return -EINVAL;
    struct stat s;
    if (descriptor < 0 || fstat(descriptor, &s) != 0 || !S_ISREG(s.st_mode))
        return -EBADF;
    int r = check_seals(descriptor, o);
    if (r != 0)
        return r;
    /* For reading by a descriptor for reading, where there can be one: before Linux 6.7 another maps nothing frozen. */
    int fd = o->read_only ? yn_memfd_reopen_read_only(descriptor) : -EACCES;
    if (fd < 0)
        fd = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
    return fd >= 0 ? yn_block_adopt(block, fd, o->read_only) : -errno;
}

yunta_block *yunta_block_destroy(yunta_block *block)
{
    if (block) {
        munmap(block->address, block->size);
        close(block->fd);
        free(block);
    }
    return NULL;
}

void *yunta_block_address(const yunta_block *block)
{
    return block ? block->address : NULL;
}

size_t yunta_block_size(const yunta_block *block)
{
    return block ? block->size : 0;
}

int yunta_block_descriptor(const yunta_block *block)
{
    return block ? block->fd : -EINVAL;
}

int yunta_block_read_only_descriptor(const yunta_block *block)
{
    return block ? yn_memfd_reopen_read_only(block->fd) : -EINVAL;
}

/* Over the mapping that is there, so that its address holds, and is nobody else's in between. For reading by a
 * descriptor for reading: the kernel counts as a writer each mapping that might be made writable again. */
static int map_again(yunta_block *block, bool read_only)
{
    int fd = read_only ? yn_memfd_reopen_read_only(block->fd) : block->fd;
    if (fd < 0)
        return fd;
    void *p = mmap(block->address, block->size, protection(read_only), MAP_SHARED | MAP_FIXED, fd, 0);
    int r = p != MAP_FAILED ? 0 : errno == EAGAIN ? -ENOMEM : -errno;
    if (read_only)
        close(fd);
    if (r == 0)
        block->read_only = read_only;
    return r;
}

bool yunta_block_is_frozen(const yunta_block *block)
{
    return block && are_frozen(yn_memfd_seals(block->fd));
}

int yunta_block_freeze(yunta_block *block)
{
    if (!block)
        return -EINVAL;
    int seals = yn_memfd_seals(block->fd), mode = fcntl(block->fd, F_GETFL);
    if (are_frozen(seals))
        return 0;
    if (seals < 0 || (seals & F_SEAL_SEAL) || mode < 0 || (mode & O_ACCMODE) == O_RDONLY)
        return -EPERM;
    int r = map_again(block, true);
    if (r == 0)
        r = yn_memfd_seal(block->fd, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    if (r != 0 && block->read_only && !(seals & F_SEAL_FUTURE_WRITE)) {
        int back = map_again(block, false);
        r = back == 0 ? r : back;
    }
    return r;
}
