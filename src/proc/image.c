/* (module, offset) and back, by the program headers.
 * Never trusts a name alone: the build id must agree.
 * Next: proc/launch_spawn.c, pool/jobs.c. */
#include "proc/image.h"
#include "shm/heap.h"

#include <dlfcn.h>
#include <elf.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct module {
    uint64_t base;
    uint8_t id[32];
    uint32_t id_size;
    bool is_program;
    const char *path;
} module;

typedef struct search {
    uint64_t address;               /* find the module that holds it … */
    const yn_image_ref_shared *ref; /* … or the module of this id */
    unsigned seen;
    bool found;
    module module;
} search;

/* "GNU" note of type 3 in a PT_NOTE segment. */
static bool note_id(const uint8_t *note, size_t size, module *m)
{
    while (size >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) head;
        memcpy(&head, note, sizeof head);
        size_t name = yn_round_up(head.n_namesz, 4), text = yn_round_up(head.n_descsz, 4);
        if (sizeof head + name + text > size)
            return false;
        if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 && memcmp(note + sizeof head, "GNU", 4) == 0) {
            m->id_size = head.n_descsz < sizeof m->id ? head.n_descsz : sizeof m->id;
            memcpy(m->id, note + sizeof head + name, m->id_size);
            return true;
        }
        note += sizeof head + name + text;
        size -= sizeof head + name + text;
    }
    return false;
}

/* FNV-1a over the program headers: for modules linked without a build id. */
static void header_id(const struct dl_phdr_info *info, module *m)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    const uint8_t *bytes = (const uint8_t *)info->dlpi_phdr;
    for (size_t i = 0; i < sizeof(ElfW(Phdr)) * info->dlpi_phnum; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    memcpy(m->id, &hash, sizeof hash);
    m->id_size = sizeof hash;
}

static bool read_module(const struct dl_phdr_info *info, search *s)
{
    module *m = &s->module;
    bool holds = false, has_id = false;
    *m = (module){.base = info->dlpi_addr, .path = info->dlpi_name, .is_program = s->seen == 0};
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_LOAD && s->address - (info->dlpi_addr + p->p_vaddr) < p->p_memsz)
            holds = true;
        if (p->p_type == PT_NOTE && !has_id)
            has_id = note_id((const uint8_t *)(uintptr_t)(info->dlpi_addr + p->p_vaddr), p->p_memsz, m);
    }
    if (!has_id)
        header_id(info, m);
    if (!s->ref)
        return holds;
    return m->id_size == s->ref->id_size && memcmp(m->id, s->ref->id, m->id_size) == 0 &&
           m->is_program == (s->ref->is_program != 0);
}

static int look(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    search *s = context;
    s->found = read_module(info, s);
    s->seen++;
    return s->found;
}

/* The loader knows a module by the name that it was loaded by, which means nothing in another directory. The kernel
 * knows the file that is mapped there: gives its path in `path`, or else leaves it. */
static void find_file(uint64_t address, char path[PATH_MAX])
{
    char line[PATH_MAX + 128];
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long long from = 0, to = 0;
        int at = 0;
        if (sscanf(line, "%llx-%llx %*s %*s %*s %*s %n", &from, &to, &at) < 2 || address < from || address >= to)
            continue;
        line[strcspn(line, "\n")] = '\0';
        if (at > 0 && line[at] == '/')
            snprintf(path, PATH_MAX, "%s", line + at);
        break;
    }
    if (maps)
        fclose(maps);
}

yn_image_ref_shared *yn_image_describe(yn_self *me, void (*function)(void), int *error)
{
    search s = {.address = (uint64_t)(uintptr_t)function};
    dl_iterate_phdr(look, &s);
    if (!s.found) {
        *error = YUNTA_ENOFUNCTION;
        return NULL;
    }
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", s.module.path);
    if (path[0] != '/' && path[0] != '\0')
        find_file(s.address, path);
    size_t length = strlen(path) + 1;
    yn_image_ref_shared *ref = yn_heap_alloc(me, sizeof *ref + length, 0);
    if (!ref) {
        *error = -ENOMEM;
        return NULL;
    }
    ref->offset = s.address - s.module.base;
    memcpy(ref->id, s.module.id, sizeof ref->id);
    ref->id_size = s.module.id_size;
    ref->is_program = s.module.is_program;
    memcpy(ref->path, path, length);
    *error = 0;
    return ref;
}

int yn_image_find(const yn_image_ref_shared *ref, void (**function)(void))
{
    search s = {.ref = ref};
    dl_iterate_phdr(look, &s);
    if (!s.found)
        return YUNTA_ENOFUNCTION;
    *function = (void (*)(void))(uintptr_t)(s.module.base + ref->offset);
    return 0;
}

int yn_image_resolve(const yn_image_ref_shared *ref, void (**function)(void))
{
    int r = yn_image_find(ref, function);
    if (r != 0 && !ref->is_program && ref->path[0] != '\0' && dlopen(ref->path, RTLD_NOW | RTLD_GLOBAL))
        r = yn_image_find(ref, function);
    return r;
}
