/* Another right solution: other functions of the library, other start methods, other orders.
 * marks: ✔✔✔✔
 * says: ¡Enhorabuena! */
#define array_de_cuadrados array_de_cuadrados_de_la_solucion
#define cola_de_mensajes cola_de_mensajes_de_la_solucion
#include "solucion/08_solucion.c"
#undef array_de_cuadrados
#undef cola_de_mensajes

int *array_de_cuadrados(void)
{
    void *memoria;
    comprobar(yunta_shared_create(&memoria, sizeof(int), 0, ESCRITORES), "pedir el array");
    yunta_process **p = yunta_shared(yunta_process *, ESCRITORES);
    yunta_process_options opciones = {.start_method = YUNTA_SPAWN};
    for (int i = 0; i < ESCRITORES; i++) {
        struct casilla c = {i, memoria};
        comprobar(yunta_start(&p[i], escribir, &c, &opciones), "arrancar un proceso");
    }
    for (int i = ESCRITORES - 1; i >= 0; i--) {
        while (yunta_process_join(p[i], 10) == -ETIMEDOUT)
            continue;
        yunta_process_close(p[i]);
    }
    yunta_shared_free(p);
    return memoria;
}

yunta_queue *cola_de_mensajes(void)
{
    yunta_queue *q;
    yunta_queue_options opciones = {.item_size = sizeof(struct mensaje), .capacity = MENSAJEROS};
    comprobar(yunta_queue_create(&q, &opciones), "crear la cola");
    for (int i = MENSAJEROS - 1; i >= 0; i--) {
        yunta_process *p;
        struct mensajero w = {i, q};
        comprobar(yunta_start(&p, worker, &w, &(yunta_process_options){.start_method = YUNTA_FORKSERVER}), "arrancar");
        comprobar(yunta_process_join(p, YUNTA_FOREVER), "esperar");
        yunta_process_destroy(p);
    }
    return q;
}
