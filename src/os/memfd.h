/* Anonymous shared memory with a descriptor: no name to leave behind, no /dev/shm, no 64 MB limit. */
#ifndef YN_MEMFD_H
#define YN_MEMFD_H

#include "base/base.h"

#include <fcntl.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* A new, empty memory file, close-on-exec. The descriptor or -errno. */
int yn_memfd_create(const char *name);

/* The same, to be sealed. */
int yn_memfd_create_sealable(const char *name);

/* F_SEAL_…, those of a file (-EINVAL: it can have none), and further ones (-EPERM: no more, or the descriptor is for
 * reading; -EBUSY: against writing, while somebody has it mapped for that). */
int yn_memfd_seals(int fd);
int yn_memfd_seal(int fd, int seals);

/* The same file by a new descriptor for reading only, close-on-exec. The descriptor or -errno. */
int yn_memfd_reopen_read_only(int fd);

/* Reserves the pages of [offset, offset + bytes), making the file longer if need be (never shorter, whatever others do
 * meanwhile), so that a later store does not find memory gone. 0; -ENOMEM: none left, beyond RLIMIT_FSIZE, or beyond
 * what the memory cgroup has left; -errno. */
int yn_memfd_reserve(int fd, uint64_t offset, uint64_t bytes);

/* Gives the pages back; they read as zero afterwards. 0 or -errno. */
int yn_memfd_discard(int fd, uint64_t offset, uint64_t bytes);

/* Bytes that the memory cgroup (v1 or v2) and the machine still allow; UINT64_MAX where no limit is known. */
uint64_t yn_memory_left(void);

#endif
