/* Sección 8: lo que comparten el ejercicio (08_ejercicio.c), el programa que lo usa (08_programa.c) y quien lo corrige.
 * Nunca: cambiar estos tipos; el comprobador cuenta con ellos.
 * Sigue: 08_ejercicio.c. */
#ifndef EJERCICIO_H
#define EJERCICIO_H

#include <yunta/yunta.h>

/* [fragmento: tipos] */
/* Un número entero, cifra a cifra. Un mpz_t no puede viajar entre procesos: por dentro es un puntero a memoria
 * privada. Sus cifras sí viajan. */
struct cifras {
    char texto[1024];
};

/* Un mensaje de la cola. */
struct mensaje {
    char texto[32];
};

enum { ESCRITORES = 10, MENSAJEROS = 5 };
/* [fin] */

/* Los cuatro objetivos: cada función está explicada en 08_ejercicio.c. */
int factorial(const int *n, struct cifras *resultado);
int factoriales(const int *numeros, struct cifras *resultados, size_t cuantos);
int *array_de_cuadrados(void);
yunta_queue *cola_de_mensajes(void);

#endif
