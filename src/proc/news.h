/* News: what is told to the watch over the team's socket, one message each. */
#ifndef YN_NEWS_H
#define YN_NEWS_H

#include "shm/self.h"

#include <sys/epoll.h>

typedef enum yn_news_kind {
    YN_NEWS_BORN =
        1, /* with a life descriptor: the process of `claim` exists. Sent before its first claim on anything */
    YN_NEWS_EXEC = 2, /* exec the program described by `block`, as a child of the watch: the forkserver */
    YN_NEWS_RING = 3  /* ring doorbell `claim`, for who has no descriptor left to do it */
} yn_news_kind;

typedef struct yn_news {
    uint32_t kind;
    int32_t pid;
    yn_claim claim;
    const struct yn_exec_block_shared *block;
} yn_news;

/* What the watch waits for, by a life descriptor. Told once: a parent that is in no hurry to reap keeps the descriptor
 * open. A watch that dies over it is followed by one that finds its members by their slots. */
#define YN_NEWS_OF_DEATH ((uint32_t)EPOLLIN | (uint32_t)EPOLLONESHOT)

#endif
