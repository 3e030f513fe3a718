/* Fake: a map for show, the work done in series.
 * marks: ✔✘✔✔
 * says: había que hacer 10 de una vez */
#define factoriales factoriales_de_la_solucion
#include "solucion/08_solucion.c"
#undef factoriales

int factoriales(const int *numeros, struct cifras *resultados, size_t cuantos)
{
    yunta_pool *pool;
    comprobar(yunta_pool_create(&pool, NULL), "crear el pool");
    yunta_map(pool, factorial, numeros, resultados, 1);
    yunta_pool_destroy(pool);
    for (size_t i = 0; i < cuantos; i++)
        factorial(&numeros[i], &resultados[i]);
    return 0;
}
