/* Numbers out of the kernel's text files, and where this process's cgroups lie. */
#ifndef YN_TEXT_H
#define YN_TEXT_H

#include "base/base.h"

/* The number that follows `key` at the start of a line of the file (or the file's first word, if key is NULL).
 * UINT64_MAX if the file, key or number is not there; "max" is UINT64_MAX too. */
uint64_t yn_text_number(const char *path, const char *key);

/* The folder of this process's cgroup for a v1 controller (or the v2 one), `up` levels above it. False when there is
 * none, or above the root. */
bool yn_cgroup_folder(const char *controller, int up, char *folder, size_t size);

#endif
