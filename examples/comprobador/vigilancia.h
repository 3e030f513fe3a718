/* Vigilancia: mira, desde dentro, qué funciones de yunta llama el código del alumno y quién escribe qué.
 * Nunca: cambiar lo que hacen; solo mirar. El enlazador desvía las llamadas (--wrap) y aquí se hace la de verdad.
 * Sigue: vigilancia.c. */
#ifndef VIGILANCIA_H
#define VIGILANCIA_H

#include <stdbool.h>
#include <stddef.h>
#include <yunta/yunta.h>

enum que_vigilar { VIGILAR_NADA, VIGILAR_POOL, VIGILAR_PROCESOS };

/* Lo visto desde la última llamada a vigilar. */
struct informe {
    int pools, pools_de_hilos, pools_destruidos;
    int maps;
    size_t mayor_map; /* elementos */
    int error_de_map; /* el del último que falló, o 0 */
    int procesos;     /* arrancados */
    int esperados;    /* … y de ellos, los que el código esperó */
    int mal_acabados; /* … y los que no acabaron con 0 */
    int estado_malo;  /* lo que dijo join del último de esos */
};

/* Empieza de cero. Mientras se vigilan procesos, arrancar uno no vuelve hasta que acaba (o pasan unos segundos): así
 * lo que entretanto cambia en la memoria compartida y en las colas es cosa suya, y no de quien lo arrancó. */
void vigilar(enum que_vigilar que);
const struct informe *dejar_de_vigilar(void);

/* ¿Escribió algún proceso arrancado por el código en esos bytes de memoria compartida? */
bool escrito_por_procesos(const void *donde, size_t bytes);

/* Cuántos mensajes entraron en la cola mientras corrían los procesos. */
int mensajes_de_procesos(const yunta_queue *q);

/* El item_size con que se creó la cola; 0 si es de bytes, o no la creó el código vigilado. */
size_t bytes_por_mensaje(const yunta_queue *q);

#endif
