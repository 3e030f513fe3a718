/* Exec: the same program again, with a slip of paper as its only argument. */
#ifndef YN_EXEC_H
#define YN_EXEC_H

#include "proc/record.h"

#define YN_EXEC_MARK "--yunta-child="
/* Exit statuses of a child that could not come up: its starter reads them. */
#define YN_EXEC_ADDRESS_TAKEN 121

/* Everything execve needs, in one heap block, so that the watch too can do it. */
typedef struct yn_exec_block_shared {
    const char *path;
    char *argv[3];
    char **environment;
    yn_team_fds fds;
} yn_exec_block_shared;

/* Builds one: the arguments name `record` and the team's descriptors. NULL environment: the caller's. NULL with *error.
 */
yn_exec_block_shared *yn_exec_prepare(yn_self *me, yunta_process *record, char *const *environment, int *error);

/* Lets the team's descriptors through and execs; returns -errno only on failure. Raw calls only. */
int yn_exec_now(const yn_exec_block_shared *block);

/* What yunta_init was given: needed to start again. */
bool yn_exec_is_possible(void);
void yn_exec_remember(const char *argv0);

/* argv[1] of a child, read back: its team's descriptors and its record's address. False if it is no such slip. */
bool yn_exec_read(const char *argument, yn_team_fds *fds, uint64_t *record);

#endif
