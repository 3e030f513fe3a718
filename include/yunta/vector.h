/* Vector: a growing array in shared memory, for any number of processes.
 *
 * An element never moves: its address, once asked for, holds as long as the element is there. Each call is one step,
 * also when its process is killed in the middle: then wholly, or not at all. Readers take no lock and never wait;
 * writers take turns, and take over from a dead one. -EINVAL for NULL everywhere; -ENOMEM from all that write. */
#ifndef YUNTA_VECTOR_H
#define YUNTA_VECTOR_H

#include <stddef.h>
#include <yunta/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yunta_vector yunta_vector;

typedef struct yunta_vector_options {
    size_t element_size;  /* bytes of every element; not 0 */
    size_t capacity;      /* elements to have memory for from the start */
    uint64_t reserved[6]; /* zero */
} yunta_vector_options;

/* -EINVAL: NULL, element_size 0, or reserved not zero; -EOVERFLOW: an absurd size; -ENOMEM. */
YUNTA_API int yunta_vector_create(yunta_vector **vector, const yunta_vector_options *options);

/* Frees it with its elements; nobody may use it any more. Accepts NULL; returns NULL. */
YUNTA_API yunta_vector *yunta_vector_destroy(yunta_vector *vector);

/* Appends a copy; *index, unless NULL, becomes its place. */
YUNTA_API int yunta_vector_push(yunta_vector *vector, const void *element, size_t *index);

/* Takes the last one off; `element` may be NULL. -ENOENT: there is none. */
YUNTA_API int yunta_vector_pop(yunta_vector *vector, void *element);

/* Copies element `index`. -ERANGE: there is no such element. */
YUNTA_API int yunta_vector_get(yunta_vector *vector, size_t index, void *element);
YUNTA_API int yunta_vector_set(yunta_vector *vector, size_t index, const void *element);

/* The element itself, aligned as those of an array are. What is written there directly is between those who do so: C11
 * atomics, a lock; `set` and `get` know nothing of it. Valid until the vector has become shorter than that, or ends.
 * NULL: no such element. */
YUNTA_API void *yunta_vector_at(yunta_vector *vector, size_t index);

/* How many there are at this moment. 0 for NULL. */
YUNTA_API size_t yunta_vector_size(yunta_vector *vector);

/* Makes it exactly so long: cut, or filled up with zeros. Memory that a much shorter one needs no more is given back.
 * -EOVERFLOW: absurd. */
YUNTA_API int yunta_vector_resize(yunta_vector *vector, size_t size);

/* Iterating: copies element *cursor and adds 1 to it, which begins at 0. 1; 0: there are no more. */
YUNTA_API int yunta_vector_next(yunta_vector *vector, size_t *cursor, void *element);

#ifdef __cplusplus
}
#endif

#endif
