/* String: a run of bytes in shared memory that changes as a whole, for any number of processes.
 *
 * Bytes of any value, 0 too; no terminator. A reader sees what stood there before a change, or after it, never a mix,
 * also when its writer is killed in the middle. Readers take no lock and never wait. -EINVAL for NULL everywhere;
 * -ENOMEM from all that write, and nothing is changed.
 *
 * Of the headers of this library only this one has the name of a standard one: include it as <yunta/string.h>, and
 * never put include/yunta itself on the compiler's path. */
#ifndef YUNTA_STRING_H
#define YUNTA_STRING_H

#include <stddef.h>
#include <yunta/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yunta_string yunta_string;

/* An empty one. */
YUNTA_API int yunta_string_create(yunta_string **string);

/* Frees it; nobody may use it any more. Accepts NULL; returns NULL. */
YUNTA_API yunta_string *yunta_string_destroy(yunta_string *string);

/* `bytes` may be NULL if size is 0. */
YUNTA_API int yunta_string_set(yunta_string *string, const void *bytes, size_t size);

/* What several processes append stands there as many pieces, each of them whole. */
YUNTA_API int yunta_string_append(yunta_string *string, const void *bytes, size_t size);

/* Copies it into `buffer` of `capacity` bytes; *size, unless NULL, becomes its size. -EMSGSIZE: it is longer than
 * capacity; *size says how long. buffer may be NULL if capacity is 0. */
YUNTA_API int yunta_string_get(yunta_string *string, void *buffer, size_t capacity, size_t *size);

/* Sets it only if it is, byte by byte, `expected`. -EAGAIN: it is not. */
YUNTA_API int yunta_string_replace(yunta_string *string, const void *expected, size_t expected_size, const void *bytes,
                                   size_t size);

/* Bytes at this moment. 0 for NULL. */
YUNTA_API size_t yunta_string_size(yunta_string *string);

#ifdef __cplusplus
}
#endif

#endif
