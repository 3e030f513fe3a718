/* Fake: the messages are put by the main program.
 * marks: ✔✔✔✘
 * says: el resto, el programa principal */
#define cola_de_mensajes cola_de_mensajes_de_la_solucion
#include "solucion/08_solucion.c"
#undef cola_de_mensajes

static int nada(void)
{
    return 0;
}
YUNTA_ENTRY_VOID(nada);

yunta_queue *cola_de_mensajes(void)
{
    yunta_queue *q;
    comprobar(yunta_queue_create(&q, &(yunta_queue_options){.item_size = sizeof(struct mensaje)}), "crear la cola");
    for (int i = 0; i < MENSAJEROS; i++) {
        yunta_process *p;
        struct mensaje m;
        comprobar(yunta_start(&p, nada, NULL, NULL), "arrancar un proceso");
        snprintf(m.texto, sizeof(m.texto), "Proceso %d listo", i);
        comprobar(yunta_queue_put(q, &m, YUNTA_FOREVER), "poner en la cola");
        yunta_process_join(p, YUNTA_FOREVER);
        yunta_process_destroy(p);
    }
    return q;
}
