/* Whether the invariants of a vector and of a string hold, for the tests.
 * Never repairs anything; nobody may be writing.
 * Next: data/README.md; data/dict_check.c. */
#include "data/string.h"
#include "data/vector.h"
#include "shm/heap.h"

bool yn_vector_is_sound(yn_self *me, yunta_vector *v)
{
    uint64_t size = atomic_load(&v->size), within;
    unsigned needed = size ? yn_vector_place(v, size - 1, &within) + 1 : 0;
    if (!yn_guard_is_open(&v->guard) || atomic_load(&v->turn) % 2 != 0 || atomic_load(&v->going))
        return false;
    for (unsigned k = 0; k < YN_VECTOR_SEGMENTS; k++) {
        const unsigned char *segment = atomic_load(&v->segment[k]);
        if (segment ? yn_heap_usable(me, segment) < (v->first << k) * v->element_size : k < needed)
            return false;
    }
    return true;
}

bool yn_string_is_sound(yn_self *me, yunta_string *s)
{
    const yn_text_shared *text = atomic_load(&s->text);
    if (!yn_guard_is_open(&s->guard) || atomic_load(&s->coming) || atomic_load(&s->going))
        return false;
    return !text ||
           (atomic_load(&text->size) <= text->capacity && text->capacity + sizeof *text <= yn_heap_usable(me, text));
}
