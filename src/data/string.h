/* Inside a string: a block that is replaced as a whole, or appended to beyond what readers see. README.md has the
 * invariants. */
#ifndef YN_STRING_H
#define YN_STRING_H

#include "data/bytes.h"
#include "data/guard.h"

#include <yunta/string.h>

typedef struct yn_text_shared {
    uint64_t capacity;
    _Atomic uint64_t size; /* bytes below it stay as they are until the block is freed */
    unsigned char bytes[];
} yn_text_shared;

struct yunta_string {
    struct yunta_lock guard;
    _Atomic uint64_t version;         /* raised after a text has been replaced, before it is freed */
    _Atomic(yn_text_shared *) text;   /* NULL: empty */
    _Atomic(yn_text_shared *) coming; /* about to be the text */
    _Atomic(yn_text_shared *) going;  /* being replaced */
} YN_ALIGNED(64);

/* The calls of <yunta/string.h>, by a member of any team. */
int yn_string_create(yn_self *me, yunta_string **string);
void yn_string_destroy(yn_self *me, yunta_string *string);
int yn_string_set(yn_self *me, yunta_string *string, const void *bytes, size_t size);
int yn_string_append(yn_self *me, yunta_string *string, const void *bytes, size_t size);
int yn_string_replace(yn_self *me, yunta_string *string, const void *expected, size_t expected_size, const void *bytes,
                      size_t size);
int yn_string_get(yunta_string *string, void *buffer, size_t capacity, size_t *size);

/* Whether all invariants hold of a string that nobody is using, and whose last writer did not die over it. */
bool yn_string_is_sound(yn_self *me, yunta_string *string);

#endif
