/* Map: an array of tasks, shared out among the workers.
 * Never copies what stands in shared memory already; never touches the caller's output of a failed task.
 * Next: pool/job.c, pool/jobs.c. */
#include "os/tool.h"
#include "pool/pool.h"
#include "shm/heap.h"

#include <stdlib.h>

typedef struct map {
    yn_self *me;
    yunta_pool *pool;
    const yunta_task *task;
    const char *in;
    char *out;
    const yunta_map_options *options;
    int code; /* of the failed task with the lowest index so far */
    size_t failed;
} map;

static bool is_shared(const yn_self *me, const void *p, size_t bytes)
{
    return bytes == 0 || (yn_arena_holds(me->arena, p) && yn_arena_holds(me->arena, (const char *)p + bytes - 1));
}

static int by_index(const void *a, const void *b)
{
    const yn_failed_shared *const *x = a, *const *y = b;
    return ((*x)->why.index > (*y)->why.index) - ((*x)->why.index < (*y)->why.index);
}

/* The job's failures in order of index: an array of *count, to be freed; NULL if there are none, or no memory. */
static yn_failed_shared **sorted(yn_job_shared *job, size_t *count)
{
    *count = 0;
    for (yn_failed_shared *f = atomic_load(&job->failed); f; f = f->next)
        ++*count;
    yn_failed_shared **list = *count ? malloc(*count * sizeof *list) : NULL;
    size_t n = 0;
    for (yn_failed_shared *f = atomic_load(&job->failed); list && f; f = f->next)
        list[n++] = f;
    if (list)
        qsort(list, n, sizeof *list, by_index);
    return list;
}

static void report(map *m, yn_failed_shared **list, size_t count)
{
    const yunta_map_options *o = m->options;
    for (size_t i = 0; i < count; i++) {
        if (m->code == 0)
            m->code = list[i]->why.code;
        if (o && m->failed + i < o->failure_capacity)
            o->failures[m->failed + i] = list[i]->why;
    }
    m->failed += count;
}

/* The results out of the job's own buffer, but for those of failed tasks. */
static void copy_out(const map *m, const yn_job_shared *job, char *out, yn_failed_shared **list, size_t count)
{
    size_t size = m->task->output_size, from = 0;
    for (size_t i = 0; i <= count; i++) {
        size_t to = i < count ? (size_t)(list[i]->why.index - job->first) : job->count;
        memcpy(out + from * size, job->out + from * size, (to - from) * size);
        from = to + 1;
    }
}

static int run(map *m, yn_job_shared *job, char *out)
{
    bool copies = job->out != out;
    int r = yn_jobs_submit(m->me, m->pool, job);
    if (r == 0)
        r = yn_owner_wait(m->me, m->pool->shared, m->pool, job, YN_NEVER);
    if (r != 0)
        return r;
    size_t count;
    yn_failed_shared **list = sorted(job, &count);
    if ((count > 0 && !list) || atomic_load(&job->out_of_memory))
        r = -ENOMEM;
    if (copies && r == 0)
        copy_out(m, job, out, list, count);
    if (r == 0)
        report(m, list, count);
    free(list);
    return r;
}

/* Of what does not stand in shared memory, in bytes: 0 for what does. */
typedef struct copies {
    size_t in, out;
    size_t room; /* both of them, if they are to stand behind the job: small ones, on a page that the workers have */
} copies;

static copies what_to_copy(const map *m, const char *in, size_t in_bytes, const char *out, size_t out_bytes)
{
    enum { small = 1024 };
    copies c = {.in = is_shared(m->me, in, in_bytes) ? 0 : yn_round_up(in_bytes, YN_CACHE_LINE),
                .out = is_shared(m->me, out, out_bytes) ? 0 : yn_round_up(out_bytes, YN_CACHE_LINE)};
    c.room = c.in <= small && c.out <= small ? c.in + c.out : 0;
    return c;
}

static void *place(const map *m, yn_job_shared *job, const copies *c, size_t offset, size_t bytes)
{
    if (bytes == 0)
        return NULL;
    return c->room ? yn_jobs_room(job) + offset : yn_heap_alloc(m->me, bytes, YN_CACHE_LINE);
}

/* What the caller has not initialised, a worker may yet write: Valgrind, in our process, would not see that. */
static void copy_in(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
    yn_tool_mark_defined(to, bytes);
}

/* One job's worth. */
static int run_part(map *m, uint64_t first, uint32_t count)
{
    const char *in = m->in + first * m->task->input_size;
    char *out = m->out + first * m->task->output_size;
    size_t in_bytes = count * m->task->input_size, out_bytes = count * m->task->output_size;
    copies c = what_to_copy(m, in, in_bytes, out, out_bytes);
    int r;
    yn_job_shared *job = yn_jobs_make(m->me, m->pool, m->task, count, c.room, &r);
    if (!job)
        return r;
    void *in_copy = place(m, job, &c, 0, c.in), *out_copy = place(m, job, &c, c.in, c.out);
    if ((c.in && !in_copy) || (c.out && !out_copy))
        r = -ENOMEM;
    if (in_copy && r == 0)
        copy_in(in_copy, in, in_bytes);
    if (out_copy && r == 0)
        copy_in(out_copy, out, out_bytes); /* a task need not write all of its output */
    job->in = in_copy ? in_copy : in;
    job->out = out_copy ? out_copy : out;
    job->first = first;
    job->chunk =
        m->options && m->options->chunk ? (uint32_t)(m->options->chunk < count ? m->options->chunk : count) : 0;
    yn_job_share_out(job);
    if (r == 0)
        r = run(m, job, out);
    yn_jobs_release(m->me, job);
    if (c.room == 0) {
        yn_heap_free(m->me, in_copy);
        yn_heap_free(m->me, out_copy);
    }
    return r;
}

static int check(const yunta_pool *pool, const yunta_task *task, const void *in, const void *out, size_t count,
                 const yunta_map_options *o)
{
    static const uint64_t zero[YN_COUNT(o->reserved)];
    if (!pool || !task || !task->call || (count > 0 && ((!in && task->input_size) || (!out && task->output_size))))
        return -EINVAL;
    if (o && (memcmp(o->reserved, zero, sizeof zero) != 0 || (o->failure_capacity && !o->failures)))
        return -EINVAL;
    size_t largest = task->input_size > task->output_size ? task->input_size : task->output_size;
    return largest && count > SIZE_MAX / 2 / largest ? -EOVERFLOW : 0;
}

int yunta_pool_map(yunta_pool *pool, const yunta_task *task, const void *in, void *out, size_t count,
                   const yunta_map_options *options)
{
    int r = check(pool, task, in, out, count, options);
    yn_self *me = r == 0 ? yn_self_get(&r) : NULL;
    if (!me)
        return r;
    if (pool->owner != me->claim)
        return -EPERM;
    yn_pool_state state = yn_pool_state_of(pool->shared);
    if (state != YN_POOL_OPEN)
        return yn_pool_refusal(state);
    r = yn_owner_mend(me, pool);
    char nothing = 0; /* where tasks have no input or no output */
    map m = {.me = me, .pool = pool, .task = task, .options = options};
    m.in = in ? in : &nothing;
    m.out = out ? out : &nothing;
    for (size_t done = 0; r == 0 && done < count;) {
        uint32_t part = (uint32_t)(count - done < YN_JOB_MOST ? count - done : YN_JOB_MOST);
        r = run_part(&m, done, part);
        done += part;
    }
    if (r == 0 && options && options->failure_count)
        *options->failure_count = m.failed;
    return r != 0 ? r : m.code;
}
