/* A plain ring for one producer and one consumer.
 * Must never be asked for more than one of each.
 * Read next: ../peers/spsc.c. */
#include "../peers/spsc.h"
#include "traffic_serve.h"

int main(void)
{
    return traffic_serve(&spsc_carrier);
}
