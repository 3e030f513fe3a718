/* Descriptors from one side of a pipe to the other.
 * Never lets a descriptor come to anybody but a process that holds the other end, and never waits for one that stands
 * still but its receiver.
 * Next: os/mailbox.c, how they wait in the kernel; docs/design/13-pipe.md, why so. */
#include "comm/pipe.h"
#include "os/life.h"
#include "os/mailbox.h"

#include <fcntl.h>
#include <unistd.h>

/* Who is dying has let go of its socket a moment before its end can be seen. */
static bool is_dying(pid_t pid)
{
    int life = yn_life_open_pid(pid);
    if (life < 0)
        return life == -ESRCH;
    bool ended = yn_life_has_ended(life, yn_deadline_in(100));
    close(life);
    return ended;
}

/* Posts it to one of those who have asked. Who has died or closed it in between is passed over. */
static int post_to_one(yn_pipe_turn *turn)
{
    yn_slot_table_shared *slots = &turn->me->arena->slots;
    yunta_pipe *other = yn_pipe_other(turn->end);
    yn_hold_shared *hold = NULL;
    int r = YN_PIPE_WAIT;
    while ((hold = yn_pipe_next_hold(other, hold))) {
        yn_claim who = atomic_load(&hold->who);
        uint64_t door = atomic_load(&hold->door);
        if (who == 0 || door == 0 || (who & YN_HOLD_CLOSED) || !yn_claim_is_alive(slots, who))
            continue;
        pid_t pid = yn_slot_pid(yn_slot_at(slots, yn_claim_slot(who)), who);
        int told = yn_mailbox_post(door, pid, yn_pipe_out(turn->end)->secret, turn->fd);
        if (told == 0)
            return 0;
        bool stays = atomic_load(&hold->who) == who && yn_claim_is_alive(slots, who);
        if (stays && told != -EAGAIN && !(told == -ECONNREFUSED && is_dying(pid)))
            r = told;
    }
    return r;
}

static int attempt_post(yn_pipe_turn *turn)
{
    if (yn_pipe_is_gone(turn->me, yn_pipe_other(turn->end), turn->deadline))
        return -EPIPE;
    int r = post_to_one(turn);
    if (r == 0)
        yn_event_notify_all(&yn_pipe_out(turn->end)->filled);
    return r;
}

int yunta_pipe_send_descriptor(yunta_pipe *end, int descriptor, int milliseconds)
{
    if (!end)
        return -EINVAL;
    if (descriptor < 0 || fcntl(descriptor, F_GETFD) < 0)
        return -EBADF;
    yn_pipe_turn turn = {.attempt = attempt_post, .fd = descriptor};
    int r = yn_pipe_begin(&turn, end, false, milliseconds);
    return r == 0 ? yn_pipe_wait(&turn) : r;
}

/* Whether a process of the team has this pid, so that what it has begun it will go on with. */
static bool is_member(yn_self *me, pid_t pid)
{
    yn_slot_table_shared *slots = &me->arena->slots;
    uint32_t used = atomic_load(&slots->used);
    for (uint32_t i = 0; i < used; i++) {
        yn_slot_shared *slot = yn_slot_below_used(slots, i);
        yn_claim claim = yn_claim_make(i, atomic_load(&slot->word) >> 24);
        if (yn_claim_is_alive(slots, claim) && yn_slot_pid(slot, claim) == pid)
            return true;
    }
    return false;
}

/* The next visitor at the door, unless one is in. 0 or -EAGAIN, -EMFILE … */
static int let_in(yn_pipe_turn *turn)
{
    pid_t pid;
    turn->is_visited = atomic_load(&turn->hold->visitor) != 0; /* it was not shown out: it is of the team */
    if (turn->is_visited)
        return 0;
    int visitor = yn_mailbox_accept(atomic_load(&turn->hold->mailbox) - 1, &pid);
    if (visitor < 0)
        return visitor;
    atomic_store(&turn->hold->visitor, visitor + 1);
    turn->is_visited = is_member(turn->me, pid);
    return 0;
}

static void show_out(yn_pipe_turn *turn)
{
    int visitor = atomic_exchange(&turn->hold->visitor, 0);
    if (visitor)
        close(visitor - 1);
}

/* One visitor after the other, until one has brought something. One of the team that has come, and has not yet said
 * what for, is waited for, as those behind it have to: it has one call to make. -EAGAIN: nobody is there. */
static int collect(yn_pipe_turn *turn)
{
    for (;;) {
        int r = let_in(turn);
        if (r != 0)
            return r;
        int visitor = atomic_load(&turn->hold->visitor) - 1;
        r = yn_mailbox_take(visitor, yn_pipe_in(turn->end)->secret, &turn->fd);
        if (r == -EAGAIN && turn->is_visited) {
            if (yn_deadline_left(turn->deadline) == 0)
                return -ETIMEDOUT;
            yn_mailbox_await(visitor, turn->deadline);
            continue;
        }
        if (r < 0 && r != -EAGAIN)
            return r;
        show_out(turn);
        if (r == 1)
            return 0;
    }
}

/* A mailbox, if this process has none here. */
static int ask(yn_pipe_turn *turn)
{
    uint64_t door;
    if (atomic_load(&turn->hold->who) & YN_HOLD_CLOSED)
        return -EBADF;
    if (atomic_load(&turn->hold->door))
        return 0;
    int mailbox = yn_mailbox_open(&door);
    if (mailbox < 0)
        return mailbox;
    atomic_store(&turn->hold->mailbox, mailbox + 1);
    atomic_store(&turn->hold->door, door);
    yn_event_notify_all(&yn_pipe_in(turn->end)->room);
    return 0;
}

static int attempt_collect(yn_pipe_turn *turn)
{
    yn_way_shared *way = yn_pipe_in(turn->end);
    int r = yn_pipe_lock(turn->me, &turn->hold->at_door, turn->deadline);
    if (r != 0)
        return r;
    r = ask(turn);
    bool gone =
        yn_pipe_is_gone(turn->me, yn_pipe_other(turn->end), turn->deadline); /* before the look at what has come */
    if (r == 0)
        r = collect(turn);
    yn_lock_release(turn->me, &turn->hold->at_door);
    if (r == 0)
        yn_event_notify_all(&way->room);
    return r != -EAGAIN ? r : gone ? YUNTA_ECLOSED : YN_PIPE_WAIT;
}

int yunta_pipe_receive_descriptor(yunta_pipe *end, int *descriptor, int milliseconds)
{
    if (!end || !descriptor)
        return -EINVAL;
    yn_pipe_turn turn = {.attempt = attempt_collect};
    int r = yn_pipe_begin(&turn, end, true, milliseconds);
    if (r == 0)
        r = yn_pipe_wait(&turn);
    if (r == 0)
        *descriptor = turn.fd;
    return r;
}
