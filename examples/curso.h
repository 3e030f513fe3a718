/* Lo que comparten los programas del curso: comprobar errores, elegir el método de arranque, medir y dormir.
 * Nunca: esconder aquí lo que se quiere enseñar; todo lo de yunta está a la vista en cada programa.
 * Sigue: 01_hilos_y_procesos.c. */
#ifndef CURSO_H
#define CURSO_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L /* clock_gettime y nanosleep */
#endif

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <yunta/yunta.h>

/* [fragmento: comprobar] */
/* Si `codigo` es un error (< 0), dice cuál y haciendo qué, y termina; si no, lo devuelve. */
static inline int comprobar(int codigo, const char *haciendo)
{
    if (codigo < 0) {
        const char *nombre = yunta_error_name(codigo);
        fprintf(stderr, "%s: %s (%s)\n", haciendo, yunta_strerror(codigo), nombre ? nombre : "?");
        exit(EXIT_FAILURE);
    }
    return codigo;
}
/* [fin] */

/* [fragmento: metodo] */
/* El método de arranque es fork, salvo que la variable de entorno YUNTA_METODO diga forkserver o spawn. */
static inline void elegir_metodo(void)
{
    const char *pedido = getenv("YUNTA_METODO");
    if (!pedido)
        return;
    for (int m = YUNTA_FORK; m <= YUNTA_SPAWN; m++) {
        if (strcmp(pedido, yunta_start_method_name((yunta_start_method)m)) == 0) {
            comprobar(yunta_set_start_method((yunta_start_method)m), "elegir el método de arranque");
            return;
        }
    }
    fprintf(stderr, "YUNTA_METODO=%s: se esperaba fork, forkserver o spawn\n", pedido);
    exit(EXIT_FAILURE);
}
/* [fin] */

/* Segundos de un reloj que nunca retrocede: sirve para restar dos lecturas. */
static inline double segundos(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* time.sleep(s) */
static inline void dormir(double s)
{
    time_t enteros = (time_t)s;
    struct timespec falta = {enteros, (long)((s - (double)enteros) * 1e9)};
    while (nanosleep(&falta, &falta) < 0 && errno == EINTR)
        continue;
}

/* print(list(lista)) */
static inline void imprimir_lista(const int *lista, size_t cuantos)
{
    printf("[");
    for (size_t i = 0; i < cuantos; i++)
        printf(i == 0 ? "%d" : ", %d", lista[i]);
    printf("]\n");
}

#endif
