/* Sección 5: un pool de procesos reparte el trabajo de un map, y devuelve los resultados en orden.
 * Nunca: devolver en el resultado un puntero a memoria privada de la tarea; en otro proceso no señala nada.
 * Sigue: 06_primos.c. */
#include "curso.h"

/* [fragmento: cuadrado] */
static int cuadrado(const int *x, int *resultado)
{
    *resultado = *x * *x;
    return 0; /* el valor va por el puntero; lo que se devuelve es si fue bien */
}
YUNTA_TASK(cuadrado, int, int); /* toma un int, da un int */
/* [fin] */

/* [fragmento: division] */
static int dividir_cien(const int *x, int *resultado)
{
    if (*x == 0)
        return yunta_fail(-EDOM, "no se puede dividir 100 entre %d", *x);
    *resultado = 100 / *x;
    return 0;
}
YUNTA_TASK(dividir_cien, int, int);
/* [fin] */

int main(int argc, char **argv)
{
    yunta_init(argc, argv);
    elegir_metodo();

    int numeros[10], resultados[10];
    for (int i = 0; i < 10; i++)
        numeros[i] = i;

    /* [fragmento: map] */
    yunta_pool *pool;
    comprobar(yunta_pool_create(&pool, &(yunta_pool_options){.workers = 4}), "crear el pool");
    comprobar(yunta_map(pool, cuadrado, numeros, resultados, 10), "calcular los cuadrados");
    imprimir_lista(resultados, 10);
    /* [fin] */

    /* [fragmento: error] */
    yunta_failure fallo = {0};
    size_t fallidas = 0;
    yunta_map_options opciones = {.failures = &fallo, .failure_capacity = 1, .failure_count = &fallidas};
    int codigo = yunta_map_with(pool, dividir_cien, numeros, resultados, 10, &opciones);
    if (codigo == YUNTA_EFAILED)
        printf("Falló la tarea %d: %s\n", (int)fallo.index, fallo.text);
    else
        comprobar(codigo, "dividir");
    printf("Las otras %d terminaron: ", 10 - (int)fallidas);
    imprimir_lista(resultados + 1, 9);
    /* [fin] */

    /* [fragmento: destruir] */
    yunta_pool_destroy(pool);
    /* [fin] */
    return 0;
}
