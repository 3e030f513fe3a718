/* Workers that take turns at something and are killed at moments that nobody chose. Who includes this has defined
 * before what the workers share: `table`, in shared memory, with `done` (turns, by all), `stop` and `wrong` (a line).
 */
#ifndef YUNTA_RANDOM_KILLS_H
#define YUNTA_RANDOM_KILLS_H

#include <sched.h>
#include <sys/prctl.h>

enum { workers = 4, rounds = 10 };

static table *t;

#define expect_in_worker(condition)                                                                                    \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            atomic_store(&t->wrong, __LINE__);                                                                         \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

static uint64_t random_state;

static uint32_t some(uint32_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % below;
}

/* Up to so many pauses; sometimes another one's turn on this processor. */
static void dawdle(uint32_t most)
{
    for (uint32_t i = some(most); i > 0; i--)
        yn_pause();
    if (some(16) == 0)
        sched_yield();
}

static pid_t start_worker(void (*turn)(long me))
{
    pid_t pid = test_fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    random_state = (uint64_t)getpid();
    while (!atomic_load(&t->stop)) {
        turn(getpid());
        atomic_fetch_add(&t->done, 1);
    }
    _exit(0);
}

static void replace(pid_t *pid, void (*turn)(long me))
{
    int status;
    kill(*pid, SIGKILL);
    ck_assert(waitpid(*pid, &status, 0) == *pid);
    ck_assert_msg(WIFSIGNALED(status), "line %d", atomic_load(&t->wrong));
    *pid = start_worker(turn);
}

static long kills_wanted(void)
{
    const char *text = getenv("YUNTA_KILLS");
    long n = text ? strtol(text, NULL, 10) : 0;
    return n > 0 ? n : 2000;
}

static void make_table(void)
{
    t = yunta_shared(table, 1);
    ck_assert_ptr_nonnull(t);
    random_state = 4711;
}

static void await_end(pid_t pid)
{
    int status;
    test_wait_until(!test_is_running(pid), 10000);
    ck_assert(waitpid(pid, &status, 0) == pid);
    ck_assert_msg(status == 0, "line %d", atomic_load(&t->wrong));
}

#endif
