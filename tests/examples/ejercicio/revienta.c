/* A null pointer: it costs its objectives, not the others.
 * marks: ✘✘✔✔
 * says: señal 11 (SIGSEGV)
 * says: YUNTA_ECRASHED */
#define factorial factorial_de_la_solucion
#define factoriales factoriales_de_la_solucion
#include "solucion/08_solucion.c"
#undef factorial
#undef factoriales

int factorial(const int *n, struct cifras *resultado)
{
    volatile char *volatile nulo = NULL;
    *nulo = resultado->texto[*n];
    return 0;
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
