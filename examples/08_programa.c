/* Sección 8: el programa principal del ejercicio. Llama a las cuatro funciones y enseña lo que hacen.
 * Nunca: resolver aquí nada; eso se hace en 08_ejercicio.c.
 * Sigue: `make ejercicio`, que corrige. */
#include "curso.h"
#include "08_ejercicio.h"

enum { DEL_CUADERNO = 10, GRANDES = 3 };

static void sin_hacer(const char *que)
{
    printf("%s: sin hacer, o falla\n", que);
    exit(EXIT_FAILURE);
}

static void ensenar_factoriales(const int *numeros, size_t cuantos)
{
    struct cifras *resultados = calloc(cuantos, sizeof(*resultados));
    if (!resultados || factoriales(numeros, resultados, cuantos) < 0)
        sin_hacer("Factoriales");
    for (size_t i = 0; i < cuantos; i++)
        printf("%3d! = %s\n", numeros[i], resultados[i].texto);
    free(resultados);
}

int main(int argc, char **argv)
{
    yunta_init(argc, argv);
    elegir_metodo();

    /* [fragmento: factoriales] */
    const int numeros[DEL_CUADERNO] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    const int grandes[GRANDES] = {25, 50, 100}; /* de 21! en adelante ya no caben en 64 bits */
    ensenar_factoriales(numeros, DEL_CUADERNO);
    ensenar_factoriales(grandes, GRANDES);
    /* [fin] */

    /* [fragmento: array] */
    int *arr = array_de_cuadrados();
    if (!arr)
        sin_hacer("Array compartido");
    imprimir_lista(arr, ESCRITORES);
    yunta_shared_free(arr);
    /* [fin] */

    /* [fragmento: cola] */
    yunta_queue *q = cola_de_mensajes();
    if (!q)
        sin_hacer("Cola de mensajes");
    while (!yunta_queue_is_empty(q)) {
        struct mensaje m;
        comprobar(yunta_queue_get(q, &m, YUNTA_FOREVER), "sacar de la cola");
        printf("%s\n", m.texto);
    }
    yunta_queue_destroy(q);
    /* [fin] */
    return 0;
}
