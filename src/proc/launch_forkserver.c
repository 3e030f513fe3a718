/* Start method forkserver: asks a clean server to fork; starts the server when there is none.
 * Never depends on the size or the threads of the caller.
 * Next: proc/server.c, the other side; proc/watch.c, who execs it. */
#include "os/fdpass.h"
#include "proc/child.h"
#include "proc/exec.h"
#include "proc/launcher.h"
#include "proc/server.h"
#include "proc/team.h"
#include "shm/heap.h"

#include <fcntl.h>
#include <unistd.h>

static int ask_watch(yn_self *me, yunta_process *record)
{
    int error;
    yn_exec_block_shared *block =
        yn_exec_prepare(me, record, NULL, &error); /* stays: the watch reads it when it pleases */
    if (!block)
        return error;
    yn_news news = {.kind = YN_NEWS_EXEC, .pid = getpid(), .claim = atomic_load(&record->who), .block = block};
    int r = yn_team_tell(&news, -1, false);
    if (r != 0)
        yn_heap_free(me, block); /* nobody has been told of it */
    yn_team_poke();
    return r;
}

/* By the one elected. Requests may be queued from now on, before it has come up. */
static int start_server(yn_self *me)
{
    yunta_process *record;
    int r = yn_record_create(me, &record, "yunta-forkserver", NULL, 0);
    if (r != 0)
        return r;
    yn_claim who = yn_slot_take(me->arena, me->arena_fd, me->claim, &r); /* ours until the watch has it */
    if (r == 0) {
        atomic_store(&record->who, who);
        atomic_store(&yn_slot_at(&me->arena->slots, yn_claim_slot(who))->record, record);
        record->internal = true;
        record->function = yn_image_describe(me, (void (*)(void))yn_server_main, &r);
    }
    if (r == 0) {
        atomic_store(&me->arena->server, who);
        r = ask_watch(me, record);
    }
    if (r != 0 && who)
        yn_team_bury(me, who);
    if (r != 0)
        yn_record_release(me, record);
    return r;
}

static int ensure_server(yn_self *me, yn_claim *server)
{
    yn_arena_shared *arena = me->arena;
    for (;;) {
        *server = atomic_load(&arena->server);
        if (*server && yn_claim_is_alive(&arena->slots, *server))
            return 0;
        uint32_t round = atomic_load(&arena->server_ready);
        if (!yn_team_elect(me, &arena->server_starter)) {
            yn_wait_on(me, &arena->server_ready, round, yn_deadline_in(100));
            continue;
        }
        int r = *server == atomic_load(&arena->server) ? start_server(me) : 0;
        atomic_store(&arena->server_starter, 0);
        yn_wait_announce_change(&arena->server_ready);
        if (r != 0)
            return r;
    }
}

/* Our streams, as the options have changed them, and our directory. */
static int collect(const yn_launch *launch, yn_server_request *request, int fds[4], bool opened[4])
{
    int count = 0;
    for (int i = 0; i < 3; i++) {
        int fd = launch->has_streams && launch->streams[i] >= 0 ? launch->streams[i] : i;
        bool null = launch->has_streams && launch->streams[i] == YN_STREAM_NULL;
        if (null)
            fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null && fd < 0)
            return -errno;
        if (!null && fcntl(fd, F_GETFD) < 0)
            continue;
        opened[count] = null;
        fds[count++] = fd;
        request->present |= 1u << i;
    }
    int directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0) {
        opened[count] = true;
        fds[count++] = directory;
        request->present |= 8u;
    }
    return count;
}

static int send_request(yn_self *me, yn_launch *launch)
{
    yn_server_request request = {.record = launch->record, .group = getpgrp()};
    int fds[4];
    bool opened[4] = {false, false, false, false};
    int count = collect(launch, &request, fds, opened);
    if (count < 0)
        return count;
    /* The request has a reference of its own: a server that dies leaves it to the next one, when we may have forgotten
     * it. */
    atomic_fetch_add(&launch->record->references, 1);
    int r = yn_fdpass_send(yn_team.server[0], &request, sizeof request, fds, count, true);
    if (r != 0)
        yn_record_release(me, launch->record);
    for (int i = 0; i < count; i++)
        if (opened[i])
            close(fds[i]);
    return r;
}

/* 1: the child may still come up by itself; 0: it has, or cannot; -ECANCELED: no child came of the request, and none
 * will. */
static int prospect(yn_self *me, yunta_process *record, yn_claim server)
{
    yn_claim who = atomic_load(&record->who), nobody = 0;
    if (yn_record_state(record) != YN_PROCESS_NEW || !yn_claim_is_alive(&me->arena->slots, who))
        return 0;
    if (yn_claim_is_alive(&me->arena->slots, server))
        return 1;
    /* The server is dead: was it before it took the request? Then nobody else shall. */
    if (atomic_compare_exchange_strong(&record->server, &nobody, me->claim))
        return -ECANCELED;
    /* What it had forked is alive by now, or will find its slot gone. */
    return yn_team_bury(me, who) ? -ECANCELED : yn_claim_is_alive(&me->arena->slots, who);
}

/* Until the child stands or has failed; -ECANCELED: no child came of it. */
static int await_child(yn_self *me, yunta_process *record, yn_claim server)
{
    for (;;) {
        uint32_t key = yn_event_key(&record->changed);
        yn_event_announce(&record->changed);
        int r = prospect(me, record, server);
        if (r != 1)
            return r;
        r = yn_event_wait(me, &record->changed, key, YN_NEVER);
        if (r == -ENOMEM)
            return r;
    }
}

static int start(yn_self *me, yn_launch *launch)
{
    yunta_process *record = launch->record;
    yn_claim server;
    int r = ensure_server(me, &server);
    if (r == 0)
        r = send_request(me, launch);
    if (r == 0)
        r = await_child(me, record, server);
    if (r != 0)
        return r;
    launch->pid = atomic_load(&record->pid);
    launch->seen = -1; /* opened when it is asked for: its death we hear of by the watch, its end by the server */
    launch->mine = false;
    return 0;
}

const yn_launcher yn_launch_forkserver = {.version = YN_LAUNCHER_VERSION,
                                          .name = "forkserver",
                                          .by_name = true,
                                          .waits = true,
                                          .carries = true,
                                          .start = start};
