/* Dict: a hash map in shared memory, for any number of processes that read and write. What Python's Manager().dict()
 * is for, without a process in between.
 *
 * Keys and values are plain bytes, of any size or all of the sizes that the options say; keys have less than 32 MiB.
 * All is copied in and out. Each call but clear is one step: it happens as a whole at some moment between its beginning
 * and its end, also when its process is killed in the middle (then wholly, or not at all). Readers take no lock and
 * write nothing: they never wait, and a writer that is stopped or killed holds up no reader. A writer waits for others
 * at the same stripe of the dict, and takes over from a dead one.
 *
 * Where a size is said by the options (key_size, value_size), the same must be passed: -EINVAL else, as for NULL and
 * for a key that is too long.
 * All calls that write: -ENOMEM, and nothing is changed. */
#ifndef YUNTA_DICT_H
#define YUNTA_DICT_H

#include <stddef.h>
#include <yunta/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yunta_dict yunta_dict;

typedef struct yunta_dict_options {
    size_t key_size;      /* bytes of every key; 0: each has its own size (also 0) */
    size_t value_size;    /* bytes of every value; 0: each has its own size (also 0) */
    size_t capacity;      /* entries to expect: a table begins with room for its share; it grows beyond, and shrinks */
    size_t stripes;       /* so many can write at the same time, rounded up to a power of two ≤ 65536; 0: 64 */
    uint64_t reserved[6]; /* zero */
} yunta_dict_options;

/* NULL options: the defaults. -EINVAL: NULL, stripes > 65536, or reserved not zero; -EOVERFLOW: an absurd size;
 * -ENOMEM. */
YUNTA_API int yunta_dict_create(yunta_dict **dict, const yunta_dict_options *options);

/* Frees it and all that is in it; nobody may use it any more. Accepts NULL; returns NULL. */
YUNTA_API yunta_dict *yunta_dict_destroy(yunta_dict *dict);

/* Sets the key's value, whether it was there or not. */
YUNTA_API int yunta_dict_put(yunta_dict *dict, const void *key, size_t key_size, const void *value, size_t value_size);

/* Sets it only if the key is not there. -EEXIST: it is; nothing is changed. */
YUNTA_API int yunta_dict_put_new(yunta_dict *dict, const void *key, size_t key_size, const void *value,
                                 size_t value_size);

/* Copies the key's value into `buffer` of `capacity` bytes; *size, unless NULL, becomes its size. -ENOENT: no such key.
 * -EMSGSIZE: it is larger than capacity; *size says how large. buffer may be NULL if capacity is 0. */
YUNTA_API int yunta_dict_get(yunta_dict *dict, const void *key, size_t key_size, void *buffer, size_t capacity,
                             size_t *size);

/* Gets it and removes it, in one step. As yunta_dict_get; after -EMSGSIZE it is still there. */
YUNTA_API int yunta_dict_pop(yunta_dict *dict, const void *key, size_t key_size, void *buffer, size_t capacity,
                             size_t *size);

/* -ENOENT: no such key. */
YUNTA_API int yunta_dict_remove(yunta_dict *dict, const void *key, size_t key_size);

/* False for NULL too. */
YUNTA_API bool yunta_dict_contains(yunta_dict *dict, const void *key, size_t key_size);

/* Compare and swap: sets it only if its value is, byte by byte, `expected`. -ENOENT: no such key; -EAGAIN: it has
 * another value. */
YUNTA_API int yunta_dict_replace(yunta_dict *dict, const void *key, size_t key_size, const void *expected,
                                 size_t expected_size, const void *value, size_t value_size);

/* Adds to a value that is an int64_t (0 if there is none); *sum, unless NULL, becomes what it is then. Wraps round.
 * -EINVAL: the value has another size. */
YUNTA_API int yunta_dict_add(yunta_dict *dict, const void *key, size_t key_size, int64_t amount, int64_t *sum);

/* What yunta_dict_update calls. `value` holds *size bytes (0 if the key is not there: then *present is false)
 * and is its own to change, up to the capacity that was given; it may set *size, and *present: false removes the key.
 * 0: go on; else nothing is changed and the result is returned. */
typedef int yunta_dict_change(void *value, size_t *size, bool *present, void *context);

/* Changes an entry by a function of the caller's, as one step. No lock is held while it runs: if somebody else has
 * changed the entry meanwhile, it is called again, with the new value. Values of up to `capacity` bytes: -EMSGSIZE for
 * larger ones. -EINVAL: it has set a wrong size. Else its own result. */
YUNTA_API int yunta_dict_update(yunta_dict *dict, const void *key, size_t key_size, size_t capacity,
                                yunta_dict_change *change, void *context);

/* How many entries there are: exact at some moment of the call. 0 for NULL, or without memory to wait with. */
YUNTA_API size_t yunta_dict_size(yunta_dict *dict);

/* Removes all entries that were there when it began; each by itself, so not as one step. What is put meanwhile stays or
 * goes. */
YUNTA_API int yunta_dict_clear(yunta_dict *dict);

/* Iterating: an iterator is this process's own, and one thread's at a time. Others may change the dict meanwhile: what
 * is there from beginning to end comes exactly once; what is put or removed meanwhile comes once or not at all. Each
 * entry is one that stood there so: never half of it. */
typedef struct yunta_dict_iterator yunta_dict_iterator;

typedef struct yunta_dict_entry {
    const void *key; /* copies, aligned for any type; until the next call */
    size_t key_size;
    const void *value;
    size_t value_size;
} yunta_dict_entry;

/* -EINVAL: NULL; -ENOMEM. */
YUNTA_API int yunta_dict_iterate(yunta_dict_iterator **iterator, yunta_dict *dict);

/* 1: *entry is the next one; 0: there is none; -EINVAL, -ENOMEM. */
YUNTA_API int yunta_dict_next(yunta_dict_iterator *iterator, yunta_dict_entry *entry);

/* Accepts NULL; returns NULL. */
YUNTA_API yunta_dict_iterator *yunta_dict_iterator_destroy(yunta_dict_iterator *iterator);

#ifdef __cplusplus
}
#endif

#endif
