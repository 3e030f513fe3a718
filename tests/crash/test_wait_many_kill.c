/* Who tells others is killed at every step that they can tell from the one before, with one asleep in yunta_wait_many
 * (by a word, or by a doorbell) and with a descriptor to be made readable; and who waits, at every step of taking its
 * places. It must not count on time-outs: sleeps without a limit have none here, so who is not told is a failure.
 * Read next: src/sync/README.md, what a death leaves; ../comm/test_wait_many.c.
 *
 * labels: ptrace
 * timeout: 300 */
#include "../proc/helpers.h"
#include "../sync/endless.h"
#include "comm/queue.h"
#include "sync/lock.h"

#include <poll.h>
#include <stepkill.h>
#include <sys/prctl.h>

static int endless_poll(struct pollfd *fds, nfds_t count, int milliseconds)
{
    return poll(fds, count, milliseconds > 900 && milliseconds <= 1000 ? -1 : milliseconds);
}
#define poll endless_poll
#include "comm/wait_many.c"
#undef poll

enum deed { PUT, CLOSE, GET, RELEASE, WAIT, DEEDS };

typedef struct scene {
    enum deed deed;
    bool by_doorbell;
    yunta_queue *q;
    yunta_lock *lock;
    int ends[2], descriptor;
    pid_t waiter;
    _Atomic yn_claim waiter_claim, victim;
    _Atomic bool done;
    step_range memory[STEP_RANGES];
} scene;

static yn_self *self(void)
{
    return yn_self_get(&(int){0});
}

/* What is waited for: by the one who sleeps, and by the one who is killed over it. */
static int wait_for_it(scene *s, int milliseconds)
{
    yunta_wait_kind kind = s->deed == GET ? YUNTA_WAIT_PUT : s->deed == RELEASE ? YUNTA_WAIT_LOCK : YUNTA_WAIT_GET;
    yunta_wait_item items[] = {{.kind = kind, .object = kind == YUNTA_WAIT_LOCK ? (void *)s->lock : s->q},
                               {.kind = s->by_doorbell ? YUNTA_WAIT_DESCRIPTOR : YUNTA_WAIT_NOTHING,
                                .descriptor = s->ends[0],
                                .events = POLLIN}};
    return yunta_wait_many(items, 2, milliseconds);
}

static pid_t fork_waiter(scene *s)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (s->deed == RELEASE && !yunta_lock_is_held(s->lock))
            test_nap();
        atomic_store(&s->waiter_claim, self()->claim);
        _exit(wait_for_it(s, YUNTA_FOREVER) == 1 ? 0 : 1);
    }
    return pid;
}

/* It has looked with all its places taken. */
static void await_waiter_asleep(scene *s)
{
    yn_slot_shared *slot;
    test_wait_until(atomic_load(&s->waiter_claim) != 0, 20000);
    slot = yn_slot_at(&self()->arena->slots, yn_claim_slot(atomic_load(&s->waiter_claim)));
    if (s->by_doorbell) {
        size_t living = 0;
        test_wait_until(yn_listen_is_sound(self()->arena, &living) && living >= (s->descriptor >= 0 ? 5 : 3), 20000);
    } else {
        test_wait_until(atomic_load(&slot->seat.word) != NULL, 20000);
    }
    test_wait_until(test_state(s->waiter) == 'S', 20000);
}

/* Listeners, as many as there is room for. */
static void watch_listeners(scene *s)
{
    yn_arena_shared *arena = self()->arena;
    size_t found = 4;
    for (size_t n = 0; n < YN_LISTENER_BUCKETS && found < STEP_RANGES; n++) {
        yn_listeners_shared *b = atomic_load(&arena->listeners[n]);
        if (b)
            s->memory[found++] = (step_range){b, sizeof *b + b->count * sizeof b->listener[0]};
    }
}

static void set_up(void *context)
{
    scene *s = context;
    ck_assert_int_eq(yunta_queue_create(&s->q, &(yunta_queue_options){.item_size = sizeof(int), .capacity = 1}), 0);
    ck_assert_int_eq(yunta_lock_create(&s->lock), 0);
    if (s->deed == GET)
        ck_assert_int_eq(yunta_queue_put(s->q, &(int){1}, 0), 0);
    s->descriptor = s->deed == PUT || s->deed == CLOSE ? yunta_queue_descriptor(s->q) : -1;
    atomic_store(&s->waiter_claim, 0);
    atomic_store(&s->victim, 0);
    atomic_store(&s->done, false);
    s->waiter = 0;
    memset(s->memory, 0, sizeof s->memory);
    yn_link_shared *link = atomic_load(&s->q->first);
    s->memory[0] = (step_range){s->q, sizeof *s->q};
    s->memory[1] = (step_range){link, sizeof *link + sizeof(yn_cell_shared)};
    s->memory[2] = (step_range){s->lock, sizeof *s->lock};
    s->memory[3] = (step_range){self()->arena->listeners, sizeof self()->arena->listeners};
    if (s->deed != WAIT)
        s->waiter = fork_waiter(s);
    if (s->deed != WAIT && s->deed != RELEASE) /* there it sleeps once the victim has the lock */
        await_waiter_asleep(s);
    watch_listeners(s);
}

static void prepare(void *context)
{
    scene *s = context;
    yn_spin_ns();
    atomic_store(&s->victim, self()->claim);
    if (s->deed == RELEASE) {
        if (yunta_lock_acquire(s->lock, 0) != 0)
            _exit(1);
        await_waiter_asleep(s);
    }
}

static void victim(void *context)
{
    scene *s = context;
    int value = 1;
    if (s->deed == PUT)
        yunta_queue_put(s->q, &value, 0);
    else if (s->deed == CLOSE)
        yunta_queue_close(s->q);
    else if (s->deed == GET)
        yunta_queue_get(s->q, &value, 0);
    else if (s->deed == RELEASE)
        yunta_lock_release(s->lock);
    else
        wait_for_it(s, 1);
    atomic_store(&s->done, true);
}

/* One that is killed before a change has been seen by others has done nothing: then it is done now. */
static void do_what_was_not_done(scene *s)
{
    int value = 1;
    if (s->deed == PUT && yunta_queue_size(s->q) == 0)
        ck_assert_int_eq(yunta_queue_put(s->q, &value, 0), 0);
    else if (s->deed == CLOSE && !yunta_queue_is_closed(s->q))
        ck_assert_int_eq(yunta_queue_close(s->q), 0);
    else if (s->deed == GET && yunta_queue_size(s->q) != 0)
        ck_assert_int_eq(yunta_queue_get(s->q, &value, 0), 0);
}

static void check_after(void *context, long point)
{
    scene *s = context;
    yn_self *me = self();
    int status = 0;
    test_wait_until(!yn_claim_is_alive(&me->arena->slots, atomic_load(&s->victim)), 20000);
    do_what_was_not_done(s);
    if (s->deed == WAIT) {
        size_t living;
        ck_assert(yn_listen_is_sound(me->arena, &living));
        ck_assert_uint_eq(living, 0);
        s->waiter = fork_waiter(s);
        await_waiter_asleep(s);
        ck_assert_int_eq(yunta_queue_put(s->q, &(int){1}, 0), 0);
    }
    pid_t waited;
    int readable;
    do                                           /* the stepper's clock may still tick */
        waited = waitpid(s->waiter, &status, 0); /* or the test's time is over */
    while (waited < 0 && errno == EINTR);
    ck_assert_msg(waited == s->waiter, "point %ld: waitpid says %d, %s", point, (int)waited, strerror(errno));
    ck_assert_int_eq(status, 0);
    if (s->descriptor >= 0) {
        struct pollfd p = {.fd = s->descriptor, .events = POLLIN};
        do
            readable = poll(&p, 1, -1);
        while (readable < 0 && errno == EINTR);
        ck_assert_int_eq(readable, 1);
    }
    ck_assert(yn_listen_is_sound(me->arena, NULL));
    yunta_queue_destroy(s->q);
    yunta_lock_destroy(s->lock);
}

START_TEST(killed_at_every_step)
{
    scene *s = step_shared(sizeof *s);
    s->deed = (enum deed)(_i / 2);
    s->by_doorbell = _i % 2;
    ck_assert_int_eq(pipe(s->ends), 0);
    step_plan plan = {
        .setup = set_up, .prepare = prepare, .victim = victim, .check = check_after, .context = s, .memory = s->memory};
    long points = step_kill_sweep(&plan);
    check_after(s, 0); /* of the last run, which came to its end */
    ck_assert_int_gt(points, s->deed == WAIT ? 8 : 2);
    close(s->ends[0]);
    close(s->ends[1]);
    step_unshare(s, sizeof *s);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("wait_many_kill");
    TCase *cases = test_case(suite, "steps");
    tcase_set_timeout(cases, 120);
    if (step_is_possible())
        tcase_add_loop_test(cases, killed_at_every_step, 0, 2 * DEEDS);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
