/* The vector: growing without moving, elements set as a whole, readers without a guard.
 * Never changes an element that readers may see but in one store, or with its new value whole in `next`.
 * Next: data/vector_face.c, the public calls; data/README.md. */
#include "data/vector.h"
#include "shm/heap.h"

enum { FIRST_BYTES = 512 };

static unsigned char *element_at(yunta_vector *v, uint64_t index)
{
    uint64_t within;
    unsigned k = yn_vector_place(v, index, &within);
    unsigned char *segment = atomic_load_explicit(&v->segment[k], memory_order_acquire);
    return segment ? segment + within * v->element_size : NULL;
}

/* One store does for it. */
static bool is_a_word(size_t size)
{
    return size <= 8 && yn_is_power_of_two(size);
}

static void store_word(unsigned char *to, const void *from, size_t size)
{
    uint64_t word = 0;
    memcpy(&word, from, size);
    if (size == 8)
        atomic_store_explicit((_Atomic uint64_t *)(void *)to, word, memory_order_release);
    else if (size == 4)
        atomic_store_explicit((_Atomic uint32_t *)(void *)to, (uint32_t)word, memory_order_release);
    else if (size == 2)
        atomic_store_explicit((_Atomic uint16_t *)(void *)to, (uint16_t)word, memory_order_release);
    else
        atomic_store_explicit((_Atomic uint8_t *)to, (uint8_t)word, memory_order_release);
}

static void load_word(void *to, const unsigned char *from, size_t size)
{
    uint64_t word;
    if (size == 8)
        word = atomic_load_explicit((const _Atomic uint64_t *)(const void *)from, memory_order_acquire);
    else if (size == 4)
        word = atomic_load_explicit((const _Atomic uint32_t *)(const void *)from, memory_order_acquire);
    else if (size == 2)
        word = atomic_load_explicit((const _Atomic uint16_t *)(const void *)from, memory_order_acquire);
    else
        word = atomic_load_explicit((const _Atomic uint8_t *)from, memory_order_acquire);
    memcpy(to, &word, size);
}

/* By the guard's owner. What comes after it in the program is seen by nobody who has not seen it, too. */
static void raise_turn(yunta_vector *v, uint64_t by)
{
    uint64_t turn = atomic_load_explicit(&v->turn, memory_order_relaxed) + by;
    atomic_store_explicit(&v->turn, turn, memory_order_release);
    yn_release_fence();
}

/* The note goes first: a block that is freed may be somebody else's a moment later. */
static void free_going(yn_self *me, yunta_vector *v)
{
    unsigned char *going = atomic_load_explicit(&v->going, memory_order_relaxed);
    atomic_store_explicit(&v->going, NULL, memory_order_release);
    yn_heap_free(me, going);
}

static void finish_set(yunta_vector *v)
{
    uint64_t target = atomic_load_explicit(&v->target, memory_order_relaxed);
    yn_bytes_copy(element_at(v, target), v->next, v->element_size);
    raise_turn(v, 1);
}

static void repair(yn_self *me, void *vector)
{
    yunta_vector *v = vector;
    if (atomic_load_explicit(&v->turn, memory_order_relaxed) % 2 != 0)
        finish_set(v);
    raise_turn(v, 2);
    unsigned char *going = atomic_load_explicit(&v->going, memory_order_relaxed);
    for (unsigned k = 0; k < YN_VECTOR_SEGMENTS; k++)
        if (going && going == atomic_load_explicit(&v->segment[k], memory_order_relaxed))
            atomic_store_explicit(&v->going, NULL, memory_order_relaxed); /* it is still in its place */
    free_going(me, v);
}

static int enter(yn_self *me, yunta_vector *v)
{
    return yn_guard_enter(me, &v->guard, repair, v);
}

static void leave(yn_self *me, yunta_vector *v)
{
    yn_guard_leave(me, &v->guard);
}

/* With the guard, which is left and entered again: provides segment k. An error leaves it left. */
static YN_NOINLINE int add_segment(yn_self *me, yunta_vector *v, unsigned k)
{
    leave(me, v);
    uint64_t bytes = k < YN_VECTOR_SEGMENTS ? v->first * v->element_size : YN_ARENA_MOST + 1;
    if (bytes > YN_ARENA_MOST >> k)
        return -ENOMEM;
    void *block = yn_heap_alloc(me, (size_t)(bytes << k), YN_CACHE_LINE);
    int r = block ? enter(me, v) : -ENOMEM;
    if (r == 0 && !atomic_load_explicit(&v->segment[k], memory_order_relaxed))
        atomic_store_explicit(&v->segment[k], block, memory_order_release);
    else
        yn_heap_free(me, block);
    return r;
}

/* Gives back the segments that `size` elements need no more, but for one. */
static void shed_segments(yn_self *me, yunta_vector *v, uint64_t size)
{
    uint64_t within;
    for (unsigned k = size ? yn_vector_place(v, size - 1, &within) + 2 : 1; k < YN_VECTOR_SEGMENTS; k++) {
        unsigned char *segment = atomic_load_explicit(&v->segment[k], memory_order_relaxed);
        if (!segment)
            continue;
        atomic_store_explicit(&v->going, segment, memory_order_release);
        atomic_store_explicit(&v->segment[k], NULL, memory_order_release);
        raise_turn(v, 2);
        free_going(me, v);
    }
}

/* Without the guard: what was to be filled up is not, after all. */
static void shed_unused(yn_self *me, yunta_vector *v)
{
    if (enter(me, v) != 0)
        return;
    shed_segments(me, v, atomic_load_explicit(&v->size, memory_order_relaxed));
    leave(me, v);
}

int yn_vector_push(yn_self *me, yunta_vector *v, const void *element, size_t *index)
{
    int r = enter(me, v);
    while (r == 0) {
        uint64_t size = atomic_load_explicit(&v->size, memory_order_relaxed), within;
        unsigned char *place = element_at(v, size);
        if (YN_UNLIKELY(!place)) {
            r = add_segment(me, v, yn_vector_place(v, size, &within));
            continue;
        }
        yn_bytes_copy(place, element, v->element_size);
        atomic_store_explicit(&v->size, size + 1, memory_order_release);
        leave(me, v);
        *index = (size_t)size;
        break;
    }
    return r;
}

int yn_vector_pop(yn_self *me, yunta_vector *v, void *element)
{
    int r = enter(me, v);
    if (r != 0)
        return r;
    uint64_t size = atomic_load_explicit(&v->size, memory_order_relaxed), within;
    if (size == 0) {
        leave(me, v);
        return -ENOENT;
    }
    if (element)
        yn_bytes_copy(element, element_at(v, size - 1), v->element_size);
    atomic_store_explicit(&v->size, size - 1, memory_order_release);
    raise_turn(v, 2);
    yn_vector_place(v, size - 1, &within);
    if (within == 0)
        shed_segments(me, v, size - 1);
    leave(me, v);
    return 0;
}

int yn_vector_set(yn_self *me, yunta_vector *v, uint64_t index, const void *element)
{
    int r = enter(me, v);
    if (r != 0)
        return r;
    if (index >= atomic_load_explicit(&v->size, memory_order_relaxed)) {
        r = -ERANGE;
    } else if (is_a_word(v->element_size)) {
        store_word(element_at(v, index), element, v->element_size);
    } else {
        memcpy(v->next, element, v->element_size);
        atomic_store_explicit(&v->target, index, memory_order_relaxed);
        raise_turn(v, 1); /* from here on it is set, whoever finishes it */
        finish_set(v);
    }
    leave(me, v);
    return r;
}

/* With the guard: zeroes from `from` to `to`; *to becomes smaller where a segment lacks, which is the result; else
 * YN_VECTOR_SEGMENTS. */
static unsigned fill_up(yunta_vector *v, uint64_t from, uint64_t to)
{
    while (from < to) {
        uint64_t within;
        unsigned k = yn_vector_place(v, from, &within);
        uint64_t count = (v->first << k) - within;
        count = count < to - from ? count : to - from;
        unsigned char *place = element_at(v, from);
        if (!place)
            return k;
        memset(place, 0, count * v->element_size);
        from += count;
    }
    return YN_VECTOR_SEGMENTS;
}

int yn_vector_resize(yn_self *me, yunta_vector *v, uint64_t size)
{
    int r = enter(me, v);
    while (r == 0) {
        uint64_t old = atomic_load_explicit(&v->size, memory_order_relaxed);
        unsigned lacking = fill_up(v, old, size);
        if (lacking < YN_VECTOR_SEGMENTS) {
            r = add_segment(me, v, lacking);
            if (YN_UNLIKELY(r != 0))
                shed_unused(me, v);
            continue;
        }
        atomic_store_explicit(&v->size, size, memory_order_release);
        if (size < old) {
            raise_turn(v, 2);
            shed_segments(me, v, size);
        }
        leave(me, v);
        break;
    }
    return r;
}

/* A reader's call. */
typedef struct reading {
    yunta_vector *vector;
    uint64_t index;
    void *element;
} reading;

static void repair_read(yn_self *me, void *what)
{
    repair(me, ((reading *)what)->vector);
}

YN_ALWAYS_INLINE int look(void *what)
{
    const reading *r = what;
    yunta_vector *v = r->vector;
    uint64_t turn = yn_version_read(&v->turn);
    if (r->index >= atomic_load_explicit(&v->size, memory_order_acquire))
        return -ERANGE;
    const unsigned char *place = element_at(v, r->index);
    if (!place || !yn_version_holds(&v->turn, turn))
        return YN_OVERTAKEN;
    if (turn % 2 != 0 && atomic_load_explicit(&v->target, memory_order_relaxed) == r->index)
        place = v->next;
    if (is_a_word(v->element_size))
        load_word(r->element, place, v->element_size);
    else
        yn_bytes_copy(r->element, place, v->element_size);
    return yn_version_holds(&v->turn, turn) ? 0 : YN_OVERTAKEN;
}

int yn_vector_get(yunta_vector *v, uint64_t index, void *element)
{
    return yn_look_until(look, &(reading){v, index, element}, &v->guard, repair_read);
}

int yn_vector_create(yn_self *me, yunta_vector **vector, const yunta_vector_options *o)
{
    void *block;
    size_t first = 1;
    while (first * o->element_size < FIRST_BYTES || first < o->capacity) {
        if (first > YN_ARENA_MOST / o->element_size)
            return -EOVERFLOW;
        first *= 2;
    }
    int r = yn_heap_alloc_zeroed(me, &block, sizeof(yunta_vector) + o->element_size, YN_CACHE_LINE);
    if (r != 0)
        return r;
    yunta_vector *v = block;
    v->element_size = o->element_size;
    v->first = first;
    unsigned char *segment = o->capacity ? yn_heap_alloc(me, first * o->element_size, YN_CACHE_LINE) : NULL;
    if (o->capacity && !segment) {
        yn_heap_free(me, v);
        return -ENOMEM;
    }
    atomic_store(&v->segment[0], segment);
    *vector = v;
    return 0;
}

void yn_vector_destroy(yn_self *me, yunta_vector *v)
{
    if (!yn_guard_is_open(&v->guard)) /* left so by somebody dead */
        repair(me, v);
    for (unsigned k = 0; k < YN_VECTOR_SEGMENTS; k++)
        yn_heap_free(me, atomic_load(&v->segment[k]));
    yn_heap_free(me, v);
}
