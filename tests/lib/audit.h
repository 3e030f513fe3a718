/* Between test.c and audit.c. */
#ifndef YUNTA_TEST_AUDIT_H
#define YUNTA_TEST_AUDIT_H

#include <stdbool.h>
#include <sys/types.h>

struct test_stat {
    char state;
    pid_t parent, group;
};

bool test_read_stat(pid_t pid, struct test_stat *stat);
void test_each_process(void (*visit)(pid_t pid, void *context), void *context);

void test_audit_begin(void);   /* before a test, in its process */
void test_audit_end(void);     /* after it, in its process */
bool test_audit_program(void); /* when all tests have run: says on stderr what is left, and whether nothing is */

#endif
