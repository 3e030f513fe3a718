/* Task: what a pool runs. An ordinary function that one can call, test and grep for. */
#ifndef YUNTA_TASK_H
#define YUNTA_TASK_H

#include <stddef.h>
#include <yunta/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Made by YUNTA_TASK, not by hand. */
typedef struct yunta_task {
    int (*call)(const void *input, void *output);
    size_t input_size, output_size;
    const char *name;
} yunta_task;

/* YUNTA_TASK(function, input, output) after `static int function(input const *x, output *y)` lets pools run it.
 * The function returns 0 (or more), or an error, < 0, which fails this one task: return yunta_fail(-EINVAL, "…").
 * It may crash, exit or be killed: that fails this one task too. */
#define YUNTA_TASK(function, input, output)                                                                            \
    YUNTA_UNUSED static int yunta_task_call_##function(const void *yunta_in_, void *yunta_out_)                        \
    {                                                                                                                  \
        return function((input const *)yunta_in_, (output *)yunta_out_);                                               \
    }                                                                                                                  \
    YUNTA_UNUSED static const yunta_task yunta_task_##function = {yunta_task_call_##function, sizeof(input),           \
                                                                  sizeof(output), #function};                          \
    YUNTA_UNUSED static inline int yunta_task_map_##function(yunta_pool *yunta_pool_, input const *yunta_in_,          \
                                                             output *yunta_out_, size_t yunta_count_,                  \
                                                             const yunta_map_options *yunta_options_)                  \
    {                                                                                                                  \
        return yunta_pool_map(yunta_pool_, &yunta_task_##function, yunta_in_, yunta_out_, yunta_count_,                \
                              yunta_options_);                                                                         \
    }                                                                                                                  \
    YUNTA_UNUSED static inline int yunta_task_submit_##function(yunta_pool *yunta_pool_, input const *yunta_in_,       \
                                                                yunta_future **yunta_future_)                          \
    {                                                                                                                  \
        return yunta_pool_submit(yunta_pool_, &yunta_task_##function, yunta_in_, yunta_future_);                       \
    }                                                                                                                  \
    struct yunta_task_end_##function

#ifdef __cplusplus
}
#endif

#endif
