/* What users of other queues suffer, each under its name, with processes as programs start them.
 * It must not get a message where the point is that nobody does.
 * Read next: test_queue_processes.c. */
#include "../proc/helpers.h"

#define LARGE ((size_t)1 << 20)

struct producer {
    yunta_queue *queue;
    int count;
    _Atomic int *begun, *done; /* puts; NULL: not asked for */
};

static int produce(const struct producer *p)
{
    for (int i = 0; i < p->count; i++) {
        if (p->begun)
            atomic_fetch_add(p->begun, 1);
        expect(yunta_queue_put_bytes(p->queue, &i, sizeof i, YUNTA_FOREVER) == 0);
        if (p->done)
            atomic_fetch_add(p->done, 1);
    }
    return 0;
}
YUNTA_ENTRY(produce, struct producer);

static int produce_large(const struct producer *p)
{
    char *message = malloc(LARGE);
    expect(message != NULL);
    memset(message, 7, LARGE);
    expect(yunta_queue_put_bytes(p->queue, message, LARGE, 0) == 0);
    free(message);
    return 0;
}
YUNTA_ENTRY(produce_large, struct producer);

/* No thread feeds a pipe that nobody reads: what is put is there, and its process may go. */
START_TEST(pain_05_join_although_nobody_has_got_anything)
{
    enum { MANY = 100000 };
    static char message[LARGE];
    yunta_queue *q;
    yunta_process *child;
    int value;
    size_t size;
    ck_assert_int_eq(yunta_queue_create(&q, NULL), 0);
    start_by(TEST_METHOD, &child, produce, &(struct producer){q, MANY, NULL, NULL});
    end_is(child, 0);
    start_by(TEST_METHOD, &child, produce_large, &(struct producer){q, 1, NULL, NULL});
    end_is(child, 0);
    ck_assert_uint_eq(yunta_queue_size(q), MANY + 1);
    for (int i = 0; i < MANY; i++)
        if (yunta_queue_get_bytes(q, &value, sizeof value, &size, 0) != 0 || value != i)
            ck_abort_msg("message %d did not come", i);
    ck_assert_int_eq(yunta_queue_get_bytes(q, message, sizeof message, &size, 0), 0);
    ck_assert(size == LARGE && message[0] == 7 && message[LARGE - 1] == 7);
    ck_assert_int_eq(yunta_queue_get_bytes(q, &value, sizeof value, &size, 0), -ETIMEDOUT);
    yunta_queue_destroy(q);
}
END_TEST

/* The notebook's loop: what was put before it is what it gets. */
START_TEST(pain_28_while_not_empty_get)
{
    yunta_queue *q;
    yunta_process *child[3];
    ck_assert_int_eq(yunta_queue_create(&q, NULL), 0);
    ck_assert(yunta_queue_is_empty(q));
    for (int i = 0; i < 3; i++)
        start_by(TEST_METHOD, &child[i], produce, &(struct producer){q, 5000, NULL, NULL});
    for (int i = 0; i < 3; i++)
        end_is(child[i], 0);
    size_t got = 0;
    for (int value; !yunta_queue_is_empty(q); got++) {
        size_t size;
        if (yunta_queue_size(q) != 15000 - got || yunta_queue_get_bytes(q, &value, sizeof value, &size, 0) != 0)
            ck_abort_msg("after %zu messages there are %zu", got, yunta_queue_size(q));
    }
    ck_assert_uint_eq(got, 15000);
    ck_assert_uint_eq(yunta_queue_size(q), 0);
    yunta_queue_destroy(q);
}
END_TEST

/* While another process puts: never fewer than the puts that have returned, never more than those that have begun. */
static void count_while_put(yunta_queue *q, yunta_start_method method, int many)
{
    yunta_process *child;
    shared_word *begun = new_word(), *done = new_word();
    start_by(method, &child, produce, &(struct producer){q, many, begun, done});
    for (int got = 0; got < many;) {
        int least = atomic_load(done) - got;
        int n = (int)yunta_queue_size(q), most = atomic_load(begun) - got, value;
        size_t size;
        if (n < least || n > most || (least > 0 && yunta_queue_is_empty(q)))
            ck_abort_msg("%d messages, at least %d and at most %d were put", n, least, most);
        if (n > 0 && yunta_queue_get_bytes(q, &value, sizeof value, &size, 0) != 0)
            ck_abort_msg("%d messages, and none to be got", n);
        got += n > 0;
    }
    end_is(child, 0);
    ck_assert(yunta_queue_is_empty(q));
    ck_assert_int_eq(yunta_shared_free(begun) | yunta_shared_free(done), 0);
}

START_TEST(pain_28_size_and_empty_are_exact)
{
    yunta_queue *q;
    for (size_t capacity = 0; capacity < 8; capacity += 7) {
        ck_assert_int_eq(yunta_queue_create(&q, &(yunta_queue_options){.capacity = capacity}), 0);
        count_while_put(q, TEST_METHOD, 20000);
        yunta_queue_destroy(q);
    }
}
END_TEST

static Suite *make(void)
{
    Suite *suite = suite_create("queue_pains");
    TCase *cases = test_case(suite, "pains");
    TEST_FOR_EACH_METHOD(cases, pain_05_join_although_nobody_has_got_anything);
    TEST_FOR_EACH_METHOD(cases, pain_28_while_not_empty_get);
    TEST_FOR_EACH_METHOD(cases, pain_28_size_and_empty_are_exact);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
