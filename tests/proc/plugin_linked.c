/* A shared library that the test is linked with: an entry in it, and a start from it.
 * It must not be the program: what it runs has to be found by its own module.
 * Read next: test_image.c. */
#include <yunta/yunta.h>

const yunta_entry *linked_entry(void);
int linked_start(yunta_process **process, int number, const yunta_process_options *options);

static int three_times(const int *number)
{
    return *number * 3;
}
YUNTA_ENTRY(three_times, int);

const yunta_entry *linked_entry(void)
{
    return &yunta_entry_three_times;
}

int linked_start(yunta_process **process, int number, const yunta_process_options *options)
{
    return yunta_start(process, three_times, &number, options);
}
