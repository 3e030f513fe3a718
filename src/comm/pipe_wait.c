/* How those who send or receive wait; a pipe among other things that are waited for, or by a descriptor.
 * Never sleeps with a lock.
 * Next: comm/pipe.c, what is tried; comm/wait_many.c; comm/descriptor.c. */
#include "comm/descriptor.h"
#include "comm/pipe.h"

static bool is_worth_it(const void *of)
{
    const yn_pipe_turn *turn = of;
    const yn_way_shared *way = turn->in ? yn_pipe_in(turn->end) : yn_pipe_out(turn->end);
    uint64_t head = atomic_load_explicit(&way->head, memory_order_relaxed);
    uint64_t used = atomic_load_explicit(&way->tail, memory_order_relaxed) - head;
    return turn->in ? used > 0 : way->length - used > way->length / 2;
}

/* No time is left, and there was nothing. */
static int give_up(yn_pipe_turn *turn, yn_way_shared *way)
{
    bool described = turn->quiets && atomic_load_explicit(&way->described, memory_order_relaxed);
    yn_listener_shared *descriptor =
        described ? yn_descriptor_quiet(turn->me, &yn_waitable_receive, turn->end, NULL) : NULL;
    int r = descriptor ? turn->attempt(turn) : YN_PIPE_WAIT;
    if (r == YN_PIPE_WAIT)
        return -ETIMEDOUT;
    yn_listener_ring(descriptor); /* there may be more */
    return r;
}

int yn_pipe_wait(yn_pipe_turn *turn)
{
    yn_way_shared *way = turn->in ? yn_pipe_in(turn->end) : yn_pipe_out(turn->end);
    yn_event_shared *event = turn->in ? &way->filled : &way->room;
    int r = turn->attempt(turn);
    while (r == YN_PIPE_WAIT) {
        if (yn_deadline_left(turn->deadline) == 0)
            return give_up(turn, way);
        yn_patience_spin(turn->in ? &way->filled_patience : &way->room_patience, is_worth_it, turn);
        uint32_t key = yn_event_key(event);
        yn_event_announce(event);
        yn_full_fence();
        r = turn->attempt(turn);
        if (r != YN_PIPE_WAIT)
            break;
        r = yn_event_wait(turn->me, event, key, turn->deadline);
        if (r != 0 && r != -ETIMEDOUT)
            return r;
        r = turn->attempt(turn);
    }
    return r;
}

/* Room for a message of any size, or for a write that is to stay together; as of one moment: the head that is read
 * first may have moved, the tail not yet. Who moves either looks for listeners then. */
static bool has_room(const yn_way_shared *way)
{
    uint64_t head = atomic_load(&way->head), used = atomic_load(&way->tail) - head;
    return used < way->length / 2 && !yn_pipe_has_block(way);
}

static bool receive_is_ready(yn_self *me, void *object)
{
    yunta_pipe *end = object;
    yn_way_shared *way = yn_pipe_in(end);
    return atomic_load(&way->head) != atomic_load(&way->tail) || yn_pipe_is_gone(me, yn_pipe_other(end), 0);
}

static bool send_is_ready(yn_self *me, void *object)
{
    yunta_pipe *end = object;
    return has_room(yn_pipe_out(end)) || yn_pipe_is_gone(me, yn_pipe_other(end), 0);
}

static void *receive_place(void *end)
{
    return &yn_pipe_in(end)->filled;
}

static void *send_place(void *end)
{
    return &yn_pipe_out(end)->room;
}

static int receive_refuse(yn_self *me, void *end, yn_deadline deadline)
{
    yn_hold_shared *hold;
    return yn_pipe_goes(end, true) ? yn_pipe_hold(me, end, &hold, deadline) : -EBADF;
}

static int send_refuse(yn_self *me, void *end, yn_deadline deadline)
{
    yn_hold_shared *hold;
    return yn_pipe_goes(end, false) ? yn_pipe_hold(me, end, &hold, deadline) : -EBADF;
}

const yn_waitable yn_waitable_receive = {
    .is_ready = receive_is_ready, .place = receive_place, .refuse = receive_refuse};
const yn_waitable yn_waitable_send = {.is_ready = send_is_ready, .place = send_place, .refuse = send_refuse};

static int attempt_poll(yn_pipe_turn *turn)
{
    return receive_is_ready(turn->me, turn->end) ? 0 : YN_PIPE_WAIT;
}

int yunta_pipe_poll(yunta_pipe *end, int milliseconds)
{
    if (!end)
        return -EINVAL;
    yn_pipe_turn turn = {.attempt = attempt_poll, .quiets = true};
    int r = yn_pipe_begin(&turn, end, true, milliseconds);
    return r == 0 ? yn_pipe_wait(&turn) : r;
}

int yunta_pipe_descriptor(yunta_pipe *end)
{
    int r = -EINVAL;
    yn_self *me = end ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    r = receive_refuse(me, end, YN_NEVER);
    if (r != 0)
        return r;
    atomic_store(&yn_pipe_in(end)->described, 1);
    return yn_descriptor_open(me, &yn_waitable_receive, end, NULL);
}

int yunta_pipe_close_descriptor(yunta_pipe *end)
{
    int r = -EINVAL;
    yn_self *me = end ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    return atomic_load(&yn_pipe_in(end)->described) ? yn_descriptor_close(me, &yn_waitable_receive, end, NULL) : 0;
}
