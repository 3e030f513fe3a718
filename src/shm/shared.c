/* Value and Array: blocks of the heap with a small head in front, in which their lock lives.
 * Never reads a byte of what is not an allocated block of the heap, whatever pointer it is given.
 * Next: shm/heap.c; sync/lock.c, whose lock it is. */
#include "shm/heap_fast.h"

#include <sys/stat.h>
#include <yunta/shared.h>

/* Stands right before the data, at the block's start or, for alignments above 64, `offset` - sizeof(head) further. */
typedef struct yn_block_shared {
    _Atomic uint64_t
        lock[4]; /* a yunta_lock, which is open when zero; it knows how large it is, and that is no more than this */
    _Atomic uint64_t magic; /* tells a head from other memory: mixed with the address of the data */
    uint64_t size;          /* the bytes asked for */
    uint64_t offset;        /* from the block's start to the data */
    uint64_t unused;
} YN_ALIGNED(64) yn_block_shared;

#define MAGIC UINT64_C(0x79756e7461626c6b)
#define DEFAULT_ALIGNMENT 16

static uint64_t magic_of(const void *data)
{
    return MAGIC ^ (uint64_t)(uintptr_t)data;
}

/* The head of what yunta_shared_create made; NULL for any other pointer. */
static yn_block_shared *head_of(yn_self *me, const void *data, void **block)
{
    uint64_t address = (uint64_t)(uintptr_t)data;
    yn_heap_place place;
    if (address % _Alignof(yn_block_shared) != 0)
        return NULL;
    if (!yn_heap_look_up(me, data, &place) || (place.stamp & YN_STAMP_KIND) != YN_HEAP_SHARED)
        return NULL;
    *block = place.start;
    uint64_t start = (uint64_t)(uintptr_t)place.start;
    if (address - start < sizeof(yn_block_shared))
        return NULL;
    yn_block_shared *head = (yn_block_shared *)(uintptr_t)(address - sizeof(yn_block_shared));
    bool is =
        atomic_load(&head->magic) == magic_of(data) && start + head->offset == address && head->size <= place.usable;
    return is ? head : NULL;
}

static int check(size_t size, size_t alignment, size_t count)
{
    if (size == 0 || count == 0 || alignment > 4096 || !yn_is_power_of_two(alignment))
        return -EINVAL;
    size_t total;
    if (__builtin_mul_overflow(size, count, &total) || total > (size_t)PTRDIFF_MAX - (size_t)2 * 4096)
        return -EOVERFLOW;
    return 0;
}

int yunta_shared_create(void **memory, size_t size, size_t alignment, size_t count)
{
    alignment = alignment ? alignment : DEFAULT_ALIGNMENT;
    int r = memory ? check(size, alignment, count) : -EINVAL;
    yn_self *me = r == 0 ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    alignment = alignment > _Alignof(yn_block_shared) ? alignment : _Alignof(yn_block_shared);
    void *block;
    r = yn_heap_alloc_zeroed_as(me, YN_HEAP_SHARED, &block, alignment + size * count, alignment);
    if (r != 0)
        return r;
    char *data = (char *)block + alignment;
    yn_block_shared *head = (yn_block_shared *)(void *)(data - sizeof *head);
    head->size = size * count;
    head->offset = alignment;
    atomic_store_explicit(&head->magic, magic_of(data), memory_order_release);
    *memory = data;
    return 0;
}

void *yunta_shared_alloc(size_t size, size_t alignment, size_t count)
{
    void *memory = NULL;
    yunta_shared_create(&memory, size, alignment, count);
    return memory;
}

int yunta_shared_free(void *memory)
{
    if (!memory)
        return 0;
    int r = -EINVAL;
    yn_self *me = yn_self_has_team() ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    void *block;
    yn_block_shared *head = head_of(me, memory, &block);
    uint64_t magic = magic_of(memory);
    if (!head || !atomic_compare_exchange_strong(&head->magic, &magic, 0))
        return -EINVAL;
    return yn_heap_free_as(me, YN_HEAP_SHARED, block);
}

/* The head behind a pointer of the user's, for who only looks. */
static yn_block_shared *look_up(const void *memory)
{
    int r;
    yn_self *me = memory && yn_self_has_team() ? yn_self_get(&r) : NULL;
    void *block;
    return me ? head_of(me, memory, &block) : NULL;
}

size_t yunta_shared_size(const void *memory)
{
    yn_block_shared *head = look_up(memory);
    return head ? head->size : 0;
}

yunta_lock *yunta_shared_lock(const void *memory)
{
    yn_block_shared *head = look_up(memory);
    return head ? (yunta_lock *)(void *)head->lock : NULL;
}

static uint64_t count_living(yn_slot_table_shared *slots)
{
    uint64_t living = 0;
    uint32_t used = atomic_load(&slots->used);
    for (uint32_t i = 0; i < used; i++) {
        yn_slot_shared *slot = yn_slot_below_used(slots, i);
        yn_slot_state state = slot ? yn_slot_state_of(atomic_load(&slot->word)) : YN_SLOT_FREE;
        living += state == YN_SLOT_STARTING || state == YN_SLOT_LIVE;
    }
    return living;
}

/* What the system has set aside for the arena: the kernel's own figure. */
static uint64_t file_bytes(int fd)
{
    struct stat s;
    return fstat(fd, &s) == 0 ? (uint64_t)s.st_blocks * 512 : 0;
}

int yunta_arena_read_stats(yunta_arena_stats *stats)
{
    int r = -EINVAL;
    yn_self *me = stats ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    yn_heap_figures heap;
    yn_heap_read(me, &heap);
    *stats = (yunta_arena_stats){
        .limit = me->arena->limit,
        .file = file_bytes(me->arena_fd),
        .in_use = heap.in_use,
        .blocks = heap.blocks,
        .deaths = atomic_load(&me->arena->slots.ended),
        .processes = count_living(&me->arena->slots),
    };
    return 0;
}
