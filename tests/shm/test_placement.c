/* Huge pages and NUMA nodes: what a program chooses holds in each of its processes, and nonsense is refused.
 * It must not ask for what this system cannot give: that is found out first, by calls of the kernel's own.
 * Read next: test_heap_user.c. */
#include "../proc/helpers.h"

#include "base/base.h"
#include "os/memfd.h"
#include "os/numa.h"

#include <sys/mman.h>

#define MIB ((size_t)1 << 20)

/* Whether the system makes huge pages of a memory file when asked. */
static bool can_be_huge(void)
{
    int fd = yn_memfd_create("placement-test");
    char *p = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ck_assert_int_eq(yn_memfd_reserve(fd, 0, 16 * MIB), 0);
    yn_huge_make(p, 16 * MIB);
    memset(p, 1, 16 * MIB);
    bool can = yn_huge_mapped(p) >= 8 * MIB;
    munmap(p, 16 * MIB);
    close(fd);
    return can;
}

static bool choose(yunta_placement placement)
{
    int r = yunta_set_placement(&placement);
    ck_assert_msg(r == 0 || r == -ENOTSUP || r == -EPERM, "%d", r);
    return r == 0;
}

static yunta_placement_state state(void)
{
    yunta_placement_state s;
    ck_assert_int_eq(yunta_read_placement(&s), 0);
    return s;
}

START_TEST(nonsense_is_refused)
{
    const yunta_placement wrong[] = {
        {.huge_pages = (yunta_huge_pages)2},
        {.huge_pages = (yunta_huge_pages)-1},
        {.numa = (yunta_numa)4},
        {.numa = (yunta_numa)-1},
        {.nodes = "0"},
        {.numa = YUNTA_NUMA_LOCAL, .nodes = "0"},
        {.numa = YUNTA_NUMA_BIND, .nodes = ""},
        {.numa = YUNTA_NUMA_BIND, .nodes = "a"},
        {.numa = YUNTA_NUMA_BIND, .nodes = "0,"},
        {.numa = YUNTA_NUMA_BIND, .nodes = "-1"},
        {.numa = YUNTA_NUMA_BIND, .nodes = "1-0"},
        {.numa = YUNTA_NUMA_BIND, .nodes = "0 "},
        {.numa = YUNTA_NUMA_BIND, .nodes = "1023"},
        {.numa = YUNTA_NUMA_INTERLEAVE, .nodes = "1024"},
        {.numa = YUNTA_NUMA_INTERLEAVE, .nodes = "99999999999999999999"},
        {.reserved = {0, 0, 0, 1}},
    };
    for (size_t i = 0; i < YN_COUNT(wrong); i++)
        ck_assert_msg(yunta_set_placement(&wrong[i]) == -EINVAL, "number %zu is accepted", i);
    ck_assert_int_eq(yunta_set_placement(NULL), 0);
    ck_assert_int_eq(yunta_read_placement(NULL), -EINVAL);
    yunta_placement_state s = state(); /* there is a team now */
    ck_assert_int_eq(s.huge_pages, YUNTA_HUGE_BY_SYSTEM);
    ck_assert_int_eq(s.numa, YUNTA_NUMA_BY_SYSTEM);
    ck_assert_int_eq(yunta_set_placement(NULL), -EBUSY);
    ck_assert_int_eq(yunta_set_placement(&(yunta_placement){.numa = YUNTA_NUMA_LOCAL}), -EBUSY);
    ck_assert_int_eq(yunta_set_placement(&wrong[0]), -EINVAL);
}
END_TEST

START_TEST(lists_of_nodes)
{
    yn_nodes nodes, all = yn_nodes_existing();
    ck_assert(yn_nodes_within(&all, &all));
    ck_assert(yn_nodes_read("0-2,5", &nodes));
    ck_assert_uint_eq(nodes.bits[0], 0x27);
    ck_assert(yn_nodes_read("1023", &nodes));
    ck_assert(!yn_nodes_within(&nodes, &(yn_nodes){{1}}));
    ck_assert(yn_nodes_within(&(yn_nodes){{1}}, &(yn_nodes){{3}}));
}
END_TEST

static int sees_huge_pages(unsigned char *const *block)
{
    yunta_placement_state s;
    unsigned long sum = 0;
    for (size_t i = 0; i < 8 * MIB; i += 4096)
        sum += (*block)[i];
    expect(sum == 7 * 8 * MIB / 4096);
    (*block)[0] = 8;
    expect(yunta_read_placement(&s) == 0 && s.huge_pages == YUNTA_HUGE_WANTED);
    unsigned char *own = yunta_heap_alloc(6 * MIB);
    expect(own != NULL);
    memset(own, 9, 6 * MIB);
    return yunta_heap_free(own);
}
YUNTA_ENTRY(sees_huge_pages, unsigned char *);

START_TEST(huge_pages)
{
    if (!choose((yunta_placement){.huge_pages = YUNTA_HUGE_WANTED}))
        return;
    bool can = can_be_huge();
    unsigned char *block = yunta_heap_alloc(8 * MIB);
    ck_assert_ptr_nonnull(block);
    memset(block, 7, 8 * MIB);
    ck_assert_int_eq(state().huge_pages, YUNTA_HUGE_WANTED);
    ck_assert_msg(!can || state().huge_bytes >= 4 * MIB, "%llu", (unsigned long long)state().huge_bytes);
    yunta_process *child;
    start_by(TEST_METHOD, &child, sees_huge_pages, &block);
    end_is(child, 0);
    ck_assert_uint_eq(block[0], 8);
    ck_assert_uint_eq(block[8 * MIB - 1], 7);
    ck_assert_int_eq(yunta_heap_free(block), 0);
}
END_TEST

/* Blocks of which every other one is freed: the memory of these goes back, and the rest keeps what it holds. */
START_TEST(parts_of_huge_pages_go_back)
{
    enum { COUNT = 48, SIZE = 512 << 10 };
    unsigned char *block[COUNT];
    yunta_heap_stats full, less;
    if (!choose((yunta_placement){.huge_pages = YUNTA_HUGE_WANTED}))
        return;
    for (int i = 0; i < COUNT; i++)
        memset(block[i] = yunta_heap_alloc(SIZE), i + 1, SIZE);
    ck_assert_int_eq(yunta_heap_read_stats(&full), 0);
    for (int i = 0; i < COUNT; i += 2)
        ck_assert_int_eq(yunta_heap_free(block[i]), 0);
    ck_assert_int_eq(yunta_heap_trim(), 0);
    ck_assert_int_eq(yunta_heap_read_stats(&less), 0);
    ck_assert_uint_le(less.file, full.file - (uint64_t)COUNT / 4 * SIZE);
    for (int i = 0; i < COUNT; i += 2)
        block[i] = yunta_heap_alloc_zeroed(SIZE, 1);
    for (int i = 0; i < COUNT; i++) {
        for (size_t k = 0; k < SIZE; k++)
            if (block[i][k] != (i % 2 ? i + 1 : 0))
                ck_abort_msg("byte %zu of block %d is %d", k, i, block[i][k]);
        ck_assert_int_eq(yunta_heap_free(block[i]), 0);
    }
}
END_TEST

struct placed {
    void *block;
    int mode;
};

static int sees_the_mode(const struct placed *placed)
{
    int mode = -1;
    yunta_placement_state s;
    memset(placed->block, 1, 300000);
    expect(yn_numa_mode_at(placed->block, &mode) == 0);
    expect(mode == placed->mode);
    expect(yunta_read_placement(&s) == 0 && s.numa != YUNTA_NUMA_BY_SYSTEM);
    return 0;
}
YUNTA_ENTRY(sees_the_mode, struct placed);

static void check_numa(yunta_start_method method, yunta_placement placement, int mode)
{
    if (!choose(placement))
        return;
    struct placed placed = {yunta_heap_alloc(300000), mode};
    ck_assert_int_eq(sees_the_mode(&placed), 0);
    ck_assert_int_eq(state().numa, placement.numa);
    yunta_process *child;
    start_by(method, &child, sees_the_mode, &placed);
    end_is(child, 0);
    ck_assert_int_eq(yunta_heap_free(placed.block), 0);
}

START_TEST(interleaved)
{
    check_numa(TEST_METHOD, (yunta_placement){.numa = YUNTA_NUMA_INTERLEAVE}, YN_NUMA_INTERLEAVE);
}
END_TEST

START_TEST(bound)
{
    yn_nodes all = yn_nodes_existing();
    const char *nodes = yn_nodes_within(&(yn_nodes){{1}}, &all) ? "0" : NULL;
    check_numa(TEST_METHOD, (yunta_placement){.numa = YUNTA_NUMA_BIND, .nodes = nodes}, YN_NUMA_BIND);
}
END_TEST

START_TEST(local)
{
    check_numa(TEST_METHOD, (yunta_placement){.numa = YUNTA_NUMA_LOCAL}, YN_NUMA_LOCAL);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("placement");
    TCase *cases = test_case(suite, "placement");
    tcase_add_test(cases, nonsense_is_refused);
    tcase_add_test(cases, lists_of_nodes);
    TEST_FOR_EACH_METHOD(cases, huge_pages);
    tcase_add_test(cases, parts_of_huge_pages_go_back);
    TEST_FOR_EACH_METHOD(cases, interleaved);
    TEST_FOR_EACH_METHOD(cases, bound);
    TEST_FOR_EACH_METHOD(cases, local);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
