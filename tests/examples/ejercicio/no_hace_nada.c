/* All four functions return at once, and say that it went well.
 * marks: ✘✘✘✘
 * says: no escribe nada
 * says: no llama a yunta_map
 * says: no es un array compartido
 * says: la cola tiene que ser */
#include "curso.h"
#include "08_ejercicio.h"

int factorial(const int *n, struct cifras *resultado)
{
    (void)n;
    (void)resultado;
    return 0;
}

int factoriales(const int *numeros, struct cifras *resultados, size_t cuantos)
{
    (void)numeros;
    (void)resultados;
    (void)cuantos;
    return 0;
}

int *array_de_cuadrados(void)
{
    static int privado[ESCRITORES];
    return privado;
}

yunta_queue *cola_de_mensajes(void)
{
    yunta_queue *q;
    comprobar(yunta_queue_create(&q, NULL), "crear la cola");
    return q;
}
