/* The vector's public face.
 * Never touches an element itself.
 * Next: data/vector.c. */
#include "data/vector.h"

int yunta_vector_create(yunta_vector **vector, const yunta_vector_options *options)
{
    static const yunta_vector_options defaults;
    if (!vector || !options || options->element_size == 0 ||
        memcmp(options->reserved, defaults.reserved, sizeof defaults.reserved) != 0)
        return -EINVAL;
    if (options->element_size > YN_ARENA_MOST || options->capacity > YN_ARENA_MOST / options->element_size)
        return -EOVERFLOW;
    int r;
    yn_self *me = yn_self_get(&r);
    return me ? yn_vector_create(me, vector, options) : r;
}

yunta_vector *yunta_vector_destroy(yunta_vector *vector)
{
    int r;
    yn_self *me = vector ? yn_self_get(&r) : NULL;
    if (me)
        yn_vector_destroy(me, vector);
    return NULL;
}

int yunta_vector_push(yunta_vector *vector, const void *element, size_t *index)
{
    size_t unasked;
    int r = -EINVAL;
    yn_self *me = vector && element ? yn_self_get(&r) : NULL;
    return me ? yn_vector_push(me, vector, element, index ? index : &unasked) : r;
}

int yunta_vector_pop(yunta_vector *vector, void *element)
{
    int r = -EINVAL;
    yn_self *me = vector ? yn_self_get(&r) : NULL;
    return me ? yn_vector_pop(me, vector, element) : r;
}

int yunta_vector_get(yunta_vector *vector, size_t index, void *element)
{
    return vector && element ? yn_vector_get(vector, index, element) : -EINVAL;
}

int yunta_vector_set(yunta_vector *vector, size_t index, const void *element)
{
    int r = -EINVAL;
    yn_self *me = vector && element ? yn_self_get(&r) : NULL;
    return me ? yn_vector_set(me, vector, index, element) : r;
}

void *yunta_vector_at(yunta_vector *vector, size_t index)
{
    uint64_t within;
    if (!vector || index >= atomic_load_explicit(&vector->size, memory_order_acquire))
        return NULL;
    unsigned k = yn_vector_place(vector, index, &within);
    unsigned char *segment = atomic_load_explicit(&vector->segment[k], memory_order_acquire);
    return segment ? segment + within * vector->element_size : NULL;
}

size_t yunta_vector_size(yunta_vector *vector)
{
    return vector ? (size_t)atomic_load_explicit(&vector->size, memory_order_acquire) : 0;
}

int yunta_vector_resize(yunta_vector *vector, size_t size)
{
    int r = -EINVAL;
    if (vector && size > YN_ARENA_MOST / vector->element_size)
        return -EOVERFLOW;
    yn_self *me = vector ? yn_self_get(&r) : NULL;
    return me ? yn_vector_resize(me, vector, size) : r;
}

int yunta_vector_next(yunta_vector *vector, size_t *cursor, void *element)
{
    if (!vector || !cursor || !element)
        return -EINVAL;
    int r = yn_vector_get(vector, *cursor, element);
    if (r == 0)
        ++*cursor;
    return r == 0 ? 1 : r == -ERANGE ? 0 : r;
}
