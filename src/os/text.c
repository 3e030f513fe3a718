/* Reading /proc and /sys without allocation.
 * Never trusts a file to be there, or short.
 * Next: os/cpu.c, os/memfd.c, os/oom.c. */
#include "os/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The file whole, cut to the buffer. Bytes read, or -1. */
static ssize_t read_file(const char *path, char *buffer, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    size_t n = 0;
    while (n < size - 1) {
        ssize_t got = read(fd, buffer + n, size - 1 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    close(fd);
    buffer[n] = '\0';
    return (ssize_t)n;
}

uint64_t yn_text_number(const char *path, const char *key)
{
    char text[16384];
    if (read_file(path, text, sizeof text) <= 0)
        return UINT64_MAX;
    const char *p = text;
    size_t length = key ? strlen(key) : 0;
    while (key && strncmp(p, key, length) != 0) {
        p = strchr(p, '\n');
        if (!p)
            return UINT64_MAX;
        p++;
    }
    p += length;
    p += strspn(p, " \t");
    if (*p < '0' || *p > '9')
        return UINT64_MAX;
    return strtoull(p, NULL, 10);
}

/* Finds "ID:controllers:path" of /proc/self/cgroup; an empty list of controllers is v2's. */
static bool find_path(const char *controller, char *path, size_t size, bool *is_v2)
{
    char text[8192];
    bool found = false;
    if (read_file("/proc/self/cgroup", text, sizeof text) <= 0)
        return false;
    char *rest = text;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *names = strchr(line, ':');
        char *where = names ? strchr(names + 1, ':') : NULL;
        if (!where)
            continue;
        *names++ = '\0';
        *where++ = '\0';
        char padded[256], wanted[64];
        snprintf(padded, sizeof padded, ",%s,", names);
        snprintf(wanted, sizeof wanted, ",%s,", controller);
        bool v1 = strstr(padded, wanted) != NULL;
        if (!v1 && (*names != '\0' || found))
            continue;
        snprintf(path, size, "%s", where);
        *is_v2 = !v1;
        found = true;
        if (v1)
            break;
    }
    return found;
}

bool yn_cgroup_folder(const char *controller, int up, char *folder, size_t size)
{
    char path[256];
    bool is_v2 = false;
    if (!find_path(controller, path, sizeof path, &is_v2))
        return false;
    for (int i = 0; i < up; i++) {
        char *slash = strrchr(path, '/');
        if (!slash || path[1] == '\0')
            return false;
        slash[slash == path ? 1 : 0] = '\0';
    }
    const char *root = "/sys/fs/cgroup";
    if (!is_v2)
        snprintf(folder, size, "%s/%s%s", root, controller, path);
    else
        snprintf(folder, size, "%s%s%s", root, access("/sys/fs/cgroup/unified", F_OK) == 0 ? "/unified" : "", path);
    /* Inside a container the path of the outside may not exist here; its own root stands in its place. */
    if (access(folder, F_OK) != 0) {
        if (up > 0)
            return false;
        snprintf(folder, size, is_v2 ? "%s" : "%s/%s", root, controller);
    }
    return true;
}
