/* Blocks: memory that goes beyond the team, by descriptor or by name.
 *
 * What yunta_shared gives belongs to one team, at one address. A block is a memory file of its own, at any address: its
 * descriptor can be given to any program (by sendmsg over a local socket, by inheritance), and a named block can be
 * attached by Python's multiprocessing.shared_memory.SharedMemory, and the other way round. Pointers into a block mean
 * nothing to others; offsets do.
 *
 * A yunta_block is the calling process's own: the memory and handle are inherited by fork; give other processes the
 * descriptor, or the name. One block must not be destroyed while another thread uses it. */
#ifndef YUNTA_BLOCK_H
#define YUNTA_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yunta/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yunta_block yunta_block;

typedef struct yunta_block_options {
    /* For yunta_block_create. */
    bool sole_writer;  /* nobody else can ever write to it: only mappings made so far, the caller's, can */
    const char *label; /* shown in /proc/PID/fd and maps; default "yunta-block". Up to 200 bytes */
    /* For yunta_block_open and yunta_block_open_named. */
    bool read_only; /* map it for reading only */
    /* For yunta_block_open. */
    bool accept_unsealed; /* take what others may shrink, too: who then reads behind its end is killed (SIGBUS) */
    bool only_frozen;     /* refuse what anybody can still change */
    uint64_t reserved[4]; /* zero */
} yunta_block_options;

/* A new block of `size` bytes, zeroed, mapped for reading and writing, its memory reserved. It is sealed: nobody, not
 * even the caller, can shrink or lengthen it. NULL options: the defaults. -EINVAL: NULL, size 0, a label that is too
 * long, an option for other calls, or reserved not zero; -EOVERFLOW: absurd size; -ENOMEM: no memory, or beyond
 * RLIMIT_FSIZE or what the memory cgroup has left; -EMFILE. */
YUNTA_API int yunta_block_create(yunta_block **block, size_t size, const yunta_block_options *options);

/* Maps the block behind a descriptor that came from anywhere; the descriptor stays the caller's. -EPERM: it may be
 * shrunk (not sealed; see accept_unsealed), or changed (see only_frozen), or it is sealed against writing and read_only
 * is not asked for; -EACCES: the descriptor is for reading only, and read_only is not asked for; -EBADF: no descriptor,
 * or no file that has memory; -ENODATA: it is empty; -EINVAL as above; -ENOMEM; -EMFILE. */
YUNTA_API int yunta_block_open(yunta_block **block, int descriptor, const yunta_block_options *options);

/* Unmaps it and closes its descriptor; the memory goes when the last one who has it lets it go (a named block's: and it
 * is unlinked). Accepts NULL; returns NULL. */
YUNTA_API yunta_block *yunta_block_destroy(yunta_block *block);

YUNTA_API void *yunta_block_address(const yunta_block *block); /* its first byte; NULL for NULL */
YUNTA_API size_t yunta_block_size(const yunta_block *block);   /* its bytes; 0 for NULL */

/* Its descriptor, close-on-exec, to be sent to others; for reading only if the block is open so. It belongs to the
 * block. -EINVAL: NULL. */
YUNTA_API int yunta_block_descriptor(const yunta_block *block);

/* A new descriptor of it for reading only, close-on-exec, the caller's to close. Other processes of this user
 * can open it anew for writing (/proc/PID/fd): against those only sole_writer and yunta_block_freeze help. -EINVAL:
 * NULL; -EMFILE; -ENOENT: no /proc here. */
YUNTA_API int yunta_block_read_only_descriptor(const yunta_block *block);

/* Ends all writing for good: its content can be relied on from here on. The caller's mapping is for reading only
 * afterwards, at the same address; none of its threads may be writing. Again: 0. -EBUSY: somebody else has it mapped
 * for writing, nothing is done (but a sole writer's mapping stays for reading only); -EPERM: it cannot be sealed (it is
 * named, or read only, or sealed against that); -ENOENT: no /proc here; -EINVAL: NULL. */
YUNTA_API int yunta_block_freeze(yunta_block *block);
YUNTA_API bool yunta_block_is_frozen(const yunta_block *block); /* whoever has frozen it; false for NULL */

/* Named blocks, in /dev/shm: the one thing here that leaves a name behind, until yunta_block_unlink. They cannot be
 * sealed: anybody who may write to one may shrink it, and then who reads behind its end is killed. The name is
 * 1 to 254 bytes, without '/' but for one in front, which changes nothing; Python's `name` is the same one. The size is
 * exact. A name does not show before its block has its size and its memory (where there is a /proc).
 *
 * Python before 3.13 takes each block that it attaches, too, for its own, and unlinks it when it ends ("leaked
 * shared_memory objects"): there, call resource_tracker.unregister("/" + name, "shared_memory") after attaching; from
 * 3.13 on, attach with track=False.
 *
 * Creates one, exclusively, readable and writable for this user alone (0600). -EEXIST: there is one of this name;
 * -EINVAL: NULL, size 0, or no such name can be; -EACCES; -ENOENT: no /dev/shm here; otherwise as yunta_block_create
 * (in containers /dev/shm is often 64 MB). */
YUNTA_API int yunta_block_create_named(yunta_block **block, const char *name, size_t size);

/* Attaches one. Options: read_only. -ENOENT: none of this name; -EACCES; -ENODATA: it has no size yet: another program
 * is just making it; -EINVAL; -ENOMEM; -EMFILE. */
YUNTA_API int yunta_block_open_named(yunta_block **block, const char *name, const yunta_block_options *options);

/* Takes the name away; who has the block goes on using it. -ENOENT; -EACCES; -EINVAL: NULL, or no such name can be. */
YUNTA_API int yunta_block_unlink(const char *name);

#ifdef __cplusplus
}
#endif

#endif
