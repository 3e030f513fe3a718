/* The forkserver: a clean process that forks on request. */
#ifndef YN_SERVER_H
#define YN_SERVER_H

#include "proc/record.h"

/* One request over the team's server socket; with it travel, in this order, the streams that `present` names (bits 0–2)
 * and, bit 3, the working directory. */
typedef struct yn_server_request {
    yunta_process *record; /* one reference, which the server takes over */
    uint32_t present;
    pid_t group; /* process group of the caller */
} yn_server_request;

/* The entry of the forkserver: serves until it is killed, with the team. */
int yn_server_main(const void *unused);

#endif
