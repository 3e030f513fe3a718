/* Sección 8: una solución del ejercicio. Hay otras.
 * Nunca: leerla antes de haberlo intentado en 08_ejercicio.c.
 * Sigue: la página 8 del tutorial, que la comenta. */
#include "../curso.h"
#include "../08_ejercicio.h"
#include <gmp.h>

/* [fragmento: factorial] */
int factorial(const int *n, struct cifras *resultado)
{
    mpz_t r;
    mpz_init_set_ui(r, 1);
    for (int i = 1; i <= *n; i++)
        mpz_mul_ui(r, r, (unsigned long)i);
    int cifras = gmp_snprintf(resultado->texto, sizeof(resultado->texto), "%Zd", r);
    mpz_clear(r);
    if (cifras < 0 || (size_t)cifras >= sizeof(resultado->texto))
        return yunta_fail(-EOVERFLOW, "%d! tiene %d cifras y no cabe", *n, cifras);
    return 0;
}
YUNTA_TASK(factorial, int, struct cifras);
/* [fin] */

/* [fragmento: factoriales] */
int factoriales(const int *numeros, struct cifras *resultados, size_t cuantos)
{
    yunta_pool *pool;
    comprobar(yunta_pool_create(&pool, &(yunta_pool_options){.workers = 4}), "crear el pool");
    int codigo = yunta_map(pool, factorial, numeros, resultados, cuantos);
    yunta_pool_destroy(pool);
    return codigo;
}
/* [fin] */

/* [fragmento: escribir] */
struct casilla {
    int i;
    int *arr;
};

static int escribir(const struct casilla *c)
{
    c->arr[c->i] = c->i * c->i;
    return 0;
}
YUNTA_ENTRY(escribir, struct casilla);
/* [fin] */

/* [fragmento: array] */
int *array_de_cuadrados(void)
{
    int *arr = yunta_shared(int, ESCRITORES);
    comprobar(arr ? 0 : -ENOMEM, "pedir el array compartido");

    yunta_process *procesos[ESCRITORES];
    for (int i = 0; i < ESCRITORES; i++) {
        struct casilla c = {i, arr};
        comprobar(yunta_start(&procesos[i], escribir, &c, NULL), "arrancar un proceso");
    }
    for (int i = 0; i < ESCRITORES; i++) {
        comprobar(yunta_process_join(procesos[i], YUNTA_FOREVER), "esperar a un proceso");
        yunta_process_destroy(procesos[i]);
    }
    return arr;
}
/* [fin] */

/* [fragmento: worker] */
struct mensajero {
    int i;
    yunta_queue *q;
};

static int worker(const struct mensajero *w)
{
    struct mensaje m;
    snprintf(m.texto, sizeof(m.texto), "Proceso %d listo", w->i);
    comprobar(yunta_queue_put(w->q, &m, YUNTA_FOREVER), "poner en la cola");
    return 0;
}
YUNTA_ENTRY(worker, struct mensajero);
/* [fin] */

/* [fragmento: cola] */
yunta_queue *cola_de_mensajes(void)
{
    yunta_queue *q;
    comprobar(yunta_queue_create(&q, &(yunta_queue_options){.item_size = sizeof(struct mensaje)}), "crear la cola");

    yunta_process *procs[MENSAJEROS];
    for (int i = 0; i < MENSAJEROS; i++) {
        struct mensajero w = {i, q};
        comprobar(yunta_start(&procs[i], worker, &w, NULL), "arrancar un proceso");
    }
    for (int i = 0; i < MENSAJEROS; i++) {
        comprobar(yunta_process_join(procs[i], YUNTA_FOREVER), "esperar a un proceso");
        yunta_process_destroy(procs[i]);
    }
    return q;
}
/* [fin] */
