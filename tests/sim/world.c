/* The team in which a scene plays: its arena, as it was set up and put back before each schedule, its members, and the
 * watch.
 * Never repairs anything: as the real watch, it only says who is dead.
 * Next: watch.c; machine.c. */
#include "machine.h"

#include "os/memfd.h"
#include "shm/heap_map.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES_MOST = (int)(YN_ARENA_LEAST / PAGE) };

static yn_arena_shared *arena;
static int arena_fd;
static uint64_t reserved; /* bytes of the file, truly */
static unsigned char *template;
static size_t template_size;
static yn_self observer, member[SIM_PROCESSES];
static const sim_scene *scene;

static bool is_dirty[PAGES_MOST];
static int dirty[PAGES_MOST], dirty_count;

void sim_touch(const void *at, size_t size)
{
    size_t first = ((uintptr_t)at - sim_base) / PAGE, last = ((uintptr_t)at + size - 1 - sim_base) / PAGE;
    for (size_t page = first; page <= last && page < PAGES_MOST; page++) {
        if (is_dirty[page])
            continue;
        is_dirty[page] = true;
        dirty[dirty_count++] = (int)page;
    }
}

void sim_fill(void *to, int byte, size_t size)
{
    sim_touch(to, size);
    if (sim_looks)
        sim_write(to, size);
    memset(to, byte, size);
}

static void count_block(yn_heap_tally *tally, uint32_t stamp, size_t bytes)
{
    (void)bytes;
    tally->figures.blocks += (stamp & YN_STAMP_KIND) == YN_HEAP_OWN;
}

uint64_t sim_blocks(void)
{
    yn_heap_tally tally = {.count = count_block};
    yn_heap_count(sim_me(), &tally);
    return tally.figures.blocks;
}

int sim_memfd_reserve(int fd, uint64_t offset, uint64_t bytes);
int sim_memfd_reserve(int fd, uint64_t offset, uint64_t bytes)
{
    if (offset + bytes <= reserved)
        return 0;
    int r = yn_memfd_reserve(fd, offset, bytes);
    if (r == 0)
        reserved = offset + bytes;
    return r;
}

int sim_memfd_discard(int fd, uint64_t offset, uint64_t bytes);
int sim_memfd_discard(int fd, uint64_t offset, uint64_t bytes)
{
    (void)fd;
    sim_touch((void *)(sim_base + offset), bytes);
    sim_views_forget((void *)(sim_base + offset), bytes);
    memset((void *)(sim_base + offset), 0, bytes);
    return 0;
}

long sim_system_call(long number);
long sim_system_call(long number)
{
    if (number == SYS_getrandom) /* it has none: the same seed is the same run */
        return -EAGAIN;
    if (number == SYS_gettid)
        return sim.current ? sim.current->number + 1 : SIM_THREADS;
    if (number != SYS_getpid)
        sim_fail(__FILE__, __LINE__, "system call %ld is not simulated", number);
    return 1;
}

int sim_process(void)
{
    return sim.current ? sim.current->process : 0;
}

yn_self *sim_me(void)
{
    return sim.current ? &sim.current->me : &observer;
}

yn_self *sim_self_of(int who)
{
    return &sim.thread[who].me;
}

int sim_process_of(int who)
{
    return scene->threads > 0 && who < scene->processes * scene->threads ? sim.thread[who].process : 0;
}

/* By the number of its process, which a scene has given it for a pid. Who is told that a thread has ended knows all
 * that it did. */
uint64_t sim_life_threads(pid_t pid, uint64_t joined_ns);
uint64_t sim_life_threads(pid_t pid, uint64_t joined_ns)
{
    (void)joined_ns;
    uint64_t count = 0;
    for (int i = 0; i < sim.threads; i++) {
        if (sim.thread[i].process != pid || sim.thread[i].state == SIM_ABSENT)
            continue;
        if (sim_thread_is_over(i))
            sim_view_join(&sim.current->view, &sim.thread[i].view);
        else
            count++;
    }
    return count;
}

yn_self *sim_self_get(int *error);
yn_self *sim_self_get(int *error)
{
    *error = 0;
    return sim_me();
}

yn_claim sim_self_claim(void);
yn_claim sim_self_claim(void)
{
    return sim_me()->claim;
}

bool sim_notes_threads;

yn_claim sim_self_brief(void);
yn_claim sim_self_brief(void)
{
    return sim_notes_threads ? 0 : sim_me()->claim;
}

yn_arena_shared *yn_self_arena(void)
{
    return arena;
}

bool sim_is_dead(int process)
{
    return sim.process[process].is_dead;
}

bool sim_was_declared(int process)
{
    return sim.process[process].is_dead && sim.process[process].is_buried;
}

int sim_deaths(void)
{
    return sim.deaths;
}

bool sim_thread_is_asleep(int who)
{
    const sim_thread *t = &sim.thread[who];
    return t->state == SIM_ASLEEP || (t->state == SIM_STOPPED && t->before == SIM_ASLEEP);
}

bool sim_thread_is_over(int who)
{
    sim_state s = sim.thread[who].state;
    return s == SIM_DONE || s == SIM_GONE || s == SIM_ABSENT;
}

static yn_self join(yn_claim parent)
{
    int error;
    yn_self me = {.arena = arena, .arena_fd = arena_fd};
    me.claim = yn_slot_take(arena, arena_fd, parent, &error);
    if (me.claim == 0)
        sim_fail(__FILE__, __LINE__, "no slot: %d", error);
    me.slot = yn_slot_at(&arena->slots, yn_claim_slot(me.claim));
    yn_slot_go_live(&arena->slots, me.claim);
    return me;
}

static int last_buried(void)
{
    int n = 0;
    for (int p = 1; p < SIM_PROCESSES; p++)
        n += sim_was_declared(p);
    return n;
}

/* Each comes after one death more. */
bool sim_newcomer_may_come(void)
{
    return last_buried() > sim.newcomers;
}

void sim_newcomer_join(void)
{
    sim_thread *t = sim.current;
    t->me = join(observer.claim);
    sim.process[t->process].claim = t->me.claim;
}

bool sim_watch_has_news(void)
{
    for (int p = 1; p < SIM_PROCESSES; p++)
        if (sim.process[p].is_dead && !sim.process[p].is_buried)
            return true;
    return false;
}

static void set_ties(uint32_t value)
{
    sim_touch(&arena->ties, sizeof arena->ties);
    for (uint32_t i = 0; i < YN_TIES; i++)
        atomic_store(&arena->ties.tie[i].word, value);
}

/* The kernel wakes one of each. */
void sim_watch_is_gone(void)
{
    set_ties(FUTEX_WAITERS | FUTEX_OWNER_DIED);
    for (uint32_t i = 0; i < YN_TIES; i++)
        sim_wake_some(&arena->ties.tie[i].word, 1);
}

/* The next watch is there, and will hold the ties. */
static void check_watch(yn_self *me)
{
    (void)me;
    if (!sim.process[SIM_WATCH].is_dead)
        return;
    sim_touch(&arena->watch_generation, sizeof arena->watch_generation);
    atomic_fetch_add(&arena->watch_generation, 1);
    sim_watch_restart();
}

void sim_watch_run(int number)
{
    (void)number;
    set_ties(sim.is_tied ? FUTEX_WAITERS | 1 : YN_TIE_AWAITED);
    for (;;) {
        sim_await(sim_watch_has_news);
        yn_claim dead[SIM_PROCESSES];
        int process[SIM_PROCESSES], count = 0;
        for (int p = 1; p < SIM_PROCESSES; p++) {
            if (!sim.process[p].is_dead || sim.process[p].is_buried)
                continue;
            for (int i = 0; i < sim.threads; i++) /* what it had stored before it died was stored */
                if (sim.thread[i].process == p) {
                    sim_drain(&sim.thread[i].buffer);
                    sim_view_join(&sim.current->view, &sim.thread[i].view);
                }
            process[count] = p;
            dead[count++] = sim.process[p].claim;
        }
        sim_bury(arena, dead, count);
        for (int i = 0; i < count; i++)
            sim.process[process[i]].is_buried = true;
    }
}

/* Its slot's part of the heap is there, as after the first few calls of any process. */
static void warm_up(yn_self *me)
{
    void *block = yn_heap_alloc(me, 64, 0);
    if (!block || yn_heap_free(me, block) != 0)
        sim_fail(__FILE__, __LINE__, "no heap");
}

void sim_world_open(const sim_scene *of)
{
    scene = of;
    sim.cpus = 1;
    reserved = 0;
    dirty_count = 0;
    memset(is_dirty, 0, sizeof is_dirty);
    int r = yn_arena_create(&arena, &arena_fd, YN_ARENA_LEAST);
    sim_base = (uintptr_t)arena;
    sim_size = YN_ARENA_LEAST;
    if (r == 0)
        r = yn_heap_create(arena, arena_fd);
    if (r != 0) {
        fprintf(stderr, "sim: no arena: %s\n", strerror(-r));
        exit(2);
    }
    arena->serial = 0; /* it is random */
    yn_wait_up.check_watch = check_watch;
    atomic_store(&arena->watch_generation, 1);
    observer = join(0);
    for (int p = 1; p <= scene->processes; p++)
        member[p] = join(observer.claim);
    for (int p = 0; p <= scene->processes; p++)
        warm_up(p == 0 ? &observer : &member[p]);
    if (scene->setup)
        scene->setup();
    template_size = (size_t)atomic_load(&arena->end);
    template = malloc(template_size);
    if (!template)
        abort();
    memcpy(template, (void *)arena, template_size);
    for (; dirty_count > 0; dirty_count--)
        is_dirty[dirty[dirty_count - 1]] = false;
}

void sim_world_reset(void)
{
    for (; dirty_count > 0; dirty_count--) {
        size_t at = (size_t)dirty[dirty_count - 1] * PAGE;
        is_dirty[at / PAGE] = false;
        if (at < template_size)
            memcpy((void *)(sim_base + at), template + at, PAGE);
        else
            memset((void *)(sim_base + at), 0, PAGE);
    }
    observer.seat = NULL;
    observer.deaths = 0;
    sim_notes_threads = false;
    int n = 0;
    for (int p = 1; p <= scene->processes; p++) {
        sim.process[p].claim = member[p].claim;
        for (int k = 0; k < scene->threads; k++) {
            sim.thread[n].me = member[p];
            if (k > 0)
                sim.thread[n].me.lane = NULL; /* of the heap: one for each thread */
            n++;
        }
    }
    sim.process[SIM_WATCH].claim = 0;
}

void sim_world_close(void)
{
    munmap((void *)arena, YN_ARENA_LEAST);
    close(arena_fd);
    free(template);
}
