/* The slot that a process takes for itself, while nobody has heard of it: whose it is stands in the word, as far as a
 * pid fits. It must not start the watch. Read next: test_slot.c, where one dies over it. */
#include "bare_team.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

static bare_team team;
static yn_slot_table_shared *table;

static yn_claim take(void)
{
    int error;
    yn_claim claim = yn_slot_take(team.arena, team.fd, 0, &error);
    ck_assert_uint_ne(claim, 0);
    return claim;
}

static bool frees_guests_slot(yn_claim claim, long pid)
{
    uint64_t word = claim >> 24 << 24 | ((uint64_t)pid & YN_SLOT_MOST) << 4 | YN_SLOT_GUESTS;
    yn_slot_shared *slot = yn_slot_at(table, yn_claim_slot(claim));
    atomic_store(&slot->word, word);
    yn_slot_free_guests(table, yn_claim_slot(claim), word);
    return yn_slot_state_of(atomic_load(&slot->word)) == YN_SLOT_FREE;
}

/* With the same low bits. */
static bool has_namesake(int pid)
{
    for (pid &= (int)YN_SLOT_MOST; pid < 1 << 22; pid += 1 << YN_SLOT_BITS)
        if (pid > 0 && (kill(pid, 0) == 0 || errno != ESRCH))
            return true;
    return false;
}

/* A guest's slot, until it is heard of, is its pid's, for as long as there is such a process. */
START_TEST(a_guests_slot_is_free_when_there_is_no_such_process)
{
    bare_team_make(&team, 16 << 20);
    table = &team.arena->slots;
    yn_claim claim = take();
    ck_assert(!frees_guests_slot(claim, getpid()));
    ck_assert(!frees_guests_slot(claim, getppid()));
    pid_t gone = test_fork();
    if (gone == 0)
        _exit(0);
    ck_assert(!frees_guests_slot(claim, gone)); /* until it is reaped it is there */
    ck_assert_int_eq(waitpid(gone, NULL, 0), gone);
    ck_assert_int_eq(frees_guests_slot(claim, gone), !has_namesake(gone));
    claim = take();
    ck_assert_int_eq(frees_guests_slot(claim, 1 << YN_SLOT_BITS), !has_namesake(1 << YN_SLOT_BITS));
}
END_TEST

static void drop_team(void)
{
    bare_team_drop(&team);
}

static Suite *make(void)
{
    Suite *suite = suite_create("slot of a guest");
    TCase *cases = test_case(suite, "guest");
    tcase_add_checked_fixture(cases, NULL, drop_team);
    tcase_add_test(cases, a_guests_slot_is_free_when_there_is_no_such_process);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
