/* A mistake that the compiler finds.
 * marks: -
 * says: no compila */
#include "curso.h"
#include "08_ejercicio.h"

int factorial(const int *n, struct cifras *resultado)
{
    return resultado.texto[*n];
}
