/* Changing an entry by a function of the caller's.
 * Never holds a guard while that runs: what it makes of a value is put in its place if that still is the value.
 * Next: data/dict.c. */
#include "data/dict.h"

#include <stdlib.h>

enum { NEARBY = 512 }; /* bytes for both copies; larger ones are allocated */

typedef struct change_of {
    const void *key;
    size_t key_size;
    unsigned char *seen, *changed; /* of `capacity` bytes each */
    size_t capacity;
    yunta_dict_change *change;
    void *context;
} change_of;

/* What has been made of the value takes its place. -EAGAIN: it has changed. */
static int settle(yn_self *me, yunta_dict *dict, const change_of *c, bool was, size_t seen, bool is, size_t size)
{
    yn_put put = {.how = was ? YN_PUT_IF_EQUAL : YN_PUT_NEW,
                  .value = c->changed,
                  .size = size,
                  .expected = c->seen,
                  .expected_size = seen};
    if (!was && !is)
        return 0;
    int r = is ? yn_dict_put(me, dict, c->key, c->key_size, &put)
               : yn_dict_pop(me, dict, c->key, c->key_size, &put, NULL, 0, NULL);
    return r == -EEXIST || r == -ENOENT ? -EAGAIN : r;
}

static int update(yn_self *me, yunta_dict *dict, const change_of *c)
{
    for (;;) {
        size_t seen = 0, size = 0;
        int r = yn_dict_get(dict, c->key, c->key_size, c->seen, c->capacity, &seen);
        bool was = r == 0, is = was;
        if (r != 0 && r != -ENOENT)
            return r;
        if (was && seen > 0)
            memcpy(c->changed, c->seen, seen);
        size = was ? seen : 0;
        int said = c->change(c->changed, &size, &is, c->context);
        if (said != 0)
            return said;
        if (is && size > c->capacity)
            return -EINVAL;
        r = settle(me, dict, c, was, seen, is, size);
        if (r != -EAGAIN)
            return r;
    }
}

int yunta_dict_update(yunta_dict *dict, const void *key, size_t key_size, size_t capacity, yunta_dict_change *change,
                      void *context)
{
    int r = -EINVAL;
    yn_self *me = dict && (key || key_size == 0) && change ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    _Alignas(max_align_t) unsigned char nearby[NEARBY];
    size_t each = capacity <= YN_ARENA_MOST ? yn_round_up(capacity, _Alignof(max_align_t)) : 0;
    unsigned char *copies = capacity > each ? NULL : 2 * each <= sizeof nearby ? nearby : malloc(2 * each);
    if (!copies)
        return -ENOMEM;
    r = update(me, dict, &(change_of){key, key_size, copies, copies + each, capacity, change, context});
    if (copies != nearby)
        free(copies);
    return r;
}
