/* Sección 8: ejercicio práctico. Escribe tu código en los cuatro sitios marcados, y compruébalo con `make ejercicio`.
 * Nunca: mirar la solución antes de haberlo intentado (está en la carpeta solucion).
 * Sigue: 08_programa.c, el programa principal que llama a tus funciones y enseña lo que hacen. */
#include "curso.h"
#include "08_ejercicio.h"
#include <gmp.h>

/* Objetivo 1. Una función que calcule el factorial de *n y deje sus cifras en resultado->texto.
 *
 * 20! es el último que cabe en 64 bits, así que hace falta GMP: mpz_init_set_ui, mpz_mul_ui, mpz_clear; y
 * gmp_snprintf con "%Zd" para escribir las cifras, que dice cuántas son. Devuelve 0, o un error si no caben:
 * return yunta_fail(-EOVERFLOW, "…"). */
int factorial(const int *n, struct cifras *resultado)
{
    /* TU CÓDIGO AQUÍ */
    (void)n;
    (void)resultado;
    return -ENOSYS; /* quiere decir «sin hacer»: cámbialo */
}
YUNTA_TASK(factorial, int, struct cifras);

/* Objetivo 2. Usa un pool de 4 procesos y yunta_map para calcular de una vez los factoriales de `cuantos` números
 * (serán 10). Devuelve lo que devuelva yunta_map. */
int factoriales(const int *numeros, struct cifras *resultados, size_t cuantos)
{
    /* TU CÓDIGO AQUÍ */
    (void)numeros;
    (void)resultados;
    (void)cuantos;
    return -ENOSYS;
}

/* Objetivo 3. Crea un array compartido de 10 enteros y 10 procesos: el proceso i escribe i * i en la posición i.
 * Espera a que acaben todos y devuelve el array. Necesitarás una función `escribir`, con su YUNTA_ENTRY, delante de
 * esta. */
int *array_de_cuadrados(void)
{
    /* TU CÓDIGO AQUÍ */
    return NULL;
}

/* Objetivo 4. Crea una cola de `struct mensaje` y 5 procesos: el proceso i pone en ella "Proceso i listo". Espera a
 * que acaben todos y devuelve la cola, con los mensajes dentro. Necesitarás una función `worker`, con su YUNTA_ENTRY,
 * delante de esta. */
yunta_queue *cola_de_mensajes(void)
{
    /* TU CÓDIGO AQUÍ */
    return NULL;
}
