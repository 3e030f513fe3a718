/* Image: functions named so that another exec of the same program finds them: (module, offset). */
#ifndef YN_IMAGE_H
#define YN_IMAGE_H

#include "shm/self.h"

/* In shared memory. The path is only for messages and for modules that have to be loaded first. */
typedef struct yn_image_ref_shared {
    uint64_t offset; /* from the module's load address */
    uint8_t id[32];  /* build id, or, without one, what the program headers say */
    uint32_t id_size;
    uint32_t is_program; /* the executable itself */
    char path[];
} yn_image_ref_shared;

/* Names `function`. A heap block, to be freed; NULL with *error: YUNTA_ENOFUNCTION: it lies in no module; -ENOMEM. */
yn_image_ref_shared *yn_image_describe(yn_self *me, void (*function)(void), int *error);

/* Finds it in this process, loading its shared library if need be. 0 or YUNTA_ENOFUNCTION. */
int yn_image_find(const yn_image_ref_shared *ref, void (**function)(void)); /* … among the modules that are loaded */
int yn_image_resolve(const yn_image_ref_shared *ref, void (**function)(void));

#endif
