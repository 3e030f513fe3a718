/* Fake: right results, without a pool.
 * marks: ✔✘✔✔
 * says: no llama a yunta_map */
#define factoriales factoriales_de_la_solucion
#include "solucion/08_solucion.c"
#undef factoriales

int factoriales(const int *numeros, struct cifras *resultados, size_t cuantos)
{
    for (size_t i = 0; i < cuantos; i++)
        factorial(&numeros[i], &resultados[i]);
    return 0;
}
