/* It compiles, but three functions are not there.
 * marks: -
 * says: no enlaza */
#include "curso.h"
#include "08_ejercicio.h"

int factorial(const int *n, struct cifras *resultado)
{
    (void)n;
    (void)resultado;
    return 0;
}
