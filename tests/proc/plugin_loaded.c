/* A shared library that the test loads by dlopen.
 * It must not be known to a fresh exec of the test, which has to load it by itself.
 * Read next: test_image.c. */
#include <yunta/yunta.h>

extern const yunta_entry loaded_entry;

static int times_loaded; /* of this copy of the library, not of the program */

static int four_times(const void *argument)
{
    const int *number = argument;
    times_loaded++;
    return times_loaded == 1 ? *number * 4 : 1;
}

const yunta_entry loaded_entry = {four_times, sizeof(int), "four_times"};
