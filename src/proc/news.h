/* News: what is told to the watch over the team's socket, one message each. */
#ifndef YN_NEWS_H
#define YN_NEWS_H

#include "shm/self.h"

typedef enum yn_news_kind {
    YN_NEWS_BORN =
        1, /* with a life descriptor: the process of `claim` exists. Sent before its first claim on anything */
    YN_NEWS_EXEC = 2 /* exec the program described by `block`, as a child of the watch: the forkserver */
} yn_news_kind;

typedef struct yn_news {
    uint32_t kind;
    int32_t pid;
    yn_claim claim;
    const struct yn_exec_block *block;
} yn_news;

#endif
