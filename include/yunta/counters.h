/* Counters: numbers that many processes add to at once, without getting in each other's way, and read seldom.
 *
 * Each process adds to cells of its own; reading sums them up. What a process has added stays when it ends, whatever it
 * dies of: an addition has happened, or it has not. Counters have numbers from 0 on, or names that are given numbers.
 * There are as many as are used: a number costs memory when it is first added to. */
#ifndef YUNTA_COUNTERS_H
#define YUNTA_COUNTERS_H

#include <stddef.h>
#include <yunta/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yunta_counters yunta_counters;

#define YUNTA_COUNTERS_MOST (UINT32_C(1) << 30) /* numbers are below */

/* All counters are 0. -EINVAL: NULL; -ENOMEM. */
YUNTA_API int yunta_counters_create(yunta_counters **counters);

/* Frees it; nobody may use it any more. Accepts NULL; returns NULL. */
YUNTA_API yunta_counters *yunta_counters_destroy(yunta_counters *counters);

/* Adds to a counter; sums wrap round. -EINVAL: NULL, or a number that is too large; -ENOMEM: only at a process's first
 * addition to a counter or its neighbours. */
YUNTA_API int yunta_counters_add(yunta_counters *counters, uint32_t number, int64_t amount);

/* The sum: exact if nobody adds meanwhile; else each addition under way may count or not. 0 for NULL, or for what was
 * never added to. */
YUNTA_API int64_t yunta_counters_sum(yunta_counters *counters, uint32_t number);

/* The number that a name stands for, the same in every process of the team; the first to ask gives it one, from 0 on.
 * Use either names or numbers of your own. -EINVAL: NULL; -ENOMEM; -EOVERFLOW: too many. */
YUNTA_API int yunta_counters_number(yunta_counters *counters, const char *name, uint32_t *number);

/* All numbers that names were given are below this. 0 for NULL. */
YUNTA_API uint32_t yunta_counters_named(yunta_counters *counters);

/* The name behind a number, with a 0 at its end, into `buffer` of `capacity` bytes, which an error may leave changed.
 * -ENOENT: none; -EMSGSIZE: it needs more room; -EINVAL: NULL. */
YUNTA_API int yunta_counters_name(yunta_counters *counters, uint32_t number, char *buffer, size_t capacity);

#ifdef __cplusplus
}
#endif

#endif
