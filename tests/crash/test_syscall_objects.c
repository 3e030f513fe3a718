/* Whoever is killed at a system call, before it or after it, while it uses pipes, topics, conditions, barriers and the
 * like, or the heap, containers and blocks that grow. The others come to their end, and nothing of the dead is left in
 * the team. It must not kill between two system calls: that are the tests by steps. Read next: syscall_story.h;
 * test_syscall_queues.c; test_syscall_kill.c, processes and pools.
 *
 * labels: ptrace */
#include "syscall_story.h"

#include "comm/pipe.h"
#include "comm/topic.h"
#include "data/dict.h"

/* Pipes. */
static void a_pipe(scene *s)
{
    ck_assert_int_eq(yunta_pipe_create(&s->of.near, &s->of.far, &(yunta_pipe_options){.capacity = 64}), 0);
    let_peer_sleep(s);
}

static void a_full_pipe(scene *s)
{
    ck_assert_int_eq(yunta_pipe_create(&s->of.near, &s->of.far, &(yunta_pipe_options){.capacity = 64}), 0);
    ck_assert_int_eq(yunta_pipe_send(s->of.near, large, PIECE, 0), 0);
    let_peer_sleep(s);
}

static int send_large(scene *s)
{
    return yunta_pipe_send(s->of.far, large, LARGE, YUNTA_FOREVER);
}

static void send_more(scene *s)
{
    yunta_pipe_send(s->of.far, large, 1, 0);
}

static int receive_near(scene *s)
{
    size_t size;
    return yunta_pipe_receive(s->of.near, large, LARGE, &size, YUNTA_FOREVER);
}

static int receive_far(scene *s)
{
    size_t size;
    return yunta_pipe_receive(s->of.far, large, LARGE, &size, YUNTA_FOREVER);
}

static void receive_more(scene *s)
{
    size_t size;
    yunta_pipe_receive(s->of.far, large, LARGE, &size, 0);
}

static int send_near(scene *s)
{
    return yunta_pipe_send(s->of.near, large, PIECE, YUNTA_FOREVER);
}

static int pass_descriptor(scene *s)
{
    return yunta_pipe_send_descriptor(s->of.far, 2, YUNTA_FOREVER);
}

static void pass_more(scene *s)
{
    yunta_pipe_send_descriptor(s->of.far, 2, 0);
}

static int take_descriptor_near(scene *s)
{
    int fd = -1, r = yunta_pipe_receive_descriptor(s->of.near, &fd, YUNTA_FOREVER);
    close(fd);
    return r;
}

static int take_descriptor_far(scene *s)
{
    int fd = -1, r = yunta_pipe_receive_descriptor(s->of.far, &fd, YUNTA_FOREVER);
    close(fd);
    return r;
}

static void take_more(scene *s)
{
    int fd;
    if (yunta_pipe_receive_descriptor(s->of.far, &fd, 0) == 0)
        close(fd);
}

static int pass_near(scene *s)
{
    return yunta_pipe_send_descriptor(s->of.near, 2, YUNTA_FOREVER);
}

static void end_pipe(scene *s)
{
    size_t size;
    let_peer_end(s);
    while (yunta_pipe_receive(s->of.near, large, LARGE, &size, 0) == 0) {
    }
    ck_assert(yn_pipe_is_sound(self(), s->of.near));
    ck_assert_int_eq(yunta_pipe_send(s->of.far, large, LARGE, 0), 0);
    s->of.near = yunta_pipe_destroy(s->of.near);
}

/* Topics. */
static void a_topic(scene *s)
{
    yunta_topic_options o = {.capacity = 128, .lossless = true};
    ck_assert_int_eq(yunta_topic_create(&s->of.topic, &o), 0);
    let_peer_sleep(s);
}

static int subscribe_and_receive(scene *s)
{
    yunta_subscription *mine;
    size_t size;
    int r = yunta_topic_subscribe(s->of.topic, &mine);
    return r == 0 ? yunta_topic_receive(mine, large, LARGE, &size, NULL, YUNTA_FOREVER) : r;
}

static int publish(scene *s)
{
    return yunta_topic_publish(s->of.topic, large, PIECE, YUNTA_FOREVER);
}

static void publish_more(scene *s)
{
    yunta_topic_publish(s->of.topic, large, PIECE, 0);
}

static void fill_topic(scene *s)
{
    if (yunta_topic_subscribe(s->of.topic, &s->of.own) != 0)
        _exit(1);
    while (yunta_topic_publish(s->of.topic, large, PIECE, 0) == 0) {
    }
    atomic_store(&s->ready, 1);
    while (s->peers < 1 || !is_asleep(s->peer_pids[0], atomic_load(&s->peer_claim)))
        test_nap();
}

static int publish_when_full(scene *s)
{
    while (!atomic_load(&s->ready))
        test_nap();
    return publish(s);
}

static void a_topic_to_fill(scene *s)
{
    yunta_topic_options o = {.capacity = 128, .lossless = true};
    ck_assert_int_eq(yunta_topic_create(&s->of.topic, &o), 0);
    add_peer(s, publish_when_full);
}

static int receive_published(scene *s)
{
    size_t size;
    return yunta_topic_receive(s->of.own, large, LARGE, &size, NULL, YUNTA_FOREVER);
}

static void end_topic(scene *s)
{
    let_peer_end(s);
    ck_assert(yn_topic_is_sound(self(), s->of.topic));
    ck_assert_int_eq(yunta_topic_publish(s->of.topic, large, PIECE, 10000), 0); /* the dead hold nobody up */
    s->of.topic = yunta_topic_destroy(s->of.topic);
}

/* Primitives. */
static void primitives(scene *s)
{
    things *t = &s->of;
    yunta_semaphore_options o = {.unowned = true};
    ck_assert(yunta_lock_create(&t->lock) == 0 && yunta_condition_create(&t->condition) == 0 &&
              yunta_barrier_create(&t->barrier, 2) == 0 && yunta_semaphore_create(&t->semaphore, &o) == 0 &&
              yunta_event_create(&t->event) == 0);
    t->flag = false;
    let_peer_sleep(s);
}

static void end_primitives(scene *s)
{
    things *t = &s->of;
    let_peer_end(s);
    yunta_condition_destroy(t->condition);
    yunta_barrier_destroy(t->barrier);
    yunta_semaphore_destroy(t->semaphore);
    yunta_event_destroy(t->event);
    yunta_lock_destroy(t->lock);
}

static int take_lock(scene *s)
{
    int r = yunta_lock_acquire(s->of.lock, YUNTA_FOREVER);
    return r == -EOWNERDEAD ? yunta_lock_mark_consistent(s->of.lock) : r;
}

static int raise_flag(scene *s)
{
    int r = take_lock(s);
    if (r != 0)
        return r;
    s->of.flag = true;
    r = yunta_condition_notify_all(s->of.condition);
    return r == 0 ? yunta_lock_release(s->of.lock) : r;
}

static bool is_raised(void *of)
{
    return ((scene *)of)->of.flag;
}

static int await_flag(scene *s)
{
    int r = take_lock(s);
    if (r == 0)
        r = yunta_condition_wait_for(s->of.condition, s->of.lock, is_raised, s, YUNTA_FOREVER);
    if (r == -EOWNERDEAD)
        r = yunta_lock_mark_consistent(s->of.lock);
    return r == 0 ? yunta_lock_release(s->of.lock) : r;
}

static void raise_it(scene *s)
{
    ck_assert_int_eq(raise_flag(s), 0);
}

static int meet(scene *s)
{
    int r = yunta_barrier_wait(s->of.barrier, YUNTA_FOREVER);
    return r >= 0 || r == YUNTA_EBROKEN ? 0 : r;
}

static void call_off(scene *s)
{
    yunta_barrier_abort(s->of.barrier);
}

static int post(scene *s)
{
    return yunta_semaphore_release(s->of.semaphore);
}

static void post_more(scene *s)
{
    post(s);
}

static int await_unit(scene *s)
{
    return yunta_semaphore_acquire(s->of.semaphore, YUNTA_FOREVER);
}

static int set_event(scene *s)
{
    return yunta_event_set(s->of.event);
}

static void set_it(scene *s)
{
    set_event(s);
}

static int await_event(scene *s)
{
    return yunta_event_wait(s->of.event, YUNTA_FOREVER);
}

/* What grows. */
static void containers(scene *s)
{
    ck_assert_int_eq(yunta_dict_create(&s->of.dict, NULL), 0);
    ck_assert_int_eq(yunta_vector_create(&s->of.vector, &(yunta_vector_options){.element_size = LARGE}), 0);
}

static int grow_heap(scene *s)
{
    void *p = yunta_heap_alloc(HUGE);
    (void)s;
    int r = p ? yunta_heap_free(p) : 1;
    return r == 0 ? yunta_heap_trim() : r;
}

static void heap_is_whole(scene *s)
{
    ck_assert_int_eq(grow_heap(s), 0);
}

static int grow_dict(scene *s)
{
    int r = 0;
    for (int i = 0; i < 6 && r == 0; i++)
        r = yunta_dict_put(s->of.dict, &i, sizeof i, large, LARGE);
    return r == 0 ? yunta_heap_trim() : r;
}

static void end_containers(scene *s)
{
    ck_assert(yn_dict_is_sound(s->of.dict));
    for (int i = 0; i < 6; i++) {
        size_t size;
        int r = yunta_dict_get(s->of.dict, &i, sizeof i, large, LARGE, &size);
        ck_assert((r == 0 && size == LARGE) || r == -ENOENT);
    }
    size_t length = yunta_vector_size(s->of.vector);
    ck_assert_int_eq(yunta_vector_push(s->of.vector, large, NULL), 0);
    ck_assert_uint_eq(yunta_vector_size(s->of.vector), length + 1);
    yunta_dict_destroy(s->of.dict);
    yunta_vector_destroy(s->of.vector);
}

static int grow_vector(scene *s)
{
    int r = 0;
    for (int i = 0; i < 6 && r == 0; i++)
        r = yunta_vector_push(s->of.vector, large, NULL);
    return r == 0 ? yunta_vector_resize(s->of.vector, 1) : r;
}

static int use_block(scene *s)
{
    yunta_block *block;
    (void)s;
    int r = yunta_block_create(&block, 5000, NULL);
    if (r != 0)
        return r;
    r = yunta_block_freeze(block);
    yunta_block_destroy(block);
    return r;
}

static char block_name[64];

static int use_named_block(scene *s)
{
    yunta_block *block;
    (void)s;
    int r = yunta_block_create_named(&block, block_name, 5000);
    if (r != 0)
        return r;
    yunta_block_destroy(block);
    return yunta_block_unlink(block_name);
}

/* The name that a death may leave is anybody's to take away. */
static void name_is_free(scene *s)
{
    int r = yunta_block_unlink(block_name);
    ck_assert(r == 0 || r == -ENOENT);
    ck_assert_int_eq(use_named_block(s), 0);
}

static const story stories[] = {
    {{"send, with one asleep", send_large, a_pipe, .judge = end_pipe, MEMBER}, receive_near, .settle = send_more},
    {{"receive from a pipe, with one asleep", receive_far, a_full_pipe, .judge = end_pipe, MEMBER},
     send_near,
     .settle = receive_more},
    {{"receive from a pipe, asleep", receive_far, a_pipe, .judge = end_pipe, MEMBER}, send_near, LATER, NULL},
    {{"pass a descriptor, with one asleep", pass_descriptor, a_pipe, .judge = end_pipe, MEMBER},
     take_descriptor_near,
     .settle = pass_more},
    {{"take a descriptor, with one asleep", take_descriptor_far, a_pipe, .judge = end_pipe, MEMBER},
     pass_near,
     .settle = take_more},
    {{"publish, with one asleep", publish, a_topic, .judge = end_topic, MEMBER},
     subscribe_and_receive,
     .settle = publish_more},
    {{"receive from a topic, with one asleep", receive_published, a_topic_to_fill, .enter = fill_topic,
      .judge = end_topic, MEMBER},
     NULL,
     FIRST,
     NULL},
    {{"notify, with one asleep", raise_flag, primitives, .judge = end_primitives, MEMBER},
     await_flag,
     .settle = raise_it},
    {{"wait for a condition", await_flag, primitives, .judge = end_primitives, MEMBER}, raise_flag, LATER, NULL},
    {{"the last party", meet, primitives, .judge = end_primitives, MEMBER}, meet, .settle = call_off},
    {{"the first party", meet, primitives, .judge = end_primitives, MEMBER}, meet, LATER, call_off},
    {{"post, with one asleep", post, primitives, .judge = end_primitives, MEMBER}, await_unit, .settle = post_more},
    {{"set, with one asleep", set_event, primitives, .judge = end_primitives, MEMBER}, await_event, .settle = set_it},
    {{"the heap grows", grow_heap, .judge = heap_is_whole, MEMBER}, NULL, FIRST, NULL},
    {{"a dict grows", grow_dict, containers, .judge = end_containers, MEMBER}, NULL, FIRST, NULL},
    {{"a vector grows", grow_vector, containers, .judge = end_containers, MEMBER}, NULL, FIRST, NULL},
    {{"a block", use_block, .member = true, .least = 10}, NULL, FIRST, NULL},
    {{"a block with a name", use_named_block, .judge = name_is_free, .member = true, .least = 10}, NULL, FIRST, NULL},
};

START_TEST(the_others_go_on)
{
    snprintf(block_name, sizeof block_name, "block-test-%d", (int)getpid());
    run_story(&stories[_i]);
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("syscall_objects");
    TCase *cases = test_case(suite, "system calls");
    tcase_set_timeout(cases, 60);
    if (syskill_is_possible())
        tcase_add_loop_test(cases, the_others_go_on, 0, sizeof stories / sizeof *stories);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
