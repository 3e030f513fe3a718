/* Threads where processes were asked for.
 * marks: ✔✘✔✔
 * says: YUNTA_THREAD */
#define factoriales factoriales_de_la_solucion
#include "solucion/08_solucion.c"
#undef factoriales

int factoriales(const int *numeros, struct cifras *resultados, size_t cuantos)
{
    yunta_pool *pool;
    comprobar(yunta_pool_create(&pool, &(yunta_pool_options){.start_method = YUNTA_THREAD}), "crear el pool");
    int codigo = yunta_map(pool, factorial, numeros, resultados, cuantos);
    yunta_pool_destroy(pool);
    return codigo;
}
