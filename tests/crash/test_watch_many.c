/* A thousand members: their deaths by the hundred at once, the watch's own among them, and more of them than it has
 * descriptors for. All of them are guests, forked by the test: light ones.
 * It must not judge by a time: how long it takes stands in docs/design/04-watch.md.
 * Read next: test_watch.c. */
#include "../proc/helpers.h"

#include "shm/self.h"

#include <sys/prctl.h>
#include <sys/resource.h>

enum { MEMBERS = 1000 };

static pid_t member[MEMBERS];

typedef struct scene {
    shared_word *joined;
    yunta_event *go;
    yunta_lock *lock;
} scene;

static yn_arena_shared *arena(void)
{
    yn_self *me = yn_self_get(&(int){0});
    ck_assert_ptr_nonnull(me);
    return me->arena;
}

static uint32_t alive(void)
{
    yn_slot_table_shared *table = &arena()->slots;
    uint32_t count = 0;
    for (uint32_t i = 0; i < atomic_load(&table->used); i++)
        count += yn_slot_state_of(atomic_load(&yn_slot_below_used(table, i)->word)) != YN_SLOT_FREE;
    return count;
}

/* The first holds the lock, the second waits for it, all others for the word to go. */
static int be_member(const scene *s, int number)
{
    int error;
    if (!yn_self_get(&error))
        return 1;
    if (number == 0 && yunta_lock_acquire(s->lock, YUNTA_FOREVER) != 0)
        return 2;
    atomic_fetch_add(s->joined, 1);
    if (number == 0)
        return sleep_for_ever();
    if (number == 1)
        return yunta_lock_acquire(s->lock, YUNTA_FOREVER) == -EOWNERDEAD ? 11 : 3;
    return yunta_event_wait(s->go, YUNTA_FOREVER) == 0 ? 12 : 4;
}

static scene begin(int members)
{
    scene s = {.joined = new_word()};
    ck_assert_int_eq(yunta_event_create(&s.go), 0);
    ck_assert_int_eq(yunta_lock_create(&s.lock), 0);
    for (int i = 0; i < members; i++) {
        member[i] = test_fork();
        if (member[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            _exit(be_member(&s, i));
        }
        if (i == 0)
            ck_assert(await_word(s.joined, 1));
    }
    ck_assert(await_word(s.joined, members));
    return s;
}

static void ends_with(int number, int status)
{
    int s = 0;
    ck_assert_int_eq(waitpid(member[number], &s, 0), member[number]);
    ck_assert_int_eq(s, status);
}

static void end(scene *s, int from)
{
    ck_assert_int_eq(yunta_event_set(s->go), 0);
    for (int i = from; i < MEMBERS; i++)
        ends_with(i, 12 << 8);
    test_wait_until(alive() == 1, 20000);
    yunta_event_destroy(s->go);
    yunta_lock_destroy(s->lock);
    yunta_shared_free(s->joined);
}

static void kill_from(int first, int count)
{
    for (int i = first; i < first + count; i++)
        kill(member[i], SIGKILL);
}

/* The owner of a lock is one of the three hundred, and the next one is told; nobody else wakes for good. */
START_TEST(deaths_by_the_hundred)
{
    scene s = begin(MEMBERS);
    kill_from(2, 299);
    kill_from(0, 1);
    ends_with(1, 11 << 8);
    ends_with(0, SIGKILL);
    for (int i = 2; i < 301; i++)
        ends_with(i, SIGKILL);
    test_wait_until(alive() == 1 + MEMBERS - 301, 20000);
    ck_assert_uint_ge(atomic_load(&arena()->deaths), 301);
    for (int i = 301; i < MEMBERS; i++)
        ck_assert(test_is_running(member[i]));
    end(&s, 301);
}
END_TEST

/* Sleepers find out that the watch is dead, and the next one finds who died with it. */
START_TEST(its_own_death_among_many)
{
    scene s = begin(MEMBERS);
    pid_t watch = atomic_load(&arena()->watch_pid);
    kill(watch, SIGKILL);
    kill_from(2, 99);
    kill_from(0, 1);
    ends_with(1, 11 << 8);
    ends_with(0, SIGKILL);
    for (int i = 2; i < 101; i++)
        ends_with(i, SIGKILL);
    test_wait_until(alive() == 1 + MEMBERS - 101, 20000);
    ck_assert_int_ne(atomic_load(&arena()->watch_pid), watch);
    end(&s, 101);
}
END_TEST

/* Beyond its descriptors a member is refused, by a start or by its own first call; and there is room again when one has
 * gone. */
START_TEST(no_more_than_it_has_descriptors_for)
{
    enum { LIMIT = 40, CAPACITY = LIMIT - 16 };
    struct rlimit low = {LIMIT, LIMIT};
    yunta_process *child[LIMIT], *one;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    int count = 0, r;
    for (;; count++) {
        r = yunta_start(&child[count], sleep_for_ever, NULL, &(yunta_process_options){.start_method = YUNTA_FORK});
        if (r != 0)
            break;
        ck_assert_int_lt(count, LIMIT - 1);
    }
    ck_assert_int_eq(r, -EMFILE);
    while (alive() < CAPACITY) { /* our own descriptors were fewer: guests need none of them */
        uint32_t before = alive();
        pid_t pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            _exit(yn_self_get(&r) ? sleep_for_ever() : 1);
        }
        test_wait_until(alive() > before || !test_is_running(pid), 20000);
        ck_assert(test_is_running(pid));
    }
    pid_t refused = fork();
    if (refused == 0)
        _exit(!yn_self_get(&r) && r == -EMFILE ? 0 : 1);
    int status;
    ck_assert_int_eq(waitpid(refused, &status, 0), refused);
    ck_assert_int_eq(status, 0);
    for (int i = 0; i < count; i++)
        yunta_process_destroy(child[i]);
    r = yunta_start(&one, return_value, &(int){7}, NULL);
    ck_assert_int_eq(r, 0);
    end_is(one, 7);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("watch_many");
    TCase *cases = test_case(suite, "thousand");
    tcase_add_test(cases, deaths_by_the_hundred);
    tcase_add_test(cases, its_own_death_among_many);
    TCase *left = test_case_unaudited(suite, "descriptors"); /* guests that die with the test */
    tcase_add_test(left, no_more_than_it_has_descriptors_for);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
