/* The arena: its address, its growth, its end.
 * It must not use the heap on it.
 * Read next: test_heap.c. */
#include "bare_team.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define LIMIT ((uint64_t)64 << 20)

static void make_arena(bare_team *team, uint64_t limit)
{
    ck_assert_int_eq(yn_arena_create(&team->arena, &team->fd, limit), 0);
}

static void *extend(bare_team *team, uint64_t bytes, uint64_t alignment)
{
    int error;
    void *p = yn_arena_extend(team->arena, team->fd, bytes, alignment, &error);
    ck_assert_msg((p != NULL) == (error == 0), "a result and an error, or neither: %d", error);
    return p;
}

static int extend_error(bare_team *team, uint64_t bytes)
{
    int error;
    ck_assert_ptr_null(yn_arena_extend(team->arena, team->fd, bytes, 0, &error));
    return error;
}

/* Waits for a child that says by its exit status whether all is well. */
static void await(pid_t child)
{
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(status == 0, "a child ended with status %#x", (unsigned)status);
}

START_TEST(a_new_arena_knows_itself)
{
    bare_team team;
    make_arena(&team, LIMIT);
    ck_assert_uint_eq(team.arena->magic, YN_ARENA_MAGIC);
    ck_assert_uint_eq(team.arena->base, (uintptr_t)team.arena);
    ck_assert_uint_eq(team.arena->limit, LIMIT);
    ck_assert_uint_eq(team.arena->end, team.arena->reserved);
    ck_assert(yn_arena_holds(team.arena, team.arena));
    ck_assert(yn_arena_holds(team.arena, (char *)team.arena + LIMIT - 1));
    ck_assert(!yn_arena_holds(team.arena, (char *)team.arena + LIMIT));
    ck_assert(!yn_arena_holds(team.arena, (char *)team.arena - 1));
    bare_team_drop(&team);
}
END_TEST

START_TEST(two_arenas_differ)
{
    bare_team one, two;
    make_arena(&one, LIMIT);
    make_arena(&two, LIMIT); /* the wanted window is taken: it stands elsewhere */
    ck_assert_ptr_ne(one.arena, two.arena);
    ck_assert_uint_ne(one.arena->serial, two.arena->serial);
    bare_team_drop(&two);
    bare_team_drop(&one);
}
END_TEST

START_TEST(without_a_limit_it_takes_much)
{
    bare_team team;
    make_arena(&team, 0);
    ck_assert_uint_ge(team.arena->limit, (uint64_t)256 << 20);
    ck_assert_ptr_nonnull(extend(&team, 1, 0));
    bare_team_drop(&team);
}
END_TEST

START_TEST(ranges_are_zero_aligned_and_apart)
{
    static const uint64_t alignments[] = {0, 1, 4096, 65536, 1 << 20};
    bare_team team;
    make_arena(&team, LIMIT);
    char *after = (char *)team.arena + sizeof *team.arena;
    for (size_t i = 0; i < YN_COUNT(alignments); i++) {
        uint64_t bytes = 1 + 70000 * i;
        char *p = extend(&team, bytes, alignments[i]);
        ck_assert_ptr_nonnull(p);
        ck_assert(p >= after);
        ck_assert_uint_eq((uintptr_t)p % YN_ARENA_GRAIN, 0);
        ck_assert_uint_eq(alignments[i] ? (uintptr_t)p % alignments[i] : 0, 0);
        after = p + yn_round_up(bytes, YN_ARENA_GRAIN);
        for (char *at = p; at < after; at++)
            must(*at == 0);
        memset(p, 0xff, (size_t)(after - p));
    }
    bare_team_drop(&team);
}
END_TEST

START_TEST(the_limit_is_the_limit)
{
    bare_team team;
    make_arena(&team, YN_ARENA_LEAST);
    ck_assert_int_eq(extend_error(&team, 0), -ENOMEM);
    ck_assert_int_eq(extend_error(&team, UINT64_MAX), -ENOMEM);
    ck_assert_int_eq(extend_error(&team, YN_ARENA_LEAST), -ENOMEM);
    uint64_t end = team.arena->end, left = YN_ARENA_LEAST - end;
    ck_assert_int_eq(extend_error(&team, left + 1), -ENOMEM);
    ck_assert_uint_eq(team.arena->end, end);
    char *p = extend(&team, left, 0);
    ck_assert_ptr_nonnull(p);
    p[left - 1] = 1;
    ck_assert_int_eq(extend_error(&team, 1), -ENOMEM);
    bare_team_drop(&team);
}
END_TEST

/* Each child takes grains, writes its number all over them, and looks at the end whether it stands there still. */
static int take_and_mark(bare_team *team, unsigned char mark)
{
    unsigned char *taken[40];
    for (size_t i = 0; i < YN_COUNT(taken); i++) {
        int error;
        taken[i] = yn_arena_extend(team->arena, team->fd, YN_ARENA_GRAIN, 0, &error);
        if (!taken[i] || taken[i][0] != 0 || taken[i][YN_ARENA_GRAIN - 1] != 0)
            return 1;
        memset(taken[i], mark, YN_ARENA_GRAIN);
    }
    for (size_t i = 0; i < YN_COUNT(taken); i++)
        for (size_t at = 0; at < YN_ARENA_GRAIN; at++)
            if (taken[i][at] != mark)
                return 2;
    return 0;
}

START_TEST(many_processes_extend_at_once)
{
    bare_team team;
    make_arena(&team, LIMIT);
    uint64_t end = team.arena->end;
    pid_t child[6];
    for (size_t i = 0; i < YN_COUNT(child); i++) {
        child[i] = fork();
        if (child[i] == 0)
            _exit(take_and_mark(&team, (unsigned char)(i + 1)));
    }
    for (size_t i = 0; i < YN_COUNT(child); i++)
        await(child[i]);
    ck_assert_uint_eq(team.arena->end, end + YN_COUNT(child) * 40 * YN_ARENA_GRAIN);
    ck_assert_uint_eq(team.arena->reserved, team.arena->end);
    bare_team_drop(&team);
}
END_TEST

static int attach_anew(bare_team *team)
{
    void *was = team->arena;
    uint64_t limit = team->arena->limit;
    if (yn_arena_attach(&team->arena, team->fd) != -EADDRINUSE || munmap(was, limit) != 0)
        return 1;
    if (yn_arena_attach(&team->arena, team->fd) != 0 || team->arena != was)
        return 2;
    return team->arena->base == (uintptr_t)was && team->arena->limit == limit ? 0 : 3;
}

START_TEST(it_is_attached_at_its_address)
{
    bare_team team;
    make_arena(&team, LIMIT);
    pid_t child = fork();
    if (child == 0)
        _exit(attach_anew(&team));
    await(child);
    bare_team_drop(&team);
}
END_TEST

START_TEST(other_files_are_no_arena)
{
    yn_arena_shared *arena;
    int ends[2];
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(yn_arena_attach(&arena, fileno(file)), -EBADF);
    ck_assert_int_gt(fprintf(file, "%100s", "something else"), 0);
    ck_assert_int_eq(fflush(file), 0);
    ck_assert_int_eq(yn_arena_attach(&arena, fileno(file)), -EBADF);
    fclose(file);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(yn_arena_attach(&arena, ends[0]), -EBADF);
    close(ends[0]);
    close(ends[1]);
    ck_assert_int_eq(yn_arena_attach(&arena, -1), -EBADF);
}
END_TEST

/* Beyond RLIMIT_FSIZE the kernel would send SIGXFSZ. */
/* As after a program has closed all descriptors, and opened its own. */
START_TEST(a_file_that_has_come_under_its_number_is_left_alone)
{
    bare_team team;
    make_arena(&team, LIMIT);
    ck_assert_ptr_nonnull(extend(&team, YN_ARENA_GRAIN, 0));
    uint64_t end = team.arena->end, own = end - YN_ARENA_GRAIN;
    int file = memfd_create("other", MFD_CLOEXEC);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(pwrite(file, "x", 1, (off_t)own), 1);
    ck_assert_int_eq(dup2(file, team.fd), team.fd);
    ck_assert_int_eq(extend_error(&team, YN_ARENA_GRAIN), -EBADF);
    ck_assert_uint_eq(team.arena->end, end);
    ck_assert_int_eq(yn_arena_reserve(team.arena, team.fd, own, YN_ARENA_GRAIN), -EBADF);
    ck_assert_int_eq(yn_arena_discard(team.arena, team.fd, own, YN_ARENA_GRAIN), -EBADF);
    char byte = 0;
    ck_assert_int_eq(pread(file, &byte, 1, (off_t)own), 1);
    ck_assert_int_eq(byte, 'x');
    ck_assert_int_eq(lseek(file, 0, SEEK_END), (off_t)own + 1);
    close(file);
    bare_team_drop(&team);
}
END_TEST

START_TEST(a_limit_on_file_size_is_no_signal)
{
    bare_team team;
    make_arena(&team, LIMIT);
    struct rlimit limit = {team.arena->end + 3 * YN_ARENA_GRAIN, RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    uint64_t end = team.arena->end;
    ck_assert_int_eq(extend_error(&team, 4 * YN_ARENA_GRAIN), -ENOMEM);
    ck_assert_uint_eq(team.arena->end, end);
    ck_assert_ptr_nonnull(extend(&team, 3 * YN_ARENA_GRAIN, 0));
    ck_assert_int_eq(extend_error(&team, 1), -ENOMEM);
    bare_team_drop(&team);
}
END_TEST

/* A core dump would otherwise read every hole of the window into existence. */
START_TEST(it_is_left_out_of_core_dumps)
{
    bare_team team;
    char line[512], start[64];
    bool found = false, left_out = false;
    make_arena(&team, LIMIT);
    snprintf(start, sizeof start, "%llx-", (unsigned long long)team.arena->base);
    FILE *maps = fopen("/proc/self/smaps", "re");
    ck_assert_ptr_nonnull(maps);
    while (fgets(line, sizeof line, maps) && !left_out) {
        if (strncmp(line, start, strlen(start)) == 0)
            found = true;
        else if (found && strncmp(line, "VmFlags:", 8) == 0)
            break;
    }
    left_out = found && strstr(line, " dd") != NULL;
    fclose(maps);
    ck_assert(left_out);
    bare_team_drop(&team);
}
END_TEST

START_TEST(the_limit_can_be_set_before_the_first_use)
{
    int error;
    yn_self_up.announce = NULL;
    ck_assert_int_eq(yunta_set_arena_limit(0), -EINVAL);
    ck_assert_int_eq(yunta_set_arena_limit(YN_ARENA_LEAST - 1), -EINVAL);
    ck_assert_int_eq(yunta_set_arena_limit(YN_ARENA_MOST + 1), -EINVAL);
    ck_assert_int_eq(yunta_set_arena_limit(YN_ARENA_LEAST + 1), 0);
    yn_self *me = yn_self_get(&error);
    ck_assert_ptr_nonnull(me);
    ck_assert_uint_eq(me->arena->limit, YN_ARENA_LEAST + YN_ARENA_GRAIN);
    ck_assert_int_eq(yunta_set_arena_limit(YN_ARENA_LEAST), -EBUSY);
}
END_TEST

START_TEST(the_environment_sets_the_limit_too)
{
    int error;
    yn_self_up.announce = NULL;
    setenv("YUNTA_ARENA_BYTES", "33554432", 1);
    yn_self *me = yn_self_get(&error);
    ck_assert_ptr_nonnull(me);
    ck_assert_uint_eq(me->arena->limit, 33554432);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("arena");
    TCase *cases = test_case(suite, "arena");
    tcase_add_test(cases, a_new_arena_knows_itself);
    tcase_add_test(cases, two_arenas_differ);
    tcase_add_test(cases, without_a_limit_it_takes_much);
    tcase_add_test(cases, ranges_are_zero_aligned_and_apart);
    tcase_add_test(cases, the_limit_is_the_limit);
    tcase_add_test(cases, many_processes_extend_at_once);
    tcase_add_test(cases, it_is_attached_at_its_address);
    tcase_add_test(cases, other_files_are_no_arena);
    tcase_add_test(cases, a_file_that_has_come_under_its_number_is_left_alone);
    tcase_add_test(cases, a_limit_on_file_size_is_no_signal);
    if (!test_is_valgrind())
        tcase_add_test(cases, it_is_left_out_of_core_dumps);
    tcase_add_test(cases, the_limit_can_be_set_before_the_first_use);
    tcase_add_test(cases, the_environment_sets_the_limit_too);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
