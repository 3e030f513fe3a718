/* Inside a vector: segments, each twice as large as the one before, so that no element ever moves. README.md has the
 * invariants. */
#ifndef YN_VECTOR_H
#define YN_VECTOR_H

#include "data/bytes.h"
#include "data/guard.h"

#include <yunta/vector.h>

#define YN_VECTOR_SEGMENTS 40

struct yunta_vector {
    size_t element_size;
    size_t first; /* elements of segment 0: a power of two; segment k has first << k */
    struct yunta_lock guard;
    _Atomic uint64_t size; /* elements below it are there, and whole */

    /* Odd: element `target` is being set, and stands whole in `next`. Raised by 2 when the vector has become shorter,
     * before anything beyond is freed or used anew. */
    _Atomic uint64_t turn;
    _Atomic uint64_t target;
    _Atomic(unsigned char *) going; /* a segment about to be freed */
    YN_ALIGNED(64) _Atomic(unsigned char *) segment[YN_VECTOR_SEGMENTS];
    unsigned char next[]; /* element_size bytes */
} YN_ALIGNED(64);

/* Which segment an index lies in, and where in it. */
static inline unsigned yn_vector_place(const yunta_vector *vector, uint64_t index, uint64_t *within)
{
    unsigned k = 63u - (unsigned)__builtin_clzll(index / vector->first + 1);
    *within = index - vector->first * ((UINT64_C(1) << k) - 1);
    return k;
}

/* The calls of <yunta/vector.h>, by a member of any team. */
int yn_vector_create(yn_self *me, yunta_vector **vector, const yunta_vector_options *options);
void yn_vector_destroy(yn_self *me, yunta_vector *vector);
int yn_vector_push(yn_self *me, yunta_vector *vector, const void *element, size_t *index);
int yn_vector_pop(yn_self *me, yunta_vector *vector, void *element);
int yn_vector_set(yn_self *me, yunta_vector *vector, uint64_t index, const void *element);
int yn_vector_resize(yn_self *me, yunta_vector *vector, uint64_t size);
int yn_vector_get(yunta_vector *vector, uint64_t index, void *element);

/* Whether all invariants hold of a vector that nobody is using, and whose last writer did not die over it. */
bool yn_vector_is_sound(yn_self *me, yunta_vector *vector);

#endif
