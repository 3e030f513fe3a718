/* Calls of the kernel that fail as they do where memory, descriptors or processes run out, one after the other: the
 * public calls say so by their codes, leave nothing behind, and do what they are for when they are called again.
 * It must not use up anything itself: that is ../shm/test_shared_limits.c and ../proc/test_child_limits.c.
 * Read next: ../lib/syskill.h.
 *
 * labels: ptrace */
#include "../proc/helpers.h"

#include "stepkill.h"
#include "syskill.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <yunta/pipe.h>
#include <yunta/queue_loan.h>
#include <yunta/queue_many.h>
#include <yunta/topic.h>

/* What one run has to say, in memory that all see. */
typedef struct scene {
    int (*act)(struct scene *s); /* 0 or an error, with nothing left */
    yunta_start_method method;
    size_t descriptors;       /* of one who has done it three times without a fault */
    yunta_arena_stats memory; /* of its team, likewise */
    bool known;
    char seen[256]; /* the codes that came */
} scene;

static const syskill_fault faults[] = {
    {.call = SYS_memfd_create, .error = EMFILE},  {.call = SYS_mmap, .error = ENOMEM},
    {.call = SYS_ftruncate, .error = ENOSPC},     {.call = SYS_fallocate, .error = ENOSPC},
    {.call = SYS_clone, .error = EAGAIN},         {.call = SYS_clone3, .error = EAGAIN},
    {.call = SYS_fork, .error = EAGAIN},          {.call = SYS_vfork, .error = EAGAIN},
    {.call = SYS_socket, .error = EMFILE},        {.call = SYS_socketpair, .error = EMFILE},
    {.call = SYS_pidfd_open, .error = EMFILE},    {.call = SYS_pipe2, .error = EMFILE},
    {.call = SYS_epoll_create1, .error = EMFILE}, {.call = SYS_epoll_ctl, .error = ENOMEM, .second = EPOLL_CTL_ADD},
    {.call = SYS_eventfd2, .error = EMFILE},      {.call = SYS_openat, .error = EMFILE},
};

static bool is_documented(int code)
{
    static const int codes[] = {0, -ENOMEM, -EAGAIN, -EMFILE, -ENFILE, YUNTA_ENOWATCH, YUNTA_ESTART};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i] == code)
            return true;
    return false;
}

static void note(scene *s, int code)
{
    const char *name = code == 0 ? "success" : yunta_error_name(code);
    name = name ? name : "?";
    size_t length = strlen(s->seen);
    if (!strstr(s->seen, name))
        snprintf(s->seen + length, sizeof s->seen - length, " %s", name);
}

/* By no call that fails here. */
static size_t count_descriptors(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* No more is in use than after three times without a fault; but for blocks in the caches of processes, which move
 * about.
 */
static bool is_all_given_back(const yunta_arena_stats *before)
{
    yunta_arena_stats now;
    for (uint64_t end = test_now_ms() + 5000; test_now_ms() < end; test_nap())
        if (yunta_heap_trim() == 0 && yunta_arena_read_stats(&now) == 0 && now.processes <= before->processes &&
            now.blocks <= before->blocks + 8 && now.file <= before->file + (1 << 20))
            return true;
    return false;
}

static int run(void *context)
{
    scene *s = context;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int failed = 0;
    for (int i = 0; i < 3; i++) { /* by the third time all is open that is opened once */
        int r = s->act(s);
        note(s, r);
        expect(is_documented(r));
        failed += r != 0;
    }
    expect(failed <= 1);
    if (!s->known) {
        s->descriptors = count_descriptors();
        expect(yunta_arena_read_stats(&s->memory) == 0);
    }
    expect(count_descriptors() == s->descriptors);
    expect(is_all_given_back(&s->memory));
    return 0;
}

static int share(scene *s)
{
    void *p = NULL;
    (void)s;
    int r = yunta_shared_create(&p, 5000, 16, 100);
    return r == 0 ? yunta_shared_free(p) : r;
}

static int lock_one(scene *s)
{
    yunta_lock *lock = NULL;
    (void)s;
    int r = yunta_lock_create(&lock);
    r = r == 0 ? yunta_lock_acquire(lock, 0) : r;
    r = r == 0 ? yunta_lock_release(lock) : r;
    yunta_lock_destroy(lock);
    return r;
}

static char message[100000];

static int send_one(scene *s)
{
    yunta_queue *queue = NULL;
    size_t size;
    (void)s;
    int r = yunta_queue_create(&queue, NULL);
    r = r == 0 ? yunta_queue_put_bytes(queue, message, sizeof message, 0) : r;
    r = r == 0 ? yunta_queue_get_bytes(queue, message, sizeof message, &size, 0) : r;
    yunta_queue_destroy(queue);
    return r;
}

/* The further things: each act makes what it needs, uses it, and leaves nothing, whatever failed. */
static int in_batches(scene *s)
{
    yunta_queue *queue = NULL;
    int items[100] = {1}, r;
    (void)s;
    r = yunta_queue_create(&queue, &(yunta_queue_options){.item_size = sizeof(int)});
    r = r == 0 ? yunta_queue_put_many(queue, items, 100, 0) : r;
    r = r > 0 ? yunta_queue_get_many(queue, items, 100, 0) : r;
    yunta_queue_destroy(queue);
    return r > 0 ? 0 : r;
}

static int by_loans(scene *s)
{
    yunta_queue *queue = NULL;
    yunta_loan loan = {.queue = NULL};
    (void)s;
    int r = yunta_queue_create(&queue, NULL);
    r = r == 0 ? yunta_queue_reserve(queue, sizeof message, &loan) : r;
    r = r == 0 ? yunta_queue_commit(&loan, sizeof message, 0) : r;
    r = r == 0 ? yunta_queue_receive(queue, &loan, 0) : r;
    r = r == 0 ? yunta_queue_release(&loan) : r;
    yunta_queue_destroy(queue);
    return r;
}

static int in_a_store(scene *s)
{
    yunta_queue *queue = NULL;
    size_t size;
    (void)s;
    int r = yunta_queue_create(&queue, &(yunta_queue_options){.order = YUNTA_PRIORITY, .joinable = true});
    for (int i = 0; i < 40 && r == 0; i++)
        r = yunta_queue_put_priority(queue, message, 1000, i, 0);
    r = r == 0 ? yunta_queue_get_bytes(queue, message, sizeof message, &size, 0) : r;
    r = r == 0 ? yunta_queue_task_done(queue) : r;
    yunta_queue_destroy(queue);
    return r;
}

static int through_a_pipe(scene *s)
{
    yunta_pipe *a = NULL, *b;
    size_t size;
    int fd = -1;
    (void)s;
    int r = yunta_pipe_create(&a, &b, NULL);
    r = r == 0 ? yunta_pipe_send(a, message, sizeof message, 0) : r;
    r = r == 0 ? yunta_pipe_receive(b, message, sizeof message, &size, 0) : r;
    r = r == 0 && yunta_pipe_descriptor(b) < 0 ? -EMFILE : r;
    r = r == 0 ? yunta_pipe_receive_descriptor(b, &fd, 0) : r;
    r = r == -ETIMEDOUT ? yunta_pipe_send_descriptor(a, 2, 0) : r;
    r = r == 0 ? yunta_pipe_receive_descriptor(b, &fd, 0) : r;
    if (fd >= 0)
        close(fd);
    yunta_pipe_destroy(a);
    return r;
}

static int to_a_topic(scene *s)
{
    yunta_topic *topic = NULL;
    yunta_subscription *own = NULL;
    size_t size;
    (void)s;
    int r = yunta_topic_create(&topic, NULL);
    r = r == 0 ? yunta_topic_subscribe(topic, &own) : r;
    r = r == 0 && yunta_topic_descriptor(own) < 0 ? -EMFILE : r;
    r = r == 0 ? yunta_topic_publish(topic, message, sizeof message, 0) : r;
    r = r == 0 ? yunta_topic_receive(own, message, sizeof message, &size, NULL, 0) : r;
    yunta_topic_destroy(topic);
    return r;
}

static int among_many(scene *s)
{
    yunta_queue *queue = NULL;
    (void)s;
    int r = yunta_queue_create(&queue, NULL);
    yunta_wait_item items[] = {{.kind = YUNTA_WAIT_GET, .object = queue},
                               {.kind = YUNTA_WAIT_DESCRIPTOR, .descriptor = 2}};
    r = r == 0 ? yunta_wait_many(items, 2, 1) : r;
    yunta_queue_destroy(queue);
    return r == -ETIMEDOUT ? 0 : r > 0 ? 0 : r;
}

static int with_primitives(scene *s)
{
    yunta_lock *lock = NULL;
    yunta_condition *condition = NULL;
    yunta_barrier *barrier = NULL;
    (void)s;
    int r = yunta_lock_create(&lock);
    r = r == 0 ? yunta_condition_create(&condition) : r;
    r = r == 0 ? yunta_barrier_create(&barrier, 1) : r;
    r = r == 0 ? yunta_lock_acquire(lock, 0) : r;
    r = r == 0 ? yunta_condition_wait(condition, lock, 1) : r;
    r = r == -ETIMEDOUT ? yunta_lock_release(lock) : r;
    r = r == 0 ? yunta_barrier_wait(barrier, 0) : r;
    yunta_barrier_destroy(barrier);
    yunta_condition_destroy(condition);
    yunta_lock_destroy(lock);
    return r > 0 ? 0 : r;
}

static int grow_the_heap(scene *s)
{
    void *p = yunta_heap_alloc(3 << 20);
    (void)s;
    int r = p ? yunta_heap_free(p) : -ENOMEM;
    return r == 0 ? yunta_heap_trim() : r;
}

static int in_containers(scene *s)
{
    yunta_dict *dict = NULL;
    yunta_vector *vector = NULL;
    (void)s;
    int r = yunta_dict_create(&dict, NULL);
    r = r == 0 ? yunta_vector_create(&vector, &(yunta_vector_options){.element_size = sizeof message}) : r;
    for (int i = 0; i < 6 && r == 0; i++) {
        r = yunta_dict_put(dict, &i, sizeof i, message, sizeof message);
        r = r == 0 ? yunta_vector_push(vector, message, NULL) : r;
    }
    yunta_dict_destroy(dict);
    yunta_vector_destroy(vector);
    return r;
}

static int in_a_block(scene *s)
{
    yunta_block *block = NULL, *named = NULL;
    char name[64];
    (void)s;
    snprintf(name, sizeof name, "yunta-fault-%d", (int)getpid());
    int r = yunta_arena_read_stats(&(yunta_arena_stats){0}); /* which needs a team; the block does not */
    r = r == 0 ? yunta_block_create(&block, 5000, NULL) : r;
    r = r == 0 ? yunta_block_freeze(block) : r;
    r = r == 0 ? yunta_block_create_named(&named, name, 5000) : r;
    yunta_block_destroy(block);
    if (named) {
        yunta_block_destroy(named);
        expect(yunta_block_unlink(name) == 0);
    }
    return r;
}

static int start_one(scene *s)
{
    yunta_process *child;
    int r = yunta_start(&child, return_value, &(int){0}, &(yunta_process_options){.start_method = s->method});
    if (r != 0)
        return r;
    r = yunta_process_join(child, 20000);
    yunta_process_destroy(child);
    if (s->method == YUNTA_SPAWN && (r == 127 || r == YUNTA_ECRASHED)) /* libc has no memory to load its program */
        return -ENOMEM;
    return r;
}

static int next(const int *x, int *y)
{
    *y = *x + 1;
    return 0;
}
YUNTA_TASK(next, int, int);

static int map_some(scene *s)
{
    int in[4] = {1, 2, 3, 4}, out[4];
    yunta_pool *pool;
    int r = yunta_pool_create(&pool, &(yunta_pool_options){.workers = 2, .start_method = s->method});
    if (r != 0)
        return r;
    r = yunta_map(pool, next, in, out, 4);
    for (int i = 0; r == 0 && i < 4; i++)
        r = out[i] == in[i] + 1 ? 0 : 1;
    yunta_pool_destroy(pool);
    return r;
}

static void know(void *context, long point)
{
    scene *s = context;
    (void)point;
    s->known = true;
}

/* First without a fault: what is open then, must be open after one. */
static void sweep(int (*act)(scene *s), yunta_start_method method, long least)
{
    scene *s = step_shared(sizeof *s);
    static const syskill_fault none[] = {{.call = -1}};
    s->act = act;
    s->method = method;
    syskill_plan plan = {.run = run, .check = know, .context = s, .faults = none, .fault_count = 1};
    ck_assert_int_eq(syskill_sweep(&plan), 0);
    plan.faults = faults;
    plan.fault_count = sizeof faults / sizeof *faults;
    long points = syskill_sweep(&plan);
    printf("%ld faults gave%s\n", points, s->seen);
    ck_assert_int_ge(points, least);
    step_unshare(s, sizeof *s);
}

START_TEST(without_other_processes)
{
    sweep(share, YUNTA_FORK, 4);
    sweep(lock_one, YUNTA_FORK, 4);
    sweep(send_one, YUNTA_FORK, 4);
}
END_TEST

START_TEST(the_further_things)
{
    static const struct {
        int (*act)(scene *s);
        long least;
    } further[] = {{in_batches, 4}, {by_loans, 4},        {in_a_store, 4},    {through_a_pipe, 6}, {to_a_topic, 5},
                   {among_many, 5}, {with_primitives, 4}, {grow_the_heap, 4}, {in_containers, 4},  {in_a_block, 4}};
    sweep(further[_i].act, YUNTA_FORK, further[_i].least);
}
END_TEST

START_TEST(starting_a_process)
{
    sweep(start_one, TEST_METHOD, 10);
}
END_TEST

START_TEST(a_pool)
{
    sweep(map_some, TEST_METHOD, 10);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("syscall_faults");
    TCase *cases = test_case(suite, "system calls");
    tcase_set_timeout(cases, 60);
    if (!syskill_is_possible())
        return suite;
    tcase_add_test(cases, without_other_processes);
    tcase_add_loop_test(cases, the_further_things, 0, 10);
    TEST_FOR_EACH_METHOD(cases, starting_a_process);
    tcase_add_loop_test(cases, a_pool, YUNTA_FORK, YUNTA_FORK + 1);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
