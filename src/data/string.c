/* The string: replaced by one store, appended to where no reader looks.
 * Never changes a byte that a reader may see; never lets a reader wait.
 * Next: data/guard.h; data/README.md. */
#include "data/string.h"
#include "shm/heap.h"

/* Texts that are not the string's now. The notes go first: a block that is freed may be somebody else's a moment later.
 */
static void free_others(yn_self *me, yunta_string *s)
{
    yn_text_shared *text = atomic_load_explicit(&s->text, memory_order_relaxed);
    yn_text_shared *coming = atomic_load_explicit(&s->coming, memory_order_relaxed);
    yn_text_shared *going = atomic_load_explicit(&s->going, memory_order_relaxed);
    atomic_store_explicit(&s->coming, NULL, memory_order_relaxed);
    atomic_store_explicit(&s->going, NULL, memory_order_release);
    if (coming != text)
        yn_heap_free(me, coming);
    if (going != text)
        yn_heap_free(me, going);
}

static void repair(yn_self *me, void *string)
{
    yunta_string *s = string;
    yn_version_raise(&s->version);
    free_others(me, s);
}

static int enter(yn_self *me, yunta_string *s)
{
    return yn_guard_enter(me, &s->guard, repair, s);
}

static void leave(yn_self *me, yunta_string *s)
{
    yn_guard_leave(me, &s->guard);
}

/* -ENOMEM, or 0 and a text that holds `capacity` bytes; NULL for none. */
static int make_text(yn_self *me, yn_text_shared **text, const void *bytes, size_t size, size_t capacity)
{
    *text = NULL;
    if (capacity == 0)
        return 0;
    yn_text_shared *fresh =
        capacity <= YN_ARENA_MOST ? yn_heap_alloc(me, sizeof *fresh + capacity, YN_CACHE_LINE) : NULL;
    if (!fresh)
        return -ENOMEM;
    fresh->capacity = yn_heap_usable(me, fresh) - sizeof *fresh;
    yn_bytes_copy(fresh->bytes, bytes, size);
    atomic_store_explicit(&fresh->size, size, memory_order_relaxed);
    *text = fresh;
    return 0;
}

/* With the guard. */
static void put_in_place(yn_self *me, yunta_string *s, yn_text_shared *fresh)
{
    yn_text_shared *old = atomic_load_explicit(&s->text, memory_order_relaxed);
    atomic_store_explicit(&s->coming, fresh, memory_order_relaxed);
    atomic_store_explicit(&s->going, old, memory_order_release);
    atomic_store_explicit(&s->text, fresh, memory_order_release);
    yn_version_raise(&s->version);
    free_others(me, s);
}

static size_t size_of(yn_text_shared *text)
{
    return text ? (size_t)atomic_load_explicit(&text->size, memory_order_acquire) : 0;
}

/* The text to be set is there before the guard is taken. */
static int enter_with(yn_self *me, yunta_string *s, yn_text_shared **fresh, const void *bytes, size_t size)
{
    int r = make_text(me, fresh, bytes, size, size);
    if (r != 0)
        return r;
    r = enter(me, s);
    if (r != 0)
        yn_heap_free(me, *fresh);
    return r;
}

int yn_string_set(yn_self *me, yunta_string *s, const void *bytes, size_t size)
{
    yn_text_shared *fresh;
    int r = enter_with(me, s, &fresh, bytes, size);
    if (r != 0)
        return r;
    put_in_place(me, s, fresh);
    leave(me, s);
    return 0;
}

int yn_string_replace(yn_self *me, yunta_string *s, const void *expected, size_t expected_size, const void *bytes,
                      size_t size)
{
    yn_text_shared *fresh;
    int r = enter_with(me, s, &fresh, bytes, size);
    if (r != 0)
        return r;
    yn_text_shared *text = atomic_load_explicit(&s->text, memory_order_relaxed);
    if (size_of(text) == expected_size && (!text || yn_bytes_equal(text->bytes, expected, expected_size)))
        put_in_place(me, s, fresh);
    else
        r = -EAGAIN;
    leave(me, s);
    if (r != 0)
        yn_heap_free(me, fresh);
    return r;
}

/* With the guard: into what is free behind the text, or into a block twice as large. */
static int append(yn_self *me, yunta_string *s, const void *bytes, size_t size)
{
    yn_text_shared *text = atomic_load_explicit(&s->text, memory_order_relaxed), *fresh;
    size_t before = size_of(text);
    if (text && text->capacity - before >= size) {
        yn_bytes_copy(text->bytes + before, bytes, size);
        atomic_store_explicit(&text->size, before + size, memory_order_release);
        return 0;
    }
    if (size > YN_ARENA_MOST)
        return -ENOMEM;
    size_t capacity = before + size > 2 * before ? before + size : 2 * before;
    int r = make_text(me, &fresh, text ? text->bytes : NULL, before, capacity);
    if (r != 0)
        return r;
    if (fresh) {
        yn_bytes_copy(fresh->bytes + before, bytes, size);
        atomic_store_explicit(&fresh->size, before + size, memory_order_relaxed);
        put_in_place(me, s, fresh);
    }
    return 0;
}

int yn_string_append(yn_self *me, yunta_string *s, const void *bytes, size_t size)
{
    int r = enter(me, s);
    if (r != 0)
        return r;
    r = append(me, s, bytes, size);
    leave(me, s);
    return r;
}

/* A reader's call. */
typedef struct reading {
    yunta_string *string;
    void *buffer;
    size_t capacity, size;
} reading;

static void repair_read(yn_self *me, void *what)
{
    repair(me, ((reading *)what)->string);
}

/* The size is believed only if the version still holds after it was read. */
YN_ALWAYS_INLINE int look(void *what)
{
    reading *r = what;
    yunta_string *s = r->string;
    uint64_t version = yn_version_read(&s->version);
    yn_text_shared *text = atomic_load_explicit(&s->text, memory_order_acquire);
    r->size = size_of(text);
    if (!yn_version_holds(&s->version, version))
        return YN_OVERTAKEN;
    if (text && r->size <= r->capacity)
        yn_bytes_copy(r->buffer, text->bytes, r->size);
    if (!yn_version_holds(&s->version, version))
        return YN_OVERTAKEN;
    return r->size <= r->capacity ? 0 : -EMSGSIZE;
}

int yn_string_get(yunta_string *s, void *buffer, size_t capacity, size_t *size)
{
    reading what = {.string = s, .buffer = buffer, .capacity = capacity};
    int r = yn_look_until(look, &what, &s->guard, repair_read);
    if (size && (r == 0 || r == -EMSGSIZE))
        *size = what.size;
    return r;
}

int yn_string_create(yn_self *me, yunta_string **string)
{
    void *block;
    int r = yn_heap_alloc_zeroed(me, &block, sizeof **string, YN_CACHE_LINE);
    if (r == 0)
        *string = block;
    return r;
}

void yn_string_destroy(yn_self *me, yunta_string *s)
{
    if (!yn_guard_is_open(&s->guard)) /* left so by somebody dead */
        repair(me, s);
    yn_heap_free(me, atomic_load(&s->text));
    yn_heap_free(me, s);
}

int yunta_string_create(yunta_string **string)
{
    int r = -EINVAL;
    yn_self *me = string ? yn_self_get(&r) : NULL;
    return me ? yn_string_create(me, string) : r;
}

yunta_string *yunta_string_destroy(yunta_string *string)
{
    int r;
    yn_self *me = string ? yn_self_get(&r) : NULL;
    if (me)
        yn_string_destroy(me, string);
    return NULL;
}

int yunta_string_set(yunta_string *string, const void *bytes, size_t size)
{
    int r = -EINVAL;
    yn_self *me = string && (bytes || size == 0) ? yn_self_get(&r) : NULL;
    return me ? yn_string_set(me, string, bytes, size) : r;
}

int yunta_string_append(yunta_string *string, const void *bytes, size_t size)
{
    int r = -EINVAL;
    yn_self *me = string && (bytes || size == 0) ? yn_self_get(&r) : NULL;
    return me ? yn_string_append(me, string, bytes, size) : r;
}

int yunta_string_get(yunta_string *string, void *buffer, size_t capacity, size_t *size)
{
    return string && (buffer || capacity == 0) ? yn_string_get(string, buffer, capacity, size) : -EINVAL;
}

int yunta_string_replace(yunta_string *string, const void *expected, size_t expected_size, const void *bytes,
                         size_t size)
{
    int r = -EINVAL;
    bool good = string && (expected || expected_size == 0) && (bytes || size == 0);
    yn_self *me = good ? yn_self_get(&r) : NULL;
    return me ? yn_string_replace(me, string, expected, expected_size, bytes, size) : r;
}

size_t yunta_string_size(yunta_string *string)
{
    size_t size = 0;
    int r = yunta_string_get(string, NULL, 0, &size);
    return r == 0 || r == -EMSGSIZE ? size : 0;
}
