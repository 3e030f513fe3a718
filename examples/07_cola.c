/* Sección 7: una cola lleva mensajes de unos procesos a otros, en orden de llegada.
 * Nunca: `while (!yunta_queue_is_empty(q))` con productores aún en marcha; para eso está cerrar la cola.
 * Sigue: 08_ejercicio.c. */
#include "curso.h"

/* [fragmento: producer] */
struct extremo {
    yunta_queue *q; /* una cola vive en memoria compartida: basta pasar el puntero */
};

static int producer(const struct extremo *e)
{
    for (int i = 0; i < 5; i++)
        comprobar(yunta_queue_put(e->q, &i, YUNTA_FOREVER), "poner en la cola");
    return 0;
}
YUNTA_ENTRY(producer, struct extremo);
/* [fin] */

/* [fragmento: consumer] */
static int consumer(const struct extremo *e)
{
    while (!yunta_queue_is_empty(e->q)) {
        int i;
        comprobar(yunta_queue_get(e->q, &i, YUNTA_FOREVER), "sacar de la cola");
        printf("Recibido: %d\n", i);
    }
    return 0;
}
YUNTA_ENTRY(consumer, struct extremo);
/* [fin] */

/* [fragmento: sumador] */
/* Para consumir mientras otros producen: get espera, y dice YUNTA_ECLOSED cuando la cola se cerró y está vacía. */
static int sumador(const struct extremo *e)
{
    int i, codigo, recibidos = 0, suma = 0;
    while ((codigo = yunta_queue_get(e->q, &i, YUNTA_FOREVER)) == 0) {
        recibidos++;
        suma += i;
    }
    comprobar(codigo == YUNTA_ECLOSED ? 0 : codigo, "sacar de la cola");
    printf("Recibidos %d números a la vez que se producían; suman %d\n", recibidos, suma);
    return 0;
}
YUNTA_ENTRY(sumador, struct extremo);
/* [fin] */

static void terminar(yunta_process *p)
{
    int estado = comprobar(yunta_process_join(p, YUNTA_FOREVER), "esperar a un proceso");
    comprobar(estado == 0 ? 0 : YUNTA_EFAILED, "usar la cola");
    yunta_process_destroy(p);
}

static void como_en_el_cuaderno(void)
{
    /* [fragmento: uno-tras-otro] */
    yunta_queue *q;
    comprobar(yunta_queue_create(&q, &(yunta_queue_options){.item_size = sizeof(int)}), "crear la cola");
    struct extremo e = {q};

    yunta_process *p1, *p2;
    comprobar(yunta_start(&p1, producer, &e, NULL), "arrancar el productor");
    terminar(p1);
    comprobar(yunta_start(&p2, consumer, &e, NULL), "arrancar el consumidor");
    terminar(p2);
    yunta_queue_destroy(q);
    /* [fin] */
}

static void todos_a_la_vez(void)
{
    /* [fragmento: a-la-vez] */
    yunta_queue *q;
    comprobar(yunta_queue_create(&q, &(yunta_queue_options){.item_size = sizeof(int)}), "crear la cola");
    struct extremo e = {q};

    yunta_process *consumidor, *productores[3];
    comprobar(yunta_start(&consumidor, sumador, &e, NULL), "arrancar el consumidor");
    for (int i = 0; i < 3; i++)
        comprobar(yunta_start(&productores[i], producer, &e, NULL), "arrancar un productor");
    for (int i = 0; i < 3; i++)
        terminar(productores[i]);
    comprobar(yunta_queue_close(q), "cerrar la cola"); /* no habrá más: el consumidor acaba con lo que queda */
    terminar(consumidor);
    yunta_queue_destroy(q);
    /* [fin] */
}

int main(int argc, char **argv)
{
    yunta_init(argc, argv);
    elegir_metodo();
    como_en_el_cuaderno();
    todos_a_la_vez();
    return 0;
}
