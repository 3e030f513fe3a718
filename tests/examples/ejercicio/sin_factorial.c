/* The second objective is written, but what it maps is not.
 * marks: ✘✘✔✔
 * says: Objetivo 1, la función factorial: sin hacer
 * says: ¿Está bien el objetivo 1? */
#define factorial factorial_de_la_solucion
#define factoriales factoriales_de_la_solucion
#include "solucion/08_solucion.c"
#undef factorial
#undef factoriales

int factorial(const int *n, struct cifras *resultado)
{
    (void)n;
    (void)resultado;
    return -ENOSYS;
}

static int la_de_aqui(const int *n, struct cifras *resultado)
{
    return factorial(n, resultado);
}
YUNTA_TASK(la_de_aqui, int, struct cifras);

int factoriales(const int *numeros, struct cifras *resultados, size_t cuantos)
{
    yunta_pool *pool;
    comprobar(yunta_pool_create(&pool, NULL), "crear el pool");
    int codigo = yunta_map(pool, la_de_aqui, numeros, resultados, cuantos);
    yunta_pool_destroy(pool);
    return codigo;
}
