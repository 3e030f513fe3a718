/* Sección 4: memoria compartida. Value y Array son punteros que valen en todos los procesos.
 * Nunca: `contador += 1` desde varios procesos sin cerrojo ni atómicos; se pierden sumas.
 * Sigue: 05_pool.c. */
#include "curso.h"
#include <stdatomic.h>

/* [fragmento: modificar] */
struct datos {
    int *contador; /* punteros a memoria compartida: en el hijo señalan lo mismo */
    int *lista;
};

static int modificar(const struct datos *d)
{
    *d->contador += 1;
    d->lista[0] = 99;
    return 0;
}
YUNTA_ENTRY(modificar, struct datos);
/* [fin] */

static void como_en_el_cuaderno(void)
{
    /* [fragmento: value-array] */
    int *contador = yunta_shared(int, 1); /* Value: un entero, a cero */
    int *lista = yunta_shared(int, 3);    /* Array: tres enteros */
    comprobar(contador && lista ? 0 : -ENOMEM, "pedir memoria compartida");
    for (int i = 0; i < 3; i++)
        lista[i] = i + 1;

    yunta_process *p;
    struct datos d = {contador, lista};
    comprobar(yunta_start(&p, modificar, &d, NULL), "arrancar el proceso");
    comprobar(yunta_process_join(p, YUNTA_FOREVER), "esperar al proceso");
    yunta_process_destroy(p);

    printf("contador: %d\n", *contador);
    printf("lista: ");
    imprimir_lista(lista, 3);
    yunta_shared_free(contador);
    yunta_shared_free(lista);
    /* [fin] */
}

enum { PROCESOS = 4, VECES = 5000000 };

/* [fragmento: sin-proteger] */
struct cuenta {
    int *contador;
};

/* MAL: leer, sumar y escribir son tres pasos, y entre ellos se cuela otro proceso. */
static int sumar_sin_proteger(const struct cuenta *c)
{
    volatile int *contador = c->contador; /* volatile: que el compilador no junte todas las sumas en una */
    for (int i = 0; i < VECES; i++)
        *contador += 1;
    return 0;
}
YUNTA_ENTRY(sumar_sin_proteger, struct cuenta);
/* [fin] */

/* [fragmento: con-cerrojo] */
/* BIEN: cada bloque de memoria compartida trae su cerrojo, y mientras uno lo tiene los demás esperan. */
static int sumar_con_cerrojo(const struct cuenta *c)
{
    yunta_lock *cerrojo = yunta_shared_lock(c->contador);
    for (int i = 0; i < VECES; i++) {
        comprobar(yunta_lock_acquire(cerrojo, YUNTA_FOREVER), "tomar el cerrojo");
        *c->contador += 1;
        comprobar(yunta_lock_release(cerrojo), "soltar el cerrojo");
    }
    return 0;
}
YUNTA_ENTRY(sumar_con_cerrojo, struct cuenta);
/* [fin] */

/* [fragmento: atomico] */
struct cuenta_atomica {
    atomic_int *contador;
};

/* BIEN, y más rápido para algo tan pequeño: el procesador hace los tres pasos como si fueran uno. */
static int sumar_con_atomicos(const struct cuenta_atomica *c)
{
    for (int i = 0; i < VECES; i++)
        atomic_fetch_add(c->contador, 1);
    return 0;
}
YUNTA_ENTRY(sumar_con_atomicos, struct cuenta_atomica);
/* [fin] */

static void esperar_a_todos(yunta_process **p)
{
    for (int i = 0; i < PROCESOS; i++) {
        int estado = comprobar(yunta_process_join(p[i], YUNTA_FOREVER), "esperar a un proceso");
        comprobar(estado == 0 ? 0 : YUNTA_EFAILED, "sumar");
        yunta_process_destroy(p[i]);
    }
}

static void sumar_de_tres_maneras(void)
{
    yunta_process *p[PROCESOS];
    struct cuenta c = {yunta_shared(int, 1)};
    struct cuenta_atomica a = {yunta_shared(atomic_int, 1)};
    comprobar(c.contador && a.contador ? 0 : -ENOMEM, "pedir memoria compartida");
    printf("\n%d procesos suman 1, %d veces cada uno; deberían salir %d\n", PROCESOS, VECES, PROCESOS * VECES);

    for (int i = 0; i < PROCESOS; i++)
        comprobar(yunta_start(&p[i], sumar_sin_proteger, &c, NULL), "arrancar un proceso");
    esperar_a_todos(p);
    printf("  sin proteger: %d (se perdieron %d sumas)\n", *c.contador, PROCESOS * VECES - *c.contador);

    *c.contador = 0;
    for (int i = 0; i < PROCESOS; i++)
        comprobar(yunta_start(&p[i], sumar_con_cerrojo, &c, NULL), "arrancar un proceso");
    esperar_a_todos(p);
    printf("  con cerrojo:  %d\n", *c.contador);

    for (int i = 0; i < PROCESOS; i++)
        comprobar(yunta_start(&p[i], sumar_con_atomicos, &a, NULL), "arrancar un proceso");
    esperar_a_todos(p);
    printf("  con atómicos: %d\n", atomic_load(a.contador));

    yunta_shared_free(c.contador);
    yunta_shared_free(a.contador);
}

int main(int argc, char **argv)
{
    yunta_init(argc, argv);
    elegir_metodo();
    como_en_el_cuaderno();
    sumar_de_tres_maneras();
    return 0;
}
