/* All scenes, and what they share. */
#ifndef YUNTA_SIM_SCENES_H
#define YUNTA_SIM_SCENES_H

#include "sim.h"

#include <errno.h>

#define SIM_EACH_SCENE(SCENE)                                                                                          \
    SCENE(lock)                                                                                                        \
    SCENE(lock_threads)                                                                                                \
    SCENE(lock_newcomers)                                                                                              \
    SCENE(recursive_lock)                                                                                              \
    SCENE(nudge)                                                                                                       \
    SCENE(rwlock)                                                                                                      \
    SCENE(deadlock)                                                                                                    \
    SCENE(deadlock_threads)                                                                                            \
    SCENE(semaphore)                                                                                                   \
    SCENE(semaphore_threads)                                                                                           \
    SCENE(signals)                                                                                                     \
    SCENE(condition)                                                                                                   \
    SCENE(event)                                                                                                       \
    SCENE(event_work)                                                                                                  \
    SCENE(barrier)                                                                                                     \
    SCENE(barrier_disorder)                                                                                            \
    SCENE(once)                                                                                                        \
    SCENE(latch)                                                                                                       \
    SCENE(latch_threads)                                                                                               \
    SCENE(queue_bounded)                                                                                               \
    SCENE(queue_unbounded)                                                                                             \
    SCENE(queue_rings)                                                                                                 \
    SCENE(queue_stores)                                                                                                \
    SCENE(queue_rings_closed)                                                                                          \
    SCENE(queue_stores_closed)                                                                                         \
    SCENE(heap)                                                                                                        \
    SCENE(dict_nodes)                                                                                                  \
    SCENE(dict_slots)                                                                                                  \
    SCENE(dict_words)                                                                                                  \
    SCENE(wait_many)                                                                                                   \
    SCENE(pipe)                                                                                                        \
    SCENE(pipe_stream)                                                                                                 \
    SCENE(pipe_ways)                                                                                                   \
    SCENE(topic)                                                                                                       \
    SCENE(counters)                                                                                                    \
    SCENE(string)                                                                                                      \
    SCENE(vector)                                                                                                      \
    SCENE(litmus)

#define SIM_DECLARE(scene) extern const sim_scene scene_##scene;
SIM_EACH_SCENE(SIM_DECLARE)

#endif
