/* A pipe as a queue of messages.
 * Must never be asked for messages longer than PIPE_BUF, which it would tear.
 * Read next: ../peers/pipe_carrier.c. */
#include "../peers/pipe_carrier.h"
#include "traffic_serve.h"

int main(void)
{
    return traffic_serve(&pipe_carrier);
}
